//! Sessions: one login for all calls of a connection.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use plugin_api::{Context, Error, ErrorKind, Result, Secret};

use crate::answer::Answer;
use crate::failure::Failure;

/// A session that a login has opened: the headers that each request sends.
///
/// ```
/// use std::time::Duration;
/// use plugin_http::Session;
///
/// let session = Session::bearer("7f3a").valid_for(Duration::from_secs(3600));
/// assert_eq!(format!("{session:?}"), r#"Session { headers: [("authorization", Secret(..))], .. }"#);
/// ```
#[derive(Clone, Default)]
pub struct Session {
    headers: Vec<(String, Secret)>,
    ends: Option<Instant>,
}

impl Session {
    /// A session whose requests have this header.
    pub fn header(name: impl Into<String>, value: impl Into<Secret>) -> Self {
        Session::default().and_header(name, value)
    }

    /// A session with a bearer token: `Authorization: Bearer ..`.
    pub fn bearer(token: impl AsRef<str>) -> Self {
        Session::header("authorization", format!("Bearer {}", token.as_ref()))
    }

    /// A session of the cookies that an answer has set.
    ///
    /// # Errors
    /// It has set none.
    pub fn cookies(answer: &Answer) -> Result<Self> {
        let cookies: Vec<&str> =
            answer.headers("set-cookie").filter_map(|cookie| cookie.split(';').next()).collect();
        if cookies.is_empty() {
            return Err(Error::user("the ERP system has opened no session").tech("the answer sets no cookie"));
        }
        Ok(Session::header("cookie", cookies.join("; ")))
    }

    /// Adds a header.
    #[must_use]
    pub fn and_header(mut self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.headers.push((name.into().to_lowercase(), value.into()));
        self
    }

    /// The session is not used any more after this time, so that it does not end in a call.
    #[must_use]
    pub fn valid_for(mut self, time: Duration) -> Self {
        self.ends = Instant::now().checked_add(time);
        self
    }

    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value))
    }

    fn has_ended(&self) -> bool {
        self.ends.is_some_and(|ends| ends <= Instant::now())
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("headers", &self.headers).finish_non_exhaustive()
    }
}

/// The session of a connection, and the one login that opens it (single flight).
#[derive(Default)]
pub(crate) struct Sessions {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    open: Option<Arc<Session>>,
    is_logging_in: bool,
    /// Counts the logins, and has the failure of the last one.
    logins: u64,
    failed: Option<Failure>,
    /// The settings do not work: no further login, so that the user is not locked out.
    refused: Option<Failure>,
}

impl Sessions {
    /// The open session. Without one, the first caller logs in, and all others wait for that.
    pub(crate) fn get(
        self: &Arc<Self>,
        cx: &Context,
        log_in: impl Fn() -> Result<Session>,
    ) -> Result<Arc<Session>> {
        let mut state = self.lock();
        loop {
            if let Some(refused) = &state.refused {
                return Err(refused.to_error());
            }
            if let Some(session) = state.open.as_ref().filter(|session| !session.has_ended()) {
                return Ok(Arc::clone(session));
            }
            if !state.is_logging_in {
                state.is_logging_in = true;
                drop(state);
                return self.log_in(cx, log_in);
            }
            let login = state.logins;
            state = self.wait(cx, state, login)?;
            if let Some(failed) = state.failed.as_ref().filter(|_| state.logins == login + 1) {
                return Err(failed.to_error());
            }
        }
    }

    /// The session has ended, as an answer shows. Does nothing if another one is open by now.
    pub(crate) fn end(&self, session: &Arc<Session>) {
        let mut state = self.lock();
        if state.open.as_ref().is_some_and(|open| Arc::ptr_eq(open, session)) {
            state.open = None;
        }
    }

    /// Takes the open session, to log out.
    pub(crate) fn take(&self) -> Option<Arc<Session>> {
        self.lock().open.take()
    }

    fn log_in(&self, cx: &Context, log_in: impl Fn() -> Result<Session>) -> Result<Arc<Session>> {
        let flight = Flight(self);
        let session = log_in().map(Arc::new);
        let mut state = self.lock();
        state.failed = None;
        match &session {
            Ok(session) => state.open = Some(Arc::clone(session)),
            Err(error) if error.kind() == ErrorKind::Settings => state.refused = Some(Failure::of(error)),
            // The time of this call is over; another one may have more.
            Err(_) if cx.timeout(MUCH_TIME) < MUCH_TIME => {}
            Err(error) => state.failed = Some(Failure::of(error)),
        }
        drop(state);
        drop(flight);
        session
    }

    /// Waits for the end of the login that another call makes.
    fn wait<'s>(
        self: &'s Arc<Self>,
        cx: &Context,
        mut state: MutexGuard<'s, State>,
        login: u64,
    ) -> Result<MutexGuard<'s, State>> {
        drop(state);
        let sessions = Arc::clone(self);
        cx.on_cancel(move || {
            // Not between the check of a waiting call and its wait.
            drop(sessions.lock());
            sessions.changed.notify_all();
        });
        state = self.lock();
        while state.is_logging_in && state.logins == login {
            cx.check()?;
            let (waited, timeout) = self
                .changed
                .wait_timeout(state, cx.timeout(LONGEST_LOGIN))
                .unwrap_or_else(PoisonError::into_inner);
            state = waited;
            if timeout.timed_out() && state.is_logging_in && state.logins == login {
                cx.check()?;
                return Err(Error::unavailable(
                    "the login to the ERP system takes too long, try again later",
                ));
            }
        }
        Ok(state)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call with less time than this left may fail where another one does not.
const MUCH_TIME: Duration = Duration::from_secs(1);

/// For how long a call without a deadline waits for the login of another one.
const LONGEST_LOGIN: Duration = Duration::from_secs(120);

/// A login that is going on. It ends also when the author's code panics.
struct Flight<'s>(&'s Sessions);

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_logging_in = false;
        state.logins += 1;
        drop(state);
        self.0.changed.notify_all();
    }
}
