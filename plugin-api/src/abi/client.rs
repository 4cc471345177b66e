//! The host's side: calling a plugin as if its connector were a value of this program. Everything blocks.

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
use super::transport::{ConnectionTransport, ConnectorTransport, ReplyReceiver};
use super::validity::{self, Invalid, Validity};
use super::{
    ActorCall, ConnectionRequest, ConnectorRequest, Description, Handshake, Kind, Malformed, Message,
    MessageRef, Record, Refused, RowRef, logging, replies, requests, transport,
};
use crate::{Field, Host, ListItem, Outcome, Settings, State};

/// The error code of a call whose connector answered with something that no host can use. The technical text of such
/// an outcome says what it is, without any value.
pub const INVALID_ANSWER: &str = "InvalidConnectorAnswer";

/// Where the log records of a plugin go.
pub trait Log: Send + Sync + 'static {
    /// Whether records of this level and target go anywhere.
    fn enabled(&self, level: Level, target: &str) -> bool;

    /// Takes a record, on the thread that logged it.
    fn log(&self, record: &Record<'_>);
}

/// A loaded connector.
#[derive(Clone)]
pub struct ConnectorClient {
    name: Arc<str>,
    transport: Arc<dyn ConnectorTransport>,
}

/// An open connection of a connector. Dropping it closes it.
pub struct ConnectionClient {
    connector: Arc<str>,
    transport: Box<dyn ConnectionTransport>,
}

/// Why a plugin whose handshake could be read is not loaded. Its `Display` is one line, with what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadError {
    /// It does not fit this host.
    Refused(Refused),
    /// It says that it fits, but its types are not ours.
    Layout(String),
    /// The path of its data folder cannot be told to it.
    DataFolder(PathBuf),
    /// It was asked to make its connector, and did not.
    Connector(Outcome),
}

/// What the host tells a connector about where it runs. The options are those of the operator's configuration; one may
/// have several values.
pub fn host(
    version: impl Into<String>,
    data_folder: impl Into<PathBuf>,
    options: Vec<(String, String)>,
) -> Host {
    Host { version: version.into(), data_folder: data_folder.into(), options }
}

/// Makes the connector of a plugin file, and tells what it says about itself.
///
/// # Errors
/// The plugin does not fit, or its connector cannot be made.
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
    let log = HostObject_TO::from_ptr(RBox::new(ToLog(log)), TD_Opaque);
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

/// The root module of a plugin whose handshake was accepted.
fn root(handshake: &'static Handshake) -> Result<PluginRef, LoadError> {
    let header =
        handshake.root()?.upgrade().map_err(|error| LoadError::Layout(one_line(&error.to_string())))?;
    let theirs = header.layout().ok_or_else(|| LoadError::Layout("it does not tell its types".to_owned()))?;
    check_layout(<PluginRef as abi_stable::StableAbi>::LAYOUT, theirs).map_err(LoadError::Layout)?;
    // SAFETY: the layout was checked. In the direction plugin to host: what the plugin has is all that we have, or
    // more. In the other: it has less, all of it at the beginning of a prefix type or a trait object's methods, where
    // abi_stable looks at what is there before it reads a field or calls a method (the default body is called then).
    unsafe { header.unchecked_layout::<PluginRef>() }
        .map_err(|error| LoadError::Layout(one_line(&error.to_string())))
}

/// Compares the types of both sides. The stock check takes an implementation that has more than its user knows, and
/// refuses one that has less: a plugin that is older than the host. So either direction will do.
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

    /// Its transport, for a caller that forwards calls without reading them.
    pub fn transport(&self) -> &Arc<dyn ConnectorTransport> {
        &self.transport
    }

    /// The connector's name, as its handshake says it.
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

    /// Opens a connection.
    ///
    /// # Errors
    /// The outcome, with state Error.
    pub fn connect(&self, settings: &Settings) -> Result<ConnectionClient, Outcome> {
        let mut request = Message::new();
        requests::put_settings(&mut request, settings);
        let (made, outcome) =
            call(&self.name, |replies| self.transport.connect(request.as_ref(), replies), no_reply);
        // It holds passwords.
        request.wipe();
        match made {
            Some(transport) if outcome.state.is_ok() => {
                Ok(ConnectionClient::new(Arc::clone(&self.name), transport))
            }
            _ => Err(failed(outcome, &self.name)),
        }
    }

    fn call(
        &self,
        request: &ConnectorRequest<'_>,
        take: impl FnMut(Kind, MessageRef<'_>) -> Taken,
    ) -> Outcome {
        let mut message = request.encode();
        let ask = |replies: &mut dyn ReplyReceiver| {
            self.transport.call(request.operation(), message.as_ref(), replies)
        };
        let outcome = call(&self.name, ask, take).1;
        // It may hold passwords.
        message.wipe();
        outcome
    }
}

impl ConnectionClient {
    pub(super) fn new(connector: Arc<str>, transport: Box<dyn ConnectionTransport>) -> Self {
        ConnectionClient { connector, transport }
    }

    /// The name of the connector that it is a connection of.
    pub fn connector(&self) -> &str {
        &self.connector
    }

    /// Says whether the connection works.
    pub fn test(&self) -> Outcome {
        self.call(&ConnectionRequest::Test, no_reply)
    }

    /// The actor types.
    ///
    /// # Errors
    /// The outcome, with state Error.
    pub fn actor_types(&self) -> Result<Vec<String>, Outcome> {
        self.texts(&ConnectionRequest::ActorTypes)
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

    /// Does a call that is answered with actors. Each row is handed to `take_row` while the connector still runs; it
    /// stops the call with `Break`, and the outcome says nothing then. Rows count only if the outcome's state is not
    /// Error.
    pub fn actors(
        &self,
        call: ActorCall<'_>,
        take_row: &mut dyn FnMut(&RowRef<'_>) -> ControlFlow<()>,
    ) -> Outcome {
        self.call(&ConnectionRequest::Actors(call), |kind, reply| {
            if kind != Kind::ROWS {
                return Err(Malformed.into());
            }
            let mut reader = reply.reader();
            while !reader.is_empty() {
                if take_row(&RowRef::read(&mut reader)?).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        })
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

    fn texts(&self, request: &ConnectionRequest<'_>) -> Result<Vec<String>, Outcome> {
        let mut texts = Vec::new();
        let outcome = self.call(request, |kind, reply| {
            if kind != Kind::TEXT {
                return Err(Malformed.into());
            }
            texts.push(reply.reader().text()?.to_owned());
            Ok(ControlFlow::Continue(()))
        });
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
        take: impl FnMut(Kind, MessageRef<'_>) -> Taken,
    ) -> Outcome {
        let message = request.encode();
        let ask = |replies: &mut dyn ReplyReceiver| {
            self.transport.call(request.operation(), message.as_ref(), replies)
        };
        call(&self.connector, ask, take).1
    }
}

/// What became of a reply: taken, with more wanted or not, or refused.
pub(super) type Taken = Result<ControlFlow<()>, Invalid>;

fn no_reply(_: Kind, _: MessageRef<'_>) -> Taken {
    Err(Malformed.into())
}

fn collect_field(fields: &mut Vec<Field>, kind: Kind, reply: MessageRef<'_>) -> Taken {
    if kind != Kind::FIELD {
        return Err(Malformed.into());
    }
    fields.push(replies::field(reply).map_err(|_| validity::unknown_in_field(reply))?);
    Ok(ControlFlow::Continue(()))
}

fn collect_item(items: &mut Option<Vec<ListItem>>, kind: Kind, reply: MessageRef<'_>) -> Taken {
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

/// An outcome that came without what was asked for.
fn failed(outcome: Outcome, connector: &str) -> Outcome {
    if outcome.state.is_ok() {
        broken(connector, "it said that it worked, but it made nothing")
    } else {
        outcome
    }
}

/// The outcome of a call to a connector that does not keep to the boundary.
fn broken(connector: &str, what: &str) -> Outcome {
    Outcome {
        state: State::Error,
        user: Some(format!("the connector {connector} answered in a way that the host does not understand")),
        tech: Some(what.to_owned()),
        code: Some(INVALID_ANSWER.to_owned()),
    }
}

/// Makes a call: gives it somewhere to put its replies, and reads what comes there.
pub(super) fn call<T>(
    connector: &str,
    make: impl FnOnce(&mut dyn ReplyReceiver) -> T,
    take: impl FnMut(Kind, MessageRef<'_>) -> Taken,
) -> (T, Outcome) {
    let mut sink = Sink { take, outcome: None, ended: Ended::NotYet, validity: Validity::default() };
    let made = make(&mut sink);
    let outcome = match (sink.ended, sink.outcome) {
        (Ended::Panicked(panic), _) => resume_unwind(panic),
        (Ended::Invalid(why), _) => broken(connector, &why.to_string()),
        (_, None) => broken(connector, "it ended without an outcome"),
        (_, Some(outcome)) => outcome,
    };
    (made, outcome)
}

/// Where the replies to a call come.
struct Sink<F> {
    take: F,
    outcome: Option<Outcome>,
    ended: Ended,
    validity: Validity,
}

/// Why no more replies are wanted.
enum Ended {
    NotYet,
    ByUs,
    Invalid(Invalid),
    /// Our own code panicked; the panic goes on when the plugin has returned, for it must not go through the plugin.
    Panicked(Box<dyn Any + Send>),
}

impl<F: FnMut(Kind, MessageRef<'_>) -> Taken> Sink<F> {
    fn take(&mut self, kind: Kind, reply: MessageRef<'_>) -> Taken {
        if self.outcome.is_some() {
            return Err(Malformed.into()); // The outcome is the last reply.
        }
        self.validity.check(kind, reply)?;
        if kind == Kind::OUTCOME {
            self.outcome = Some(replies::outcome(reply).map_err(|_| validity::unknown_in_outcome(reply))?);
            return Ok(ControlFlow::Continue(()));
        }
        match self.ended {
            Ended::NotYet => (self.take)(kind, reply),
            _ => Ok(ControlFlow::Break(())),
        }
    }
}

impl<F: FnMut(Kind, MessageRef<'_>) -> Taken> ReplyReceiver for Sink<F> {
    fn receive(&mut self, kind: Kind, reply: MessageRef<'_>) -> bool {
        let ended = match catch_unwind(AssertUnwindSafe(|| self.take(kind, reply))) {
            Ok(Ok(ControlFlow::Continue(()))) => return matches!(self.ended, Ended::NotYet),
            Ok(Ok(ControlFlow::Break(()))) => Ended::ByUs,
            Ok(Err(why)) => Ended::Invalid(why),
            Err(panic) => Ended::Panicked(panic),
        };
        // The first reason stands.
        if matches!(self.ended, Ended::NotYet) {
            self.ended = ended;
        }
        false
    }
}

/// The host as a plugin sees it.
struct ToLog<L>(L);

impl<L: Log> HostObject for ToLog<L> {
    fn enabled(&self, level: u32, target: RStr<'_>) -> bool {
        let Some(level) = logging::level(level) else { return false };
        // A panic of ours must not go through the plugin; a record less is the smaller loss.
        catch_unwind(AssertUnwindSafe(|| self.0.enabled(level, target.as_str()))).unwrap_or(false)
    }

    fn log(&self, record: Wire<'_>) {
        if let Ok(record) = Record::decode(record.message()) {
            let _ = catch_unwind(AssertUnwindSafe(|| self.0.log(&record)));
        }
    }
}

/// The texts of abi_stable have many lines.
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
                f.write_str("; mend that, then run erp-host reload")
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
