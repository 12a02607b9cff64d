//! Tries what the application will do, each on a connection of its own.

use std::num::NonZeroU16;

use bytes::Bytes;
use gridmq_proto::packet::{Publish, Subscribe, SubscribeFilter, SubscribeOptions};
use gridmq_proto::{Packet, QoS, ReasonCode, SubscriptionFilter, TopicName, Version};
use gridmq_tls::{Finding, Id};

use super::{SUBSCRIPTION, by_disconnect, denied, publish, unsubscribed};
use crate::stage::mqtt::{self, Event, Mqtt};
use crate::stage::{Context, Route};

/// The largest message that is sent as a trial.
const MAX_TRIAL: u32 = 16 * 1024 * 1024;

/// The findings of all trials.
pub(super) async fn run(cx: &Context<'_>, route: Route) -> Vec<Finding> {
    let wants = cx.options.wants.clone();
    let text = wants.topic.clone().or_else(|| cx.options.probe_topic.clone());
    let mut trials: Vec<(Id, Packet)> = Vec::new();
    if let Some(filter) = wants.filter.as_deref().and_then(|text| SubscriptionFilter::try_from(text).ok()) {
        let subscribe = Subscribe {
            packet_id: SUBSCRIPTION,
            subscription_identifier: None,
            user_properties: Vec::new(),
            filters: vec![SubscribeFilter { filter, options: SubscribeOptions::default() }],
        };
        trials.push((Id::G08, Packet::Subscribe(subscribe)));
    }
    if let Some(topic) = text.as_deref().and_then(|text| TopicName::try_from(text).ok()) {
        let mut add = |id, publish| trials.push((id, Packet::Publish(publish)));
        let small = Bytes::from_static(b"gridmq-doctor");
        if let Some(qos) = wants.qos {
            add(Id::G01, publish(topic.clone(), small.clone(), qos, false));
        }
        if wants.retain {
            // An empty payload leaves nothing retained behind.
            add(Id::G02, publish(topic.clone(), Bytes::new(), QoS::AtMostOnce, true));
        }
        if let Some(size) = wants.packet_size {
            let payload = vec![b'.'; usize::try_from(size.min(MAX_TRIAL)).unwrap_or_default()];
            add(Id::G03, publish(topic.clone(), payload.into(), QoS::AtLeastOnce, false));
        }
        if let Some(alias) = wants.topic_alias.and_then(NonZeroU16::new) {
            let aliased = Publish { topic_alias: Some(alias), ..publish(topic, small, QoS::AtLeastOnce, false) };
            add(Id::G06, aliased);
        }
    }
    let mut findings = Vec::new();
    for (id, packet) in trials {
        if cx.is_over() {
            break;
        }
        findings.extend(trial(cx, route, id, packet, text.as_deref().unwrap_or_default()).await);
    }
    findings
}

/// Connects, sends the packet and hears what the broker says to it.
async fn trial(cx: &Context<'_>, route: Route, id: Id, packet: Packet, about: &str) -> Option<Finding> {
    let limit = cx.brief();
    let mut mqtt = Mqtt::open(cx, route).await.ok()?;
    let connect = mqtt::connect(cx, Version::V5, &mqtt::client_id(cx));
    mqtt.send(&Packet::Connect(Box::new(connect)), limit).await;
    match mqtt.next(limit).await {
        Event::Packet(Packet::ConnAck(ack)) if ack.reason == ReasonCode::Success => {}
        _ => return None,
    }
    mqtt.send(&packet, limit).await;
    // Nothing acknowledges QoS 0; what follows it does.
    mqtt.send(&Packet::PingReq, limit).await;
    let closed = |detail: &str| {
        let why = format!("the broker closes the connection and gives no reason{detail}");
        cx.error(id, about, why, "do without, or look into the broker's log")
    };
    loop {
        match mqtt.next(limit).await {
            Event::Packet(Packet::Disconnect(disconnect)) => return Some(by_disconnect(cx, disconnect.reason, about)),
            Event::Packet(Packet::PubAck(ack) | Packet::PubRec(ack)) if ack.reason.is_failure() => {
                return Some(denied(cx, about, ack.reason));
            }
            Event::Packet(Packet::SubAck(ack)) => {
                let reason = ack.reasons.first().copied().unwrap_or(ReasonCode::UnspecifiedError);
                if reason.is_failure() {
                    return Some(unsubscribed(cx, about, reason));
                }
            }
            Event::Packet(Packet::PingResp) => {
                mqtt.leave().await;
                return None;
            }
            Event::Packet(_) => {}
            Event::Ended => return Some(closed("")),
            Event::Broken(detail) => return Some(closed(&format!(": {detail}"))),
            Event::Silence => return None,
        }
    }
}
