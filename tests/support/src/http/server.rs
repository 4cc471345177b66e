//! A small HTTP/1.1 server for stand-ins of services, one thread a connection.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use super::{Request, Response, message};

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Received {
    /// The request.
    pub request: Request,
    /// The version, such as `HTTP/1.1`.
    pub version: String,
    /// Its body came in chunks.
    pub is_chunked: bool,
}

/// Serves on a free port until the process ends. A handler that gives `None` closes the connection without a response.
pub fn serve(handler: impl Fn(Received) -> Option<Response> + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let handler = Arc::new(handler);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let handler = Arc::clone(&handler);
            // A client may end its connection at any time.
            thread::spawn(move || drop(serve_connection(&stream, &*handler)));
        }
    });
    address
}

fn serve_connection(stream: &TcpStream, handler: &impl Fn(Received) -> Option<Response>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(received) = Received::read(&mut reader, stream)? {
        let is_last = received.version == "HTTP/1.0"
            || received.header("Connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let Some(mut response) = handler(received) else { return Ok(()) };
        if is_last {
            // Or else the client would send its next request on a connection that is being closed.
            response.set_header("Connection", "close");
        }
        response.write(stream)?;
        if is_last {
            return Ok(());
        }
    }
    Ok(())
}

impl Received {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        message::find(&self.request.headers, name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.request.body).into_owned()
    }

    /// The next request; `None` where the client has sent its last.
    fn read(stream: &mut impl BufRead, mut back: &TcpStream) -> io::Result<Option<Self>> {
        // The first byte of TLS, which would wait for an answer.
        if stream.fill_buf()?.first() == Some(&0x16) {
            return Ok(None);
        }
        let Some(line) = message::read_line(stream)? else { return Ok(None) };
        let [method, target, version] = line.split(' ').collect::<Vec<_>>()[..] else {
            return Err(message::malformed("a request line"));
        };
        let mut request = Request::new(method, target);
        request.headers = message::read_headers(stream)?;
        let is_chunked = message::is_chunked(&request.headers);
        if message::find(&request.headers, "Expect").is_some() {
            back.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        request.body = message::read_body(stream, &request.headers)?.unwrap_or_default();
        Ok(Some(Received { request, version: version.to_owned(), is_chunked }))
    }
}

impl Response {
    /// A response with a body.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
        Response { status, headers, body: body.into(), version: "HTTP/1.1".to_owned() }
    }

    /// Writes the response, in one piece.
    fn write(&self, mut stream: &TcpStream) -> io::Result<()> {
        let mut bytes = format!("HTTP/1.1 {} X\r\nContent-Length: {}\r\n", self.status, self.body.len());
        for (name, value) in &self.headers {
            if !["content-length", "transfer-encoding"].iter().any(|own| name.eq_ignore_ascii_case(own)) {
                bytes += &format!("{name}: {value}\r\n");
            }
        }
        let mut bytes = (bytes + "\r\n").into_bytes();
        bytes.extend_from_slice(&self.body);
        stream.write_all(&bytes)
    }
}
