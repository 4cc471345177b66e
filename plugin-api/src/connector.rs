//! The two traits that an author implements.

pub(crate) mod search;

use crate::{Actor, Field, Host, ListItem, Outcome, Parent, Restriction, Result, Rows, Settings};

/// A connector: what one plugin file offers. The host makes one when it loads the file and calls it from many threads
/// at once.
pub trait Connector: Sized + Send + Sync + 'static {
    /// The name that SuperOffice and the operator see, such as `Excel`. Unique within a host.
    const NAME: &'static str;
    /// One line for the operator.
    const DESCRIPTION: &'static str = "";
    /// The actor types that its connections may have, where that is known beforehand; shown to the operator.
    const ACTOR_TYPES: &'static [&'static str] = &[];

    /// The type of an open connection.
    type Connection: Connection;

    /// Makes the connector. Called once, when the file is loaded: quick, and without a network.
    ///
    /// # Errors
    /// The connector cannot work here; the operator reads why.
    fn new(host: &Host) -> Result<Self>;

    /// The settings that a connection needs: the form that an administrator fills in.
    ///
    /// # Errors
    /// The form cannot be made.
    fn settings(&self) -> Result<Vec<Field>>;

    /// A list that a setting takes its values from, while the connection is being set up; `None` when there is no such
    /// list.
    ///
    /// # Errors
    /// The list cannot be read.
    fn list(&self, name: &str) -> Result<Option<Vec<ListItem>>> {
        let _ = name;
        Ok(None)
    }

    /// Tests settings before they are saved. Opens a connection and tests that one, unless overridden.
    ///
    /// # Errors
    /// The settings do not work; the administrator reads why.
    fn test(&self, settings: &Settings) -> Result<Outcome> {
        self.connect(settings)?.test()
    }

    /// Opens a connection. The host keeps it for as long as its settings stay the same, and calls it from many threads
    /// at once.
    ///
    /// # Errors
    /// The connection cannot be opened; it is tried again at the next call.
    fn connect(&self, settings: &Settings) -> Result<Self::Connection>;
}

/// An open connection to one ERP company.
///
/// A connector that implements [`actor_types`](Connection::actor_types), [`fields`](Connection::fields) and
/// [`actors`](Connection::actors) can be read and searched in every way of the contract; the
/// other methods are there to do it faster, or to write.
///
/// Methods that answer with actors push them to `rows`, one after the other: a result set of any size needs no memory.
/// `rows` sends only the fields that the caller asked for.
pub trait Connection: Send + Sync + 'static {
    /// Tests the connection. The default is Ok: a connection that could be opened works.
    ///
    /// # Errors
    /// It does not work; the administrator reads why.
    fn test(&self) -> Result<Outcome> {
        Ok(Outcome::ok())
    }

    /// The actor types that can be synchronised, such as `Customer`.
    ///
    /// # Errors
    /// They cannot be read.
    fn actor_types(&self) -> Result<Vec<String>>;

    /// The fields of an actor type.
    ///
    /// # Errors
    /// There is no such actor type, or they cannot be read.
    fn fields(&self, actor_type: &str) -> Result<Vec<Field>>;

    /// The keys of the fields that can be searched: all that hold a value, unless overridden.
    /// The text search looks into those that are text.
    ///
    /// # Errors
    /// There is no such actor type, or they cannot be read.
    fn searchable_fields(&self, actor_type: &str) -> Result<Vec<String>> {
        search::searchable(self.fields(actor_type)?)
    }

    /// All actors of a type.
    ///
    /// # Errors
    /// There is no such actor type, or they cannot be read. Rows that were pushed before are dropped.
    fn actors(&self, actor_type: &str, rows: &mut Rows<'_>) -> Result<Outcome>;

    /// The actors with these keys; keys that do not exist are left out. Looks through [`actors`](Connection::actors) unless overridden.
    ///
    /// # Errors
    /// As for [`actors`](Connection::actors).
    fn get(&self, actor_type: &str, keys: &[&str], rows: &mut Rows<'_>) -> Result<Outcome> {
        search::by_keys(self, actor_type, keys, rows)
    }

    /// The actors that all restrictions hold for; without restrictions all. Filters [`actors`](Connection::actors) with
    /// a [`Matcher`](crate::Matcher) of its searchable fields unless overridden.
    ///
    /// # Errors
    /// As for [`actors`](Connection::actors), or a restriction makes no sense for its field.
    fn search(&self, actor_type: &str, restrictions: &[Restriction], rows: &mut Rows<'_>) -> Result<Outcome> {
        search::by_restrictions(self, actor_type, restrictions, rows)
    }

    /// The actors with this text in one of their searchable text fields, or as their key, in any case; below a parent
    /// if there is one. An empty text finds all. Filters [`actors`](Connection::actors) unless overridden.
    ///
    /// # Errors
    /// As for [`actors`](Connection::actors).
    fn search_text(
        &self,
        actor_type: &str,
        text: &str,
        parent: Option<&Parent>,
        rows: &mut Rows<'_>,
    ) -> Result<Outcome> {
        search::by_text(self, actor_type, text, parent, rows)
    }

    /// The actors whose stamp is this one or a later one, all without a stamp. Compares
    /// [`Actor::last_modified`] as texts, unless overridden.
    ///
    /// # Errors
    /// As for [`actors`](Connection::actors).
    fn changed_since(&self, actor_type: &str, stamp: Option<&str>, rows: &mut Rows<'_>) -> Result<Outcome> {
        search::by_stamp(self, actor_type, stamp, rows)
    }

    /// Creates an actor and pushes it as it is now, with its key and stamp.
    ///
    /// # Errors
    /// It cannot be created; nothing has changed then.
    fn create(&self, actor: &Actor, rows: &mut Rows<'_>) -> Result<Outcome> {
        let _ = rows;
        Err(search::read_only("created", &actor.actor_type))
    }

    /// Saves changed actors and pushes each as it is now, with its new stamp. Only the fields that came are changed.
    ///
    /// # Errors
    /// They cannot be saved; the text names them.
    fn save(&self, actors: &[Actor], rows: &mut Rows<'_>) -> Result<Outcome> {
        let _ = rows;
        Err(search::read_only("saved", actors.first().map_or("actor", |actor| &actor.actor_type)))
    }

    /// A list by its name, as fields name it; `None` when there is no such list.
    ///
    /// # Errors
    /// It cannot be read.
    fn list(&self, name: &str) -> Result<Option<Vec<ListItem>>> {
        let _ = name;
        Ok(None)
    }

    /// The items of a list with these keys; keys that do not exist are left out. Filters
    /// [`list`](Connection::list) unless overridden. `None` when there is no such list.
    ///
    /// # Errors
    /// The list cannot be read.
    fn list_items(&self, name: &str, keys: &[&str]) -> Result<Option<Vec<ListItem>>> {
        let wanted = |item: &ListItem| keys.contains(&item.key.as_str());
        Ok(self.list(name)?.map(|items| items.into_iter().filter(wanted).collect()))
    }
}
