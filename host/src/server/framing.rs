//! Message framing, checked more strictly than hyper does, against request smuggling.
//!
//! A proxy in front must see the same requests in a sequence of bytes as the host does. hyper accepts much that is ambiguous
//! (both length headers, equal lengths twice, lines that end with LF alone); here all of that is rejected before hyper sees
//! it (RFC 9112, sections 2.2, 3.2, 5.2, 6.1, 6.3, 7.1, 11.2). Works on bytes, without I/O.

use hyper::StatusCode;

use erp_host_router::rejection::Cause;

/// The longest line of a chunk's size, with its extensions.
const MAX_CHUNK_LINE: usize = 256;

/// Checks the framing of the requests of a connection.
#[derive(Debug)]
pub(super) struct Framing {
    /// The largest head in bytes, and the most header lines.
    max_head_bytes: usize,
    max_header_lines: usize,
    state: State,
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    head: Head,
    /// Heads that are complete.
    requests: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Lines of a head; the request line until `head.has_request_line`.
    Head,
    /// The bytes that are missing of a body of known length.
    Body(u64),
    /// The line with a chunk's size.
    ChunkSize,
    /// The bytes that are missing of a chunk.
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

/// Why bytes are not a request, and the response to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FramingError {
    pub(super) status: StatusCode,
    pub(super) cause: Cause,
    pub(super) reason: &'static str,
    /// Whether it is in a body: then the endpoint answers, which is reading the body.
    pub(super) in_body: bool,
}

const fn bad(reason: &'static str) -> FramingError {
    FramingError { status: StatusCode::BAD_REQUEST, cause: Cause::BadHttp, reason, in_body: false }
}

const LARGE_HEAD: FramingError = FramingError {
    status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    cause: Cause::LargeHead,
    reason: "the request's head is larger than the limit",
    in_body: false,
};
const LONG_TARGET: FramingError = FramingError {
    status: StatusCode::URI_TOO_LONG,
    reason: "the request line is longer than the limit",
    ..LARGE_HEAD
};
const MANY_LINES: FramingError =
    FramingError { reason: "the request has more header lines than the limit", ..LARGE_HEAD };
const VERSION: FramingError = FramingError {
    status: StatusCode::HTTP_VERSION_NOT_SUPPORTED,
    ..bad("the HTTP version is not served, expected 1.1 or 1.0")
};
const CODING: FramingError = FramingError {
    status: StatusCode::NOT_IMPLEMENTED,
    ..bad("the transfer encoding is not served, expected chunked or none")
};

impl Framing {
    pub(super) fn new(max_head_bytes: usize, max_header_lines: usize) -> Self {
        Framing {
            max_head_bytes,
            max_header_lines,
            state: State::Head,
            line: Vec::new(),
            head: Head::default(),
            requests: 0,
        }
    }

    /// How many requests have begun: their heads are complete.
    pub(super) fn requests(&self) -> u64 {
        self.requests
    }

    /// Whether a part of a head has come.
    pub(super) fn is_in_head(&self) -> bool {
        self.state == State::Head && self.head.bytes > 0
    }

    /// Checks the next bytes. An error comes with the number of bytes before it that may be passed on.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> Result<(), (usize, FramingError)> {
        let mut at = 0;
        // Nothing of a rejected head is passed on.
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
            at += step.map_err(|error| if error.in_body { (at, error) } else { (message, error) })?;
            if self.state == State::Head && self.head.bytes == 0 {
                message = at;
            }
        }
        Ok(())
    }

    /// Reads a line or a part of one; returns its length.
    fn lines(&mut self, rest: &[u8]) -> Result<usize, FramingError> {
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
            // Its buffer is used again.
            line.clear();
            self.line = line;
        }
        Ok(here)
    }

    /// Counts bytes of lines.
    fn count(&mut self, bytes: usize) -> Result<(), FramingError> {
        match self.state {
            State::Head if self.head.bytes + bytes > self.max_head_bytes => {
                Err(if self.head.has_request_line { LARGE_HEAD } else { LONG_TARGET })
            }
            State::Trailer if self.head.bytes + bytes > self.max_head_bytes => {
                Err(FramingError { in_body: true, ..LARGE_HEAD })
            }
            State::Head | State::Trailer => {
                self.head.bytes += bytes;
                Ok(())
            }
            _ if self.line.len() + bytes > MAX_CHUNK_LINE => {
                Err(FramingError { in_body: true, ..bad("the line of a chunk's size is too long") })
            }
            _ => Ok(()),
        }
    }

    /// Checks a whole line.
    fn line(&mut self, line: &[u8]) -> Result<(), FramingError> {
        let in_body = self.state != State::Head;
        let reject = |error: FramingError| FramingError { in_body, ..error };
        let line = line.strip_suffix(b"\r\n").ok_or_else(|| {
            reject(bad(match self.state {
                State::ChunkSize => "the line of a chunk's size, or its extension, does not end with CR LF",
                State::ChunkEnd => "a chunk does not end with CR LF, or is longer than its size says",
                State::Trailer => "a trailer line does not end with CR LF",
                _ => "a line does not end with CR LF",
            }))
        })?;
        // A CR or a NUL: another program may take it for the end of something. Counting, unlike searching, is vectorized.
        if line.iter().filter(|&&byte| byte.is_ascii_control() && byte != b'\t').count() > 0 {
            return Err(reject(bad(match self.state {
                State::ChunkSize => {
                    "a control character is in the line of a chunk's size, or in its extension"
                }
                State::Trailer => "a control character is in a trailer",
                _ => "a control character is in the head, or after a chunk",
            })));
        }
        match self.state {
            State::Head if !self.head.has_request_line => self.request_line(line),
            State::Head if line.is_empty() => self.end_of_head(),
            State::Head => self.header(line),
            State::ChunkSize => self.chunk_size(line).map_err(reject),
            State::ChunkEnd if line.is_empty() => {
                self.state = State::ChunkSize;
                Ok(())
            }
            State::ChunkEnd => Err(reject(bad("a chunk is longer than its size says"))),
            State::Trailer if line.is_empty() => {
                self.next_message();
                Ok(())
            }
            State::Trailer => self.trailer(line).map_err(reject),
            State::Body(_) | State::Chunk(_) => Ok(()),
        }
    }

    fn request_line(&mut self, line: &[u8]) -> Result<(), FramingError> {
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

    fn header(&mut self, line: &[u8]) -> Result<(), FramingError> {
        let (name, value) = self.split(line)?;
        if name.eq_ignore_ascii_case(b"content-length") {
            // Not even twice with the same value (request smuggling).
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
    fn split<'l>(&mut self, line: &'l [u8]) -> Result<(&'l [u8], &'l [u8]), FramingError> {
        self.head.lines += 1;
        let is_trailer = self.state == State::Trailer;
        let bad = |in_head, in_trailer| bad(if is_trailer { in_trailer } else { in_head });
        if self.head.lines > self.max_header_lines {
            return Err(MANY_LINES);
        }
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return Err(bad(
                "a header line begins with white space (obsolete line folding)",
                "a trailer line begins with white space (obsolete line folding)",
            ));
        }
        let colon = memchr::memchr(b':', line)
            .ok_or(bad("a header line has no colon", "a trailer line has no colon"))?;
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if !is_token(name) {
            return Err(bad("the name of a header line is none", "the name of a trailer line is none"));
        }
        Ok((name, value.trim_ascii()))
    }

    fn end_of_head(&mut self) -> Result<(), FramingError> {
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
        // The lines of a trailer are counted separately.
        self.head = Head::default();
        self.requests += 1;
        Ok(())
    }

    fn chunk_size(&mut self, line: &[u8]) -> Result<(), FramingError> {
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (size, extension) = line.split_at(digits);
        // Eight digits are four gigabytes, far above any limit of bodies.
        let size = std::str::from_utf8(size).ok().filter(|size| (1..=8).contains(&size.len()));
        let size = size.and_then(|size| u64::from_str_radix(size, 16).ok());
        let size = size.ok_or(bad("the size of a chunk is not a number"))?;
        if !matches!(extension.first(), None | Some(b';')) {
            return Err(bad("the size of a chunk is followed by something else"));
        }
        if !is_chunk_extension(extension) {
            return Err(bad("the extension of a chunk is not of the form ;name=value"));
        }
        self.state = if size == 0 { State::Trailer } else { State::Chunk(size) };
        Ok(())
    }

    fn trailer(&mut self, line: &[u8]) -> Result<(), FramingError> {
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

/// `;name`, `;name=value`, `;name="a quoted value"`, any number of them, with white space around `;` and `=`.
fn is_chunk_extension(mut rest: &[u8]) -> bool {
    while let Some(extension) = rest.strip_prefix(b";") {
        let name = extension.iter().position(|byte| b"=;".contains(byte)).unwrap_or(extension.len());
        if !is_token(extension[..name].trim_ascii()) {
            return false;
        }
        rest = &extension[name..];
        if let Some(value) = rest.strip_prefix(b"=") {
            let value = value.trim_ascii_start();
            let end = match value.strip_prefix(b"\"") {
                // From the quote on: the next one that no backslash is before.
                Some(quoted) => {
                    let mut is_escaped = false;
                    let end = quoted.iter().position(|&byte| {
                        let is_end = byte == b'"' && !is_escaped;
                        is_escaped = byte == b'\\' && !is_escaped;
                        is_end
                    });
                    let Some(end) = end else { return false };
                    end + 2
                }
                None => {
                    let end = value.iter().position(|&byte| byte == b';').unwrap_or(value.len());
                    if !is_token(value[..end].trim_ascii_end()) {
                        return false;
                    }
                    end
                }
            };
            rest = value[end..].trim_ascii_start();
        }
    }
    rest.is_empty()
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
