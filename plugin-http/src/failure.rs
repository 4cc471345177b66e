//! Why a request did not work: its kind, and the texts for users and technicians.

use std::time::{Duration, SystemTime};

use plugin_api::{Error, ErrorKind};

use crate::answer::Answer;
use crate::redaction::Redaction;
use crate::transport::{NoAnswer, NoAnswerCause};

/// The longest text of the ERP system that a user gets, in characters.
const USER_TEXT: usize = 500;

/// A failure of a request. Unlike an [`Error`] it can be kept and handed to several calls.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    user: String,
    tech: String,
    /// It may work when the same request is sent again.
    pub(crate) is_temporary: bool,
    /// The ERP system has asked to wait for so long.
    pub(crate) retry_after: Option<Duration>,
}

/// The request that failed.
pub(crate) struct Failed<'f> {
    /// The name of the ERP system.
    pub(crate) name: &'f str,
    /// Scheme, host and port.
    pub(crate) origin: &'f str,
    /// Method and path.
    pub(crate) what: &'f str,
    pub(crate) is_write: bool,
    /// It was sent with a session, which a login has opened: so the credentials are right.
    pub(crate) in_session: bool,
    pub(crate) redaction: &'f Redaction,
}

impl Failed<'_> {
    /// There is no answer.
    pub(crate) fn without_answer(&self, no_answer: &NoAnswer) -> Failure {
        let Failed { name, origin, what, .. } = self;
        let (user, reason) = match &no_answer.cause {
            NoAnswerCause::Cancelled => (
                format!("{name} was asked, but nobody waits for the answer"),
                "the call was given up".to_owned(),
            ),
            NoAnswerCause::Timeout(time) => {
                let seconds = time.as_secs_f64();
                (
                    format!("{name} did not answer within {seconds:.1} seconds"),
                    format!("no answer from {origin}"),
                )
            }
            NoAnswerCause::Network(reason) => {
                (format!("{name} cannot be reached at {origin}"), reason.clone())
            }
            NoAnswerCause::Certificate(reason) => {
                let remedy = "check the address, or add the certificates of its authority to the settings";
                (format!("the certificate of {name} at {origin} is not trusted: {remedy}"), reason.clone())
            }
            NoAnswerCause::TooLarge(most) => {
                (format!("the answer of {name} is too large"), format!("it has more than {most} bytes"))
            }
            NoAnswerCause::Local(reason) => (format!("{name} cannot be asked"), reason.clone()),
        };
        let is_temporary = matches!(no_answer.cause, NoAnswerCause::Timeout(_) | NoAnswerCause::Network(_));
        let is_away = is_temporary || matches!(no_answer.cause, NoAnswerCause::Certificate(_));
        let failure = Failure {
            kind: if is_away { ErrorKind::Unavailable } else { ErrorKind::Failed },
            user,
            tech: self.redaction.redacted(&format!("{what}: {reason}")),
            is_temporary,
            retry_after: None,
        };
        if no_answer.left { self.may_have_happened(failure) } else { failure }
    }

    /// The ERP system has refused the request. `text` is its own reason, `kind` what the author says about the answer.
    pub(crate) fn refused(&self, answer: &Answer, text: Option<String>, kind: Option<ErrorKind>) -> Failure {
        let name = self.name;
        let status = answer.status();
        let kind = kind.unwrap_or(match status {
            401 | 403 if !self.in_session => ErrorKind::Settings,
            404 | 410 => ErrorKind::NotFound,
            409 | 412 => ErrorKind::Conflict,
            // A gateway has sent the request on, and got no answer itself.
            502 | 504 if self.is_write => ErrorKind::UnknownOutcome,
            408 | 425 | 429 | 502 | 503 | 504 => ErrorKind::Unavailable,
            _ => ErrorKind::Failed,
        });
        let own = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let own = own.map(|text| self.redaction.redacted(&text).chars().take(USER_TEXT).collect());
        let user = own.unwrap_or_else(|| match (kind, status) {
            (ErrorKind::Settings, _) => {
                format!("{name} refuses the login of this connection, check its user and password")
            }
            (ErrorKind::NotFound, _) => format!("{name} does not have what was asked for"),
            (ErrorKind::Conflict, _) => format!("somebody else has changed this in {name} meanwhile"),
            (ErrorKind::Unavailable, 429) => format!("{name} gets too many requests, try again later"),
            (ErrorKind::Unavailable, _) => format!("{name} is not available, try again later"),
            (ErrorKind::UnknownOutcome, _) => self.look_first(),
            (_, 403) => format!("the user of this connection may not do this in {name}"),
            (_, 300..400) => format!("{name} has another address than the one in the settings"),
            _ => format!("{name} refuses the request"),
        });
        let location = answer.header("location").filter(|_| (300..400).contains(&status));
        let location =
            location.map(|location| format!(" to {}", without_query(location))).unwrap_or_default();
        let tech = format!("{}: status {status}{location}: {}", self.what, answer.excerpt());
        Failure {
            kind,
            user,
            tech: self.redaction.redacted(&tech),
            is_temporary: matches!(status, 408 | 425 | 429 | 502..=504),
            retry_after: answer.header("retry-after").and_then(retry_after),
        }
    }

    /// The failure of a request that may have arrived.
    pub(crate) fn may_have_happened(&self, failure: Failure) -> Failure {
        if !self.is_write || failure.kind == ErrorKind::UnknownOutcome {
            return failure;
        }
        let tech = format!("{}: {}", failure.user, failure.tech);
        Failure { kind: ErrorKind::UnknownOutcome, user: self.look_first(), tech, ..failure }
    }

    fn look_first(&self) -> String {
        let name = self.name;
        format!(
            "{name} got the change, but its answer did not come: it may have happened, so look there before you try again"
        )
    }
}

impl Failure {
    pub(crate) fn of(error: &Error) -> Self {
        let (user, tech) = (error.user_text(), error.tech_text());
        Failure { kind: error.kind(), user, tech, is_temporary: false, retry_after: None }
    }

    /// The failure with how often the request was sent.
    pub(crate) fn after(mut self, attempts: u32) -> Self {
        if attempts > 1 {
            self.tech.push_str(&format!(" (sent {attempts} times)"));
        }
        self
    }

    pub(crate) fn to_error(&self) -> Error {
        let error = Error::new(self.kind, self.user.clone());
        if self.tech.is_empty() { error } else { error.tech(self.tech.clone()) }
    }
}

/// The wait that a `Retry-After` header asks for: seconds or a date.
fn retry_after(value: &str) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

fn without_query(location: &str) -> &str {
    location.split(['?', '#']).next().unwrap_or_default()
}
