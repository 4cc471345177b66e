//! Redaction: takes secrets out of texts that go into logs, errors and recordings.

use std::sync::{PoisonError, RwLock};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use plugin_api::Secret;

/// What stands for a secret.
pub(crate) const REDACTED: &str = "(redacted)";

/// A shorter text is not looked for: it would occur everywhere.
const SHORTEST_SECRET: usize = 4;

/// The names whose values are secrets, in any case, with or without separators; as the end of a name too (`x-api-key`).
const NAMES: &[&str] = &[
    "apikey",
    "authorization",
    "authtoken",
    "cookie",
    "password",
    "passwd",
    "pwd",
    "secret",
    "session",
    "sessionid",
    "sessionkey",
    "sessiontoken",
    "token",
];

/// What is secret: values that are known, and the values of names.
#[derive(Default)]
pub(crate) struct Redaction {
    names: Vec<String>,
    secrets: Vec<Secret>,
    /// The secrets of the session, which come and go.
    session: RwLock<Vec<Secret>>,
}

impl Redaction {
    pub(crate) fn add_name(&mut self, name: &str) {
        self.names.push(normalized(name));
    }

    pub(crate) fn add_secret(&mut self, secret: &Secret) {
        self.secrets.extend(forms(secret));
    }

    pub(crate) fn set_session<'s>(&self, secrets: impl Iterator<Item = &'s Secret>) {
        let mut session = self.session.write().unwrap_or_else(PoisonError::into_inner);
        *session = secrets.flat_map(forms).collect();
    }

    /// Whether the values of this name are secrets.
    pub(crate) fn is_secret_name(&self, name: &str) -> bool {
        let name = normalized(name);
        NAMES.iter().any(|secret| name.ends_with(secret)) || self.names.contains(&name)
    }

    /// The text without secrets.
    pub(crate) fn redacted(&self, text: &str) -> String {
        let mut redacted = self.without_named(text);
        let session = self.session.read().unwrap_or_else(PoisonError::into_inner);
        for secret in self.secrets.iter().chain(session.iter()) {
            if redacted.contains(secret.expose()) {
                redacted = redacted.replace(secret.expose(), REDACTED);
            }
        }
        redacted
    }

    /// The text without the values of secret names: `"token": "abc"`, `token=abc`, `Authorization: Bearer abc`. It need not be
    /// whole or valid.
    fn without_named(&self, text: &str) -> String {
        let mut redacted = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find([':', '=']) {
            let (before, after) = rest.split_at(at);
            let (separator, after) = after.split_at(1);
            redacted.push_str(before);
            redacted.push_str(separator);
            rest = after;
            if !self.is_secret_name(last_name(before)) {
                continue;
            }
            let spaces = rest.len() - rest.trim_start_matches([' ', '\t']).len();
            redacted.push_str(&rest[..spaces]);
            rest = &rest[spaces..];
            let length = value_length(rest);
            if length > 0 {
                // What is JSON stays JSON.
                let is_quoted = rest.starts_with('"') || before.trim_end().ends_with('"');
                redacted.push_str(if is_quoted { "\"(redacted)\"" } else { REDACTED });
                rest = &rest[length..];
            }
        }
        redacted.push_str(rest);
        redacted
    }
}

/// The forms in which a secret may occur: as it is, in a URL or form, in JSON, in Basic authentication it is looked for by name.
fn forms(secret: &Secret) -> Vec<Secret> {
    let text = secret.expose();
    if text.len() < SHORTEST_SECRET {
        return Vec::new();
    }
    let encoded = utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let form: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let json = serde_json::to_string(text).unwrap_or_default();
    let json = json.trim_matches('"').to_owned();
    let mut forms = vec![text.to_owned()];
    for other in [encoded, form, json] {
        if !forms.contains(&other) {
            forms.push(other);
        }
    }
    forms.into_iter().map(Secret::from).collect()
}

fn normalized(name: &str) -> String {
    name.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The name before a separator, such as `token` in `{"a": 1, "token"`.
fn last_name(before: &str) -> &str {
    let before = before.trim_end_matches([' ', '\t', '"', '\'']);
    let is_part = |char: char| char.is_alphanumeric() || matches!(char, '_' | '-' | '.');
    let start = before.char_indices().rev().take_while(|(_, char)| is_part(*char)).last();
    start.map_or("", |(start, _)| &before[start..])
}

/// The length of the value at the beginning of a text. A value in quotes that does not end goes to the end of the text. Arrays and
/// objects are no values: their names are looked at.
fn value_length(text: &str) -> usize {
    if let Some(quoted) = text.strip_prefix('"') {
        let mut escaped = false;
        let end = quoted.find(|char| {
            let ends = char == '"' && !escaped;
            escaped = char == '\\' && !escaped;
            ends
        });
        return end.map_or(text.len(), |end| end + 2);
    }
    if ["[", "{", "null", "true", "false"].iter().any(|other| text.starts_with(other)) {
        return 0;
    }
    // `Bearer abc` is one value, and so is `a=b; c=d` of cookies: up to the end of the line or what ends a value elsewhere.
    text.find(['\r', '\n', '&', ',', '"', '}', '<']).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redaction_takes_out_values_of_secret_names() {
        let mut redaction = Redaction::default();
        redaction.add_name("X-Tenant");
        for (text, expected) in [
            (r#"{"token": "abc", "name": "x"}"#, r#"{"token": "(redacted)", "name": "x"}"#),
            (r#"{"access_token":"a\"b","n":1}"#, r#"{"access_token":"(redacted)","n":1}"#),
            (r#"{"password":"cut of"#, r#"{"password":"(redacted)""#),
            (r#"{"token":{"password":"x"}}"#, r#"{"token":{"password":"(redacted)"}}"#),
            (r#"{"token": 123, "secret":null}"#, r#"{"token": "(redacted)", "secret":null}"#),
            ("user=a&PassWord=b c&x=1", "user=a&PassWord=(redacted)&x=1"),
            ("Authorization: Bearer abc\r\nAccept: x", "Authorization: (redacted)\r\nAccept: x"),
            ("x-tenant: 7", "x-tenant: (redacted)"),
            ("Set-Cookie: sid=1; Path=/", "Set-Cookie: (redacted)"),
            (r#"{"name":"Ada: 5"}"#, r#"{"name":"Ada: 5"}"#),
            ("", ""),
        ] {
            assert_eq!(redaction.redacted(text), expected, "{text}");
        }
    }

    #[test]
    fn redaction_takes_out_known_secrets_in_every_form() {
        let mut redaction = Redaction::default();
        redaction.add_secret(&Secret::from("p/ä \"1"));
        redaction.add_secret(&Secret::from("abc"));
        redaction.set_session([Secret::from("s3ss")].iter());
        let text = "p/ä \"1 p%2F%C3%A4%20%221 p%2F%C3%A4+%221 p/ä \\\"1 abc s3ss";
        let hidden = format!("{REDACTED} {REDACTED} {REDACTED} {REDACTED} abc {REDACTED}");
        assert_eq!(redaction.redacted(text), hidden);
        redaction.set_session([].iter());
        assert_eq!(redaction.redacted("s3ss"), "s3ss");
    }
}
