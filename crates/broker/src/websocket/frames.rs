//! Frames as they come and go (RFC 6455 section 5), without what carries them.

/// The longest payload of a control frame.
pub(super) const MAX_CONTROL: usize = 125;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// How a connection is closed (RFC 6455 section 7.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("WebSocket frames are broken: {0} [1002]")]
    Protocol(&'static str),
    #[error("a text frame came, and MQTT is in binary frames only [MQTT-6.0.0-1] [1003]")]
    Text,
}

impl Fault {
    pub(super) const fn code(self) -> u16 {
        match self {
            Self::Protocol(_) => 1002,
            Self::Text => 1003,
        }
    }
}

/// A control frame that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Control {
    Ping(Vec<u8>),
    /// With the code, if there is one.
    Close(Option<u16>),
}

/// Takes the frames of a client apart.
#[derive(Debug)]
pub(super) struct Reader {
    /// The frame's header so far.
    header: [u8; 14],
    have: usize,
    state: State,
    /// A message of several frames is under way.
    fragmented: bool,
    /// Payload of a control frame so far.
    control: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Header,
    Payload { opcode: u8, left: u64, mask: [u8; 4], phase: usize },
}

impl Reader {
    pub(super) const fn new() -> Self {
        Self { header: [0; 14], have: 0, state: State::Header, fragmented: false, control: Vec::new() }
    }

    /// Takes bytes that came, and puts the payloads in them at their beginning. Answers how many these are, and how many
    /// bytes were taken: all, or those up to a control frame, which is answered as well.
    pub(super) fn read(&mut self, bytes: &mut [u8]) -> Result<(usize, usize, Option<Control>), Fault> {
        let (mut payload, mut taken) = (0, 0);
        while taken < bytes.len() || self.is_complete() {
            match self.state {
                State::Header => {
                    let Some(byte) = bytes.get(taken) else { break };
                    if let Some(place) = self.header.get_mut(self.have) {
                        *place = *byte;
                    }
                    (self.have, taken) = (self.have + 1, taken + 1);
                    self.begin()?;
                }
                State::Payload { opcode, left, mask, phase } => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - taken);
                    unmask(bytes.get_mut(taken..taken + here).unwrap_or_default(), mask, phase);
                    if opcode < CLOSE {
                        bytes.copy_within(taken..taken + here, payload);
                        payload += here;
                    } else {
                        self.control.extend_from_slice(bytes.get(taken..taken + here).unwrap_or_default());
                    }
                    taken += here;
                    let left = left - here as u64;
                    self.state = State::Payload { opcode, left, mask, phase: phase.wrapping_add(here) };
                    if left == 0 {
                        self.state = State::Header;
                        let control = std::mem::take(&mut self.control);
                        if let Some(control) = self.end(opcode, control)? {
                            return Ok((payload, taken, Some(control)));
                        }
                    }
                }
            }
        }
        Ok((payload, taken, None))
    }

    /// A frame without payload needs no byte to be complete.
    const fn is_complete(&self) -> bool {
        matches!(self.state, State::Payload { left: 0, .. })
    }

    /// Judges the header as far as it has come.
    fn begin(&mut self) -> Result<(), Fault> {
        let [first, second, lengths @ ..] = self.header;
        let (is_final, opcode) = (first & 0x80 != 0, first & 0x0f);
        if self.have == 1 {
            return self.judge(first, is_final, opcode);
        }
        if self.have == 2 && second & 0x80 == 0 {
            return Err(Fault::Protocol("a client must mask its frames"));
        }
        let short = second & 0x7f;
        if self.have == 2 && opcode >= CLOSE && usize::from(short) > MAX_CONTROL {
            return Err(Fault::Protocol("a control frame has more than 125 bytes"));
        }
        let [a, b, c, d, e, f, g, h, ..] = lengths;
        let (left, mask_at) = match short {
            126 => (u64::from(u16::from_be_bytes([a, b])), 4),
            127 => (u64::from_be_bytes([a, b, c, d, e, f, g, h]), 10),
            short => (u64::from(short), 2),
        };
        if self.have < mask_at + 4 {
            return Ok(());
        }
        if (short == 126 && left < 126) || (short == 127 && left <= u64::from(u16::MAX)) || left >> 63 != 0 {
            return Err(Fault::Protocol("a frame's length is not written in the shortest way"));
        }
        let mask = self.header.get(mask_at..mask_at + 4).and_then(|mask| mask.try_into().ok()).unwrap_or_default();
        self.have = 0;
        self.state = State::Payload { opcode, left, mask, phase: 0 };
        Ok(())
    }

    fn judge(&mut self, first: u8, is_final: bool, opcode: u8) -> Result<(), Fault> {
        if first & 0x70 != 0 {
            return Err(Fault::Protocol("a frame uses an extension that was not agreed on"));
        }
        match opcode {
            TEXT => return Err(Fault::Text),
            CONTINUATION if !self.fragmented => return Err(Fault::Protocol("a frame continues nothing")),
            BINARY if self.fragmented => return Err(Fault::Protocol("a message begins within another")),
            CONTINUATION | BINARY => self.fragmented = !is_final,
            CLOSE | PING | PONG if !is_final => return Err(Fault::Protocol("a control frame is in fragments")),
            CLOSE | PING | PONG => {}
            _ => return Err(Fault::Protocol("a frame is of no known kind")),
        }
        Ok(())
    }

    fn end(&self, opcode: u8, payload: Vec<u8>) -> Result<Option<Control>, Fault> {
        Ok(match opcode {
            PING => Some(Control::Ping(payload)),
            CLOSE => match payload.split_first_chunk() {
                None if payload.is_empty() => Some(Control::Close(None)),
                None => return Err(Fault::Protocol("a close frame has half a code")),
                Some((code, reason)) => {
                    let code = u16::from_be_bytes(*code);
                    let known = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
                    if !known || str::from_utf8(reason).is_err() {
                        return Err(Fault::Protocol("a close frame has no code and reason that may be sent"));
                    }
                    Some(Control::Close(Some(code)))
                }
            },
            _ => None,
        })
    }
}

fn unmask(bytes: &mut [u8], mask: [u8; 4], phase: usize) {
    let mut mask = mask;
    mask.rotate_left(phase % 4);
    // Eight at once; the rest byte by byte.
    let wide = u64::from_ne_bytes([mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]]);
    let (chunks, rest) = bytes.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    rest.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
}

/// The header of a server's frame: at most ten bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    bytes: [u8; 10],
    length: usize,
}

impl Header {
    /// Of a whole binary message.
    pub(super) fn binary(length: usize) -> Self {
        Self::new(BINARY, length)
    }

    fn new(opcode: u8, length: usize) -> Self {
        let mut bytes = [0; 10];
        bytes[0] = 0x80 | opcode;
        let length = match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short @ ..126), _) => {
                bytes[1] = short;
                2
            }
            (_, Ok(medium)) => {
                bytes[1] = 126;
                bytes[2..4].copy_from_slice(&medium.to_be_bytes());
                4
            }
            _ => {
                bytes[1] = 127;
                bytes[2..].copy_from_slice(&(length as u64).to_be_bytes());
                10
            }
        };
        Self { bytes, length }
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// A whole pong.
pub(super) fn pong(payload: &[u8]) -> Vec<u8> {
    [Header::new(PONG, payload.len()).as_slice(), payload].concat()
}

/// A whole close frame.
pub(super) fn close(code: Option<u16>) -> Vec<u8> {
    let payload = code.map(u16::to_be_bytes);
    let payload = payload.as_ref().map(<[u8; 2]>::as_slice).unwrap_or_default();
    [Header::new(CLOSE, payload.len()).as_slice(), payload].concat()
}

/// The length of the MQTT packet that begins here, if its fixed header (section 2.1) is there.
pub(super) fn packet_length(bytes: &[u8]) -> Option<usize> {
    let mut length = 0;
    for (index, byte) in bytes.iter().skip(1).take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some(2 + index + length);
        }
    }
    None
}
