//! Rejections: what a caller gets whose request is not served, and what the log has of it. Nothing else makes such answers.

use std::borrow::Cow;
use std::fmt::Display;

use contract::EncodingError;
use hyper::header::{
    ACCEPT_ENCODING, ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};

use super::connection_limit::LimitReached;
use super::framing::FramingError;
use super::reply_body::ReplyBody;
use super::request_body::BodyError;
use super::resource::SERVICE_PATH;
use crate::access::{AccessDenied, BASIC_CHALLENGE};
use erp_host_router::rejection::{self, Cause};

pub(super) const PLAIN_TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// Seconds after which a caller may try again.
pub(super) const TRY_AGAIN_AFTER: HeaderValue = HeaderValue::from_static("5");

const TOO_MANY_CALLS: &str = "the host is busy with other calls, try again in a few seconds";

/// A request that is not served: what its caller gets, and why.
#[derive(Debug)]
pub(super) struct Rejection {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// One line for the caller.
    text: Cow<'static, str>,
    /// `None`: the router has logged it.
    cause: Option<Cause>,
    /// For the log; `None`: the text.
    reason: Option<String>,
    /// Whether the log names method and path.
    logs_request: bool,
}

impl Rejection {
    /// The caller may not call. It does not learn why.
    pub(super) fn access_denied(denied: &AccessDenied) -> Self {
        let rejection = match denied {
            AccessDenied::Credential { has_users: true, .. } => Rejection::new(
                StatusCode::UNAUTHORIZED,
                Cause::AccessDenied,
                "a name and a password are needed",
            )
            .header(WWW_AUTHENTICATE, BASIC_CHALLENGE),
            _ => Rejection::new(StatusCode::FORBIDDEN, Cause::AccessDenied, "you may not call this service"),
        };
        rejection.reason(denied).logging_request().header(CONNECTION, CLOSE)
    }

    pub(super) fn not_found() -> Self {
        let text = format!("nothing is served here; the connector service is at {SERVICE_PATH}");
        Rejection::new(StatusCode::NOT_FOUND, Cause::NotServed, text).logging_request()
    }

    /// The help page of a connector that is not here. `known`: the names of those that are, for a caller that may see them.
    pub(super) fn unknown_connector(name: &str, known: Option<&str>) -> Self {
        let known = known.map(|known| format!("; here: {known}")).unwrap_or_default();
        let text = format!("there is no connector {name:?} here{known}");
        Rejection::new(StatusCode::NOT_FOUND, Cause::NotServed, text).logging_request()
    }

    pub(super) fn method_not_allowed(method: &Method, allowed: &'static str) -> Self {
        let text = format!("the method {method} is not served here, expected one of {allowed}");
        Rejection::new(StatusCode::METHOD_NOT_ALLOWED, Cause::NotServed, text)
            .logging_request()
            .header(ALLOW, HeaderValue::from_static(allowed))
    }

    /// `problem`: what is wrong with the content type.
    pub(super) fn unsupported_media_type(problem: impl Display) -> Self {
        let text = format!("{problem}, expected text/xml (SOAP 1.1) or application/soap+xml (SOAP 1.2)");
        Rejection::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Cause::NotServed, text).logging_request()
    }

    /// The address names a profile that is not here. `known`: the names of those that are.
    pub(super) fn unknown_dialect(name: &str, known: &[&str]) -> Self {
        let text = format!("unknown dialect {name:?}, expected one of {}", known.join(", "));
        Rejection::new(StatusCode::BAD_REQUEST, Cause::NotServed, text).logging_request()
    }

    /// The contract file of this profile has no such WSDL document. `part`: the value of the query.
    pub(super) fn no_wsdl(profile: &str, part: &str) -> Self {
        let text = match part {
            "" => format!("the profile {profile:?} has no WSDL: its contract file was written without one"),
            part => format!("the WSDL of the profile {profile:?} has no document {part:?}"),
        };
        Rejection::new(StatusCode::NOT_FOUND, Cause::NotServed, text).logging_request()
    }

    pub(super) fn unsupported_charset(error: &EncodingError) -> Self {
        Rejection::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Cause::NotServed, error.to_string())
    }

    /// `limits.calls` is reached.
    pub(super) fn too_many_calls() -> Self {
        Rejection::new(StatusCode::SERVICE_UNAVAILABLE, Cause::Overload, TOO_MANY_CALLS)
            .reason("as many calls are under way as limits.calls allows")
            .header(RETRY_AFTER, TRY_AGAIN_AFTER)
    }

    /// The concurrency limit of a connector is reached, or that of a connection in it. The router has logged which one.
    pub(super) fn connector_busy(busy: &impl Display) -> Self {
        Rejection { cause: None, text: busy.to_string().into(), ..Rejection::too_many_calls() }
    }

    /// The reply to a call cannot be read back. The log has the reason.
    pub(super) fn reply_lost() -> Self {
        let text = "the reply could not be sent";
        Rejection { cause: None, ..Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, Cause::Overload, text) }
    }

    pub(super) fn too_many_connections(reached: LimitReached) -> Self {
        let text = "the host has too many connections, try again in a few seconds";
        Rejection::new(StatusCode::SERVICE_UNAVAILABLE, Cause::TooManyConnections, text)
            .reason(reached)
            .header(RETRY_AFTER, TRY_AGAIN_AFTER)
            .header(CONNECTION, CLOSE)
    }

    /// The request body cannot be received. `framing`: what was wrong with its chunks, or with what came instead of them.
    pub(super) fn body(error: &BodyError, framing: Option<&FramingError>) -> Self {
        let (status, cause) = match error {
            BodyError::TooLarge { .. } | BodyError::GzipRatio { .. } => {
                (StatusCode::PAYLOAD_TOO_LARGE, Cause::LargeBody)
            }
            BodyError::TooSlow => (StatusCode::REQUEST_TIMEOUT, Cause::SlowBody),
            BodyError::UnknownEncoding(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, Cause::NotServed),
            BodyError::BadGzip(_) | BodyError::Broken(_) => (StatusCode::BAD_REQUEST, Cause::BrokenBody),
            BodyError::NoRoom(_) => (StatusCode::SERVICE_UNAVAILABLE, Cause::Overload),
        };
        let text = match (error, framing) {
            // hyper has only seen the end of the stream.
            (BodyError::Broken(_), Some(framing)) => {
                format!("the request body is broken: {}", framing.reason)
            }
            _ => error.to_string(),
        };
        let rejection = Rejection::new(status, cause, text);
        match error {
            BodyError::UnknownEncoding(_) => {
                rejection.header(ACCEPT_ENCODING, HeaderValue::from_static("gzip"))
            }
            BodyError::BadGzip(_) | BodyError::GzipRatio { .. } => rejection,
            BodyError::NoRoom(why) => {
                rejection.reason(why).header(RETRY_AFTER, TRY_AGAIN_AFTER).header(CONNECTION, CLOSE)
            }
            // Some of the body may still be on its way.
            BodyError::TooLarge { .. } | BodyError::TooSlow | BodyError::Broken(_) => {
                rejection.header(CONNECTION, CLOSE)
            }
        }
    }

    /// What came is not a request.
    pub(super) fn framing(error: FramingError) -> Self {
        Rejection::new(error.status, error.cause, error.reason).header(CONNECTION, CLOSE)
    }

    fn new(status: StatusCode, cause: Cause, text: impl Into<Cow<'static, str>>) -> Self {
        let text = text.into();
        Rejection { status, headers: Vec::new(), text, cause: Some(cause), reason: None, logs_request: false }
    }

    fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    fn reason(self, reason: impl Display) -> Self {
        Rejection { reason: Some(reason.to_string()), ..self }
    }

    fn logging_request(self) -> Self {
        Rejection { logs_request: true, ..self }
    }

    /// Whether the client was too slow: then the rest of its request is not waited for.
    pub(super) fn is_timeout(&self) -> bool {
        self.status == StatusCode::REQUEST_TIMEOUT
    }

    /// Logs the rejection of a connection.
    pub(super) fn log(&self, peer: impl Display) {
        if let Some(cause) = self.cause {
            rejection::log(cause, peer, self.reason.as_deref().unwrap_or(&self.text));
        }
    }

    /// Logs the rejection of a request with this head.
    pub(super) fn log_request(&self, caller: impl Display, head: &Parts) {
        match self.cause {
            Some(cause) if self.logs_request => {
                let (method, path) = (&head.method, head.uri.path());
                let reason = self.reason.as_deref().unwrap_or(&self.text);
                rejection::log(cause, caller, format_args!("{method} {path}: {reason}"));
            }
            _ => self.log(caller),
        }
    }

    pub(super) fn into_response(self) -> Response<ReplyBody> {
        let mut response = Response::new(ReplyBody::whole(format!("{}\n", self.text)));
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, PLAIN_TEXT);
        response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response.headers_mut().extend(self.headers);
        response
    }

    /// The response as bytes, for a connection that hyper no longer serves.
    pub(super) fn to_http1(&self) -> String {
        let (status, text, length) = (self.status, &self.text, self.text.len() + 1);
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\
             X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n{text}\n"
        )
    }
}
