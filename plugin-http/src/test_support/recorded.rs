//! Recorded exchanges with an ERP system, to test a connector without one.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use plugin_api::{Context, Result, ResultExt, Secret};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::exchanges::{Answered, Asked, Exchange, Exchanges};
use super::server::{Reply, ServedRequest, Server};
use crate::redaction::Redaction;
use crate::transport::{self, Prepared};

/// Names the address of an ERP system to record from.
const VARIABLE: &str = "ERP_HOST_RECORD";
const TIMEOUT: Duration = Duration::from_secs(120);
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// A server that answers as an ERP system did when it was recorded, in a file that belongs to the tests.
///
/// ```no_run
/// # use plugin_api::Result;
/// use plugin_http::test_support::Recorded;
///
/// # fn connect(address: &str) -> Result<()> { Ok(()) }
/// # fn test() -> Result<()> {
/// let erp = Recorded::open("tests/fixtures/search.json")?;
/// let company = connect(&erp.address())?;
/// // .. calls of the connection ..
/// erp.assert_all_asked();
/// # Ok(())
/// # }
/// ```
///
/// With `ERP_HOST_RECORD=https://erp.example.com/api` in its environment, the same test records: its requests are passed on to that
/// address, and the file is written anew by [`assert_all_asked`](Recorded::assert_all_asked). Secrets are redacted: the values of
/// names such as `password` and `token`, and those of [`open_with`](Recorded::open_with). Other personal data is not: record from a test
/// company.
///
/// A request is answered when it has the method, the target and the body of one that was recorded and not yet answered. So each
/// exchange is used once, in any order.
pub struct Recorded {
    file: PathBuf,
    base: String,
    server: Server,
    conversation: Arc<Conversation>,
    is_recording: bool,
}

struct Conversation {
    redaction: Redaction,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    exchanges: Vec<Exchange>,
    answered: Vec<bool>,
    unexpected: Vec<String>,
    /// The address of the server itself.
    origin: String,
}

impl Recorded {
    /// Answers from a file, or records to it where the environment has `ERP_HOST_RECORD`.
    ///
    /// # Errors
    /// The file cannot be read, or the server not be started.
    pub fn open(file: impl AsRef<Path>) -> Result<Self> {
        Recorded::open_with(file, &[])
    }

    /// As [`open`](Recorded::open), with values that are redacted wherever they occur.
    ///
    /// # Errors
    /// As for [`open`](Recorded::open).
    pub fn open_with(file: impl AsRef<Path>, secrets: &[&str]) -> Result<Self> {
        match std::env::var(VARIABLE) {
            Ok(address) => Recorded::record(file, &address, secrets),
            Err(_) => Recorded::replay(file, secrets),
        }
    }

    /// Answers from a file.
    ///
    /// # Errors
    /// As for [`open`](Recorded::open).
    pub fn replay(file: impl AsRef<Path>, secrets: &[&str]) -> Result<Self> {
        let file = file.as_ref();
        let Exchanges { base, exchanges } =
            Exchanges::read(file).user(format!("the recording {} cannot be read", file.display()))?;
        let answered = vec![false; exchanges.len()];
        let state = State { exchanges, answered, ..State::default() };
        Recorded::start(file, base, secrets, state, None)
    }

    /// Records to a file, from the ERP system at an address.
    ///
    /// # Errors
    /// The address is not valid, or the server cannot be started.
    pub fn record(file: impl AsRef<Path>, address: &str, secrets: &[&str]) -> Result<Self> {
        let erp = Url::parse(address).user(format!("{VARIABLE} is no address"))?;
        let base = erp.path().trim_end_matches('/').to_owned();
        Recorded::start(file.as_ref(), base, secrets, State::default(), Some(erp))
    }

    fn start(file: &Path, base: String, secrets: &[&str], state: State, erp: Option<Url>) -> Result<Self> {
        let mut redaction = Redaction::default();
        secrets.iter().for_each(|secret| redaction.add_secret(&Secret::from(*secret)));
        let conversation = Arc::new(Conversation { redaction, state: Mutex::new(state) });
        let is_recording = erp.is_some();
        let answering = Arc::clone(&conversation);
        let server = Server::start(move |request| match &erp {
            Some(erp) => answering.pass_on(&request, erp),
            None => answering.answer(&request),
        })
        .user("the server of a test cannot be started")?;
        conversation.state().origin = server.address();
        Ok(Recorded { file: file.to_owned(), base, server, conversation, is_recording })
    }

    /// The address for the settings of the connection.
    pub fn address(&self) -> String {
        format!("{}{}", self.server.address(), self.base)
    }

    /// Ends the conversation: writes the file when it was recorded.
    ///
    /// # Panics
    /// A request came that was not recorded, or one that was recorded did not come.
    pub fn assert_all_asked(self) {
        let mut state = self.conversation.state();
        if self.is_recording {
            let exchanges = std::mem::take(&mut state.exchanges);
            let written = Exchanges { base: self.base.clone(), exchanges }.write(&self.file);
            assert!(written.is_ok(), "the recording {} cannot be written: {written:?}", self.file.display());
            return;
        }
        let missing = state.exchanges.iter().zip(&state.answered).filter(|(_, answered)| !**answered);
        let missing: Vec<String> = missing.map(|(exchange, _)| exchange.request.to_string()).collect();
        assert!(
            missing.is_empty() && state.unexpected.is_empty(),
            "{}: not as recorded\n  did not come: {missing:#?}\n  not recorded: {:#?}",
            self.file.display(),
            state.unexpected
        );
    }
}

impl Conversation {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &ServedRequest) -> Reply {
        let asked = Asked::of(request, &self.redaction);
        let state = &mut *self.state();
        let found = (0..state.exchanges.len())
            .find(|&index| !state.answered[index] && state.exchanges[index].request == asked);
        match found {
            Some(index) => {
                state.answered[index] = true;
                state.exchanges[index].answer.reply(&state.origin)
            }
            None => {
                let problem = format!("{asked}");
                state.unexpected.push(problem.clone());
                Reply::json(501, &format!("this request was not recorded, or came more often: {problem}"))
            }
        }
    }

    fn pass_on(&self, request: &ServedRequest, erp: &Url) -> Reply {
        let reply = ask(request, erp).unwrap_or_else(|problem| Reply::json(502, &problem));
        let erp = erp.origin().ascii_serialization();
        let mut state = self.state();
        let answer = Answered::of(&reply, &erp, &self.redaction);
        state.exchanges.push(Exchange { request: Asked::of(request, &self.redaction), answer });
        // Links lead to this server, as they do when the answer is replayed.
        let body = match String::from_utf8(reply.body) {
            Ok(text) => text.replace(&erp, &state.origin).into_bytes(),
            Err(binary) => binary.into_bytes(),
        };
        let headers =
            reply.headers.into_iter().map(|(name, value)| (name, value.replace(&erp, &state.origin)));
        Reply { headers: headers.collect(), body, ..reply }
    }
}

/// Asks the ERP system.
fn ask(request: &ServedRequest, erp: &Url) -> Result<Reply, String> {
    let url = erp.join(&request.target).map_err(|error| error.to_string())?;
    let method = reqwest::Method::from_bytes(request.method.as_bytes()).map_err(|error| error.to_string())?;
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let of_connection = ["host", "connection", "content-length", "accept-encoding", "transfer-encoding"];
        if let (false, Ok(name), Ok(value)) = (
            of_connection.contains(&name.as_str()),
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(value),
        ) {
            headers.append(name, value);
        }
    }
    let http = transport::client(&[]).map_err(|error| error.to_string())?;
    let prepared = Prepared { method: &method, url: &url, headers, body: request.body.clone().into() };
    let received = transport::exchange(&Context::default(), &http, prepared, TIMEOUT, MOST_BYTES)
        .map_err(|error| format!("{:?}", error.cause))?;
    let headers = received.headers.iter().map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    let of_connection = ["connection", "content-length", "transfer-encoding", "content-encoding", "date"];
    let headers = headers.filter(|(name, _)| !of_connection.contains(&name.as_str()));
    Ok(Reply { status: received.status, headers: headers.collect(), body: received.body.to_vec() })
}
