//! Enhanced authentication of the connection that is, and of the one that is being made.

use std::task::{Context, Poll};

use gridmq_proto::ReasonCode;
use gridmq_proto::packet::{Auth, ConnAck, DisconnectProperties};
use gridmq_proto::time::Monotonic;

use super::Driver;
use crate::auth::{Act, Exchanging};
use crate::clock;
use crate::error::AuthError;
use crate::events::ConnectionEvent;
use crate::lifecycle::Phase;

#[derive(Debug)]
pub(super) struct Authentication {
    exchange: Box<dyn Exchanging>,
    /// The server accepts us; whether we accept the server is being looked at.
    welcome: Option<ConnAck>,
    /// Why the connection is being ended.
    error: Option<AuthError>,
}

impl Authentication {
    pub(super) fn new(exchange: Box<dyn Exchanging>) -> Self {
        Self { exchange, welcome: None, error: None }
    }

    pub(super) fn into_error(self) -> Option<AuthError> {
        self.error
    }
}

impl Driver {
    /// The server sent an AUTH; it does so only where a method was asked for.
    pub(super) fn authentication_goes_on(&mut self, auth: Auth) {
        if let Some(authentication) = &mut self.authentication {
            authentication.exchange.on_auth(auth);
        }
    }

    /// The server accepts the connection.
    pub(super) fn welcomed(&mut self, ack: ConnAck) {
        match &mut self.authentication {
            Some(authentication) => {
                self.absence.session_lost |= !ack.session_present;
                authentication.exchange.on_connack(&ack.properties);
                authentication.welcome = Some(ack);
            }
            None => self.accepted(ack),
        }
    }

    pub(super) fn authentication_deadline(&self) -> Option<Monotonic> {
        self.authentication.as_ref()?.exchange.deadline()
    }

    /// `true`: there is more to do at once.
    pub(super) fn authenticate(&mut self, cx: &mut Context<'_>) -> bool {
        let before = self.authentication_deadline();
        let mut acted = false;
        while let Some(authentication) = &mut self.authentication {
            let random = clock::fraction();
            let Poll::Ready(act) = authentication.exchange.poll(cx, self.clock.now(), random) else { break };
            acted = true;
            match act {
                Act::Send(auth) => self.link.with(|machine, now| machine.auth(now, auth)),
                Act::Established { again: true } => self.tell(ConnectionEvent::Reauthenticated),
                Act::Established { again: false } => {
                    if let Some(ack) = authentication.welcome.take() {
                        self.accepted(ack);
                    }
                }
                Act::Retrying { error, retry_in } => {
                    self.tell(ConnectionEvent::ReauthenticationFailed { error, retry_in });
                }
                Act::Failed(error) => {
                    authentication.error = Some(error);
                    self.end_unauthenticated();
                    break;
                }
            }
        }
        acted || before != self.authentication_deadline()
    }

    /// A failed exchange ends the connection [MQTT-4.12.1-2]. A server that has not proved who it is gets no DISCONNECT
    /// either: that is not required of us, and would not keep back a will, as its reason is a failure.
    fn end_unauthenticated(&mut self) {
        if self.life.phase() != Phase::Greeting && self.link.machine().is_connected() {
            let properties = DisconnectProperties::default();
            self.link.with(|machine, now| machine.disconnect(now, ReasonCode::UnspecifiedError, properties));
        } else {
            self.link.hang_up();
        }
    }
}
