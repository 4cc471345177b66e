//! Response bodies: from memory or from a file.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::ACCEPT_ENCODING;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{JoinHandle, spawn_blocking};

use erp_host_router::SpooledReply;

/// A body on its way to the client.
pub(super) enum ReplyBody {
    /// Everything is in memory.
    Whole(SpooledReply),
    /// A file: one block at a time is in memory, until it is sent.
    File {
        /// Bytes to come.
        left: u64,
        next: NextBlock,
    },
    /// A file that has been sent.
    End,
}

/// Where the next block of a file is.
pub(super) enum NextBlock {
    /// It is read once the block before is sent.
    After {
        sent: oneshot::Receiver<()>,
        reply: Option<SpooledReply>,
    },
    Reading(JoinHandle<io::Result<(SpooledReply, Bytes)>>),
}

/// A block on its way. Dropping it, when it is sent, ends the wait for it.
struct BlockOnItsWay {
    block: Bytes,
    _sent: oneshot::Sender<()>,
}

impl AsRef<[u8]> for BlockOnItsWay {
    fn as_ref(&self) -> &[u8] {
        &self.block
    }
}

impl ReplyBody {
    pub(super) fn whole(bytes: impl Into<Bytes>) -> Self {
        ReplyBody::Whole(SpooledReply::in_memory(bytes))
    }

    /// The body of a reply.
    pub(super) fn new(reply: SpooledReply) -> Self {
        if reply.is_in_file() {
            ReplyBody::File { left: reply.len(), next: NextBlock::read(reply) }
        } else {
            ReplyBody::Whole(reply)
        }
    }
}

/// How many blocks are read at once: a thread for each of many readers would take more memory than the blocks.
static READERS: Semaphore = Semaphore::const_new(16);

impl NextBlock {
    /// Reads the next block off the I/O threads; an empty one is the end.
    fn read(mut reply: SpooledReply) -> Self {
        NextBlock::Reading(tokio::spawn(async move {
            // It is never closed.
            let _permit = READERS.acquire().await;
            let read = spawn_blocking(move || {
                let block = reply.next_block()?;
                Ok((reply, block))
            });
            read.await.map_err(io::Error::other).flatten()
        }))
    }

    /// The next block, once the one before is sent: a slow client has one block in memory, whatever hyper would buffer.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        loop {
            match self {
                NextBlock::After { sent, reply } => {
                    // An error means that the sender is dropped.
                    let _ = ready!(Pin::new(sent).poll(cx));
                    let Some(reply) = reply.take() else { return Poll::Ready(Ok(Bytes::new())) };
                    *self = NextBlock::read(reply);
                }
                NextBlock::Reading(read) => {
                    let (reply, block) =
                        ready!(Pin::new(read).poll(cx)).map_err(io::Error::other).flatten()?;
                    let (sender, sent) = oneshot::channel();
                    *self = NextBlock::After { sent, reply: Some(reply) };
                    if block.is_empty() {
                        return Poll::Ready(Ok(block));
                    }
                    return Poll::Ready(Ok(Bytes::from_owner(BlockOnItsWay { block, _sent: sender })));
                }
            }
        }
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
            ReplyBody::File { left, next } => match ready!(next.poll(cx)) {
                Ok(block) if block.is_empty() => {
                    *body = ReplyBody::End;
                    Poll::Ready(None)
                }
                Ok(block) => {
                    *left = left.saturating_sub(block.len() as u64);
                    if *left == 0 {
                        *body = ReplyBody::End;
                    }
                    Poll::Ready(Some(Ok(Frame::data(block))))
                }
                Err(error) => {
                    tracing::error!(%error, "a reply could not be read back from its file");
                    *body = ReplyBody::End;
                    Poll::Ready(Some(Err(error)))
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            ReplyBody::Whole(reply) => reply.is_empty(),
            ReplyBody::File { .. } => false,
            ReplyBody::End => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            ReplyBody::Whole(reply) => SizeHint::with_exact(reply.len()),
            ReplyBody::End => SizeHint::with_exact(0),
            ReplyBody::File { left, .. } => SizeHint::with_exact(*left),
        }
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
