//! Routes a call to the connection and connector that it belongs to.
//!
//! - `read`: bytes to a call; `convert`: the contract's types to those of connectors and back;
//! - `connector`: a connector called off the I/O threads, behind its `gate`, within a deadline;
//! - `perform`: what each operation does, on such a thread;
//! - `reply`, `spool`: what is answered, and where it gathers.

mod connector;
mod convert;
mod gate;
mod perform;
mod read;
mod reply;
mod spool;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use contract::{
    Call, Dialect, EncodingError, Envelope, Fault, Operation, Outcome, Request, SoapVersion, State,
};
use plugin_api::abi::client::ConnectorClient;
use plugin_api::{Access, FieldType, Settings};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument, Span, field};
use values::{Guid, error_code};

use self::connector::{Connector, Interrupted, Open};
use self::read::ReadCall;
use self::reply::Replied;
use self::spool::SpoolFolder;
pub use self::spool::Spooled;
use crate::config::Config;
use crate::connections::{Connections, OpenConnection, OpenError, StoreError, StoredConnection};

/// The folder of replies under way, below the data folder.
const SPOOL: &str = "spool";

/// Every connector and every connection.
pub struct Router {
    connectors: Connectors,
    connections: Connections<Open, NotOpened>,
    spool: Arc<SpoolFolder>,
    /// How long a call may take that has not found its connector yet.
    deadline: Duration,
}

/// A call as it came over HTTP.
#[derive(Debug)]
pub struct SoapRequest {
    /// The message.
    pub body: Bytes,
    /// The charset that the content type names.
    pub charset: Option<String>,
    /// The SOAPAction, quoted or not.
    pub action: Option<String>,
    /// The connector that the address names.
    pub connector: Option<String>,
    /// The dialect that the address names: it counts where the message does not show it.
    pub dialect: Option<Dialect>,
}

/// An answer to a call.
#[derive(Debug)]
pub struct Answer {
    /// The version of SOAP that it is written in.
    pub soap: SoapVersion,
    /// Whether it is a fault.
    pub is_fault: bool,
    /// The message.
    pub body: Spooled,
}

/// Why a call gets no answer in SOAP.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Too many calls run and wait already.
    #[error("the connector is busy with other calls, try again in a few seconds")]
    Busy,
    /// The message is in an encoding that is not served.
    #[error(transparent)]
    Charset(EncodingError),
}

/// The connectors by name, and which of them serves calls that name none.
#[derive(Clone)]
struct Connectors {
    all: Arc<[Arc<Connector>]>,
    default: Option<Arc<str>>,
}

/// Why a stored connection is not open.
#[derive(Debug)]
enum NotOpened {
    /// Its connector is not here.
    NoConnector(Outcome<'static>),
    /// Its connector says why.
    Failed(plugin_api::Outcome),
    Interrupted(Interrupted),
}

/// Why a call ends without its operation having been done.
enum Stop {
    /// Answered with this.
    Outcome(Outcome<'static>),
    /// Not answered: see [`Refused::Busy`].
    Busy,
}

/// What the log tells of a call.
struct Told {
    connector: Option<Arc<str>>,
    connection: Option<Guid>,
}

impl Router {
    /// A router for these connectors, over the store in the configured data folder. The connector that serves calls
    /// which name none is the configured one, or the first by name.
    ///
    /// # Errors
    /// The store cannot be used, or the folder for replies cannot be made. The text says what to do.
    pub async fn new(
        config: &Config,
        connectors: impl IntoIterator<Item = ConnectorClient>,
    ) -> Result<Self, RouterError> {
        let folder = config.data.join(SPOOL);
        let spool = SpoolFolder::new(&folder, config.limits.reply_in_memory)
            .map_err(|cause| RouterError::Spool { folder, cause })?;
        let connections = Connections::open_store(&config.data, config.key_file.as_deref()).await?;
        let mut all: Vec<_> =
            connectors.into_iter().map(|client| Arc::new(Connector::new(client, config))).collect();
        all.sort_by(|a, b| a.name().cmp(b.name()));
        let first = all.first().map(|connector| connector.name());
        let default = config.default_connector.as_deref().or(first).map(Arc::from);
        Ok(Router {
            connectors: Connectors { all: all.into(), default },
            connections,
            spool: Arc::new(spool),
            deadline: config.call_deadline,
        })
    }

    /// Answers a call.
    ///
    /// # Errors
    /// The call gets no answer in SOAP.
    pub async fn answer(&self, request: SoapRequest) -> Result<Answer, Refused> {
        let started = Instant::now();
        let SoapRequest { body, charset, action, connector, dialect } = request;
        let call = match read(body, charset, action, dialect).await {
            Ok(call) => Arc::new(call),
            Err(Unread::Charset(error)) => return Err(Refused::Charset(error)),
            Err(Unread::Fault(soap, fault)) => {
                tracing::info!(fault = %fault, ms = milliseconds(started), "refused");
                return Ok(Answer { soap, is_fault: true, body: reply::fault(soap, &fault) });
            }
        };
        let (operation, envelope) = (call.call().operation(), &call.call().envelope);
        // At every level: a connector's warnings tell whose they are also where calls themselves are not logged.
        let span = tracing::error_span!(
            "call",
            operation = operation.name(),
            connector = field::Empty,
            connection = field::Empty
        );
        let mut told = Told { connector: None, connection: None };
        let replied = self.route(&call, connector.as_deref(), started, &mut told).instrument(span).await;
        let replied = match replied {
            Ok(replied) => replied,
            Err(Stop::Outcome(outcome)) => reply::outcome(envelope, operation, &outcome),
            Err(Stop::Busy) => {
                tracing::warn!(
                    operation = operation.name(),
                    connector = told.connector.as_deref(),
                    "busy: refused"
                );
                return Err(Refused::Busy);
            }
        };
        log(&told, operation, envelope, &replied, started);
        Ok(Answer { soap: envelope.soap, is_fault: false, body: replied.body })
    }

    /// Waits until no connector is called any more.
    pub async fn idle(&self) {
        for connector in self.connectors.all.iter() {
            connector.idle().await;
        }
    }

    /// Closes every connection and the store, for the end of the host.
    pub async fn shut_down(&self) {
        self.connections.shut_down().await;
    }

    async fn route(
        &self,
        call: &Arc<ReadCall>,
        named: Option<&str>,
        started: Instant,
        told: &mut Told,
    ) -> Result<Replied, Stop> {
        let (envelope, request) = (&call.call().envelope, &call.call().request);
        match request {
            Request::Authenticate { .. } => Ok(reply::not_authenticated(envelope)),
            Request::GetConfigData | Request::TestConfigData { .. } => {
                self.in_setup(call, named, started, told).await
            }
            // A list that a setting takes its values from, while there is no connection yet.
            Request::GetList { .. } if connection_of(call.call()).is_ok_and(Guid::is_zero) => {
                self.in_setup(call, named, started, told).await
            }
            Request::SaveConnection { connection_info } => {
                let guid = told.connection(call.call())?;
                let settings = convert::settings(connection_info.as_ref());
                let outcome = self.save(guid, settings, named, started, told).await?;
                Ok(reply::outcome(envelope, Operation::SaveConnection, &outcome))
            }
            Request::DeleteConnection => {
                let guid = told.connection(call.call())?;
                self.delete(guid, named, told).await?;
                Ok(reply::outcome(envelope, Operation::DeleteConnection, &Outcome::ok()))
            }
            _ => {
                let guid = told.connection(call.call())?;
                self.in_connection(call, guid, named, started, told).await
            }
        }
    }

    /// A call that belongs to no connection.
    async fn in_setup(
        &self,
        call: &Arc<ReadCall>,
        named: Option<&str>,
        started: Instant,
        told: &mut Told,
    ) -> Result<Replied, Stop> {
        let connector = told.connector(self.connectors.find(named)?);
        let (call, worker) = (Arc::clone(call), Arc::clone(connector));
        let work =
            connector.work(started + connector.deadline(), move || perform::in_setup(call.call(), &worker));
        work.await.map_err(|interrupted| stop(interrupted, connector))
    }

    /// A call that belongs to a connection.
    async fn in_connection(
        &self,
        call: &Arc<ReadCall>,
        guid: Guid,
        named: Option<&str>,
        started: Instant,
        told: &mut Told,
    ) -> Result<Replied, Stop> {
        let open = self.open(guid, named, started, told).await?;
        let connector = Arc::clone(told.connector(&open.connection().connector));
        let (call, spool) = (Arc::clone(call), Arc::clone(&self.spool));
        let work = connector.work(started + connector.deadline(), move || {
            perform::in_connection(call.call(), &open.connection().client, &spool)
        });
        work.await.map_err(|interrupted| stop(interrupted, &connector))
    }

    /// The connection, opened if it is not yet.
    async fn open(
        &self,
        guid: Guid,
        named: Option<&str>,
        started: Instant,
        told: &mut Told,
    ) -> Result<Arc<OpenConnection<Open>>, Stop> {
        if let Some(open) = self.connections.get(guid) {
            check_name(guid, open.connector(), named)?;
            return Ok(open);
        }
        // Not in one step with the opening: that is shared with others, who may have named another connector.
        let own = self.connections.connector_of(guid).await?.ok_or_else(|| unknown_connection(guid))?;
        check_name(guid, &own, named)?;
        let deadline = match self.connectors.get(&own) {
            Some(connector) => started + told.connector(connector).deadline(),
            None => started + self.deadline,
        };
        let connectors = self.connectors.clone();
        let opening = self.connections.get_or_open(guid, move |stored| open_stored(connectors, stored));
        match timeout_at(deadline, opening).await {
            Ok(Ok(Some(open))) => Ok(open),
            Ok(Ok(None)) => Err(unknown_connection(guid)),
            Ok(Err(error)) => Err(not_opened(&error)),
            Err(_) => Err(Stop::Outcome(late(&own, deadline - started))),
        }
    }

    /// WSSaveConnection: the settings are durable before anything else is done with them.
    async fn save(
        &self,
        guid: Guid,
        settings: Settings,
        named: Option<&str>,
        started: Instant,
        told: &mut Told,
    ) -> Result<Outcome<'static>, Stop> {
        if guid.is_zero() {
            let why = "the all-zero ConnectionGuid cannot be saved: it stands for a connection that is being set up";
            return Err(Stop::Outcome(Outcome::error(why)));
        }
        let own = self.connections.connector_of(guid).await?;
        let connector = match &own {
            Some(own) => {
                check_name(guid, own, named)?;
                self.connectors.get(own).ok_or_else(|| self.connectors.not_loaded(own))?
            }
            None => self.connectors.find(named)?,
        };
        let connector = told.connector(connector);

        let deadline = started + connector.deadline();
        let worker = Arc::clone(connector);
        let form = connector.work(deadline, move || worker.settings_form()).await;
        let form = form
            .map_err(|interrupted| stop(interrupted, connector))?
            .map_err(|outcome| Stop::Outcome(owned(&outcome)))?;
        let is_empty = |key: &str| settings.get(key).is_none_or(|text| text.trim().is_empty());
        let missing = form
            .iter()
            .filter(|field| field.access == Access::Mandatory && field.field_type != FieldType::Label)
            .filter(|field| is_empty(&field.key))
            .map(|field| field.key.as_str())
            .collect::<Vec<_>>();
        if !missing.is_empty() {
            let why = format!("these settings must be filled in: {}", missing.join(", "));
            return Err(Stop::Outcome(Outcome::error(why)));
        }
        let secrets = form.iter().filter(|field| field.field_type == FieldType::Password);
        let secrets: Vec<_> = secrets.map(|field| field.key.as_str()).collect();
        self.connections.save(guid, connector.name(), &settings, &secrets).await?;

        // Opened at once, so that the administrator learns now what is wrong with the settings. They stay stored
        // whatever comes of it: an ERP system that is down tonight is up tomorrow.
        match self.open(guid, named, started, told).await {
            Ok(_) => Ok(Outcome::ok()),
            Err(Stop::Outcome(outcome)) => {
                let tech = outcome.tech_explanation.as_deref().unwrap_or("no more is known");
                let tech = format!("the settings are saved, but the connection could not be opened: {tech}");
                Ok(Outcome { state: State::Warning, tech_explanation: Some(tech.into()), ..outcome })
            }
            Err(Stop::Busy) => Ok(Outcome {
                state: State::Warning,
                ..Outcome::error("the settings are saved, but the connector was too busy to try them")
            }),
        }
    }

    /// WSDeleteConnection. The connector need not be here any more.
    async fn delete(&self, guid: Guid, named: Option<&str>, told: &mut Told) -> Result<(), Stop> {
        let own = self.connections.connector_of(guid).await?.ok_or_else(|| unknown_connection(guid))?;
        told.connector_name(&own);
        check_name(guid, &own, named)?;
        if self.connections.delete(guid).await? { Ok(()) } else { Err(unknown_connection(guid)) }
    }
}

impl Connectors {
    /// The connector of that name: exactly, or else in another case.
    fn get(&self, name: &str) -> Option<&Arc<Connector>> {
        let exact = self.all.iter().find(|connector| connector.name() == name);
        exact.or_else(|| self.all.iter().find(|connector| connector.name().eq_ignore_ascii_case(name)))
    }

    /// The connector that a call names, or the default one.
    fn find(&self, named: Option<&str>) -> Result<&Arc<Connector>, Stop> {
        match named.or(self.default.as_deref()) {
            Some(name) => self.get(name).ok_or_else(|| {
                let here = self.here();
                Stop::Outcome(Outcome::error(format!("connector '{name}' was not found; here: {here}")))
            }),
            None => Err(Stop::Outcome(
                Outcome::error("no connector is installed on this host").with_tech_explanation(
                    "put a plugin file into the plugins folder and start the host again",
                ),
            )),
        }
    }

    fn not_loaded(&self, name: &str) -> Stop {
        Stop::Outcome(not_loaded(name, &self.here()))
    }

    /// The names, for an error text.
    fn here(&self) -> String {
        let names: Vec<_> = self.all.iter().map(|connector| connector.name()).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }
}

impl Told {
    /// The connection that a call names.
    fn connection(&mut self, call: &Call<'_>) -> Result<Guid, Stop> {
        let guid = connection_of(call)?;
        Span::current().record("connection", field::display(guid));
        self.connection = Some(guid);
        Ok(guid)
    }

    fn connector<'c>(&mut self, connector: &'c Arc<Connector>) -> &'c Arc<Connector> {
        self.connector_name(connector.name());
        connector
    }

    fn connector_name(&mut self, name: &str) {
        if self.connector.is_none() {
            Span::current().record("connector", name);
            self.connector = Some(name.into());
        }
    }
}

/// Why the router cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum RouterError {
    /// The store of connections cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The folder for replies cannot be made.
    #[error("the folder {} cannot be made: {cause}", folder.display())]
    Spool {
        /// The folder.
        folder: std::path::PathBuf,
        /// Why.
        cause: io::Error,
    },
}

/// Why there is no call.
enum Unread {
    Charset(EncodingError),
    Fault(SoapVersion, Fault),
}

/// Reads a call; a large one where it delays nobody else.
async fn read(
    body: Bytes,
    charset: Option<String>,
    action: Option<String>,
    dialect: Option<Dialect>,
) -> Result<ReadCall, Unread> {
    let is_large = body.len() >= read::LARGE;
    let read = move || {
        let message = read::decode(body, charset.as_deref()).map_err(|error| match error {
            EncodingError::Unsupported(_) => Unread::Charset(error),
            EncodingError::InvalidUtf16 => Unread::Fault(SoapVersion::V11, Fault::from(&error)),
        })?;
        let action = action.as_deref().and_then(contract::soap_action);
        ReadCall::read(message, action, dialect.unwrap_or(Dialect::Data))
            .map_err(|error| Unread::Fault(error.soap, Fault::from(&error)))
    };
    if !is_large {
        return read();
    }
    spawn_blocking(read).await.unwrap_or_else(|error| {
        tracing::error!(%error, "reading a message panicked");
        Err(Unread::Fault(SoapVersion::V11, Fault::server("the message could not be read")))
    })
}

/// Opens a connection with its stored settings.
async fn open_stored(connectors: Connectors, stored: StoredConnection) -> Result<Open, NotOpened> {
    let Some(connector) = connectors.get(&stored.connector).map(Arc::clone) else {
        return Err(NotOpened::NoConnector(not_loaded(&stored.connector, &connectors.here())));
    };
    let worker = Arc::clone(&connector);
    let opened = connector.work(Instant::now() + connector.deadline(), move || worker.open(&stored.settings));
    opened.await.map_err(NotOpened::Interrupted)?.map_err(NotOpened::Failed)
}

fn connection_of(call: &Call<'_>) -> Result<Guid, Stop> {
    let text = call.connection_guid.as_deref().unwrap_or_default();
    if text.trim().is_empty() {
        return Err(Stop::Outcome(Outcome::error(
            "ConnectionGuid is missing from the request, expected one like 3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf",
        )));
    }
    text.parse().map_err(|error| Stop::Outcome(Outcome::error(format!("ConnectionGuid {error}"))))
}

/// A connection belongs to one connector, and calls that name another one went astray.
fn check_name(guid: Guid, own: &str, named: Option<&str>) -> Result<(), Stop> {
    match named {
        Some(named) if !named.eq_ignore_ascii_case(own) => Err(Stop::Outcome(Outcome::error(format!(
            "the connection {guid} belongs to the connector '{own}', but the address names '{named}'; use the address \
             with ?ConnectorName={own}, or set up another connection"
        )))),
        _ => Ok(()),
    }
}

/// What makes SuperOffice send the settings again (contract page, section 2).
fn unknown_connection(guid: Guid) -> Stop {
    let why = format!("the connection {guid} is not known here; its settings must be saved first");
    Stop::Outcome(Outcome::error(why).with_error_code(error_code::UNKNOWN_CONNECTION_ID))
}

fn not_loaded(connector: &str, here: &str) -> Outcome<'static> {
    Outcome::error(format!(
        "the connection belongs to the connector '{connector}', which is not installed; here: {here}"
    ))
    .with_tech_explanation("put its plugin file into the plugins folder and start the host again")
}

fn not_opened(error: &OpenError<NotOpened>) -> Stop {
    let OpenError::Connection(error) = error else {
        tracing::error!("a connection is not opened: {}", described(error));
        return Stop::Outcome(
            Outcome::error("the connection could not be opened, see the host's log")
                .with_tech_explanation(described(error)),
        );
    };
    match error.as_ref() {
        NotOpened::NoConnector(outcome) => Stop::Outcome(outcome.clone()),
        NotOpened::Failed(outcome) => Stop::Outcome(owned(outcome)),
        NotOpened::Interrupted(Interrupted::Full) => Stop::Busy,
        NotOpened::Interrupted(Interrupted::Late) => {
            Stop::Outcome(Outcome::error("the connector did not open the connection in time"))
        }
        NotOpened::Interrupted(Interrupted::Panicked) => Stop::Outcome(panicked()),
    }
}

fn described(error: &OpenError<NotOpened>) -> String {
    match error {
        OpenError::Store(error) => error.to_string(),
        OpenError::Connection(_) | OpenError::Ended => "opening it ended without a result".to_owned(),
    }
}

fn stop(interrupted: Interrupted, connector: &Connector) -> Stop {
    match interrupted {
        Interrupted::Full => Stop::Busy,
        Interrupted::Late => Stop::Outcome(late(connector.name(), connector.deadline())),
        Interrupted::Panicked => Stop::Outcome(panicked()),
    }
}

fn late(connector: &str, deadline: Duration) -> Outcome<'static> {
    let seconds = deadline.as_secs_f64();
    Outcome::error(format!("the connector '{connector}' did not answer within {seconds} seconds"))
        .with_tech_explanation("the call goes on in the connector; what it changes may still happen")
}

fn panicked() -> Outcome<'static> {
    Outcome::error("the host failed to serve this call, see its log")
}

fn owned(outcome: &plugin_api::Outcome) -> Outcome<'static> {
    let text = |text: &Option<String>| text.clone().map(Into::into);
    Outcome {
        state: State::Error,
        user_explanation: text(&outcome.user),
        tech_explanation: text(&outcome.tech),
        error_code: text(&outcome.code),
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        tracing::error!("the connection store failed: {error}");
        Stop::Outcome(
            Outcome::error("the host cannot use its store of connections, see its log; nothing was changed")
                .with_tech_explanation(error.to_string()),
        )
    }
}

/// The one line that every call leaves.
fn log(told: &Told, operation: Operation, envelope: &Envelope, replied: &Replied, started: Instant) {
    let connection = told.connection.map(field::display);
    macro_rules! tell {
        ($level:ident $(, $name:ident = $value:expr)*) => {
            tracing::$level!(
                operation = operation.name(),
                connector = told.connector.as_deref(),
                connection,
                dialect = envelope.dialect.as_str(),
                state = replied.state.map(State::as_str),
                rows = replied.rows,
                bytes = replied.body.len(),
                ms = milliseconds(started),
                $($name = $value,)*
                "call"
            )
        };
    }
    match &replied.error {
        None => tell!(info),
        Some(error) => {
            tell!(warn, code = error.error_code.as_deref());
            // An explanation names the value that was wrong, and values of fields stay out of the log above debug.
            tracing::debug!(
                operation = operation.name(),
                connection,
                user = error.user_explanation.as_deref(),
                tech = error.tech_explanation.as_deref(),
                "why"
            );
        }
    }
}

/// Milliseconds with three decimals.
fn milliseconds(started: Instant) -> f64 {
    (started.elapsed().as_secs_f64() * 1e6).round() / 1e3
}
