//! Tests of message framing.

use proptest::prelude::*;

use super::*;

const MAX_HEAD_BYTES: usize = 400;
const MAX_HEADER_LINES: usize = 5;

/// Checks these bytes in pieces of this length: how many may be passed on, and why no more.
fn followed(bytes: &[u8], piece: usize) -> (usize, Option<FramingError>) {
    let mut framing = Framing::new(MAX_HEAD_BYTES, MAX_HEADER_LINES);
    let mut passed = 0;
    for piece in bytes.chunks(piece) {
        match framing.follow(piece) {
            Ok(()) => passed += piece.len(),
            Err((pass, why)) => return (passed + pass, Some(why)),
        }
    }
    (passed, None)
}

fn refused(bytes: &[u8]) -> Option<FramingError> {
    let (_, why) = followed(bytes, bytes.len().max(1));
    for piece in [1, 3, 7] {
        assert_eq!(followed(bytes, piece).1, why, "in pieces of {piece}: {}", bytes.escape_ascii());
    }
    why
}

/// A request with these lines between its host and its body.
fn post(lines: &str, body: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n{body}").into_bytes()
}

#[test]
fn framing_accepts_requests_one_after_the_other() {
    let requests = [
        post("Content-Length: 3\r\n", "abc"),
        b"GET /x?y HTTP/1.0\r\n\r\n".to_vec(),
        post("content-length:0\r\nX: \r\n", ""),
        post("Transfer-Encoding: Chunked\r\n", "3\r\nabc\r\n0A;x=\"y\"\r\n0123456789\r\n0\r\n\r\n"),
        post("Transfer-Encoding: chunked\r\n", "0\r\nDigest: x\r\n\r\n"),
        b"\r\nGET / HTTP/1.1\r\nHost:\t[::1]:80 \r\nX: caf\xC3\xA9\r\n\r\n".to_vec(),
    ];
    let all = requests.concat();
    assert_eq!(refused(&all), None);
    // What is wrong with the last one does not touch those before it.
    let bad = [&all[..], b"GET / HTTP/1.1\r\nHost : a\r\n\r\n"].concat();
    assert_eq!(followed(&bad, bad.len()).0, all.len());
}

#[test]
fn framing_rejects_ambiguous_heads() {
    for (request, reason) in [
        (post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", ""), "both Content-Length"),
        (post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", ""), "both Content-Length"),
        (post("Content-Length: 3\r\nContent-Length: 3\r\n", ""), "Content-Length comes twice"),
        (post("Content-Length: 3\r\nContent-Length: 4\r\n", ""), "Content-Length comes twice"),
        (post("Content-Length: 3, 3\r\n", ""), "Content-Length is not a number"),
        (post("Content-Length: +3\r\n", ""), "Content-Length is not a number"),
        (post("Content-Length: -3\r\n", ""), "Content-Length is not a number"),
        (post("Content-Length: 0x3\r\n", ""), "Content-Length is not a number"),
        (post("Content-Length: 3 3\r\n", ""), "Content-Length is not a number"),
        (post("Content-Length:\r\n", ""), "Content-Length is not a number"),
        (post("Content-Length: 18446744073709551617\r\n", ""), "Content-Length is not a number"),
        (post("Content-Length : 3\r\n", ""), "the name of a header line"),
        (post("Content-Length\r\n", ""), "no colon"),
        (post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", ""), "comes twice"),
        (post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", ""), "comes twice"),
        (post("Transfer-Encoding: identity\r\n", ""), "transfer encoding is not served"),
        (post("Transfer-Encoding: gzip, chunked\r\n", ""), "transfer encoding is not served"),
        (post("Transfer-Encoding: chunked, chunked\r\n", ""), "transfer encoding is not served"),
        (post("Transfer-Encoding: xchunked\r\n", ""), "transfer encoding is not served"),
        (post("Transfer-Encoding: \"chunked\"\r\n", ""), "transfer encoding is not served"),
        (post("Transfer-Encoding:\r\n", ""), "transfer encoding is not served"),
        (post("Transfer-Encoding: \x0Bchunked\r\n", ""), "control character"),
        (post("Transfer-Encoding\t: chunked\r\n", ""), "the name of a header line"),
        (post("X: y\r\n Transfer-Encoding: chunked\r\n", ""), "white space"),
        (post("X: y\r\n\tz\r\n", ""), "white space"),
        (post("X: y\n", ""), "CR LF"),
        (post("X: y\rContent-Length: 3\r\n", ""), "control character"),
        (post("X: \0\r\n", ""), "control character"),
        (post(": y\r\n", ""), "the name of a header line"),
        (post("X Y: z\r\n", ""), "the name of a header line"),
        (post("Host: b\r\n", ""), "no Host, or several"),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "no Host, or several"),
        (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n".to_vec(), "white space"),
        (b"GET / HTTP/1.1\nHost: a\n\n".to_vec(), "CR LF"),
        (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), "the request line is none"),
        (b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), "the request line is none"),
        (b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), "the request line is none"),
        (b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), "the request line is none"),
        (b"GET /\r\nHost: a\r\n\r\n".to_vec(), "the request line is none"),
        (b"GET / http/1.1\r\nHost: a\r\n\r\n".to_vec(), "does not end with the HTTP version"),
        (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n".to_vec(), "HTTP version is not served"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), "HTTP version is not served"),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(), "HTTP/1.0 knows no"),
        (b"\x16\x03\x01\x02\n".to_vec(), "CR LF"),
    ] {
        let why = refused(&request).unwrap_or_else(|| panic!("{}", request.escape_ascii()));
        assert!(why.reason.contains(reason), "{}: {why:?}", request.escape_ascii());
        assert!(!why.in_body && why.status.is_client_error() | why.status.is_server_error());
    }
}

#[test]
fn framing_rejects_ambiguous_chunks() {
    for (body, reason) in [
        ("3\r\nabcd\r\n", "longer than its size"),
        ("3\r\nabc\n", "CR LF"),
        ("3\nabc\r\n", "CR LF"),
        ("3;x\nabc\r\n", "CR LF"),
        ("\r\n3\r\nabc\r\n", "not a number"),
        ("x\r\n", "not a number"),
        ("-3\r\n", "not a number"),
        ("0x3\r\nabc\r\n", "something else"),
        ("3 \r\nabc\r\n", "something else"),
        (" 3\r\nabc\r\n", "not a number"),
        ("100000000000000003\r\nabc\r\n", "not a number"),
        ("3;\0\r\nabc\r\n", "control character"),
        ("0\r\nContent-Length: 5\r\n\r\n", "how its request is framed"),
        ("0\r\n X: y\r\n\r\n", "white space"),
        ("0\r\nX\r\n\r\n", "a trailer line has no colon"),
        ("0\r\nX y: z\r\n\r\n", "the name of a trailer"),
        ("0\r\nX: \0\r\n\r\n", "a control character is in a trailer"),
        ("0\r\nX: y\n\r\n", "a trailer line does not end with CR LF"),
        ("3;\r\nabc\r\n", "extension of a chunk"),
        ("3;=x\r\nabc\r\n", "extension of a chunk"),
        ("3;a=\r\nabc\r\n", "extension of a chunk"),
        ("3;a b\r\nabc\r\n", "extension of a chunk"),
        ("3;a=\"x\r\nabc\r\n", "extension of a chunk"),
        ("3;a=\"x\"y\r\nabc\r\n", "extension of a chunk"),
        ("3;a=\"x\\\"\r\nabc\r\n", "extension of a chunk"),
    ] {
        let request = post("Transfer-Encoding: chunked\r\n", body);
        let why = refused(&request).unwrap_or_else(|| panic!("{body:?}"));
        assert!(why.reason.contains(reason) && why.in_body, "{body:?}: {why:?}");
    }
    for extension in ["", ";a", "; a = b ;c", ";a=\"b;\\\"c\" ; d=e", ";a=b;c=\"\""] {
        let request = post("Transfer-Encoding: chunked\r\n", &format!("3{extension}\r\nabc\r\n0\r\n\r\n"));
        assert!(refused(&request).is_none(), "{extension}");
    }
    let long = format!("3;{}\r\nabc\r\n", "x".repeat(MAX_CHUNK_LINE));
    let why = refused(&post("Transfer-Encoding: chunked\r\n", &long)).unwrap();
    assert!(why.reason.contains("too long"));
}

#[test]
fn framing_limits_heads_and_trailers() {
    let long = "x".repeat(MAX_HEAD_BYTES);
    for (request, status, is_in_body) in [
        (format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes(), 414, false),
        (post(&format!("X: {long}\r\n"), ""), 431, false),
        (post(&"X: y\r\n".repeat(MAX_HEADER_LINES), ""), 431, false),
        (post("Transfer-Encoding: chunked\r\n", &format!("0\r\nX: {long}\r\n\r\n")), 431, true),
        (post("Transfer-Encoding: chunked\r\n", &format!("0\r\n{}\r\n", "X: y\r\n".repeat(6))), 431, true),
        // A line without an end is limited as well.
        (long.repeat(2).into_bytes(), 414, false),
    ] {
        let why = refused(&request).unwrap();
        assert_eq!((why.status.as_u16(), why.in_body), (status, is_in_body), "{}", request.escape_ascii());
    }
    assert_eq!(refused(&post(&"X: y\r\n".repeat(MAX_HEADER_LINES - 1), "")), None);
}

proptest! {
    #[test]
    fn framing_does_not_depend_on_the_pieces(
        parts in proptest::collection::vec(
            prop_oneof![
                Just("GET / HTTP/1.1\r\nHost: a\r\n".to_owned()), Just("\r\n".to_owned()), Just("\n".to_owned()),
                Just("Content-Length: 2\r\n".to_owned()), Just("Transfer-Encoding: chunked\r\n".to_owned()),
                Just("2\r\nab\r\n".to_owned()), Just("0\r\n".to_owned()), "[ -~\r\n]{0,8}",
            ],
            0..12,
        ),
        piece in 1_usize..9,
    ) {
        let bytes = parts.concat().into_bytes();
        let (passed, why) = followed(&bytes, bytes.len().max(1));
        let (passed_in_pieces, why_in_pieces) = followed(&bytes, piece);
        prop_assert_eq!(why, why_in_pieces);
        // In pieces some of a head has been passed on before it is refused, and never its end.
        prop_assert!(passed <= passed_in_pieces && passed_in_pieces <= bytes.len());
    }
}
