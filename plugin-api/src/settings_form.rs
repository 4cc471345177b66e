//! The settings form: settings as a struct of the author's.

use std::fmt;
use std::path::PathBuf;

use crate::{DateTime, Error, Field, FieldType, LocalizedText, Result, Settings, Value};

/// A struct that is the settings form of a connector: it describes the settings and reads them.
///
/// Derive it. The type of a field decides the type of its setting and whether it must be filled in; the doc comment is
/// what an administrator reads about it.
///
/// | type | setting |
/// |---|---|
/// | `String`, `PathBuf` | Text, mandatory |
/// | `i64`, `i32`, `u64`, `u32`, `u16` | Integer, mandatory |
/// | `f64` | Double, mandatory |
/// | `bool` | Checkbox, not ticked when it does not come |
/// | [`DateTime`] | Datetime, mandatory |
/// | [`Secret`] | Password, mandatory |
/// | `Option` of these | the same, may be left empty |
///
/// Other types implement [`SettingValue`]. Attributes, in `#[setting(..)]`:
///
/// | attribute | meaning |
/// |---|---|
/// | `key = "Filename"` | the key on the wire; the field's name in PascalCase when not set |
/// | `label = "File name"`, `label(us = "File name", no = "Filnavn")` | what stands before it |
/// | `description = ".."`, `description(us = "..")` | the description; the doc comment when not set |
/// | `default = "text"`, `5`, `1.5`, `true` | what stands in an empty form, and what [`read`](SettingsForm::read) takes when the setting does not come at all, as after an update that brought it |
/// | `list = "Categories"` | a text is the key of an item of this list, see [`Connector::list`](crate::Connector::list) |
/// | `password` | a text is masked and kept encrypted, as [`Secret`] is |
/// | `max_length = 260` | the longest text in characters |
/// | `mandatory` | a `bool` must come too |
/// | `read_only` | shown, but not to be changed |
/// | `rank = 1` | its place; their order when not set |
///
/// ```
/// use plugin_api::{Secret, Settings, SettingsForm};
///
/// #[derive(SettingsForm)]
/// struct Setup {
///     /// The address of the ERP system.
///     #[setting(label(us = "Server", no = "Tjener"), max_length = 260)]
///     server: String,
///     #[setting(default = 8080)]
///     port: u16,
///     password: Option<Secret>,
/// }
///
/// let setup = Setup::read(&Settings::from([("Server", "erp.local")]))?;
/// assert_eq!((setup.server.as_str(), setup.port), ("erp.local", 8080));
/// assert!(setup.password.is_none());
///
/// let error = Setup::read(&Settings::from([("Server", "erp.local"), ("Port", "99999")])).err().unwrap();
/// assert_eq!(error.user_text(), "the setting Port is not valid, expected a whole number from 0 to 65535");
/// # Ok::<(), plugin_api::Error>(())
/// ```
pub trait SettingsForm: Sized {
    /// The settings, for [`Connector::settings`](crate::Connector::settings).
    fn fields() -> Vec<Field>;

    /// Reads the settings of a connection.
    ///
    /// # Errors
    /// A setting is missing or not valid. The text has its label and what is expected, but never the value.
    fn read(settings: &Settings) -> Result<Self>;
}

/// A type that a setting may have. Implement it for an own type, such as an enum, to read settings as that type.
#[diagnostic::on_unimplemented(
    message = "a setting cannot be of type `{Self}`",
    label = "not a type of a setting",
    note = "use String, PathBuf, i64, i32, u64, u32, u16, f64, bool, DateTime, Secret, or an Option of these",
    note = "an own type can be read from a setting when it implements `plugin_api::SettingValue`"
)]
pub trait SettingValue: Sized {
    /// The type of the setting.
    const FIELD_TYPE: FieldType;
    /// Whether it must be filled in.
    const MANDATORY: bool = true;
    /// What is expected, for the error: "expected ..".
    const EXPECTED: &'static str;

    /// Reads what was filled in, in wire form and not empty; `None` when that is not valid.
    fn parse(text: &str) -> Option<Self>;

    /// The value when nothing was filled in; `None` when it must be filled in.
    fn empty() -> Option<Self> {
        None
    }
}

/// A text that must not be seen, such as a password. Its `Debug` hides it, and its memory is overwritten when it
/// is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text. Keep it out of logs and errors.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for Secret {
    fn from(text: T) -> Self {
        Secret(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.0).into_bytes();
        bytes.fill(0);
        // The compiler must not leave out the line above.
        std::hint::black_box(&bytes);
    }
}

/// Reads one setting, for the derived [`SettingsForm::read`].
#[doc(hidden)]
pub fn read_setting<T: SettingValue>(settings: &Settings, field: &Field) -> Result<T> {
    let label = field.label.as_deref().map_or_else(|| field.key.clone(), in_english);
    let text = settings.get(&field.key).or(field.default.as_deref()).unwrap_or_default();
    if text.trim().is_empty() {
        let empty = T::empty().filter(|_| field.access != crate::Access::Mandatory);
        return empty.ok_or_else(|| crate::settings::missing(&label));
    }
    let longest = usize::try_from(field.max_length).unwrap_or(0);
    if longest > 0 && text.chars().count() > longest {
        let error = format!("the setting {label} is too long, expected at most {longest} characters");
        return Err(Error::user(error));
    }
    let expected = T::EXPECTED;
    T::parse(text)
        .ok_or_else(|| Error::user(format!("the setting {label} is not valid, expected {expected}")))
}

fn in_english(label: &str) -> String {
    LocalizedText::parse(label).get("US").to_owned()
}

impl SettingValue for String {
    const FIELD_TYPE: FieldType = FieldType::Text;
    const EXPECTED: &'static str = "a text";

    fn parse(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl SettingValue for PathBuf {
    const FIELD_TYPE: FieldType = FieldType::Text;
    const EXPECTED: &'static str = "a path";

    fn parse(text: &str) -> Option<Self> {
        Some(text.trim().into())
    }
}

impl SettingValue for Secret {
    const FIELD_TYPE: FieldType = FieldType::Password;
    const EXPECTED: &'static str = "a password";

    fn parse(text: &str) -> Option<Self> {
        Some(text.into())
    }
}

impl SettingValue for f64 {
    const FIELD_TYPE: FieldType = FieldType::Double;
    const EXPECTED: &'static str = "a number like 1.5";

    fn parse(text: &str) -> Option<Self> {
        match Value::parse(text, FieldType::Double) {
            Ok(Value::Double(number)) => Some(number),
            _ => None,
        }
    }
}

impl SettingValue for bool {
    const FIELD_TYPE: FieldType = FieldType::Checkbox;
    const MANDATORY: bool = false;
    const EXPECTED: &'static str = "1 or 0";

    fn parse(text: &str) -> Option<Self> {
        match Value::parse(text, FieldType::Checkbox) {
            Ok(Value::Checkbox(on)) => Some(on),
            _ => None,
        }
    }

    fn empty() -> Option<Self> {
        Some(false)
    }
}

impl SettingValue for DateTime {
    const FIELD_TYPE: FieldType = FieldType::Datetime;
    const EXPECTED: &'static str = "a date like 2013-12-31 or 2013-12-31 23:59";

    fn parse(text: &str) -> Option<Self> {
        match Value::parse(text, FieldType::Datetime) {
            Ok(Value::DateTime(date)) => Some(date),
            _ => None,
        }
    }
}

impl<T: SettingValue> SettingValue for Option<T> {
    const FIELD_TYPE: FieldType = T::FIELD_TYPE;
    const MANDATORY: bool = false;
    const EXPECTED: &'static str = T::EXPECTED;

    fn parse(text: &str) -> Option<Self> {
        T::parse(text).map(Some)
    }

    fn empty() -> Option<Self> {
        Some(None)
    }
}

macro_rules! whole_numbers {
    ($($number:ty: $expected:literal,)+) => {$(
        impl SettingValue for $number {
            const FIELD_TYPE: FieldType = FieldType::Integer;
            const EXPECTED: &'static str = $expected;

            fn parse(text: &str) -> Option<Self> {
                match Value::parse(text, FieldType::Integer) {
                    Ok(Value::Integer(number)) => number.try_into().ok(),
                    _ => None,
                }
            }
        }
    )+};
}

whole_numbers! {
    i64: "a whole number",
    i32: "a whole number from -2147483648 to 2147483647",
    u64: "a whole number from 0",
    u32: "a whole number from 0 to 4294967295",
    u16: "a whole number from 0 to 65535",
}
