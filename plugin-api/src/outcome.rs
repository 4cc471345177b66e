//! How a call ended: [`Outcome`] when it worked, [`Error`] when it did not.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use crate::{State, error_code};

/// What a connector's methods return: a value, or an [`Error`] that becomes a reply with `State` Error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// How a call ended, with texts for the user and technicians (contract page, section 2: `State`, `UserExplanation`,
/// `TechExplanation`, `ErrorCode`). For hosts and tests: an author returns a [`Result`], and reports with [`crate::Context`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// Ok, OkWithInfo or Warning; Error too, though returning an [`Error`] is the usual way.
    pub state: State,
    /// For the person at the screen, plain or localised (`US:"text";NO:"tekst"`).
    pub user: Option<String>,
    /// For a technician, in English.
    pub tech: Option<String>,
    /// A code for programs, such as those of [`crate::error_code`].
    pub code: Option<String>,
    /// The kind of failure, of the state Error.
    pub kind: ErrorKind,
}

impl Outcome {
    /// It worked.
    pub fn ok() -> Self {
        Outcome { state: State::Ok, user: None, tech: None, code: None, kind: ErrorKind::Failed }
    }

    /// It worked, and the user should know this.
    pub fn info(user: impl Into<String>) -> Self {
        Outcome { state: State::OkWithInfo, user: Some(user.into()), ..Outcome::ok() }
    }

    /// It worked, but the user should look into this.
    pub fn warning(user: impl Into<String>) -> Self {
        Outcome { state: State::Warning, user: Some(user.into()), ..Outcome::ok() }
    }

    /// Adds a text for technicians.
    #[must_use]
    pub fn tech(mut self, tech: impl Into<String>) -> Self {
        self.tech = Some(tech.into());
        self
    }

    /// Adds a code for programs.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }
}

impl Default for Outcome {
    fn default() -> Self {
        Outcome::ok()
    }
}

/// What kind of failure an [`Error`] is. It decides what the host and SuperOffice do next; the reply has it as its code, unless
/// the error has one of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The call did not work; nothing more is known.
    #[default]
    Failed,
    /// The settings of the connection do not work, such as a wrong password. The host does not try again until they are
    /// saved anew, so that an account is not locked.
    Settings,
    /// The ERP system is away, or too busy: it may work later. The host tries less often meanwhile.
    Unavailable,
    /// Somebody else has changed the actor meanwhile.
    Conflict,
    /// What was asked for does not exist.
    NotFound,
    /// A change may or may not have happened, for example because the answer of the ERP system was lost.
    UnknownOutcome,
    /// The connection has to be opened again, for example because its session has ended. The host opens it again, and
    /// repeats a call that only reads, once.
    Reopen,
    /// The call was cancelled, and nobody waits for its answer: the error of [`Context::check`](crate::Context::check). It is no
    /// failure of the connector's.
    Cancelled,
}

impl ErrorKind {
    /// Every kind.
    pub const ALL: &'static [ErrorKind] = &[
        ErrorKind::Failed,
        ErrorKind::Settings,
        ErrorKind::Unavailable,
        ErrorKind::Conflict,
        ErrorKind::NotFound,
        ErrorKind::UnknownOutcome,
        ErrorKind::Reopen,
        ErrorKind::Cancelled,
    ];

    /// The code of a reply whose error has none of its own.
    pub const fn code(self) -> Option<&'static str> {
        match self {
            ErrorKind::Failed | ErrorKind::Cancelled => None,
            ErrorKind::Settings => Some(error_code::SETTINGS_INVALID),
            ErrorKind::Unavailable => Some(error_code::ERP_UNAVAILABLE),
            ErrorKind::Conflict => Some(error_code::CONFLICT),
            ErrorKind::NotFound => Some(error_code::NOT_FOUND),
            ErrorKind::UnknownOutcome => Some(error_code::UNKNOWN_OUTCOME),
            ErrorKind::Reopen => Some(error_code::CONNECTION_REOPENED),
        }
    }

    /// The name, for logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            ErrorKind::Failed => "failed",
            ErrorKind::Settings => "settings",
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::Conflict => "conflict",
            ErrorKind::NotFound => "not found",
            ErrorKind::UnknownOutcome => "unknown outcome",
            ErrorKind::Reopen => "reopen",
            ErrorKind::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a call did not work. Any error converts into it with `?`, and its whole chain of causes becomes the technical
/// text; [`ResultExt::user`] adds what the person at the screen should read.
///
/// ```
/// use plugin_api::{Error, Result, ResultExt};
///
/// fn read(path: &str) -> Result<String> {
///     if path.is_empty() {
///         return Err(Error::user("the file name is missing"));
///     }
///     std::fs::read_to_string(path).user(format!("the file {path} cannot be read"))
/// }
///
/// let error = read("/no/such/file").unwrap_err();
/// assert_eq!(error.user_text(), "the file /no/such/file cannot be read");
/// assert!(error.tech_text().contains("No such file"));
/// ```
pub struct Error {
    kind: ErrorKind,
    user: Option<String>,
    tech: Option<String>,
    code: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of a kind, with a text for the person at the screen, plain or localised.
    pub fn new(kind: ErrorKind, user: impl Into<String>) -> Self {
        Error { kind, user: Some(user.into()), tech: None, code: None, source: None }
    }

    /// An error with a text for the person at the screen, plain or localised.
    pub fn user(user: impl Into<String>) -> Self {
        Error::new(ErrorKind::Failed, user)
    }

    /// The settings of the connection do not work: see [`ErrorKind::Settings`].
    pub fn settings(user: impl Into<String>) -> Self {
        Error::new(ErrorKind::Settings, user)
    }

    /// The ERP system is away: see [`ErrorKind::Unavailable`].
    pub fn unavailable(user: impl Into<String>) -> Self {
        Error::new(ErrorKind::Unavailable, user)
    }

    /// Somebody else has changed the actor meanwhile: see [`ErrorKind::Conflict`].
    pub fn conflict(user: impl Into<String>) -> Self {
        Error::new(ErrorKind::Conflict, user)
    }

    /// What was asked for does not exist: see [`ErrorKind::NotFound`].
    pub fn not_found(user: impl Into<String>) -> Self {
        Error::new(ErrorKind::NotFound, user)
    }

    /// A change may or may not have happened: see [`ErrorKind::UnknownOutcome`].
    pub fn unknown_outcome(user: impl Into<String>) -> Self {
        Error::new(ErrorKind::UnknownOutcome, user)
    }

    /// The connection has to be opened again: see [`ErrorKind::Reopen`].
    pub fn reopen(user: impl Into<String>) -> Self {
        Error::new(ErrorKind::Reopen, user)
    }

    /// Sets the kind.
    #[must_use]
    pub fn of_kind(self, kind: ErrorKind) -> Self {
        Error { kind, ..self }
    }

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Adds a text for technicians; the causes follow it.
    #[must_use]
    pub fn tech(mut self, tech: impl Into<String>) -> Self {
        self.tech = Some(tech.into());
        self
    }

    /// Adds a code for programs, such as those of [`crate::error_code`].
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Adds the cause. A cause that is there already is kept in the technical text.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        if self.source.is_some() {
            self.tech = Some(self.tech_text());
        }
        self.source = Some(source.into());
        self
    }

    /// The cause, to find out its kind: `error.cause()?.downcast_ref::<std::io::Error>()`.
    pub fn cause(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as &(dyn StdError + 'static))
    }

    /// What the person at the screen reads: the user text, or else the outermost cause.
    pub fn user_text(&self) -> String {
        match (&self.user, &self.tech, &self.source) {
            (Some(user), _, _) => user.clone(),
            (None, Some(tech), _) => tech.clone(),
            (None, None, Some(source)) => source.to_string(),
            (None, None, None) => "the connector failed without a reason".to_owned(),
        }
    }

    /// What a technician reads: the technical text and every cause, outermost first, joined by `: `.
    pub fn tech_text(&self) -> String {
        let mut parts: Vec<String> = self.tech.iter().cloned().collect();
        let mut cause = self.cause();
        while let Some(error) = cause {
            let text = error.to_string();
            // Some errors have the text of their cause in their own.
            if !parts.last().is_some_and(|last| last.ends_with(&text)) {
                parts.push(text);
            }
            cause = error.source();
        }
        parts.join(": ")
    }

    /// The code for programs.
    pub fn error_code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The error as a reply has it: state Error, user text, technical text, code.
    pub fn to_outcome(&self) -> Outcome {
        let tech = self.tech_text();
        Outcome {
            state: State::Error,
            user: Some(self.user_text()),
            tech: (!tech.is_empty()).then_some(tech),
            code: self.code.clone(),
            kind: self.kind,
        }
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    fn from(source: E) -> Self {
        let kind = kind_of(&source);
        Error { kind, user: None, tech: None, code: None, source: Some(Box::new(source)) }
    }
}

/// The kind of an error of another crate: the network's errors, among its causes too, mean that the ERP system is away.
fn kind_of(error: &(dyn StdError + 'static)) -> ErrorKind {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(is_of_network) {
            return ErrorKind::Unavailable;
        }
        cause = error.source();
    }
    ErrorKind::Failed
}

fn is_of_network(error: &io::Error) -> bool {
    use io::ErrorKind as Io;
    matches!(
        error.kind(),
        Io::ConnectionRefused
            | Io::ConnectionReset
            | Io::ConnectionAborted
            | Io::HostUnreachable
            | Io::NetworkUnreachable
            | Io::NetworkDown
            | Io::NotConnected
            | Io::TimedOut
    )
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (user, tech) = (self.user_text(), self.tech_text());
        f.write_str(&user)?;
        if !tech.is_empty() && tech != user { write!(f, " ({tech})") } else { Ok(()) }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Adds texts to the error of a [`std::result::Result`].
pub trait ResultExt<T> {
    /// Adds a text for the person at the screen; the error stays as the cause, and a text that
    /// it had for the person at the screen goes to the technical text.
    ///
    /// # Errors
    /// The same as before, with the text.
    fn user(self, user: impl Into<String>) -> Result<T>;
}

impl<T, E: Into<Error>> ResultExt<T> for std::result::Result<T, E> {
    fn user(self, user: impl Into<String>) -> Result<T> {
        self.map_err(|error| {
            let mut error: Error = error.into();
            if let Some(before) = error.user.replace(user.into()) {
                error.tech = Some(error.tech.map_or(before.clone(), |tech| format!("{before}: {tech}")));
            }
            error
        })
    }
}
