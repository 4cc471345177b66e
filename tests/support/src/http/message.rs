//! What requests and responses have in common: lines, headers, and a body that has a length or comes in chunks.

use std::io::{self, BufRead, Read};

/// The first header of this name, in any case.
pub(super) fn find<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// Adds a header, or replaces those of this name.
pub(super) fn set(headers: &mut Vec<(String, String)>, name: &str, value: &str) {
    headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    headers.push((name.to_owned(), value.to_owned()));
}

/// Whether the body comes in chunks.
pub(super) fn is_chunked(headers: &[(String, String)]) -> bool {
    find(headers, "Transfer-Encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
}

/// A line without its end; `None` where the stream has ended.
pub(super) fn read_line(stream: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    if !line.ends_with('\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(Some(line))
}

/// Names as they came, and values, up to the empty line.
pub(super) fn read_headers(stream: &mut impl BufRead) -> io::Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    loop {
        let line = read_line(stream)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if line.is_empty() {
            return Ok(headers);
        }
        let (name, value) = line.split_once(':').ok_or_else(|| malformed("a header"))?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
}

/// The body that these headers announce; `None` where they announce none.
pub(super) fn read_body(
    stream: &mut impl BufRead,
    headers: &[(String, String)],
) -> io::Result<Option<Vec<u8>>> {
    if is_chunked(headers) {
        return read_chunks(stream).map(Some);
    }
    let Some(length) = find(headers, "Content-Length") else { return Ok(None) };
    let mut body = vec![0; length.parse().map_err(|_| malformed("Content-Length"))?];
    stream.read_exact(&mut body)?;
    Ok(Some(body))
}

fn read_chunks(stream: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(stream)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(|_| malformed("a chunk's size"))?;
        let read = stream.by_ref().take(size).read_to_end(&mut body)?;
        if read as u64 != size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // The line end after a chunk, or trailers and the empty line after the last one.
        while read_line(stream)?.is_some_and(|line| !line.is_empty()) {}
        if size == 0 {
            return Ok(body);
        }
    }
}

pub(super) fn malformed(part: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not HTTP/1.1: {part}"))
}
