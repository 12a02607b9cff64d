//! A WebSocket as a byte stream: binary frames, whose boundaries mean nothing [MQTT-6.0.0-2].
//!
//! What is written goes out as one frame for each MQTT packet all the same: some clients, paho's for C among them,
//! leave a second packet of the same frame unread until the next frame comes.
//!
//! Reader and writer are one task: what waits for room in the carrier wakes whoever polled last.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frames::{self, Control, Fault, Header, Reader};

/// Reads in one turn that brought nothing but control frames and headers, so that others get theirs.
const EMPTY_READS: usize = 8;
/// Packets that are copied together, so that several small frames are one write. In bytes, with their headers.
const GATHERED: usize = 16 * 1024;

pub(crate) struct Stream<IO> {
    io: IO,
    reader: Reader,
    /// Read with the request, or behind a control frame, and not yet taken apart.
    came: Vec<u8>,
    /// Header of the frame that is being written, and how much of it has been.
    header: Option<(Header, usize)>,
    /// Payload that this frame still lacks.
    left: usize,
    /// What is written begins where a packet begins. Once it is not known, each write is a frame.
    aligned: bool,
    /// Several whole frames, and how much of them has been written.
    gathered: Vec<u8>,
    gathered_written: usize,
    /// A control frame to be written between two others. Of several pongs the last is enough (RFC 6455 section 5.5.3),
    /// and behind a close frame nothing comes.
    control: Vec<u8>,
    /// How much of it has been.
    control_written: usize,
    /// A close frame has been put there.
    closing: bool,
    /// Nothing more will be read.
    ended: bool,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Stream<IO> {
    /// A WebSocket that has been agreed on, and what came behind the request.
    pub(super) fn new(io: IO, came: Vec<u8>) -> Self {
        Self {
            io,
            reader: Reader::new(),
            came,
            header: None,
            left: 0,
            aligned: true,
            gathered: Vec::new(),
            gathered_written: 0,
            control: Vec::new(),
            control_written: 0,
            closing: false,
            ended: false,
        }
    }

    /// Frames as many whole packets as there are, if they are more than one, and tells how many bytes those were.
    fn gather(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            let whole = frames::packet_length(rest).and_then(|length| rest.get(..length));
            let Some(packet) = whole.filter(|packet| self.gathered.len() + packet.len() < GATHERED) else { break };
            if taken == 0 && packet.len() == bytes.len() {
                break;
            }
            self.gathered.extend(Header::binary(packet.len()).as_slice());
            self.gathered.extend(packet);
            taken += packet.len();
        }
        taken
    }

    /// Writes what was gathered.
    fn poll_gathered(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.gathered.get(self.gathered_written..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.io).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.gathered_written += written,
            }
        }
        (self.gathered, self.gathered_written) = (Vec::new(), 0);
        Poll::Ready(Ok(()))
    }

    /// Writes the control frame, if it is its turn.
    fn poll_control(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.left > 0 {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_gathered(cx))?;
        while let Some(rest) = self.control.get(self.control_written..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.io).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.control_written += written,
            }
        }
        (self.control, self.control_written) = (Vec::new(), 0);
        Poll::Ready(Ok(()))
    }

    /// Puts a control frame in the place of the one that waits, or behind the one that is being written.
    fn put_control(&mut self, frame: Vec<u8>, closes: bool) {
        if self.closing {
            return;
        }
        let begun = match self.control.get(1) {
            Some(payload) if self.control_written > 0 => 2 + usize::from(*payload),
            _ => 0,
        };
        self.control.truncate(begun);
        self.control.extend(frame);
        self.closing = closes;
    }

    fn on_control(&mut self, control: Control) {
        match control {
            Control::Ping(payload) => self.put_control(frames::pong(&payload), false),
            Control::Close(code) => {
                self.ended = true;
                self.put_control(frames::close(code), true);
            }
        }
    }

    fn fail(&mut self, cx: &mut Context<'_>, fault: Fault) -> io::Error {
        self.ended = true;
        self.put_control(frames::close(Some(fault.code())), true);
        // What does not go out at once does when the connection is shut down.
        let _ = self.poll_control(cx).map_ok(|()| Pin::new(&mut self.io).poll_flush(cx));
        io::Error::new(io::ErrorKind::InvalidData, fault)
    }

    /// Takes apart what lies in `buf` from `before` on.
    fn take_apart(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>, before: usize) -> io::Result<()> {
        let bytes = buf.filled_mut().get_mut(before..).unwrap_or_default();
        let (mut payload, mut taken) = (0, 0);
        let outcome = loop {
            let rest = bytes.get_mut(taken..).unwrap_or_default();
            match self.reader.read(rest) {
                Ok((here, read, control)) => {
                    bytes.copy_within(taken..taken + here, payload);
                    (payload, taken) = (payload + here, taken + read);
                    match control {
                        Some(control) => self.on_control(control),
                        None => break Ok(()),
                    }
                    if self.ended {
                        break Ok(());
                    }
                }
                Err(fault) => break Err(self.fail(cx, fault)),
            }
        };
        buf.set_filled(before + payload);
        outcome
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<IO> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        for _ in 0..EMPTY_READS {
            if this.ended {
                return Poll::Ready(Ok(()));
            }
            if this.came.is_empty() {
                ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
                if buf.filled().len() == before {
                    this.ended = true;
                    return Poll::Ready(Ok(()));
                }
            } else {
                let some = this.came.len().min(buf.remaining());
                buf.put_slice(this.came.get(..some).unwrap_or_default());
                this.came.drain(..some);
                if this.came.is_empty() {
                    this.came = Vec::new();
                }
            }
            this.take_apart(cx, buf, before)?;
            if !this.control.is_empty() {
                // A pong that does not go out now goes with what is written next.
                let _ = this.poll_control(cx)?;
                let _ = Pin::new(&mut this.io).poll_flush(cx)?;
            }
            if buf.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<IO> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(this.poll_control(cx))?;
        if this.left == 0 {
            if this.closing {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            let taken = if this.aligned { this.gather(bytes) } else { 0 };
            if taken > 0 {
                return match this.poll_gathered(cx) {
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                    // What did not go out does before anything else.
                    _ => Poll::Ready(Ok(taken)),
                };
            }
            let packet = frames::packet_length(bytes).filter(|_| this.aligned);
            this.aligned = packet.is_some();
            this.left = packet.unwrap_or(bytes.len());
            this.header = Some((Header::binary(this.left), 0));
        }
        let bytes = bytes.get(..bytes.len().min(this.left)).unwrap_or_default();
        while let Some((header, written)) = &mut this.header {
            let head = header.as_slice().get(*written..).unwrap_or_default();
            let both = [io::IoSlice::new(head), io::IoSlice::new(bytes)];
            let wrote = ready!(Pin::new(&mut this.io).poll_write_vectored(cx, &both))?;
            if wrote == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let Some(payload) = wrote.checked_sub(head.len()) else {
                *written += wrote;
                continue;
            };
            this.header = None;
            if payload > 0 {
                this.left -= payload;
                return Poll::Ready(Ok(payload));
            }
        }
        let wrote = ready!(Pin::new(&mut this.io).poll_write(cx, bytes))?;
        this.left -= wrote;
        Poll::Ready(Ok(wrote))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_control(cx))?;
        Pin::new(&mut this.io).poll_flush(cx)
    }

    /// Says that we are leaving, and waits with TCP for the client's answer: the reader gets its end by that.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.left > 0 {
            // Within a frame nothing can be said.
            return Pin::new(&mut this.io).poll_shutdown(cx);
        }
        this.put_control(frames::close(Some(1000)), true);
        ready!(this.poll_control(cx))?;
        if this.ended {
            return Pin::new(&mut this.io).poll_shutdown(cx);
        }
        Pin::new(&mut this.io).poll_flush(cx)
    }
}

/// What was written and read is not shown: there are passwords in it.
impl<IO> fmt::Debug for Stream<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("closing", &self.closing).field("ended", &self.ended).finish_non_exhaustive()
    }
}
