//! A socket that tells when its peer has gone before its call was answered.

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

/// Whether a peer waits for an answer and keeps the connection for more requests. When such a one ends its side, then it
/// has gone. One that has said that it sends no more may end its side and still wait for the answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Stays(Arc<AtomicBool>);

/// A stream that fails when a peer goes that was to stay.
pub(super) struct Attended {
    stream: TcpStream,
    stays: Stays,
}

impl Stays {
    /// A request has come.
    pub(super) fn asked<B>(&self, request: &Request<B>) {
        let says_close = |value: &str| value.split(',').any(|word| word.trim().eq_ignore_ascii_case("close"));
        let mut values = request.headers().get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
        let keeps = request.version() >= Version::HTTP_11 && !values.any(says_close);
        self.0.store(keeps, Ordering::Relaxed);
    }

    /// Its answer is known. What is written from now on fails by itself when nobody is there.
    pub(super) fn answered(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Attended {
    pub(super) fn new(stream: TcpStream, stays: Stays) -> Self {
        Attended { stream, stays }
    }

    /// The server asks for it whenever it flushes, also while a call runs, when it does not read.
    fn has_gone(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.stays.0.load(Ordering::Relaxed) {
            return false;
        }
        let mut byte = [MaybeUninit::uninit()];
        let mut byte = ReadBuf::uninit(&mut byte);
        // No system call before something has come, which wakes the connection then.
        matches!(Pin::new(&mut self.stream).poll_peek(cx, &mut byte), Poll::Ready(Ok(0) | Err(_)))
    }
}

impl AsyncRead for Attended {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Attended {
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
        if self.has_gone(cx) {
            let why = "the peer has gone before its call was answered";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, why)));
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
