//! How a call ended: [`Outcome`] when it worked, [`Error`] when it did not.

use std::error::Error as StdError;
use std::fmt;

use crate::State;

/// What a connector's methods return: a value, or an [`Error`] that becomes a reply with `State` Error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// How a call that worked ended, with texts for the user and technicians (contract page, section 2: `State`,
/// `UserExplanation`, `TechExplanation`, `ErrorCode`).
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
}

impl Outcome {
    /// It worked.
    pub fn ok() -> Self {
        Outcome { state: State::Ok, user: None, tech: None, code: None }
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
    user: Option<String>,
    tech: Option<String>,
    code: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error with a text for the person at the screen, plain or localised.
    pub fn user(user: impl Into<String>) -> Self {
        Error { user: Some(user.into()), tech: None, code: None, source: None }
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
        }
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    fn from(source: E) -> Self {
        Error { user: None, tech: None, code: None, source: Some(Box::new(source)) }
    }
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
