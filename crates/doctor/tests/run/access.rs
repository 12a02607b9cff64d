use gridmq_doctor::{Options, Scheme, Status};
use gridmq_proto::{QoS, ReasonCode};
use gridmq_tls::catalogue::Stage;

use crate::peers::{Manner, cause, examine, ids, options, plain};

fn probing() -> Options {
    let mut options = options();
    options.probe_topic = Some("doctor/probe".to_owned());
    options
}

#[tokio::test]
async fn a_message_goes_round() {
    let report = examine(Scheme::Mqtt, plain(Manner::default()).await, &probing()).await;
    assert_eq!(cause(&report), "none", "{report:#?}");
    let access = report.stages.iter().find(|stage| stage.stage == Stage::Access).unwrap();
    assert!(access.facts.contains_key("loop_back_ms"));
}

#[tokio::test]
async fn without_a_topic_nothing_is_sent() {
    let report = examine(Scheme::Mqtt, plain(Manner::default()).await, &options()).await;
    let access = report.stages.iter().find(|stage| stage.stage == Stage::Access).unwrap();
    assert_eq!(access.status, Status::Skipped);
}

#[tokio::test]
async fn permissions_are_proved() {
    for (manner, id) in [
        (Manner { puback: ReasonCode::NotAuthorized, ..Manner::default() }, "G07"),
        (Manner { suback: ReasonCode::NotAuthorized, ..Manner::default() }, "G08"),
        (Manner { suback: ReasonCode::TopicFilterInvalid, ..Manner::default() }, "G04"),
        (Manner { delivers: false, ..Manner::default() }, "G08"),
        (Manner { puback: ReasonCode::TopicNameInvalid, ..Manner::default() }, "G05"),
        (Manner { disconnect: Some(ReasonCode::NotAuthorized), ..Manner::default() }, "G07"),
        (Manner { disconnect: Some(ReasonCode::SessionTakenOver), ..Manner::default() }, "G09"),
        (Manner { disconnect: Some(ReasonCode::MessageRateTooHigh), ..Manner::default() }, "G13"),
    ] {
        let report = examine(Scheme::Mqtt, plain(manner).await, &probing()).await;
        assert_eq!(cause(&report), id, "{report:#?}");
    }
}

#[tokio::test]
async fn wishes_beyond_the_limits_are_errors_without_being_tried() {
    let mut manner = Manner::default();
    manner.limits.maximum_qos = Some(QoS::AtLeastOnce);
    manner.limits.retain_available = Some(false);
    manner.limits.maximum_packet_size = std::num::NonZeroU32::new(524_288);
    manner.limits.topic_alias_maximum = Some(10);
    let mut options = options();
    options.wants.qos = Some(QoS::ExactlyOnce);
    options.wants.retain = true;
    options.wants.packet_size = Some(600_000);
    options.wants.topic_alias = Some(11);
    options.wants.filter = Some("a/#/b".to_owned());
    options.wants.topic = Some("a/+".to_owned());
    let report = examine(Scheme::Mqtt, plain(manner).await, &options).await;
    assert_eq!(ids(&report), ["G01", "G02", "G03", "G06", "G04", "G05"], "{report:#?}");
}

#[tokio::test]
async fn trials_show_what_the_broker_does_not_state() {
    for (reason, id) in [
        (ReasonCode::QosNotSupported, "G01"),
        (ReasonCode::RetainNotSupported, "G02"),
        (ReasonCode::PacketTooLarge, "G03"),
        (ReasonCode::TopicAliasInvalid, "G06"),
    ] {
        let manner = Manner { disconnect: Some(reason), ..Manner::default() };
        let mut options = options();
        options.deep = true;
        options.wants.topic = Some("doctor/probe".to_owned());
        options.wants.qos = Some(QoS::ExactlyOnce);
        options.wants.packet_size = Some(1000);
        let report = examine(Scheme::Mqtt, plain(manner).await, &options).await;
        assert_eq!(cause(&report), id, "{report:#?}");
    }
}
