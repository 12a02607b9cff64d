//! Stage session: keeps the connection for a while and watches what happens to it.

use std::time::Duration;

use gridmq_proto::Packet;
use gridmq_tls::Id;
use gridmq_tls::catalogue::Stage;

use super::connect::Session;
use super::mqtt::Event;
use super::{Context, access, ms};
use crate::report::StageReport;

/// Watches until [`crate::Options::observe`] has passed.
pub(crate) async fn run(cx: &Context<'_>, session: &mut Session) -> StageReport {
    let mut report = StageReport::new(Stage::Session);
    let begun = tokio::time::Instant::now();
    let end = begun + cx.options.observe.min(cx.left());
    cx.step(Stage::Session, "watching the connection");
    let wanted = cx.options.wants.keep_alive.unwrap_or(60);
    let keep_alive = session.limits.server_keep_alive.unwrap_or(wanted);
    let pause = if keep_alive == 0 { cx.options.observe } else { Duration::from_secs(u64::from(keep_alive)) };
    let about = cx.target.to_string();
    loop {
        let left = end.saturating_duration_since(tokio::time::Instant::now());
        if left.is_zero() {
            report.lines.push(format!("still connected after {}", ms(begun.elapsed())));
            return report;
        }
        match session.mqtt.next(left.min(pause)).await {
            Event::Packet(Packet::Disconnect(disconnect)) => {
                report.found(access::by_disconnect(cx, disconnect.reason, &about));
                return report;
            }
            Event::Packet(_) => {}
            Event::Silence => session.mqtt.send(&Packet::PingReq, cx.patience()).await,
            Event::Broken(detail) => {
                let why = "the broker sends something that is not MQTT";
                report.found(cx.error(Id::F14, &about, why, "look into the broker's log").seen(detail));
                return report;
            }
            Event::Ended => {
                let after = begun.elapsed();
                let why = format!("the connection was cut after {} without a reason", ms(after));
                let fix = "if it happens after the same time each time, something on the path drops idle connections: \
                           set a keep-alive of 60 s or less";
                report.found(cx.error(Id::C13, &about, why, fix));
                return report;
            }
        }
    }
}
