//! Searches by listing: connections that can list their actors, and search them in no better way.

use std::collections::HashSet;

use crate::abi::RowRef;
use crate::connector::searchable_fields;
use crate::{Connection, Context, Matcher, Parent, Restriction, Result, RowFilter, Rows, TextMatcher};

/// A connection that can list all actors of a type. [`list_based!`](macro@crate::list_based) writes its searches.
///
/// Every search then reads all actors: right for a file, and for an ERP system with hundreds of actors. A connection to a
/// large system overrides at least [`Connection::get`] and [`Connection::changed_since`], which are called most.
///
/// ```
/// use plugin_api::{ActorType, Connection, Context, Field, ListBased, Result, Rows};
///
/// struct Company;
///
/// impl ListBased for Company {
///     fn actors(&self, _cx: &Context, _actor_type: &str, rows: &mut Rows<'_>) -> Result<()> {
///         rows.row(1).field("NAME", "Fjord & Fjell").end()
///     }
/// }
///
/// impl Connection for Company {
///     fn actor_types(&self, _cx: &Context) -> Result<Vec<ActorType>> {
///         Ok(vec!["Customer".into()])
///     }
///
///     fn fields(&self, _cx: &Context, _actor_type: &str) -> Result<Vec<Field>> {
///         Ok(vec![Field::text("NAME")])
///     }
///
///     plugin_api::list_based!(get, search, search_text, changed_since);
/// }
/// ```
pub trait ListBased: Connection {
    /// All actors of a type.
    ///
    /// # Errors
    /// There is no such actor type, or they cannot be read. Rows that were pushed before are dropped.
    fn actors(&self, cx: &Context, actor_type: &str, rows: &mut Rows<'_>) -> Result<()>;
}

/// Writes methods of [`Connection`] that look through all actors of a [`ListBased`] connection: those that are named, of `get`,
/// `search`, `search_text` and `changed_since`. A line in the `impl Connection` block.
#[macro_export]
macro_rules! list_based {
    ($($method:ident),+ $(,)?) => { $($crate::__search!(list_based $method);)+ };
}

/// [`Connection::get`] by listing.
///
/// # Errors
/// As for [`ListBased::actors`].
pub fn get<C: ListBased + ?Sized>(
    connection: &C,
    cx: &Context,
    actor_type: &str,
    keys: &[&str],
    rows: &mut Rows<'_>,
) -> Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    connection.actors(cx, actor_type, &mut rows.filtered(&Keys(keys.iter().copied().collect()))?)
}

/// [`Connection::search`] by listing: with a [`Matcher`] of the searchable fields.
///
/// # Errors
/// As for [`ListBased::actors`], or a restriction makes no sense for its field.
pub fn search<C: ListBased + ?Sized>(
    connection: &C,
    cx: &Context,
    actor_type: &str,
    restrictions: &[Restriction],
    rows: &mut Rows<'_>,
) -> Result<()> {
    let matcher = Matcher::of(connection, cx, actor_type, restrictions)?;
    connection.actors(cx, actor_type, &mut rows.filtered(&matcher)?)
}

/// [`Connection::search_text`] by listing.
///
/// # Errors
/// As for [`ListBased::actors`].
pub fn search_text<C: ListBased + ?Sized>(
    connection: &C,
    cx: &Context,
    actor_type: &str,
    text: &str,
    parent: Option<&Parent>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let matcher = TextMatcher::new(text, &searchable_fields(connection, cx, actor_type)?, parent);
    connection.actors(cx, actor_type, &mut rows.filtered(&matcher)?)
}

/// [`Connection::changed_since`] by listing: compares stamps as texts.
///
/// # Errors
/// As for [`ListBased::actors`].
pub fn changed_since<C: ListBased + ?Sized>(
    connection: &C,
    cx: &Context,
    actor_type: &str,
    stamp: Option<&str>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    match stamp.filter(|stamp| !stamp.is_empty()) {
        None => connection.actors(cx, actor_type, rows),
        Some(stamp) => connection.actors(cx, actor_type, &mut rows.filtered(&ChangedSince(stamp))?),
    }
}

/// The actors with these keys.
pub(crate) struct Keys<'a>(pub(crate) HashSet<&'a str>);

impl RowFilter for Keys<'_> {
    fn needs(&self, _field: &str) -> bool {
        false
    }

    fn matches(&self, row: &RowRef<'_>) -> bool {
        self.0.contains(row.key)
    }
}

struct ChangedSince<'a>(&'a str);

impl RowFilter for ChangedSince<'_> {
    fn needs(&self, _field: &str) -> bool {
        false
    }

    fn matches(&self, row: &RowRef<'_>) -> bool {
        // An actor without a stamp may have changed at any time.
        row.last_modified.is_none_or(|stamp| stamp >= self.0)
    }
}
