//! From arguments, named by their command-line flags, to the request of an operation.

use std::borrow::Cow;

use contract::{Actor, Dictionary, Guid, Operation, Operator, Request, Restriction, Text, Token};

use super::restriction;

/// The arguments of a call.
#[derive(Debug, Clone, Default)]
pub struct Arguments {
    /// The GUID of the connection, valid or not.
    pub connection: Option<String>,
    /// The actor type.
    pub actor_type: Option<String>,
    /// Keys of actors or list items.
    pub keys: Vec<String>,
    /// Keys of the fields to reply with; `None` for all.
    pub fields: Option<Vec<String>>,
    /// Restrictions of a search.
    pub restrictions: Vec<Restriction<'static>>,
    /// The text to search for.
    pub search: Option<String>,
    /// Actor type and key of the parent.
    pub parent: Option<(String, String)>,
    /// The name of a list.
    pub list: Option<String>,
    /// The stamp to search changes from.
    pub since: Option<String>,
    /// Settings of a connection, or field values of an actor.
    pub values: Vec<(String, Option<String>)>,
    /// The actors to write; `None` to make one of type, key, values and parent.
    pub actors: Option<Vec<Actor<'static>>>,
    /// The signed token to authenticate with.
    pub token: Option<String>,
}

/// The kinds of arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the fields of `Arguments`")]
pub enum Argument {
    Connection,
    Type,
    Key,
    Fields,
    Where,
    Search,
    Parent,
    List,
    Since,
    Set,
    Actors,
    Token,
}

impl Argument {
    const ALL: [Argument; 12] = [
        Argument::Connection,
        Argument::Type,
        Argument::Key,
        Argument::Fields,
        Argument::Where,
        Argument::Search,
        Argument::Parent,
        Argument::List,
        Argument::Since,
        Argument::Set,
        Argument::Actors,
        Argument::Token,
    ];

    const fn flag(self) -> &'static str {
        match self {
            Argument::Connection => "--connection",
            Argument::Type => "--type",
            Argument::Key => "--key",
            Argument::Fields => "--fields",
            Argument::Where => "--where",
            Argument::Search => "--search",
            Argument::Parent => "--parent",
            Argument::List => "--list",
            Argument::Since => "--since",
            Argument::Set => "--set, --set-file, --ask or --null",
            Argument::Actors => "--actors",
            Argument::Token => "--token-file",
        }
    }
}

/// Arguments that do not fit the operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the message names each field")]
pub enum ArgumentError {
    #[error("{operation} does not take {flag}, only {accepted}")]
    NotAccepted { operation: Operation, flag: &'static str, accepted: String },
    #[error("{operation} needs {flag}; see erp-host call --help")]
    Missing { operation: Operation, flag: &'static str },
    #[error("--actors holds whole actors: leave out --type, --key, --set and --parent")]
    ActorsAndType,
    #[error("{operation} needs --type and --set, or --actors; see erp-host call --help")]
    NoActors { operation: Operation },
    #[error("{operation} needs one --key; several actors go into a file: --actors")]
    NotOneKey { operation: Operation },
    #[error("{operation} takes one actor, not {count}")]
    NotOneActor { operation: Operation, count: usize },
}

/// Required and optional arguments of an operation.
fn accepted(operation: Operation) -> (&'static [Argument], &'static [Argument]) {
    use Argument::{Actors, Connection, Fields, Key, List, Parent, Search, Set, Since, Token, Type, Where};
    use Operation as Op;
    match operation {
        Op::GetConfigData => (&[], &[]),
        // A connection may have no settings at all.
        Op::TestConfigData => (&[], &[Set]),
        Op::SaveConnection => (&[Connection], &[Set]),
        Op::TestConnection | Op::DeleteConnection | Op::GetSupportedActorTypes => (&[Connection], &[]),
        Op::GetSupportedActorTypeFields | Op::GetSearchableFields => (&[Connection, Type], &[]),
        Op::GetActors => (&[Connection, Type, Key], &[Fields]),
        Op::SearchActorsAdvanced => (&[Connection, Type], &[Where, Parent, Fields]),
        Op::SearchActors => (&[Connection, Type], &[Search, Fields]),
        Op::SearchActorByParent => (&[Connection, Type, Parent], &[Search, Fields]),
        Op::CreateActor => (&[Connection], &[Type, Set, Parent, Actors]),
        Op::SaveActors => (&[Connection], &[Type, Key, Set, Parent, Actors]),
        Op::GetList => (&[List], &[Connection]),
        Op::GetListItems => (&[Connection, List, Key], &[]),
        Op::GetActorsByTimestamp => (&[Connection, Type], &[Since, Fields]),
        Op::Authenticate => (&[Token], &[]),
    }
}

/// Checks which arguments are given, before their values are read from files or asked for. An argument that is given
/// several times is listed as often.
///
/// # Errors
/// A required argument is missing, or one is given that the operation does not take.
pub fn check(operation: Operation, given: &[Argument]) -> Result<(), ArgumentError> {
    let (required, optional) = accepted(operation);
    let is_given = |argument| given.contains(&argument);
    for argument in Argument::ALL {
        let flag = argument.flag();
        if is_given(argument) && !required.contains(&argument) && !optional.contains(&argument) {
            let flags: Vec<_> = required.iter().chain(optional).map(|one| one.flag()).collect();
            let accepted = if flags.is_empty() { "nothing".to_owned() } else { flags.join(", ") };
            return Err(ArgumentError::NotAccepted { operation, flag, accepted });
        }
        if !is_given(argument) && required.contains(&argument) {
            return Err(ArgumentError::Missing { operation, flag });
        }
    }
    let writes_actors = matches!(operation, Operation::CreateActor | Operation::SaveActors);
    let keys = given.iter().filter(|argument| **argument == Argument::Key).count();
    match (writes_actors, is_given(Argument::Actors), is_given(Argument::Type)) {
        (true, true, true) => Err(ArgumentError::ActorsAndType),
        (true, false, false) => Err(ArgumentError::NoActors { operation }),
        (true, false, true) if operation == Operation::SaveActors && keys != 1 => {
            Err(ArgumentError::NotOneKey { operation })
        }
        _ => Ok(()),
    }
}

/// Parses the name of an operation, in any case, with or without `WS`.
///
/// # Errors
/// There is no such operation.
pub fn parse_operation(name: &str) -> Result<Operation, String> {
    let short = |name: &str| name.strip_prefix("ws").unwrap_or(name).to_owned();
    let wanted = short(&name.to_ascii_lowercase());
    let found = Operation::ALL
        .iter()
        .copied()
        .find(|operation| short(&operation.name().to_ascii_lowercase()) == wanted);
    found.ok_or_else(|| {
        let known: Vec<&str> =
            Operation::ALL.iter().map(|one| one.name().strip_prefix("WS").unwrap_or(one.name())).collect();
        format!("there is no such operation, expected one of {}", known.join(", "))
    })
}

/// Parses the actor type and the key of a parent, such as `Customer:1001`.
///
/// # Errors
/// One of them is missing.
pub fn parse_parent(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((actor_type, key)) if !actor_type.is_empty() && !key.is_empty() => {
            Ok((actor_type.to_owned(), key.to_owned()))
        }
        _ => Err("expected TYPE:KEY, such as Customer:1001".to_owned()),
    }
}

impl Arguments {
    /// The `ConnectionGuid` of the call. While a connection is set up, lists are requested with the all-zero GUID.
    pub fn connection(&self, operation: Operation) -> Option<String> {
        match (&self.connection, operation) {
            (None, Operation::GetList) => Some(Guid::ZERO.to_string()),
            (given, _) => given.clone(),
        }
    }

    /// The request of an operation. See [`check`] for the arguments that it needs.
    ///
    /// # Errors
    /// The operation takes one actor, and there are several.
    pub fn request(self, operation: Operation) -> Result<Request<'static>, ArgumentError> {
        let actor_type = self.actor_type.map(Cow::Owned);
        let keys = texts(self.keys);
        let field_keys = self.fields.map(texts);
        let list_name = self.list.map(Cow::Owned);
        let search_text = Some(Cow::Owned(self.search.unwrap_or_default()));
        let values: Dictionary<'static> = self.values.into_iter().collect();
        let (parent_actor_type, parent_actor_erp_key) = match self.parent {
            Some((actor_type, key)) => (Some(Cow::Owned(actor_type)), Some(Cow::Owned(key))),
            None => (None, None),
        };
        Ok(match operation {
            Operation::GetConfigData => Request::GetConfigData,
            Operation::TestConfigData => Request::TestConfigData { connection_info: Some(values) },
            Operation::SaveConnection => Request::SaveConnection { connection_info: Some(values) },
            Operation::TestConnection => Request::TestConnection,
            Operation::DeleteConnection => Request::DeleteConnection,
            Operation::GetSupportedActorTypes => Request::GetSupportedActorTypes,
            Operation::GetSupportedActorTypeFields => Request::GetSupportedActorTypeFields { actor_type },
            Operation::GetActors => Request::GetActors { actor_type, erp_keys: Some(keys), field_keys },
            Operation::GetSearchableFields => Request::GetSearchableFields { actor_type },
            Operation::SearchActorsAdvanced => {
                let mut restrictions = self.restrictions;
                // The restrictions to a parent come as a pair (contract page, section 4).
                if let (Some(actor_type), Some(key)) = (&parent_actor_type, &parent_actor_erp_key) {
                    restrictions.push(restriction::new("ParentActorType", Operator::Equal, &[actor_type]));
                    restrictions.push(restriction::new("ParentErpKey", Operator::Equal, &[key]));
                }
                Request::SearchActorsAdvanced { actor_type, restrictions: Some(restrictions), field_keys }
            }
            Operation::SearchActors => Request::SearchActors { actor_type, search_text, field_keys },
            Operation::SearchActorByParent => Request::SearchActorByParent {
                actor_type,
                search_text,
                parent_actor_type,
                parent_actor_erp_key,
                field_keys,
            },
            Operation::CreateActor | Operation::SaveActors => {
                let is_save = operation == Operation::SaveActors;
                let mut actors = self.actors.unwrap_or_else(|| {
                    vec![Actor {
                        actor_type,
                        erp_key: keys.into_iter().next().flatten().filter(|_| is_save),
                        field_values: Some(values),
                        last_modified: None,
                        parent_actor_type,
                        parent_erp_key: parent_actor_erp_key,
                    }]
                });
                if is_save {
                    Request::SaveActors { actors: Some(actors) }
                } else if actors.len() == 1 {
                    Request::CreateActor { actor: actors.pop() }
                } else {
                    return Err(ArgumentError::NotOneActor { operation, count: actors.len() });
                }
            }
            Operation::GetList => Request::GetList { list_name },
            Operation::GetListItems => Request::GetListItems { list_name, list_item_keys: Some(keys) },
            Operation::GetActorsByTimestamp => Request::GetActorsByTimestamp {
                updated_on_or_after: self.since.map(Cow::Owned),
                actor_type,
                field_keys,
            },
            Operation::Authenticate => {
                let token = self.token.map(|token| Token(Cow::Owned(token)));
                Request::Authenticate { signed_token: token }
            }
        })
    }
}

fn texts(texts: Vec<String>) -> Vec<Text<'static>> {
    texts.into_iter().map(|text| Some(Cow::Owned(text))).collect()
}
