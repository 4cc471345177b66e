//! Actors as structs of the author's.

use crate::{Actor, Field, FieldValue, Result, Row, Value};

/// A struct that is an actor: one description serves for its fields, for the rows of answers, and for what SuperOffice sends.
///
/// Derive it. The types are those of [`FieldValue`]; the doc comment of a field is its description. A field's key is its
/// name in capitals, such as `NAME`.
///
/// | attribute | meaning |
/// |---|---|
/// | `#[actor(type = "Customer")]` on the struct | the actor type; the struct's name when not set |
/// | `#[actor(key)]` | the key in the ERP system |
/// | `#[actor(stamp)]` | the stamp of the last change |
/// | `#[actor(parent = "Customer")]` | the key of the parent, which is of that type |
/// | `#[actor(skip)]` | no part of the actor; has its default when an actor is read |
/// | `#[actor(default)]` | has its default when it is not sent |
/// | `#[field(..)]` | as `#[setting(..)]` of [`SettingsForm`](crate::SettingsForm): `key`, `label`, `description`, `default`, `list`, `max_length`, `mandatory`, `read_only`, `rank` |
///
/// ```
/// use plugin_api::{Actor, ActorRow, Result, Rows};
///
/// #[derive(ActorRow)]
/// struct Customer {
///     #[actor(key)]
///     number: Option<u32>,
///     #[actor(stamp)]
///     changed: Option<String>,
///     #[field(label(us = "Name", no = "Navn"), max_length = 40)]
///     name: String,
///     /// What the customer may owe.
///     credit: Option<f64>,
///     #[field(list = "Categories")]
///     category: Option<String>,
/// }
///
/// fn answer(found: &[Customer], rows: &mut Rows<'_>) -> Result<()> {
///     found.iter().try_for_each(|customer| rows.push_row(customer))
/// }
///
/// // What SuperOffice sends to be created, and later to be saved: only the fields that change.
/// let new = Actor::new("Customer", "").with("NAME", "Fjord & Fjell").with("CREDIT", 1000);
/// let mut customer = Customer::read(&new)?;
/// assert_eq!((customer.number, customer.credit), (None, Some(1000.0)));
/// customer.apply(&Actor::new("Customer", "17").with("CREDIT", None::<f64>))?;
/// assert_eq!((customer.name.as_str(), customer.credit), ("Fjord & Fjell", None));
///
/// let fields = Customer::fields();
/// assert_eq!(fields.iter().map(|field| field.key.as_str()).collect::<Vec<_>>(), ["NAME", "CREDIT", "CATEGORY"]);
/// # Ok::<(), plugin_api::Error>(())
/// ```
pub trait ActorRow: Sized {
    /// The actor type.
    const ACTOR_TYPE: &'static str;

    /// The fields, for [`Connection::fields`](crate::Connection::fields).
    fn fields() -> Vec<Field>;

    /// The key; empty for an actor that is not created yet.
    fn key(&self) -> String;

    /// Writes stamp, parent and fields to a row. [`Rows::push_row`](crate::Rows::push_row) calls it.
    fn write(&self, row: &mut Row<'_, '_>);

    /// Reads an actor that SuperOffice sends to be created.
    ///
    /// # Errors
    /// A value is missing, or is not one of its type. The text names the field.
    fn read(actor: &Actor) -> Result<Self>;

    /// Takes over what SuperOffice sends to be saved: the fields that were sent. Key, stamp, parent and read-only fields stay.
    ///
    /// # Errors
    /// A value is not one of its type. The text names the field.
    fn apply(&mut self, actor: &Actor) -> Result<()>;
}

/// A key, a stamp or the key of a parent as text; empty when there is none. A date is sortable, as a stamp has to be. For the derived [`ActorRow`].
#[doc(hidden)]
pub fn key_text<T: FieldValue>(value: &T) -> String {
    match value.to_value() {
        Value::Integer(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::DateTime(date) => date.to_sortable(),
        Value::Text(text) => text.into_owned(),
        Value::Checkbox(on) => on.to_string(),
        Value::Null => String::new(),
    }
}
