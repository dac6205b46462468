//! Reads a connection in portions, and at most so many bytes of it, whatever they are: frames, chunks, pings or answers.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes after which whoever reads has to pass on what it has.
const PORTION_BYTES: u64 = 32 * 1024;
/// Bytes around an answer: its head, and frames without a part of its body.
const AROUND_BYTES: u64 = 1 << 20;
/// Most bytes around each byte of a body, which may come in a frame of its own.
const AROUND_EACH: u64 = 16;

/// A connection that is read in portions.
#[derive(Debug)]
pub(crate) struct Portions<S> {
    stream: S,
    /// Bytes that may still come.
    left: u64,
    /// Bytes of this portion.
    read: u64,
}

impl<S> Portions<S> {
    /// Reads at most as many bytes as an answer with a body of `body_max` bytes has.
    pub(crate) const fn new(stream: S, body_max: u64) -> Self {
        let around = body_max.saturating_mul(AROUND_EACH);
        Self {
            stream,
            left: around.saturating_add(AROUND_BYTES),
            read: 0,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Portions<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left == 0 {
            let many = "it sent more bytes than an answer of the permitted size has";
            return Poll::Ready(Err(io::Error::other(many)));
        }
        if self.read >= PORTION_BYTES {
            self.read = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let read = buf.filled().len().saturating_sub(before) as u64;
        self.left = self.left.saturating_sub(read);
        self.read = self.read.saturating_add(read);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Portions<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
