//! Receives and unpacks the body of a request, within limits of size, memory and time.

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

use super::body_memory::{BodyMemory, OutOfBodyMemory, Reservation};
use super::config::Limits;
use super::transfer_rate::MinTransferRate;

/// The most that is allocated because a header announces it.
const MAX_ANNOUNCED: usize = 256 * 1024;
/// How long the rest of a rejected body is read, so that the client gets to read the response.
const LINGER_TIMEOUT: Duration = Duration::from_secs(2);
/// A body is unpacked in steps of so many bytes.
const STEP: usize = 64 * 1024;
/// Up to this unpacked size any gzip ratio is allowed.
const ANY_RATIO: usize = 1 << 20;

/// Why a body was not received.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("the request body is larger than the limit of {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the request body unpacks to more than {ratio} times its size, which no message does")]
    GzipRatio { ratio: u32 },
    #[error("the request body did not arrive in time")]
    TooSlow,
    #[error("the content encoding {0:?} is not known, expected gzip or none")]
    UnknownEncoding(String),
    #[error("the request body is not valid gzip: {0}")]
    BadGzip(std::io::Error),
    /// The client went away, or its chunks are broken.
    #[error("the request body is broken: {0}")]
    Broken(hyper::Error),
    #[error("the host has too many request bodies in memory, try again in a few seconds")]
    OutOfMemory,
}

impl From<OutOfBodyMemory> for BodyError {
    fn from(_: OutOfBodyMemory) -> Self {
        BodyError::OutOfMemory
    }
}

/// Receives a body and unpacks it. Its memory is reserved until the last part of it is dropped.
pub(super) async fn receive(
    headers: &HeaderMap,
    body: &mut Incoming,
    limits: &Limits,
    memory: &BodyMemory,
) -> Result<Bytes, BodyError> {
    let packed = is_packed(headers)?;
    let mut reservation = memory.reserve();
    let bytes = receive_packed(body, limits, &mut reservation).await?;
    if !packed {
        return Ok(reservation.attach(bytes));
    }
    let (max, ratio, mut unpacked_reservation) = (limits.body, limits.gzip_ratio.get(), memory.reserve());
    let unpack = move || {
        let unpacked = gunzip(&bytes, max, ratio, &mut unpacked_reservation)?;
        drop(reservation);
        Ok(unpacked_reservation.attach(unpacked))
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
    body: &mut Incoming,
    limits: &Limits,
    reservation: &mut Reservation,
) -> Result<Bytes, BodyError> {
    let announced = body.size_hint().lower();
    if announced > limits.body as u64 {
        return Err(BodyError::TooLarge { limit: limits.body });
    }
    // A body that comes in one piece is not copied.
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    let mut rate = MinTransferRate::new(limits);
    let last_deadline = Instant::now() + limits.body_timeout;
    loop {
        let deadline = rate.deadline(Instant::now()).min(last_deadline);
        let frame = match timeout_at(deadline, body.frame()).await {
            Err(_) => return Err(BodyError::TooSlow),
            Ok(None) => break,
            Ok(Some(frame)) => frame.map_err(BodyError::Broken)?,
        };
        // Trailers are ignored.
        let Ok(piece) = frame.into_data() else { continue };
        rate.count(piece.len());
        let length = first.len() + all.len() + piece.len();
        if length > limits.body {
            return Err(BodyError::TooLarge { limit: limits.body });
        }
        reservation.grow_to(length)?;
        if first.is_empty() && all.is_empty() {
            first = piece;
        } else {
            if all.is_empty() {
                let expected = usize::try_from(announced).unwrap_or(0).min(MAX_ANNOUNCED);
                all.reserve(expected.max(first.len() + piece.len()));
                all.extend_from_slice(&first);
                first = Bytes::new();
            }
            all.extend_from_slice(&piece);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// Reads and drops the rest of a rejected body for a short while (lingering close): a client that is still sending would
/// otherwise see a closed connection instead of the response. One that sent `Expect: 100-continue` sends no body.
pub(super) async fn linger(headers: &HeaderMap, body: &mut Incoming) {
    if headers.contains_key(EXPECT) {
        return;
    }
    let rest = async { while let Some(Ok(_)) = body.frame().await {} };
    let _ = timeout(LINGER_TIMEOUT, rest).await;
}

/// Unpacks step by step, so that nothing grows beyond what is allowed.
fn gunzip(packed: &[u8], max: usize, ratio: u32, reservation: &mut Reservation) -> Result<Bytes, BodyError> {
    let by_ratio = packed.len().saturating_mul(ratio as usize).max(ANY_RATIO);
    let mut unpacked = Vec::with_capacity(packed.len().saturating_mul(4).min(max).min(MAX_ANNOUNCED));
    let mut decoder = MultiGzDecoder::new(packed);
    loop {
        let step = (&mut decoder).take(STEP as u64).read_to_end(&mut unpacked);
        if step.map_err(BodyError::BadGzip)? == 0 {
            return Ok(unpacked.into());
        }
        if unpacked.len() > max {
            return Err(BodyError::TooLarge { limit: max });
        }
        if unpacked.len() > by_ratio {
            return Err(BodyError::GzipRatio { ratio });
        }
        reservation.grow_to(unpacked.len())?;
    }
}

#[cfg(test)]
mod tests {
    //! See `tests/http` for the rest: bodies come from sockets.

    use std::io::Write;

    use super::*;

    #[test]
    fn gunzip_stops_at_its_limits() {
        let gzip = |bytes: &[u8]| {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            packer.write_all(bytes).unwrap();
            packer.finish().unwrap()
        };
        let memory = BodyMemory::new(4 << 20);
        let unpack = |packed: &[u8], max, ratio| gunzip(packed, max, ratio, &mut memory.reserve());
        let packed = gzip(&vec![b' '; 10_000]);
        assert_eq!(unpack(&packed, 10_000, 1).unwrap().len(), 10_000);
        assert!(matches!(unpack(&packed, 9_999, 1), Err(BodyError::TooLarge { limit: 9_999 })));
        assert!(matches!(unpack(&packed[..20], 10_000, 1), Err(BodyError::BadGzip(_))));
        let bomb = gzip(&vec![0; 3 << 20]);
        assert!(matches!(unpack(&bomb, 16 << 20, 100), Err(BodyError::GzipRatio { ratio: 100 })));
        assert_eq!(unpack(&bomb, 16 << 20, 2000).unwrap().len(), 3 << 20);
        let two = [gzip(&vec![0; 3 << 20]), gzip(&vec![0; 3 << 20])].concat();
        assert!(matches!(unpack(&two, 16 << 20, 2000), Err(BodyError::OutOfMemory)));
    }
}
