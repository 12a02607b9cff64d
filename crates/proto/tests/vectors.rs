//! Every hand-made packet gets the answer that it must.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use bytes::BytesMut;
use gridmq_proto::vectors::{Expect, VECTORS};

#[test]
fn every_vector_gets_its_answer() {
    let mut wrong = Vec::new();
    for vector in VECTORS {
        let mut buf = BytesMut::from(vector.bytes);
        let answer = vector.decoder().decode(&mut buf);
        let right = match (&answer, vector.expect) {
            (Ok(Some(packet)), Expect::Packet(expected)) => packet.packet_type() == expected && buf.is_empty(),
            (Err(violation), Expect::Refused(statement, reason)) => {
                violation.statement() == statement && violation.reason() == reason
            }
            _ => false,
        };
        if !right {
            wrong.push(format!("{}: expected {:?}, got {answer:?}", vector.name, vector.expect));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn names_are_unique() {
    let mut names: Vec<_> = VECTORS.iter().map(|vector| vector.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), VECTORS.len());
}

#[test]
fn a_cut_packet_is_waited_for_or_refused() {
    for vector in VECTORS {
        let Expect::Packet(_) = vector.expect else { continue };
        for cut in 0..vector.bytes.len() {
            let mut buf = BytesMut::from(&vector.bytes[..cut]);
            let answer = vector.decoder().decode(&mut buf);
            assert_eq!(answer, Ok(None), "{} cut at {cut}", vector.name);
            assert_eq!(buf.len(), cut);
        }
    }
}
