//! What the fuzzers drive, and the seeded tests with them. Not for use; may change at any time.

#[cfg(any(test, feature = "measure"))]
mod session;

#[cfg(any(test, feature = "measure"))]
pub use session::{Life, broker_session};

/// The readers of PROXY headers.
pub fn proxy(bytes: &[u8]) {
    let _ = crate::proxy::v1(bytes);
    let _ = crate::proxy::v2(bytes);
    let mut v2 = [&crate::proxy::SIGNATURE[..], bytes].concat();
    if let Ok(length) = u16::try_from(v2.len().saturating_sub(16)) {
        // With the length that it has, so that what is behind it gets read.
        if let Some(place) = v2.get_mut(14..16) {
            place.copy_from_slice(&length.to_be_bytes());
        }
        let _ = crate::proxy::v2(&v2);
    }
}

/// The readers of an upgrade to WebSocket and of its frames; the first byte says in what pieces these come.
pub fn websocket(bytes: &[u8]) {
    crate::websocket::read_all(bytes);
}
