//! Routes a call to its connection and connector, runs it there within its limits, and writes the reply.
//!
//! ```
//! use erp_host_router::RouterConfig;
//!
//! // Limits come first: a call may take so long, and so many calls may run in one connector.
//! let config = RouterConfig::default();
//! assert_eq!((config.call_deadline.as_secs(), config.concurrent_calls("Excel")), (100, 32));
//! ```
//!
//! In the order of a call:
//! - `caller`: who calls; [`rejection`]: the log of what is rejected, with a limit of lines for each cause;
//! - `caller_presence`: whether the caller still waits; a call goes on to its end without it;
//! - `profiles`: the contract profiles of the host; `read`: from bytes to a call, and its profile;
//! - `member_orders`: the order of members that requests to a connector address have shown;
//! - `route`: which connection and connector it belongs to; `early_outcome`: why it ends before the connector is called, or
//!   without its result;
//! - `other_settings`: settings that the form of a connector does not have;
//! - `connectors`: the registry of connectors; `connector`: one of them with its `concurrency_limit`, its call deadline and its
//!   `circuit_breaker`, both divided into a `share` for each connection; `latency_estimate`: which calls are quick enough for an I/O thread; `watchdog`: when one is not;
//! - `connection_state`: the state of connections, for connectors;
//! - `threads`: the bound of threads for all connectors;
//! - `failed_tests`: settings whose test has failed again and again;
//! - `perform`: carries out the operation, on a thread that may block, if what the caller sends fits (`erp_host_input_check`); `convert`: types of the contract and of the plugin API;
//! - `background`: what no caller waits for: `refresh` of open connections and `deletion_notices`, while a deleted connection is
//!   not one of the `connections_in_use`;
//! - `reply`: writes the reply into a `spool`, whose memory is a buffer pool.

mod background;
mod caller;
mod caller_presence;
mod circuit_breaker;
mod concurrency_limit;
mod config;
mod connection_state;
mod connections_in_use;
mod connector;
mod connectors;
mod convert;
mod deletion_notices;
mod early_outcome;
mod failed_tests;
mod latency_estimate;
mod member_orders;
mod other_settings;
mod perform;
mod profiles;
mod read;
mod refresh;
pub mod rejection;
mod reply;
mod route;
mod save_reply;
mod share;
mod spool;
mod threads;
mod watchdog;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use contract::{Call, EncodingError, MemberOrder, Profile, RequestTexts, SoapVersion, State};
use plugin_api::ErrorKind;
use plugin_api::abi::client::{ConnectorClient, INVALID_ANSWER};
use tokio::time::Instant;
use tracing::{Level, field};

use self::background::BackgroundWork;
pub use self::caller::{Caller, network_of};
use self::caller_presence::{Attended, CallerPresence};
pub use self::config::{ConnectorLimits, ContractConfig, RouterConfig};
use self::connection_state::StoredState;
use self::connector::LiveConnection;
use self::connectors::Connectors;
use self::early_outcome::{EarlyOutcome, NotOpened};
pub use self::member_orders::NoticedOrder;
use self::member_orders::{ConnectionOrders, OrderChanges};
pub use self::profiles::{ConfiguredProfile, OrderedProfiles, ServedProfiles};
use self::read::{InvalidMessage, OwnedCall};
use self::reply::{NotSaved, NotSavedReason, WrittenReply};
use self::route::CallContext;
use self::spool::SpoolFolder;
pub use self::spool::SpooledReply;
use crate::rejection::Cause;
use erp_host_auth::Online;
use erp_host_files::hot_reload::{Reload, Reloadable};
use erp_host_runtime::LogContext;
use erp_host_store::audit::{Event, Origin, shortened};
use erp_host_store::{ConnectionRepository, Connections, IfMissing, StoreError};

/// The spool folder, below the data folder.
const SPOOL: &str = "spool";

/// Routes calls to connectors; has all connectors and all open connections.
pub struct Router {
    connectors: Arc<Connectors>,
    connections: Connections<LiveConnection, NotOpened>,
    background: BackgroundWork,
    spool: Arc<SpoolFolder>,
    online: Arc<Online>,
    /// The call deadline while the connector of a call is not known.
    deadline: Duration,
    /// Limits of a message's XML.
    limits: contract::xml::Limits,
    profiles: Arc<Reloadable<ServedProfiles>>,
    /// The order of reply members where neither the request nor earlier ones show it.
    reply_order: MemberOrder,
    order_changes: OrderChanges,
    connection_orders: ConnectionOrders,
}

/// A SOAP request as it was received over HTTP.
#[derive(Debug)]
pub struct SoapRequest {
    /// The message.
    pub body: Bytes,
    /// The charset that the content type names.
    pub charset: Option<String>,
    /// The SOAPAction, with or without quotes.
    pub action: Option<String>,
    /// The connector that the address names.
    pub connector: Option<String>,
    /// The profile that the address names; it counts only where the message does not show one.
    pub profile: Option<Arc<Profile>>,
    /// Who calls.
    pub caller: Caller,
}

/// A SOAP response: a reply or a fault.
#[derive(Debug)]
pub struct SoapResponse {
    /// Its version of SOAP.
    pub soap: SoapVersion,
    /// Whether it is a fault.
    pub is_fault: bool,
    /// The message.
    pub body: SpooledReply,
}

/// Why a request gets no SOAP response; the server answers with an HTTP status.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RejectedCall {
    /// A limit of calls is reached: so many run and wait already.
    #[error("{0}, try again in a few seconds")]
    Busy(String),
    /// The message is in an encoding that is not supported.
    #[error(transparent)]
    Charset(EncodingError),
}

impl Router {
    /// A router for these connectors, over the store in the data folder; `key_file` encrypts its secrets, `online`
    /// authenticates callers.
    ///
    /// # Errors
    /// A contract file or the store cannot be used, or the folder for replies cannot be made. The text says what to do.
    pub async fn new(
        config: &RouterConfig,
        data: &Path,
        key_file: Option<&Path>,
        online: Arc<Online>,
        connectors: impl IntoIterator<Item = ConnectorClient>,
    ) -> Result<Self, RouterError> {
        let profiles =
            ServedProfiles::reloadable(&config.contract.profiles).map_err(RouterError::Contract)?;
        let folder = data.join(SPOOL);
        let spool =
            SpoolFolder::new(&folder, config).map_err(|cause| RouterError::Spool { folder, cause })?;
        let repository = ConnectionRepository::open(data, key_file, IfMissing::Create).await?;
        let repository = repository.with_limits(config.store.clone());
        let state = Arc::new(StoredState::new(repository.clone()));
        let connections = Connections::new(repository).await?;
        let connectors = Arc::new(Connectors::new(config, state, connectors));
        Ok(Router {
            background: BackgroundWork::start(&connections, &connectors),
            connectors,
            connections,
            spool,
            online,
            deadline: config.call_deadline,
            limits: config.xml,
            profiles: Arc::new(profiles),
            reply_order: config.contract.reply_order,
            order_changes: OrderChanges::default(),
            connection_orders: ConnectionOrders::default(),
        })
    }

    /// The contract profiles at the moment.
    pub fn profiles(&self) -> Arc<ServedProfiles> {
        self.profiles.get()
    }

    /// The contract files, which are reloaded when they change.
    pub fn files(&self) -> Vec<Arc<dyn Reload>> {
        let has_files = !self.profiles().configured().is_empty();
        has_files.then(|| Arc::clone(&self.profiles) as Arc<dyn Reload>).into_iter().collect()
    }

    /// The folder for what does not stay in memory.
    pub fn spool_folder(&self) -> &Path {
        self.spool.path()
    }

    /// Packs a reply to this caller with gzip; returns whether it is packed. Blocks.
    ///
    /// # Errors
    /// The reply cannot be read.
    pub fn pack(&self, reply: SpooledReply, caller: &Caller) -> io::Result<(SpooledReply, bool)> {
        self.spool.of_peer(caller.network()).pack(reply)
    }

    /// Answers a request. When this is dropped, because the caller has left, the call goes on to its end.
    ///
    /// # Errors
    /// The request gets no SOAP response.
    pub async fn answer(self: &Arc<Self>, request: SoapRequest) -> Result<SoapResponse, RejectedCall> {
        let presence = Arc::new(CallerPresence::default());
        let (router, of_caller) = (Arc::clone(self), Arc::clone(&presence));
        Attended::new(async move { router.answer_to_the_end(request, &of_caller).await }, presence).await
    }

    async fn answer_to_the_end(
        &self,
        request: SoapRequest,
        presence: &CallerPresence,
    ) -> Result<SoapResponse, RejectedCall> {
        let received = Instant::now();
        let (connector, caller) = (request.connector.clone(), request.caller.clone());
        // An address that names a built-in profile fixes its order of members.
        let named_order = request.profile.as_ref().and_then(|profile| profile.order());
        let order = named_order.unwrap_or_else(|| self.member_order(connector.as_deref()));
        let (profiles, action) = (self.profiles(), self.action_to_read_again(&request));
        let owned_call = match read::read(request, Arc::clone(&profiles), order, self.limits).await {
            Ok(call) => call,
            Err(InvalidMessage::Charset(error)) => return Err(RejectedCall::Charset(error)),
            Err(InvalidMessage::Fault { soap, fault, reason }) => {
                rejection::log(Cause::BadMessage, &caller, reason);
                return Ok(SoapResponse { soap, is_fault: true, body: reply::fault(soap, &fault) });
            }
        };
        let (owned_call, order) = match action {
            Some(action) => self.in_own_order(owned_call, order, &profiles, action.as_deref()),
            None => (owned_call, order),
        };
        let owned_call = Arc::new(owned_call);
        let (operation, envelope) = (owned_call.call().operation(), &owned_call.call().envelope);
        let log_context = LogContext { operation: operation.name(), connector: None, connection: None };
        let mut context = CallContext {
            owned_call: &owned_call,
            caller: &caller,
            presence,
            addressed_connector: connector.as_deref(),
            is_connection_stored: false,
            received,
            log_context,
        };
        let result = self.route(&mut context).await;
        // Where a request fits both orders, it has the profile of the order that it was read with. A stranger changes nothing.
        let shown_order = envelope.profile().order().filter(|&shown| shown != order);
        if let Some(shown) = shown_order.filter(|_| context.is_connection_stored) {
            self.notice_order(shown, envelope.profile(), &context);
        }
        let log_context = context.log_context;
        let reply = match result {
            Ok(reply) => reply,
            Err(EarlyOutcome::Reply(outcome, kind)) => {
                WrittenReply { kind, ..reply::outcome(envelope, operation, &outcome) }
            }
            Err(EarlyOutcome::HeldBack(outcome)) => {
                let LogContext { operation, connector, connection } = &log_context;
                let (connector, connection) = (connector.as_deref(), connection.map(field::display));
                tracing::debug!(operation, connector, connection, %caller, "held back after a failure");
                let body = reply::outcome(envelope, owned_call.call().operation(), &outcome).body;
                return Ok(SoapResponse { soap: envelope.soap, is_fault: false, body });
            }
            Err(EarlyOutcome::Busy(why)) => {
                rejection::log(Cause::Overload, &caller, format_args!("{operation}: {why}"));
                return Err(RejectedCall::Busy(why));
            }
        };
        if log_context.connector.is_none() && reply.error.is_some() {
            log_unknown_target(&log_context, connector.as_deref(), owned_call.call(), &reply, &caller);
        } else {
            log_call(
                &caller,
                presence,
                &log_context,
                connector.as_deref(),
                owned_call.call(),
                &reply,
                received,
            );
        }
        if let (Some(place), Some(name)) = (&reply.replaced, &log_context.connector)
            && let Some(connector) = self.connectors.get(name)
        {
            connector.log_replaced_character(log_context.operation, place);
        }
        Ok(SoapResponse { soap: envelope.soap, is_fault: false, body: reply.body })
    }

    /// The SOAPAction of a request that may have to be read again, because a connection has an order of its own.
    fn action_to_read_again(&self, request: &SoapRequest) -> Option<Option<String>> {
        let is_fixed = request.profile.is_some() || self.connection_orders.is_empty();
        (!is_fixed).then(|| request.action.clone())
    }

    /// The call as its connection orders members, if that is known and the request fits it; and the order that it was read with.
    fn in_own_order(
        &self,
        call: OwnedCall,
        order: MemberOrder,
        profiles: &ServedProfiles,
        action: Option<&str>,
    ) -> (OwnedCall, MemberOrder) {
        let guid = early_outcome::parse_guid(call.call()).ok();
        let own = guid.and_then(|guid| self.connection_orders.get(guid)).filter(|&own| own != order);
        let again = own.and_then(|own| Some((call.in_order(profiles, own, action, self.limits).ok()?, own)));
        again.unwrap_or((call, order))
    }

    /// Whether a connector of this name is loaded.
    pub fn has_connector(&self, name: &str) -> bool {
        self.connectors.get(name).is_some()
    }

    /// Whether any connector is loaded.
    pub fn has_connectors(&self) -> bool {
        !self.connectors.is_empty()
    }

    /// Whether the disk of the store is full: changes are refused, and other calls are served.
    pub fn is_disk_full(&self) -> bool {
        self.connections.is_disk_full()
    }

    /// Whether a connection could not be opened, when it was last tried, because its ERP system is away.
    pub fn is_erp_system_unavailable(&self) -> bool {
        self.connections.is_any_unavailable()
    }

    /// Whether the store of connections cannot be read.
    pub fn is_store_unreachable(&self) -> bool {
        self.connections.is_store_unreachable()
    }

    /// Adds a connector, or replaces the one of the same name. Running calls end in the connector where they began; the next
    /// call of a connection opens it on the new one.
    pub fn put(&self, connector: ConnectorClient) {
        let name = connector.name().to_owned();
        self.connectors.put(connector);
        // After the swap, so that connections which are opened from now on are opened on the new one.
        self.connections.invalidate_connector(&name);
    }

    /// Removes a connector. Running calls end in it; later calls get an error, because it is not installed. Its stored
    /// connections are kept, and work again when it is back.
    pub fn remove(&self, connector: &str) {
        self.connectors.remove(connector);
        self.connections.invalidate_connector(connector);
    }

    /// Writes events of this host to the audit log; `host` is what it was doing. If that fails, the events are in the log as an
    /// error.
    pub async fn record(&self, events: Vec<Event>, host: &'static str) {
        let logged = format!("{events:?}");
        if let Err(error) = self.connections.record(events, &Origin::Host { host }).await {
            tracing::error!("the audit log does not have {logged}: {error}");
        }
    }

    /// Begins nothing in the background any more, when the host stops, and cancels what runs.
    pub fn stop_background_work(&self) {
        self.background.stop();
    }

    /// Waits until no call runs in any connector.
    pub async fn idle(&self) {
        for connector in self.connectors.all() {
            connector.idle().await;
        }
    }

    /// Whether connectors have used up all threads: every call that needs one is refused.
    pub fn are_threads_exhausted(&self) -> bool {
        self.connectors.threads().are_exhausted()
    }

    /// Whether some connector has used up its threads.
    pub fn are_threads_of_a_connector_exhausted(&self) -> bool {
        self.connectors.threads().are_exhausted_for_a_connector()
    }

    /// Closes every connection and the store, when the host stops.
    pub async fn shut_down(&self) {
        self.stop_background_work();
        self.connections.shut_down().await;
        self.connectors.threads().wait_until_closed().await;
    }
}

/// Why the router cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum RouterError {
    /// A contract file cannot be used.
    #[error("{0}")]
    Contract(String),
    /// The store of connections cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The spool folder cannot be created.
    #[error("the folder {} cannot be made: {cause}", folder.display())]
    Spool {
        /// The folder.
        folder: PathBuf,
        /// Why.
        cause: io::Error,
    },
}

/// Logs a call whose connection or connector is unknown. Everybody can make such calls, so their number of lines is limited.
/// `addressed`: the connector that the address names.
fn log_unknown_target(
    context: &LogContext,
    addressed: Option<&str>,
    call: &Call<'_>,
    reply: &WrittenReply,
    caller: &Caller,
) {
    let explanation = reply.error.as_ref().and_then(|error| error.user_explanation.as_deref());
    let why = RequestTexts::of(call).redact(explanation.unwrap_or_default());
    let operation = context.operation;
    match context.connection {
        Some(connection) => {
            let code = reply.error.as_ref().and_then(|error| error.error_code.as_deref()).unwrap_or(&why);
            rejection::log(
                Cause::UnknownTarget,
                caller,
                format_args!(
                    "{operation} for {connection}: {code}{}",
                    fmt::from_fn(|f| addressed
                        .map_or(Ok(()), |name| write!(f, "; the address names the connector '{name}'")))
                ),
            );
        }
        None => rejection::log(Cause::UnknownTarget, caller, format_args!("{operation}: {why}")),
    }
}

/// Logs any other call, in one line.
fn log_call(
    caller: &Caller,
    presence: &CallerPresence,
    context: &LogContext,
    addressed: Option<&str>,
    call: &Call<'_>,
    reply: &WrittenReply,
    received: Instant,
) {
    let is_other =
        |name: &&str| !context.connector.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(name));
    let connection = context.connection.map(field::display);
    macro_rules! log {
        ($level:ident $(, $name:ident = $value:expr)*) => {
            tracing::$level!(
                operation = context.operation,
                connector = context.connector.as_deref(),
                connection,
                addressed_connector = addressed.filter(is_other),
                %caller,
                dialect = call.envelope.profile().name(),
                state = reply.state.map(State::as_str),
                rows = reply.rows,
                bytes = reply.body.len(),
                ms = milliseconds(received),
                caller_left = presence.has_left().then_some(true),
                refused = reply.refused.as_deref(),
                $($name = $value,)*
                "call"
            )
        };
    }
    log_not_saved(context, call, &reply.not_saved);
    match &reply.error {
        None => log!(info),
        Some(error) => {
            let kind = reply.kind.map(ErrorKind::as_str);
            log!(warn, kind = kind, code = error.error_code.as_deref());
            if error.error_code.as_deref() == Some(INVALID_ANSWER) {
                // The explanation has the position of the error, and no value.
                tracing::warn!(
                    operation = context.operation,
                    connector = context.connector.as_deref(),
                    connection,
                    why = error.tech_explanation.as_deref(),
                    "an answer of the connector is refused"
                );
            }
            // Explanations may have values of fields, which are not logged above debug; those of the request not even there.
            if tracing::enabled!(Level::DEBUG) {
                let texts = RequestTexts::of(call);
                let redacted = |text: &contract::Text<'_>| text.as_deref().map(|text| texts.redact(text));
                tracing::debug!(
                    operation = context.operation,
                    connection,
                    user = redacted(&error.user_explanation),
                    tech = redacted(&error.tech_explanation),
                    "why"
                );
            }
        }
    }
}

/// Actors of one save that are logged at most.
const MAX_NOT_SAVED: usize = 20;

/// A line for each actor that was not saved, up to a number. The reason of a connector may have values of the request, which are
/// taken out.
fn log_not_saved(context: &LogContext, call: &Call<'_>, not_saved: &[NotSaved]) {
    if not_saved.is_empty() {
        return;
    }
    let texts = RequestTexts::of(call);
    let connection = context.connection.map(field::display);
    let (operation, connector) = (context.operation, context.connector.as_deref());
    for NotSaved { name, reason } in not_saved.iter().take(MAX_NOT_SAVED) {
        let (kind, reason) = match reason {
            NotSavedReason::Host(reason) => (None, reason.as_str().into()),
            NotSavedReason::Connector(kind, reason) => (Some(kind.as_str()), texts.redact(reason)),
        };
        let is_unknown = kind == Some(ErrorKind::UnknownOutcome.as_str());
        let what = if is_unknown { "an actor may or may not be saved" } else { "an actor is not saved" };
        let (actor_type, key) = (shortened(&name.actor_type), shortened(&name.key));
        tracing::warn!(operation, connector, connection, actor_type, key, kind, %reason, "{what}");
    }
    if let Some(more) = not_saved.len().checked_sub(MAX_NOT_SAVED).filter(|more| *more > 0) {
        tracing::warn!(operation, connector, connection, more, "more actors are not saved");
    }
}

/// Milliseconds with three decimals.
fn milliseconds(received: Instant) -> f64 {
    (received.elapsed().as_secs_f64() * 1e6).round() / 1e3
}
