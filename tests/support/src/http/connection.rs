//! A connection that sends what a test writes, byte for byte, and reads responses one after the other.

use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::{PATIENCE, Response, connect};

/// A client's connection. What goes wrong with it fails the test.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> Self {
        Connection { stream: BufReader::new(connect(address).expect("a connection")) }
    }

    /// Sends these bytes.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).expect("the server reads");
    }

    /// Sends as many of these bytes as the server takes: it may refuse before it has read everything.
    pub fn send_some(&mut self, bytes: &[u8]) {
        let _ = self.stream.get_mut().write_all(bytes);
    }

    /// Closes the sending half.
    pub fn end(&mut self) {
        self.stream.get_mut().shutdown(Shutdown::Write).expect("an open connection");
    }

    /// The head of the next response, also of an interim one.
    pub fn receive_head(&mut self) -> Response {
        Response::read_head(&mut self.stream).expect("the head of a response")
    }

    /// The next response with its body.
    pub fn receive(&mut self) -> Response {
        Response::read(&mut self.stream).expect("a response")
    }

    /// Whether there is something to receive, after a short wait.
    pub fn has_response(&self) -> bool {
        let stream = self.stream.get_ref();
        stream.set_read_timeout(Some(Duration::from_millis(5))).expect("a timeout");
        let has_response = stream.peek(&mut [0]).is_ok();
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        has_response
    }

    /// Reads a few of the next bytes; `None` once the connection has ended.
    pub fn read_a_little(&mut self) -> Option<usize> {
        self.stream.get_mut().read(&mut [0; 16]).ok().filter(|&bytes| bytes > 0)
    }

    /// Whether the server closes the connection without another byte.
    pub fn is_closed(&mut self) -> bool {
        // A connection with unread bytes is reset instead of closed.
        !matches!(self.stream.read(&mut [0]), Ok(1..))
    }
}
