//! The adapter for a service: requests travel over SOAP, and every reply is checked for what a WCF client would lose.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::learn::WsdlDocument;
use contract::{Call, Envelope, Loss, LossKind, Operation, Request, Text, losses};
use erp_host_client::{CallError, CallErrorKind, Client, Exchange, HttpExchange, HttpRequest};
use plugin_api::{ErrorKind, Field, ListItem, Outcome};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::call_limits::Ended;
use crate::clock::Clock;
use crate::reply::{Payload, Reply, actor, owned};
use crate::rule::{Finding, Stop};

/// Why nothing is checked with a reply that a WCF client would not get.
const LOST: &str = "members of the reply are lost to a WCF client: see rules 1402 to 1408";

/// A service, and what is wrong with its replies so far.
pub(crate) struct Soap {
    pub(crate) client: Client,
    clock: Rc<Clock>,
    /// The documents of `?wsdl`, from rule 101.
    pub(crate) wsdl: OnceCell<Vec<WsdlDocument>>,
    /// The plain call that unusual requests are compared with, from the first rule of them.
    pub(crate) plain: OnceCell<(Operation, HttpRequest, Reply)>,
    /// Replies so far.
    pub(crate) replies: Cell<usize>,
    /// What WCF clients lose of the replies.
    pub(crate) lost: RefCell<Vec<(LossKind, Finding)>>,
    /// What is wrong with the HTTP around replies.
    pub(crate) http: RefCell<Vec<Finding>>,
    /// States that contradict themselves.
    pub(crate) states: RefCell<Vec<Finding>>,
    /// Errors without an explanation.
    pub(crate) unexplained: RefCell<Vec<Finding>>,
}

impl Soap {
    pub(crate) fn new(client: Client, clock: Rc<Clock>) -> Self {
        Soap {
            client,
            clock,
            wsdl: OnceCell::new(),
            plain: OnceCell::new(),
            replies: Cell::default(),
            lost: RefCell::default(),
            http: RefCell::default(),
            states: RefCell::default(),
            unexplained: RefCell::default(),
        }
    }

    /// How calls are wrapped.
    pub(crate) fn envelope(&self) -> Envelope {
        self.client.envelope().clone()
    }

    /// Skips a rule where the contract of the service does not have this operation.
    pub(crate) fn needs(&self, operation: Operation) -> Result<(), Stop> {
        match self.client.profile().operation(operation) {
            Some(_) => Ok(()),
            None => Err(Stop::skip(format!("the WSDL has no operation {operation}: see rule 104"))),
        }
    }

    /// A call as HTTP.
    pub(crate) fn request(&self, guid: Option<&str>, request: Request<'_>) -> HttpRequest {
        let call = Call { envelope: self.envelope(), connection_guid: guid.map(Into::into), request };
        self.client.request(&call)
    }

    /// Sends any request; whatever comes back counts.
    pub(crate) async fn send(&self, request: HttpRequest) -> Result<Arc<HttpExchange>, Stop> {
        self.clock.count(1);
        self.client.send(request).await.map(Arc::new).map_err(|trouble| {
            Stop::Failed(Finding { text: format!("{trouble}; expected an answer"), shown_by: None })
        })
    }

    /// Sends a request that must be answered by a reply.
    pub(crate) async fn exchange(&self, operation: Operation, request: HttpRequest) -> Result<Reply, Stop> {
        let left = self.clock.left(operation)?;
        self.clock.count(1);
        let started = Instant::now();
        let response = timeout(left, self.client.exchange(operation, request)).await;
        self.clock.measured(operation, started.elapsed());
        self.read(operation, response.map_err(|_| self.clock.exceeded(operation))?)
    }

    /// Makes calls of a connection at the same time.
    pub(crate) async fn at_once(&self, guid: &str, requests: &[Request<'_>]) -> Vec<Result<Reply, Stop>> {
        let mut calls = JoinSet::new();
        for (at, request) in requests.iter().enumerate() {
            let operation = request.operation();
            let sent = self.request(Some(guid), request.clone());
            let client = self.client.clone();
            calls.spawn(async move { (at, operation, client.exchange(operation, sent).await) });
        }
        let Some(first) = requests.first().map(Request::operation) else { return Vec::new() };
        self.clock.count(requests.len());
        let started = Instant::now();
        let all = match self.clock.left(first) {
            Ok(left) => timeout(left, calls.join_all()).await.map_err(|_| ()),
            Err(_) => Err(()),
        };
        self.clock.measured(first, started.elapsed());
        let Ok(mut answers) = all else { return vec![Err(self.clock.exceeded(first))] };
        answers.sort_by_key(|(at, ..)| *at);
        answers.into_iter().map(|(_, operation, answer)| self.read(operation, answer)).collect()
    }

    /// Makes calls of a connection at the same time, and waits no longer than this for each.
    pub(crate) async fn within(&self, guid: &str, requests: &[Request<'_>], wait: Duration) -> Vec<Ended> {
        let mut calls = JoinSet::new();
        for (at, request) in requests.iter().enumerate() {
            let operation = request.operation();
            let sent = self.request(Some(guid), request.clone());
            let client = self.client.clone();
            calls.spawn(async move {
                let started = Instant::now();
                let answer = timeout(wait, client.exchange(operation, sent)).await;
                (at, operation, started.elapsed(), answer.ok())
            });
        }
        self.clock.count(requests.len());
        let mut ended = calls.join_all().await;
        ended.sort_by_key(|(at, ..)| *at);
        let read = |(_, operation, took, answer): (_, _, _, Option<_>)| {
            self.clock.measured(operation, took);
            Ended { took, reply: answer.map(|answer| self.read(operation, answer)) }
        };
        ended.into_iter().map(read).collect()
    }

    /// The reply of an answer, checked as every reply is.
    fn read(&self, operation: Operation, response: Result<Exchange, CallError>) -> Result<Reply, Stop> {
        self.needs(operation)?;
        let exchange = match response {
            Ok(exchange) => exchange,
            Err(error) => {
                let text = format!("{error}; expected a reply");
                let shown_by = error.traffic.map(|exchange| Arc::new(*exchange));
                // A value that cannot be read breaks a rule of every reply, not the one that is checked.
                if let (CallErrorKind::Unreadable(_), Some(http)) = (&error.kind, &shown_by) {
                    let found = losses(&http.response.body, operation, &self.envelope());
                    if !found.is_empty() {
                        self.add_losses(operation, found, http);
                        return Err(Stop::skip(LOST));
                    }
                }
                return Err(Stop::Failed(Finding { text, shown_by }));
            }
        };
        let outcome = exchange.outcome();
        let payload = match exchange.answer.reply {
            contract::Reply::Result { payload, .. } => payload,
            contract::Reply::Authentication(_) => contract::Payload::None,
        };
        let http = Arc::new(exchange.traffic);
        self.check(operation, &outcome, &http)?;
        let string = |text: &Text<'_>| text.as_deref().map(str::to_owned);
        let mut of_plugin_api = Outcome::ok();
        of_plugin_api.state = outcome.state;
        of_plugin_api.user = string(&outcome.user_explanation);
        of_plugin_api.tech = string(&outcome.tech_explanation);
        of_plugin_api.code = string(&outcome.error_code);
        of_plugin_api.kind = kind_of(&outcome);
        Ok(Reply { outcome: of_plugin_api, payload: of_message(&payload), shown_by: (&http).into() })
    }

    /// Checks a reply as a WCF client reads it. What such a client would not get is no ground to check another rule on.
    fn check(
        &self,
        operation: Operation,
        outcome: &contract::Outcome<'_>,
        http: &Arc<HttpExchange>,
    ) -> Result<(), Stop> {
        self.replies.set(self.replies.get() + 1);
        let finding = |text: String| Finding { text, shown_by: Some(Arc::clone(http)) };
        let mut client = self.envelope();
        client.soap = soap_of(&http.request);
        let found = losses(&http.response.body, operation, &client);
        let lost_members =
            found.iter().any(|loss| matches!(loss.kind, LossKind::Namespace | LossKind::Missing));
        self.add_losses(operation, found, http);
        let response = &http.response;
        let expected = client.soap.media_type();
        if response.status != 200 {
            let text = format!("{operation}: a reply came with status {}, expected 200", response.status);
            self.http.borrow_mut().push(finding(text));
        }
        let charset = response.header("Content-Type").unwrap_or_default().to_ascii_lowercase();
        if response.media_type() != expected || !charset.replace('"', "").contains("charset=utf-8") {
            let text =
                format!("{operation}: the content type is {charset:?}, expected {expected}; charset=utf-8");
            self.http.borrow_mut().push(finding(text));
        }
        if operation != Operation::Authenticate {
            self.check_state(operation, outcome, &response.text(), &finding);
        }
        if lost_members { Err(Stop::skip(LOST)) } else { Ok(()) }
    }

    fn add_losses(&self, operation: Operation, found: Vec<Loss>, http: &Arc<HttpExchange>) {
        let finding = |text: String| Finding { text, shown_by: Some(Arc::clone(http)) };
        let found = found.into_iter();
        let found = found.map(|loss| (loss.kind, finding(format!("{operation}: {}", loss.text))));
        self.lost.borrow_mut().extend(found);
    }

    fn check_state(
        &self,
        operation: Operation,
        outcome: &contract::Outcome<'_>,
        body: &str,
        finding: &dyn Fn(String) -> Finding,
    ) {
        let state = outcome.state;
        let is_ok = ["true", "1"].iter().any(|value| body.contains(&format!("IsOk>{value}<")));
        let is_not = ["false", "0"].iter().any(|value| body.contains(&format!("IsOk>{value}<")));
        if is_ok != is_not && is_ok != state.is_ok() {
            let text =
                format!("{operation}: State is {state} and IsOk is {is_ok}, expected {}", state.is_ok());
            self.states.borrow_mut().push(finding(text));
        }
        let is_filled = |text: &Text<'_>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
        if !state.is_ok() && !is_filled(&outcome.user_explanation) && !is_filled(&outcome.tech_explanation) {
            let text = format!("{operation}: State is Error, and no explanation says why");
            self.unexplained.borrow_mut().push(finding(text));
        }
    }
}

/// The kind of an error, which a host of ours has in the code or at the beginning of the technical text.
fn kind_of(outcome: &contract::Outcome<'_>) -> ErrorKind {
    let (code, tech) = (outcome.error_code.as_deref(), outcome.tech_explanation.as_deref());
    let begins = |kind: &ErrorKind| {
        let rest = tech.unwrap_or_default().strip_prefix(kind.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(": "))
    };
    let is_of = |kind: &&ErrorKind| kind.code().is_some() && (kind.code() == code || begins(kind));
    ErrorKind::ALL.iter().find(is_of).copied().unwrap_or_default()
}

fn soap_of(request: &HttpRequest) -> contract::SoapVersion {
    let is_12 = request.headers.iter().any(|(_, value)| value.starts_with("application/soap+xml"));
    if is_12 { contract::SoapVersion::V12 } else { contract::SoapVersion::V11 }
}

/// The payload of a message in the types of the plugin API.
fn of_message(payload: &contract::Payload<'_>) -> Payload {
    use contract::Payload as Message;
    match payload {
        Message::None => Payload::None,
        Message::Fields(fields) => {
            Payload::Fields(fields.as_ref().map(|fields| fields.iter().map(field).collect()))
        }
        Message::Items(items) => Payload::Texts(items.iter().flatten().map(owned).collect()),
        Message::Actors(actors) => Payload::Actors(actors.iter().flatten().map(actor).collect()),
        Message::Actor(one) => Payload::Actors(one.iter().map(actor).collect()),
        Message::ListItems(items) => Payload::List(items.as_ref().map(|items| {
            items.iter().map(|(key, text)| ListItem::new(key, text.unwrap_or_default())).collect()
        })),
    }
}

/// The description of a field of a message in the types of the plugin API.
pub(crate) fn field(field: &contract::Field<'_>) -> Field {
    let string = |text: &Text<'_>| text.as_deref().map(str::to_owned);
    let mut made = Field::new(owned(&field.field_key), field.field_type);
    made.label = string(&field.display_name);
    made.description = string(&field.display_description);
    made.access = field.access;
    made.list = string(&field.list_name);
    made.default = string(&field.default_value);
    made.max_length = field.max_length;
    made.rank = Some(field.rank);
    made
}
