//! The service that is looked at: calls to it, and what is known about it so far.

use std::cell::{Cell, OnceCell, RefCell};
use std::sync::Arc;

use contract::{
    Call, Dialect, Envelope, Field, Guid, Loss, LossKind, Operation, Outcome, Payload, Request, Text, losses,
};
use plugin_api::{Actor, Parent};

use super::rule::{Finding, Stop};
use erp_host_client::{CallError, CallErrorKind, Client, Exchange, HttpExchange, HttpRequest};

/// Why nothing is judged by a reply that a WCF client would not get.
const LOST: &str = "members of the reply are lost to a WCF client: see rules 1402 to 1408";

/// A key and a name that nobody has.
pub(super) const NOBODY: &str = "erp-host-verify-nobody";

/// The service, and what is known about it. Rules run one after the other, and each may use what one before it found.
pub(super) struct Subject {
    pub(super) client: Client,
    /// Settings that were given, as they were given.
    pub(super) given: Vec<(String, Option<String>)>,
    pub(super) read_only: bool,
    /// A connection that is there already, and so is neither saved nor deleted.
    pub(super) existing: Option<Guid>,
    /// The fields of the settings' form, from rule 401.
    pub(super) form: OnceCell<Vec<Field<'static>>>,
    /// Whether the service said that the settings do not work, from rule 405.
    pub(super) settings_refused: Cell<bool>,
    /// The connection that everything is asked of, from rule 502.
    pub(super) connection: OnceCell<Guid>,
    /// Connections that are stored in the service because of us.
    pub(super) saved: RefCell<Vec<Guid>>,
    /// Names of actor types, from rule 601.
    pub(super) names: OnceCell<Vec<String>>,
    /// Their fields, from rule 602.
    pub(super) described: OnceCell<Vec<Described>>,
    /// Their actors, from rule 701.
    pub(super) listed: OnceCell<Vec<Listed>>,
    /// Lists by name, from rule 901.
    pub(super) lists: OnceCell<Vec<NamedList>>,
    /// Rules that are broken so far.
    pub(super) broken: RefCell<Vec<u16>>,
    /// What WCF clients lose of the replies so far.
    pub(super) lost: RefCell<Vec<(LossKind, Finding)>>,
    /// Replies so far.
    pub(super) replies: Cell<usize>,
    /// What is wrong with the HTTP around replies so far.
    pub(super) http: RefCell<Vec<Finding>>,
    /// States that contradict themselves, so far.
    pub(super) states: RefCell<Vec<Finding>>,
    /// Errors that explain nothing, so far.
    pub(super) unexplained: RefCell<Vec<Finding>>,
    /// What stays in the service.
    pub(super) left_behind: RefCell<Vec<String>>,
}

/// A list's name, and the keys and texts of its items.
pub(super) type NamedList = (String, Vec<(String, String)>);

/// An actor type with its fields.
#[derive(Debug, Clone)]
pub(super) struct Described {
    pub(super) name: String,
    pub(super) fields: Vec<Field<'static>>,
    /// The keys of the fields that can be searched; `None` when the service does not say.
    pub(super) searchable: OnceCell<Vec<String>>,
}

/// An actor type with its actors.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) actors: Vec<Actor>,
}

/// A reply.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) outcome: Outcome<'static>,
    pub(super) payload: Payload<'static>,
    pub(super) traffic: Arc<HttpExchange>,
}

impl Subject {
    pub(super) fn new(
        client: Client,
        given: Vec<(String, Option<String>)>,
        read_only: bool,
        existing: Option<Guid>,
    ) -> Self {
        Subject {
            client,
            given,
            read_only,
            existing,
            form: OnceCell::new(),
            settings_refused: Cell::new(false),
            connection: OnceCell::new(),
            saved: RefCell::default(),
            names: OnceCell::new(),
            described: OnceCell::new(),
            listed: OnceCell::new(),
            lists: OnceCell::new(),
            broken: RefCell::default(),
            lost: RefCell::default(),
            replies: Cell::default(),
            http: RefCell::default(),
            states: RefCell::default(),
            unexplained: RefCell::default(),
            left_behind: RefCell::default(),
        }
    }

    /// How calls are wrapped.
    pub(super) fn envelope(&self) -> Envelope {
        self.client.envelope().clone()
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.client.dialect()
    }

    /// The connection.
    pub(super) fn guid(&self) -> Result<Guid, Stop> {
        self.connection.get().copied().ok_or_else(|| Stop::after(502))
    }

    pub(super) fn names(&self) -> Result<&[String], Stop> {
        self.names.get().map(Vec::as_slice).ok_or_else(|| Stop::after(601))
    }

    pub(super) fn described(&self) -> Result<&[Described], Stop> {
        self.described.get().map(Vec::as_slice).ok_or_else(|| Stop::after(602))
    }

    pub(super) fn listed(&self) -> Result<&[Listed], Stop> {
        self.listed.get().map(Vec::as_slice).ok_or_else(|| Stop::after(701))
    }

    /// The fields of an actor type.
    pub(super) fn fields(&self, name: &str) -> &[Field<'static>] {
        let found = self.described.get().and_then(|all| all.iter().find(|one| one.name == name));
        found.map_or(&[], |one| &one.fields)
    }

    /// Goes on only if these rules are not broken.
    pub(super) fn needs(&self, rules: &[u16]) -> Result<(), Stop> {
        let broken = self.broken.borrow();
        rules.iter().find(|rule| broken.contains(rule)).map_or(Ok(()), |rule| Err(Stop::after(*rule)))
    }

    /// A call as HTTP.
    pub(super) fn request(&self, guid: Option<&str>, request: Request<'_>) -> HttpRequest {
        let call = Call { envelope: self.envelope(), connection_guid: guid.map(Into::into), request };
        self.client.request(&call)
    }

    /// A call that must be answered by a reply of whatever state.
    pub(super) async fn call(&self, guid: Option<&str>, request: Request<'_>) -> Result<Reply, Stop> {
        let operation = request.operation();
        self.exchange(operation, self.request(guid, request)).await
    }

    /// A call of the connection that must be answered by a reply of whatever state.
    pub(super) async fn ask(&self, request: Request<'_>) -> Result<Reply, Stop> {
        let guid = self.guid()?.to_string();
        self.call(Some(&guid), request).await
    }

    /// A call of the connection that must go well.
    pub(super) async fn ok(&self, request: Request<'_>) -> Result<Reply, Stop> {
        let operation = request.operation();
        self.ask(request).await?.well(operation)
    }

    /// Sends a request that must be answered by a reply.
    pub(super) async fn exchange(&self, operation: Operation, request: HttpRequest) -> Result<Reply, Stop> {
        self.judge(operation, self.client.exchange(operation, request).await)
    }

    /// What is to be made of an answer that must be a reply.
    pub(super) fn judge(
        &self,
        operation: Operation,
        answered: Result<Exchange, CallError>,
    ) -> Result<Reply, Stop> {
        let exchange = match answered {
            Ok(exchange) => exchange,
            Err(error) => {
                let text = format!("{error}; expected a reply");
                let shown_by = error.traffic.map(|traffic| Arc::new(*traffic));
                // A value that cannot be read is what every reply is judged by, not what this call is.
                if let (CallErrorKind::Unreadable(_), Some(traffic)) = (&error.kind, &shown_by) {
                    let found = losses(&traffic.response.body, operation, &self.envelope());
                    if !found.is_empty() {
                        self.note(operation, found, traffic);
                        return Err(Stop::skip(LOST));
                    }
                }
                return Err(Stop::Failed(Finding { text, shown_by }));
            }
        };
        let outcome = exchange.outcome();
        let payload = match exchange.answer.reply {
            contract::Reply::Result { payload, .. } => payload,
            contract::Reply::Authentication(_) => Payload::None,
        };
        let reply = Reply { outcome, payload, traffic: Arc::new(exchange.traffic) };
        self.look(operation, &reply)?;
        Ok(reply)
    }

    /// Notes what a WCF client would stumble over. What it would not get at all is no ground to judge another rule by.
    fn look(&self, operation: Operation, reply: &Reply) -> Result<(), Stop> {
        let traffic = &reply.traffic;
        self.replies.set(self.replies.get() + 1);
        let finding = |text: String| Finding { text, shown_by: Some(Arc::clone(traffic)) };
        let mut client = self.envelope();
        client.soap = soap_of(&traffic.request);
        let found = losses(&traffic.response.body, operation, &client);
        let lost_members =
            found.iter().any(|loss| matches!(loss.kind, LossKind::Namespace | LossKind::Missing));
        self.note(operation, found, traffic);
        let answered = &traffic.response;
        let expected = client.soap.media_type();
        if answered.status != 200 {
            let text = format!("{operation}: a reply came with status {}, expected 200", answered.status);
            self.http.borrow_mut().push(finding(text));
        }
        let charset = answered.header("Content-Type").unwrap_or_default().to_ascii_lowercase();
        if answered.media_type() != expected || !charset.replace('"', "").contains("charset=utf-8") {
            let text =
                format!("{operation}: the content type is {charset:?}, expected {expected}; charset=utf-8");
            self.http.borrow_mut().push(finding(text));
        }
        if operation != Operation::Authenticate {
            self.look_at_state(operation, reply, &finding);
        }
        if lost_members { Err(Stop::skip(LOST)) } else { Ok(()) }
    }

    fn note(&self, operation: Operation, found: Vec<Loss>, traffic: &Arc<HttpExchange>) {
        let finding = |text: String| Finding { text, shown_by: Some(Arc::clone(traffic)) };
        let found = found.into_iter();
        let found = found.map(|loss| (loss.kind, finding(format!("{operation}: {}", loss.text))));
        self.lost.borrow_mut().extend(found);
    }

    fn look_at_state(&self, operation: Operation, reply: &Reply, finding: &dyn Fn(String) -> Finding) {
        let state = reply.outcome.state;
        let text = reply.traffic.response.text();
        let is_ok = ["true", "1"].iter().any(|value| text.contains(&format!("IsOk>{value}<")));
        let is_not = ["false", "0"].iter().any(|value| text.contains(&format!("IsOk>{value}<")));
        if is_ok != is_not && is_ok != state.is_ok() {
            let text =
                format!("{operation}: State is {state} and IsOk is {is_ok}, expected {}", state.is_ok());
            self.states.borrow_mut().push(finding(text));
        }
        let says = |text: &Text<'_>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
        if !state.is_ok() && !says(&reply.outcome.user_explanation) && !says(&reply.outcome.tech_explanation)
        {
            let text = format!("{operation}: State is Error, and no explanation says why");
            self.unexplained.borrow_mut().push(finding(text));
        }
    }
}

fn soap_of(request: &HttpRequest) -> contract::SoapVersion {
    let is_12 = request.headers.iter().any(|(_, value)| value.starts_with("application/soap+xml"));
    if is_12 { contract::SoapVersion::V12 } else { contract::SoapVersion::V11 }
}

impl Reply {
    /// The same, which must not be an error.
    pub(super) fn well(self, operation: Operation) -> Result<Self, Stop> {
        if self.outcome.state.is_ok() {
            return Ok(self);
        }
        let text = format!("{operation} fails: {}; expected it to go well", self.said());
        Err(Stop::failed(text, &self.traffic))
    }

    /// What the service says.
    pub(super) fn said(&self) -> String {
        let texts =
            [&self.outcome.user_explanation, &self.outcome.tech_explanation, &self.outcome.error_code];
        let texts: Vec<&str> =
            texts.iter().filter_map(|text| text.as_deref()).filter(|text| !text.is_empty()).collect();
        if texts.is_empty() { "no explanation".to_owned() } else { texts.join(", ") }
    }

    pub(super) fn is_error(&self) -> bool {
        !self.outcome.state.is_ok()
    }

    /// Whether it says that the connection is not known.
    pub(super) fn is_unknown_connection(&self) -> bool {
        self.is_error()
            && self.outcome.error_code.as_deref() == Some(contract::error_code::UNKNOWN_CONNECTION_ID)
    }

    /// The actors, as connectors see them.
    pub(super) fn actors(&self) -> Vec<Actor> {
        match &self.payload {
            Payload::Actors(Some(actors)) => actors.iter().map(actor).collect(),
            Payload::Actor(Some(one)) => vec![actor(one)],
            _ => Vec::new(),
        }
    }

    /// The keys of the actors, sorted.
    pub(super) fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.actors().into_iter().map(|actor| actor.key).collect();
        keys.sort();
        keys
    }

    /// The texts of a string array.
    pub(super) fn items(&self) -> Vec<String> {
        match &self.payload {
            Payload::Items(Some(items)) => items.iter().map(owned).collect(),
            _ => Vec::new(),
        }
    }

    /// Keys and texts of a list; `None` when it is null.
    pub(super) fn list(&self) -> Option<Vec<(String, String)>> {
        match &self.payload {
            Payload::ListItems(Some(items)) => Some(
                items
                    .iter()
                    .map(|(key, text)| (key.to_owned(), text.unwrap_or_default().to_owned()))
                    .collect(),
            ),
            _ => None,
        }
    }

    /// Descriptions of fields; `None` when they are null.
    pub(super) fn fields(&self) -> Option<Vec<Field<'static>>> {
        match &self.payload {
            Payload::Fields(fields) => fields.clone(),
            _ => None,
        }
    }
}

fn actor(actor: &contract::Actor<'_>) -> Actor {
    let parent = actor.parent_erp_key.as_deref().filter(|key| !key.is_empty());
    let parent =
        parent.map(|key| Parent { actor_type: owned(&actor.parent_actor_type), key: key.to_owned() });
    let fields = actor.field_values.iter().flat_map(contract::Dictionary::iter);
    Actor {
        actor_type: owned(&actor.actor_type),
        key: owned(&actor.erp_key),
        last_modified: actor.last_modified.as_deref().map(str::to_owned),
        parent,
        fields: fields.map(|(key, value)| (key.to_owned(), value.map(str::to_owned))).collect(),
    }
}

pub(super) fn owned(text: &Text<'_>) -> String {
    text.as_deref().unwrap_or_default().to_owned()
}

/// A text of a request.
pub(super) fn text(text: &str) -> Text<'_> {
    Some(text.into())
}

/// An array of texts of a request.
pub(super) fn texts<T: AsRef<str>>(all: &[T]) -> Option<Vec<Text<'_>>> {
    Some(all.iter().map(|one| text(one.as_ref())).collect())
}

/// How two sorted lists of keys differ; `None` if they do not.
pub(super) fn difference(came: &[String], expected: &[String]) -> Option<String> {
    if came == expected {
        return None;
    }
    let lacks: Vec<&String> = expected.iter().filter(|key| !came.contains(key)).collect();
    let besides: Vec<&String> = came.iter().filter(|key| !expected.contains(key)).collect();
    let shown = |keys: &[&String]| {
        let some: Vec<String> = keys.iter().take(5).map(|key| format!("{key:?}")).collect();
        let more = keys.len().saturating_sub(5);
        if more > 0 { format!("{} and {more} more", some.join(", ")) } else { some.join(", ") }
    };
    Some(match (lacks.is_empty(), besides.is_empty()) {
        (true, true) => "gives some more than once".to_owned(),
        (false, true) => format!("lacks {}", shown(&lacks)),
        (true, false) => format!("gives {} besides", shown(&besides)),
        (false, false) => format!("lacks {} and gives {} besides", shown(&lacks), shown(&besides)),
    })
}
