//! Receives and unpacks the body of a request, within limits of size, room and time.

use std::io::{self, Read};
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_ENCODING, EXPECT};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout, timeout_at};

use super::body_spool::{BodyReader, BodySpool, BodySpoolError, CompleteBody, PartialBody};
use super::config::Limits;
use super::transfer_rate::MinTransferRate;
use erp_host_spool::SpoolError;

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
    BadGzip(io::Error),
    /// The client went away, or its chunks are broken.
    #[error("the request body is broken: {}", with_cause(.0))]
    Broken(hyper::Error),
    #[error("the host has no room for another request body, try again in a few seconds")]
    NoRoom(#[from] BodySpoolError),
}

/// An error of hyper, whose own text leaves out the cause.
fn with_cause(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

impl From<SpoolError> for BodyError {
    fn from(error: SpoolError) -> Self {
        BodyError::NoRoom(error.into())
    }
}

/// A body that has arrived, as it was sent.
pub(super) struct ReceivedBody {
    body: CompleteBody,
    is_packed: bool,
}

/// Receives a body of this peer.
pub(super) async fn receive(
    headers: &HeaderMap,
    body: &mut Incoming,
    limits: &Limits,
    spool: &BodySpool,
    peer: IpAddr,
) -> Result<ReceivedBody, BodyError> {
    let is_packed = is_packed(headers)?;
    let max = max_body(limits);
    let announced = body.size_hint().lower();
    if announced > max as u64 {
        return Err(BodyError::TooLarge { limit: max });
    }
    let expected = body.size_hint().exact().and_then(|length| usize::try_from(length).ok()).unwrap_or(max);
    let body = receive_packed(body, limits, spool.begin(peer, expected)).await?;
    Ok(ReceivedBody { body, is_packed })
}

/// A body has to fit into memory when it is complete.
fn max_body(limits: &Limits) -> usize {
    limits.body.min(limits.total_body_memory)
}

impl ReceivedBody {
    /// Unpacks the body if necessary, and loads it into memory.
    pub(super) async fn load(
        self,
        limits: &Limits,
        spool: &BodySpool,
        peer: IpAddr,
    ) -> Result<Bytes, BodyError> {
        if !self.is_packed {
            return Ok(self.body.load().await?);
        }
        let (max, ratio) = (max_body(limits), limits.gzip_ratio.get());
        let unpacked = spool.begin(peer, max);
        let unpack = move || {
            let packed = self.body.len();
            gunzip(self.body.into_reader().map_err(BodySpoolError::from)?, packed, max, ratio, unpacked)
        };
        let unpacked =
            spawn_blocking(unpack).await.map_err(|error| BodyError::BadGzip(io::Error::other(error)))?;
        Ok(unpacked?.load().await?)
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
    mut partial: PartialBody,
) -> Result<CompleteBody, BodyError> {
    let mut rate = MinTransferRate::new(limits);
    let last_deadline = Instant::now() + limits.body_timeout;
    loop {
        let deadline = rate.deadline(Instant::now()).min(last_deadline);
        let frame = match timeout_at(deadline, body.frame()).await {
            Err(_) => return Err(BodyError::TooSlow),
            Ok(None) => return Ok(partial.finish()),
            Ok(Some(frame)) => frame.map_err(BodyError::Broken)?,
        };
        // Trailers are ignored.
        let Ok(piece) = frame.into_data() else { continue };
        rate.count(piece.len(), Instant::now());
        let limit = max_body(limits);
        if partial.len() + piece.len() > limit {
            return Err(BodyError::TooLarge { limit });
        }
        if body.is_end_stream() && partial.has_memory_for(&piece) {
            return Ok(partial.finish_with(piece));
        }
        if !partial.append(&piece) {
            // To the disk, off the I/O threads.
            let write = move || partial.write(&piece);
            partial =
                spawn_blocking(write).await.map_err(|error| SpoolError::Disk(io::Error::other(error)))??;
        }
    }
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

/// Unpacks step by step, so that nothing grows beyond what is allowed. `packed`: the size of what is read.
fn gunzip(
    reader: BodyReader,
    packed: usize,
    max: usize,
    ratio: u32,
    mut unpacked: PartialBody,
) -> Result<CompleteBody, BodyError> {
    let by_ratio = packed.saturating_mul(ratio as usize).max(ANY_RATIO);
    let mut decoder = MultiGzDecoder::new(io::BufReader::with_capacity(STEP, reader));
    let mut step = vec![0; STEP];
    loop {
        let length = decoder.read(&mut step).map_err(BodyError::BadGzip)?;
        if length == 0 {
            return Ok(unpacked.finish());
        }
        if unpacked.len() + length > max {
            return Err(BodyError::TooLarge { limit: max });
        }
        if unpacked.len() + length > by_ratio {
            return Err(BodyError::GzipRatio { ratio });
        }
        if !unpacked.append(&step[..length]) {
            unpacked = unpacked.write(&step[..length])?;
        }
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
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits { total_body_memory: 4 << 20, total_body_spool: 8 << 20, ..Limits::default() };
        let spool = BodySpool::new(&limits, folder.path());
        let peer = [192, 0, 2, 1].into();
        let unpack = |packed: &[u8], max, ratio| {
            let body = spool.begin(peer, 0).finish_with(packed.to_vec().into());
            gunzip(body.into_reader().unwrap(), packed.len(), max, ratio, spool.begin(peer, max))
        };
        let packed = gzip(&vec![b' '; 10_000]);
        assert_eq!(unpack(&packed, 10_000, 1).unwrap().len(), 10_000);
        assert!(matches!(unpack(&packed, 9_999, 1), Err(BodyError::TooLarge { limit: 9_999 })));
        assert!(matches!(unpack(&packed[..20], 10_000, 1), Err(BodyError::BadGzip(_))));
        let bomb = gzip(&vec![0; 3 << 20]);
        assert!(matches!(unpack(&bomb, 16 << 20, 100), Err(BodyError::GzipRatio { ratio: 100 })));
        assert_eq!(unpack(&bomb, 16 << 20, 2000).unwrap().len(), 3 << 20);
        let two = [gzip(&vec![0; 3 << 20]), gzip(&vec![0; 3 << 20])].concat();
        assert!(matches!(unpack(&two, 16 << 20, 2000), Err(BodyError::NoRoom(_))));
    }
}
