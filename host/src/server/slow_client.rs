//! Slow-client protection (against slowloris): a stream that ends when its client sends a head, or takes a reply, too slowly. It also checks
//! `framing`. Request bodies have their own timeouts in `request_body`; hyper has the one between requests.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::StatusCode;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::config::Limits;
use super::framing::{Framing, FramingError};
use super::rejection::Rejection;
use super::transfer_rate::MinTransferRate;
use erp_host_router::rejection::Cause;

/// How long closing may take (lingering close): the time a client has to read the last response.
const LINGER_TIMEOUT: Duration = Duration::from_secs(2);
/// How much of what a client still sends is read meanwhile: a connection with unread bytes is reset, and the response lost.
const LINGER_BYTES: u64 = 1 << 20;

const SLOW_HEAD: FramingError = FramingError {
    status: StatusCode::REQUEST_TIMEOUT,
    cause: Cause::SlowHead,
    reason: "the request's head did not arrive in time",
    in_body: false,
};

/// A stream that ends, as hyper sees it, where the peer is too slow or sends something that is not a request.
pub(super) struct SlowClientStream<S> {
    stream: S,
    framing: Framing,
    /// The deadline of the head that is being received.
    head_timer: Pin<Box<Sleep>>,
    header_timeout: Duration,
    is_head_timed: bool,
    rate: MinTransferRate,
    /// The requests that have begun.
    requests: u64,
    /// The deadline of a write that has to wait.
    write_timer: Pin<Box<Sleep>>,
    is_write_timed: bool,
    end: Option<StreamEnd>,
    /// For the endpoint, which reads a body that ends early and answers.
    framing_error: Arc<OnceLock<FramingError>>,
}

/// Why the stream ended before the peer closed it.
#[derive(Debug, Clone, Copy)]
pub(super) enum StreamEnd {
    /// The peer sent something that is not a request, or its head too slowly.
    Rejected(FramingError),
    /// No request came.
    Idle,
    /// The peer takes its reply too slowly.
    SlowReader,
}

impl<S: AsyncRead + AsyncWrite + Unpin> SlowClientStream<S> {
    pub(super) fn new(
        stream: S,
        limits: &Limits,
        header_timeout: Duration,
        framing_error: Arc<OnceLock<FramingError>>,
    ) -> Self {
        SlowClientStream {
            stream,
            framing: Framing::new(limits.header_size, limits.header_lines.get() as usize),
            head_timer: Box::pin(sleep(header_timeout)),
            header_timeout,
            // For the first request from the beginning of the connection, for others from their first byte.
            is_head_timed: true,
            rate: MinTransferRate::new(limits),
            requests: 0,
            write_timer: Box::pin(sleep(limits.stall_timeout)),
            is_write_timed: false,
            end: None,
            framing_error,
        }
    }

    /// Why it ended; `None`: the peer closed it.
    pub(super) fn end(&self) -> Option<StreamEnd> {
        self.end
    }

    /// Answers with a rejection and closes.
    pub(super) async fn answer_and_close(mut self, rejection: &Rejection) {
        let response = rejection.to_http1();
        if let Ok(Ok(())) = timeout(LINGER_TIMEOUT, self.stream.write_all(response.as_bytes())).await {
            self.close().await;
        }
    }

    /// Closes so that the peer can still read what was sent (lingering close).
    pub(super) async fn close(mut self) {
        let closing = async {
            self.stream.shutdown().await?;
            tokio::io::copy(&mut self.stream.take(LINGER_BYTES), &mut tokio::io::sink()).await
        };
        // An error no longer matters.
        let _ = timeout(LINGER_TIMEOUT, closing).await;
    }

    /// Checks bytes that have come; returns how many of them hyper may see.
    fn follow(&mut self, bytes: &[u8]) -> usize {
        match self.framing.follow(bytes) {
            Ok(()) => {
                if !self.framing.is_in_head() {
                    self.is_head_timed = false;
                }
                if self.framing.requests() > self.requests {
                    self.requests = self.framing.requests();
                    // The next reply is a new transfer.
                    self.rate.restart();
                }
                bytes.len()
            }
            Err((pass, error)) => {
                self.end = Some(StreamEnd::Rejected(error));
                let _ = self.framing_error.set(error);
                pass
            }
        }
    }

    /// Ready when the head has not come in time.
    fn poll_head_timeout(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_head_timed {
            if !self.framing.is_in_head() {
                return Poll::Pending;
            }
            self.is_head_timed = true;
            self.head_timer.as_mut().reset(Instant::now() + self.header_timeout);
        }
        self.head_timer.as_mut().poll(cx)
    }

    /// Limits the time that a write may wait for the peer.
    fn limit_write<T>(&mut self, cx: &mut Context<'_>, write: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if write.is_ready() {
            self.is_write_timed = false;
            return write;
        }
        if !self.is_write_timed {
            self.is_write_timed = true;
            let deadline = self.rate.deadline(Instant::now());
            self.write_timer.as_mut().reset(deadline);
        }
        ready!(self.write_timer.as_mut().poll(cx));
        self.end = Some(StreamEnd::SlowReader);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not take its reply")))
    }

    fn limit_write_of_bytes(
        &mut self,
        cx: &mut Context<'_>,
        write: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = write {
            self.rate.count(bytes, Instant::now());
        }
        self.limit_write(cx, write)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for SlowClientStream<S> {
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
            ready!(this.poll_head_timeout(cx));
            let is_idle = !this.framing.is_in_head();
            this.end = Some(if is_idle { StreamEnd::Idle } else { StreamEnd::Rejected(SLOW_HEAD) });
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

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for SlowClientStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.limit_write_of_bytes(cx, write)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.limit_write_of_bytes(cx, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flush = Pin::new(&mut self.stream).poll_flush(cx);
        self.limit_write(cx, flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shutdown = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.limit_write(cx, shutdown)
    }
}
