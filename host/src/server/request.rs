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
use tokio::time::{Instant, timeout, timeout_at};

use super::body_budget::{BodyBudget, Share, UsedUp};
use super::config::Limits;
use super::pace::Pace;

/// How much room is made beforehand on the word of a header.
const ROOM_ON_TRUST: usize = 256 * 1024;
/// How long the rest of a body that is not wanted is taken in, so that the client comes to read why.
const LINGER: Duration = Duration::from_secs(2);
/// A body is unpacked in steps of so many bytes.
const STEP: usize = 64 * 1024;
/// Up to this size a body may be packed as well as it likes: spaces and zeros do no harm there.
const ANY_RATIO: usize = 1 << 20;

/// Why a body was not received.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("the request body is larger than the limit of {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the request body unpacks to more than {ratio} times its size, which no message does")]
    PackedTooWell { ratio: u32 },
    #[error("the request body did not arrive in time")]
    Stalled,
    #[error("the content encoding {0:?} is not known, expected gzip or none")]
    UnknownEncoding(String),
    #[error("the request body is not valid gzip: {0}")]
    BadGzip(std::io::Error),
    /// The client went away, or its chunks are broken.
    #[error("the request body is broken: {0}")]
    Broken(hyper::Error),
    #[error("the host has too many request bodies in memory, try again in a few seconds")]
    UsedUp,
}

impl From<UsedUp> for BodyError {
    fn from(_: UsedUp) -> Self {
        BodyError::UsedUp
    }
}

/// Receives a body and unpacks it. For as long as any piece of it is kept, it counts in the budget.
pub(super) async fn receive(
    headers: &HeaderMap,
    body: Incoming,
    limits: &Limits,
    budget: &BodyBudget,
) -> Result<Bytes, BodyError> {
    let packed = is_packed(headers)?;
    let mut share = budget.share();
    let bytes = receive_packed(headers, body, limits, &mut share).await?;
    if !packed {
        return Ok(share.keep(bytes));
    }
    let (most, ratio, mut unpacked_share) = (limits.body, limits.gzip_ratio.get(), budget.share());
    let unpack = move || {
        let unpacked = gunzip(&bytes, most, ratio, &mut unpacked_share)?;
        drop(share);
        Ok(unpacked_share.keep(unpacked))
    };
    match spawn_blocking(unpack).await {
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
    share: &mut Share,
) -> Result<Bytes, BodyError> {
    let announced = body.size_hint().lower();
    if announced > limits.body as u64 {
        linger(headers, body).await;
        return Err(BodyError::TooLarge { limit: limits.body });
    }
    // A body that comes in one piece is taken as it is.
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    let mut pace = Pace::new(limits);
    let at_last = Instant::now() + limits.body_timeout;
    loop {
        let deadline = pace.deadline(Instant::now()).min(at_last);
        let frame = match timeout_at(deadline, body.frame()).await {
            Err(_) => return Err(BodyError::Stalled),
            Ok(None) => break,
            Ok(Some(frame)) => frame.map_err(BodyError::Broken)?,
        };
        // Trailers say nothing to us.
        let Ok(piece) = frame.into_data() else { continue };
        pace.count(piece.len());
        let length = first.len() + all.len() + piece.len();
        let refused = match share.grow_to(length) {
            _ if length > limits.body => Some(BodyError::TooLarge { limit: limits.body }),
            Err(used_up) => Some(used_up.into()),
            Ok(()) => None,
        };
        if let Some(refused) = refused {
            // What is refused takes no more room.
            drop((first, all));
            share.give_back();
            linger(headers, body).await;
            return Err(refused);
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

/// Unpacks step by step, so that nothing grows beyond what is allowed.
fn gunzip(packed: &[u8], most: usize, ratio: u32, share: &mut Share) -> Result<Bytes, BodyError> {
    let by_ratio = packed.len().saturating_mul(ratio as usize).max(ANY_RATIO);
    let mut unpacked = Vec::with_capacity(packed.len().saturating_mul(4).min(most).min(ROOM_ON_TRUST));
    let mut decoder = MultiGzDecoder::new(packed);
    loop {
        let step = (&mut decoder).take(STEP as u64).read_to_end(&mut unpacked);
        if step.map_err(BodyError::BadGzip)? == 0 {
            return Ok(unpacked.into());
        }
        if unpacked.len() > most {
            return Err(BodyError::TooLarge { limit: most });
        }
        if unpacked.len() > by_ratio {
            return Err(BodyError::PackedTooWell { ratio });
        }
        share.grow_to(unpacked.len())?;
    }
}

#[cfg(test)]
mod tests {
    //! See `tests/http` for the rest: bodies come from sockets.

    use std::io::Write;

    use super::*;

    #[test]
    fn gzip_is_capped_while_it_is_unpacked() {
        let gzip = |bytes: &[u8]| {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            packer.write_all(bytes).unwrap();
            packer.finish().unwrap()
        };
        let budget = BodyBudget::new(4 << 20);
        let unpack = |packed: &[u8], most, ratio| gunzip(packed, most, ratio, &mut budget.share());
        let packed = gzip(&vec![b' '; 10_000]);
        assert_eq!(unpack(&packed, 10_000, 1).unwrap().len(), 10_000);
        assert!(matches!(unpack(&packed, 9_999, 1), Err(BodyError::TooLarge { limit: 9_999 })));
        assert!(matches!(unpack(&packed[..20], 10_000, 1), Err(BodyError::BadGzip(_))));
        let bomb = gzip(&vec![0; 3 << 20]);
        assert!(matches!(unpack(&bomb, 16 << 20, 100), Err(BodyError::PackedTooWell { ratio: 100 })));
        assert_eq!(unpack(&bomb, 16 << 20, 2000).unwrap().len(), 3 << 20);
        let two = [gzip(&vec![0; 3 << 20]), gzip(&vec![0; 3 << 20])].concat();
        assert!(matches!(unpack(&two, 16 << 20, 2000), Err(BodyError::UsedUp)));
    }
}
