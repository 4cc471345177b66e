//! What an operation is called with, from flags to a request.

use std::borrow::Cow;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use contract::{Actor, Dictionary, Guid, Operation, Operator, Request, Restriction, Text, Token};
use serde_json::Value as Json;

use super::restriction;
use crate::commands::service::SetFlags;

#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "What it is called with")]
pub(super) struct Arguments {
    /// GUID of the connection, in any form
    #[arg(long, short, value_name = "GUID")]
    connection: Option<String>,
    /// Actor type: Customer, Supplier, Partner, Person, Project
    #[arg(long = "type", short = 't', value_name = "TYPE")]
    actor_type: Option<String>,
    /// Key of an actor or of a list item. May be given several times
    #[arg(long, short, value_name = "KEY")]
    key: Vec<String>,
    /// Keys of the fields to answer with, with commas between; `--fields ''` for none. Without it: all
    #[arg(long, short, value_name = "FIELD,..")]
    fields: Option<String>,
    /// A restriction of the search: field, operator, values; `between A and B`, `oneof A,B`. May be given several times
    #[arg(long = "where", short = 'w', value_name = "RESTRICTION", value_parser = restriction::parse)]
    restrictions: Vec<Restriction<'static>>,
    /// Text to search for
    #[arg(long, short, value_name = "TEXT")]
    search: Option<String>,
    /// Actor type and key of the parent
    #[arg(long, short, value_name = "TYPE:KEY", value_parser = parent)]
    parent: Option<(String, String)>,
    /// Name of a list
    #[arg(long, short, value_name = "NAME")]
    list: Option<String>,
    /// Stamp (LastModified) to search changes from; without it from the beginning
    #[arg(long, value_name = "STAMP")]
    since: Option<String>,
    #[command(flatten)]
    set: SetFlags,
    /// JSON file with the actors to write, in the form that --json shows them in; `-` for standard input
    #[arg(long, value_name = "FILE")]
    actors: Option<PathBuf>,
    /// File with the signed token to authenticate with; `-` for standard input
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// What an operation can be called with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
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

impl Takes {
    const fn flag(self) -> &'static str {
        match self {
            Takes::Connection => "--connection",
            Takes::Type => "--type",
            Takes::Key => "--key",
            Takes::Fields => "--fields",
            Takes::Where => "--where",
            Takes::Search => "--search",
            Takes::Parent => "--parent",
            Takes::List => "--list",
            Takes::Since => "--since",
            Takes::Set => "--set, --set-file, --ask or --null",
            Takes::Actors => "--actors",
            Takes::Token => "--token-file",
        }
    }
}

/// What an operation takes: what it needs, and what it can do without.
fn taken(operation: Operation) -> (&'static [Takes], &'static [Takes]) {
    use Operation as Op;
    use Takes::{Actors, Connection, Fields, Key, List, Parent, Search, Set, Since, Token, Type, Where};
    match operation {
        Op::GetConfigData => (&[], &[]),
        // Settings may be none at all.
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

/// The operation of this name, in any case, with or without `WS`.
pub(super) fn operation(name: &str) -> Result<Operation, String> {
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

fn parent(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((actor_type, key)) if !actor_type.is_empty() && !key.is_empty() => {
            Ok((actor_type.to_owned(), key.to_owned()))
        }
        _ => Err("expected TYPE:KEY, such as Customer:1001".to_owned()),
    }
}

impl Arguments {
    /// The GUID to call with. Lists are asked for with the all-zero one while a connection is being set up.
    pub(super) fn connection(&self, operation: Operation) -> Option<String> {
        match (&self.connection, operation) {
            (None, Operation::GetList) => Some(Guid::ZERO.to_string()),
            (given, _) => given.clone(),
        }
    }

    /// The request of an operation.
    ///
    /// # Errors
    /// Something that it needs is missing, something was given that it does not take, or a file cannot be read.
    pub(super) fn request(&self, operation: Operation) -> Result<Request<'static>, Box<dyn Error>> {
        self.check(operation)?;
        let actor_type = text(self.actor_type.as_deref());
        let keys = || Some(self.key.iter().map(|key| text(Some(key))).collect());
        let field_keys = self.fields.as_deref().map(|fields| {
            let keys = fields.split(',').map(str::trim).filter(|key| !key.is_empty());
            keys.map(|key| text(Some(key))).collect()
        });
        let (list_name, search_text) = (text(self.list.as_deref()), text(self.search.as_deref()));
        let (parent_actor_type, parent_actor_erp_key) = match &self.parent {
            Some((actor_type, key)) => (text(Some(actor_type)), text(Some(key))),
            None => (None, None),
        };
        Ok(match operation {
            Operation::GetConfigData => Request::GetConfigData,
            Operation::TestConfigData => Request::TestConfigData { connection_info: self.settings()? },
            Operation::SaveConnection => Request::SaveConnection { connection_info: self.settings()? },
            Operation::TestConnection => Request::TestConnection,
            Operation::DeleteConnection => Request::DeleteConnection,
            Operation::GetSupportedActorTypes => Request::GetSupportedActorTypes,
            Operation::GetSupportedActorTypeFields => Request::GetSupportedActorTypeFields { actor_type },
            Operation::GetActors => Request::GetActors { actor_type, erp_keys: keys(), field_keys },
            Operation::GetSearchableFields => Request::GetSearchableFields { actor_type },
            Operation::SearchActorsAdvanced => {
                let restrictions = Some(self.all_restrictions());
                Request::SearchActorsAdvanced { actor_type, restrictions, field_keys }
            }
            Operation::SearchActors => Request::SearchActors {
                actor_type,
                search_text: search_text.or(Some(Cow::Borrowed(""))),
                field_keys,
            },
            Operation::SearchActorByParent => Request::SearchActorByParent {
                actor_type,
                search_text: search_text.or(Some(Cow::Borrowed(""))),
                parent_actor_type,
                parent_actor_erp_key,
                field_keys,
            },
            Operation::CreateActor => {
                let mut actors = self.actors(operation)?;
                if actors.len() != 1 {
                    return Err(format!("{operation} takes one actor, not {}", actors.len()).into());
                }
                Request::CreateActor { actor: actors.pop() }
            }
            Operation::SaveActors => Request::SaveActors { actors: Some(self.actors(operation)?) },
            Operation::GetList => Request::GetList { list_name },
            Operation::GetListItems => Request::GetListItems { list_name, list_item_keys: keys() },
            Operation::GetActorsByTimestamp => Request::GetActorsByTimestamp {
                updated_on_or_after: text(self.since.as_deref()),
                actor_type,
                field_keys,
            },
            Operation::Authenticate => {
                let token = self.token_file.as_deref().map(read).transpose()?;
                let token = token.map(|token| Token(Cow::Owned(token.trim().to_owned())));
                Request::Authenticate { signed_token: token }
            }
        })
    }

    /// Refuses what an operation does not take, and asks for what it needs.
    fn check(&self, operation: Operation) -> Result<(), String> {
        let given = [
            (Takes::Connection, self.connection.is_some()),
            (Takes::Type, self.actor_type.is_some()),
            (Takes::Key, !self.key.is_empty()),
            (Takes::Fields, self.fields.is_some()),
            (Takes::Where, !self.restrictions.is_empty()),
            (Takes::Search, self.search.is_some()),
            (Takes::Parent, self.parent.is_some()),
            (Takes::List, self.list.is_some()),
            (Takes::Since, self.since.is_some()),
            (Takes::Set, !self.set.is_empty()),
            (Takes::Actors, self.actors.is_some()),
            (Takes::Token, self.token_file.is_some()),
        ];
        let (needed, optional) = taken(operation);
        for (what, is_given) in given {
            let flag = what.flag();
            if is_given && !needed.contains(&what) && !optional.contains(&what) {
                let known: Vec<_> = needed.iter().chain(optional).map(|one| one.flag()).collect();
                let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
                return Err(format!("{operation} does not take {flag}, only {known}"));
            }
            if !is_given && needed.contains(&what) {
                return Err(format!("{operation} needs {flag}; see erp-host call --help"));
            }
        }
        let writes = matches!(operation, Operation::CreateActor | Operation::SaveActors);
        match (writes, &self.actors, &self.actor_type) {
            (true, Some(_), Some(_)) => {
                Err("--actors holds whole actors: leave out --type, --key, --set and --parent".to_owned())
            }
            (true, None, None) => {
                Err(format!("{operation} needs --type and --set, or --actors; see erp-host call --help"))
            }
            (true, None, Some(_)) if operation == Operation::SaveActors && self.key.len() != 1 => {
                Err(format!("{operation} needs one --key; several actors go into a file: --actors"))
            }
            _ => Ok(()),
        }
    }

    fn settings(&self) -> Result<Option<Dictionary<'static>>, Box<dyn Error>> {
        Ok(Some(self.set.entries()?.into_iter().collect()))
    }

    /// The restrictions, those for the parent included: they come as a pair (contract page, section 4).
    fn all_restrictions(&self) -> Vec<Restriction<'static>> {
        let mut all = self.restrictions.clone();
        if let Some((actor_type, key)) = &self.parent {
            all.push(restriction::of("ParentActorType", Operator::Equal, &[actor_type]));
            all.push(restriction::of("ParentErpKey", Operator::Equal, &[key]));
        }
        all
    }

    fn actors(&self, operation: Operation) -> Result<Vec<Actor<'static>>, Box<dyn Error>> {
        if let Some(path) = &self.actors {
            let shown = path.display();
            let json: Json = serde_json::from_str(&read(path)?)
                .map_err(|error| format!("the actors in {shown} cannot be read: {error}"))?;
            return actors_of(&json).map_err(|error| format!("the actors in {shown}: {error}").into());
        }
        let (parent_actor_type, parent_erp_key) = match &self.parent {
            Some((actor_type, key)) => (text(Some(actor_type)), text(Some(key))),
            None => (None, None),
        };
        let erp_key = self.key.first().filter(|_| operation == Operation::SaveActors);
        Ok(vec![Actor {
            actor_type: text(self.actor_type.as_deref()),
            erp_key: text(erp_key.map(String::as_str)),
            field_values: self.settings()?,
            last_modified: None,
            parent_actor_type,
            parent_erp_key,
        }])
    }
}

fn text(text: Option<&str>) -> Text<'static> {
    text.map(|text| Cow::Owned(text.to_owned()))
}

fn read(path: &Path) -> Result<String, String> {
    let read = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        fs::read_to_string(path)
    };
    read.map_err(|error| format!("{} cannot be read: {error}", path.display()))
}

/// Actors in the form that `--json` shows them in: one, an array of them, or a whole answer with `Actors` or `Actor`.
fn actors_of(json: &Json) -> Result<Vec<Actor<'static>>, String> {
    match json {
        Json::Array(all) => all.iter().map(actor_of).collect(),
        Json::Object(answer) if answer.contains_key("Actors") => actors_of(&answer["Actors"]),
        Json::Object(answer) if answer.contains_key("Actor") => actors_of(&answer["Actor"]),
        one => Ok(vec![actor_of(one)?]),
    }
}

fn actor_of(json: &Json) -> Result<Actor<'static>, String> {
    let members = json.as_object().ok_or_else(|| format!("expected an object for an actor, not {json}"))?;
    let mut actor = Actor::default();
    for (name, value) in members {
        let text = || match value {
            Json::Null => Ok(None),
            Json::String(text) => Ok(Some(Cow::Owned(text.clone()))),
            other => Err(format!("{name}: expected a text or null, not {other}")),
        };
        match name.as_str() {
            "ActorType" => actor.actor_type = text()?,
            "ErpKey" => actor.erp_key = text()?,
            "LastModified" => actor.last_modified = text()?,
            "ParentActorType" => actor.parent_actor_type = text()?,
            "ParentErpKey" => actor.parent_erp_key = text()?,
            "FieldValues" => actor.field_values = fields_of(value)?,
            _ => {
                let known = "ActorType, ErpKey, FieldValues, LastModified, ParentActorType, ParentErpKey";
                return Err(format!("an actor has no member {name:?}, expected some of {known}"));
            }
        }
    }
    Ok(actor)
}

fn fields_of(json: &Json) -> Result<Option<Dictionary<'static>>, String> {
    if json.is_null() {
        return Ok(None);
    }
    let fields = json.as_object().ok_or_else(|| format!("FieldValues: expected an object, not {json}"))?;
    let mut entries = Vec::new();
    for (key, value) in fields {
        let value = match value {
            Json::Null => None,
            Json::String(text) => Some(text.clone()),
            other => return Err(format!("the field {key}: expected a text or null, not {other}")),
        };
        entries.push((key.clone(), value));
    }
    Ok(Some(entries.into_iter().collect()))
}
