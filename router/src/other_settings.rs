//! Settings that the form of a connector does not have. SuperOffice sends all that it has stored for a connection, also what an
//! update of the connector has removed from the form, so they are not refused at once. They are stored as secrets, because
//! nothing shows that they are none, and only a few small ones, because nothing reads them.

use plugin_api::{Field, FieldType, Settings};

/// How many a connection may have.
pub(super) const MAX_OTHERS: usize = 16;
/// Bytes of the value of one.
pub(super) const MAX_OTHER_BYTES: usize = 4 << 10;

/// The settings that the form does not have in any spelling, with their values.
pub(super) fn beside<'s>(form: &[Field], settings: &'s Settings) -> Vec<(&'s str, Option<&'s str>)> {
    settings.iter().filter(|(key, _)| declared(key, form).next().is_none()).collect()
}

/// Whether so many, of this size, may be stored.
pub(super) fn may_be_stored(others: &[(&str, Option<&str>)]) -> bool {
    others.len() <= MAX_OTHERS
        && others.iter().all(|(_, value)| value.is_none_or(|value| value.len() <= MAX_OTHER_BYTES))
}

/// Whether a setting is stored as a secret: the form declares it as one, in any spelling; or does not have it, so that nothing
/// shows that it is none; or it has the name of a secret.
pub(super) fn is_secret(key: &str, form: &[Field]) -> bool {
    if values::is_secret_name(key) {
        return true;
    }
    let mut declared = declared(key, form).peekable();
    declared.peek().is_none() || declared.any(|field| field.field_type == FieldType::Password)
}

/// The fields of the form with this key, in any spelling.
fn declared<'f>(key: &str, form: &'f [Field]) -> impl Iterator<Item = &'f Field> {
    let key = key.trim().to_lowercase();
    form.iter().filter(move |field| field.key.trim().to_lowercase() == key)
}
