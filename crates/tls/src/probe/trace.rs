//! Follows the records of a connection from outside, without keys.

use super::MAX_FIRST_BYTES;

const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;

/// What passed by.
#[derive(Debug, Default)]
pub(super) struct Trace {
    first: Vec<u8>,
    received: u64,
    /// The part of a record header that has come.
    header: Vec<u8>,
    /// What is left of the current record's body.
    body: usize,
    ciphered: bool,
    /// Handshake records after ChangeCipherSpec; in TLS 1.2 the first one is Finished.
    handshakes: u32,
}

impl Trace {
    pub(super) fn follow(&mut self, bytes: &[u8]) {
        self.received = self.received.saturating_add(bytes.len() as u64);
        let room = MAX_FIRST_BYTES.saturating_sub(self.first.len());
        self.first.extend(bytes.iter().take(room));
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.body > 0 {
                let skipped = self.body.min(rest.len());
                self.body -= skipped;
                rest = rest.get(skipped..).unwrap_or_default();
                continue;
            }
            let wanted = 5_usize.saturating_sub(self.header.len()).min(rest.len());
            self.header.extend(rest.iter().take(wanted));
            rest = rest.get(wanted..).unwrap_or_default();
            if let [kind, _, _, high, low] = *self.header.as_slice() {
                self.body = usize::from(u16::from_be_bytes([high, low]));
                self.header.clear();
                match kind {
                    CHANGE_CIPHER_SPEC => self.ciphered = true,
                    HANDSHAKE if self.ciphered => self.handshakes = self.handshakes.saturating_add(1),
                    _ => {}
                }
            }
        }
    }

    pub(super) fn first(&self) -> &[u8] {
        &self.first
    }

    pub(super) const fn received(&self) -> u64 {
        self.received
    }

    /// A handshake message came after Finished: in TLS 1.2 that is HelloRequest.
    pub(super) const fn renegotiation(&self) -> bool {
        self.handshakes > 1
    }
}

#[cfg(test)]
mod tests {
    use super::Trace;

    #[test]
    fn a_second_handshake_record_after_the_ciphers_change_is_a_renegotiation() {
        let mut stream = vec![22, 3, 3, 0, 2, 9, 9, 20, 3, 3, 0, 1, 1, 22, 3, 3, 0, 3, 1, 2, 3, 23, 3, 3, 0, 1, 0];
        let mut trace = Trace::default();
        stream.chunks(3).for_each(|piece| trace.follow(piece));
        assert!(!trace.renegotiation());
        assert_eq!(trace.received(), stream.len() as u64);
        stream = vec![22, 3, 3, 0, 1, 0];
        trace.follow(&stream);
        assert!(trace.renegotiation());
    }
}
