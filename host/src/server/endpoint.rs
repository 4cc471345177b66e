//! What is served at which address.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use contract::{Dialect, SoapVersion};
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT_ENCODING, ALLOW, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION,
    RETRY_AFTER, VARY, WWW_AUTHENTICATE,
};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Version};
use tokio::sync::Semaphore;

use super::accept::{ContentType, accepts_gzip};
use super::address::{Ends, public_address};
use super::body_budget::BodyBudget;
use super::config::{Limits, ServerConfig};
use super::forwarded::{Trusted, Way};
use super::help::HelpPage;
use super::query;
use super::reply_body::ReplyBody;
use super::request::{self, BodyError};
use crate::access::{Access, BASIC_CHALLENGE, NoEntry};
use crate::caller::Caller;
use crate::logging::rejection::{self, Cause};
use crate::router::{Answer, Refused, Router, SoapRequest};

/// Where the service is, below any base path and in any case (contract page, section 1).
pub(super) const SERVICE_PATH: &str = "/Services/ErpConnectorWS.svc";

/// The same from the root, relative so that it is right below any base path of a proxy.
const SERVICE_FROM_ROOT: HeaderValue = HeaderValue::from_static("Services/ErpConnectorWS.svc");

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const PLAIN_TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const XML: HeaderValue = HeaderValue::from_static("text/xml; charset=utf-8");
const SOAP_12: HeaderValue = HeaderValue::from_static("application/soap+xml; charset=utf-8");
const GZIP: HeaderValue = HeaderValue::from_static("gzip");
const CLOSE: HeaderValue = HeaderValue::from_static("close");
const SOAP_ACTION: HeaderName = HeaderName::from_static("soapaction");

/// Seconds after which a caller who met a full host may try again.
const TRY_AGAIN_AFTER: HeaderValue = HeaderValue::from_static("5");

/// Everything that is served.
pub(super) struct Endpoint {
    router: Arc<Router>,
    limits: Limits,
    /// Places for calls under way.
    calls: Semaphore,
    bodies: BodyBudget,
    trusted: Trusted,
    access: Access,
    help: HelpPage,
}

/// Which address was asked for.
enum Place {
    Service,
    Root,
    /// Whether the host lives: answered whatever else is going on.
    Health,
    /// Whether it takes calls at the moment.
    Ready,
}

impl Endpoint {
    pub(super) fn new(config: &ServerConfig, access: Access, router: Arc<Router>, help: HelpPage) -> Self {
        Endpoint {
            router,
            limits: config.limits.clone(),
            calls: Semaphore::new(config.limits.calls.get() as usize),
            bodies: BodyBudget::new(config.limits.total_body_memory),
            trusted: Trusted(config.trusted_proxies.clone()),
            access,
            help,
        }
    }

    pub(super) async fn respond(&self, request: Request<Incoming>, ends: &Ends) -> Response<ReplyBody> {
        let mut caller = self.caller(request.headers(), ends);
        let place = place(request.uri().path());
        // Before all else: who may not call learns nothing of what is here.
        let admitted = match place {
            Some(Place::Health | Place::Ready) => self.access.admit_to_health(&caller).map(|()| None),
            _ => self.access.admit(&caller, request.headers(), ends.certificate.as_deref()),
        };
        match admitted {
            Ok(name) => caller.name = name,
            Err(no_entry) => return keep_out(request, &no_entry, &caller).await,
        }
        let Some(place) = place else {
            let text = format!("nothing is served here; the connector service is at {SERVICE_PATH}\n");
            return refuse(request, StatusCode::NOT_FOUND, text, &caller).await;
        };
        match (place, request.method()) {
            (Place::Service, &Method::POST) => self.call(request, caller).await,
            (Place::Service, &Method::GET | &Method::HEAD) => self.describe(&request, ends),
            (Place::Root, &Method::GET | &Method::HEAD) => {
                let mut response = page(PLAIN_TEXT, format!("the connector service is at {SERVICE_PATH}\n"));
                *response.status_mut() = StatusCode::FOUND;
                response.headers_mut().insert(LOCATION, SERVICE_FROM_ROOT);
                response
            }
            (Place::Health, &Method::GET | &Method::HEAD) => page(PLAIN_TEXT, "ok\n"),
            (Place::Ready, &Method::GET | &Method::HEAD) if self.is_full() => {
                try_again(StatusCode::SERVICE_UNAVAILABLE, "busy\n")
            }
            (Place::Ready, &Method::GET | &Method::HEAD) => page(PLAIN_TEXT, "ready\n"),
            (place, method) => {
                let allow = if matches!(place, Place::Service) { "GET, HEAD, POST" } else { "GET, HEAD" };
                let text = format!("the method {method} is not served here, expected one of {allow}\n");
                let mut response = refuse(request, StatusCode::METHOD_NOT_ALLOWED, text, &caller).await;
                response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
                response
            }
        }
    }

    /// The answer on a connection for which there is no room: that the host lives, and nothing else.
    pub(super) fn turn_away(&self, request: &Request<Incoming>) -> Response<ReplyBody> {
        let is_health = matches!(place(request.uri().path()), Some(Place::Health));
        let mut response = if is_health {
            page(PLAIN_TEXT, "ok\n")
        } else {
            try_again(
                StatusCode::SERVICE_UNAVAILABLE,
                "the host has too many connections, try again in a few seconds\n",
            )
        };
        response.headers_mut().insert(CONNECTION, CLOSE);
        response
    }

    /// Whether no call is taken at the moment.
    fn is_full(&self) -> bool {
        self.calls.available_permits() == 0
    }

    /// GET: the help page or a WSDL.
    fn describe(&self, request: &Request<Incoming>, ends: &Ends) -> Response<ReplyBody> {
        let query = request.uri().query().unwrap_or_default();
        let is_wsdl = ["wsdl", "singleWsdl"].iter().any(|name| query::parameter(query, name).is_some());
        if !is_wsdl {
            return page(HTML, self.help.bytes());
        }
        let dialect = match dialect(query) {
            Ok(dialect) => dialect.unwrap_or_default(),
            Err(error) => return text(StatusCode::BAD_REQUEST, format!("{error}\n")),
        };
        let path = request.uri().path();
        let mut address = public_address(request.headers(), path, ends, &self.way(request.headers(), ends));
        // A client made from this WSDL goes on talking to the connector that it asked for here, and says its dialect
        // where a request does not show it.
        let connector = query::parameter(query, "ConnectorName").filter(|name| !name.is_empty());
        let connector = connector.map(|name| format!("ConnectorName={}", query::encode(&name)));
        let plain = (dialect == Dialect::Plain).then(|| "dialect=plain".to_owned());
        for (first, parameter) in connector.into_iter().chain(plain).enumerate() {
            address.push(if first == 0 { '?' } else { '&' });
            address.push_str(&parameter);
        }
        page(XML, contract::wsdl(dialect, &address))
    }

    fn way<'h>(&self, headers: &'h HeaderMap, ends: &Ends) -> Way<'h> {
        Way::new(headers, ends.peer.ip(), &self.trusted)
    }

    fn caller(&self, headers: &HeaderMap, ends: &Ends) -> Caller {
        Caller { client: self.way(headers, ends).client, ..Caller::direct(ends.peer) }
    }

    /// POST: a call.
    async fn call(&self, request: Request<Incoming>, caller: Caller) -> Response<ReplyBody> {
        let Some(content_type) = request.headers().get(CONTENT_TYPE).cloned() else {
            return unsupported(request, "the request has no content type", &caller).await;
        };
        let content_type = readable(&content_type);
        let content_type = ContentType::parse(&content_type);
        if !content_type.is_soap() {
            let wrong = format!("the content type {:?} is not served", content_type.media_type);
            return unsupported(request, wrong, &caller).await;
        }
        let dialect = match dialect(request.uri().query().unwrap_or_default()) {
            Ok(dialect) => dialect,
            Err(error) => {
                return refuse(request, StatusCode::BAD_REQUEST, format!("{error}\n"), &caller).await;
            }
        };
        let (head, body) = request.into_parts();
        if self.is_full() {
            // Before anything of the body is kept.
            request::linger(&head.headers, body).await;
            return busy(&caller, &Refused::Busy);
        }
        let body = match request::receive(&head.headers, body, &self.limits, &self.bodies).await {
            Ok(body) => body,
            Err(error) => return body_error(&error, &caller),
        };
        // Only now: who sends slowly takes nobody's place.
        let Ok(_place) = self.calls.try_acquire() else { return busy(&caller, &Refused::Busy) };
        let action = head.headers.get(SOAP_ACTION).map(readable);
        let action = soap_action(action.as_deref(), || content_type.parameter("action"));
        let connector = query::parameter(head.uri.query().unwrap_or_default(), "ConnectorName");
        let request = SoapRequest {
            body,
            charset: content_type.parameter("charset").map(str::to_owned),
            action: action.map(str::to_owned),
            connector: connector.filter(|name| !name.is_empty()).map(|name| name.into_owned()),
            dialect,
            caller: caller.clone(),
        };
        match self.router.answer(request).await {
            Ok(answer) => reply(answer, &head.headers, head.version).await,
            // The router has told the log which connector is busy.
            Err(refused @ Refused::Busy) => {
                try_again(StatusCode::SERVICE_UNAVAILABLE, format!("{refused}\n"))
            }
            Err(refused @ Refused::Charset(_)) => {
                rejection::log(Cause::NotServed, &caller, &refused);
                text(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("{refused}\n"))
            }
        }
    }
}

/// The answer to a call, in the form that its client takes. A fault goes out with 500, in every version of SOAP: with
/// another status a WCF client loses its text (contract page, section 5).
async fn reply(answer: Answer, headers: &HeaderMap, version: Version) -> Response<ReplyBody> {
    // HTTP/1.0 knows no chunks.
    let chunks = version > Version::HTTP_10;
    let (body, packed) = match ReplyBody::new(answer.body, accepts_gzip(headers), chunks).await {
        Ok(body) => body,
        Err(error) => {
            tracing::error!(%error, "a reply could not be packed");
            return text(StatusCode::INTERNAL_SERVER_ERROR, "the reply could not be sent\n");
        }
    };
    let mut response = Response::new(body);
    if answer.is_fault {
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, if answer.soap == SoapVersion::V12 { SOAP_12 } else { XML });
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    if packed {
        headers.insert(CONTENT_ENCODING, GZIP);
    }
    response
}

fn place(path: &str) -> Option<Place> {
    let service = path.strip_suffix('/').unwrap_or(path).as_bytes();
    let start = service.len().checked_sub(SERVICE_PATH.len());
    if start.is_some_and(|start| service[start..].eq_ignore_ascii_case(SERVICE_PATH.as_bytes())) {
        return Some(Place::Service);
    }
    match path {
        "/" => Some(Place::Root),
        _ if path.eq_ignore_ascii_case("/health") => Some(Place::Health),
        _ if path.eq_ignore_ascii_case("/ready") => Some(Place::Ready),
        _ => None,
    }
}

/// The dialect that an address names.
fn dialect(query: &str) -> Result<Option<Dialect>, values::UnknownName> {
    let name = query::parameter(query, "dialect").filter(|name| !name.is_empty());
    name.map(|name| name.to_ascii_lowercase().parse()).transpose()
}

/// The action that a request names: in its header, or in its content type. Quotes and emptiness are the contract's
/// business.
fn soap_action<'a>(header: Option<&'a str>, parameter: impl FnOnce() -> Option<&'a str>) -> Option<&'a str> {
    let is_empty = |action: &&str| action.trim().bytes().all(|byte| byte == b'"');
    header.filter(|action| !is_empty(action)).or_else(parameter)
}

/// A header as text.
fn readable(header: &HeaderValue) -> Cow<'_, str> {
    header.to_str().map_or_else(|_| String::from_utf8_lossy(header.as_bytes()), Cow::Borrowed)
}

/// A page of known content.
fn page(content_type: HeaderValue, body: impl Into<Bytes>) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::whole(body));
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<ReplyBody> {
    let mut response = page(PLAIN_TEXT, body);
    *response.status_mut() = status;
    response
}

/// A refusal that need not last.
fn try_again(status: StatusCode, body: impl Into<Bytes>) -> Response<ReplyBody> {
    let mut response = text(status, body);
    response.headers_mut().insert(RETRY_AFTER, TRY_AGAIN_AFTER);
    response
}

/// Refuses a call because there are too many.
fn busy(caller: &Caller, refused: &Refused) -> Response<ReplyBody> {
    rejection::log(Cause::Overload, caller, "as many calls are under way as limits.calls allows");
    try_again(StatusCode::SERVICE_UNAVAILABLE, format!("{refused}\n"))
}

/// Sends away who may not call.
async fn keep_out(request: Request<Incoming>, why: &NoEntry, caller: &Caller) -> Response<ReplyBody> {
    let (head, rest) = request.into_parts();
    rejection::log(Cause::AccessDenied, caller, format_args!("{} {}: {why}", head.method, head.uri.path()));
    request::linger(&head.headers, rest).await;
    let mut response = match why {
        NoEntry::Credential { has_users: true, .. } => {
            let mut response = text(StatusCode::UNAUTHORIZED, "a name and a password are needed\n");
            response.headers_mut().insert(WWW_AUTHENTICATE, BASIC_CHALLENGE);
            response
        }
        _ => text(StatusCode::FORBIDDEN, "you may not call this service\n"),
    };
    response.headers_mut().insert(CONNECTION, CLOSE);
    response
}

/// Refuses a request whose body was not read.
async fn refuse(
    request: Request<Incoming>,
    status: StatusCode,
    body: String,
    caller: &Caller,
) -> Response<ReplyBody> {
    let (head, rest) = request.into_parts();
    let (method, path) = (&head.method, head.uri.path());
    rejection::log(Cause::NotServed, caller, format_args!("{method} {path}: {}", body.trim_end()));
    request::linger(&head.headers, rest).await;
    text(status, body)
}

async fn unsupported(
    request: Request<Incoming>,
    wrong: impl std::fmt::Display,
    caller: &Caller,
) -> Response<ReplyBody> {
    let body = format!("{wrong}, expected text/xml (SOAP 1.1) or application/soap+xml (SOAP 1.2)\n");
    refuse(request, StatusCode::UNSUPPORTED_MEDIA_TYPE, body, caller).await
}

fn body_error(error: &BodyError, caller: &Caller) -> Response<ReplyBody> {
    let (status, cause) = match error {
        BodyError::TooLarge { .. } | BodyError::PackedTooWell { .. } => {
            (StatusCode::PAYLOAD_TOO_LARGE, Cause::LargeBody)
        }
        BodyError::Stalled => (StatusCode::REQUEST_TIMEOUT, Cause::SlowBody),
        BodyError::UnknownEncoding(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, Cause::NotServed),
        BodyError::BadGzip(_) | BodyError::Broken(_) => (StatusCode::BAD_REQUEST, Cause::BrokenBody),
        BodyError::UsedUp => (StatusCode::SERVICE_UNAVAILABLE, Cause::Overload),
    };
    rejection::log(cause, caller, error);
    let mut response = text(status, format!("{error}\n"));
    let headers = response.headers_mut();
    if matches!(error, BodyError::UsedUp) {
        headers.insert(RETRY_AFTER, TRY_AGAIN_AFTER);
    }
    match error {
        BodyError::UnknownEncoding(_) => {
            headers.insert(ACCEPT_ENCODING, GZIP);
        }
        BodyError::BadGzip(_) | BodyError::PackedTooWell { .. } => {}
        // Some of it may still be on its way.
        _ => {
            headers.insert(CONNECTION, CLOSE);
        }
    }
    response
}
