//! Calls to a connector service.

use std::sync::Arc;

use contract::{
    Answer, Call, Dialect, Envelope, Guid, Operation, Outcome, Reply, ReplyError, Request, SoapVersion,
};

use crate::address::ServiceAddress;
use crate::error::{CallError, Trouble};
use crate::exchange::{Exchange, HttpRequest, Traffic};
use crate::options::Options;
use crate::transport::{SetupError, Transport};

/// Calls one connector service. Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    transport: Arc<Transport>,
    address: ServiceAddress,
    envelope: Envelope,
}

impl Client {
    /// A client of the service at this address, in the dialect `message`.
    ///
    /// # Errors
    /// The certificates to trust cannot be read.
    pub fn new(address: ServiceAddress, options: &Options) -> Result<Self, SetupError> {
        let transport = Arc::new(Transport::new(&address, options)?);
        Ok(Client { transport, address, envelope: Envelope::new(Dialect::Message) })
    }

    /// The same in another dialect.
    #[must_use]
    pub fn in_dialect(mut self, dialect: Dialect) -> Self {
        self.envelope.dialect = dialect;
        self
    }

    /// The same in another version of SOAP.
    #[must_use]
    pub fn in_soap(mut self, soap: SoapVersion) -> Self {
        self.envelope.soap = soap;
        self
    }

    /// The dialect it speaks.
    pub fn dialect(&self) -> Dialect {
        self.envelope.dialect
    }

    /// How its calls are wrapped.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The address of the service.
    pub fn address(&self) -> &ServiceAddress {
        &self.address
    }

    /// The same, in the dialect that the service answers in: asks WSGetConfigData in each until one is understood.
    /// Nothing is changed by it.
    ///
    /// # Errors
    /// There is no service, or it understands none. The error is that of the first dialect.
    pub async fn detect_dialect(self) -> Result<Self, CallError> {
        let mut first = None;
        // The empty body of `message` tells nothing about the other three; their empty element tells them apart by the reply.
        for dialect in [Dialect::Message, Dialect::Data, Dialect::Plain] {
            let client = self.clone().in_dialect(dialect);
            match client.call(None, Request::GetConfigData).await {
                Ok(exchange) => {
                    let answered = exchange.answer.envelope.dialect;
                    return Ok(client.in_dialect(answered));
                }
                // A service that cannot be reached or is none is so in every dialect.
                Err(error) if !error.trouble.may_be_the_dialect() => return Err(error),
                Err(error) => first = first.or(Some(error)),
            }
        }
        // The loop has run, so there is one.
        Err(first.unwrap_or_else(|| CallError::without_answer(Operation::GetConfigData, Trouble::NoDialect)))
    }

    /// Makes a call. A reply with State=Error is an answer like any other: see [`Exchange::succeeded`].
    ///
    /// # Errors
    /// There is no answer, it is a fault, or it is no reply of this operation.
    pub async fn call(&self, connection: Option<Guid>, request: Request<'_>) -> Result<Exchange, CallError> {
        let guid = connection.map(|guid| guid.to_string());
        self.call_with(guid.as_deref(), request).await
    }

    /// Makes a call with a `ConnectionGuid` in any form, valid or not.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn call_with(&self, guid: Option<&str>, request: Request<'_>) -> Result<Exchange, CallError> {
        let call = Call { envelope: self.envelope.clone(), connection_guid: guid.map(Into::into), request };
        self.exchange(call.operation(), self.request(&call)).await
    }

    /// Sends a request, and reads the answer as the reply of an operation.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn exchange(&self, operation: Operation, request: HttpRequest) -> Result<Exchange, CallError> {
        let traffic =
            self.send(request).await.map_err(|trouble| CallError::without_answer(operation, trouble))?;
        match read(&traffic, operation) {
            Ok(answer) => Ok(Exchange { operation, traffic, answer }),
            Err(trouble) => Err(CallError { operation, trouble, traffic: Some(Box::new(traffic)) }),
        }
    }

    /// The HTTP request of a call.
    pub fn request(&self, call: &Call<'_>) -> HttpRequest {
        let mut body = Vec::new();
        contract::write_request(&mut body, call);
        let dialect = call.envelope.dialect;
        let mut request = HttpRequest::post(self.address.of_dialect(dialect), body);
        let (media_type, action) = (call.envelope.soap.media_type(), call.soap_action());
        match call.envelope.soap {
            SoapVersion::V11 => {
                request.set_header("Content-Type", format!("{media_type}; charset=utf-8"));
                request.set_header("SOAPAction", format!("\"{action}\""));
            }
            SoapVersion::V12 => {
                request
                    .set_header("Content-Type", format!("{media_type}; charset=utf-8; action=\"{action}\""));
            }
        }
        request
    }

    /// Sends any request, and gives any answer.
    ///
    /// # Errors
    /// There is no answer, or it is larger than allowed.
    pub async fn send(&self, request: HttpRequest) -> Result<Traffic, Trouble> {
        self.transport.send(request).await
    }
}

/// Reads an answer as the reply of an operation.
fn read(traffic: &Traffic, operation: Operation) -> Result<Answer<'static>, Trouble> {
    let answered = &traffic.answered;
    if (300..400).contains(&answered.status) {
        let to = answered.header("Location").unwrap_or("nowhere").to_owned();
        return Err(Trouble::Redirect { status: answered.status, to });
    }
    if !answered.is_xml() {
        return Err(Trouble::not_soap(answered));
    }
    match contract::read_reply(&answered.body, operation) {
        Ok(answer) => Ok(answer.into_owned()),
        Err(ReplyError::Fault(fault)) => Err(Trouble::Fault(fault)),
        Err(ReplyError::Read(_)) if answered.status != 200 => Err(Trouble::not_soap(answered)),
        Err(ReplyError::Read(error)) => Err(Trouble::Unreadable(error)),
    }
}

impl Exchange {
    /// How the call ended; for Authenticate, as if it had a state.
    pub fn outcome(&self) -> Outcome<'static> {
        match &self.answer.reply {
            Reply::Result { outcome, .. } => outcome.clone(),
            Reply::Authentication(reply) if reply.succeeded => Outcome::ok(),
            Reply::Authentication(reply) => Outcome::error(
                reply.reason.clone().unwrap_or_else(|| "not succeeded, no reason given".into()),
            ),
        }
    }

    /// The same, unless the service says that the call went wrong.
    ///
    /// # Errors
    /// The reply has State=Error.
    pub fn succeeded(self) -> Result<Self, CallError> {
        let outcome = self.outcome();
        if outcome.state.is_ok() {
            return Ok(self);
        }
        let trouble = Trouble::Refused(Box::new(outcome));
        Err(CallError { operation: self.operation, trouble, traffic: Some(Box::new(self.traffic)) })
    }
}
