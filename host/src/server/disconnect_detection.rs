//! Disconnect detection: a call ends when its client closes the connection before the reply.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use hyper::header::CONNECTION;
use hyper::{Request, Version};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Whether the end of the peer's side means that it has disconnected: while it waits for a reply on a connection that it
/// keeps alive. A client that has sent `Connection: close` may end its side and still wait for the reply. Clones share
/// the state.
#[derive(Debug, Clone, Default)]
pub(super) struct DisconnectDetection(Arc<AtomicBool>);

/// A stream that fails when a disconnect is detected.
pub(super) struct DisconnectDetectingStream {
    stream: TcpStream,
    detection: DisconnectDetection,
}

impl DisconnectDetection {
    /// A request has come; its reply is awaited.
    pub(super) fn arm<B>(&self, request: &Request<B>) {
        let has_close = |value: &str| value.split(',').any(|word| word.trim().eq_ignore_ascii_case("close"));
        let mut values = request.headers().get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
        let is_kept_alive = request.version() >= Version::HTTP_11 && !values.any(has_close);
        self.0.store(is_kept_alive, Ordering::Relaxed);
    }

    /// The reply is ready. From now on writing fails by itself when the peer has disconnected.
    pub(super) fn disarm(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl DisconnectDetectingStream {
    pub(super) fn new(stream: TcpStream, detection: DisconnectDetection) -> Self {
        DisconnectDetectingStream { stream, detection }
    }

    /// Checked at each flush: hyper flushes also while a call runs, when it does not read.
    fn is_disconnected(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.detection.0.load(Ordering::Relaxed) {
            return false;
        }
        let mut byte = [MaybeUninit::uninit()];
        let mut byte = ReadBuf::uninit(&mut byte);
        // No system call until the socket is readable, which also wakes the connection.
        matches!(Pin::new(&mut self.stream).poll_peek(cx, &mut byte), Poll::Ready(Ok(0) | Err(_)))
    }
}

impl AsyncRead for DisconnectDetectingStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for DisconnectDetectingStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_disconnected(cx) {
            let error = "the peer has disconnected before its call was answered";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, error)));
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
