//! Enhanced authentication (MQTT 5.0 §4.12): challenges and responses.

use std::fmt;

use gridmq_proto::time::Wall;

use super::{Proof, Refusal};

/// One enhanced authentication of one client, at CONNECT or later (MQTT 5.0 §4.12). Made by
/// [`Rules::exchange`](super::Rules::exchange), dropped with its connection.
pub trait Exchange: Send + fmt::Debug {
    /// Answers the Authentication Data of the CONNECT or of the next AUTH. Called on the hot path: it must not block.
    fn step(&mut self, data: Option<&[u8]>, now: Wall) -> Step;
}

/// What comes after one step.
#[derive(Debug)]
#[allow(clippy::exhaustive_enums, reason = "the standard has these three")]
pub enum Step {
    /// The client gets AUTH 0x18 (Continue authentication) and has to answer.
    Continue {
        /// Authentication Data for it.
        data: Option<Vec<u8>>,
    },
    /// The client has proven what the method proves. Rules judge it now with the proof: by
    /// [`admit`](super::Rules::admit) at CONNECT, by [`reauthenticate`](super::Rules::reauthenticate) later.
    Proven {
        /// What was proven.
        proof: Proof,
        /// Authentication Data for the CONNACK, or for the AUTH that ends a re-authentication.
        data: Option<Vec<u8>>,
    },
    /// It has not.
    Refused(Refusal),
}
