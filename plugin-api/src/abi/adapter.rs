//! The plugin's side: adapts an author's connector and connections to the objects that the host calls. It catches every
//! panic.

use std::any::Any;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::std_types::{RBox, ROption};

use super::logging::Panic;
use super::objects::{
    ConnectionBox, ConnectionObject, ConnectionObject_TO, ConnectorBox, ConnectorObject, ConnectorObject_TO,
    HostBox, SinkRef, Wire,
};
use super::replies::{self, Description, Opened};
use super::requests;
use super::{
    ActorCall, ActorOperation, ConnectionRequest, ConnectorRequest, Kind, Message, MessageRef, Operation,
    logging,
};
use crate::connection_folder::ConnectionFolder;
use crate::rows::RowSink;
use crate::saves::SaveSink;
use crate::{
    ActorType, Connection, ConnectionRevision, Connector, Context, Error, ErrorKind, Outcome, Result, Rows,
    Saves,
};

/// Makes the connector: the one function of the root module.
pub(super) extern "C" fn load<C: Connector>(
    host: HostBox,
    about_host: Wire<'_>,
    sink: SinkRef<'_>,
) -> ROption<ConnectorBox> {
    let mut replies = Replies::new(sink);
    let made = replies.answer_with(CallTarget::default(), |_, replies| {
        // First, so that a panic below is logged.
        logging::install(host);
        replies.push(Kind::DESCRIPTION, |message| {
            Description {
                name: C::NAME.to_owned(),
                description: C::DESCRIPTION.to_owned(),
                actor_types: C::ACTOR_TYPES.iter().map(|&actor_type| actor_type.to_owned()).collect(),
            }
            .encode(message);
        });
        let host = requests::host(&mut about_host.message().reader())?;
        Ok((C::new(&host)?, host.data_folder))
    });
    made.map(|(connector, data_folder)| connector_object(connector, data_folder)).into()
}

/// A connector as an object for the host.
pub(super) fn connector_object<C: Connector>(connector: C, data_folder: PathBuf) -> ConnectorBox {
    let adapter = ConnectorAdapter { connector: PanicSafeDrop::new(connector), data_folder };
    ConnectorObject_TO::from_ptr(RBox::new(adapter), TD_Opaque)
}

struct ConnectorAdapter<C> {
    connector: PanicSafeDrop<C>,
    data_folder: PathBuf,
}

struct ConnectionAdapter<C: Connection> {
    connection: PanicSafeDrop<C>,
    target: CallTarget,
    is_closed: AtomicBool,
}

/// The stored connection that a call is for.
#[derive(Clone, Default)]
struct CallTarget {
    connection: Option<ConnectionRevision>,
    folder: Option<ConnectionFolder>,
}

impl CallTarget {
    fn connection(connection: ConnectionRevision, data_folder: &Path) -> Self {
        let folder = ConnectionFolder::of(data_folder, &connection.guid);
        CallTarget { connection: Some(connection), folder }
    }

    /// A connection that is not stored any more.
    fn deleted(guid: &str, data_folder: &Path) -> Self {
        CallTarget { connection: None, folder: ConnectionFolder::of(data_folder, guid) }
    }
}

impl<C: Connector> ConnectorObject for ConnectorAdapter<C> {
    fn call(&self, operation: Operation, request: Wire<'_>, sink: SinkRef<'_>) {
        let connector = &*self.connector.0;
        let request = ConnectorRequest::decode(operation, request.message());
        let target = match request {
            Ok(ConnectorRequest::ConnectionDeleted { guid }) => CallTarget::deleted(guid, &self.data_folder),
            _ => CallTarget::default(),
        };
        let folder = target.folder.clone();
        Replies::new(sink).answer(target, |cx, replies| {
            match request? {
                ConnectorRequest::SettingsForm => replies.fields(connector.settings(cx)?),
                ConnectorRequest::SetupList { name } => replies.list(connector.list(cx, name)?),
                ConnectorRequest::TestSettings(settings) => connector.test(cx, &settings)?,
                ConnectorRequest::ConnectionDeleted { guid } => {
                    connector.connection_deleted(cx, guid)?;
                    let removed = folder.map_or(Ok(()), |folder| folder.remove());
                    let failed = "the folder of the deleted connection cannot be removed";
                    removed.map_err(|error| Error::user(failed).caused_by(error))?;
                }
                ConnectorRequest::ConnectionFolders => {
                    replies.texts(ConnectionFolder::names(&self.data_folder)?);
                }
            }
            Ok(())
        });
    }

    fn connect(&self, settings: Wire<'_>, sink: SinkRef<'_>) -> ROption<ConnectionBox> {
        let settings = requests::settings(&mut settings.message().reader());
        let stored = settings.as_ref().ok().and_then(|settings| settings.connection().cloned());
        let target = stored
            .map_or_else(CallTarget::default, |stored| CallTarget::connection(stored, &self.data_folder));
        let adapter = Replies::new(sink).answer_with(target.clone(), |cx, replies| {
            let connection = PanicSafeDrop::new(self.connector.0.connect(cx, &settings?)?);
            // From now on it is closed, whatever happens.
            let adapter = ConnectionAdapter { connection, target, is_closed: AtomicBool::new(false) };
            let connection = &*adapter.connection.0;
            let opened = Opened {
                input: C::INPUT,
                description_lifetime: connection.description_lifetime(cx),
                lifetime: connection.lifetime(cx),
                saves_together: C::Connection::SAVES_TOGETHER,
            };
            replies.push(Kind::OPENED, |message| opened.encode(message));
            Ok(adapter)
        });
        adapter.map(|adapter| ConnectionObject_TO::from_ptr(RBox::new(adapter), TD_Opaque)).into()
    }
}

impl<C: Connection> ConnectionAdapter<C> {
    /// Closes the connection, the first time. A failure is logged here, because a worker process that ends has nobody to report
    /// it to.
    fn close(&self, cx: &Context) -> Result<()> {
        if self.is_closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let closed = self.connection.0.close(cx);
        if let Err(error) = &closed {
            let guid = cx.connection().map_or("that was tried out", |connection| &connection.guid);
            let kind = error.kind();
            logging::warn(format_args!("the connection {guid} was not closed in order ({kind}): {error}"));
        }
        closed
    }
}

/// A connection is closed before it is dropped, also by a host that has not asked for it: one whose opening nobody waits for any
/// more, or that a worker process has at its end.
impl<C: Connection> Drop for ConnectionAdapter<C> {
    fn drop(&mut self) {
        let CallTarget { connection, folder } = std::mem::take(&mut self.target);
        let cx = Context::new(None, connection, folder);
        // The hook has logged a panic. An error may be the author's code, too.
        let _ = guard(|| drop(self.close(&cx)));
    }
}

impl<C: Connection> ConnectionObject for ConnectionAdapter<C> {
    fn call(&self, operation: Operation, request: Wire<'_>, sink: SinkRef<'_>) {
        let connection = &*self.connection.0;
        let replies = Replies { is_change: operation.is_change(), ..Replies::new(sink) };
        replies.answer(self.target.clone(), |cx, replies| {
            match ConnectionRequest::decode(operation, request.message())? {
                ConnectionRequest::Test => connection.test(cx)?,
                ConnectionRequest::ActorTypes => replies.actor_types(connection.actor_types(cx)?),
                ConnectionRequest::Fields { actor_type } => {
                    replies.fields(connection.fields(cx, actor_type)?)
                }
                ConnectionRequest::SearchableFields { actor_type } => {
                    replies.texts(connection.searchable_fields(cx, actor_type)?);
                }
                ConnectionRequest::Actors(call) => actors(connection, cx, &call, replies)?,
                ConnectionRequest::Save { actors } => {
                    connection.save(cx, &mut Saves::new(&actors, C::SAVES_TOGETHER, cx, replies))?;
                }
                ConnectionRequest::List { name } => replies.list(connection.list(cx, name)?),
                ConnectionRequest::ListItems { name, keys } => {
                    replies.list(connection.list_items(cx, name, &keys)?)
                }
                ConnectionRequest::Refresh => connection.refresh(cx)?,
                ConnectionRequest::Close => self.close(cx)?,
            }
            Ok(())
        });
    }
}

/// Runs a method that answers with actors.
fn actors(
    connection: &impl Connection,
    cx: &Context,
    call: &ActorCall<'_>,
    replies: &mut Replies<'_>,
) -> Result<()> {
    let actor_type = call.actor_type;
    let is_read = !matches!(call.operation, ActorOperation::Create { .. });
    let mut rows = Rows::new(actor_type, call.fields.as_deref(), replies);
    rows.set_call(cx, is_read);
    match &call.operation {
        ActorOperation::Get { keys } => connection.get(cx, actor_type, keys, &mut rows),
        ActorOperation::Search { restrictions } => connection.search(cx, actor_type, restrictions, &mut rows),
        ActorOperation::SearchText { text, parent } => {
            connection.search_text(cx, actor_type, text, parent.as_deref(), &mut rows)
        }
        ActorOperation::ChangedSince { stamp } => connection.changed_since(cx, actor_type, *stamp, &mut rows),
        ActorOperation::Create { actor } => connection.create(cx, actor, &mut rows),
    }?;
    rows.flush()
}

/// The replies to one call.
struct Replies<'s> {
    sink: SinkRef<'s>,
    message: Message,
    /// Whether the call changes something: it may have done so before a panic.
    is_change: bool,
}

impl<'s> Replies<'s> {
    fn new(sink: SinkRef<'s>) -> Self {
        Replies { sink, message: Message::with_room(64, 8), is_change: false }
    }

    /// Runs a method and replies with its outcome, also when it fails or panics.
    fn answer(mut self, target: CallTarget, method: impl FnOnce(&Context, &mut Self) -> Result<()>) {
        self.answer_with(target, method);
    }

    /// The same for a method that returns an object.
    fn answer_with<T>(
        &mut self,
        CallTarget { connection, folder }: CallTarget,
        method: impl FnOnce(&Context, &mut Self) -> Result<T>,
    ) -> Option<T> {
        let cx = Context::new(Some(Arc::new(self.sink.call())), connection, folder);
        let ended = guard(|| match method(&cx, self) {
            Ok(made) => (cx.outcome(), Some(made)),
            // Inside the guard, because texts and drop of an error may be the author's code.
            Err(error) => (error.to_outcome(), None),
        });
        // Before the host receives the outcome. They are the author's code too; the hook has logged a panic.
        let _ = guard(|| cx.drop_callbacks());
        let (outcome, made) = ended.unwrap_or_else(|panic| {
            let Panic { text, reference } = panic;
            let kind = if self.is_change { ErrorKind::UnknownOutcome } else { ErrorKind::Failed };
            let user = format!("the connector failed unexpectedly, reference {reference}");
            let error = Error::new(kind, user).tech(text);
            (error.to_outcome(), None)
        });
        self.message.clear();
        self.push(Kind::OUTCOME, |message| replies::put_outcome(message, &outcome));
        made
    }

    fn push(&mut self, kind: Kind, encode: impl FnOnce(&mut Message)) {
        let _ = self.try_push(kind, encode);
    }

    /// Fails when the host wants nothing more of this call.
    fn try_push(&mut self, kind: Kind, encode: impl FnOnce(&mut Message)) -> Result<()> {
        self.message.clear();
        encode(&mut self.message);
        if self.sink.push(kind, self.message.as_ref().into()) { Ok(()) } else { Err(given_up()) }
    }

    fn texts(&mut self, texts: Vec<String>) {
        texts.iter().for_each(|text| self.push(Kind::TEXT, |message| message.put_text(text)));
    }

    fn actor_types(&mut self, actor_types: Vec<ActorType>) {
        for actor_type in &actor_types {
            self.push(Kind::ACTOR_TYPE, |message| replies::put_actor_type(message, actor_type));
        }
    }

    fn fields(&mut self, fields: Vec<crate::Field>) {
        fields.iter().for_each(|field| self.push(Kind::FIELD, |message| replies::put_field(message, field)));
    }

    fn list(&mut self, items: Option<Vec<crate::ListItem>>) {
        match items {
            None => self.push(Kind::NO_SUCH_LIST, |_| {}),
            Some(items) => {
                items.iter().for_each(|item| self.push(Kind::LIST_ITEM, |m| replies::put_list_item(m, item)));
            }
        }
    }
}

impl RowSink for Replies<'_> {
    fn push(&mut self, batch: MessageRef<'_>) -> Result<()> {
        if self.sink.push(Kind::ROWS, batch.into()) { Ok(()) } else { Err(given_up()) }
    }
}

/// The host wants nothing more of this call.
fn given_up() -> Error {
    Error::user("the answer was given up").tech("the host wants no more rows of this call")
}

impl SaveSink for Replies<'_> {
    fn saved(&mut self, position: usize, row: MessageRef<'_>) -> Result<()> {
        self.try_push(Kind::SAVED, |message| replies::put_saved(message, position, row))
    }

    fn not_saved(&mut self, position: usize, why: &Outcome) -> Result<()> {
        self.try_push(Kind::NOT_SAVED, |message| replies::put_not_saved(message, position, why))
    }
}

/// A value of the author, whose drop may panic.
struct PanicSafeDrop<T>(ManuallyDrop<T>);

impl<T> PanicSafeDrop<T> {
    fn new(value: T) -> Self {
        PanicSafeDrop(ManuallyDrop::new(value))
    }
}

impl<T> Drop for PanicSafeDrop<T> {
    fn drop(&mut self) {
        // The hook has logged a panic; there is no call to report it to.
        // SAFETY: dropped once, because this is the drop of its only owner, and not used after it.
        let _ = guard(|| unsafe { ManuallyDrop::drop(&mut self.0) });
    }
}

/// Runs the author's code, and catches a panic.
///
/// `AssertUnwindSafe`: state that the panic left incomplete belongs to the author, and is behind locks that are poisoned
/// now, as in any Rust program.
fn guard<T>(code: impl FnOnce() -> T) -> Result<T, Panic> {
    // Drops a panic that the author's code has caught itself.
    logging::take_panic();
    catch_unwind(AssertUnwindSafe(code)).map_err(|payload| {
        let panic = logging::take_panic().unwrap_or_else(|| Panic::without_hook(payload_as_str(&payload)));
        discard(payload);
        panic
    })
}

fn payload_as_str(payload: &Box<dyn Any + Send>) -> Option<&str> {
    payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&'static str>().copied())
}

/// Drops the payload of a panic, or leaks one whose drop might panic again.
fn discard(payload: Box<dyn Any + Send>) {
    if payload_as_str(&payload).is_none() {
        std::mem::forget(payload);
    }
}
