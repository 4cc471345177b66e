//! The answer to a request.

use std::borrow::Cow;
use std::sync::Arc;

use plugin_api::{Error, Result};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::redaction::Redaction;
use crate::transport::Received;

/// So much of a body goes into a technical text, in characters.
const EXCERPT: usize = 500;
/// So much of it is looked at for that, in bytes.
const LOOKED_AT: usize = 16 * 1024;

/// The whole answer of the ERP system to a request.
pub struct Answer {
    pub(crate) received: Received,
    /// Method and path of the request.
    pub(crate) what: String,
    pub(crate) of_write: bool,
    pub(crate) redaction: Arc<Redaction>,
}

impl Answer {
    /// The status, such as 200.
    pub fn status(&self) -> u16 {
        self.received.status
    }

    /// Whether the status is one of success (2xx).
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status())
    }

    /// A header by its name, in any case; the first one when it comes several times.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.received.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// All values of a header, such as `Set-Cookie`.
    pub fn headers<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let values: Vec<_> = self.received.headers.get_all(name).iter().collect();
        values.into_iter().filter_map(|value| value.to_str().ok())
    }

    /// The body.
    pub fn bytes(&self) -> &[u8] {
        &self.received.body
    }

    /// The body as a text; what is no UTF-8 is replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.bytes())
    }

    /// Reads the body as JSON.
    ///
    /// # Errors
    /// It is no such JSON: the ERP system has another version than expected, or something else answered. What a write has
    /// changed is unknown then.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(self.bytes()).map_err(|error| {
            let problem =
                format!("{}: the answer is not as expected: {error}: {}", self.what, self.excerpt());
            let user = "the answer of the ERP system cannot be read";
            let error = if self.of_write { Error::unknown_outcome(user) } else { Error::user(user) };
            error.tech(self.redaction.redacted(&problem))
        })
    }

    /// The text or number at a place in a JSON body, such as `/error/message` (a JSON pointer).
    pub fn find(&self, pointer: &str) -> Option<String> {
        match serde_json::from_slice::<Value>(self.bytes()).ok()?.pointer(pointer)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// The beginning of the body for a technical text, without secrets.
    pub(crate) fn excerpt(&self) -> String {
        let looked_at = &self.bytes()[..self.bytes().len().min(LOOKED_AT)];
        let text = self.redaction.redacted(&String::from_utf8_lossy(looked_at));
        let mut excerpt: String = text.chars().take(EXCERPT).collect();
        if excerpt.len() < text.len() || looked_at.len() < self.bytes().len() {
            excerpt.push('…');
        }
        excerpt
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer")
            .field("to", &self.redaction.redacted(&self.what))
            .field("status", &self.status())
            .field("bytes", &self.bytes().len())
            .finish_non_exhaustive()
    }
}
