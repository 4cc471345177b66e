//! The two traits that an author implements.

use std::time::Duration;

use crate::{
    Actor, ActorType, Context, Error, Field, FieldType, Host, Input, Lifetime, ListItem, Parent, Restriction,
    Result, Rows, Saves, Settings,
};

/// A connector: what one plugin file offers. The host makes one when it loads the file and calls it from many threads
/// at once.
pub trait Connector: Sized + Send + Sync + 'static {
    /// The name that SuperOffice and the operator see, such as `Excel`. Unique within a host.
    const NAME: &'static str;
    /// One line for the operator.
    const DESCRIPTION: &'static str = "";
    /// The actor types that its connections may have, where that is known beforehand; shown to the operator.
    const ACTOR_TYPES: &'static [&'static str] = &[];
    /// Whether the host checks what a caller sends, by the fields that are described, before it calls a connection.
    const INPUT: Input = Input::Checked;

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
    fn settings(&self, cx: &Context) -> Result<Vec<Field>>;

    /// A list that a setting takes its values from, while the connection is being set up; `None` when there is no such
    /// list.
    ///
    /// # Errors
    /// The list cannot be read.
    fn list(&self, cx: &Context, name: &str) -> Result<Option<Vec<ListItem>>> {
        let _ = (cx, name);
        Ok(None)
    }

    /// Tests settings before they are saved. Opens a connection, tests that one and closes it, unless overridden.
    ///
    /// # Errors
    /// The settings do not work; the administrator reads why.
    fn test(&self, cx: &Context, settings: &Settings) -> Result<()> {
        let connection = self.connect(cx, settings)?;
        let tested = connection.test(cx);
        if let Err(error) = connection.close(cx) {
            cx.warn(error.user_text());
        }
        tested
    }

    /// Opens a connection. The host keeps it for as long as its settings stay the same, and calls it from many threads
    /// at once.
    ///
    /// # Errors
    /// The connection cannot be opened; when it is tried again depends on the [`ErrorKind`](crate::ErrorKind).
    fn connect(&self, cx: &Context, settings: &Settings) -> Result<Self::Connection>;

    /// A connection was deleted: removes what the connector keeps for it elsewhere than in its [folder](Context::folder), which is
    /// removed afterwards, and which `cx` still has.
    ///
    /// Called after the last call of the connection, when it was closed. A connection that was deleted while the host did not run,
    /// or this connector was not loaded, is noticed later, if it has a folder. May come more than once, and for a connection that
    /// was never opened: it has to work again and again.
    ///
    /// # Errors
    /// It cannot be removed. The host logs it, keeps the folder and tries again later.
    fn connection_deleted(&self, cx: &Context, guid: &str) -> Result<()> {
        let _ = (cx, guid);
        Ok(())
    }
}

/// An open connection to one ERP company.
///
/// A connector that can list its actors, but search them in no better way, implements [`ListBased`](crate::ListBased) and lets
/// [`list_based!`](macro@crate::list_based) write [`get`](Connection::get), [`search`](Connection::search), [`search_text`](Connection::search_text)
/// and [`changed_since`](Connection::changed_since), all or some of them. One whose ERP system can be queried implements
/// [`QueryBased`](crate::QueryBased), and [`query_based!`](macro@crate::query_based) writes them.
///
/// Methods that answer with actors push them to `rows`, one after the other: a result set of any size needs no memory.
/// `rows` sends only the fields that the caller asked for. A call that works may still tell the user something:
/// [`Context::info`], [`Context::warn`].
pub trait Connection: Send + Sync + 'static {
    /// Whether a save is one transaction: all of its actors are saved, or none. Otherwise each is saved, or refused, alone.
    const SAVES_TOGETHER: bool = false;

    /// Tests the connection. The default is Ok: a connection that could be opened works.
    ///
    /// # Errors
    /// It does not work; the administrator reads why.
    fn test(&self, cx: &Context) -> Result<()> {
        let _ = cx;
        Ok(())
    }

    /// How long the connection stays open, and how often it is refreshed. Asked once, when it was opened. The default is what the
    /// operator has configured, without a refresh.
    fn lifetime(&self, cx: &Context) -> Lifetime {
        let _ = cx;
        Lifetime::default()
    }

    /// Work in the background for an open connection, as often as its [`lifetime`](Connection::lifetime) says: renews a session
    /// or a token before it expires, or warms a cache. One at a time for each connection; other calls may run at the same time.
    /// It is left out while the connector is busy with calls.
    ///
    /// # Errors
    /// It failed, and nobody gets an answer: the host logs the error. [`ErrorKind::Reopen`](crate::ErrorKind) closes the connection,
    /// and `Settings` keeps it closed until its settings are saved, as for any call.
    fn refresh(&self, cx: &Context) -> Result<()> {
        let _ = cx;
        Ok(())
    }

    /// Closes the connection: ends the session in the ERP system. Called once, before the connection is dropped, when no call runs in
    /// it any more: its settings have changed, nobody has used it for a while, it is old or deleted, the connector was replaced,
    /// or the host stops. Not called when a process has crashed.
    ///
    /// There is little time, about ten seconds: give what blocks a [timeout](Context::timeout).
    ///
    /// # Errors
    /// It failed. The host logs the error; the connection is dropped in any case.
    fn close(&self, cx: &Context) -> Result<()> {
        let _ = cx;
        Ok(())
    }

    /// The actor types that can be synchronised, such as `Customer`, each with the types of its parents.
    ///
    /// # Errors
    /// They cannot be read.
    fn actor_types(&self, cx: &Context) -> Result<Vec<ActorType>>;

    /// The fields of an actor type.
    ///
    /// # Errors
    /// There is no such actor type, or they cannot be read.
    fn fields(&self, cx: &Context, actor_type: &str) -> Result<Vec<Field>>;

    /// For how long the host may use what [`actor_types`](Connection::actor_types), [`fields`](Connection::fields) and
    /// [`list`](Connection::list) have answered, to check what is sent. Zero: it asks anew in each call that it checks. Asked
    /// once, when the connection was opened. Before the host refuses anything it asks anew in any case.
    fn description_lifetime(&self, cx: &Context) -> Duration {
        let _ = cx;
        DESCRIPTION_LIFETIME
    }

    /// The keys of the fields that can be searched: all that hold a value, unless overridden.
    /// The text search looks into those that are text.
    ///
    /// # Errors
    /// There is no such actor type, or they cannot be read.
    fn searchable_fields(&self, cx: &Context, actor_type: &str) -> Result<Vec<String>> {
        Ok(searchable(self.fields(cx, actor_type)?))
    }

    /// The actors with these keys; keys that do not exist are left out.
    ///
    /// # Errors
    /// There is no such actor type, or they cannot be read. Rows that were pushed before are dropped.
    fn get(&self, cx: &Context, actor_type: &str, keys: &[&str], rows: &mut Rows<'_>) -> Result<()>;

    /// The actors that all restrictions hold for; without restrictions all.
    ///
    /// # Errors
    /// As for [`get`](Connection::get), or a restriction makes no sense for its field.
    fn search(
        &self,
        cx: &Context,
        actor_type: &str,
        restrictions: &[Restriction],
        rows: &mut Rows<'_>,
    ) -> Result<()>;

    /// The actors with this text in one of their searchable text fields, or as their key, in any case; below a parent
    /// if there is one. An empty text finds all.
    ///
    /// # Errors
    /// As for [`get`](Connection::get).
    fn search_text(
        &self,
        cx: &Context,
        actor_type: &str,
        text: &str,
        parent: Option<&Parent>,
        rows: &mut Rows<'_>,
    ) -> Result<()>;

    /// The actors whose stamp is this one or a later one, all without a stamp.
    ///
    /// # Errors
    /// As for [`get`](Connection::get).
    fn changed_since(
        &self,
        cx: &Context,
        actor_type: &str,
        stamp: Option<&str>,
        rows: &mut Rows<'_>,
    ) -> Result<()>;

    /// Creates an actor and pushes it as it is now, with its key and stamp. The host has checked its fields: see [`Input`].
    ///
    /// # Errors
    /// It cannot be created; nothing has changed then.
    fn create(&self, cx: &Context, actor: &Actor, rows: &mut Rows<'_>) -> Result<()> {
        let _ = (cx, rows);
        Err(read_only("created", &actor.actor_type))
    }

    /// Saves changed actors, and gives each its result: saved, refused or unknown. See [`Saves`]. The host has checked their fields:
    /// see [`Input`]. Actors that it refuses are not among them.
    ///
    /// # Errors
    /// The actors that have no result yet are not saved, or it is unknown whether they are: by the kind of the error.
    fn save(&self, cx: &Context, saves: &mut Saves<'_>) -> Result<()> {
        let _ = cx;
        Err(read_only("saved", saves.actors().first().map_or("actor", |actor| &actor.actor_type)))
    }

    /// A list by its name, as fields name it; `None` when there is no such list.
    ///
    /// # Errors
    /// It cannot be read.
    fn list(&self, cx: &Context, name: &str) -> Result<Option<Vec<ListItem>>> {
        let _ = (cx, name);
        Ok(None)
    }

    /// The items of a list with these keys; keys that do not exist are left out. Filters
    /// [`list`](Connection::list) unless overridden. `None` when there is no such list.
    ///
    /// # Errors
    /// The list cannot be read.
    fn list_items(&self, cx: &Context, name: &str, keys: &[&str]) -> Result<Option<Vec<ListItem>>> {
        let wanted = |item: &ListItem| keys.contains(&item.key.as_str());
        Ok(self.list(cx, name)?.map(|items| items.into_iter().filter(wanted).collect()))
    }
}

/// For how long descriptions are used, unless a connection says otherwise.
pub(crate) const DESCRIPTION_LIFETIME: Duration = Duration::from_secs(300);

/// The keys of the fields that hold a value that may be searched.
fn searchable(fields: Vec<Field>) -> Vec<String> {
    let holds_value = |field: &Field| !matches!(field.field_type, FieldType::Label | FieldType::Password);
    fields.into_iter().filter(holds_value).map(|field| field.key).collect()
}

/// The error of a connection that cannot write.
pub(crate) fn read_only(what: &str, actor_type: &str) -> Error {
    Error::user(format!("{actor_type} cannot be {what}: this connector is read only"))
}

/// The fields that the connection lets search in.
pub(crate) fn searchable_fields<C: Connection + ?Sized>(
    connection: &C,
    cx: &Context,
    actor_type: &str,
) -> Result<Vec<Field>> {
    let keys = connection.searchable_fields(cx, actor_type)?;
    let mut fields = connection.fields(cx, actor_type)?;
    fields.retain(|field| keys.contains(&field.key));
    Ok(fields)
}
