//! Redirects plain HTTP to HTTPS. Calls are refused, not redirected.

use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue, LOCATION, X_CONTENT_TYPE_OPTIONS};
use hyper::{Method, Request, Response, StatusCode};

use super::public_url::Authority;
use super::reply_body::ReplyBody;

/// The response to a request that should have come over HTTPS.
///
/// GET is redirected. A call is not: it has already sent settings and passwords unencrypted, which must be noticed; and .NET
/// clients do not follow a redirect with a POST anyway.
pub(super) fn respond(request: &Request<Incoming>, https_port: u16) -> Response<ReplyBody> {
    let host = request.headers().get(HOST).and_then(|host| Authority::parse(host.to_str().ok()?));
    let (status, text, location) = match host.map(|host| secure_address(host, https_port, request)) {
        Some(location) if matches!(*request.method(), Method::GET | Method::HEAD) => (
            StatusCode::PERMANENT_REDIRECT,
            format!("this is at {location}\n"),
            HeaderValue::try_from(location).ok(),
        ),
        Some(location) => {
            let text = format!(
                "calls are taken over HTTPS only, at {location}; what this one sent was not secret\n"
            );
            (StatusCode::FORBIDDEN, text, None)
        }
        None => (StatusCode::BAD_REQUEST, "the request has no Host, or one that is none\n".to_owned(), None),
    };
    let mut response = Response::new(ReplyBody::whole(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    if let Some(location) = location {
        headers.insert(LOCATION, location);
    }
    response
}

/// The same address over HTTPS.
fn secure_address(host: Authority<'_>, port: u16, request: &Request<Incoming>) -> String {
    let name = host.name;
    let port = if port == 443 { String::new() } else { format!(":{port}") };
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    format!("https://{name}{port}{target}")
}
