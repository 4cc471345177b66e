//! Errors of the registration: NetServer's messages, with advice where the cause is known.

use std::fmt;

use thiserror::Error;

use crate::form::FormError;
use crate::{CallErrorKind, SetupError};

/// `SoExceptionInfo`: an exception of NetServer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExceptionInfo {
    /// The technical message.
    pub message: String,
    /// The message for users.
    pub friendly: String,
    /// The class of the exception.
    pub kind: String,
    /// The inner exception.
    pub cause: Option<Box<ExceptionInfo>>,
}

impl fmt::Display for ExceptionInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = [&self.friendly, &self.message];
        let mut messages: Vec<&str> =
            texts.into_iter().map(|text| text.trim()).filter(|text| !text.is_empty()).collect();
        messages.dedup();
        f.write_str(&messages.join(": "))?;
        if !self.kind.is_empty() {
            write!(f, " ({})", self.kind)?;
        }
        match &self.cause {
            Some(cause) => write!(f, ", because of: {cause}"),
            None => Ok(()),
        }
    }
}

/// A call of NetServer that failed.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the message names each field")]
pub enum NetServerError {
    #[error(
        "{url:?} is no address of a NetServer: {reason}; expected the site's address, like https://crm.example.com"
    )]
    Address { url: String, reason: String },
    #[error(transparent)]
    Unreachable(#[from] CallErrorKind),
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error("{url} answers with status {status}{}: {}", content_type_suffix(.content_type), status_advice(*.status))]
    Http { url: String, status: u16, content_type: String },
    #[error("the answer is no message of NetServer's services: found {found}")]
    NotSoap { found: String },
    #[error("NetServer answered with a fault: {text} ({code})")]
    Fault { code: String, text: String },
    #[error("NetServer says: {0}")]
    Exception(ExceptionInfo),
    #[error("NetServer says that the call did not succeed, and gives no reason; its log may have one")]
    NotSucceeded,
    #[error("{operation}: {error}{}", call_advice(.error))]
    Call { operation: &'static str, error: Box<NetServerError> },
    #[error(
        "NetServer did not accept user {user:?} and the password: check both, and for an online site the application \
         token (ERP_HOST_APPLICATION_TOKEN)"
    )]
    NotSignedIn { user: String },
}

/// Such as ` and text/html`.
fn content_type_suffix(content_type: &str) -> String {
    if content_type.is_empty() { String::new() } else { format!(" and {content_type}") }
}

fn status_advice(status: u16) -> &'static str {
    match status {
        300..=399 => {
            "it leads elsewhere, and a password is not sent after it: give the address that it leads to"
        }
        401 | 403 => {
            "the web server refuses; NetServer's services must be reachable without a sign-in of the web server's own"
        }
        404 => {
            "there are no NetServer services; expected the address above /Remote/Services88, and a version that the \
             site has (--services)"
        }
        503 => "the site is down for now, try again later",
        _ => "expected a SOAP message; is this the address of NetServer, and not of the web client?",
    }
}

/// Advice for a failed call, where the cause is known.
fn call_advice(error: &NetServerError) -> &'static str {
    let text = error.to_string().to_lowercase();
    let contains_any = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match error {
        NetServerError::Fault { .. } if contains_any(&["actionnotsupported", "contractfilter"]) => {
            "; the services of this version do not have the operation: try another one with --services, or give \
             --connector-id (0 for a new Sync Connector)"
        }
        NetServerError::Exception(_) | NetServerError::Fault { .. } => {
            if contains_any(&["ticket", "credential", "not authenticated", "logged out", "password"]) {
                "; sign in anew: the ticket is not (or no longer) valid, or user and password are wrong"
            } else if contains_any(&["application token", "applicationtoken", "apptoken", "restricted agent"])
            {
                "; an online site grants access to the ErpSync agent to an app on request, and wants its token \
                 (ERP_HOST_APPLICATION_TOKEN)"
            } else if contains_any(&["licen"]) {
                "; a Development Tools licence is needed"
            } else if contains_any(&["access", "permission", "rights", "administrator", "denied"]) {
                "; the user must be an administrator, and an online app must have been granted the ErpSync agent"
            } else {
                ""
            }
        }
        _ => "",
    }
}

/// Why a connector could not be registered.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the message names each field")]
pub enum RegisterError {
    #[error(transparent)]
    NetServer(#[from] NetServerError),
    #[error(transparent)]
    Form(#[from] FormError),
    #[error(
        "NetServer does not reach the connector at {url}: it says {answer}; the address must be reachable from the \
         SuperOffice server, not only from here (--skip-url-test goes on all the same)"
    )]
    Url { url: String, answer: String },
    #[error(
        "there are several Sync Connectors named {name:?} (IDs {ids:?}): say which one with --connector-id"
    )]
    ManyConnectors { name: String, ids: Vec<i32> },
    #[error("there are several connections named {name:?} (IDs {ids:?}): rename all but one in SuperOffice")]
    ManyConnections { name: String, ids: Vec<i32> },
    #[error(
        "the test of the connection {name:?} did not pass, and NetServer does not say why: nothing was saved; ask the \
         connector itself: erp-host call {url} WSTestConfigData --set ..."
    )]
    TestFailed { name: String, url: String },
    #[error("NetServer answered as if it had saved {what}, but gave it no ID")]
    NotSaved { what: String },
    #[error("the connection {name:?} is saved, but could not be activated: {}", reasons.join("; "))]
    NotActivated { name: String, reasons: Vec<String> },
    #[error("the output cannot be written: {0}")]
    Output(#[from] std::io::Error),
}
