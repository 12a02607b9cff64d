//! A stream that remembers the first bytes it delivered.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::first_bytes::FirstBytes;

const REMEMBERED: usize = 16;

/// Passes everything through and keeps a copy of the first sixteen bytes read.
#[derive(Debug)]
pub(super) struct Sniff<IO> {
    io: IO,
    first: [u8; REMEMBERED],
    length: usize,
}

impl<IO> Sniff<IO> {
    pub(super) fn new(io: IO) -> Self {
        Self { io, first: [0; REMEMBERED], length: 0 }
    }

    pub(super) fn get_ref(&self) -> &IO {
        &self.io
    }

    pub(super) fn first_bytes(&self) -> FirstBytes {
        FirstBytes::recognise(self.first.get(..self.length).unwrap_or_default())
    }

    fn remember(&mut self, bytes: &[u8]) {
        let space = self.first.iter_mut().skip(self.length);
        self.length += space.zip(bytes).map(|(slot, byte)| *slot = *byte).count();
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Sniff<IO> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let result = Pin::new(&mut this.io).poll_read(cx, buffer);
        if this.length < REMEMBERED {
            this.remember(buffer.filled().get(before..).unwrap_or_default());
        }
        result
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Sniff<IO> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}
