//! The byte stream under a connection.

use std::fmt;

use tokio::io::{AsyncRead, AsyncWrite};

/// Whatever bytes can be read from and written to: TCP, TLS over it, or a stream that the caller brings.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<IO: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for IO {}

impl fmt::Debug for dyn ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByteStream")
    }
}

pub(crate) type Transport = Box<dyn ByteStream>;
