//! The file of recorded exchanges.

use std::path::Path;
use std::{fs, io};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::server::{Reply, ServedRequest};
use crate::redaction::Redaction;

/// Stands for the address of the server in texts.
const ORIGIN: &str = "{origin}";

/// The headers of answers that are recorded: what clients act on.
const HEADERS: &[&str] = &["content-type", "etag", "link", "location", "retry-after", "set-cookie"];

/// A conversation, in the order of its requests.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Exchanges {
    /// The path of the ERP system's address.
    pub(super) base: String,
    pub(super) exchanges: Vec<Exchange>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Exchange {
    pub(super) request: Asked,
    pub(super) answer: Answered,
}

/// What is compared of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Asked {
    method: String,
    target: String,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    body: Value,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Answered {
    status: u16,
    /// Such as `etag: "7"`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<String>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    body: Value,
}

impl Exchanges {
    pub(super) fn read(file: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(file)?)?)
    }

    pub(super) fn write(&self, file: &Path) -> io::Result<()> {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, serde_json::to_string_pretty(self)? + "\n")
    }
}

impl Asked {
    pub(super) fn of(request: &ServedRequest, redaction: &Redaction) -> Self {
        Asked {
            method: request.method.clone(),
            target: redaction.redacted(&request.target),
            body: body(&request.body, redaction),
        }
    }
}

impl std::fmt::Display for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Asked { method, target, body } = self;
        write!(f, "{method} {target}")?;
        if body.is_null() { Ok(()) } else { write!(f, " {body}") }
    }
}

impl Answered {
    pub(super) fn of(reply: &Reply, origin: &str, redaction: &Redaction) -> Self {
        let recorded = reply.headers.iter().filter(|(name, _)| HEADERS.contains(&name.as_str()));
        let headers = recorded.map(|(name, value)| {
            let value = if redaction.is_secret_name(name) { crate::redaction::REDACTED } else { value };
            format!("{name}: {}", value.replace(origin, ORIGIN))
        });
        let text = String::from_utf8_lossy(&reply.body).replace(origin, ORIGIN);
        Answered { status: reply.status, headers: headers.collect(), body: body(text.as_bytes(), redaction) }
    }

    pub(super) fn reply(&self, origin: &str) -> Reply {
        let text = match &self.body {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            json => json.to_string(),
        };
        let headers = self.headers.iter().filter_map(|header| header.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.replace(ORIGIN, origin)));
        Reply {
            status: self.status,
            headers: headers.collect(),
            body: text.replace(ORIGIN, origin).into_bytes(),
        }
    }
}

/// A body without secrets: JSON as it is, so that people can read and change it; others as a text.
fn body(bytes: &[u8], redaction: &Redaction) -> Value {
    let text = redaction.redacted(&String::from_utf8_lossy(bytes));
    match serde_json::from_str(&text) {
        Ok(json @ (Value::Object(_) | Value::Array(_))) => json,
        _ if text.is_empty() => Value::Null,
        _ => Value::String(text),
    }
}
