//! A broker that lies is found out, by name of the lie.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use bytes::BytesMut;
use gridmq_bench::plan::scenario::Scenario;
use gridmq_bench::plan::{Audience, Stop, Target};
use gridmq_bench::{Plan, Report, run};
use gridmq_proto::packet::{Ack, ConnAck, Packet, Publish, SubAck};
use gridmq_proto::{QoS, ReasonCode, Version, codec};

/// What the broker does with the message of that number; `out` has what was held back, and goes to the subscribers.
type Lie = fn(u64, Publish, &mut Vec<Publish>) -> Then;

/// And then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Acknowledge,
    /// Sends what is to go, and stays silent to the publisher.
    Say,
    /// Sends nothing yet.
    Hold,
}
use Then::{Acknowledge, Hold, Say};

/// A broker of one subscription that everything matches.
struct Broker {
    port: u16,
}

struct Room {
    lie: Lie,
    count: u64,
    held: Vec<Publish>,
    subscribers: Vec<TcpStream>,
}

impl Broker {
    fn that(lie: Lie) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let room = Arc::new(Mutex::new(Room { lie, count: 0, held: Vec::new(), subscribers: Vec::new() }));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let room = Arc::clone(&room);
                thread::spawn(move || serve(stream.unwrap(), &room));
            }
        });
        Self { port }
    }

    fn run(&self, qos: QoS, messages: u64) -> Report {
        let mut plan = plan(self.port);
        (plan.qos, plan.subscribe_qos, plan.stop) = (qos, qos, Stop::Count(messages));
        run(plan, &mut ()).unwrap()
    }
}

fn plan(port: u16) -> Plan {
    let mut plan = Scenario::named("fan-in").unwrap().plan();
    plan.target = Target::Tcp { host: "127.0.0.1".to_owned(), port };
    plan.publishers = 1;
    plan.drain = Duration::from_millis(300);
    plan
}

fn serve(mut stream: TcpStream, room: &Mutex<Room>) {
    let mut decoder = codec::Decoder::for_server(65536);
    let (mut buffer, mut chunk) = (BytesMut::new(), [0; 65536]);
    loop {
        while let Some(packet) = decoder.decode(&mut buffer).unwrap() {
            match packet {
                Packet::Connect(_) => {
                    decoder.set_max_packet_size(codec::MAX_PACKET_SIZE);
                    let ack =
                        ConnAck { session_present: false, reason: ReasonCode::Success, properties: Default::default() };
                    write(&mut stream, &Packet::ConnAck(Box::new(ack)));
                }
                Packet::Subscribe(subscribe) => {
                    room.lock().unwrap().subscribers.push(stream.try_clone().unwrap());
                    let reasons =
                        subscribe.filters.iter().map(|filter| ReasonCode::granted(filter.options.qos)).collect();
                    let ack = SubAck { packet_id: subscribe.packet_id, properties: Default::default(), reasons };
                    write(&mut stream, &Packet::SubAck(ack));
                }
                Packet::Publish(publish) => {
                    let mut room = room.lock().unwrap();
                    let Room { lie, count, held, subscribers } = &mut *room;
                    let id = publish.packet_id;
                    let mut out = std::mem::take(held);
                    let then = lie(*count, publish, &mut out);
                    *count += 1;
                    if then == Hold {
                        *held = std::mem::take(&mut out);
                    }
                    for publish in out {
                        subscribers.iter_mut().for_each(|to| write(to, &Packet::Publish(publish.clone())));
                    }
                    if let Some(packet_id) = id.filter(|_| then == Acknowledge) {
                        let ack = Ack::new(packet_id, ReasonCode::Success);
                        write(&mut stream, &Packet::PubAck(ack));
                    }
                }
                Packet::Disconnect(_) => return drop(stream.shutdown(std::net::Shutdown::Both)),
                _ => {}
            }
        }
        match stream.read(&mut chunk) {
            Ok(read @ 1..) => buffer.extend_from_slice(&chunk[..read]),
            _ => return,
        }
    }
}

fn write(to: &mut TcpStream, packet: &Packet) {
    let mut out = BytesMut::new();
    codec::encode(packet, Version::V5, None, &mut out).unwrap();
    // The other side may have left.
    let _ = to.write_all(&out);
}

#[test]
fn an_honest_broker_is_called_honest() {
    let honest = Broker::that(|_, publish, out| {
        out.push(publish);
        Acknowledge
    });
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let report = honest.run(qos, 5000);
        assert_eq!((report.sent, report.delivered, report.lost, report.duplicated), (5000, 5000, 0, 0), "{qos:?}");
        assert_eq!((report.out_of_order, report.foreign, report.corrupt, report.unfinished), (0, 0, 0, 0), "{qos:?}");
        assert_eq!(report.acknowledged, if qos == QoS::AtMostOnce { 0 } else { 5000 });
        assert!(report.broken().is_empty(), "{:?}", report.broken());
        assert!(report.latency_us.count > 0);
    }
}

#[test]
fn one_that_acknowledges_and_drops_is_found_out() {
    let liar = Broker::that(|number, publish, out| {
        if number % 1000 != 7 {
            out.push(publish);
        }
        Acknowledge
    });
    let report = liar.run(QoS::AtLeastOnce, 5000);
    assert_eq!((report.lost, report.lost_acknowledged, report.acknowledged), (5, 5, 5000));
    assert_eq!(report.broken(), ["5 deliveries of acknowledged messages lost"]);
}

#[test]
fn one_that_drops_what_it_does_not_acknowledge_breaks_no_promise() {
    let broker = Broker::that(|number, publish, out| {
        if number % 1000 == 7 {
            return Say;
        }
        out.push(publish);
        Acknowledge
    });
    let report = broker.run(QoS::AtLeastOnce, 5000);
    assert_eq!((report.lost, report.lost_acknowledged, report.unfinished), (5, 0, 1));
    assert!(report.broken().is_empty());
}

#[test]
fn one_that_drops_at_qos_0_is_counted_and_does_not_stop_the_load() {
    let broker = Broker::that(|number, publish, out| {
        if number % 10 != 7 {
            out.push(publish);
        }
        Say
    });
    let report = broker.run(QoS::AtMostOnce, 5000);
    assert_eq!((report.sent, report.delivered, report.lost), (5000, 4500, 500));
    assert!(report.broken().is_empty(), "QoS 0 promises nothing");
}

#[test]
fn one_that_doubles_is_found_out() {
    let doubles = |number: u64, publish: Publish, out: &mut Vec<Publish>| {
        if number % 1000 == 7 {
            out.push(publish.clone());
        }
        out.push(publish);
        Acknowledge
    };
    let report = Broker::that(doubles).run(QoS::AtLeastOnce, 5000);
    assert_eq!((report.delivered, report.duplicated, report.duplicated_with_dup, report.lost), (5000, 5, 0, 0));
    let marked = |number: u64, publish: Publish, out: &mut Vec<Publish>| {
        if number % 1000 == 7 {
            out.push(publish.clone());
            out.push(Publish { dup: true, ..publish });
        } else {
            out.push(publish);
        }
        Acknowledge
    };
    let report = Broker::that(marked).run(QoS::AtLeastOnce, 5000);
    assert_eq!((report.duplicated, report.duplicated_with_dup), (0, 5), "which MQTT allows at QoS 1");
}

#[test]
fn one_that_changes_the_order_is_found_out() {
    let broker = Broker::that(|number, publish, out| {
        out.push(publish);
        match number % 100 {
            // Waits for the next.
            7 => Hold,
            8 => {
                out.reverse();
                Acknowledge
            }
            _ => Acknowledge,
        }
    });
    let report = broker.run(QoS::AtMostOnce, 1000);
    assert_eq!((report.out_of_order, report.delivered, report.lost), (10, 1000, 0));
}

#[test]
fn one_that_changes_a_payload_is_found_out() {
    let broker = Broker::that(|number, publish, out| {
        let mut payload = publish.payload.to_vec();
        if number == 7 {
            payload.truncate(100);
        }
        out.push(Publish { payload: payload.into(), ..publish });
        Acknowledge
    });
    let report = broker.run(QoS::AtLeastOnce, 100);
    assert_eq!((report.corrupt, report.lost_acknowledged), (1, 1));
}

#[test]
fn messages_of_others_are_told_apart() {
    let broker = Broker::that(|number, publish, out| {
        if number == 7 {
            out.push(Publish { payload: b"hello, is this the weather station?".as_slice().into(), ..publish.clone() });
        }
        out.push(publish);
        Acknowledge
    });
    let report = broker.run(QoS::AtMostOnce, 100);
    assert_eq!((report.foreign, report.delivered, report.lost), (1, 100, 0));
}

#[test]
fn the_codec_and_the_scanner_count_alike() {
    let broker = Broker::that(|number, publish, out| {
        if number % 100 != 7 {
            out.push(publish);
        }
        Acknowledge
    });
    let mut reports = [false, true].map(|strict| {
        let mut plan = plan(broker.port);
        (plan.qos, plan.subscribe_qos, plan.stop) = (QoS::AtLeastOnce, QoS::AtLeastOnce, Stop::Count(3000));
        plan.strict = strict;
        let report = run(plan, &mut ()).unwrap();
        (report.sent, report.delivered, report.acknowledged, report.lost_acknowledged, report.unexpected)
    });
    reports.sort_unstable();
    assert_eq!(reports[0], reports[1]);
    assert_eq!(reports[0], (3000, 2970, 3000, 30, 0));
}

#[test]
fn each_message_may_be_for_one_of_all_subscribers() {
    let broker = Broker::that(|_, publish, out| {
        out.push(publish);
        Say
    });
    let mut plan = plan(broker.port);
    (plan.subscribers, plan.audience, plan.share) = (1, Audience::One, Some("group".to_owned()));
    plan.stop = Stop::Count(1000);
    let report = run(plan, &mut ()).unwrap();
    assert_eq!((report.delivered, report.lost, report.duplicated), (1000, 0, 0));
}

#[test]
fn a_broker_that_is_not_there_is_a_fault_in_words() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let fault = run(plan(port), &mut ()).unwrap_err().to_string();
    assert!(fault.starts_with("0 of 2 connections were made; 2 were not, first because "), "{fault}");
    assert!(fault.contains("refused"), "{fault}");
}
