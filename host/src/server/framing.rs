//! Where requests begin and end, read more strictly than hyper does.
//!
//! Whoever stands in front of the host must see the same requests in a run of bytes as the host does, or somebody
//! smuggles one through. hyper makes sense of much that is ambiguous (both length headers, equal lengths twice, lines
//! that end with LF alone); here all of that is refused (RFC 9112, sections 2.2, 3.2, 5.2, 6.1, 6.3, 7.1, 11.2), before
//! hyper sees it. This follows bytes and knows nothing of sockets.

use hyper::StatusCode;

use crate::logging::rejection::Cause;

/// The most that the line of a chunk's size may have, with its extensions.
const CHUNK_LINE: usize = 256;

/// Follows the requests of a connection.
#[derive(Debug)]
pub(super) struct Framing {
    /// The largest head in bytes, and the most header lines.
    most_bytes: usize,
    most_lines: usize,
    state: State,
    /// A line that has not come to its end.
    line: Vec<u8>,
    head: Head,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Lines of a head; the request line until `head.method_seen`.
    Head,
    /// So much of a body of known length is to come.
    Body(u64),
    /// The line with a chunk's size.
    ChunkSize,
    /// So much of a chunk is to come.
    Chunk(u64),
    /// The line end after a chunk.
    ChunkEnd,
    /// Lines after the last chunk.
    Trailer,
}

/// What is known of the head that is being read.
#[derive(Debug, Default)]
struct Head {
    bytes: usize,
    lines: usize,
    has_request_line: bool,
    is_http_10: bool,
    hosts: usize,
    length: Option<u64>,
    is_chunked: bool,
}

/// Why what came is no request, and how that is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) cause: Cause,
    pub(super) reason: &'static str,
    /// Whether it is the body: then its request is under way, and whoever reads the body answers.
    pub(super) in_body: bool,
}

const fn bad(reason: &'static str) -> Refused {
    Refused { status: StatusCode::BAD_REQUEST, cause: Cause::BadHttp, reason, in_body: false }
}

const LARGE_HEAD: Refused = Refused {
    status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    cause: Cause::LargeHead,
    reason: "the request's head is larger than the limit",
    in_body: false,
};
const LONG_TARGET: Refused = Refused {
    status: StatusCode::URI_TOO_LONG,
    reason: "the request line is longer than the limit",
    ..LARGE_HEAD
};
const MANY_LINES: Refused =
    Refused { reason: "the request has more header lines than the limit", ..LARGE_HEAD };
const VERSION: Refused = Refused {
    status: StatusCode::HTTP_VERSION_NOT_SUPPORTED,
    ..bad("the HTTP version is not served, expected 1.1 or 1.0")
};
const CODING: Refused = Refused {
    status: StatusCode::NOT_IMPLEMENTED,
    ..bad("the transfer encoding is not served, expected chunked or none")
};

impl Framing {
    pub(super) fn new(most_bytes: usize, most_lines: usize) -> Self {
        Framing { most_bytes, most_lines, state: State::Head, line: Vec::new(), head: Head::default() }
    }

    /// Whether some of a head has come, and not all.
    pub(super) fn amid_head(&self) -> bool {
        self.state == State::Head && self.head.bytes > 0
    }

    /// Follows the next bytes. When they are refused: how many of them may be passed on, and why the next may not.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> Result<(), (usize, Refused)> {
        let mut at = 0;
        // Nothing of a head that is refused need be passed on.
        let mut message = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let step = match self.state {
                State::Body(left) | State::Chunk(left) => {
                    let here = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
                    let left = left - here as u64;
                    self.state = match (self.state, left) {
                        (State::Body(_), 0) => State::Head,
                        (State::Body(_), left) => State::Body(left),
                        (_, 0) => State::ChunkEnd,
                        (_, left) => State::Chunk(left),
                    };
                    Ok(here)
                }
                _ => self.lines(rest),
            };
            at += step.map_err(|why| if why.in_body { (at, why) } else { (message, why) })?;
            if self.state == State::Head && self.head.bytes == 0 {
                message = at;
            }
        }
        Ok(())
    }

    /// Takes in a line, or a piece of one; gives how long it was.
    fn lines(&mut self, rest: &[u8]) -> Result<usize, Refused> {
        let end = memchr::memchr(b'\n', rest);
        let here = end.map_or(rest.len(), |end| end + 1);
        self.count(here)?;
        if end.is_none() {
            self.line.extend_from_slice(rest);
            return Ok(here);
        }
        if self.line.is_empty() {
            self.line(&rest[..here])?;
        } else {
            let mut line = std::mem::take(&mut self.line);
            line.extend_from_slice(&rest[..here]);
            self.line(&line)?;
            // Its room is used again.
            line.clear();
            self.line = line;
        }
        Ok(here)
    }

    /// Counts bytes of lines.
    fn count(&mut self, bytes: usize) -> Result<(), Refused> {
        match self.state {
            State::Head if self.head.bytes + bytes > self.most_bytes => {
                Err(if self.head.has_request_line { LARGE_HEAD } else { LONG_TARGET })
            }
            State::Trailer if self.head.bytes + bytes > self.most_bytes => {
                Err(Refused { in_body: true, ..LARGE_HEAD })
            }
            State::Head | State::Trailer => {
                self.head.bytes += bytes;
                Ok(())
            }
            _ if self.line.len() + bytes > CHUNK_LINE => {
                Err(Refused { in_body: true, ..bad("the line of a chunk's size is too long") })
            }
            _ => Ok(()),
        }
    }

    /// Takes in a whole line.
    fn line(&mut self, line: &[u8]) -> Result<(), Refused> {
        let in_body = self.state != State::Head;
        let refuse = |why: Refused| Refused { in_body, ..why };
        let line = line.strip_suffix(b"\r\n").ok_or_else(|| refuse(bad("a line does not end with CR LF")))?;
        // A CR, a NUL or the like: somebody may take it for the end of something.
        // Counted, and not only looked for: so all bytes of a line are looked at together.
        if line.iter().filter(|&&byte| byte.is_ascii_control() && byte != b'\t').count() > 0 {
            return Err(refuse(bad("a control character stands in the head, or in a chunk's line")));
        }
        match self.state {
            State::Head if !self.head.has_request_line => self.request_line(line),
            State::Head if line.is_empty() => self.end_of_head(),
            State::Head => self.header(line),
            State::ChunkSize => self.chunk_size(line).map_err(refuse),
            State::ChunkEnd if line.is_empty() => {
                self.state = State::ChunkSize;
                Ok(())
            }
            State::ChunkEnd => Err(refuse(bad("a chunk is longer than its size says"))),
            State::Trailer if line.is_empty() => {
                self.next_message();
                Ok(())
            }
            State::Trailer => self.trailer(line).map_err(refuse),
            State::Body(_) | State::Chunk(_) => Ok(()),
        }
    }

    fn request_line(&mut self, line: &[u8]) -> Result<(), Refused> {
        // An empty line before a request is passed over (RFC 9112, section 2.2).
        if line.is_empty() {
            return Ok(());
        }
        let mut parts = line.split(|&byte| byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(bad("the request line is none, expected METHOD TARGET HTTP/1.1"));
        };
        if !is_token(method) || target.is_empty() || target.contains(&b'\t') {
            return Err(bad("the request line is none, expected METHOD TARGET HTTP/1.1"));
        }
        self.head.is_http_10 = match version {
            b"HTTP/1.1" => false,
            b"HTTP/1.0" => true,
            _ if version.starts_with(b"HTTP/") => return Err(VERSION),
            _ => return Err(bad("the request line does not end with the HTTP version")),
        };
        self.head.has_request_line = true;
        Ok(())
    }

    fn header(&mut self, line: &[u8]) -> Result<(), Refused> {
        let (name, value) = self.split(line)?;
        if name.eq_ignore_ascii_case(b"content-length") {
            // Not even the same one twice: the next one on the way may count the other one.
            if self.head.length.is_some() {
                return Err(bad("Content-Length comes twice"));
            }
            self.head.length = Some(length(value).ok_or(bad("Content-Length is not a number"))?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.head.is_chunked {
                return Err(bad("Transfer-Encoding comes twice"));
            }
            if self.head.is_http_10 {
                return Err(bad("HTTP/1.0 knows no Transfer-Encoding"));
            }
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err(CODING);
            }
            self.head.is_chunked = true;
        } else if name.eq_ignore_ascii_case(b"host") {
            self.head.hosts += 1;
        }
        Ok(())
    }

    /// Name and value of a header line; counts it.
    fn split<'l>(&mut self, line: &'l [u8]) -> Result<(&'l [u8], &'l [u8]), Refused> {
        self.head.lines += 1;
        if self.head.lines > self.most_lines {
            return Err(MANY_LINES);
        }
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return Err(bad("a header line begins with white space (obsolete line folding)"));
        }
        let colon = memchr::memchr(b':', line).ok_or(bad("a header line has no colon"))?;
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if !is_token(name) {
            return Err(bad("the name of a header line is none"));
        }
        Ok((name, value.trim_ascii()))
    }

    fn end_of_head(&mut self) -> Result<(), Refused> {
        let Head { is_http_10, hosts, length, is_chunked, .. } = self.head;
        if hosts > 1 || (hosts == 0 && !is_http_10) {
            return Err(bad("the request has no Host, or several"));
        }
        self.state = match (is_chunked, length) {
            (true, Some(_)) => return Err(bad("the request has both Content-Length and Transfer-Encoding")),
            (true, None) => State::ChunkSize,
            (false, Some(length)) if length > 0 => State::Body(length),
            (false, _) => State::Head,
        };
        // A trailer's lines are counted anew.
        self.head = Head::default();
        Ok(())
    }

    fn chunk_size(&mut self, line: &[u8]) -> Result<(), Refused> {
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (size, extension) = line.split_at(digits);
        // Eight digits are four gigabytes, far above any limit of bodies.
        let size = std::str::from_utf8(size).ok().filter(|size| (1..=8).contains(&size.len()));
        let size = size.and_then(|size| u64::from_str_radix(size, 16).ok());
        let size = size.ok_or(bad("the size of a chunk is not a number"))?;
        if !matches!(extension.first(), None | Some(b';')) {
            return Err(bad("the size of a chunk is followed by something else"));
        }
        self.state = if size == 0 { State::Trailer } else { State::Chunk(size) };
        Ok(())
    }

    fn trailer(&mut self, line: &[u8]) -> Result<(), Refused> {
        let (name, _) = self.split(line)?;
        let is_framing = [&b"content-length"[..], b"transfer-encoding", b"host"]
            .iter()
            .any(|framing| name.eq_ignore_ascii_case(framing));
        if is_framing { Err(bad("a trailer says how its request is framed")) } else { Ok(()) }
    }

    fn next_message(&mut self) {
        self.state = State::Head;
        self.head = Head::default();
    }
}

fn is_token(text: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(is_plain)
}

/// A length: digits and nothing else.
fn length(value: &[u8]) -> Option<u64> {
    let is_number = (1..=18).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    if is_number { std::str::from_utf8(value).ok()?.parse().ok() } else { None }
}

#[cfg(test)]
mod tests;
