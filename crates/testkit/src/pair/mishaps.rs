//! What befalls a pair beyond loss and crashes: a server that forgets the session, and clocks that jump.

use std::time::Duration;

use gridmq_proto::QoS;

use super::actions::Action;
use super::{Pair, Side};

impl Pair {
    /// The server loses the session, memory and store, and with it the connection. What its owner did stays done.
    pub fn lose_session(&mut self) {
        self.cut();
        let numbers: Vec<_> = self.servers.iter().map(|it| it.number).collect();
        for number in numbers {
            self.lost.insert(number);
            self.after(Duration::ZERO, Action::Close { at: Side::Client, number });
        }
        self.servers.clear();
        self.server_session = None;
        self.journal(Side::Server).forget();
        self.wire(Side::Server).connect(None, false);
        // Until the client has heard of it, nothing is promised.
        self.losses = self.published.keys().map(|side| (*side, usize::MAX)).collect();
        self.unheard = true;
    }

    /// The client has got CONNACK.
    pub(super) fn welcomes(&mut self, session_present: bool) {
        // A CONNACK that is lost takes the news with it: the next one says that there is a session, the new one, and the
        // client cannot know. No client can, so such a life is not judged any further.
        if !session_present && std::mem::take(&mut self.unheard) {
            self.losses = self.published.iter().map(|(side, published)| (*side, published.len())).collect();
        }
    }

    /// Whether the client never heard that the server lost the session.
    pub fn is_in_the_dark(&self) -> bool {
        self.unheard
    }

    /// Time passes and nobody was awake: whatever was due is late.
    pub fn jump(&mut self, by: Duration) {
        self.go_to(self.now.monotonic.after(by));
    }

    /// Somebody sets the clock on the wall.
    pub fn set_wall_clock(&mut self, off_by_millis: i64) {
        self.skew = off_by_millis;
        self.go_to(self.now.monotonic);
    }

    /// Packet identifiers that the client still holds for messages of its own, and messages that it keeps.
    pub fn client_load(&self) -> (usize, usize) {
        let unacknowledged = self.wires[&Side::Client].unacknowledged();
        let kept = self.client_session.as_ref().map_or(0, |session| session.load().0);
        (unacknowledged, kept)
    }

    /// As [`Self::check`], where the server has lost the session: what the client published arrives all the same, at
    /// QoS 2 perhaps twice; of what the server published, what it had not delivered is lost, and nothing comes twice at
    /// QoS 2. From the last loss on, all is as it should be.
    ///
    /// # Panics
    /// If it is not so.
    pub fn check_after_losses(&self) {
        for (sender, receiver) in [(Side::Client, Side::Server), (Side::Server, Side::Client)] {
            let took = self.journals[&receiver].took();
            let forgotten = &self.journals[&sender].forgotten;
            let since = self.losses.get(&sender).copied().unwrap_or(0);
            let dark = sender == Side::Server && self.unheard;
            for (index, (payload, qos)) in self.published[&sender].iter().enumerate() {
                let times = took.iter().filter(|it| **it == payload).count();
                let fits = match (qos, sender, index >= since) {
                    (QoS::AtMostOnce, ..) => times <= 1,
                    // Lost in a crash before it was safe.
                    _ if forgotten.contains(payload) => times == 0,
                    (QoS::AtLeastOnce, _, true) | (_, Side::Client, false) => times >= 1,
                    (QoS::ExactlyOnce, _, true) => times == 1,
                    (QoS::AtLeastOnce, Side::Server, false) => true,
                    (QoS::ExactlyOnce, Side::Server, false) => times <= 1 || dark,
                };
                assert!(
                    fits,
                    "seed {}: {payload} (of {since} before the last loss) at {qos:?} was taken {times} times",
                    self.settings.seed
                );
            }
            self.check_order(sender, receiver);
        }
    }
}
