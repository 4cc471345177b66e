//! Response bodies: from memory or from a file, with gzip where the client accepts it.

use std::future::Future;
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::HeaderMap;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::ACCEPT_ENCODING;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::router::SpooledReply;

/// Replies below this size are not compressed.
const MIN_GZIP: u64 = 1024;

/// A body on its way to the client.
pub(super) enum ReplyBody {
    /// Everything is in memory.
    Whole(SpooledReply),
    /// A file: one block at a time is in memory, and the next one is being read.
    Blocks {
        /// Bytes to come, unless they are packed.
        left: Option<u64>,
        next: JoinHandle<io::Result<(Blocks, Bytes)>>,
    },
    /// A file that has been sent.
    End,
}

/// A reply as a run of blocks, packed or not. Works on files: never to be called on an I/O thread.
pub(super) struct Blocks {
    reply: SpooledReply,
    packer: Option<GzEncoder<Vec<u8>>>,
}

impl ReplyBody {
    pub(super) fn whole(bytes: impl Into<Bytes>) -> Self {
        ReplyBody::Whole(SpooledReply::in_memory(bytes))
    }

    /// The body of a reply, and whether it is packed. `pack`: the client takes packed bodies. `chunks`: it takes
    /// bodies of unknown length.
    pub(super) async fn new(reply: SpooledReply, pack: bool, chunks: bool) -> io::Result<(Self, bool)> {
        let pack = pack && reply.len() >= MIN_GZIP;
        if reply.is_in_file() {
            let pack = pack && chunks;
            let left = (!pack).then(|| reply.len());
            let packer = pack.then(|| GzEncoder::new(Vec::new(), Compression::fast()));
            return Ok((ReplyBody::Blocks { left, next: Blocks { reply, packer }.read() }, pack));
        }
        if pack {
            let packed = spawn_blocking(move || gzip(reply)).await.map_err(io::Error::other)??;
            return Ok((ReplyBody::whole(packed), true));
        }
        Ok((ReplyBody::Whole(reply), false))
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let body = &mut *self;
        match body {
            ReplyBody::Whole(reply) => {
                let block = reply.next_block().map(Frame::data);
                Poll::Ready(Some(block).filter(|block| !block.as_ref().is_ok_and(is_empty)))
            }
            ReplyBody::End => Poll::Ready(None),
            ReplyBody::Blocks { left, next } => {
                let read = ready!(Pin::new(&mut *next).poll(cx)).map_err(io::Error::other).flatten();
                match read {
                    Ok((_, block)) if block.is_empty() => {
                        *body = ReplyBody::End;
                        Poll::Ready(None)
                    }
                    Ok((blocks, block)) => {
                        // The next block is read while this one is sent.
                        *next = blocks.read();
                        *left = left.map(|left| left.saturating_sub(block.len() as u64));
                        Poll::Ready(Some(Ok(Frame::data(block))))
                    }
                    Err(error) => {
                        tracing::error!(%error, "a reply could not be read back from its file");
                        *body = ReplyBody::End;
                        Poll::Ready(Some(Err(error)))
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            ReplyBody::Whole(reply) => reply.is_empty(),
            ReplyBody::Blocks { .. } => false,
            ReplyBody::End => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            ReplyBody::Whole(reply) => SizeHint::with_exact(reply.len()),
            ReplyBody::End => SizeHint::with_exact(0),
            ReplyBody::Blocks { left: Some(left), .. } => SizeHint::with_exact(*left),
            ReplyBody::Blocks { left: None, .. } => SizeHint::default(),
        }
    }
}

impl Blocks {
    /// Reads the next block off the I/O threads; an empty one is the end.
    fn read(mut self) -> JoinHandle<io::Result<(Blocks, Bytes)>> {
        spawn_blocking(move || {
            let block = self.next()?;
            Ok((self, block))
        })
    }

    fn next(&mut self) -> io::Result<Bytes> {
        loop {
            let block = self.reply.next_block()?;
            let Some(packer) = &mut self.packer else { return Ok(block) };
            if block.is_empty() {
                return match self.packer.take() {
                    Some(packer) => packer.finish().map(Bytes::from),
                    None => Ok(block),
                };
            }
            packer.write_all(&block)?;
            // A block that packs well may leave nothing to send yet.
            if !packer.get_ref().is_empty() {
                return Ok(std::mem::take(packer.get_mut()).into());
            }
        }
    }
}

/// Packs a reply that is in memory.
fn gzip(mut reply: SpooledReply) -> io::Result<Vec<u8>> {
    let mut packer = GzEncoder::new(Vec::with_capacity(4096), Compression::fast());
    loop {
        let block = reply.next_block()?;
        if block.is_empty() {
            return packer.finish();
        }
        packer.write_all(&block)?;
    }
}

fn is_empty(frame: &Frame<Bytes>) -> bool {
    frame.data_ref().is_none_or(Bytes::is_empty)
}

/// Whether the client accepts gzip: only if it names it, with a weight above zero.
pub(super) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let items = headers.get_all(ACCEPT_ENCODING).iter().flat_map(|header| {
        header.to_str().unwrap_or_default().split(',').map(|item| item.split_once(';').unwrap_or((item, "")))
    });
    let is_gzip = |coding: &str| ["gzip", "x-gzip"].iter().any(|name| coding.eq_ignore_ascii_case(name));
    let mut gzip = items.filter(|(coding, _)| is_gzip(coding.trim()));
    gzip.next().is_some_and(|(_, parameters)| weight(parameters) > 0.0)
}

/// The `q` of an item; 1 when it has none, and 0 when it is no number.
fn weight(parameters: &str) -> f32 {
    let q = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then_some(value)
    });
    q.map_or(1.0, |value| value.trim().parse().unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_gzip_only_if_it_is_named() {
        for (accepted, gzip) in [
            (vec!["gzip"], true),
            (vec!["deflate", "x-gzip;q=0.1"], true),
            (vec!["br;q=1.0, gzip;q=0.8, *;q=0.1"], true),
            (vec!["*"], false),
            (vec!["gzip;q=0"], false),
            (vec!["gzip; Q=0.000"], false),
            (vec!["gzip;q=none"], false),
            (vec!["gzipped"], false),
            (vec![], false),
        ] {
            let mut headers = HeaderMap::new();
            for value in &accepted {
                headers.append(ACCEPT_ENCODING, hyper::header::HeaderValue::from_static(value));
            }
            assert_eq!(accepts_gzip(&headers), gzip, "{accepted:?}");
        }
    }
}
