//! Routes a call to the connection and connector that it belongs to.
//!
//! - `read`: bytes to a call; `convert`: the contract's types to those of connectors and back;
//! - `route`: the rules of connections; `stop`: what a caller reads who meets one of them;
//! - `connectors`, `connector`: a connector called where that holds up nobody, behind its `gate`, within a deadline; out of
//!   service with too many `overdue` calls;
//! - `perform`: what each operation does, on such a thread;
//! - `reply`, `spool`: what is answered, and where it gathers.

mod config;
mod connector;
mod connectors;
mod convert;
mod gate;
mod overdue;
mod perform;
mod read;
mod reply;
mod route;
mod spool;
mod stop;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use contract::{Dialect, EncodingError, Envelope, SoapVersion, State};
use plugin_api::abi::client::{ConnectorClient, INVALID_ANSWER};
use tokio::time::Instant;
use tracing::field;

pub use self::config::{ConnectorLimits, RouterConfig};
use self::connector::Open;
use self::connectors::Connectors;
use self::read::Unread;
use self::reply::Replied;
use self::route::Errand;
use self::spool::SpoolFolder;
pub use self::spool::Spooled;
use self::stop::Stop;
use crate::auth::Online;
use crate::caller::Caller;
use crate::logging::rejection::{self, Cause};
use erp_host_runtime::OnCall;
use erp_host_store::audit::{Event, Origin};
use erp_host_store::{Connections, StoreError};

/// The folder of replies under way, below the data folder.
const SPOOL: &str = "spool";

/// Every connector and every connection.
pub struct Router {
    connectors: Arc<Connectors>,
    connections: Connections<Open, Stop>,
    spool: Arc<SpoolFolder>,
    online: Arc<Online>,
    /// How long a call may take that has not found its connector yet.
    deadline: Duration,
    /// How much a message may be.
    limits: contract::xml::Limits,
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
    /// Who makes it.
    pub caller: Caller,
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

impl Router {
    /// A router for these connectors, over the store in the data folder; `key_file` encrypts its secrets, `online`
    /// authenticates callers.
    ///
    /// # Errors
    /// The store cannot be used, or the folder for replies cannot be made. The text says what to do.
    pub async fn new(
        config: &RouterConfig,
        data: &Path,
        key_file: Option<&Path>,
        online: Arc<Online>,
        connectors: impl IntoIterator<Item = ConnectorClient>,
    ) -> Result<Self, RouterError> {
        let folder = data.join(SPOOL);
        let spool = SpoolFolder::new(&folder, config.reply_in_memory, config.max_reply)
            .map_err(|cause| RouterError::Spool { folder, cause })?;
        let connections = Connections::open_store(data, key_file).await?;
        Ok(Router {
            connectors: Arc::new(Connectors::new(config, connectors)),
            connections,
            spool: Arc::new(spool),
            online,
            deadline: config.call_deadline,
            limits: config.xml,
        })
    }

    /// Answers a call.
    ///
    /// # Errors
    /// The call gets no answer in SOAP.
    pub async fn answer(&self, request: SoapRequest) -> Result<Answer, Refused> {
        let started = Instant::now();
        let (connector, caller) = (request.connector.clone(), request.caller.clone());
        let call = match read::read(request, self.limits).await {
            Ok(call) => Arc::new(call),
            Err(Unread::Charset(error)) => return Err(Refused::Charset(error)),
            Err(Unread::Fault { soap, fault, told }) => {
                rejection::log(Cause::BadMessage, &caller, told);
                tracing::debug!("{fault}");
                return Ok(Answer { soap, is_fault: true, body: reply::fault(soap, &fault) });
            }
        };
        let (operation, envelope) = (call.call().operation(), &call.call().envelope);
        let told = OnCall { operation: operation.name(), connector: None, connection: None };
        let mut errand = Errand { call: &call, caller: &caller, named: connector.as_deref(), started, told };
        let replied = self.route(&mut errand).await;
        let told = errand.told;
        let replied = match replied {
            Ok(replied) => replied,
            Err(Stop::Outcome(outcome)) => reply::outcome(envelope, operation, &outcome),
            Err(Stop::Busy) => {
                let connector = told.connector.as_deref().unwrap_or_default();
                let why = format_args!("the connector '{connector}' is busy with other calls");
                rejection::log(Cause::Overload, &caller, why);
                return Err(Refused::Busy);
            }
        };
        if told.connector.is_none() && replied.error.is_some() {
            astray(&told, &replied, &caller);
        } else {
            log(&caller, &told, envelope, &replied, started);
        }
        Ok(Answer { soap: envelope.soap, is_fault: false, body: replied.body })
    }

    /// Lets a connector serve from now on, in the place of the one of its name if there is one: what runs in that one
    /// ends there, and the next call of a connection opens it on the new one.
    pub fn put(&self, connector: ConnectorClient) {
        let name = connector.name().to_owned();
        self.connectors.put(connector);
        // After that: what is opened from now on is opened on the new one.
        self.connections.invalidate_connector(&name);
    }

    /// Retires a connector: what runs in it ends there, and calls from now on are told that it is not installed. Its
    /// stored connections stay, and work again when it is back.
    pub fn remove(&self, connector: &str) {
        self.connectors.remove(connector);
        self.connections.invalidate_connector(connector);
    }

    /// Writes to the audit log what happened in this host, while it did what `host` says. Where that fails the operator's
    /// log has it, and all goes on.
    pub async fn record(&self, events: Vec<Event>, host: &'static str) {
        let told = format!("{events:?}");
        if let Err(error) = self.connections.record(events, &Origin::Host { host }).await {
            tracing::error!("the audit log does not have {told}: {error}");
        }
    }

    /// Waits until no connector is called any more.
    pub async fn idle(&self) {
        for connector in self.connectors.all() {
            connector.idle().await;
        }
    }

    /// Closes every connection and the store, for the end of the host.
    pub async fn shut_down(&self) {
        self.connections.shut_down().await;
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
        folder: PathBuf,
        /// Why.
        cause: io::Error,
    },
}

/// The line of a call that found no connector: anybody can make such calls.
fn astray(told: &OnCall, replied: &Replied, caller: &Caller) {
    let error = replied.error.as_ref();
    let why = error
        .and_then(|error| error.error_code.as_deref())
        .unwrap_or("it names no connection or connector here");
    let operation = told.operation;
    match told.connection {
        Some(connection) => {
            rejection::log(Cause::UnknownTarget, caller, format_args!("{operation} for {connection}: {why}"))
        }
        None => rejection::log(Cause::UnknownTarget, caller, format_args!("{operation}: {why}")),
    }
    if let Some(error) = error {
        tracing::debug!(operation, user = error.user_explanation.as_deref(), "why");
    }
}

/// The one line that every other call leaves.
fn log(caller: &Caller, told: &OnCall, envelope: &Envelope, replied: &Replied, started: Instant) {
    let connection = told.connection.map(field::display);
    macro_rules! tell {
        ($level:ident $(, $name:ident = $value:expr)*) => {
            tracing::$level!(
                operation = told.operation,
                connector = told.connector.as_deref(),
                connection,
                %caller,
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
            if error.error_code.as_deref() == Some(INVALID_ANSWER) {
                // It names the place, and no value.
                tracing::warn!(
                    operation = told.operation,
                    connector = told.connector.as_deref(),
                    connection,
                    why = error.tech_explanation.as_deref(),
                    "an answer of the connector is refused"
                );
            }
            // An explanation names the value that was wrong, and values of fields stay out of the log above debug.
            tracing::debug!(
                operation = told.operation,
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
