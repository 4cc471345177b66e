//! Requests to a connector or a connection: an [`Operation`] and a message, encoded and decoded in one place.
//!
//! Compatibility: a newer host may write more values to the end of a request than an older plugin reads, so decoders ignore
//! the rest of a message. The other way round does not happen: a plugin never needs a newer API than its host has.

use std::borrow::Cow;
use std::fmt;

use abi_stable::StableAbi;

use super::{Malformed, Message, MessageRef, Reader, RowRef, RowWriter};
use crate::{Actor, Host, Operator, Parent, Restriction, Settings};

/// The method of a connector or a connection that is called. It is a number and not an enum, so that later versions can add
/// operations.
#[repr(transparent)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation(pub u32);

/// The numbers of the operations; they never change.
#[allow(missing_docs)] // Named as the methods of the traits.
impl Operation {
    // Of a connector.
    pub const SETTINGS_FORM: Operation = Operation(1);
    pub const SETUP_LIST: Operation = Operation(2);
    pub const TEST_SETTINGS: Operation = Operation(3);
    pub const CONNECTION_DELETED: Operation = Operation(4);
    pub const CONNECTION_FOLDERS: Operation = Operation(5);
    // Of a connection.
    pub const TEST: Operation = Operation(32);
    pub const ACTOR_TYPES: Operation = Operation(33);
    pub const FIELDS: Operation = Operation(34);
    pub const SEARCHABLE_FIELDS: Operation = Operation(35);
    pub const GET: Operation = Operation(36);
    pub const SEARCH: Operation = Operation(37);
    pub const SEARCH_TEXT: Operation = Operation(38);
    pub const CHANGED_SINCE: Operation = Operation(39);
    pub const CREATE: Operation = Operation(40);
    pub const SAVE: Operation = Operation(41);
    pub const LIST: Operation = Operation(42);
    pub const LIST_ITEMS: Operation = Operation(43);
    pub const REFRESH: Operation = Operation(44);
    pub const CLOSE: Operation = Operation(45);
}

impl Operation {
    /// Whether it changes something in the ERP system.
    pub fn is_change(self) -> bool {
        self == Operation::CREATE || self == Operation::SAVE
    }
}

/// Why a request cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestError {
    /// The plugin is older than the operation.
    Unknown(Operation),
    /// The plugin is older than the operator of a restriction.
    UnknownOperator(String),
    /// The message has another content.
    Malformed,
}

/// A request to a connector.
#[derive(Debug, Clone, PartialEq)]
pub enum ConnectorRequest<'a> {
    /// [`crate::Connector::settings`].
    SettingsForm,
    /// [`crate::Connector::list`].
    SetupList {
        /// The list's name.
        name: &'a str,
    },
    /// [`crate::Connector::test`].
    TestSettings(Cow<'a, Settings>),
    /// [`crate::Connector::connection_deleted`]; the connection's folder is removed afterwards.
    ConnectionDeleted {
        /// The ConnectionGuid.
        guid: &'a str,
    },
    /// The names of the connections that have a folder, each a [`Kind::TEXT`](super::Kind::TEXT). No method of the author.
    ConnectionFolders,
}

/// A request to a connection.
#[derive(Debug, Clone, PartialEq)]
pub enum ConnectionRequest<'a> {
    /// [`crate::Connection::test`].
    Test,
    /// [`crate::Connection::actor_types`].
    ActorTypes,
    /// [`crate::Connection::fields`].
    Fields {
        /// The actor type.
        actor_type: &'a str,
    },
    /// [`crate::Connection::searchable_fields`].
    SearchableFields {
        /// The actor type.
        actor_type: &'a str,
    },
    /// A method that answers with actors.
    Actors(ActorCall<'a>),
    /// [`crate::Connection::save`].
    Save {
        /// The actors, with the fields that change.
        actors: Cow<'a, [Actor]>,
    },
    /// [`crate::Connection::list`].
    List {
        /// The list's name.
        name: &'a str,
    },
    /// [`crate::Connection::list_items`].
    ListItems {
        /// The list's name.
        name: &'a str,
        /// The items' keys.
        keys: Cow<'a, [&'a str]>,
    },
    /// [`crate::Connection::refresh`].
    Refresh,
    /// [`crate::Connection::close`].
    Close,
}

/// A call that is answered with actors.
#[derive(Debug, Clone, PartialEq)]
pub struct ActorCall<'a> {
    /// The actor type.
    pub actor_type: &'a str,
    /// The keys of the fields to return; `None` for all.
    pub fields: Option<Cow<'a, [&'a str]>>,
    /// The method, with its arguments.
    pub operation: ActorOperation<'a>,
}

/// The methods that answer with actors.
#[derive(Debug, Clone, PartialEq)]
pub enum ActorOperation<'a> {
    /// [`crate::Connection::get`].
    Get {
        /// The actors' keys.
        keys: Cow<'a, [&'a str]>,
    },
    /// [`crate::Connection::search`].
    Search {
        /// An actor must match all of them.
        restrictions: Cow<'a, [Restriction]>,
    },
    /// [`crate::Connection::search_text`].
    SearchText {
        /// The text.
        text: &'a str,
        /// Only actors below this one.
        parent: Option<Cow<'a, Parent>>,
    },
    /// [`crate::Connection::changed_since`].
    ChangedSince {
        /// The stamp; `None` for all actors.
        stamp: Option<&'a str>,
    },
    /// [`crate::Connection::create`].
    Create {
        /// The actor, without a key.
        actor: Cow<'a, Actor>,
    },
}

impl<'a> ConnectorRequest<'a> {
    /// The operation.
    pub fn operation(&self) -> Operation {
        match self {
            ConnectorRequest::SettingsForm => Operation::SETTINGS_FORM,
            ConnectorRequest::SetupList { .. } => Operation::SETUP_LIST,
            ConnectorRequest::TestSettings(_) => Operation::TEST_SETTINGS,
            ConnectorRequest::ConnectionDeleted { .. } => Operation::CONNECTION_DELETED,
            ConnectorRequest::ConnectionFolders => Operation::CONNECTION_FOLDERS,
        }
    }

    /// Encodes the request.
    pub fn encode(&self) -> Message {
        let mut message = Message::new();
        match self {
            ConnectorRequest::SettingsForm | ConnectorRequest::ConnectionFolders => {}
            ConnectorRequest::SetupList { name: text }
            | ConnectorRequest::ConnectionDeleted { guid: text } => message.put_text(text),
            ConnectorRequest::TestSettings(settings) => put_settings(&mut message, settings),
        }
        message
    }

    /// Decodes a request.
    ///
    /// # Errors
    /// The operation is unknown, or the message has another content.
    pub fn decode(operation: Operation, message: MessageRef<'a>) -> Result<Self, RequestError> {
        let mut reader = message.reader();
        Ok(match operation {
            Operation::SETTINGS_FORM => ConnectorRequest::SettingsForm,
            Operation::SETUP_LIST => ConnectorRequest::SetupList { name: reader.text()? },
            Operation::TEST_SETTINGS => ConnectorRequest::TestSettings(Cow::Owned(settings(&mut reader)?)),
            Operation::CONNECTION_DELETED => ConnectorRequest::ConnectionDeleted { guid: reader.text()? },
            Operation::CONNECTION_FOLDERS => ConnectorRequest::ConnectionFolders,
            unknown => return Err(RequestError::Unknown(unknown)),
        })
    }
}

impl<'a> ConnectionRequest<'a> {
    /// The operation.
    pub fn operation(&self) -> Operation {
        match self {
            ConnectionRequest::Test => Operation::TEST,
            ConnectionRequest::ActorTypes => Operation::ACTOR_TYPES,
            ConnectionRequest::Fields { .. } => Operation::FIELDS,
            ConnectionRequest::SearchableFields { .. } => Operation::SEARCHABLE_FIELDS,
            ConnectionRequest::Actors(call) => call.operation(),
            ConnectionRequest::Save { .. } => Operation::SAVE,
            ConnectionRequest::List { .. } => Operation::LIST,
            ConnectionRequest::ListItems { .. } => Operation::LIST_ITEMS,
            ConnectionRequest::Refresh => Operation::REFRESH,
            ConnectionRequest::Close => Operation::CLOSE,
        }
    }

    /// Encodes the request.
    pub fn encode(&self) -> Message {
        // Capacity for a few keys.
        let mut message = Message::with_room(64, 16);
        match self {
            ConnectionRequest::Test
            | ConnectionRequest::ActorTypes
            | ConnectionRequest::Refresh
            | ConnectionRequest::Close => {}
            ConnectionRequest::Fields { actor_type } | ConnectionRequest::SearchableFields { actor_type } => {
                message.put_text(actor_type);
            }
            ConnectionRequest::Actors(call) => call.encode(&mut message),
            ConnectionRequest::Save { actors } => {
                message.put_count(actors.len());
                actors.iter().for_each(|actor| RowWriter::new(&mut message).actor(actor));
            }
            ConnectionRequest::List { name } => message.put_text(name),
            ConnectionRequest::ListItems { name, keys } => {
                message.put_text(name);
                put_texts(&mut message, keys);
            }
        }
        message
    }

    /// Decodes a request.
    ///
    /// # Errors
    /// The operation is unknown, or the message has another content.
    pub fn decode(operation: Operation, message: MessageRef<'a>) -> Result<Self, RequestError> {
        let mut reader = message.reader();
        Ok(match operation {
            Operation::TEST => ConnectionRequest::Test,
            Operation::ACTOR_TYPES => ConnectionRequest::ActorTypes,
            Operation::FIELDS => ConnectionRequest::Fields { actor_type: reader.text()? },
            Operation::SEARCHABLE_FIELDS => {
                ConnectionRequest::SearchableFields { actor_type: reader.text()? }
            }
            Operation::LIST => ConnectionRequest::List { name: reader.text()? },
            Operation::LIST_ITEMS => {
                ConnectionRequest::ListItems { name: reader.text()?, keys: Cow::Owned(texts(&mut reader)?) }
            }
            Operation::REFRESH => ConnectionRequest::Refresh,
            Operation::CLOSE => ConnectionRequest::Close,
            Operation::SAVE => {
                let count = reader.count()?;
                let actor = |_| Ok(RowRef::read(&mut reader)?.to_actor());
                let actors = (0..count).map(actor).collect::<Result<Vec<_>, Malformed>>()?;
                ConnectionRequest::Save { actors: Cow::Owned(actors) }
            }
            actors => ConnectionRequest::Actors(ActorCall::decode(actors, &mut reader)?),
        })
    }
}

impl<'a> ActorCall<'a> {
    fn operation(&self) -> Operation {
        match self.operation {
            ActorOperation::Get { .. } => Operation::GET,
            ActorOperation::Search { .. } => Operation::SEARCH,
            ActorOperation::SearchText { .. } => Operation::SEARCH_TEXT,
            ActorOperation::ChangedSince { .. } => Operation::CHANGED_SINCE,
            ActorOperation::Create { .. } => Operation::CREATE,
        }
    }

    fn encode(&self, message: &mut Message) {
        message.put_text(self.actor_type);
        message.put_number(u32::from(self.fields.is_some()));
        if let Some(fields) = &self.fields {
            put_texts(message, fields);
        }
        match &self.operation {
            ActorOperation::Get { keys } => put_texts(message, keys),
            ActorOperation::Search { restrictions } => {
                message.put_count(restrictions.len());
                for restriction in restrictions.iter() {
                    message.put_text(&restriction.field);
                    message.put_text(restriction.operator.as_str());
                    message.put_count(restriction.values.len());
                    restriction.values.iter().for_each(|value| message.put_text(value));
                }
            }
            ActorOperation::SearchText { text, parent } => {
                message.put_text(text);
                message.put_optional(parent.as_ref().map(|parent| parent.actor_type.as_str()));
                message.put_optional(parent.as_ref().map(|parent| parent.key.as_str()));
            }
            ActorOperation::ChangedSince { stamp } => message.put_optional(*stamp),
            ActorOperation::Create { actor } => RowWriter::new(message).actor(actor),
        }
    }

    fn decode(operation: Operation, reader: &mut Reader<'a>) -> Result<Self, RequestError> {
        if !(Operation::GET.0..=Operation::CREATE.0).contains(&operation.0) {
            return Err(RequestError::Unknown(operation));
        }
        let actor_type = reader.text()?;
        let fields = if reader.number()? == 0 { None } else { Some(Cow::Owned(texts(reader)?)) };
        let operation = match operation {
            Operation::GET => ActorOperation::Get { keys: Cow::Owned(texts(reader)?) },
            Operation::SEARCH => {
                let count = reader.count()?;
                let restrictions = (0..count).map(|_| restriction(reader)).collect::<Result<Vec<_>, _>>()?;
                ActorOperation::Search { restrictions: Cow::Owned(restrictions) }
            }
            Operation::SEARCH_TEXT => {
                let text = reader.text()?;
                let parent = match (reader.optional()?, reader.optional()?) {
                    (Some(actor_type), Some(key)) => {
                        Some(Cow::Owned(Parent { actor_type: actor_type.to_owned(), key: key.to_owned() }))
                    }
                    _ => None,
                };
                ActorOperation::SearchText { text, parent }
            }
            Operation::CHANGED_SINCE => ActorOperation::ChangedSince { stamp: reader.optional()? },
            _ => ActorOperation::Create { actor: Cow::Owned(RowRef::read(reader)?.to_actor()) },
        };
        Ok(ActorCall { actor_type, fields, operation })
    }
}

fn restriction(reader: &mut Reader<'_>) -> Result<Restriction, RequestError> {
    let field = reader.text()?.to_owned();
    let operator = reader.text()?;
    let operator: Operator =
        operator.parse().map_err(|_| RequestError::UnknownOperator(operator.to_owned()))?;
    let values = texts(reader)?.into_iter().map(str::to_owned).collect();
    Ok(Restriction { field, operator, values })
}

/// Encodes the settings of a connection.
pub(super) fn put_settings(message: &mut Message, settings: &Settings) {
    let text = settings.iter().map(|(key, value)| key.len() + value.map_or(0, str::len)).sum();
    message.reserve_text(text);
    message.put_count(settings.iter().count());
    for (key, value) in settings.iter() {
        message.put_text(key);
        message.put_optional(value);
    }
    // Settings that are only tried out end here.
    if let Some(connection) = settings.connection() {
        message.put_text(&connection.guid);
        message.put_display(connection.revision);
    }
}

/// Decodes the settings of a connection.
pub(super) fn settings(reader: &mut Reader<'_>) -> Result<Settings, Malformed> {
    let count = reader.count()?;
    let pairs = (0..count).map(|_| Ok((reader.text()?, reader.optional()?)));
    let settings: Settings = pairs.collect::<Result<_, Malformed>>()?;
    if reader.is_empty() {
        return Ok(settings);
    }
    let (guid, revision) = (reader.text()?, reader.text()?.parse().map_err(|_| Malformed)?);
    Ok(settings.of_connection(guid, revision))
}

/// Encodes the argument of `Connector::new`: version, data folder and options.
pub(super) fn put_host(message: &mut Message, host: &Host) -> Result<(), Malformed> {
    message.put_text(&host.version);
    message.put_text(host.data_folder.to_str().ok_or(Malformed)?);
    message.put_count(host.options.len());
    for (name, value) in &host.options {
        message.put_text(name);
        message.put_text(value);
    }
    Ok(())
}

/// Decodes the argument of `Connector::new`.
pub(super) fn host(reader: &mut Reader<'_>) -> Result<Host, Malformed> {
    let (version, data_folder) = (reader.text()?.to_owned(), reader.text()?.into());
    let count = reader.count()?;
    let option = |_| Ok((reader.text()?.to_owned(), reader.text()?.to_owned()));
    let options = (0..count).map(option).collect::<Result<Vec<_>, Malformed>>()?;
    Ok(Host { version, data_folder, options })
}

fn put_texts(message: &mut Message, texts: &[&str]) {
    message.put_count(texts.len());
    texts.iter().for_each(|text| message.put_text(text));
}

fn texts<'a>(reader: &mut Reader<'a>) -> Result<Vec<&'a str>, Malformed> {
    let count = reader.count()?;
    (0..count).map(|_| reader.text()).collect()
}

impl From<Malformed> for RequestError {
    fn from(_: Malformed) -> Self {
        RequestError::Malformed
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let api = super::ApiVersion::OURS;
        match self {
            RequestError::Unknown(Operation(number)) => {
                write!(f, "not supported by this connector (API {api}, operation {number})")
            }
            RequestError::UnknownOperator(name) => {
                write!(f, "the operator {name:?} is not supported by this connector (API {api})")
            }
            RequestError::Malformed => Malformed.fmt(f),
        }
    }
}

impl std::error::Error for RequestError {}
