//! Enhanced authentication of one connection: the exchange of its CONNECT, and those that follow before what was shown
//! runs out. No I/O, no clock; the authenticator's futures are polled here.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use gridmq_proto::codec::encoded_len;
use gridmq_proto::packet::{Auth, AuthProperties, ConnAckProperties};
use gridmq_proto::time::{Monotonic, Now};
use gridmq_proto::{Packet, ReasonCode, Version};

use super::renewal::{self, Moment};
use super::{Authenticator, BoxFuture, Challenge, Grant};
use crate::error::{AuthError, AuthErrorKind};
use crate::profile::Profile;

/// How long the authenticator may take for a step, once connected.
const STEP: Duration = Duration::from_secs(30);
/// The shortest time between two of them, however short a life what is shown has: no source, broken or not, makes the
/// client ask without pause.
const LEAST_RENEWAL: Duration = Duration::from_secs(10);
/// How long a re-authentication may take from AUTH 0x19 on.
const WHOLE: Duration = Duration::from_secs(30);

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Act {
    /// To be sent.
    Send(Auth),
    /// Both sides have agreed.
    Established {
        /// On a connection that was up already.
        again: bool,
    },
    /// Nothing new to show can be had. What is in use holds on.
    Retrying {
        error: AuthError,
        /// Absent: what is in use has run out, and the server decides.
        retry_in: Option<Duration>,
    },
    /// The connection, or the attempt to make one, is to be ended.
    Failed(AuthError),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// CONNECT is on its way or answered by AUTH.
    Greeting,
    Up,
    /// Something new to show is being asked for.
    Renewing,
    /// AUTH 0x19 was sent.
    Again,
    Over,
}

enum Work {
    Begin(BoxFuture<'static, Result<Grant, AuthError>>),
    Answer(BoxFuture<'static, Result<Grant, AuthError>>),
    Finish(BoxFuture<'static, Result<(), AuthError>>),
}

enum Done {
    Begun(Result<Grant, AuthError>),
    Answered(Result<Grant, AuthError>),
    Finished(Result<(), AuthError>),
}

impl Work {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Done> {
        fn poll<T>(future: &mut BoxFuture<'static, T>, cx: &mut Context<'_>) -> Poll<T> {
            Pin::new(future).poll(cx)
        }
        match self {
            Self::Begin(future) => poll(future, cx).map(Done::Begun),
            Self::Answer(future) => poll(future, cx).map(Done::Answered),
            Self::Finish(future) => poll(future, cx).map(Done::Finished),
        }
    }
}

/// [`Exchange`] as the driver knows it. A trait, so that a program without an authenticator does not carry it.
pub(crate) trait Exchanging: fmt::Debug + Send {
    /// The server accepts the connection.
    fn on_connack(&mut self, properties: &ConnAckProperties);

    /// The server sent an AUTH.
    fn on_auth(&mut self, auth: Auth);

    /// When to poll again, if nothing happens before.
    fn deadline(&self) -> Option<Monotonic>;

    /// The next thing to do. `random`, in 0..1, spreads renewals. To be called again until it is pending, then when it
    /// wakes, after [`on_auth`](Self::on_auth) and [`on_connack`](Self::on_connack), and at
    /// [`deadline`](Self::deadline).
    fn poll(&mut self, cx: &mut Context<'_>, now: Now, random: f64) -> Poll<Act>;
}

/// An exchange, and what the CONNECT is to show.
pub(crate) type Begun = (Box<dyn Exchanging>, Option<Bytes>);

/// Enhanced authentication of one connection.
///
/// ```text
///  begun() ─▶ Greeting ─ on_connack() ─▶ Up ─ lead before expiry ─▶ Renewing ─▶ Again ─ on_auth(0x00) ─▶ Up
///               │  ▲                     ▲                             │         │  ▲
///               └──┘ on_auth(0x18)       └───── no new data: retry ────┘         └──┘ on_auth(0x18)
/// ```
pub(crate) struct Exchange {
    authenticator: Arc<dyn Authenticator>,
    /// What the service refuses.
    profile: Profile,
    phase: Phase,
    /// What the authenticator does just now; at most one thing.
    work: Option<Work>,
    /// Until when work and server may take.
    until: Option<Monotonic>,
    /// When what was shown last runs out.
    shown: Option<SystemTime>,
    /// When what the server has accepted runs out.
    expires: Option<(SystemTime, Moment)>,
    renew: Option<Moment>,
    /// To renew failed so many times in a row.
    failures: u32,
    maximum_packet_size: Option<u32>,
    failed: Option<AuthError>,
}

impl Exchange {
    /// The same behind the trait.
    pub(super) fn begin(
        authenticator: Arc<dyn Authenticator>,
        grant: Grant,
        profile: Profile,
        now: Now,
    ) -> Result<Begun, AuthError> {
        let (exchange, data) = Self::begun(authenticator, grant, profile, now)?;
        Ok((Box::new(exchange), data))
    }

    /// With what the authenticator has given to begin with; the data are the CONNECT's.
    ///
    /// # Errors
    /// When that has run out already, or the service does not take it.
    pub(crate) fn begun(
        authenticator: Arc<dyn Authenticator>,
        grant: Grant,
        profile: Profile,
        now: Now,
    ) -> Result<(Self, Option<Bytes>), AuthError> {
        let exchange = Self {
            authenticator,
            profile,
            phase: Phase::Greeting,
            work: None,
            until: None,
            shown: grant.expires_at,
            expires: None,
            renew: None,
            failures: 0,
            maximum_packet_size: None,
            failed: None,
        };
        let fits = AuthProperties { authentication_data: grant.data.clone(), ..AuthProperties::default() };
        match exchange.usable(&grant, now).and_then(|()| exchange.check(&fits)) {
            Ok(()) => Ok((exchange, grant.data)),
            Err(kind) => Err(exchange.error(kind)),
        }
    }

    /// The server is content. It need not wait for an answer that was under way.
    fn finish(&mut self, last: Auth) {
        if self.phase != Phase::Over {
            let authenticator = Arc::clone(&self.authenticator);
            let last = Challenge::new(last);
            self.work = Some(Work::Finish(Box::pin(async move { authenticator.finish(last).await })));
        }
    }

    fn done(&mut self, done: Done, now: Now, random: f64) -> Act {
        match done {
            Done::Begun(Ok(grant)) => {
                let shown = grant.expires_at;
                let auth = self.newer(&grant, now).and_then(|()| self.auth(grant, ReasonCode::ReAuthenticate));
                match auth {
                    Ok(auth) => {
                        self.phase = Phase::Again;
                        self.until = Some(now.monotonic.after(WHOLE));
                        self.shown = shown;
                        Act::Send(auth)
                    }
                    Err(kind) => {
                        let error = self.error(kind);
                        self.retry(error, now, random)
                    }
                }
            }
            Done::Begun(Err(error)) => self.retry(error, now, random),
            Done::Answered(Ok(grant)) => {
                self.shown = grant.expires_at.or(self.shown);
                match self.auth(grant, ReasonCode::ContinueAuthentication) {
                    Ok(auth) => Act::Send(auth),
                    Err(kind) => self.fail(self.error(kind)),
                }
            }
            Done::Answered(Err(error)) | Done::Finished(Err(error)) => self.fail(error),
            Done::Finished(Ok(())) => self.established(now, random),
        }
    }

    fn established(&mut self, now: Now, random: f64) -> Act {
        let again = self.phase != Phase::Greeting;
        self.phase = Phase::Up;
        self.until = None;
        self.failures = 0;
        self.expires = self.shown.map(|at| (at, Moment::at(now, at)));
        self.renew = self.shown.map(|at| {
            let life = renewal::until(now, at);
            Moment::after(now, life.saturating_sub(renewal::lead(life, random)).max(LEAST_RENEWAL))
        });
        Act::Established { again }
    }

    fn late(&mut self, now: Now, random: f64) -> Act {
        let waits_for_us = self.work.take().is_some();
        self.until = None;
        let error = self.error(if waits_for_us {
            AuthErrorKind::Slow { after: STEP }
        } else {
            AuthErrorKind::NoAnswer { after: WHOLE }
        });
        match self.phase {
            Phase::Renewing => self.retry(error, now, random),
            _ => self.fail(error),
        }
    }

    fn retry(&mut self, error: AuthError, now: Now, random: f64) -> Act {
        self.phase = Phase::Up;
        self.until = None;
        self.failures = self.failures.saturating_add(1);
        let left = self.expires.map_or(Duration::ZERO, |(_, at)| at.left(now));
        let retry_in = renewal::retry(self.failures, left, random);
        self.renew = retry_in.map(|after| Moment::after(now, after));
        Act::Retrying { error, retry_in }
    }

    fn fail(&mut self, error: AuthError) -> Act {
        self.phase = Phase::Over;
        self.work = None;
        self.until = None;
        self.renew = None;
        Act::Failed(error)
    }

    fn usable(&self, grant: &Grant, now: Now) -> Result<(), AuthErrorKind> {
        let ago = grant.expires_at.and_then(|at| renewal::system_time(now.wall).duration_since(at).ok());
        match ago {
            Some(ago) => Err(AuthErrorKind::Expired { ago }),
            None => Ok(()),
        }
    }

    /// Whether it is of use to show it.
    fn newer(&self, grant: &Grant, now: Now) -> Result<(), AuthErrorKind> {
        self.usable(grant, now)?;
        match (grant.expires_at, self.expires) {
            (Some(new), Some((old, _))) if new <= old => Err(AuthErrorKind::NotNewer),
            _ => Ok(()),
        }
    }

    fn auth(&self, grant: Grant, reason: ReasonCode) -> Result<Auth, AuthErrorKind> {
        let auth = grant.into_auth(reason, self.authenticator.method());
        self.check(&auth.properties)?;
        let packet = Packet::Auth(Box::new(auth));
        let size =
            encoded_len(&packet, Version::V5).map_err(|_| AuthErrorKind::Answer("it does not fit in an AUTH"))?;
        match (packet, self.maximum_packet_size) {
            (_, Some(maximum)) if size > maximum as usize => Err(AuthErrorKind::PacketTooLarge { size, maximum }),
            (Packet::Auth(auth), _) => Ok(*auth),
            _ => Err(AuthErrorKind::Answer("it does not fit in an AUTH")),
        }
    }

    fn check(&self, properties: &AuthProperties) -> Result<(), AuthErrorKind> {
        self.profile.check_auth(properties).map_err(|error| AuthErrorKind::Service(error.to_string()))
    }

    fn error(&self, kind: AuthErrorKind) -> AuthError {
        AuthError::new(format!("the method {}", self.authenticator.method()), kind)
    }
}

impl Exchanging for Exchange {
    fn on_connack(&mut self, properties: &ConnAckProperties) {
        self.maximum_packet_size = properties.maximum_packet_size.map(u32::from);
        let properties = AuthProperties {
            authentication_method: properties.authentication_method.clone(),
            authentication_data: properties.authentication_data.clone(),
            reason_string: properties.reason_string.clone(),
            user_properties: properties.user_properties.clone(),
        };
        self.finish(Auth { reason: ReasonCode::Success, properties });
    }

    fn on_auth(&mut self, auth: Auth) {
        match (self.phase, auth.reason) {
            (Phase::Greeting | Phase::Again, ReasonCode::ContinueAuthentication) if self.work.is_none() => {
                let authenticator = Arc::clone(&self.authenticator);
                let challenge = Challenge::new(auth);
                self.work = Some(Work::Answer(Box::pin(async move { authenticator.answer(challenge).await })));
            }
            (Phase::Again, ReasonCode::Success) => self.finish(auth),
            (Phase::Over, _) => {}
            (_, reason) => self.failed = Some(self.error(AuthErrorKind::OutOfTurn(reason))),
        }
    }

    fn deadline(&self) -> Option<Monotonic> {
        let renew = self.renew.filter(|_| self.phase == Phase::Up).map(Moment::monotonic);
        [self.until, renew].into_iter().flatten().min()
    }

    fn poll(&mut self, cx: &mut Context<'_>, now: Now, random: f64) -> Poll<Act> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(self.fail(error));
        }
        loop {
            if let Some(work) = &mut self.work {
                if let Poll::Ready(done) = work.poll(cx) {
                    self.work = None;
                    return Poll::Ready(self.done(done, now, random));
                }
                // Up to CONNACK the connect timeout runs.
                let connected = self.phase != Phase::Greeting || matches!(work, Work::Finish(_));
                if connected && self.until.is_none() {
                    self.until = Some(now.monotonic.after(STEP));
                }
            }
            if self.until.is_some_and(|until| until <= now.monotonic) {
                return Poll::Ready(self.late(now, random));
            }
            if self.phase != Phase::Up || !self.renew.is_some_and(|at| at.is_past(now)) {
                return Poll::Pending;
            }
            let authenticator = Arc::clone(&self.authenticator);
            self.work = Some(Work::Begin(Box::pin(async move { authenticator.begin().await })));
            self.phase = Phase::Renewing;
            self.until = Some(now.monotonic.after(STEP));
        }
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("authenticator", &self.authenticator)
            .field("phase", &self.phase)
            .field("expires", &self.expires)
            .field("failures", &self.failures)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
