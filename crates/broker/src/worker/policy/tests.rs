use std::net::{Ipv4Addr, SocketAddr};

use bytes::BytesMut;
use gridmq_namespace::explain::Explanation;
use gridmq_namespace::gate::{ConnectRequest, Credentials, Refusal, RefusalKind, Rules, Transport, Verdict};
use gridmq_namespace::principal::{AuthenticatedBy, Principal, PrincipalKind};
use gridmq_namespace::profile::{ConnectionLimits, SessionLimits};
use gridmq_proto::time::Wall;
use gridmq_proto::{TopicFilter, TopicName};

use super::*;
use crate::broker::Broker;
use crate::clock;
use crate::entrance::Guest;
use crate::listener::Listener;

const CONNECT: &[u8] = b"\x10\x0f\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x02me";
const DISCONNECT: u8 = 0xe0;

/// Everybody may do everything until the proof ends.
#[derive(Debug)]
struct Until {
    ends: Wall,
    /// And after that too.
    lenient: bool,
}

impl Rules for Until {
    fn generation(&self) -> u64 {
        1
    }

    fn admit(&self, request: &ConnectRequest<'_>, _now: Wall) -> Result<Principal, Refusal> {
        let principal = Principal::new(PrincipalKind::Client, request.client_id);
        Ok(principal.with_proof(AuthenticatedBy::Nothing, Some(self.ends)))
    }

    fn readmit(&self, principal: &Principal, _: &Credentials, now: Wall) -> Result<Principal, Refusal> {
        if self.lenient || now < self.ends {
            Ok(principal.clone())
        } else {
            Err(RefusalKind::Other("the proof has ended".to_owned()).into())
        }
    }

    fn publish(&self, _: &Principal, _: &TopicName) -> Verdict {
        Verdict::Allowed(Explanation::Unrestricted(PrincipalKind::Client))
    }

    fn subscribe(&self, _: &Principal, _: &TopicFilter) -> Verdict {
        Verdict::Allowed(Explanation::Unrestricted(PrincipalKind::Client))
    }

    fn session_limits(&self) -> SessionLimits {
        SessionLimits::OPEN
    }

    fn connection_limits(&self) -> ConnectionLimits {
        ConnectionLimits::OPEN
    }
}

/// A client that is in, and whose proof ends in a minute.
fn connected(lenient: bool) -> (Broker, Worker, ConnKey) {
    clock::stop();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let builder = Broker::builder().workers(1).listener(Listener::plain(any));
    let ends = Wall::from_millis(1_000_000_000 + 60_000);
    let broker = Broker::start(builder.rules(Arc::new(Until { ends, lenient }))).unwrap();
    let mut worker = Worker::detached(0, Arc::clone(&broker.shared));
    let now = worker.now();
    let guest = Guest {
        from: any.into(),
        at: now.monotonic,
        door: Arc::clone(&broker.doors[0]),
        transport: Transport::Plain { trusted: true },
        presented: None,
        vouched: None,
    };
    let key = worker.open(now, guest);
    worker.begin_turn(key);
    worker.input(now, key, &mut BytesMut::from(CONNECT));
    worker.end_turn(now, key);
    let conn = worker.conn(key).unwrap();
    assert_eq!(conn.outgoing.split().first(), Some(&0x20));
    assert_eq!(conn.deadline, Some(now.monotonic.after(Duration::from_secs(60))));
    (broker, worker, key)
}

/// What the client gets when so much time has passed.
fn passes(worker: &mut Worker, key: ConnKey, seconds: u64) -> Vec<u8> {
    clock::advance(Duration::from_secs(seconds));
    let now = worker.now();
    worker.timeout(now, key);
    worker.conn(key).unwrap().outgoing.split().to_vec()
}

#[test]
fn a_client_whose_proof_ends_is_disconnected_with_the_reason() {
    let (_broker, mut worker, key) = connected(false);
    assert!(passes(&mut worker, key, 59).is_empty());
    let last = passes(&mut worker, key, 1);
    assert_eq!((last[0], last[2]), (DISCONNECT, 0x87), "{last:?}");
    assert!(last.windows(19).any(|words| words == b"the proof has ended"), "{last:?}");
    assert!(worker.conn(key).unwrap().closing);
}

#[test]
fn whom_the_rules_still_let_in_stays_and_is_looked_at_again() {
    let (_broker, mut worker, key) = connected(true);
    for _ in 0..3 {
        assert!(passes(&mut worker, key, 60).is_empty());
        let again = worker.now().monotonic.after(Duration::from_secs(1));
        assert_eq!(worker.conn(key).unwrap().deadline, Some(again));
    }
}
