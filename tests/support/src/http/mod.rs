//! HTTP/1.1 for tests, blocking and byte for byte: a client, connections that are kept, and a server for stand-ins.

mod connection;
mod message;
pub mod server;

use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

pub use connection::Connection;

/// A wait this long for the next bytes means that the other side hangs.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method, such as `POST`.
    pub method: String,
    /// Path and query, such as `/Services/ErpConnectorWS.svc?wsdl`.
    pub target: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body, without chunks.
    pub body: Vec<u8>,
}

/// A response. `Debug` shows its body as text.
#[derive(Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header names as they came, and their values.
    pub headers: Vec<(String, String)>,
    /// The body, without chunks; still compressed when `Content-Encoding` says so.
    pub body: Vec<u8>,
    /// The version, such as `HTTP/1.1`.
    pub version: String,
}

impl Request {
    /// A request of any method. `target` is path and query, such as `/Services/ErpConnectorWS.svc?wsdl`.
    pub fn new(method: &str, target: &str) -> Self {
        Request {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A GET request.
    pub fn get(target: &str) -> Self {
        Request::new("GET", target)
    }

    /// A SOAP 1.1 request.
    pub fn soap(target: &str, action: &str, body: impl Into<Vec<u8>>) -> Self {
        Request::new("POST", target)
            .header("Content-Type", "text/xml; charset=utf-8")
            .header("SOAPAction", &format!("\"{action}\""))
            .body(body)
    }

    /// Adds a header, or replaces the one of this name.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.set_header(name, value);
        self
    }

    /// Sets a header, or replaces the one of this name.
    pub fn set_header(&mut self, name: &str, value: &str) {
        message::set(&mut self.headers, name, value);
    }

    /// Takes a header away.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The bytes that travel. `Host`, `Content-Length` and `Connection: close` are added where they are missing.
    pub fn to_bytes(&self, host: &str) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let mut add = |name: &str, value: &str| head.push_str(&format!("{name}: {value}\r\n"));
        let has = |name: &str| message::find(&self.headers, name).is_some();
        for (name, value) in &self.headers {
            add(name, value);
        }
        if !has("Host") {
            add("Host", host);
        }
        if !has("Content-Length") && !has("Transfer-Encoding") && self.method != "GET" {
            add("Content-Length", &self.body.len().to_string());
        }
        if !has("Connection") {
            add("Connection", "close");
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Sends the request on a connection of its own.
    ///
    /// # Errors
    /// There is no connection, or what comes back is no HTTP response.
    pub fn send(&self, address: SocketAddr) -> io::Result<Response> {
        exchange(address, &self.to_bytes(&address.to_string()))
    }
}

/// Sends these bytes as they are, and reads one response.
///
/// # Errors
/// There is no connection, or what comes back is no HTTP response.
pub fn exchange(address: SocketAddr, bytes: &[u8]) -> io::Result<Response> {
    exchange_on(&mut None, address, bytes)
}

/// Sends these bytes on a connection that is kept, and reads one response. It is opened when there is none, and dropped when
/// the server closes it.
///
/// # Errors
/// There is no connection, or what comes back is no HTTP response.
pub fn exchange_on(
    connection: &mut Option<BufReader<TcpStream>>,
    address: SocketAddr,
    bytes: &[u8],
) -> io::Result<Response> {
    let mut stream = match connection.take() {
        Some(stream) => stream,
        None => BufReader::new(connect(address)?),
    };
    // A server may answer and close before it has read a body that it refuses: its answer counts, not the broken pipe.
    let sent = stream.get_mut().write_all(bytes);
    let response = match Response::read(&mut stream) {
        Ok(response) => response,
        Err(error) => return Err(sent.err().unwrap_or(error)),
    };
    if response.header("Connection").is_none_or(|value| !value.eq_ignore_ascii_case("close")) {
        *connection = Some(stream);
    }
    Ok(response)
}

/// Opens a connection that does not wait for ever.
///
/// # Errors
/// There is nobody at this address.
pub fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Response {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        message::find(&self.headers, name)
    }

    /// Sets a header, or replaces the one of this name.
    pub fn set_header(&mut self, name: &str, value: &str) {
        message::set(&mut self.headers, name, value);
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Reads one response; interim ones (100 Continue) are passed over.
    ///
    /// # Errors
    /// The stream ends early, or holds no HTTP response.
    pub fn read(stream: &mut impl BufRead) -> io::Result<Self> {
        loop {
            let mut response = Response::read_head(stream)?;
            if (100..200).contains(&response.status) {
                continue;
            }
            let has_body = response.status != 204 && response.status != 304;
            match message::read_body(stream, &response.headers)? {
                Some(body) => response.body = body,
                // It lasts until the connection ends.
                None if has_body => drop(stream.read_to_end(&mut response.body)?),
                None => {}
            }
            return Ok(response);
        }
    }

    /// Reads the head of a response, and leaves its body.
    ///
    /// # Errors
    /// As [`Response::read`].
    pub fn read_head(stream: &mut impl BufRead) -> io::Result<Self> {
        let line = message::read_line(stream)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let malformed = || message::malformed(&format!("a status line, {line:?}"));
        let mut words = line.splitn(3, ' ');
        let version = words.next().filter(|version| version.starts_with("HTTP/1.")).ok_or_else(malformed)?;
        let status = words.next().and_then(|code| code.parse().ok()).ok_or_else(malformed)?;
        let headers = message::read_headers(stream)?;
        Ok(Response { status, headers, body: Vec::new(), version: version.to_owned() })
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {}", self.status, self.headers, self.text())
    }
}
