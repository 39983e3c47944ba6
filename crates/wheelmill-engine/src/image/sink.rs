//! Takes a blob as it comes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;

/// Passes a blob on, counts it, and takes no more of it than was announced.
pub(super) struct Sink<W, F> {
    inner: W,
    written: u64,
    most: u64,
    report: F,
}

impl<W: io::Write, F: FnMut(u64)> Sink<W, F> {
    /// `report` is told how many bytes were written so far.
    pub(super) const fn new(inner: W, most: u64, report: F) -> Self {
        Self { inner, written: 0, most, report }
    }

    pub(super) fn into_inner(self) -> W {
        self.inner
    }
}

impl<W: io::Write + Unpin, F: FnMut(u64) + Unpin> AsyncWrite for Sink<W, F> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // A write to a local file is short, and nobody else runs on this thread's runtime.
        let sink = &mut *self;
        if sink.written + bytes.len() as u64 > sink.most {
            return Poll::Ready(Err(io::Error::other("it is longer than was announced")));
        }
        sink.inner.write_all(bytes)?;
        sink.written += bytes.len() as u64;
        (sink.report)(sink.written);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.inner.flush())
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(context)
    }
}
