//! A SOAP client that speaks every dialect, and answers that are easy to compare.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use crate::exchange::{self, Exchange};
use crate::http::{self, Response};
use contract::{
    Actor, Call, Dialect, Envelope, Fault, MemberOrder, Operation, Payload, Profiles, Reply, ReplyError,
    ReplyMessage, Request, read_reply,
};
use values::State;

/// Calls a host in one dialect.
#[derive(Debug, Clone)]
pub struct Client {
    address: SocketAddr,
    query: Option<String>,
    connector: Option<String>,
    envelope: Envelope,
    guid: Option<String>,
}

/// What a call answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The state.
    pub state: State,
    /// `UserExplanation`, empty when null.
    pub user: String,
    /// `TechExplanation`, empty when null.
    pub tech: String,
    /// `ErrorCode`, empty when null.
    pub code: String,
    /// Actors, or the one actor.
    pub actors: Vec<ActorAnswer>,
    /// Items of a string array.
    pub items: Vec<String>,
    /// Keys and texts of a list.
    pub list: Vec<(String, String)>,
    /// Descriptions of fields.
    pub fields: Vec<FieldAnswer>,
    /// The response that held it.
    pub response: Response,
}

/// An actor of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorAnswer {
    /// The actor type.
    pub actor_type: String,
    /// The key.
    pub key: String,
    /// The stamp, empty when null.
    pub stamp: String,
    /// Actor type and key of the parent.
    pub parent: Option<(String, String)>,
    /// Fields in order; null is `None`.
    pub fields: Vec<(String, Option<String>)>,
}

/// A field's description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldAnswer {
    /// The key.
    pub key: String,
    /// The type's name.
    pub field_type: String,
    /// The access's name.
    pub access: String,
    /// The list, empty when null.
    pub list: String,
}

impl ActorAnswer {
    /// The value of a field, empty when it is null.
    pub fn field(&self, key: &str) -> &str {
        let found = self.fields.iter().find(|(name, _)| name == key);
        let (_, value) =
            found.unwrap_or_else(|| panic!("{} {} has no field {key}", self.actor_type, self.key));
        value.as_deref().unwrap_or_default()
    }
}

impl Client {
    /// A client without a connection.
    pub fn new(address: SocketAddr, dialect: Dialect) -> Self {
        Client { address, query: None, connector: None, envelope: Envelope::new(dialect), guid: None }
    }

    /// With this `ConnectionGuid`.
    #[must_use]
    pub fn connection(mut self, guid: &str) -> Self {
        self.guid = Some(guid.to_owned());
        self
    }

    /// With `?ConnectorName=`.
    #[must_use]
    pub fn connector(mut self, name: &str) -> Self {
        self.connector = Some(name.to_owned());
        self
    }

    /// With this query, such as `?connectorname=x`, in place of the one that connector and dialect make.
    #[must_use]
    pub fn query(mut self, query: &str) -> Self {
        self.query = Some(query.to_owned());
        self
    }

    /// With this envelope.
    #[must_use]
    pub fn envelope(mut self, envelope: Envelope) -> Self {
        self.envelope = envelope;
        self
    }

    /// Makes a call that is answered by a reply.
    pub fn call(&self, request: Request<'_>) -> Answer {
        self.try_call(request).unwrap_or_else(|fault| panic!("a fault: {fault}"))
    }

    /// Makes a call that works.
    pub fn ok(&self, request: Request<'_>) -> Answer {
        let operation = request.operation();
        let answer = self.call(request);
        assert_eq!(answer.state, State::Ok, "{operation}: {answer:#?}");
        answer
    }

    /// Makes a call; gives the fault when that is the answer.
    pub fn try_call(&self, request: Request<'_>) -> Result<Answer, Fault> {
        let operation = request.operation();
        let exchange = self.exchange(request);
        let answer = match self.read(&exchange.response.body, operation) {
            Ok(answer) => answer,
            Err(ReplyError::Fault(fault)) => {
                assert_eq!(exchange.response.status, 500, "a fault comes with status 500");
                return Err(fault);
            }
            Err(error) => {
                panic!("{operation}: {error}\n{}\n{}", exchange.response.status, exchange.response.text())
            }
        };
        assert_eq!(exchange.response.status, 200, "{}", exchange.response.text());
        if operation != Operation::GetConfigData
            || self.envelope.profile().dialect() != Some(Dialect::MessageByOperation)
        {
            assert_eq!(answer.envelope, self.envelope, "answered as it was asked");
        }
        Ok(Answer::new(answer.reply, exchange.response.clone()))
    }

    /// Reads a reply; in a profile that is not built in, with that one before all others.
    fn read<'b>(&self, body: &'b [u8], operation: Operation) -> Result<ReplyMessage<'b>, ReplyError> {
        let profile = self.envelope.profile();
        if profile.dialect().is_some() {
            return read_reply(body, operation);
        }
        let profiles = Profiles::new(vec![Arc::clone(profile)], MemberOrder::default());
        profiles.read_reply(body, operation, Some(profile))
    }

    /// Sends a call without reading its reply; the returned stream can read it or close the connection.
    pub fn send(&self, request: Request<'_>) -> TcpStream {
        let call = self.with_envelope(request);
        let mut body = Vec::new();
        contract::write_request(&mut body, &call);
        let request = http::Request::soap(&self.target(), &call.soap_action(), body);
        // As clients do that use a connection again.
        let request = request.header("Connection", "keep-alive");
        let mut stream = http::connect(self.address).expect("the host listens");
        stream.write_all(&request.to_bytes(&self.address.to_string())).expect("the host reads");
        stream
    }

    /// Makes a call, and gives what travelled.
    pub fn exchange(&self, request: Request<'_>) -> Exchange {
        exchange::exchange(self.address, &self.target(), &self.with_envelope(request))
            .expect("the host answers")
    }

    fn with_envelope<'r>(&'r self, request: Request<'r>) -> Call<'r> {
        Call {
            envelope: self.envelope.clone(),
            connection_guid: self.guid.as_deref().map(Into::into),
            request,
        }
    }

    /// As the WSDL has it: WSGetConfigData is the same in `data` and `plain`, so the address says which it is.
    fn target(&self) -> String {
        if let Some(query) = &self.query {
            return format!("{}{query}", exchange::PATH);
        }
        let connector = self.connector.iter().map(|name| format!("ConnectorName={name}"));
        let dialect =
            (self.envelope.profile().dialect() == Some(Dialect::Plain)).then(|| "dialect=plain".to_owned());
        let query: Vec<String> = connector.chain(dialect).collect();
        if query.is_empty() {
            exchange::PATH.to_owned()
        } else {
            format!("{}?{}", exchange::PATH, query.join("&"))
        }
    }
}

impl Answer {
    fn new(reply: Reply<'_>, response: Response) -> Self {
        let Reply::Result { outcome, payload } = reply else { panic!("not a result: {reply:?}") };
        let text = |text: Option<std::borrow::Cow<'_, str>>| text.unwrap_or_default().into_owned();
        let mut answer = Answer {
            state: outcome.state,
            user: text(outcome.user_explanation),
            tech: text(outcome.tech_explanation),
            code: text(outcome.error_code),
            actors: Vec::new(),
            items: Vec::new(),
            list: Vec::new(),
            fields: Vec::new(),
            response,
        };
        match payload {
            Payload::None => {}
            Payload::Actors(actors) => answer.actors = actors.into_iter().flatten().map(actor).collect(),
            Payload::Actor(one) => answer.actors = one.into_iter().map(actor).collect(),
            Payload::Items(items) => answer.items = items.into_iter().flatten().map(text).collect(),
            Payload::ListItems(items) => {
                let entries = items.into_iter().flat_map(|items| items.entries);
                answer.list = entries.map(|(key, value)| (key.into_owned(), text(value))).collect();
            }
            Payload::Fields(fields) => {
                answer.fields = fields
                    .into_iter()
                    .flatten()
                    .map(|field| FieldAnswer {
                        key: text(field.field_key),
                        field_type: field.field_type.to_string(),
                        access: field.access.to_string(),
                        list: text(field.list_name),
                    })
                    .collect();
            }
        }
        answer
    }

    /// What the reply holds, a text each: actors as `key:FIELD=value,..`, all else by its key.
    pub fn rows(&self) -> Vec<String> {
        let actors = self.actors.iter().map(|actor| {
            let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "null".to_owned());
            let fields = actor.fields.iter().map(|(key, text)| format!("{key}={}", value(text)));
            format!("{}:{}", actor.key, fields.collect::<Vec<_>>().join(","))
        });
        let fields = self.fields.iter().map(|field| field.key.clone());
        let list = self.list.iter().map(|(key, _)| key.clone());
        actors.chain(self.items.iter().cloned()).chain(fields).chain(list).collect()
    }

    /// The keys of the actors.
    pub fn keys(&self) -> Vec<&str> {
        self.actors.iter().map(|actor| actor.key.as_str()).collect()
    }
}

fn actor(actor: Actor<'_>) -> ActorAnswer {
    let text = |text: Option<std::borrow::Cow<'_, str>>| text.unwrap_or_default().into_owned();
    ActorAnswer {
        actor_type: text(actor.actor_type),
        key: text(actor.erp_key),
        stamp: text(actor.last_modified),
        parent: actor
            .parent_actor_type
            .zip(actor.parent_erp_key)
            .map(|(a, b)| (a.into_owned(), b.into_owned())),
        fields: actor
            .field_values
            .into_iter()
            .flat_map(|fields| fields.entries)
            .map(|(key, value)| (key.into_owned(), value.map(std::borrow::Cow::into_owned)))
            .collect(),
    }
}
