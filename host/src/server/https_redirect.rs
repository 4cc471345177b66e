//! Redirects plain HTTP to HTTPS. Calls are refused, not redirected.

use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue, LOCATION};
use hyper::{Method, Request, Response, StatusCode};

use super::forwarded::is_host;
use super::reply_body::ReplyBody;

/// The response to a request that should have come over HTTPS.
///
/// GET is redirected. A call is not: it has already sent settings and passwords unencrypted, which must be noticed; and .NET
/// clients do not follow a redirect with a POST anyway.
pub(super) fn respond(request: &Request<Incoming>, https_port: u16) -> Response<ReplyBody> {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).filter(|host| is_host(host));
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
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    if let Some(location) = location {
        headers.insert(LOCATION, location);
    }
    response
}

/// The same address over HTTPS.
fn secure_address(host: &str, port: u16, request: &Request<Incoming>) -> String {
    let name = match host.rfind(':').filter(|&colon| !host[colon..].contains(']')) {
        Some(colon) => &host[..colon],
        None => host,
    };
    let port = if port == 443 { String::new() } else { format!(":{port}") };
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    format!("https://{name}{port}{target}")
}
