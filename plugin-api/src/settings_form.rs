//! The settings form: settings as a struct of the author's.

use crate::{Error, Field, FieldValue, LocalizedText, Result, Settings};
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
/// | [`DateTime`](crate::DateTime) | Datetime, mandatory |
/// | [`Secret`](crate::Secret) | Password, mandatory |
/// | `Option` of these | the same, may be left empty |
///
/// Other types implement [`FieldValue`]. Attributes, in `#[setting(..)]`:
///
/// | attribute | meaning |
/// |---|---|
/// | `key = "Filename"` | the key on the wire; the field's name in PascalCase when not set |
/// | `label = "File name"`, `label(us = "File name", no = "Filnavn")` | what stands before it |
/// | `description = ".."`, `description(us = "..")` | the description; the doc comment when not set |
/// | `default = "text"`, `5`, `1.5`, `true` | what stands in an empty form, and what [`read`](SettingsForm::read) takes when the setting does not come at all, as after an update that brought it |
/// | `list = "Categories"` | a text is the key of an item of this list, see [`Connector::list`](crate::Connector::list) |
/// | `password` | a text is masked and kept encrypted, as [`Secret`](crate::Secret) is |
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

/// Reads one setting, for the derived [`SettingsForm::read`].
#[doc(hidden)]
pub fn read_setting<T: FieldValue>(settings: &Settings, field: &Field) -> Result<T> {
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
