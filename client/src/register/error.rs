//! What can go wrong on the way to a registered connector, in NetServer's own words, with what to do about it.

use std::fmt;

use thiserror::Error;

use crate::form::FormError;
use crate::{SetupError, Trouble};

/// An exception as NetServer tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExceptionInfo {
    /// The technical message.
    pub message: String,
    /// The message for users.
    pub friendly: String,
    /// The class.
    pub kind: String,
    /// What caused it.
    pub cause: Option<Box<ExceptionInfo>>,
}

impl fmt::Display for ExceptionInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = [&self.friendly, &self.message];
        let mut said: Vec<&str> =
            texts.into_iter().map(|text| text.trim()).filter(|text| !text.is_empty()).collect();
        said.dedup();
        f.write_str(&said.join(": "))?;
        if !self.kind.is_empty() {
            write!(f, " ({})", self.kind)?;
        }
        match &self.cause {
            Some(cause) => write!(f, ", because of: {cause}"),
            None => Ok(()),
        }
    }
}

/// A call of NetServer that did not work.
#[derive(Debug, Error)]
pub enum NetServerError {
    /// The address is none.
    #[error(
        "{url:?} is no address of a NetServer: {reason}; expected the site's address, like https://crm.example.com"
    )]
    Address {
        /// What was given.
        url: String,
        /// Why it is none.
        reason: String,
    },
    /// No answer.
    #[error(transparent)]
    Unreachable(#[from] Trouble),
    /// The certificates to trust cannot be used.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// An answer without SOAP.
    #[error("{url} answers with status {status}{}: {}", kind(.content_type), advice(*.status))]
    Http {
        /// Where.
        url: String,
        /// The status.
        status: u16,
        /// The kind of content.
        content_type: String,
    },
    /// Something that is no SOAP message of these services.
    #[error("the answer is no message of NetServer's services: found {found}")]
    NotSoap {
        /// What was found.
        found: String,
    },
    /// A fault.
    #[error("NetServer answered with a fault: {text} ({code})")]
    Fault {
        /// Its code.
        code: String,
        /// Its text.
        text: String,
    },
    /// An exception, in a header of the reply or in a fault.
    #[error("NetServer says: {0}")]
    Exception(ExceptionInfo),
    /// `Succeeded` is false, and there is nothing else.
    #[error("NetServer says that the call did not succeed, and gives no reason; its log may have one")]
    NotSucceeded,
    /// A call, with the operation that failed.
    #[error("{operation}: {error}{}", advice_on(.error))]
    Call {
        /// The operation.
        operation: &'static str,
        /// What went wrong.
        error: Box<NetServerError>,
    },
    /// The user was not let in.
    #[error(
        "NetServer did not accept user {user:?} and the password: check both, and for an online site the application \
         token (ERP_HOST_APPLICATION_TOKEN)"
    )]
    NotSignedIn {
        /// The user.
        user: String,
    },
}

/// ` and text/html`.
fn kind(content_type: &str) -> String {
    if content_type.is_empty() { String::new() } else { format!(" and {content_type}") }
}

fn advice(status: u16) -> &'static str {
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

/// What to do about what NetServer said, where that is known.
fn advice_on(error: &NetServerError) -> &'static str {
    let text = error.to_string().to_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match error {
        NetServerError::Fault { .. } if any(&["actionnotsupported", "contractfilter"]) => {
            "; the services of this version do not have the operation: try another one with --services, or give \
             --connector-id (0 for a new Sync Connector)"
        }
        NetServerError::Exception(_) | NetServerError::Fault { .. } => {
            if any(&["ticket", "credential", "not authenticated", "logged out", "password"]) {
                "; sign in anew: the ticket is not (or no longer) valid, or user and password are wrong"
            } else if any(&["application token", "applicationtoken", "apptoken", "restricted agent"]) {
                "; an online site grants access to the ErpSync agent to an app on request, and wants its token \
                 (ERP_HOST_APPLICATION_TOKEN)"
            } else if any(&["licen"]) {
                "; a Development Tools licence is needed"
            } else if any(&["access", "permission", "rights", "administrator", "denied"]) {
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
pub enum RegisterError {
    /// A call did not work.
    #[error(transparent)]
    NetServer(#[from] NetServerError),
    /// The settings do not fit the form.
    #[error(transparent)]
    Form(#[from] FormError),
    /// NetServer does not reach the connector.
    #[error(
        "NetServer does not reach the connector at {url}: it says {answer}; the address must be reachable from the \
         SuperOffice server, not only from here (--skip-url-test goes on all the same)"
    )]
    Url {
        /// The address.
        url: String,
        /// What NetServer says.
        answer: String,
    },
    /// The name is not unique.
    #[error(
        "there are several Sync Connectors named {name:?} (IDs {ids:?}): say which one with --connector-id"
    )]
    ManyConnectors {
        /// The name.
        name: String,
        /// Their IDs.
        ids: Vec<i32>,
    },
    /// The name is not unique.
    #[error("there are several connections named {name:?} (IDs {ids:?}): rename all but one in SuperOffice")]
    ManyConnections {
        /// The name.
        name: String,
        /// Their IDs.
        ids: Vec<i32>,
    },
    /// The test did not pass.
    #[error(
        "the test of the connection {name:?} did not pass, and NetServer does not say why: nothing was saved; ask the \
         connector itself: erp-host call {url} WSTestConfigData --set ..."
    )]
    TestFailed {
        /// The connection.
        name: String,
        /// The connector.
        url: String,
    },
    /// A save without a result.
    #[error("NetServer answered as if it had saved {what}, but gave it no ID")]
    NotSaved {
        /// What.
        what: String,
    },
    /// It could not be activated.
    #[error("the connection {name:?} is saved, but could not be activated: {}", reasons.join("; "))]
    NotActivated {
        /// The connection.
        name: String,
        /// Why, as NetServer says.
        reasons: Vec<String>,
    },
    /// The output is gone.
    #[error("the output cannot be written: {0}")]
    Output(#[from] std::io::Error),
}
