//! Plans by name.

use std::time::Duration;

use gridmq_proto::{QoS, Version};

use super::{Audience, Batch, Connecting, Pace, Plan, Stop, Target, Work};
use crate::payload::Check;

/// A plan with a name.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Scenario {
    /// As it is typed.
    pub name: &'static str,
    /// What it is, in a line.
    pub words: &'static str,
    /// Whether it needs TLS.
    pub tls: bool,
    change: fn(&mut Plan),
}

const fn scenario(name: &'static str, words: &'static str, change: fn(&mut Plan)) -> Scenario {
    Scenario { name, words, tls: false, change }
}

/// All of them.
pub const ALL: &[Scenario] = &[
    scenario("fan-in", "10 publishers to 1 subscriber, QoS 0, 256 bytes, written in batches", |_| {}),
    scenario("fan-in-single", "10 publishers to 1 subscriber, QoS 0, 64 bytes, a write per packet", |plan| {
        plan.size = 64;
        plan.batch = Batch::One;
        plan.window = 100;
    }),
    scenario("fan-in-qos1", "10 publishers to 1 subscriber, QoS 1, 256 bytes", |plan| {
        plan.qos = QoS::AtLeastOnce;
        plan.window = 100;
    }),
    scenario("fan-in-qos2", "10 publishers to 1 subscriber, QoS 2, 64 bytes", |plan| {
        plan.qos = QoS::ExactlyOnce;
        plan.size = 64;
        plan.window = 100;
    }),
    scenario("pairs", "50 publishers, each to a subscriber of its own, QoS 1, 256 bytes", |plan| {
        pairs(plan);
        plan.window = 100;
    }),
    scenario("fan-out", "1 publisher to 1000 subscribers, QoS 0, 64 bytes", |plan| {
        plan.publishers = 1;
        plan.subscribers = 1000;
        plan.size = 64;
        plan.window = 20;
    }),
    scenario("filters", "10 publishers into 100 x 1000 wildcard filters, one match each, QoS 0", |plan| {
        plan.subscribers = 100;
        plan.filters = 1000;
        plan.topics = 100_000;
        plan.audience = Audience::One;
        plan.topic = "bench/{run}/{i}/x/s".to_owned();
        plan.filter = "bench/{run}/{i}/+/s".to_owned();
        plan.size = 64;
        plan.window = 100;
    }),
    scenario("latency", "50 pairs at 2000 messages a second, QoS 1, 64 bytes", |plan| {
        pairs(plan);
        plan.size = 64;
        plan.batch = Batch::One;
        plan.pace = Pace::Rate { per_second: 2000.0 };
        plan.stop = Stop::After(Duration::from_secs(10));
        plan.window = 1000;
    }),
    scenario("acked-loss", "10 publishers to 1 subscriber, QoS 1, 2000 unacknowledged each: are any lost?", |plan| {
        plan.qos = QoS::AtLeastOnce;
        plan.size = 64;
        plan.window = 2000;
        plan.pace = Pace::Acked;
        plan.stop = Stop::After(Duration::from_secs(3));
        plan.warmup = Duration::ZERO;
        plan.drain = Duration::from_secs(5);
    }),
    scenario("idle", "connections that do nothing: memory of each", |plan| {
        plan.work = Work::Idle;
        plan.idle = 1000;
    }),
    scenario("connect", "CONNECT and DISCONNECT, 64 at once: processor time of each", |plan| {
        plan.work = Work::Connects;
        plan.stop = Stop::Count(20_000);
    }),
    Scenario {
        tls: true,
        ..scenario("idle-mtls", "the same over mutual TLS", |plan| {
            plan.work = Work::Idle;
            plan.idle = 1000;
        })
    },
    Scenario {
        tls: true,
        ..scenario("connect-mtls", "CONNECT and DISCONNECT with a full TLS handshake each, 64 at once", |plan| {
            plan.work = Work::Connects;
            plan.stop = Stop::Count(2_000);
        })
    },
];

fn pairs(plan: &mut Plan) {
    plan.publishers = 50;
    plan.subscribers = 50;
    plan.audience = Audience::Pair;
    plan.filter = "bench/{run}/{sub}".to_owned();
    plan.qos = QoS::AtLeastOnce;
}

impl Scenario {
    /// The scenario of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|scenario| scenario.name == name)
    }

    /// Its plan, for a broker on this machine.
    #[must_use]
    pub fn plan(&self) -> Plan {
        let mut plan = Plan { scenario: self.name, ..fan_in() };
        (self.change)(&mut plan);
        plan.subscribe_qos = plan.qos;
        plan
    }
}

fn fan_in() -> Plan {
    Plan {
        scenario: "fan-in",
        work: Work::Messages,
        target: Target::Tcp { host: "localhost".to_owned(), port: 1883 },
        tls: None,
        version: Version::V5,
        publishers: 10,
        subscribers: 1,
        idle: 0,
        audience: Audience::All,
        topic: "bench/{run}/{pub}".to_owned(),
        topics: 1,
        filter: "bench/{run}/#".to_owned(),
        filters: 1,
        share: None,
        qos: QoS::AtMostOnce,
        subscribe_qos: QoS::AtMostOnce,
        size: 256,
        retain: false,
        user_properties: 0,
        batch: Batch::Bytes(64 * 1024),
        window: 500,
        pace: Pace::Closed,
        stop: Stop::After(Duration::from_secs(4)),
        warmup: Duration::from_millis(500),
        drain: Duration::from_secs(2),
        rest: Duration::from_secs(5),
        connect: Connecting {
            concurrency: 64,
            rate: None,
            keep_alive: 60,
            client_id: "bench-{run}-{role}-{i}".to_owned(),
            username: None,
            password: None,
            clean_start: true,
            session_expiry: None,
            receive_maximum: None,
            timeout: Duration::from_secs(10),
            nodelay: true,
            sources: Vec::new(),
        },
        threads: 1,
        watch: Vec::new(),
        seed: 0,
        strict: false,
        check: Check::Ends,
        allow_loss: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_makes_a_plan_that_can_be_carried_out() {
        for scenario in ALL {
            scenario.plan().check().unwrap_or_else(|error| panic!("{}: {error}", scenario.name));
            assert_eq!(scenario.plan().scenario, scenario.name);
        }
    }

    #[test]
    fn what_does_not_fit_together_is_refused_by_the_name_of_the_option() {
        let refused = |change: fn(&mut Plan)| {
            let mut plan = fan_in();
            change(&mut plan);
            plan.check().unwrap_err().to_string()
        };
        assert!(refused(|plan| plan.size = 15).starts_with("--size must be at least 16"));
        assert!(refused(|plan| plan.pace = Pace::Acked).starts_with("--pace"));
        assert!(refused(|plan| plan.filter = "other/#".to_owned()).contains("does not match the topic"));
        assert!(refused(|plan| plan.topic = "a/+".to_owned()).starts_with("--topic"));
        assert!(refused(|plan| plan.publishers = 70_000).starts_with("--publishers"));
        assert!(refused(|plan| plan.topics = 5).contains("{i}"));
        assert!(
            refused(|plan| {
                plan.version = Version::V3_1_1;
                plan.user_properties = 1
            })
            .contains("MQTT 5.0")
        );
    }
}
