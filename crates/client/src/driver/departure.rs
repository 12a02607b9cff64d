//! Finishing what was taken: flushing, and leaving once that is done or its time is up.

use gridmq_proto::ReasonCode;
use gridmq_proto::packet::DisconnectProperties;
use gridmq_proto::session::Position;
use gridmq_proto::session::client::Session;
use gridmq_proto::time::Monotonic;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{DisconnectCommand, Driver, Request, ShutdownCommand};

/// Messages up to a position, and the bytes that were to be written when the last of them was done with.
#[derive(Debug)]
struct Barrier {
    position: Position,
    /// How many messages have to be done with before it is worth looking again.
    due: u64,
    place: Option<u64>,
}

impl Barrier {
    const fn new(position: Position) -> Self {
        Self { position, due: 0, place: None }
    }

    /// `progress`: how much was to be written, and how much is; none without a connection, where what was not written is
    /// lost, and its sender told.
    fn passed(&mut self, session: Option<&Session>, progress: Option<(u64, u64)>) -> bool {
        if session.is_some_and(|session| self.waits(session)) {
            return false;
        }
        progress.is_none_or(|(encoded, written)| *self.place.get_or_insert(encoded) <= written)
    }

    /// Whether messages up to its position are not done with. To look at all of them in every turn would be too much:
    /// none can be left before as many are done with as there were.
    fn waits(&mut self, session: &Session) -> bool {
        if self.place.is_some() {
            return false;
        }
        let done = session.last_position().saturating_sub(session.load().0 as u64);
        if done < self.due {
            return true;
        }
        let left = session.unfinished_up_to(self.position) as u64;
        self.due = done + left;
        left > 0
    }
}

#[derive(Debug)]
struct Leaving {
    until: Monotonic,
    barrier: Barrier,
    waiting: Vec<ShutdownCommand>,
}

/// Who waits for messages to be done with.
#[derive(Debug, Default)]
pub(super) struct Departure {
    /// Asked for, and not looked at yet.
    asked: Vec<oneshot::Sender<()>>,
    flushes: Vec<(Barrier, oneshot::Sender<()>)>,
    leaving: Option<Leaving>,
}

impl Departure {
    /// Whether the client takes nothing new, and leaves when it has finished.
    pub(super) const fn is_leaving(&self) -> bool {
        self.leaving.is_some()
    }

    pub(super) fn flush(&mut self, reply: oneshot::Sender<()>) {
        self.asked.push(reply);
    }

    /// When it leaves at the latest.
    pub(super) fn deadline(&self) -> Option<Monotonic> {
        self.leaving.as_ref().map(|leaving| leaving.until)
    }
}

impl Driver {
    /// Nothing new is taken from now on.
    pub(super) fn shut_down(&mut self, command: ShutdownCommand) {
        let until = self.link.now().after(command.until.saturating_duration_since(Instant::now()));
        self.channels.publishes.close();
        match &mut self.departure.leaving {
            Some(leaving) => {
                leaving.until = leaving.until.min(until);
                leaving.waiting.push(command);
            }
            None => {
                let barrier = Barrier::new(Position::MAX);
                self.departure.leaving = Some(Leaving { until, barrier, waiting: vec![command] });
            }
        }
    }

    /// Looks who waits no more, and leaves when it is time. `true`: there is more to do at once.
    pub(super) fn depart(&mut self) -> bool {
        let departure = &mut self.departure;
        let nobody = departure.asked.is_empty() && departure.flushes.is_empty() && departure.leaving.is_none();
        if self.ended || nobody {
            return false;
        }
        let session = self.link.machine().session();
        let last = session.map_or(0, Session::last_position);
        // After what was handed over before it is in the session, as far as there was room.
        departure.flushes.extend(departure.asked.drain(..).map(|reply| (Barrier::new(last), reply)));
        let progress = (!self.life.is_away()).then(|| self.link.progress());
        let over = |(barrier, reply): &mut (Barrier, oneshot::Sender<()>)| {
            reply.is_closed() || barrier.passed(session, progress)
        };
        for (_, reply) in departure.flushes.extract_if(.., over) {
            // Who asked may have gone.
            let _ = reply.send(());
        }
        let untaken = self.outbox.untaken(&self.channels.publishes);
        let Some(leaving) = &mut departure.leaving else { return false };
        let finished = untaken.0 == 0 && leaving.barrier.passed(session, progress);
        if !finished && self.link.now() < leaving.until {
            return false;
        }
        let load = session.map_or((0, 0), Session::load);
        if let Some((_, written)) = progress {
            self.replies.written(written);
        }
        let unwritten = self.replies.unwritten_load();
        let left = (load.0 + untaken.0 + unwritten.0, load.1 + untaken.1 + unwritten.1);
        for ShutdownCommand { outcome, closed, .. } in departure.leaving.take().into_iter().flat_map(|it| it.waiting) {
            self.replies.disconnect(closed);
            let _ = outcome.send(left);
        }
        let (reply, _) = oneshot::channel();
        let (reason, properties) = (ReasonCode::NORMAL_DISCONNECTION, DisconnectProperties::default());
        self.stay_away(Some(Request::Disconnect(DisconnectCommand { reason, properties, timeout: None, reply })));
        true
    }
}
