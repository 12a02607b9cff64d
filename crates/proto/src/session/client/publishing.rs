//! Messages of the client: taken, and given up before they are sent.

use super::{Connection, Event, Outgoing, RequestError, Session, State};
use crate::session::outputs::Outputs;
use crate::session::{Admitted, Position};
use crate::time::{Now, Wall};

impl Connection {
    /// Publishes a message: what the server said that it does not take is refused before a byte is sent.
    ///
    /// # Errors
    /// The limit that stands in the way, or [`RequestError::NotConnected`] for QoS 0 without a connection unless the
    /// session [queues it](Session::queue_at_most_once).
    pub fn publish(&mut self, now: Now, outgoing: Outgoing) -> Result<Admitted, RequestError> {
        self.publish_if(now, now.wall, outgoing, || true)
    }

    /// As [`publish`](Self::publish), a message that was made at `made`: its expiry counts from then on. `wanted` is
    /// asked when nothing stands in its way any more; where it is not wanted, it is [`Admitted::Dropped`].
    ///
    /// # Errors
    /// Also [`RequestError::Expired`] where it is over already.
    pub fn publish_if(
        &mut self,
        now: Now,
        made: Wall,
        outgoing: Outgoing,
        wanted: impl FnOnce() -> bool,
    ) -> Result<Admitted, RequestError> {
        self.now = now;
        match &mut self.state {
            State::Connected(connected) => {
                connected.publish(now, made, outgoing, self.config.connect.version, wanted, &mut self.out)
            }
            State::ExpectConnAck(session) | State::Closed(Some(session)) => {
                session.publish(now.wall, made, outgoing, wanted, &mut self.out)
            }
            State::Closed(None) => Err(RequestError::NotConnected),
        }
    }

    fn session_and_out(&mut self) -> Option<(&mut Session, &mut Outputs<Event>)> {
        let session = match &mut self.state {
            State::ExpectConnAck(session) | State::Closed(Some(session)) => session,
            State::Connected(connected) => &mut connected.session,
            State::Closed(None) => return None,
        };
        Some((session, &mut self.out))
    }

    /// Gives up the oldest of the messages that wait and have never been sent; its position. [`Event::Published`]
    /// follows.
    pub fn evict_oldest(&mut self) -> Option<Position> {
        let (session, out) = self.session_and_out()?;
        session.evict(true, out)
    }

    /// As [`evict_oldest`](Self::evict_oldest), the newest.
    pub fn evict_newest(&mut self) -> Option<Position> {
        let (session, out) = self.session_and_out()?;
        session.evict(false, out)
    }

    /// Gives up messages that wait and have expired; [`Event::Published`] follows for each.
    pub fn give_up_expired(&mut self, now: Now) {
        if let Some((session, out)) = self.session_and_out() {
            session.give_up_expired(now.wall, out);
        }
    }
}
