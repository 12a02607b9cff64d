//! A connection that was up has ended: why, and where to go from there.

use gridmq_proto::ReasonCode;

use super::Driver;
use super::authenticating::Authentication;
use crate::address::{Address, Carrier};
use crate::clock;
use crate::error::{DisconnectCause, Ending, quoted};
use crate::events::ConnectionEvent;
use crate::lifecycle::{Judgement, Next, Phase};
use crate::reconnect::{Failure, FailureKind};
use crate::state::{ConnectionState, Setback};

/// The longest name of a host, in bytes (RFC 1035 §2.3.4).
const MAX_NAME: usize = 255;

/// The first server of a reference, reached as the one is that named it (MQTT 5.0 §4.11); or why not.
fn elsewhere(reference: &str, named_by: &Address) -> Result<Address, String> {
    let first = reference.split_ascii_whitespace().next().unwrap_or_default();
    let scheme = match (&named_by.carrier, named_by.tls) {
        (Carrier::WebSocket { .. }, true) => "wss",
        (Carrier::WebSocket { .. }, false) => "ws",
        (Carrier::Tcp, true) => "mqtts",
        (Carrier::Tcp, false) => "mqtt",
        // A name leads away from this machine, and nobody has allowed user name and password to go there in clear.
        (Carrier::Unix, _) => {
            return Err("it is on a Unix socket, which does not say how others are reached".to_owned());
        }
    };
    let Address { host, port, .. } =
        Address::parse(&format!("{scheme}://{first}")).map_err(|error| error.to_string())?;
    if host.len() > MAX_NAME {
        return Err(format!("the name has {} bytes, and no host's name has more than {MAX_NAME}", host.len()));
    }
    Ok(Address { host, port, ..named_by.clone() })
}

impl Driver {
    /// A connection that was up has ended; both sides have still to close.
    pub(super) fn connection_ended(&mut self, ending: Ending) {
        let failed = self.authentication.take().and_then(Authentication::into_error);
        let cause = failed.map_or_else(|| DisconnectCause::new(ending), DisconnectCause::auth);
        if self.ended {
            return;
        }
        if cause.is_requested() && self.life.phase() != Phase::Leaving {
            return self.end(cause);
        }
        self.absence.cause = Some(cause);
        self.life.ended();
    }

    /// Both sides have closed a connection that was up.
    pub(super) fn gone(&mut self) {
        let cause = self.absence.cause.take().unwrap_or_else(DisconnectCause::requested);
        let failure = Failure { kind: FailureKind::Lost(&cause), attempts: self.life.rounds() };
        let mut judgement = Judgement { retries: cause.is_requested(), ..Judgement::default() };
        if self.life.is_steady(self.link.now()) {
            self.redirects = 0;
        }
        if !cause.is_requested() {
            let verdict = self.plan.reconnect.decide(&failure);
            self.user = verdict.user.or_else(|| self.user.take());
            judgement.retries = verdict.retries;
            judgement.after = verdict.after;
            judgement.refused = !verdict.stops && cause.reason() == Some(ReasonCode::NotAuthorized);
            judgement.redirected = !verdict.stops && self.follow(cause.server_reference(), cause.reason());
        }
        self.redirected(judgement.redirected);
        let moving = self.life.is_moving();
        let wait = match self.life.gone(self.link.now(), judgement, clock::random()) {
            Next::Retry { wait } => wait,
            Next::GiveUp => return self.end(cause),
        };
        self.link.hang_up();
        // Messages of QoS 1 and 2 go on with the session.
        self.lose_unwritten(&cause);
        self.absence.pinged.extend(self.replies.interrupt());
        self.absence.unanswered.extend(self.asking.interrupt());
        if moving {
            return;
        }
        let retry_at = self.clock.instant(self.link.now().after(wait));
        self.set_state(ConnectionState::Waiting { why: Setback::Lost(cause.clone()), attempts: 0, retry_at });
        self.tell(ConnectionEvent::Lost { cause, retry_in: wait });
    }

    /// What is no redirect ends a chain of them: it is waited for, or it is the application's wish.
    pub(super) fn redirected(&mut self, redirected: bool) {
        if !redirected {
            self.redirects = 0;
        }
    }

    /// Whether the server sends us elsewhere, and we go.
    pub(super) fn follow(&mut self, reference: Option<&str>, reason: Option<ReasonCode>) -> bool {
        let named = matches!(reason, Some(ReasonCode::UseAnotherServer | ReasonCode::ServerMoved));
        let Some(reference) = reference.filter(|_| named && self.redirects < self.plan.reconnect.redirects) else {
            return false;
        };
        let Some(named_by) = &self.dialled else { return false };
        match elsewhere(reference, named_by) {
            Ok(address) => {
                tracing::info!(server = quoted(&address.shown()), "the server names another");
                self.redirects += 1;
                self.redirect = Some(address);
                true
            }
            Err(error) => {
                tracing::warn!(error = quoted(&error), "the server names another that cannot be used");
                false
            }
        }
    }
}
