//! The host's side: loads a plugin (handshake, layout check), and calls its connector. Everything blocks.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use abi_stable::abi_stability::abi_checking::check_layout_compatibility;
use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::std_types::{RBox, ROption, RStr};
use abi_stable::type_layout::TypeLayout;
use tracing_core::Level;

use super::objects::{HostObject, HostObject_TO, PluginRef, Wire};
use super::reply_validation::{self, InvalidReply, ReplyValidator};
use super::transport::{ConnectionTransport, ConnectorTransport, ReplyReceiver};
use super::{
    ActorCall, ConnectionRequest, ConnectorRequest, Description, Handshake, Kind, Malformed, Measurement,
    Message, MessageRef, Opened, Record, Refused, RowRef, SaveResult, logging, replies, requests, transport,
};
use crate::{Actor, ActorType, ErrorKind, Field, Host, ListItem, Outcome, Settings, State};

/// The error code of a call whose connector sent an invalid reply. The technical text of such an outcome names the mistake,
/// without any value.
pub const INVALID_ANSWER: &str = "InvalidConnectorAnswer";

/// Receives the log records and the measurements of a plugin.
pub trait Log: Send + Sync + 'static {
    /// Whether records of this level and target are logged.
    fn enabled(&self, level: Level, target: &str) -> bool;

    /// Logs a record, on the thread that it comes from.
    fn log(&self, record: &Record<'_>);

    /// Whether measurements are recorded.
    fn is_recording(&self) -> bool {
        false
    }

    /// Records a measurement, on the thread that it comes from.
    fn record(&self, measurement: &Measurement<'_>) {
        let _ = measurement;
    }
}

/// A loaded connector.
#[derive(Clone)]
pub struct ConnectorClient {
    name: Arc<str>,
    transport: Arc<dyn ConnectorTransport>,
}

/// An open connection of a connector. Dropping it closes it, if [`close`](Self::close) was not called.
pub struct ConnectionClient {
    connector: Arc<str>,
    opened: Opened,
    transport: Box<dyn ConnectionTransport>,
}

/// Why a plugin with a valid handshake is not loaded. Its `Display` is one line, with what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadError {
    /// It is not compatible with this host.
    Refused(Refused),
    /// The layout check failed: its types at the boundary are not those of this host.
    Layout(String),
    /// The path of its data folder is not UTF-8, and cannot be passed to it.
    DataFolder(PathBuf),
    /// `Connector::new` failed.
    Connector(Outcome),
}

/// The argument of `Connector::new`. The options are those of the operator's configuration; one may have several values.
pub fn host(
    version: impl Into<String>,
    data_folder: impl Into<PathBuf>,
    options: Vec<(String, String)>,
) -> Host {
    Host { version: version.into(), data_folder: data_folder.into(), options }
}

/// Makes the connector of a plugin file.
///
/// # Errors
/// The plugin is not compatible, or its connector cannot be made.
pub fn load(
    handshake: &'static Handshake,
    host: &Host,
    log: impl Log,
) -> Result<(ConnectorClient, Description), LoadError> {
    let about = handshake.about()?;
    about.check()?;
    let plugin = root(handshake)?;
    let mut request = Message::new();
    requests::put_host(&mut request, host).map_err(|_| LoadError::DataFolder(host.data_folder.clone()))?;
    let mut description = None;
    let log = HostObject_TO::from_ptr(RBox::new(HostAdapter(log)), TD_Opaque);
    let load = plugin.load();
    let (made, outcome) = call(
        &about.connector,
        |replies| transport::with_sink(replies, |sink| load(log, request.as_ref().into(), sink)),
        |kind, reply| {
            if kind != Kind::DESCRIPTION {
                return Err(Malformed.into());
            }
            description = Some(Description::decode(reply)?);
            Ok(ControlFlow::Continue(()))
        },
    );
    match (made, description) {
        (ROption::RSome(object), Some(description)) if outcome.state.is_ok() => {
            Ok((ConnectorClient::new(about.connector.as_str().into(), Arc::new(object)), description))
        }
        _ => Err(LoadError::Connector(failed(outcome, &about.connector))),
    }
}

/// The root module of a plugin, after the layout check.
fn root(handshake: &'static Handshake) -> Result<PluginRef, LoadError> {
    let header =
        handshake.root()?.upgrade().map_err(|error| LoadError::Layout(one_line(&error.to_string())))?;
    let theirs =
        header.layout().ok_or_else(|| LoadError::Layout("it has no description of its types".to_owned()))?;
    check_layout(<PluginRef as abi_stable::StableAbi>::LAYOUT, theirs).map_err(LoadError::Layout)?;
    // SAFETY: the layout was checked. Either the plugin has all that the host has, or more. Or it has less, which can only
    // be the beginning of a prefix type or of a trait object's methods: abi_stable checks there whether a field or a method
    // exists before it is used (and calls the default body if not).
    unsafe { header.unchecked_layout::<PluginRef>() }
        .map_err(|error| LoadError::Layout(one_line(&error.to_string())))
}

/// The layout check: compares the types of both sides. The check of abi_stable accepts an implementation that has more than
/// its user, and refuses one that has less, which is every plugin that is older than the host. So it is enough when one of
/// the two directions is accepted.
pub(super) fn check_layout(ours: &'static TypeLayout, theirs: &'static TypeLayout) -> Result<(), String> {
    check_layout_compatibility(ours, theirs)
        .or_else(|error| check_layout_compatibility(theirs, ours).map_err(|_| error))
        .map_err(|error| one_line(&error.to_string()))
}

impl ConnectorClient {
    /// A client of the connector of this name, over this transport.
    pub fn new(name: Arc<str>, transport: Arc<dyn ConnectorTransport>) -> Self {
        ConnectorClient { name, transport }
    }

    /// Whether the connector runs in this process, and not in a worker process.
    pub fn is_in_process(&self) -> bool {
        self.transport.is_in_process()
    }

    /// Its transport, for a caller that forwards calls without reading them.
    pub fn transport(&self) -> &Arc<dyn ConnectorTransport> {
        &self.transport
    }

    /// The connector's name, from its handshake.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The settings that a connection needs.
    ///
    /// # Errors
    /// The outcome, with state Error.
    pub fn settings_form(&self) -> Result<Vec<Field>, Outcome> {
        let mut fields = Vec::new();
        let outcome =
            self.call(&ConnectorRequest::SettingsForm, |kind, reply| collect_field(&mut fields, kind, reply));
        payload(outcome, fields)
    }

    /// A list that a setting takes its values from; `None` when there is no such list.
    ///
    /// # Errors
    /// The outcome, with state Error.
    pub fn setup_list(&self, name: &str) -> Result<Option<Vec<ListItem>>, Outcome> {
        let mut items = Some(Vec::new());
        let outcome = self
            .call(&ConnectorRequest::SetupList { name }, |kind, reply| collect_item(&mut items, kind, reply));
        payload(outcome, items)
    }

    /// Tests settings.
    pub fn test_settings(&self, settings: &Settings) -> Outcome {
        self.call(&ConnectorRequest::TestSettings(Cow::Borrowed(settings)), no_reply)
    }

    /// The connection of this GUID was deleted: the connector removes what it keeps for it.
    pub fn connection_deleted(&self, guid: &str) -> Outcome {
        self.call(&ConnectorRequest::ConnectionDeleted { guid }, no_reply)
    }

    /// The names of the connections that have a folder.
    ///
    /// # Errors
    /// The outcome, with state Error.
    pub fn connection_folders(&self) -> Result<Vec<String>, Outcome> {
        let mut names = Vec::new();
        let outcome = self
            .call(&ConnectorRequest::ConnectionFolders, |kind, reply| collect_text(&mut names, kind, reply));
        payload(outcome, names)
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// The outcome, with state Error.
    pub fn connect(&self, settings: &Settings) -> Result<ConnectionClient, Outcome> {
        let mut request = Message::new();
        requests::put_settings(&mut request, settings);
        let mut opened = Opened::default();
        let (made, outcome) = call(
            &self.name,
            |replies| self.transport.connect(request.as_ref(), replies),
            |kind, reply| {
                if kind != Kind::OPENED {
                    return Err(Malformed.into());
                }
                opened = Opened::decode(reply)?;
                Ok(ControlFlow::Continue(()))
            },
        );
        // It contains passwords.
        request.wipe();
        match made {
            Some(transport) if outcome.state.is_ok() => {
                Ok(ConnectionClient { connector: Arc::clone(&self.name), opened, transport })
            }
            _ => Err(failed(outcome, &self.name)),
        }
    }

    fn call(
        &self,
        request: &ConnectorRequest<'_>,
        receive: impl FnMut(Kind, MessageRef<'_>) -> Received,
    ) -> Outcome {
        let mut message = request.encode();
        let make = |replies: &mut dyn ReplyReceiver| {
            self.transport.call(request.operation(), message.as_ref(), replies)
        };
        let outcome = call(&self.name, make, receive).1;
        // It may contain passwords.
        message.wipe();
        outcome
    }
}

impl ConnectionClient {
    #[cfg(test)]
    pub(super) fn new(connector: Arc<str>, transport: Box<dyn ConnectionTransport>) -> Self {
        ConnectionClient { connector, opened: Opened::default(), transport }
    }

    /// What is fixed for it while it is open.
    pub fn opened(&self) -> Opened {
        self.opened
    }

    /// The name of the connector that it is a connection of.
    pub fn connector(&self) -> &str {
        &self.connector
    }

    /// Tests whether the connection works.
    pub fn test(&self) -> Outcome {
        self.call(&ConnectionRequest::Test, no_reply)
    }

    /// The actor types.
    ///
    /// # Errors
    /// The outcome, with state Error.
    pub fn actor_types(&self) -> Result<Vec<ActorType>, Outcome> {
        let mut actor_types = Vec::new();
        let outcome = self.call(&ConnectionRequest::ActorTypes, |kind, reply| {
            if kind != Kind::ACTOR_TYPE {
                return Err(Malformed.into());
            }
            actor_types.push(replies::actor_type(reply)?);
            Ok(ControlFlow::Continue(()))
        });
        payload(outcome, actor_types)
    }

    /// The fields of an actor type.
    ///
    /// # Errors
    /// The outcome, with state Error.
    pub fn fields(&self, actor_type: &str) -> Result<Vec<Field>, Outcome> {
        let mut fields = Vec::new();
        let request = ConnectionRequest::Fields { actor_type };
        let outcome = self.call(&request, |kind, reply| collect_field(&mut fields, kind, reply));
        payload(outcome, fields)
    }

    /// The keys of the fields of an actor type that can be searched.
    ///
    /// # Errors
    /// The outcome, with state Error.
    pub fn searchable_fields(&self, actor_type: &str) -> Result<Vec<String>, Outcome> {
        self.texts(&ConnectionRequest::SearchableFields { actor_type })
    }

    /// Makes a call that answers with actors. `receive_row` gets each row while the connector still runs. It stops the call
    /// with `Break`; the outcome has no meaning then. Rows are only valid if the outcome's state is not Error.
    pub fn actors(
        &self,
        call: ActorCall<'_>,
        receive_row: &mut dyn FnMut(&RowRef<'_>) -> ControlFlow<()>,
    ) -> Outcome {
        self.call(&ConnectionRequest::Actors(call), |kind, reply| {
            if kind != Kind::ROWS {
                return Err(Malformed.into());
            }
            let mut reader = reply.reader();
            while !reader.is_empty() {
                if receive_row(&RowRef::read(&mut reader)?).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    /// Saves actors. `receive` gets the result of each, with its position, while the connector still runs: collect them in
    /// [`SaveResults`](super::SaveResults), which makes the outcome of the whole of them and of the one that is returned here. It
    /// stops the call with `Break`.
    pub fn save(
        &self,
        actors: &[Actor],
        receive: &mut dyn FnMut(usize, SaveResult<'_>) -> ControlFlow<()>,
    ) -> Outcome {
        let outcome = self.call(&ConnectionRequest::Save { actors: actors.into() }, |kind, reply| {
            let (position, result) = match kind {
                Kind::SAVED => {
                    let (position, row) = replies::saved(reply)?;
                    (position, SaveResult::Saved(row))
                }
                Kind::NOT_SAVED => {
                    let (position, why) = replies::not_saved(reply)?;
                    (position, SaveResult::NotSaved(why))
                }
                _ => return Err(Malformed.into()),
            };
            if position >= actors.len() {
                return Err(Malformed.into());
            }
            Ok(receive(position, result))
        });
        match outcome.code.as_deref() {
            // It may have saved what it has no valid answer about.
            Some(INVALID_ANSWER) => Outcome { kind: ErrorKind::UnknownOutcome, ..outcome },
            _ => outcome,
        }
    }

    /// A list by its name; `None` when there is no such list.
    ///
    /// # Errors
    /// The outcome, with state Error.
    pub fn list(&self, name: &str) -> Result<Option<Vec<ListItem>>, Outcome> {
        self.items(&ConnectionRequest::List { name })
    }

    /// The items of a list with these keys; `None` when there is no such list.
    ///
    /// # Errors
    /// The outcome, with state Error.
    pub fn list_items(&self, name: &str, keys: &[&str]) -> Result<Option<Vec<ListItem>>, Outcome> {
        self.items(&ConnectionRequest::ListItems { name, keys: keys.into() })
    }

    /// Does the connection's work in the background.
    pub fn refresh(&self) -> Outcome {
        self.call(&ConnectionRequest::Refresh, no_reply)
    }

    /// Closes the connection, which is not called again.
    pub fn close(&self) -> Outcome {
        call(&self.connector, |replies| self.transport.close(replies), no_reply).1
    }

    fn texts(&self, request: &ConnectionRequest<'_>) -> Result<Vec<String>, Outcome> {
        let mut texts = Vec::new();
        let outcome = self.call(request, |kind, reply| collect_text(&mut texts, kind, reply));
        payload(outcome, texts)
    }

    fn items(&self, request: &ConnectionRequest<'_>) -> Result<Option<Vec<ListItem>>, Outcome> {
        let mut items = Some(Vec::new());
        let outcome = self.call(request, |kind, reply| collect_item(&mut items, kind, reply));
        payload(outcome, items)
    }

    fn call(
        &self,
        request: &ConnectionRequest<'_>,
        receive: impl FnMut(Kind, MessageRef<'_>) -> Received,
    ) -> Outcome {
        let message = request.encode();
        let make = |replies: &mut dyn ReplyReceiver| {
            self.transport.call(request.operation(), message.as_ref(), replies)
        };
        call(&self.connector, make, receive).1
    }
}

/// The result of receiving a reply: whether more are wanted, or that it is invalid.
pub(super) type Received = Result<ControlFlow<()>, InvalidReply>;

fn no_reply(_: Kind, _: MessageRef<'_>) -> Received {
    Err(Malformed.into())
}

fn collect_text(texts: &mut Vec<String>, kind: Kind, reply: MessageRef<'_>) -> Received {
    if kind != Kind::TEXT {
        return Err(Malformed.into());
    }
    texts.push(reply.reader().text()?.to_owned());
    Ok(ControlFlow::Continue(()))
}

fn collect_field(fields: &mut Vec<Field>, kind: Kind, reply: MessageRef<'_>) -> Received {
    if kind != Kind::FIELD {
        return Err(Malformed.into());
    }
    fields.push(replies::field(reply).map_err(|_| reply_validation::unknown_in_field(reply))?);
    Ok(ControlFlow::Continue(()))
}

fn collect_item(items: &mut Option<Vec<ListItem>>, kind: Kind, reply: MessageRef<'_>) -> Received {
    match (kind, items.as_mut()) {
        (Kind::LIST_ITEM, Some(items)) => items.push(replies::list_item(reply)?),
        (Kind::NO_SUCH_LIST, _) => *items = None,
        _ => return Err(Malformed.into()),
    }
    Ok(ControlFlow::Continue(()))
}

fn payload<T>(outcome: Outcome, payload: T) -> Result<T, Outcome> {
    if outcome.state.is_ok() { Ok(payload) } else { Err(outcome) }
}

/// The outcome of a call that did not return an object.
fn failed(outcome: Outcome, connector: &str) -> Outcome {
    if outcome.state.is_ok() {
        invalid_answer(connector, "it said that it worked, but it made nothing")
    } else {
        outcome
    }
}

/// The outcome of a call with invalid replies.
fn invalid_answer(connector: &str, what: &str) -> Outcome {
    Outcome {
        state: State::Error,
        user: Some(format!("the connector {connector} answered in a way that the host does not understand")),
        tech: Some(what.to_owned()),
        code: Some(INVALID_ANSWER.to_owned()),
        kind: ErrorKind::Failed,
    }
}

/// Makes a call, and receives its replies.
pub(super) fn call<T>(
    connector: &str,
    make: impl FnOnce(&mut dyn ReplyReceiver) -> T,
    receive: impl FnMut(Kind, MessageRef<'_>) -> Received,
) -> (T, Outcome) {
    let mut replies =
        CallReplies { receive, outcome: None, state: ReplyState::Open, validator: ReplyValidator::default() };
    let made = make(&mut replies);
    let outcome = match (replies.state, replies.outcome) {
        (ReplyState::Panicked(panic), _) => resume_unwind(panic),
        (ReplyState::Invalid(error), _) => invalid_answer(connector, &error.to_string()),
        (_, None) => invalid_answer(connector, "it ended without an outcome"),
        (_, Some(outcome)) => outcome,
    };
    (made, outcome)
}

/// Receives the replies to one call.
struct CallReplies<F> {
    receive: F,
    outcome: Option<Outcome>,
    state: ReplyState,
    validator: ReplyValidator,
}

/// Whether more replies are wanted, or why not.
enum ReplyState {
    Open,
    /// The host has stopped the call.
    Stopped,
    Invalid(InvalidReply),
    /// The host's code panicked. The panic continues after the plugin has returned, because it must not unwind through it.
    Panicked(Box<dyn Any + Send>),
}

impl<F: FnMut(Kind, MessageRef<'_>) -> Received> CallReplies<F> {
    fn check(&mut self, kind: Kind, reply: MessageRef<'_>) -> Received {
        if self.outcome.is_some() {
            return Err(Malformed.into()); // The outcome is the last reply.
        }
        self.validator.check(kind, reply)?;
        if kind == Kind::OUTCOME {
            self.outcome =
                Some(replies::outcome(reply).map_err(|_| reply_validation::unknown_in_outcome(reply))?);
            return Ok(ControlFlow::Continue(()));
        }
        match self.state {
            ReplyState::Open => (self.receive)(kind, reply),
            _ => Ok(ControlFlow::Break(())),
        }
    }
}

impl<F: FnMut(Kind, MessageRef<'_>) -> Received> ReplyReceiver for CallReplies<F> {
    fn receive(&mut self, kind: Kind, reply: MessageRef<'_>) -> bool {
        let state = match catch_unwind(AssertUnwindSafe(|| self.check(kind, reply))) {
            Ok(Ok(ControlFlow::Continue(()))) => return matches!(self.state, ReplyState::Open),
            Ok(Ok(ControlFlow::Break(()))) => ReplyState::Stopped,
            Ok(Err(error)) => ReplyState::Invalid(error),
            Err(panic) => ReplyState::Panicked(panic),
        };
        // Only the first reason counts.
        if matches!(self.state, ReplyState::Open) {
            self.state = state;
        }
        false
    }
}

/// A [`Log`] as the host object that a plugin calls.
struct HostAdapter<L>(L);

impl<L: Log> HostObject for HostAdapter<L> {
    fn enabled(&self, level: u32, target: RStr<'_>) -> bool {
        let Some(level) = logging::level(level) else { return false };
        // A panic of the host must not unwind through the plugin. The record is lost then.
        catch_unwind(AssertUnwindSafe(|| self.0.enabled(level, target.as_str()))).unwrap_or(false)
    }

    fn log(&self, record: Wire<'_>) {
        if let Ok(record) = Record::decode(record.message()) {
            let _ = catch_unwind(AssertUnwindSafe(|| self.0.log(&record)));
        }
    }

    fn is_recording(&self) -> bool {
        catch_unwind(AssertUnwindSafe(|| self.0.is_recording())).unwrap_or(false)
    }

    fn record(&self, measurement: Wire<'_>) {
        if let Ok(measurement) = Measurement::decode(measurement.message()) {
            let _ = catch_unwind(AssertUnwindSafe(|| self.0.record(&measurement)));
        }
    }
}

/// Joins the lines of abi_stable's error texts.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl From<Refused> for LoadError {
    fn from(refused: Refused) -> Self {
        LoadError::Refused(refused)
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Refused(refused) => refused.fmt(f),
            LoadError::Layout(why) => write!(
                f,
                "its types at the plugin boundary are not this host's ({why}); build the plugin again with erp-host-plugin-api {}",
                super::ApiVersion::OURS
            ),
            LoadError::DataFolder(path) => {
                write!(f, "its data folder {} is not UTF-8 text; name another data folder", path.display())
            }
            LoadError::Connector(outcome) => {
                f.write_str("its connector cannot be made: ")?;
                let user = outcome.user.as_deref().unwrap_or("it does not say why");
                f.write_str(&one_line(user))?;
                if let Some(tech) = outcome.tech.as_deref().filter(|tech| *tech != user) {
                    write!(f, " ({})", one_line(tech))?;
                }
                f.write_str("; fix that, then run erp-host reload")
            }
        }
    }
}

impl std::error::Error for LoadError {}

impl fmt::Debug for ConnectorClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectorClient").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for ConnectionClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionClient").field("connector", &self.connector).finish_non_exhaustive()
    }
}
