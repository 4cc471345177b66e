//! Searches by a query: connections whose ERP system finds actors by itself.

use crate::connector::searchable_fields;
use crate::list_based::Keys;
use crate::{
    Connection, Context, FieldType, Matcher, Operator, Parent, Restriction, Result, Rows, TextMatcher,
};

/// A connection whose ERP system can be queried: with SQL, or with parameters of an address.
/// [`query_based!`](macro@crate::query_based) writes its searches by one method.
///
/// The method pushes all actors that a [`Query`] finds, and perhaps more: what the ERP system compares in another way, or not at
/// all, is left to the filter of the rows.
///
/// ```
/// use plugin_api::{ActorType, Connection, Context, Field, LikeDialect, Query, QueryBased, Result, Rows};
/// # fn select(condition: &str, values: &[String]) -> Result<Vec<(u32, String)>> { Ok(vec![]) }
///
/// struct Company;
///
/// impl QueryBased for Company {
///     fn query(&self, _cx: &Context, _actor_type: &str, query: &Query<'_>, rows: &mut Rows<'_>) -> Result<()> {
///         let (mut condition, mut values) = ("TRUE".to_owned(), Vec::new());
///         for restriction in query.restrictions.iter().filter(|restriction| restriction.field == "NAME") {
///             if let Some(pattern) = restriction.like(LikeDialect::SQL) {
///                 condition.push_str(" AND lower(name) LIKE lower(?)");
///                 values.push(pattern);
///             }
///         }
///         if let Some(stamp) = query.changed_since {
///             condition.push_str(" AND changed >= ?");
///             values.push(stamp.to_owned());
///         }
///         for (number, name) in select(&condition, &values)? {
///             rows.row(number).field("NAME", name.as_str()).end()?;
///         }
///         Ok(())
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
///     plugin_api::query_based!(get, search, search_text, changed_since);
/// }
/// ```
pub trait QueryBased: Connection {
    /// All actors of a type that the query finds, and perhaps more.
    ///
    /// # Errors
    /// There is no such actor type, or they cannot be read. Rows that were pushed before are dropped.
    fn query(&self, cx: &Context, actor_type: &str, query: &Query<'_>, rows: &mut Rows<'_>) -> Result<()>;
}

/// What a search finds: the actors for which everything holds that is set. Without anything it finds all actors of the type.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Query<'q> {
    /// The key is one of these.
    pub keys: Option<&'q [&'q str]>,
    /// The actor is below this one.
    pub parent: Option<&'q Parent>,
    /// These restrictions hold, all of them. The parent is not among them.
    pub restrictions: Vec<Restriction>,
    /// This text is the key, or one of [`any`](Query::any) holds.
    pub text: Option<&'q str>,
    /// With a [`text`](Query::text): for each searchable field of type Text the restriction that it contains the text.
    pub any: Vec<Restriction>,
    /// The actor was changed at this stamp or after it. Rows are not filtered by it: leave a margin where changes can be read some time
    /// after their stamp only.
    pub changed_since: Option<&'q str>,
}

/// Writes methods of [`Connection`] by the query of a [`QueryBased`] connection: those that are named, of `get`, `search`,
/// `search_text` and `changed_since`. A line in the `impl Connection` block.
#[macro_export]
macro_rules! query_based {
    ($($method:ident),+ $(,)?) => { $($crate::__search!(query_based $method);)+ };
}

/// [`Connection::get`] by a query.
///
/// # Errors
/// As for [`QueryBased::query`].
pub fn get<C: QueryBased + ?Sized>(
    connection: &C,
    cx: &Context,
    actor_type: &str,
    keys: &[&str],
    rows: &mut Rows<'_>,
) -> Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let query = Query { keys: Some(keys), ..Query::default() };
    connection.query(cx, actor_type, &query, &mut rows.filtered(&Keys(keys.iter().copied().collect()))?)
}

/// [`Connection::search`] by a query, and a [`Matcher`] of the searchable fields.
///
/// # Errors
/// As for [`QueryBased::query`], or a restriction makes no sense for its field.
pub fn search<C: QueryBased + ?Sized>(
    connection: &C,
    cx: &Context,
    actor_type: &str,
    restrictions: &[Restriction],
    rows: &mut Rows<'_>,
) -> Result<()> {
    let matcher = Matcher::of(connection, cx, actor_type, restrictions)?;
    let is_parent = |field: &str| [Restriction::PARENT_TYPE, Restriction::PARENT_KEY].contains(&field);
    let restrictions = restrictions.iter().filter(|restriction| !is_parent(&restriction.field));
    let query =
        Query { parent: matcher.parent(), restrictions: restrictions.cloned().collect(), ..Query::default() };
    connection.query(cx, actor_type, &query, &mut rows.filtered(&matcher)?)
}

/// [`Connection::search_text`] by a query, and a [`TextMatcher`] of the searchable fields.
///
/// # Errors
/// As for [`QueryBased::query`].
pub fn search_text<C: QueryBased + ?Sized>(
    connection: &C,
    cx: &Context,
    actor_type: &str,
    text: &str,
    parent: Option<&Parent>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let fields = searchable_fields(connection, cx, actor_type)?;
    let matcher = TextMatcher::new(text, &fields, parent);
    let text = Some(text.trim()).filter(|text| !text.is_empty());
    let is_text = |field: &&crate::Field| field.field_type == FieldType::Text;
    let contains = |field: &crate::Field| Restriction::new(field.key.as_str(), Operator::Contains, text);
    let any = text.map(|_| fields.iter().filter(is_text).map(contains).collect());
    let query = Query { parent, text, any: any.unwrap_or_default(), ..Query::default() };
    connection.query(cx, actor_type, &query, &mut rows.filtered(&matcher)?)
}

/// [`Connection::changed_since`] by a query.
///
/// # Errors
/// As for [`QueryBased::query`].
pub fn changed_since<C: QueryBased + ?Sized>(
    connection: &C,
    cx: &Context,
    actor_type: &str,
    stamp: Option<&str>,
    rows: &mut Rows<'_>,
) -> Result<()> {
    let changed_since = stamp.filter(|stamp| !stamp.is_empty());
    connection.query(cx, actor_type, &Query { changed_since, ..Query::default() }, rows)
}
