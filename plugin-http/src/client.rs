//! The client of one connection.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use plugin_api::{Context, ErrorKind, Result};
use reqwest::Method;
use reqwest::header::HeaderMap;
use url::Url;

use crate::answer::Answer;
use crate::failure::Failed;
use crate::redaction::Redaction;
use crate::session::{Session, Sessions};

mod builder;
mod request;

pub use builder::ClientBuilder;
pub use request::Request;

/// The HTTP client of a connection: base address, limits, secrets and session. Cheap to clone, and used by many threads at once.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
    session: Option<(Arc<dyn Login>, Arc<Sessions>)>,
}

/// How a session is opened. A function is one: `|cx: &Context, http: &Client| -> Result<Session> { .. }`.
pub trait Login: Send + Sync + 'static {
    /// Logs in. Requests of `http` have no session here.
    ///
    /// # Errors
    /// The login does not work. An error of the kind [`Settings`](ErrorKind::Settings), as requests make it of the statuses 401 and 403,
    /// ends all logins of this client, so that the user is not locked out.
    fn log_in(&self, cx: &Context, http: &Client) -> Result<Session>;

    /// Whether an answer shows that the session has ended: status 401, unless overridden. The request had no effect then: it
    /// is sent once more, with a new session.
    fn is_ended(&self, answer: &Answer) -> bool {
        answer.status() == 401
    }

    /// Logs out, with a request [in the session](Request::in_session): nothing, unless overridden. See [`Client::log_out`].
    ///
    /// # Errors
    /// It did not work.
    fn log_out(&self, cx: &Context, http: &Client, session: &Session) -> Result<()> {
        let _ = (cx, http, session);
        Ok(())
    }
}

impl<F: Fn(&Context, &Client) -> Result<Session> + Send + Sync + 'static> Login for F {
    fn log_in(&self, cx: &Context, http: &Client) -> Result<Session> {
        self(cx, http)
    }
}

type OfAnswer<T> = Box<dyn Fn(&Answer) -> Option<T> + Send + Sync>;

struct Inner {
    name: String,
    base: Url,
    http: Arc<reqwest::Client>,
    headers: HeaderMap,
    timeout: Duration,
    most_bytes: usize,
    attempts: u32,
    redaction: Arc<Redaction>,
    error_text: OfAnswer<String>,
    error_kind: OfAnswer<ErrorKind>,
}

impl Client {
    /// A client of the ERP system at this address, such as `https://erp.example.com/api`.
    ///
    /// # Errors
    /// The address is none of HTTP, or has user and password in it. The kind is [`Settings`](ErrorKind::Settings).
    pub fn builder(address: &str) -> Result<ClientBuilder> {
        ClientBuilder::new(address)
    }

    /// A request that reads: it is repeated when the ERP system is away or busy.
    pub fn get(&self, path: &str) -> Request<'_> {
        Request::new(self, Method::GET, path).reads()
    }

    /// A request that writes: it is sent once.
    pub fn post(&self, path: &str) -> Request<'_> {
        Request::new(self, Method::POST, path)
    }

    /// A request that writes: it is sent once.
    pub fn put(&self, path: &str) -> Request<'_> {
        Request::new(self, Method::PUT, path)
    }

    /// A request that writes: it is sent once.
    pub fn patch(&self, path: &str) -> Request<'_> {
        Request::new(self, Method::PATCH, path)
    }

    /// A request that writes: it is sent once.
    pub fn delete(&self, path: &str) -> Request<'_> {
        Request::new(self, Method::DELETE, path)
    }

    /// The address that paths are added to.
    pub fn address(&self) -> &str {
        self.inner.base.as_str()
    }

    /// A text without the secrets of this client: for texts of the ERP system that go into errors and logs.
    pub fn redacted(&self, text: &str) -> String {
        self.inner.redaction.redacted(text)
    }

    /// Ends the session, if there is one. The next request opens another one.
    ///
    /// # Errors
    /// As for [`Login::log_out`].
    pub fn log_out(&self, cx: &Context) -> Result<()> {
        let Some((login, sessions)) = &self.session else { return Ok(()) };
        match sessions.take() {
            Some(session) => login.log_out(cx, &self.without_session(), &session),
            None => Ok(()),
        }
    }

    /// The open session, after a login if there is none. `None` for a client without sessions.
    fn session(&self, cx: &Context) -> Result<Option<Arc<Session>>> {
        let Some((login, sessions)) = &self.session else { return Ok(None) };
        let log_in = || {
            let session = login.log_in(cx, &self.without_session())?;
            self.inner.redaction.set_session(session.headers().map(|(_, value)| value));
            log::debug!("{}: a session was opened", self.inner.name);
            Ok(session)
        };
        sessions.get(cx, log_in).map(Some)
    }

    fn without_session(&self) -> Client {
        Client { inner: Arc::clone(&self.inner), session: None }
    }
}

impl Inner {
    fn failed<'f>(&'f self, what: &'f str, origin: &'f str, is_write: bool, in_session: bool) -> Failed<'f> {
        Failed { name: &self.name, origin, what, is_write, in_session, redaction: &self.redaction }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("address", &self.address()).finish_non_exhaustive()
    }
}
