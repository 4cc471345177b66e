//! The connector under test: what it answered when it was first asked, and calls to it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::report::Stop;
use crate::testing::collect;
use crate::testing::trial::shown;
use crate::{
    Actor, Connection, Connector, Error, Field, Outcome, Parent, Restriction, Result, Rows, Settings,
};

/// A name that is no actor type, field, list or key of anybody.
pub(super) const NOBODY: &str = "no-such-thing-51a7";

/// The connector under test.
pub(super) struct Subject<'c, C: Connector> {
    pub(super) connector: &'c C,
    pub(super) settings: &'c Settings,
    pub(super) examples: &'c [Actor],
    /// The form of its settings.
    pub(super) form: Result<Vec<Field>>,
    connection: Result<C::Connection>,
    /// Its actor types, each once.
    types: Result<Vec<Type>>,
    /// The rules that were found to be broken.
    pub(super) failed: Vec<u16>,
}

/// An actor type of the connection under test.
pub(super) struct Type {
    pub(super) name: String,
    pub(super) writable: bool,
    pub(super) fields: Result<Vec<Field>>,
    pub(super) searchable: Result<Vec<String>>,
    pub(super) actors: Result<Vec<Actor>>,
}

/// An actor type whose fields and actors could be read.
pub(super) struct Listed<'s> {
    pub(super) name: &'s str,
    pub(super) writable: bool,
    pub(super) fields: &'s [Field],
    pub(super) searchable: Vec<Field>,
    pub(super) actors: &'s [Actor],
}

impl<'c, C: Connector> Subject<'c, C> {
    pub(super) fn new(
        connector: &'c C,
        settings: &'c Settings,
        examples: &'c [Actor],
        may_write: impl Fn(&str) -> bool,
    ) -> Self {
        let connection = guarded(|| connector.connect(settings));
        let types = match &connection {
            Ok(connection) => guarded(|| connection.actor_types()).map(|mut names| {
                names.sort();
                names.dedup();
                names.into_iter().map(|name| Type::read(connection, may_write(&name), name)).collect()
            }),
            Err(_) => Err(Error::user("the connection cannot be opened")),
        };
        let form = guarded(|| connector.settings());
        Subject { connector, settings, examples, form, connection, types, failed: Vec::new() }
    }

    /// The connection.
    pub(super) fn connection(&self) -> Result<&C::Connection, Stop> {
        self.connection.as_ref().map_err(|_| first(4))
    }

    /// Why it could not be opened.
    pub(super) fn opened(&self) -> Result<(), &Error> {
        self.connection.as_ref().map(drop)
    }

    /// The actor types.
    pub(super) fn types(&self) -> Result<&[Type], Stop> {
        self.connection()?;
        self.types.as_deref().map_err(|error| Stop::call("actor_types", error))
    }

    /// The actor types, when their fields and actors are known and have keys of their own.
    pub(super) fn listed(&self) -> Result<Vec<Listed<'_>>, Stop> {
        self.after(&[4, 6, 7, 9, 11])?;
        let listed = self.types()?.iter().map(|one| {
            let fields = one.fields.as_deref().map_err(|_| first(7))?;
            let keys = one.searchable.as_ref().map_err(|_| first(9))?;
            Ok(Listed {
                name: &one.name,
                writable: one.writable,
                fields,
                searchable: fields.iter().filter(|field| keys.contains(&field.key)).cloned().collect(),
                actors: one.actors.as_deref().map_err(|_| first(11))?,
            })
        });
        listed.collect()
    }

    /// The actor types, when their actors are the same at each call too: what a search is compared with.
    pub(super) fn stable(&self) -> Result<Vec<Listed<'_>>, Stop> {
        self.after(&[12])?;
        self.listed()
    }

    /// Says that other rules must hold first.
    pub(super) fn after(&self, rules: &[u16]) -> Result<(), Stop> {
        rules.iter().find(|rule| self.failed.contains(rule)).map_or(Ok(()), |rule| Err(first(*rule)))
    }

    /// All actors of a type, with all fields.
    pub(super) fn actors(&self, actor_type: &str) -> Result<Vec<Actor>, Stop> {
        let connection = self.connection()?;
        answer(&format!("{actor_type}: actors"), actor_type, None, |rows| connection.actors(actor_type, rows))
    }

    /// Actors by their keys.
    pub(super) fn get(
        &self,
        actor_type: &str,
        fields: Option<&[&str]>,
        keys: &[&str],
    ) -> Result<Vec<Actor>, Stop> {
        let connection = self.connection()?;
        let what = format!("{actor_type}: get of {} keys", keys.len());
        answer(&what, actor_type, fields, |rows| connection.get(actor_type, keys, rows))
    }

    /// The keys of the actors that restrictions find.
    pub(super) fn search(&self, actor_type: &str, restrictions: &[Restriction]) -> Result<Vec<String>, Stop> {
        let connection = self.connection()?;
        let what = format!("{actor_type}: search for {}", shown(restrictions));
        let found =
            answer(&what, actor_type, Some(&[]), |rows| connection.search(actor_type, restrictions, rows))?;
        Ok(keys(&found))
    }

    /// The keys of the actors with a text.
    pub(super) fn search_text(
        &self,
        actor_type: &str,
        text: &str,
        parent: Option<&Parent>,
    ) -> Result<Vec<String>, Stop> {
        let connection = self.connection()?;
        let what = format!("{actor_type}: search_text for {text:?}");
        let found = answer(&what, actor_type, Some(&[]), |rows| {
            connection.search_text(actor_type, text, parent, rows)
        })?;
        Ok(keys(&found))
    }

    /// The keys of the actors that changed.
    pub(super) fn changed_since(&self, actor_type: &str, stamp: Option<&str>) -> Result<Vec<String>, Stop> {
        let connection = self.connection()?;
        let what = format!("{actor_type}: changed_since {stamp:?}");
        let found =
            answer(&what, actor_type, Some(&[]), |rows| connection.changed_since(actor_type, stamp, rows))?;
        Ok(keys(&found))
    }
}

impl Type {
    fn read(connection: &impl Connection, writable: bool, name: String) -> Self {
        let fields = guarded(|| connection.fields(&name));
        let searchable = guarded(|| connection.searchable_fields(&name));
        let actors = guarded(|| collect(&name, None, |rows| connection.actors(&name, rows)));
        let actors = actors.map(|(actors, _)| actors);
        Type { name, writable, fields, searchable, actors }
    }
}

/// A call whose panic is an error.
fn guarded<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|panic| Err(Error::user(format!("the connector panicked: {}", told(&*panic)))))
}

/// The message of a panic.
pub(super) fn told(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

/// The actors that a call answers with. A call that fails breaks the rule.
pub(super) fn answer(
    what: &str,
    actor_type: &str,
    fields: Option<&[&str]>,
    method: impl FnOnce(&mut Rows<'_>) -> Result<Outcome>,
) -> Result<Vec<Actor>, Stop> {
    match collect(actor_type, fields, method) {
        Ok((_, outcome)) if !outcome.state.is_ok() => {
            let text = outcome.user.unwrap_or_default();
            Err(Stop::Failed(format!("{what} answered with state Error, expected an answer: {text}")))
        }
        Ok((actors, _)) => Ok(actors),
        Err(error) => Err(Stop::call(what, &error)),
    }
}

/// Another rule must hold first.
pub(super) fn first(rule: u16) -> Stop {
    Stop::Skipped(format!("rule {rule} must hold first"))
}

/// The keys of actors, sorted.
pub(super) fn keys(actors: &[Actor]) -> Vec<String> {
    let mut keys: Vec<_> = actors.iter().map(|actor| actor.key.clone()).collect();
    keys.sort();
    keys
}

/// Whether two actors are the same. Null and absent fields are, and the order of fields does not matter.
pub(super) fn same(one: &Actor, other: &Actor) -> bool {
    fn plain(actor: &Actor) -> Vec<(&str, &str)> {
        let fields = actor.fields.iter();
        let mut fields: Vec<_> =
            fields.filter_map(|(key, value)| Some((key.as_str(), value.as_deref()?))).collect();
        fields.sort_unstable();
        fields
    }
    one.actor_type == other.actor_type
        && one.key == other.key
        && one.last_modified == other.last_modified
        && one.parent == other.parent
        && plain(one) == plain(other)
}

/// What distinguishes the keys that came from those expected, both sorted: `None` when they are the same.
pub(super) fn difference(came: &[String], expected: &[String]) -> Option<String> {
    if came == expected {
        return None;
    }
    let without = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|key| those.binary_search(key).is_err()).cloned().collect()
    };
    let (missing, extra) = (without(expected, came), without(came, expected));
    let (missing_text, extra_text) = (few(&missing), few(&extra));
    Some(match (missing.is_empty(), extra.is_empty()) {
        (false, true) => format!("does not find {missing_text}, expected it"),
        (true, false) => format!("finds {extra_text}, which does not belong there"),
        (false, false) => {
            format!("does not find {missing_text}, but {extra_text}, which does not belong there")
        }
        (true, true) => format!("finds an actor twice: {} rows, expected {}", came.len(), expected.len()),
    })
}

fn few(keys: &[String]) -> String {
    let mut text = keys.iter().take(3).map(|key| format!("{key:?}")).collect::<Vec<_>>().join(", ");
    if keys.len() > 3 {
        text.push_str(&format!(" and {} more", keys.len() - 3));
    }
    text
}
