//! A caller's stream under watch: what is no request does not pass, and who is too slow is let go.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::StatusCode;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::config::Limits;
use super::framing::{Framing, Refused};
use super::pace::Pace;
use crate::logging::rejection::Cause;

/// How long a caller who was refused may take to read why.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How much of what such a caller still sends is taken in: a connection with unread bytes is reset, and the answer lost.
const LINGER_BYTES: u64 = 1 << 20;

const SLOW_HEAD: Refused = Refused {
    status: StatusCode::REQUEST_TIMEOUT,
    cause: Cause::SlowHead,
    reason: "the request's head did not arrive in time",
    in_body: false,
};

/// A stream that ends, for hyper, where something comes that is no request, or too slowly. Reading the body has timeouts
/// of its own, see `request`; so has waiting between requests, in hyper.
pub(super) struct Guarded<S> {
    stream: S,
    framing: Framing,
    /// Until when the head that is awaited must have come; runs while one is.
    head_timer: Pin<Box<Sleep>>,
    header_timeout: Duration,
    is_head_timed: bool,
    pace: Pace,
    /// Until when the peer must have taken more; runs while a write has to wait.
    write_timer: Pin<Box<Sleep>>,
    is_write_timed: bool,
    end: Option<End>,
}

/// Why a guarded stream ended before its peer said so.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    /// What came was refused; it is still to be answered, unless it is a body.
    Refused(Refused),
    /// Nothing came.
    Silent,
    /// The peer did not take its reply.
    NotTaken,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Guarded<S> {
    pub(super) fn new(stream: S, limits: &Limits) -> Self {
        Guarded {
            stream,
            framing: Framing::new(limits.header_size, limits.header_lines.get() as usize),
            head_timer: Box::pin(sleep(limits.header_timeout)),
            header_timeout: limits.header_timeout,
            // The first head is awaited from the beginning, the others from their first byte.
            is_head_timed: true,
            pace: Pace::new(limits),
            write_timer: Box::pin(sleep(limits.stall_timeout)),
            is_write_timed: false,
            end: None,
        }
    }

    /// Why it ended, if not its peer ended it.
    pub(super) fn end(&self) -> Option<End> {
        self.end
    }

    /// Tells the peer why its request is refused, and closes.
    pub(super) async fn refuse(mut self, refused: &Refused) {
        let (status, reason) = (refused.status, refused.reason);
        let length = reason.len() + 1;
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{reason}\n"
        );
        // Whoever does not take it has lost it.
        if let Ok(Ok(())) = timeout(LAST_WORDS, self.stream.write_all(answer.as_bytes())).await {
            self.close().await;
        }
    }

    /// Closes so that the peer can still read what was sent.
    pub(super) async fn close(mut self) {
        let closing = async {
            self.stream.shutdown().await?;
            tokio::io::copy(&mut self.stream.take(LINGER_BYTES), &mut tokio::io::sink()).await
        };
        // What goes wrong now harms nobody.
        let _ = timeout(LAST_WORDS, closing).await;
    }

    /// Takes note of bytes that have come; gives how many of them hyper may see.
    fn follow(&mut self, bytes: &[u8]) -> usize {
        match self.framing.follow(bytes) {
            Ok(()) => {
                if !self.framing.amid_head() {
                    self.is_head_timed = false;
                    // The reply to come is another one.
                    self.pace.restart();
                }
                bytes.len()
            }
            Err((pass, refused)) => {
                self.end = Some(End::Refused(refused));
                pass
            }
        }
    }

    /// Whether the head that is awaited is late.
    fn poll_late_head(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_head_timed {
            if !self.framing.amid_head() {
                return Poll::Pending;
            }
            self.is_head_timed = true;
            self.head_timer.as_mut().reset(Instant::now() + self.header_timeout);
        }
        self.head_timer.as_mut().poll(cx)
    }

    fn watch<T>(&mut self, cx: &mut Context<'_>, write: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if write.is_ready() {
            self.is_write_timed = false;
            return write;
        }
        if !self.is_write_timed {
            self.is_write_timed = true;
            let deadline = self.pace.deadline(Instant::now());
            self.write_timer.as_mut().reset(deadline);
        }
        ready!(self.write_timer.as_mut().poll(cx));
        self.end = Some(End::NotTaken);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not take its reply")))
    }

    fn watch_bytes(
        &mut self,
        cx: &mut Context<'_>,
        write: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = write {
            self.pace.count(bytes);
        }
        self.watch(cx, write)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.end.is_some() {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        if Pin::new(&mut this.stream).poll_read(cx, buffer)?.is_pending() {
            ready!(this.poll_late_head(cx));
            let is_silent = !this.framing.amid_head();
            this.end = Some(if is_silent { End::Silent } else { End::Refused(SLOW_HEAD) });
            return Poll::Ready(Ok(()));
        }
        let came = &buffer.filled()[before..];
        if !came.is_empty() {
            let pass = this.follow(came);
            buffer.set_filled(before + pass);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch_bytes(cx, write)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.watch_bytes(cx, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flush = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch(cx, flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shutdown = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watch(cx, shutdown)
    }
}
