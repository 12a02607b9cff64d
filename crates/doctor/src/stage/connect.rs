//! Stage connect: CONNECT and CONNACK, 5.0 first because it gives reasons, then the application's version.

use gridmq_proto::packet::{ConnAck, ConnAckProperties};
use gridmq_proto::{Packet, ReasonCode, Version};
use gridmq_tls::catalogue::Stage;
use gridmq_tls::first_bytes::FirstBytes;
use gridmq_tls::probe::Seen;
use gridmq_tls::{Finding, Id};
use serde_json::{Map, Value, json};

use super::mqtt::{self, Event, Mqtt, NoLink};
use super::shake::Shaken;
use super::{Context, Route, client, hello, tame, tame_to};
use crate::report::StageReport;

mod refusal;

/// The longest explanation of a broker that is kept, in characters: it names the cause last.
const MAX_TOLD: usize = 600;

/// What a CONNECT led to.
pub(super) enum Outcome {
    /// Let in.
    In(Box<Session>),
    /// CONNACK with a reason.
    Refused(ReasonCode, Option<String>),
    /// DISCONNECT in the place of CONNACK.
    Disconnected(ReasonCode),
    /// AUTH: the broker wants extended authentication.
    Auth,
    /// The connection ended without an answer.
    Ended(Option<Box<Seen>>),
    /// What came is no CONNACK.
    Strange(String, FirstBytes),
    /// No answer in time.
    Silence(Option<Box<Seen>>),
    /// The connection did not come about this time.
    NoLink(NoLink),
}

/// A session for the stages after this one.
pub(crate) struct Session {
    pub(crate) mqtt: Mqtt,
    pub(crate) limits: ConnAckProperties,
}

/// What the stage leads to.
pub(crate) struct Connected {
    pub(crate) report: StageReport,
    pub(crate) session: Option<Session>,
    /// What belongs to the stage before, though it shows only now: a late alert.
    pub(crate) client: Option<Finding>,
}

/// Connects with MQTT.
pub(crate) async fn run(cx: &Context<'_>, route: Route, shaken: Option<Shaken>) -> Connected {
    let mut report = StageReport::new(Stage::Connect);
    let mut late = None;
    let wanted = cx.options.version;
    let tls_seen = shaken.as_ref().map(|shaken| shaken.seen.clone());
    let ready = shaken.and_then(|shaken| shaken.probe.map(|probe| Mqtt::over(probe, &shaken.early)));
    cx.step(Stage::Connect, "CONNECT with MQTT 5.0");
    let first = attempt(cx, route, Version::V5, ready).await;
    note(&mut report, Version::V5, &first);
    let mut session = None;
    match first {
        Outcome::In(first) => {
            describe_limits(&mut report, &first.limits);
            session = Some(*first);
            if !wanted.is_v5() {
                as_wanted(cx, route, &mut report, wanted).await;
            }
        }
        other => {
            let fallback = if wanted.is_v5() { Version::V3_1_1 } else { wanted };
            let second = if is_about_version(&other) || !wanted.is_v5() {
                cx.step(Stage::Connect, format!("CONNECT with {fallback}"));
                let second = attempt(cx, route, fallback, None).await;
                note(&mut report, fallback, &second);
                Some(second)
            } else {
                None
            };
            match second {
                Some(Outcome::In(second)) => {
                    if wanted.is_v5() {
                        let why = format!("the broker does not speak MQTT 5.0; it speaks {fallback}");
                        let fix = format!("use {fallback} in the client, or update the broker");
                        report.found(cx.error(Id::F01, cx.target.to_string(), why, fix));
                    } else {
                        report.lines.push("MQTT 5.0, which gives reasons, is not spoken here".to_owned());
                    }
                    session = Some(*second);
                }
                second => {
                    // 5.0 has the better words, unless all it says is that it is not spoken.
                    let telling = match second {
                        Some(second)
                            if matches!(other, Outcome::Refused(ReasonCode::UnsupportedProtocolVersion, _)) =>
                        {
                            second
                        }
                        _ => other,
                    };
                    let (finding, is_late) = judge(cx, route, telling, tls_seen.as_ref()).await;
                    if is_late {
                        late = Some(finding);
                        report.lines.push("the cause lies in the stage client".to_owned());
                        report.status = crate::report::Status::Skipped;
                    } else {
                        report.found(finding);
                    }
                }
            }
        }
    }
    if let Some(session) = &session {
        for finding in refusal::by_limits(cx, &session.limits) {
            report.found(finding);
        }
    }
    Connected { report, session, client: late }
}

/// Could another version fare better?
fn is_about_version(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Refused(reason, _) => *reason == ReasonCode::UnsupportedProtocolVersion,
        Outcome::Ended(seen) => seen.as_ref().is_none_or(|seen| seen.alert().is_none()),
        Outcome::Strange(_, first) => *first == FirstBytes::Mqtt,
        _ => false,
    }
}

/// The application's version after 5.0 was let in.
async fn as_wanted(cx: &Context<'_>, route: Route, report: &mut StageReport, version: Version) {
    cx.step(Stage::Connect, format!("CONNECT with {version}"));
    let outcome = attempt(cx, route, version, None).await;
    note(report, version, &outcome);
    match outcome {
        Outcome::In(session) => session.mqtt.leave().await,
        Outcome::Refused(ReasonCode::UnsupportedProtocolVersion, _) => {
            let why = format!("the broker does not speak {version}; it speaks MQTT 5.0");
            report.found(cx.error(Id::F01, cx.target.to_string(), why, "use MQTT 5.0 in the client"));
        }
        other => {
            let (finding, _) = judge(cx, route, other, None).await;
            report.found(finding.seen(format!("MQTT 5.0 is let in, {version} is not")));
        }
    }
}

async fn attempt(cx: &Context<'_>, route: Route, version: Version, ready: Option<Mqtt>) -> Outcome {
    let mut mqtt = match ready {
        Some(mqtt) => mqtt,
        None => match Mqtt::open(cx, route).await {
            Ok(mqtt) => mqtt,
            Err(error) => return Outcome::NoLink(error),
        },
    };
    let limit = cx.patience();
    let connect = mqtt::connect(cx, version, &mqtt::client_id(cx));
    mqtt.send(&Packet::Connect(Box::new(connect)), limit).await;
    match mqtt.next(limit).await {
        Event::Packet(Packet::ConnAck(ack)) => {
            let ConnAck { reason, properties, .. } = *ack;
            if reason == ReasonCode::Success {
                return Outcome::In(Box::new(Session { mqtt, limits: properties }));
            }
            let told = properties.reason_string.map(|text| tame_to(&text, MAX_TOLD));
            let moved = properties.server_reference.map(|text| format!("use {}", tame(&text)));
            Outcome::Refused(reason, told.or(moved))
        }
        Event::Packet(Packet::Disconnect(disconnect)) => Outcome::Disconnected(disconnect.reason),
        Event::Packet(Packet::Auth(_)) => Outcome::Auth,
        Event::Packet(other) => Outcome::Strange(format!("{:?}", other.packet_type()), FirstBytes::Mqtt),
        // A broker of before 5.0 answers in its own form, without properties.
        Event::Broken(detail) => match *mqtt.first() {
            [0x20, 2, 0 | 1, code] if version.is_v5() => match ReasonCode::from_v3_connect_code(code) {
                Some(ReasonCode::Success) | None => Outcome::Strange(detail, FirstBytes::Mqtt),
                Some(reason) => Outcome::Refused(reason, None),
            },
            _ => Outcome::Strange(detail, FirstBytes::recognise(mqtt.first())),
        },
        Event::Ended => Outcome::Ended(mqtt.seen().map(Box::new)),
        Event::Silence => Outcome::Silence(mqtt.seen().map(Box::new)),
    }
}

fn note(report: &mut StageReport, version: Version, outcome: &Outcome) {
    let words = match outcome {
        Outcome::In(_) => "accepted".to_owned(),
        // What the broker says of it stands with the finding.
        Outcome::Refused(reason, _) => format!("refused: {reason}"),
        Outcome::Disconnected(reason) => format!("DISCONNECT: {reason}"),
        Outcome::Auth => "AUTH".to_owned(),
        Outcome::Ended(_) => "the connection ended without CONNACK".to_owned(),
        Outcome::Strange(detail, _) => format!("no CONNACK: {}", tame(detail)),
        Outcome::Silence(_) => "no CONNACK".to_owned(),
        Outcome::NoLink(_) => "no connection".to_owned(),
    };
    report.lines.push(format!("{version} {words}"));
    let code = match outcome {
        Outcome::In(_) => Some(0),
        Outcome::Refused(reason, _) | Outcome::Disconnected(reason) => Some(reason.as_u8()),
        _ => None,
    };
    report.facts.insert(version.to_string(), json!({ "result": words, "reason": code }));
}

/// The finding, and whether it belongs to the stage client.
async fn judge(cx: &Context<'_>, route: Route, outcome: Outcome, tls: Option<&Seen>) -> (Finding, bool) {
    let about = cx.target.to_string();
    match outcome {
        Outcome::Ended(Some(seen)) if seen.alert().is_some() || seen.renegotiation => {
            (client::refused(cx, &seen, None), true)
        }
        Outcome::NoLink(NoLink::Tls(seen)) => (client::refused(cx, &seen, None), true),
        Outcome::NoLink(NoLink::Tcp(why)) => {
            let text = format!("the next connection is not taken: {why}");
            (cx.error(Id::F10, about, text, "try again later; a limit on connections may apply"), false)
        }
        // The certificate that would have let the client in was never seen.
        Outcome::Refused(ReasonCode::NotAuthorized | ReasonCode::BadUserNameOrPassword, _)
            if cx.options.identity.is_some()
                && cx.options.password.is_none()
                && tls.is_some_and(|seen| seen.request.is_none()) =>
        {
            (client::not_asked(cx, true), true)
        }
        Outcome::Ended(_) if !cx.target.scheme.is_tls() => {
            let name = cx.sends_name().then(|| cx.server_name().to_owned());
            let limit = cx.brief();
            if hello::answers_tls(route, name.as_deref(), limit).await {
                return (refusal::wants_tls(cx), false);
            }
            (ended(cx, route).await, false)
        }
        Outcome::Strange(_, FirstBytes::TlsAlert | FirstBytes::TlsHandshake) if !cx.target.scheme.is_tls() => {
            (refusal::wants_tls(cx), false)
        }
        Outcome::Silence(Some(seen)) if seen.renegotiation => (client::refused(cx, &seen, None), true),
        Outcome::Silence(_) => {
            let limit = cx.brief();
            if let Some(status) = mqtt::answers_http(cx, route, limit).await {
                return (refusal::web_server(cx, &status), false);
            }
            if !cx.target.scheme.is_tls() {
                let name = cx.sends_name().then(|| cx.server_name().to_owned());
                if hello::answers_tls(route, name.as_deref(), limit).await {
                    return (refusal::wants_tls(cx), false);
                }
            }
            (refusal::silence(cx), false)
        }
        Outcome::Ended(_) => (ended(cx, route).await, false),
        Outcome::Strange(detail, first) => (refusal::strange(cx, &detail, first), false),
        Outcome::Auth => (refusal::extended_authentication(cx, None), false),
        Outcome::Disconnected(reason) => (refusal::refused(cx, reason, None, false), false),
        Outcome::Refused(reason, told) => {
            let asked = tls.is_some_and(|seen| seen.request.is_some());
            let finding = refusal::refused(cx, reason, told.as_deref(), asked);
            let late = matches!(finding.id.stage(), Stage::Client | Stage::Files);
            (finding, late)
        }
        Outcome::In(_) => (refusal::silence(cx), false),
    }
}

/// The connection ended on CONNECT: a web server does that too.
async fn ended(cx: &Context<'_>, route: Route) -> Finding {
    match mqtt::answers_http(cx, route, cx.brief()).await {
        Some(status) => refusal::web_server(cx, &status),
        None => refusal::ended(cx),
    }
}

/// What the broker allows, as CONNACK says it.
fn describe_limits(report: &mut StageReport, limits: &ConnAckProperties) {
    let mut said: Vec<String> = Vec::new();
    let mut facts = Map::new();
    let mut add = |name: &str, text: String, value: Value| {
        said.push(text);
        facts.insert(name.to_owned(), value);
    };
    if let Some(qos) = limits.maximum_qos {
        add("maximum_qos", format!("QoS ≤ {}", mqtt::level(qos)), json!(mqtt::level(qos)));
    }
    if let Some(retain) = limits.retain_available {
        add("retain_available", format!("retain {}", if retain { "yes" } else { "no" }), json!(retain));
    }
    if let Some(size) = limits.maximum_packet_size {
        add("maximum_packet_size", format!("packets ≤ {size} B"), json!(size.get()));
    }
    if let Some(maximum) = limits.receive_maximum {
        add("receive_maximum", format!("receive maximum {maximum}"), json!(maximum.get()));
    }
    if let Some(alias) = limits.topic_alias_maximum {
        add("topic_alias_maximum", format!("topic aliases ≤ {alias}"), json!(alias));
    }
    if let Some(seconds) = limits.server_keep_alive {
        add("server_keep_alive", format!("keep-alive {seconds} s"), json!(seconds));
    }
    if let Some(seconds) = limits.session_expiry_interval {
        add("session_expiry_interval", format!("session expiry {seconds} s"), json!(seconds));
    }
    for (name, words, value) in [
        ("wildcard_subscription_available", "wildcards", limits.wildcard_subscription_available),
        ("subscription_identifiers_available", "subscription ids", limits.subscription_identifiers_available),
        ("shared_subscription_available", "shared subscriptions", limits.shared_subscription_available),
    ] {
        if value == Some(false) {
            add(name, format!("no {words}"), json!(false));
        }
    }
    if let Some(id) = &limits.assigned_client_identifier {
        add("assigned_client_identifier", format!("assigned client id {}", tame(id)), json!(tame(id)));
    }
    if said.is_empty() {
        report.lines.push("the broker states no limits".to_owned());
    } else {
        report.lines.push(format!("limits: {}", said.join(", ")));
    }
    report.facts.insert("limits".to_owned(), Value::Object(facts));
}
