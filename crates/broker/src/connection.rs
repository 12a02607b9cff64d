//! One task per connection: bytes from its socket to its worker and back, one write per turn.

use std::cell::RefCell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use gridmq_proto::time::{Monotonic, Now};
use tokio::io::ReadBuf;
use tokio::time::Sleep;

use crate::stream::Stream;
use crate::worker::{ConnKey, Worker};

/// Reads of one connection in one turn, so that others get theirs. The second one of a turn finds nothing as a rule,
/// which the runtime knows without asking the system, and which has it wake the task when there is more.
const READS: usize = 2;

/// The first byte of a DISCONNECT (MQTT 5.0, 3.14.1).
const DISCONNECT: u8 = 0xE0;

/// How long a connection that has ended may take to read what was said last and to close its side.
const LINGER: Duration = Duration::from_secs(2);

/// Bytes thrown away while it does.
const LINGER_BYTES: usize = 1 << 20;

/// Serves a connection until it has ended.
pub(crate) async fn serve(worker: Rc<RefCell<Worker>>, key: ConnKey, stream: Stream) {
    let clock = worker.borrow().shared.clock;
    let now = clock.now().monotonic;
    let mut task = Task {
        worker: Rc::clone(&worker),
        key,
        stream,
        incoming: BytesMut::new(),
        sleep: Box::pin(tokio::time::sleep_until(clock.instant(now))),
        armed: None,
        lingering: None,
        discarded: 0,
        deferred: false,
        shut: false,
        leaving: None,
    };
    std::future::poll_fn(|cx| task.poll(cx)).await;
    worker.borrow_mut().remove(key);
}

struct Task {
    worker: Rc<RefCell<Worker>>,
    key: ConnKey,
    stream: Stream,
    /// Received and not decoded yet.
    incoming: BytesMut,
    sleep: Pin<Box<Sleep>>,
    /// When `sleep` ends.
    armed: Option<Monotonic>,
    /// The machine is done; until when to wait for the peer.
    lingering: Option<Monotonic>,
    discarded: usize,
    /// What lies ready to be sent was left for the next turn.
    deferred: bool,
    /// This side is closed.
    shut: bool,
    /// The client says goodbye, or has gone, which waits for a turn.
    leaving: Option<Leaving>,
}

/// How a client goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaving {
    /// Its DISCONNECT has come.
    Goodbye,
    /// The transport has closed or failed.
    Gone,
}

impl Task {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.lingering.is_some() {
            return self.linger(cx);
        }
        let shared_worker = Rc::clone(&self.worker);
        let mut worker = shared_worker.borrow_mut();
        let worker = &mut *worker;
        let now = worker.now();
        let Some(conn) = worker.conn(self.key) else { return Poll::Ready(()) };
        conn.waker = Some(cx.waker().clone());
        if worker.holds_up(self.key) {
            return Poll::Pending;
        }
        worker.begin_turn(self.key);
        let Some(conn) = worker.conn(self.key) else { return Poll::Ready(()) };
        if conn.deadline.is_some_and(|at| at <= now.monotonic) {
            if !worker.reads(self.key)
                && let Some(conn) = worker.conn(self.key)
            {
                // This side did not read, so the client's silence proves nothing.
                conn.machine.excuse_silence(now);
            }
            worker.timeout(now, self.key);
        }
        worker.drain(now, self.key);
        if self.leaving.is_none() {
            worker.input(now, self.key, &mut self.incoming);
        }
        let mut reads = 0;
        let mut held_back = false;
        let more = loop {
            if self.leaving.is_some() {
                break self.leave(now, worker);
            }
            if reads == READS {
                break true;
            }
            if !worker.reads(self.key) {
                held_back = true;
                break false;
            }
            match self.read(cx, worker) {
                Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => self.leaving = Some(Leaving::Gone),
                Poll::Ready(Ok(_)) if self.incoming.first() == Some(&DISCONNECT) => {
                    self.leaving = Some(Leaving::Goodbye);
                }
                Poll::Ready(Ok(read)) => {
                    reads += 1;
                    worker.input(now, self.key, &mut self.incoming);
                    if read == worker.scratch.len() {
                        break true;
                    }
                }
                Poll::Pending => break false,
            }
        };
        let others = worker.end_turn(now, self.key);
        if self.incoming.is_empty() && self.incoming.capacity() > 0 {
            // An idle connection keeps no buffer.
            self.incoming = BytesMut::new();
        }
        if others && !self.deferred && worker.conn(self.key).is_some_and(|conn| !conn.outgoing.is_empty()) {
            // Messages first, then what acknowledges them: those whom they are for wait for nothing else.
            self.deferred = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.deferred = false;
        if let Poll::Ready(Err(_)) = self.write(cx, worker) {
            worker.closed(now, self.key);
            return Poll::Ready(());
        }
        let Some(conn) = worker.conn(self.key) else { return Poll::Ready(()) };
        if conn.closing {
            if conn.parted && self.stream.ends_at_once(cx) {
                return Poll::Ready(());
            }
            let until = now.monotonic.after(LINGER);
            self.lingering = Some(until);
            self.arm(cx, until, now.monotonic, worker);
            let _ = worker;
            drop(std::mem::take(&mut self.incoming));
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let deadline = conn.deadline;
        let room = conn.outgoing.is_empty();
        // Nobody watches the socket for a connection that was not read from; it may be again, now that it has written.
        let more = more || (held_back && worker.reads(self.key));
        if more || (room && worker.reads(self.key) && worker.resume_scans(now, self.key)) {
            // Not before the runtime has looked at the sockets: others may have something too.
            let _pending = pin!(tokio::task::yield_now()).poll(cx);
        }
        if let Some(at) = deadline {
            self.arm(cx, at, now.monotonic, worker);
        }
        Poll::Pending
    }

    /// Sees a client off that goes, if that may be in this turn. Whether there may be more to read.
    fn leave(&mut self, now: Now, worker: &mut Worker) -> bool {
        if !worker.may_leave(self.key) {
            return false;
        }
        match self.leaving.take() {
            Some(Leaving::Gone) => {
                worker.closed(now, self.key);
                false
            }
            // If it is no goodbye after all, there is more to come.
            _ => {
                worker.input(now, self.key, &mut self.incoming);
                true
            }
        }
    }

    /// Reads once through the worker's scratch space.
    fn read(&mut self, cx: &mut Context<'_>, worker: &mut Worker) -> Poll<std::io::Result<usize>> {
        let mut buf = ReadBuf::new(&mut worker.scratch);
        ready!(self.stream.poll_read(cx, &mut buf))?;
        let read = buf.filled().len();
        worker.shared.counters.bytes_received.add(read as u64);
        self.incoming.extend_from_slice(buf.filled());
        Poll::Ready(Ok(read))
    }

    /// Writes what lies ready.
    fn write(&mut self, cx: &mut Context<'_>, worker: &mut Worker) -> Poll<std::io::Result<()>> {
        let (conn, sent) = worker.conn_and_counters(self.key);
        let Some(conn) = conn else { return Poll::Ready(Ok(())) };
        if conn.outgoing.is_empty() {
            return self.stream.poll_flush(cx);
        }
        while !conn.outgoing.is_empty() {
            match ready!(self.stream.poll_write(cx, &conn.outgoing))? {
                0 => return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into())),
                written => {
                    conn.outgoing.advance(written);
                    sent.bytes_sent.add(written as u64);
                }
            }
        }
        conn.outgoing = BytesMut::new();
        self.stream.poll_flush(cx)
    }

    /// Waits for the time, waking no later than `at`.
    fn arm(&mut self, cx: &mut Context<'_>, at: Monotonic, now: Monotonic, worker: &Worker) {
        // A later deadline needs no new timer: the one that is armed wakes the task, which looks again.
        if self.armed.is_none_or(|armed| at < armed || armed <= now) {
            self.sleep.as_mut().reset(worker.shared.clock.instant(at));
            self.armed = Some(at);
        }
        if self.sleep.as_mut().poll(cx).is_ready() {
            self.armed = None;
            cx.waker().wake_by_ref();
        }
    }

    /// Sends what was said last and waits for the peer to close: closing with bytes unread would make the system
    /// discard what is still on its way to the peer.
    fn linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let shared_worker = Rc::clone(&self.worker);
        let mut worker = shared_worker.borrow_mut();
        let now = worker.now().monotonic;
        if self.lingering.is_none_or(|until| until <= now) {
            return Poll::Ready(());
        }
        if let Some(until) = self.lingering {
            self.arm(cx, until, now, &worker);
        }
        match self.write(cx, &mut worker) {
            Poll::Ready(Ok(())) if !self.shut => {
                if ready!(self.stream.poll_shutdown(cx)).is_err() {
                    return Poll::Ready(());
                }
                // What is wrapped in something has more to say when the peer has.
                self.shut = matches!(self.stream, Stream::Plain(_));
            }
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(_)) => return Poll::Ready(()),
            Poll::Pending => {}
        }
        loop {
            let mut buf = ReadBuf::new(&mut worker.scratch);
            match self.stream.poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if buf.filled().is_empty() => return Poll::Ready(()),
                Poll::Ready(Ok(())) => self.discarded += buf.filled().len(),
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => break,
            }
            if self.discarded > LINGER_BYTES {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }
}
