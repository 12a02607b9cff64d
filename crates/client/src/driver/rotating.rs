//! Moving to another certificate: leaving, coming back, and what waits meanwhile.

mod resuming;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use gridmq_proto::session::client::Session;
use gridmq_proto::session::{End, QueueLimits};
use gridmq_proto::time::Monotonic;
use gridmq_proto::{PacketId, ReasonCode};
use gridmq_tls::{CredentialProvider, Generation};
use tokio::time::Sleep;

use super::replies::Unanswered;
use super::{Driver, MAX_REQUESTS, Request};
use crate::clock;
use crate::connect::{Attempt, Established, Failed, Plan, establish};
use crate::error::{ConnectError, ConnectErrorKind, DisconnectCause, Side, Stage};
use crate::events::ConnectionEvent;
use crate::inbox::SubscriptionKey;
use crate::rotation::{Choice, Next, Phase, Rotation};
use crate::state::ConnectionState;

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What moving needs beside the connection.
pub(crate) struct Rotator {
    plan: Arc<Plan>,
    credentials: Arc<dyn CredentialProvider>,
    machine: Rotation,
    /// The generation of the connection that is, or was before the move.
    generation: Arc<Generation>,
    newer: Boxed<Arc<Generation>>,
    sleep: Pin<Box<Sleep>>,
    attempt: Option<Boxed<Result<Established, Box<Failed>>>>,
    /// Between connections.
    session: Option<Session>,
    /// Why the connection ended that was left.
    cause: Option<DisconnectCause>,
    unanswered: Unanswered,
    /// Requests that wait for the next connection, each with somebody who waits for its answer.
    held: VecDeque<Request>,
    /// With so many of them, those that nobody waits for any more are dropped.
    look_through: usize,
    /// Subscriptions made again, to be answered.
    resubscribed: HashMap<PacketId, SubscriptionKey>,
    /// Those of them that the connection before did not answer.
    unmade: Vec<SubscriptionKey>,
}

impl fmt::Debug for Rotator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rotator").field("machine", &self.machine).finish_non_exhaustive()
    }
}

impl Rotator {
    /// For a connection with this generation of these credentials.
    pub(crate) fn new(plan: Arc<Plan>, credentials: Arc<dyn CredentialProvider>, generation: Arc<Generation>) -> Self {
        let machine = Rotation::new(generation.number, generation.identity.not_after());
        let newer = newer(&credentials, generation.number);
        Self {
            plan,
            credentials,
            machine,
            generation,
            newer,
            sleep: Box::pin(tokio::time::sleep_until(tokio::time::Instant::now())),
            attempt: None,
            session: None,
            cause: None,
            unanswered: Unanswered::default(),
            held: VecDeque::new(),
            look_through: MAX_REQUESTS,
            resubscribed: HashMap::new(),
            unmade: Vec::new(),
        }
    }

    pub(super) fn deadline(&self) -> Option<Monotonic> {
        self.machine.deadline()
    }

    /// Looks for a newer generation, and has its coming wake the task.
    fn listen(&mut self, cx: &mut Context<'_>, now: Monotonic) {
        while let Poll::Ready(generation) = self.newer.as_mut().poll(cx) {
            self.machine.arrived(now, generation.number);
            self.newer = newer(&self.credentials, generation.number);
        }
    }

    fn start(&mut self, choice: Choice, clock: clock::Clock, client_id: gridmq_proto::ByteString) {
        let generation = match choice {
            Choice::Newest => self.credentials.current(),
            Choice::Old => Arc::clone(&self.generation),
        };
        let mut connect = self.plan.connect.clone();
        if connect.version.is_v5() {
            connect.clean_start = false;
            connect.client_id = client_id;
        }
        let unbounded = QueueLimits { messages: usize::MAX, bytes: usize::MAX };
        let session = self.session.take().unwrap_or_else(|| Session::new(unbounded));
        let attempt = Attempt { connect, session, generation: Some(generation), clock };
        let plan = Arc::clone(&self.plan);
        self.attempt = Some(Box::pin(async move { establish(&plan, attempt, None).await }));
    }

    fn state(&self, error: Option<Arc<ConnectError>>) -> ConnectionState {
        ConnectionState::Rotating {
            from: self.machine.used(),
            to: self.credentials.current().number,
            attempts: self.machine.attempts(),
            error,
        }
    }
}

fn newer(credentials: &Arc<dyn CredentialProvider>, after: u64) -> Boxed<Arc<Generation>> {
    let credentials = Arc::clone(credentials);
    Box::pin(async move { credentials.changed(after).await })
}

/// Whether the server spoke against us, so that another certificate may help.
fn refuses_us(error: &ConnectError) -> bool {
    let busy = match error.kind() {
        ConnectErrorKind::Refused { reason, .. } => matches!(
            reason,
            ReasonCode::ServerUnavailable
                | ReasonCode::ServerBusy
                | ReasonCode::QuotaExceeded
                | ReasonCode::ConnectionRateExceeded
        ),
        _ => false,
    };
    !busy && error.stage() >= Stage::Tls && error.side() == Side::Server
}

impl Driver {
    fn phase(&self) -> Phase {
        self.rotator.as_ref().map_or(Phase::Steady, |rotator| rotator.machine.phase())
    }

    pub(super) fn is_rotating(&self) -> bool {
        self.phase() != Phase::Steady
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.phase() == Phase::Leaving
    }

    /// There is no connection at the moment.
    pub(super) fn is_away(&self) -> bool {
        matches!(self.phase(), Phase::Waiting { .. } | Phase::Trying)
    }

    /// Whether there will be another connection after this end.
    pub(super) fn survives(&self, end: &End) -> bool {
        match self.phase() {
            Phase::Leaving => true,
            Phase::Finishing { .. } => match end {
                End::ConnectionLost | End::KeepAliveTimeout => true,
                End::PeerDisconnected(reason) => !matches!(
                    reason,
                    ReasonCode::SessionTakenOver | ReasonCode::UseAnotherServer | ReasonCode::ServerMoved
                ),
                _ => false,
            },
            _ => false,
        }
    }

    /// The machine has ended and the move goes on.
    pub(super) fn interrupt(&mut self, cause: DisconnectCause) {
        if let Some(rotator) = &mut self.rotator {
            rotator.machine.left();
            rotator.cause = Some(cause);
        }
    }

    /// Sees whether to move, and leaves when it is time. `true`: there is more to do at once.
    pub(super) fn rotate(&mut self, cx: &mut Context<'_>) -> bool {
        if self.ended {
            return false;
        }
        let Some(rotator) = &mut self.rotator else { return false };
        let now = self.link.now();
        let was_steady = rotator.machine.phase() == Phase::Steady;
        rotator.listen(cx, now);
        let idle = rotator.resubscribed.is_empty() && self.replies.is_idle() && self.link.backlog() == 0;
        let leaves = rotator.machine.leaves(now, idle);
        if was_steady && rotator.machine.phase() != Phase::Steady {
            let (from, to) = (rotator.machine.used(), rotator.credentials.current().number);
            tracing::info!(from, to, "moving to another certificate");
            self.channels.state.send_replace(rotator.state(None));
            self.tell(ConnectionEvent::Rotating { from, to });
        }
        if leaves {
            self.link.with(|machine, now| machine.disconnect(now, ReasonCode::NORMAL_DISCONNECTION, None));
        }
        leaves
    }

    /// Whether what had to be finished has just been.
    pub(super) fn has_finished(&self) -> bool {
        let Some(rotator) = &self.rotator else { return false };
        !self.ended
            && matches!(rotator.machine.phase(), Phase::Finishing { .. })
            && rotator.resubscribed.is_empty()
            && self.replies.is_idle()
            && self.link.backlog() == 0
    }

    /// Takes requests without handling them. `true`: there is more to do at once.
    pub(super) fn hold(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            let Some(rotator) = &mut self.rotator else { return true };
            // Never a reason to stop: behind them may be the wish to disconnect.
            if rotator.held.len() >= rotator.look_through {
                rotator.held.retain(|request| !request.is_abandoned());
                rotator.look_through = MAX_REQUESTS.max(2 * rotator.held.len());
            }
            match self.channels.requests.poll_recv(cx) {
                Poll::Ready(Some(request @ Request::Disconnect(_))) => self.stay(Some(request)),
                Poll::Ready(Some(request)) => rotator.held.push_back(request),
                Poll::Ready(None) => self.stay(None),
                Poll::Pending => return false,
            }
        }
    }

    /// The application leaves for good, or nobody is there any more: no coming back.
    fn stay(&mut self, request: Option<Request>) {
        let finishing = matches!(self.phase(), Phase::Finishing { .. });
        self.rotator = None;
        match request {
            Some(request) if finishing => self.request(request),
            Some(Request::Disconnect(command)) => {
                self.replies.disconnect(command.reply);
                self.end(DisconnectCause::requested());
            }
            // The next turn says goodbye.
            None if finishing => {}
            _ => self.end(DisconnectCause::requested()),
        }
    }

    /// Both sides have closed.
    pub(super) fn gone(&mut self) {
        let now = self.link.now();
        let session = self.link.take_session();
        self.link.hang_up();
        let Some(rotator) = &mut self.rotator else { return };
        let cause = rotator.cause.take().unwrap_or_else(DisconnectCause::requested);
        let Unanswered { subscribed, unsubscribed, pinged } = self.replies.interrupt(&cause);
        rotator.unanswered.subscribed.extend(subscribed);
        rotator.unanswered.unsubscribed.extend(unsubscribed);
        rotator.unanswered.pinged.extend(pinged);
        rotator.unmade.extend(rotator.resubscribed.drain().map(|(_, key)| key));
        rotator.session = session;
        rotator.machine.gone(now);
    }

    /// One turn without a connection.
    pub(super) fn poll_away(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.hold(cx);
        loop {
            let now = self.link.now();
            let clock = self.link.clock();
            let Some(rotator) = self.rotator.as_mut().filter(|_| !self.ended) else {
                self.replies.left();
                return Poll::Ready(());
            };
            rotator.listen(cx, now);
            if let Some(attempt) = &mut rotator.attempt {
                let Poll::Ready(outcome) = attempt.as_mut().poll(cx) else { return Poll::Pending };
                rotator.attempt = None;
                match outcome {
                    Ok(established) => {
                        self.back(established);
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    Err(failed) => self.failed(*failed),
                }
            } else if let Some(choice) = rotator.machine.tries(now) {
                let client_id = self.channels.info.borrow().client_id.clone();
                rotator.start(choice, clock, client_id);
            } else {
                if let Some(at) = rotator.machine.deadline() {
                    rotator.sleep.as_mut().reset(clock.instant(at));
                }
                if rotator.sleep.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
            }
        }
    }

    fn failed(&mut self, failed: Failed) {
        let Failed { error, session, generation, early } = failed;
        for happening in early {
            self.happened(happening);
        }
        let now = self.link.clock().now();
        let Some(rotator) = &mut self.rotator else { return };
        rotator.session = Some(session);
        let number = generation.map_or(0, |generation| generation.number);
        let refused = refuses_us(&error);
        let next = rotator.machine.failed(now.monotonic, now.wall.as_secs(), number, refused, clock::random());
        let attempts = rotator.machine.attempts();
        let error = Arc::new(error);
        let retry_in = match next {
            Next::Retry { wait } => Some(wait),
            Next::GiveUp => None,
        };
        tracing::warn!(%error, generation = number, attempts, ?retry_in, "could not come back with another certificate");
        self.channels.state.send_replace(rotator.state(Some(Arc::clone(&error))));
        let event =
            ConnectionEvent::RotationFailed { generation: number, attempts, error: Arc::clone(&error), retry_in };
        self.tell(event);
        if next == Next::GiveUp {
            self.end(DisconnectCause::rotation(error));
        }
    }

    /// There is a connection again.
    fn back(&mut self, established: Established) {
        let Established { link, info, generation, early } = established;
        self.link = link;
        let Some(rotator) = &mut self.rotator else { return };
        if let Some(generation) = generation {
            rotator.machine.resumed(generation.number, generation.identity.not_after());
            rotator.generation = generation;
        }
        // One that came while the server was being asked has not been used.
        rotator.newer = newer(&rotator.credentials, rotator.machine.known());
        let generation = rotator.generation.number;
        let unanswered = std::mem::take(&mut rotator.unanswered);
        let unmade = std::mem::take(&mut rotator.unmade);
        let held = std::mem::take(&mut rotator.held);
        let session_present = info.session_present;
        tracing::info!(generation, session_present, "connected with another certificate");
        self.channels.info.send_replace(Arc::clone(&info));
        self.channels.state.send_replace(ConnectionState::Connected(info));
        self.tell(ConnectionEvent::Rotated { generation, session_present });
        for happening in early {
            self.happened(happening);
        }
        if session_present {
            let unmade = unmade.into_iter().filter_map(|key| self.router.one(key)).collect();
            self.subscribe_again(unmade);
        } else {
            self.tell(ConnectionEvent::SessionLost);
            let waiting = |key| unanswered.subscribed.iter().any(|(waiting, _)| *waiting == key);
            let lost = self.router.all().into_iter().filter(|again| !waiting(again.key)).collect();
            self.subscribe_again(lost);
        }
        self.ask_again(unanswered);
        self.link.release();
        for request in held {
            self.request(request);
        }
    }

    fn tell(&self, event: ConnectionEvent) {
        // Nobody may listen.
        let _ = self.channels.events.send(event);
    }
}
