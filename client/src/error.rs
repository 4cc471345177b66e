//! Errors of a call. Each text is one sentence for the user.

use std::fmt;
use std::time::Duration;

use contract::{EncodingError, Fault, LocalizedText, Operation, Outcome, ReadError, error_code};

use crate::http_message::{HttpExchange, HttpResponse};

/// A call that failed.
#[derive(Debug)]
pub struct CallError {
    /// The operation that was called.
    pub operation: Operation,
    /// What went wrong.
    pub kind: CallErrorKind,
    /// What was sent and received, when there was a response.
    pub traffic: Option<Box<HttpExchange>>,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what each means")]
pub enum CallErrorKind {
    #[error("the host name {host:?} cannot be resolved: check the address, or the name server ({why})")]
    Name { host: String, why: String },
    #[error(
        "nobody listens at {authority}: the connection was refused; check host and port, and whether the service runs"
    )]
    ConnectionRefused { authority: String },
    #[error("no connection to {authority}: {why}")]
    Connect { authority: String, why: String },
    #[error("no connection to {authority} within {} seconds: check host and port, and firewalls between", after.as_secs_f32())]
    ConnectTimeout { authority: String, after: Duration },
    #[error("the TLS connection to {authority} fails: {why}; {}", tls_advice(why))]
    Tls { authority: String, why: String },
    #[error("{authority} did not answer within {} seconds; --timeout sets how long to wait", after.as_secs_f32())]
    Timeout { authority: String, after: Duration },
    #[error("the connection to {authority} ended before the answer was complete: {why}")]
    Lost { authority: String, why: String },
    #[error("what listens at {authority} does not speak HTTP: {why}")]
    NotHttp { authority: String, why: String },
    #[error("the request cannot be sent: {0}")]
    Request(String),
    #[error("the answer is larger than {limit} bytes, the most that is taken")]
    TooLarge { limit: usize },
    #[error(
        "the address redirects to {to} (status {status}), which SuperOffice does not follow: {}",
        redirect_advice(to)
    )]
    Redirect { status: u16, to: String },
    #[error("{}", status_advice(*.status, header.as_deref(), what))]
    Status { status: u16, header: Option<String>, what: String },
    #[error("the answer cannot be decoded: {0}")]
    Encoding(EncodingError),
    #[error("there is no connector at this address: it answers with status {status} and {what}")]
    NoConnector { status: u16, what: String },
    #[error(
        "the answer is no SOAP message: status {status}, content type {content_type:?}, expected text/xml; it begins with {start:?}"
    )]
    ContentType { status: u16, content_type: String, start: String },
    #[error("the service answers with a SOAP fault, {0}")]
    Fault(Fault),
    #[error("the answer cannot be read: {0}")]
    Unreadable(ReadError),
    #[error("{}", refusal(.0))]
    Refused(Box<Outcome<'static>>),
    #[error("the service understands no dialect of the contract")]
    NoDialect,
    #[error(
        "the contract of the service does not have this operation; --dialect message calls it all the same"
    )]
    NoOperation,
}

impl CallError {
    pub(crate) fn without_response(operation: Operation, kind: CallErrorKind) -> Self {
        CallError { operation, kind, traffic: None }
    }

    /// The `ErrorCode` of a refusal.
    pub fn error_code(&self) -> Option<&str> {
        match &self.kind {
            CallErrorKind::Refused(outcome) => outcome.error_code.as_deref(),
            _ => None,
        }
    }

    /// Whether the service does not have the connection, so that its settings must be sent again.
    pub fn is_unknown_connection(&self) -> bool {
        self.error_code() == Some(error_code::UNKNOWN_CONNECTION_ID)
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.operation, self.kind)
    }
}

impl std::error::Error for CallError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.kind)
    }
}

impl CallErrorKind {
    /// Whether the reason may be that the service does not understand the dialect.
    pub fn may_be_wrong_dialect(&self) -> bool {
        matches!(self, CallErrorKind::Fault(_) | CallErrorKind::Unreadable(_))
    }

    /// Whether nothing answers at the address, to whatever is sent.
    pub(crate) fn is_unreachable(&self) -> bool {
        matches!(
            self,
            CallErrorKind::Name { .. }
                | CallErrorKind::ConnectionRefused { .. }
                | CallErrorKind::Connect { .. }
                | CallErrorKind::ConnectTimeout { .. }
                | CallErrorKind::Tls { .. }
                | CallErrorKind::Timeout { .. }
        )
    }

    /// The error for a response that is no SOAP message.
    pub(crate) fn not_soap(response: &HttpResponse) -> Self {
        let (status, start) = (response.status, excerpt(&response.text()));
        let title = html_title(&response.text());
        let is_html = response.media_type().contains("html") || title.is_some();
        let html = || title.map_or("an HTML page".to_owned(), |title| format!("the HTML page {title:?}"));
        if let Some(header) = telling_header(status) {
            let what = match (is_html, start.as_str()) {
                (true, _) => html(),
                (false, "") => "no text".to_owned(),
                (false, start) => format!("the text {start:?}"),
            };
            let header = response.header(header).map(|value| format!("{header}: {}", excerpt(value)));
            return CallErrorKind::Status { status, header, what };
        }
        match (status, is_html) {
            (_, true) => CallErrorKind::NoConnector { status, what: html() },
            (200, _) => {
                let content_type = response.header("Content-Type").unwrap_or_default().to_owned();
                CallErrorKind::ContentType { status, content_type, start }
            }
            (_, _) if start.is_empty() => CallErrorKind::NoConnector { status, what: "no text".to_owned() },
            (_, _) => CallErrorKind::NoConnector { status, what: format!("the text {start:?}") },
        }
    }
}

/// The header that a response of this status explains itself with; `None` for a status that says nothing of its own.
fn telling_header(status: u16) -> Option<&'static str> {
    match status {
        401 => Some("WWW-Authenticate"),
        407 => Some("Proxy-Authenticate"),
        403 | 429 | 502 | 503 | 504 => Some("Retry-After"),
        _ => None,
    }
}

/// What a status means, and what to do.
fn status_advice(status: u16, header: Option<&str>, what: &str) -> String {
    let header = header.map(|header| format!(", {header}")).unwrap_or_default();
    let (meaning, advice) = match status {
        401 if takes_basic(&header) => {
            ("the service asks for a name and a password", "give them with --credentials FILE")
        }
        401 => (
            "the service asks for credentials",
            "--credentials FILE sends a header or a name and a password; SuperOffice itself sends none, so exempt its \
             network or let a proxy add them",
        ),
        407 => ("a proxy asks for credentials", "let this machine reach the service without that proxy"),
        403 => (
            "the service refuses this caller",
            "its operator decides which networks, certificates and secrets are allowed; --credentials FILE sends a secret",
        ),
        429 | 503 => {
            ("the service is not available at the moment", "try again later; its log says what it lacks")
        }
        _ => (
            "the proxy in front of the service gets no answer from it",
            "see whether the service runs, and where the proxy forwards to",
        ),
    };
    format!("{meaning}: it answers with status {status}{header} and {what}; {advice}")
}

fn takes_basic(header: &str) -> bool {
    header.to_ascii_lowercase().contains("basic")
}

/// What to do about a redirect.
fn redirect_advice(to: &str) -> &'static str {
    let to = to.to_ascii_lowercase();
    let is_sign_in =
        ["login", "logon", "signin", "sign-in", "sign_in", "oauth", "saml", "/auth", "/adfs/", "/account"];
    if is_sign_in.iter().any(|part| to.contains(part)) {
        "this is a page to sign in, for people; exempt the service's path from it"
    } else {
        "give the final address"
    }
}

fn tls_advice(why: &str) -> &'static str {
    if why.contains("certificate") || why.contains("UnknownIssuer") {
        "--ca FILE names a certificate to trust"
    } else {
        "check that the port speaks TLS"
    }
}

/// The explanations of a reply with State=Error, in English.
fn refusal(outcome: &Outcome<'_>) -> String {
    let explanation = |text: &Option<std::borrow::Cow<'_, str>>| {
        text.as_deref().filter(|text| !text.is_empty()).map(english)
    };
    let mut text = match (explanation(&outcome.user_explanation), explanation(&outcome.tech_explanation)) {
        (Some(user), Some(tech)) if user != tech => format!("{user} ({tech})"),
        (Some(text), _) | (None, Some(text)) => text,
        (None, None) => "the service says that it went wrong, and not why".to_owned(),
    };
    if let Some(code) = outcome.error_code.as_deref().filter(|code| !code.is_empty()) {
        text.push_str(&format!(" [{code}]"));
    }
    text
}

/// The English text of a localised one.
fn english(text: &str) -> String {
    LocalizedText::parse(text).get("US").to_owned()
}

/// The content of the first HTML element `<title>`.
pub(crate) fn html_title(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let start = lower.find("<title")?;
    let start = start + lower[start..].find('>')? + 1;
    let end = start + lower[start..].find("</title")?;
    Some(excerpt(&text[start..end]))
}

/// The beginning of a text, in one line.
pub(crate) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 80;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LONGEST {
        return line;
    }
    format!("{}..", line.chars().take(LONGEST).collect::<String>())
}
