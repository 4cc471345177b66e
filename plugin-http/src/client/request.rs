//! A request: what is sent, how often, and what its answer means.

use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use plugin_api::{Context, Error, Result, Secret};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderValue};
use serde::Serialize;
use url::Url;

use super::builder::header;
use super::{Client, Inner};
use crate::answer::Answer;
use crate::failure::Failure;
use crate::retry;
use crate::session::Session;
use crate::transport::{self, NoAnswer, NoAnswerCause, Prepared};

/// A request that is being made: see [`Client::get`]. What is wrong with it is the error of [`send`](Request::send).
#[must_use = "a request is sent by `send`"]
pub struct Request<'c> {
    client: &'c Client,
    method: Method,
    url: Result<Url>,
    headers: HeaderMap,
    body: Bytes,
    timeout: Duration,
    /// It changes something.
    is_write: bool,
    /// It has the same effect when it is sent again.
    is_repeatable: bool,
    accepted: Vec<u16>,
}

impl<'c> Request<'c> {
    pub(super) fn new(client: &'c Client, method: Method, path: &str) -> Self {
        Request {
            client,
            method,
            url: below(&client.inner, path),
            headers: client.inner.headers.clone(),
            body: Bytes::new(),
            timeout: client.inner.timeout,
            is_write: true,
            is_repeatable: false,
            accepted: Vec::new(),
        }
    }

    /// It only reads, whatever its method is: it is repeated when the ERP system is away or busy.
    pub fn reads(self) -> Self {
        Request { is_write: false, is_repeatable: true, ..self }
    }

    /// It changes something, whatever its method is.
    pub fn writes(self) -> Self {
        Request { is_write: true, is_repeatable: false, ..self }
    }

    /// It changes something, and the ERP system takes repetitions with the same key in this header for the same request: so it is
    /// repeated, as one that reads.
    pub fn idempotency_key(self, header: &str, key: &str) -> Self {
        Request { is_write: true, is_repeatable: true, ..self.header(header, key) }
    }

    /// Adds a part to the path, such as a key: it is encoded, so it cannot lead to another place.
    pub fn segment(mut self, part: impl Display) -> Self {
        let part = part.to_string();
        self.change_url(|url| {
            if matches!(part.as_str(), "" | "." | "..") {
                return Err(Error::not_found(format!("there is nothing with the key {part:?}")));
            }
            if let Ok(mut path) = url.path_segments_mut() {
                path.pop_if_empty().push(&part);
            }
            Ok(())
        });
        self
    }

    /// Adds a parameter to the query.
    pub fn query(mut self, name: &str, value: impl Display) -> Self {
        self.change_url(|url| {
            url.query_pairs_mut().append_pair(name, &value.to_string());
            Ok(())
        });
        self
    }

    /// Adds a parameter to the query, if there is a value.
    pub fn query_if(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    /// Sets a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match header(name, value) {
            Ok((name, value)) => drop(self.headers.insert(name, value)),
            Err(error) => self.fail(error),
        }
        self
    }

    /// User and password (Basic authentication), for a login.
    pub fn basic_auth(self, user: &str, password: &Secret) -> Self {
        self.header("authorization", crate::basic_auth(user, password).expose())
    }

    /// Sends the headers of a session, for a [log-out](super::Login::log_out). Other requests have the session of their client.
    pub fn in_session(self, session: &Session) -> Self {
        session.headers().fold(self, |request, (name, value)| request.header(name, value.expose()))
    }

    /// A JSON body.
    pub fn json(self, body: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_vec(body) {
            Ok(bytes) => self.body("application/json", bytes),
            Err(error) => {
                let mut request = self;
                request.fail(Error::user("the request cannot be written as JSON").caused_by(error));
                request
            }
        }
    }

    /// A body of form fields, as a login with OAuth has it.
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.body("application/x-www-form-urlencoded", body)
    }

    /// A body of any type.
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = Bytes::from(body.into());
        self.header("content-type", content_type)
    }

    /// The longest time for this request; that of the client when not set.
    pub fn timeout(self, most: Duration) -> Self {
        Request { timeout: most, ..self }
    }

    /// Takes an answer with this status for a success, such as 304.
    pub fn accept_status(mut self, status: u16) -> Self {
        self.accepted.push(status);
        self
    }

    /// Sends the request; `None` when the ERP system does not have what was asked for (404).
    ///
    /// # Errors
    /// As for [`send`](Request::send).
    pub fn send_if_found(self, cx: &Context) -> Result<Option<Answer>> {
        let answer = self.accept_status(404).send(cx)?;
        Ok((answer.status() != 404).then_some(answer))
    }

    /// Sends the request and receives the answer.
    ///
    /// # Errors
    /// There is no answer in time, or it is no success: see [the kinds](crate#kinds-of-failure).
    pub fn send(mut self, cx: &Context) -> Result<Answer> {
        let url = std::mem::replace(&mut self.url, Err(Error::user("the request was sent")))?;
        let what = format!("{} {}", self.method, self.client.inner.redaction.redacted(url.path()));
        let origin = url.origin().ascii_serialization();
        let mut attempts = 0;
        let mut may_have_happened = false;
        let mut was_ended = false;
        loop {
            cx.check()?;
            let session = self.client.session(cx)?;
            attempts += 1;
            let failed = self.client.inner.failed(&what, &origin, self.is_write, session.is_some());
            let failure = match self.exchange(cx, &url, &what, session.as_deref()) {
                Ok(answer) => {
                    if let (Some(session), false) = (&session, was_ended)
                        && self.has_ended(session, &answer)
                    {
                        was_ended = true;
                        attempts -= 1;
                        continue;
                    }
                    if answer.is_success() || self.accepted.contains(&answer.status()) {
                        return Ok(answer);
                    }
                    let inner = &self.client.inner;
                    failed.refused(&answer, (inner.error_text)(&answer), (inner.error_kind)(&answer))
                }
                Err(no_answer) => {
                    may_have_happened |= no_answer.left;
                    if matches!(no_answer.cause, NoAnswerCause::Cancelled) && !self.is_write {
                        cx.check()?;
                    }
                    failed.without_answer(&no_answer)
                }
            };
            let wait = self.wait(&failure, attempts, cx);
            match wait {
                Some(wait) => {
                    log::debug!("{what}: sent again in {} ms", wait.as_millis());
                    transport::wait(cx, wait)?;
                }
                None => {
                    let failure = if may_have_happened && failure.is_temporary {
                        failed.may_have_happened(failure)
                    } else {
                        failure
                    };
                    return Err(failure.after(attempts).to_error());
                }
            }
        }
    }

    fn wait(&self, failure: &Failure, attempts: u32, cx: &Context) -> Option<Duration> {
        let again = self.is_repeatable && failure.is_temporary && attempts < self.client.inner.attempts;
        if again { retry::wait_after(attempts, failure.retry_after, cx) } else { None }
    }

    /// Whether the session has ended; it is not used any more then.
    fn has_ended(&self, session: &Arc<Session>, answer: &Answer) -> bool {
        let Some((login, sessions)) = &self.client.session else { return false };
        let ended = login.is_ended(answer);
        if ended {
            sessions.end(session);
        }
        ended
    }

    fn exchange(
        &self,
        cx: &Context,
        url: &Url,
        what: &str,
        session: Option<&Session>,
    ) -> Result<Answer, NoAnswer> {
        let inner = &self.client.inner;
        let mut headers = self.headers.clone();
        for (name, value) in session.into_iter().flat_map(Session::headers) {
            // A value that no header can have is left out; the login fails then, with the ERP system's own reason.
            if let Ok((name, mut value)) = header(name, value.expose()) {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        }
        if !self.body.is_empty() || self.method != Method::GET {
            headers.insert("content-length", HeaderValue::from(self.body.len()));
        }
        let prepared = Prepared { method: &self.method, url, headers, body: self.body.clone() };
        let begun = Instant::now();
        let received =
            transport::exchange(cx, &inner.http, prepared, cx.timeout(self.timeout), inner.most_bytes);
        let took = begun.elapsed().as_millis();
        match &received {
            Ok(answer) => {
                log::debug!("{what}: status {}, {took} ms, {} bytes", answer.status, answer.body.len());
            }
            Err(no_answer) => {
                let cause = inner.redaction.redacted(&format!("{:?}", no_answer.cause));
                log::debug!("{what}: no answer, {took} ms, {cause}");
            }
        }
        received.map(|received| Answer {
            received,
            what: what.to_owned(),
            of_write: self.is_write,
            redaction: Arc::clone(&inner.redaction),
        })
    }

    fn change_url(&mut self, change: impl FnOnce(&mut Url) -> Result<()>) {
        let changed = match &mut self.url {
            Ok(url) => change(url),
            Err(_) => Ok(()),
        };
        if let Err(error) = changed {
            self.fail(error);
        }
    }

    /// Keeps the first error.
    fn fail(&mut self, error: Error) {
        if self.url.is_ok() {
            self.url = Err(error);
        }
    }
}

/// The address of a path below that of the client. A whole address, such as the link of a next page, has to be one of the same
/// server: the credentials are for this one only.
fn below(inner: &Inner, path: &str) -> Result<Url> {
    let base = &inner.base;
    let url = match Url::parse(path) {
        Ok(url) => url,
        Err(_) => {
            let joined = if path.starts_with('/') && path.starts_with(base.path()) {
                // A link from the root of the server.
                base.join(path)
            } else {
                base.join(path.trim_start_matches('/'))
            };
            joined.map_err(|error| Error::user("a path of the ERP system is not valid").caused_by(error))?
        }
    };
    if url.origin() != base.origin() || !url.username().is_empty() {
        return Err(Error::user(format!("{} has named an address of another server", inner.name)).tech(
            format!(
                "the address {} is none of {}",
                url.origin().ascii_serialization(),
                base.origin().ascii_serialization()
            ),
        ));
    }
    Ok(url)
}
