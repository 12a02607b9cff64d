//! The report of a run.

use std::sync::atomic::Ordering::Relaxed;

use super::losses::Losses;
use super::{Measured, Run};
use crate::plan::{Plan, Target, Work};
use crate::report::{Bytes, Connects, Error, Generator, Machine, Rate, Report, Rss, Server, Times};
use crate::shared::Histograms;
use crate::worker::Outcome;

impl Run<'_> {
    #[allow(clippy::cast_precision_loss, reason = "rates and shares")]
    pub(super) fn report(&self, measured: &Measured, outcomes: Vec<Outcome>) -> Report {
        let shared = &self.shared;
        let plan = &shared.plan;
        let counts = shared.counts();
        let Measured { from, to, .. } = measured;
        let seconds = measured.last_delivery.saturating_duration_since(from.at).as_secs_f64().max(0.000_001);
        let losses = Losses::of(shared, outcomes);
        let mut histograms = Histograms::new().ok();
        for thread in &shared.threads {
            if let Some(all) = &mut histograms {
                all.add(&thread.histograms.lock());
            }
        }
        let times = |which: fn(&Histograms) -> &hdrhistogram::Histogram<u64>| {
            histograms.as_ref().map(|all| Times::of(which(all))).unwrap_or_default()
        };
        let delivered = to.counts.delivered - from.counts.delivered;
        let connects = to.counts.connects - from.counts.connects;
        let done = match plan.work {
            Work::Messages => delivered,
            Work::Connects => connects,
            Work::Idle => 0,
        };
        let own = to.own.since(&from.own);
        let share = own.cpu_us as f64 / 1e6 / (to.at - from.at).as_secs_f64().max(0.000_001) / plan.threads as f64;
        let refusals = shared.refusals.lock().iter().map(|(code, count)| (format!("{code:#04x}"), *count)).collect();
        Report {
            kind: "result",
            schema: 1,
            gridmq: env!("CARGO_PKG_VERSION"),
            scenario: plan.scenario,
            target: target(plan),
            seconds: (seconds * 1000.0).round() / 1000.0,
            sent: counts.sent,
            acknowledged: counts.acknowledged,
            refused: refusals,
            delivered: counts.delivered,
            lost: losses.lost,
            lost_acknowledged: losses.lost_acknowledged,
            duplicated: counts.duplicated,
            duplicated_with_dup: counts.duplicated_with_dup,
            out_of_order: counts.out_of_order,
            foreign: counts.foreign,
            corrupt: counts.corrupt,
            unfinished: losses.unfinished,
            unexpected: counts.unexpected,
            disconnects: counts.disconnects,
            stalls: shared.stalls.load(Relaxed),
            gaps_overflowed: losses.overflowed,
            rate: Rate {
                sent: ((to.counts.sent - from.counts.sent) as f64 / seconds).round(),
                delivered: (delivered as f64 / seconds).round(),
            },
            bytes: Bytes { sent: counts.bytes_sent, received: counts.bytes_received },
            latency_us: times(|all| &all.latency),
            ack_latency_us: times(|all| &all.acknowledged),
            send_lag_us: times(|all| &all.send_lag),
            connect: Connects {
                count: counts.connects,
                failed: counts.connect_failures,
                per_second: if plan.work == Work::Messages { 0.0 } else { (connects as f64 / seconds).round() },
                latency_us: times(|all| &all.connect),
            },
            server: (!plan.watch.is_empty()).then(|| self.server(measured, done)),
            generator: Generator {
                cpu_us: own.cpu_us,
                cpu_share: (share * 1000.0).round() / 1000.0,
                threads: plan.threads,
                pacer: if crate::pacer::FINE { "fine" } else { "coarse" },
                saturated: share > 0.95,
            },
            machine: Machine::this(),
            errors: shared.errors().into_iter().map(|(what, count)| Error { what, count }).collect(),
            plan: plan.clone(),
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "shares")]
    fn server(&self, measured: &Measured, done: u64) -> Server {
        let Measured { from, to, .. } = measured;
        let before = self.watch.before.rss_kib;
        let spent = to.server.since(&from.server);
        let held = (self.shared.plan.work == Work::Idle).then(|| self.shared.links.len()).filter(|held| *held > 0);
        let per_connection = |held| measured.rested_rss.saturating_sub(before) as f64 * 1024.0 / held as f64;
        Server {
            pids: to.server.pids.clone(),
            cpu_us: spent.cpu_us,
            cpu_us_per_delivery: (done > 0).then(|| (spent.cpu_us as f64 / done as f64 * 10_000.0).round() / 10_000.0),
            user_us: spent.user_us,
            system_us: spent.system_us,
            fine: spent.fine,
            rss_kib: Rss { before, after: measured.rested_rss, peak: to.server.peak_kib },
            rss_bytes_per_connection: held.map(|held| per_connection(held).round()),
            cpu_share_at_rest: measured.rest_share.map(|share| (share * 10_000.0).round() / 10_000.0),
            threads: to.server.threads(),
        }
    }
}

fn target(plan: &Plan) -> String {
    match (&plan.target, &plan.tls) {
        (Target::Unix(path), _) => format!("unix://{}", path.display()),
        (Target::Tcp { host, port }, None) => format!("mqtt://{host}:{port}"),
        (Target::Tcp { host, port }, Some(_)) => format!("mqtts://{host}:{port}"),
    }
}
