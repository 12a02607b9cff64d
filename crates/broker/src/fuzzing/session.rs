//! Whole sessions from any bytes: several connections to a broker without sockets, on a clock that the bytes move.
//!
//! Only for tests and with the feature `measure`, and no part of the API. The bytes choose what happens: valid packets,
//! damaged ones and no packets at all, answers as a client gives them, connections that end or are not read from, time
//! that passes. Whatever they are: the broker does not panic and comes to rest; what it holds then is within its limits;
//! it sends nothing that the standard does not let it send; who publishes steadily is answered; what was acknowledged
//! with QoS 1 or 2 reaches the one who subscribed to everything, in order, of QoS 2 once; witnesses are served in the
//! end; and when everybody has gone, everything is forgotten.
#![allow(
    missing_docs,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test's tool"
)]

mod good;
mod ledger;
mod packets;
mod peer;
mod rules;
mod stage;
#[cfg(test)]
mod tests;

use std::time::Duration;

use gridmq_proto::QoS;
use packets::Source;
use stage::Stage;

/// Those whom the bytes move.
const PEERS: usize = 6;
/// The keeper's places, on different workers.
const KEEPERS: [usize; 3] = [PEERS, PEERS + 1, PEERS + 2];
const STEADY: usize = PEERS + 3;
/// On different workers.
const WITNESSES: [usize; 2] = [PEERS + 4, PEERS + 5];
const ALL: usize = PEERS + 6;

/// What came of a broker's life.
#[derive(Debug, Default, Clone, Copy)]
#[non_exhaustive]
pub struct Life {
    /// Messages of QoS 1 and 2 that were acknowledged.
    pub acknowledged: usize,
    /// Messages that came to the one who gets everything.
    pub arrived: usize,
}

/// One broker's life as `bytes` have it.
pub fn broker_session(bytes: &[u8]) -> Life {
    let mut source = Source::new(bytes);
    let how = source.byte();
    let mut stage = Stage::new(how & 1 == 0, how & 2 == 0);
    stage.begin();
    // Whatever was in a packet that was damaged.
    let mut exact = true;
    while !source.is_empty() {
        let peer = usize::from(source.byte()) % PEERS;
        let what = source.byte() % 22;
        if what < 10 && !stage.is_open(peer) {
            stage.open(peer);
            let connect = source.connect();
            stage.introduce(peer, &connect);
        }
        match what {
            0..=8 => {
                let packet = source.packet(stage.version(peer));
                stage.send(peer, &packet);
            }
            9 => {
                exact = false;
                let version = stage.version(peer);
                let mut damaged = packets::encoded(&source.packet(version), version);
                source.damage(&mut damaged);
                stage.send_anything(peer, &damaged);
            }
            10 => {
                exact = false;
                stage.open(peer);
                let raw = source.raw();
                stage.send_anything(peer, &raw);
            }
            11 => stage.hang_up(peer),
            12 => stage.advance(source.time()),
            13 => stage.answer(peer),
            14 => (0..PEERS).for_each(|peer| stage.answer(peer)),
            // Something comes in pieces, between which others act.
            15 if !stage.is_open(peer) => {
                let connect = source.connect();
                stage.introduce_slowly(peer, connect, usize::from(source.byte()));
            }
            15 => {
                let packet = source.packet(stage.version(peer));
                stage.hold_back(peer, &packet, usize::from(source.byte()));
            }
            16 => {
                let peer = stage.peer(peer);
                peer.stalled = !peer.stalled;
            }
            17..=18 => stage.publish_steadily(["x", "x/y"][peer % 2], [QoS::AtLeastOnce, QoS::ExactlyOnce][peer / 3]),
            19 => stage.lose_keeper(),
            20 => stage.return_keeper(peer),
            _ => stage.stall_keeper(),
        }
        match source.byte() {
            // Several things happen before anything comes of them.
            way @ 0..=80 => drop(stage.carry(way)),
            81..=120 => {}
            _ => stage.settle(),
        }
    }
    stage.settle();
    stage.witness();
    stage.end();
    (0..PEERS).for_each(|peer| stage.hang_up(peer));
    stage.settle();
    if exact {
        // Nobody but these can have left a session.
        packets::CLIENT_IDS.into_iter().for_each(|client_id| stage.introduce_for_good(0, client_id));
    }
    stage.advance(Duration::from_secs(2));
    stage.settle();
    stage.nothing_is_left(exact);
    let (acknowledged, arrived) = stage.ledger.counts();
    Life { acknowledged, arrived }
}
