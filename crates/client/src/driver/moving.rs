//! Moving to another certificate.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use gridmq_proto::ReasonCode;
use gridmq_proto::packet::DisconnectProperties;
use gridmq_proto::time::Monotonic;

use super::{Boxed, Driver};
use crate::error::ConnectError;
use crate::events::ConnectionEvent;
use crate::lifecycle::{Choice, Phase};
use crate::secure::{CredentialProvider, Generation};
use crate::state::ConnectionState;

/// The generations of the client's certificate.
pub(super) struct Certificates {
    credentials: Arc<dyn CredentialProvider>,
    /// The generation of the connection that is, or was before.
    used: Arc<Generation>,
    /// The one of the latest attempt.
    tried: Arc<Generation>,
    newer: Boxed<Arc<Generation>>,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("used", &self.used.number).finish_non_exhaustive()
    }
}

impl Certificates {
    pub(super) fn new(credentials: Arc<dyn CredentialProvider>) -> Self {
        let used = credentials.current();
        let newer = newer(&credentials, used.number);
        Self { credentials, tried: Arc::clone(&used), used, newer }
    }

    pub(super) fn number(&self) -> u64 {
        self.used.number
    }

    /// The generation of the latest attempt.
    pub(super) fn tried(&self) -> u64 {
        self.tried.number
    }

    /// The generation for an attempt.
    pub(super) fn choose(&mut self, choice: Choice) -> Arc<Generation> {
        self.tried = match choice {
            Choice::Newest => self.credentials.current(),
            Choice::Old => Arc::clone(&self.used),
        };
        Arc::clone(&self.tried)
    }

    /// The server has accepted this one. Generations up to `known` are no news.
    pub(super) fn accepted(&mut self, generation: Arc<Generation>, known: u64) {
        self.used = generation;
        // One that came while the server was being asked has not been used.
        self.newer = newer(&self.credentials, known);
    }
}

fn newer(credentials: &Arc<dyn CredentialProvider>, after: u64) -> Boxed<Arc<Generation>> {
    let credentials = Arc::clone(credentials);
    Box::pin(async move { credentials.changed(after).await })
}

impl Driver {
    /// Looks for a newer generation, and has its coming wake the task.
    pub(super) fn listen(&mut self, cx: &mut Context<'_>, now: Monotonic) {
        let Some(certificates) = &mut self.certificates else { return };
        while let Poll::Ready(generation) = certificates.newer.as_mut().poll(cx) {
            self.life.arrived(now, generation.number);
            certificates.newer = newer(&certificates.credentials, generation.number);
        }
    }

    /// Sees whether to move, and leaves when it is time. `true`: there is more to do at once.
    pub(super) fn rotate(&mut self, cx: &mut Context<'_>) -> bool {
        if self.ended || self.certificates.is_none() {
            return false;
        }
        let now = self.link.now();
        let was_up = self.life.phase() == Phase::Up;
        self.listen(cx, now);
        let idle = self.is_idle();
        let leaves = self.life.leaves(now, idle);
        if was_up && self.life.phase() != Phase::Up {
            let (from, to) = (self.life.used(), self.newest());
            self.set_state(self.rotating(None));
            self.tell(ConnectionEvent::Rotating { from, to });
        }
        if leaves {
            self.link.with(|machine, now| {
                machine.disconnect(now, ReasonCode::NORMAL_DISCONNECTION, DisconnectProperties::default());
            });
        }
        leaves
    }

    pub(super) fn rotating(&self, error: Option<ConnectError>) -> ConnectionState {
        let (from, to, attempts) = (self.life.used(), self.newest(), self.life.attempts());
        ConnectionState::Rotating { from, to, attempts, error }
    }

    fn newest(&self) -> u64 {
        self.certificates.as_ref().map_or(0, |certificates| certificates.credentials.current().number)
    }

    fn is_idle(&self) -> bool {
        self.asking.is_empty() && self.replies.is_idle() && self.link.backlog() == 0
    }

    /// Whether what had to be finished has just been.
    pub(super) fn has_finished(&self) -> bool {
        !self.ended && matches!(self.life.phase(), Phase::Finishing { .. }) && self.is_idle()
    }
}
