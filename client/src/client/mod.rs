//! The SOAP client of a connector service.
//!
//! - `learning`: how a client comes to the profile of its calls.

mod learning;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use contract::{
    Call, Dialect, Envelope, Guid, MemberOrder, Operation, Profile, Profiles, ReplyError, ReplyMessage,
    Request,
};

pub use self::learning::{NoContract, ProfileChoice, ProfileSource, ServiceContract};
use crate::address::ServiceAddress;
use crate::error::{CallError, CallErrorKind};
use crate::exchange::Exchange;
use crate::http_message::{HttpExchange, HttpRequest, HttpResponse};
use crate::options::Options;
use crate::transport::{SetupError, Transport};

/// A client of one connector service. Cheap to clone; clones share their connection pool.
#[derive(Debug, Clone)]
pub struct Client {
    transport: Arc<Transport>,
    address: ServiceAddress,
    /// The profiles that replies may have; `None`: the built-in ones.
    profiles: Option<Arc<Profiles>>,
    envelope: Envelope,
}

impl Client {
    /// A client of the service at this address, in the dialect `message`. Nothing is sent yet.
    ///
    /// # Errors
    /// The certificates to trust cannot be read.
    pub fn new(address: ServiceAddress, options: &Options) -> Result<Self, SetupError> {
        let transport = Arc::new(Transport::new(address.url(), options)?);
        Ok(Client { transport, address, profiles: None, envelope: Envelope::new(Dialect::Message) })
    }

    /// Sets the dialect.
    #[must_use]
    pub fn in_dialect(self, dialect: Dialect) -> Self {
        self.in_profile(Arc::clone(Profile::builtin(dialect, MemberOrder::Name)))
    }

    /// Sets the profile of calls. It is the one of replies, too, where they do not show another one.
    #[must_use]
    pub fn in_profile(mut self, profile: Arc<Profile>) -> Self {
        let is_builtin = profile.dialect().is_some();
        self.profiles = (!is_builtin)
            .then(|| Arc::new(Profiles::new(vec![Arc::clone(&profile)], MemberOrder::default())));
        self.envelope = Envelope::from(profile).with_soap(self.envelope.soap);
        self
    }

    /// The profile of its calls.
    pub fn profile(&self) -> &Arc<Profile> {
        self.envelope.profile()
    }

    /// The profile and the version of SOAP of its calls.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The address of the service.
    pub fn address(&self) -> &ServiceAddress {
        &self.address
    }

    /// Sets the profile to the one that the service replies in: calls WSGetConfigData in each dialect until one works. That
    /// call changes nothing in the service.
    ///
    /// # Errors
    /// There is no service, or it understands no dialect. The error is that of the first dialect.
    pub async fn detect_dialect(self) -> Result<Self, CallError> {
        let mut first = None;
        // The request of `message` has an empty body, which no other dialect understands. The requests of the other three
        // are the same for this operation, and the reply shows which of them the service uses.
        for dialect in [Dialect::Message, Dialect::Data, Dialect::Plain] {
            let client = self.clone().in_dialect(dialect);
            match client.call(None, Request::GetConfigData).await {
                Ok(exchange) => {
                    let answered = exchange.answer.envelope.profile().dialect().unwrap_or(dialect);
                    return Ok(client.in_dialect(answered));
                }
                // The error would be the same in every dialect.
                Err(error) if !error.kind.may_be_wrong_dialect() => return Err(error),
                Err(error) => first = first.or(Some(error)),
            }
        }
        // The loop has run, so there is one.
        Err(first.unwrap_or_else(|| {
            CallError::without_response(Operation::GetConfigData, CallErrorKind::NoDialect)
        }))
    }

    /// Makes a call. A reply with State=Error is no error here: see [`Exchange::succeeded`].
    ///
    /// # Errors
    /// There is no response, it is a fault, or it is no reply of this operation; or the profile does not have the operation.
    pub async fn call(&self, connection: Option<Guid>, request: Request<'_>) -> Result<Exchange, CallError> {
        let guid = connection.map(|guid| guid.to_string());
        self.call_with(guid.as_deref(), request).await
    }

    /// Makes a call with a `ConnectionGuid` as text, which need not be a valid one.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn call_with(&self, guid: Option<&str>, request: Request<'_>) -> Result<Exchange, CallError> {
        let call = Call { envelope: self.envelope.clone(), connection_guid: guid.map(Into::into), request };
        self.exchange(call.operation(), self.request(&call)).await
    }

    /// Makes a call as [`Client::call_with`]. If the service does not understand the profile, the call is made once more in
    /// the dialect that [`Client::detect_dialect`] finds. A call that is answered by a fault was not carried out, so it is
    /// safe to repeat.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn call_detecting_dialect(
        self,
        guid: Option<&str>,
        request: Request<'_>,
    ) -> Result<Exchange, CallError> {
        let first = Arc::clone(self.profile());
        match self.call_with(guid, request.clone()).await {
            Err(error) if error.kind.may_be_wrong_dialect() => match self.detect_dialect().await {
                Ok(client) if *client.profile() != first => client.call_with(guid, request).await,
                _ => Err(error),
            },
            result => result,
        }
    }

    /// Sends a request, and parses the response as the reply of an operation.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn exchange(&self, operation: Operation, request: HttpRequest) -> Result<Exchange, CallError> {
        if self.profile().operation(operation).is_none() {
            return Err(CallError::without_response(operation, CallErrorKind::NoOperation));
        }
        let traffic =
            self.send(request).await.map_err(|kind| CallError::without_response(operation, kind))?;
        match self.parse(&traffic.response, operation) {
            Ok(answer) => Ok(Exchange { operation, traffic, answer }),
            Err(kind) => Err(CallError { operation, kind, traffic: Some(Box::new(traffic)) }),
        }
    }

    /// The HTTP request of a call.
    pub fn request(&self, call: &Call<'_>) -> HttpRequest {
        let mut body = Vec::new();
        contract::write_request(&mut body, call);
        let url = self.address.for_profile(call.envelope.profile());
        HttpRequest::soap(url, call.envelope.soap, &call.soap_action(), body)
    }

    /// Sends any HTTP request, and returns any response.
    ///
    /// # Errors
    /// There is no response, or it is larger than allowed.
    pub async fn send(&self, request: HttpRequest) -> Result<HttpExchange, CallErrorKind> {
        self.transport.send(request).await
    }

    /// Parses a response as the reply of an operation.
    fn parse(
        &self,
        response: &HttpResponse,
        operation: Operation,
    ) -> Result<ReplyMessage<'static>, CallErrorKind> {
        if (300..400).contains(&response.status) {
            let to = response.header("Location").unwrap_or("nowhere").to_owned();
            return Err(CallErrorKind::Redirect { status: response.status, to });
        }
        if !response.is_xml() {
            return Err(CallErrorKind::not_soap(response));
        }
        let charset = response.charset();
        let body = match contract::decode(&response.body, charset.as_deref()) {
            Ok(body) => body,
            Err(_) if response.status != 200 => return Err(CallErrorKind::not_soap(response)),
            Err(error) => return Err(CallErrorKind::Encoding(error)),
        };
        let profiles = self.profiles.as_deref().unwrap_or(Profiles::builtin());
        match profiles.read_reply(&body, operation, Some(self.profile())) {
            Ok(answer) => Ok(answer.into_owned()),
            Err(ReplyError::Fault(fault)) => Err(CallErrorKind::Fault(fault)),
            Err(ReplyError::Read(_)) if response.status != 200 => Err(CallErrorKind::not_soap(response)),
            Err(ReplyError::Read(error)) => Err(CallErrorKind::Unreadable(error)),
        }
    }
}
