//! An HTTP client that sends any bytes, also invalid ones.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::host::PATIENCE;

pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) version: String,
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Client { stream: BufReader::new(stream) }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).unwrap();
    }

    /// Sends as much as the host takes: it may refuse before it has read everything.
    pub(crate) fn send_some(&mut self, bytes: &[u8]) {
        let _ = self.stream.get_mut().write_all(bytes);
    }

    /// Says that nothing more will be sent.
    pub(crate) fn end(&mut self) {
        self.stream.get_mut().shutdown(std::net::Shutdown::Write).unwrap();
    }

    /// The head of a response.
    pub(crate) fn receive_head(&mut self) -> Response {
        let status = self.line();
        let (version, rest) = status.split_once(' ').expect(&status);
        let mut response = Response {
            version: version.to_owned(),
            status: rest[..3].parse().unwrap(),
            headers: Vec::new(),
            body: Vec::new(),
        };
        loop {
            let line = self.line();
            if line.is_empty() {
                return response;
            }
            let (name, value) = line.split_once(':').expect(&line);
            response.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// A response with its body.
    pub(crate) fn receive(&mut self) -> Response {
        let mut response = self.receive_head();
        if let Some(length) = response.header("content-length") {
            response.body = vec![0; length.parse().unwrap()];
            self.stream.read_exact(&mut response.body).unwrap();
        } else if response.header("transfer-encoding") == Some("chunked") {
            loop {
                let length = usize::from_str_radix(&self.line(), 16).unwrap();
                let start = response.body.len();
                response.body.resize(start + length, 0);
                self.stream.read_exact(&mut response.body[start..]).unwrap();
                assert_eq!(self.line(), "");
                if length == 0 {
                    break;
                }
            }
        } else {
            self.stream.read_to_end(&mut response.body).unwrap();
        }
        response
    }

    /// Whether there is something to receive, after a short wait.
    pub(crate) fn has_answer(&self) -> bool {
        let stream = self.stream.get_ref();
        stream.set_read_timeout(Some(std::time::Duration::from_millis(5))).unwrap();
        let has_answer = stream.peek(&mut [0]).is_ok();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        has_answer
    }

    /// Takes a few bytes of what is sent; nothing once the connection has ended.
    pub(crate) fn take_a_little(&mut self) -> Option<usize> {
        self.stream.get_mut().read(&mut [0; 16]).ok().filter(|&bytes| bytes > 0)
    }

    /// Whether the host has closed the connection, without another byte.
    pub(crate) fn is_closed(&mut self) -> bool {
        // A connection with unread bytes is reset instead of closed.
        !matches!(self.stream.read(&mut [0]), Ok(1..))
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        assert!(line.ends_with("\r\n"), "the host ends in the middle of a response: {line:?}");
        line.truncate(line.len() - 2);
        line
    }
}
