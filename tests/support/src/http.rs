//! A small blocking HTTP/1.1 client: enough to call the host and to show what it answers, byte for byte.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A wait this long for the next bytes means that the other side hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
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
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
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
        let has = |name: &str| self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
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
    let mut stream = connect(address)?;
    // A server may answer and close before it has read a body that it refuses: its answer counts, not the broken pipe.
    let sent = stream.write_all(bytes);
    match Response::read(&mut BufReader::new(&stream)) {
        Ok(response) => Ok(response),
        Err(error) => Err(sent.err().unwrap_or(error)),
    }
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
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
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
            let (status, headers) = read_head(stream)?;
            if (100..200).contains(&status) {
                continue;
            }
            let mut response = Response { status, headers, body: Vec::new() };
            let chunked = response
                .header("Transfer-Encoding")
                .is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
            if chunked {
                read_chunks(stream, &mut response.body)?;
            } else if let Some(length) = response.header("Content-Length") {
                let length = length.parse().map_err(|_| malformed("Content-Length"))?;
                response.body = vec![0; length];
                stream.read_exact(&mut response.body)?;
            } else if status != 204 && status != 304 {
                stream.read_to_end(&mut response.body)?;
            }
            return Ok(response);
        }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {}", self.status, self.headers, self.text())
    }
}

fn read_head(stream: &mut impl BufRead) -> io::Result<(u16, Vec<(String, String)>)> {
    let status_line = read_line(stream)?;
    let status = status_line
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split(' ').nth(1))
        .and_then(|code| code.parse().ok())
        .ok_or_else(|| malformed("status line"))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(stream)?;
        if line.is_empty() {
            return Ok((status, headers));
        }
        let (name, value) = line.split_once(':').ok_or_else(|| malformed("header"))?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
}

fn read_chunks(stream: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let line = read_line(stream)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(|_| malformed("chunk size"))?;
        let read = stream.by_ref().take(size).read_to_end(body)?;
        if read as u64 != size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // The line end after a chunk, or trailers and the empty line after the last one.
        while !read_line(stream)?.is_empty() {}
        if size == 0 {
            return Ok(());
        }
    }
}

fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(line)
}

fn malformed(part: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not an HTTP response: {part}"))
}
