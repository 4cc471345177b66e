//! Receiving the body of a request, within limits of size and time.

use std::io::Read;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_ENCODING, EXPECT};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::config::Limits;

/// A peer that always sends a little is cut off after this many times the patience with one that sends nothing.
const PATIENCE_IN_ALL: u32 = 10;
/// How much room is made beforehand on the word of a header.
const ROOM_ON_TRUST: usize = 256 * 1024;
/// How long the rest of a body that is not wanted is taken in, so that the client comes to read why.
const LINGER: Duration = Duration::from_secs(2);

/// Why a body was not received.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("the request body is larger than the limit of {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the request body did not arrive in time")]
    Stalled,
    #[error("the content encoding {0:?} is not known, expected gzip or none")]
    UnknownEncoding(String),
    #[error("the request body is not valid gzip: {0}")]
    BadGzip(std::io::Error),
    /// The client went away, or its chunks are broken.
    #[error("the request body is broken: {0}")]
    Broken(hyper::Error),
}

/// Receives a body and unpacks it.
pub(super) async fn receive(
    headers: &HeaderMap,
    body: Incoming,
    limits: &Limits,
) -> Result<Bytes, BodyError> {
    let packed = is_packed(headers)?;
    let in_all = limits.stall_timeout.saturating_mul(PATIENCE_IN_ALL);
    let received = timeout(in_all, receive_packed(headers, body, limits)).await;
    let bytes = received.unwrap_or(Err(BodyError::Stalled))?;
    if !packed {
        return Ok(bytes);
    }
    let limit = limits.body;
    match spawn_blocking(move || gunzip(&bytes, limit)).await {
        Ok(unpacked) => unpacked,
        Err(error) => Err(BodyError::BadGzip(std::io::Error::other(error))),
    }
}

/// Whether the body is gzip.
fn is_packed(headers: &HeaderMap) -> Result<bool, BodyError> {
    let mut packed = false;
    for coding in headers.get_all(CONTENT_ENCODING) {
        let coding = String::from_utf8_lossy(coding.as_bytes());
        match coding.trim() {
            "" => {}
            name if name.eq_ignore_ascii_case("identity") => {}
            name if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => {
                // Packed twice is nothing that a SOAP client does.
                if packed {
                    return Err(BodyError::UnknownEncoding("gzip, gzip".to_owned()));
                }
                packed = true;
            }
            name => return Err(BodyError::UnknownEncoding(name.to_owned())),
        }
    }
    Ok(packed)
}

async fn receive_packed(
    headers: &HeaderMap,
    mut body: Incoming,
    limits: &Limits,
) -> Result<Bytes, BodyError> {
    let announced = body.size_hint().lower();
    if announced > limits.body as u64 {
        linger(headers, body).await;
        return Err(BodyError::TooLarge { limit: limits.body });
    }
    // A body that comes in one piece is taken as it is.
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    loop {
        let frame = match timeout(limits.stall_timeout, body.frame()).await {
            Err(_) => return Err(BodyError::Stalled),
            Ok(None) => break,
            Ok(Some(frame)) => frame.map_err(BodyError::Broken)?,
        };
        // Trailers say nothing to us.
        let Ok(piece) = frame.into_data() else { continue };
        if first.len() + all.len() + piece.len() > limits.body {
            linger(headers, body).await;
            return Err(BodyError::TooLarge { limit: limits.body });
        }
        if first.is_empty() && all.is_empty() {
            first = piece;
        } else {
            if all.is_empty() {
                let expected = usize::try_from(announced).unwrap_or(0).min(ROOM_ON_TRUST);
                all.reserve(expected.max(first.len() + piece.len()));
                all.extend_from_slice(&first);
                first = Bytes::new();
            }
            all.extend_from_slice(&piece);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// Takes in the rest of a body for a short while: a client that is still sending would otherwise meet a closed
/// connection instead of the reply. One that asked first does not send.
pub(super) async fn linger(headers: &HeaderMap, mut body: Incoming) {
    if headers.contains_key(EXPECT) {
        return;
    }
    let rest = async { while let Some(Ok(_)) = body.frame().await {} };
    let _ = timeout(LINGER, rest).await;
}

fn gunzip(packed: &[u8], limit: usize) -> Result<Bytes, BodyError> {
    let mut unpacked = Vec::with_capacity(packed.len().saturating_mul(4).min(limit));
    // One byte more than allowed tells that there is more.
    let read = MultiGzDecoder::new(packed).take(limit as u64 + 1).read_to_end(&mut unpacked);
    read.map_err(BodyError::BadGzip)?;
    if unpacked.len() > limit { Err(BodyError::TooLarge { limit }) } else { Ok(unpacked.into()) }
}

#[cfg(test)]
mod tests {
    //! See `server/tests.rs` for the rest: bodies come from sockets.

    use super::*;

    #[test]
    fn gzip_is_capped_after_unpacking() {
        use std::io::Write;
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(&vec![b' '; 10_000]).unwrap();
        let packed = packer.finish().unwrap();
        assert_eq!(gunzip(&packed, 10_000).unwrap().len(), 10_000);
        assert!(matches!(gunzip(&packed, 9_999), Err(BodyError::TooLarge { limit: 9_999 })));
        assert!(matches!(gunzip(&packed[..20], 10_000), Err(BodyError::BadGzip(_))));
    }
}
