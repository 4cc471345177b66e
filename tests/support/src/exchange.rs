//! Calls of the connector contract over HTTP.

use std::io;
use std::net::SocketAddr;

use contract::Call;

use crate::http::{Request, Response};

/// The path of the service.
pub const PATH: &str = "/Services/ErpConnectorWS.svc";

/// A call as it travels, and what came back.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The SOAPAction of the request.
    pub action: String,
    /// The body of the request.
    pub request: String,
    /// The response.
    pub response: Response,
}

/// Makes a call. `target` is path and query.
///
/// # Errors
/// There is no connection, or what comes back is no HTTP response. A fault is a response.
pub fn exchange(address: SocketAddr, target: &str, call: &Call<'_>) -> io::Result<Exchange> {
    let mut request = Vec::new();
    contract::write_request(&mut request, call);
    let action = call.soap_action();
    let response = Request::soap(target, &action, request.as_slice()).send(address)?;
    Ok(Exchange { action, request: String::from_utf8_lossy(&request).into_owned(), response })
}
