//! Enhanced authentication: challenges and responses, at CONNECT and later.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::sync::Arc;

use gridmq_broker::{Broker, Limits};
use gridmq_namespace::explain::Explanation;
use gridmq_namespace::gate::{
    Computation, ConnectRequest, Credentials, Exchange, Proof, Refusal, RefusalKind, Rules, Step, Verdict,
};
use gridmq_namespace::principal::PrincipalKind;
use gridmq_namespace::profile::{ConnectionLimits, SessionLimits};
use gridmq_namespace::{Open, Principal};
use gridmq_proto::packet::{Auth, AuthProperties};
use gridmq_proto::time::Wall;
use gridmq_proto::{Packet, QoS, ReasonCode, TopicFilter, TopicName, Version};
use gridmq_testkit::OpenBroker;
use gridmq_testkit::wire::{Wire, encoded, message};

/// `TWO-STEP`: the client says its name, is asked for the word, and says it.
#[derive(Debug)]
struct TwoStep {
    name: Option<String>,
}

impl Exchange for TwoStep {
    fn step(&mut self, data: Option<&[u8]>, _: Wall) -> Step {
        match (&self.name, data) {
            (None, Some(name)) => {
                self.name = Some(String::from_utf8_lossy(name).into_owned());
                Step::Continue { data: Some(b"word?".to_vec()) }
            }
            (Some(name), Some(b"open")) => {
                Step::Proven { proof: Proof::new(name.clone()), data: Some(b"welcome".to_vec()) }
            }
            (Some(_), Some(b"again")) => Step::Continue { data: None },
            _ => {
                let why = RefusalKind::Other("that is not the word".to_owned());
                Step::Refused(Refusal::new(ReasonCode::NotAuthorized, why))
            }
        }
    }
}

#[derive(Debug)]
struct Asking(Open);

impl Rules for Asking {
    fn generation(&self) -> u64 {
        1
    }
    fn prepare(&self, request: &ConnectRequest<'_>, _: Wall) -> Option<Computation> {
        let password = request.password?.to_vec();
        Some(Computation::new(move || String::from_utf8_lossy(&password).into_owned()))
    }
    fn exchange(&self, request: &ConnectRequest<'_>) -> Option<Box<dyn Exchange>> {
        (request.authentication_method == Some("TWO-STEP")).then(|| Box::new(TwoStep { name: None }) as _)
    }
    fn admit(&self, request: &ConnectRequest<'_>, now: Wall) -> Result<Principal, Refusal> {
        match request.proof.and_then(Proof::get::<String>) {
            Some(name) => Ok(Principal::new(PrincipalKind::Client, name.clone())),
            None => self.0.admit(request, now),
        }
    }
    fn readmit(&self, principal: &Principal, _: &Credentials, _: Wall) -> Result<Principal, Refusal> {
        Ok(principal.clone())
    }
    fn reauthenticate(&self, _: &Principal, _: &Credentials, proof: &Proof, _: Wall) -> Result<Principal, Refusal> {
        Ok(Principal::new(PrincipalKind::Client, proof.get::<String>().unwrap().clone()))
    }
    fn publish(&self, principal: &Principal, _: &TopicName) -> Verdict {
        Verdict::Allowed(Explanation::Unrestricted(principal.kind()))
    }
    fn subscribe(&self, principal: &Principal, _: &TopicFilter) -> Verdict {
        Verdict::Allowed(Explanation::Unrestricted(principal.kind()))
    }
    fn session_limits(&self) -> SessionLimits {
        SessionLimits::OPEN
    }
    fn connection_limits(&self) -> ConnectionLimits {
        ConnectionLimits::OPEN
    }
}

async fn broker() -> OpenBroker {
    OpenBroker::start(Broker::builder().workers(2).rules(Arc::new(Asking(Open::new())))).await
}

fn auth(reason: ReasonCode, method: &str, data: Option<&'static str>) -> Packet {
    let properties = AuthProperties {
        authentication_method: Some(method.into()),
        authentication_data: data.map(Into::into),
        ..AuthProperties::default()
    };
    Packet::Auth(Box::new(Auth { reason, properties }))
}

fn on(data: &'static str) -> Packet {
    auth(ReasonCode::ContinueAuthentication, "TWO-STEP", Some(data))
}

/// Sends the CONNECT with the method and takes the challenge.
async fn challenged(broker: &OpenBroker, name: &'static str) -> Wire {
    let mut wire = Wire::connect(broker.address()).await;
    let mut connect = gridmq_testkit::wire::connect(name, Version::V5);
    connect.properties.authentication_method = Some("TWO-STEP".into());
    connect.properties.authentication_data = Some(name.into());
    wire.send(connect).await;
    let step = step(&mut wire).await;
    assert_eq!(step.reason, ReasonCode::ContinueAuthentication);
    assert_eq!(step.properties.authentication_method.as_deref(), Some("TWO-STEP"));
    assert_eq!(step.properties.authentication_data.as_deref(), Some(&b"word?"[..]));
    wire
}

async fn step(wire: &mut Wire) -> Box<Auth> {
    match wire.recv().await {
        Packet::Auth(auth) => auth,
        other => panic!("not an AUTH: {other:?}"),
    }
}

async fn admitted(broker: &OpenBroker, name: &'static str) -> Wire {
    let mut wire = challenged(broker, name).await;
    wire.send(on("open")).await;
    let ack = wire.connack().await;
    assert_eq!(ack.reason, ReasonCode::Success);
    assert_eq!(ack.properties.authentication_method.as_deref(), Some("TWO-STEP"));
    assert_eq!(ack.properties.authentication_data.as_deref(), Some(&b"welcome"[..]));
    wire
}

#[tokio::test]
async fn mqtt5_4_12_0_2_and_mqtt5_4_12_0_5_the_server_asks_with_the_clients_method_until_it_knows() {
    let broker = broker().await;
    let mut wire = challenged(&broker, "ann").await;
    wire.send(on("again")).await;
    let more = step(&mut wire).await;
    assert_eq!((more.reason, more.properties.authentication_data), (ReasonCode::ContinueAuthentication, None));
    assert_eq!(more.properties.authentication_method.as_deref(), Some("TWO-STEP"));
    wire.send(on("open")).await;
    assert_eq!(wire.connack().await.reason, ReasonCode::Success);
    assert_eq!(wire.subscribe("t", QoS::AtLeastOnce).await, ReasonCode::GrantedQos1);
}

#[tokio::test]
async fn mqtt5_4_12_0_4_a_failed_authentication_closes_the_connection() {
    let broker = broker().await;
    let mut wire = challenged(&broker, "ann").await;
    wire.send(on("wrong")).await;
    let ack = wire.connack().await;
    assert_eq!(ack.reason, ReasonCode::NotAuthorized);
    assert_eq!(ack.properties.reason_string.as_deref(), Some("that is not the word"));
    assert!(wire.expect_closed().await.is_empty());
    assert_eq!(broker.broker.stats().sessions, 0);
}

#[tokio::test]
async fn mqtt5_3_1_2_30_nothing_but_auth_and_disconnect_comes_before_connack() {
    let broker = broker().await;
    for packet in [Packet::PingReq, Packet::Publish(message("t", "x", QoS::AtMostOnce))] {
        let mut wire = challenged(&broker, "ann").await;
        wire.send(packet).await;
        assert_eq!(wire.connack().await.reason, ReasonCode::ProtocolError);
        assert!(wire.expect_closed().await.is_empty());
    }
    let mut wire = challenged(&broker, "ann").await;
    wire.leave_with(ReasonCode::NORMAL_DISCONNECTION, None).await;
    assert_eq!(broker.broker.stats().sessions, 0);
}

#[tokio::test]
async fn mqtt5_4_12_0_5_another_method_half_way_is_a_protocol_error() {
    let broker = broker().await;
    let mut wire = challenged(&broker, "ann").await;
    wire.send(auth(ReasonCode::ContinueAuthentication, "OTHER", Some("open"))).await;
    assert_eq!(wire.connack().await.reason, ReasonCode::ProtocolError);
    assert!(wire.expect_closed().await.is_empty());
    let mut wire = admitted(&broker, "bob").await;
    wire.send(auth(ReasonCode::ReAuthenticate, "OTHER", Some("bob"))).await;
    wire.expect_end(ReasonCode::ProtocolError).await;
}

#[tokio::test]
async fn mqtt5_4_12_0_6_without_a_method_the_server_sends_no_auth() {
    let broker = broker().await;
    let (mut wire, ack) = Wire::open(broker.address(), "c", Version::V5, |connect| {
        connect.username = Some("c".into());
        connect.password = Some("word".into());
    })
    .await;
    // The first packet was the CONNACK, although the rules had something computed in between.
    assert_eq!((ack.reason, ack.properties.authentication_method), (ReasonCode::Success, None));
    wire.send(auth(ReasonCode::ReAuthenticate, "TWO-STEP", Some("c"))).await;
    wire.expect_end(ReasonCode::ProtocolError).await;
}

#[tokio::test]
async fn an_unknown_method_is_refused_with_0x8c() {
    let broker = broker().await;
    let (mut wire, ack) = Wire::open(broker.address(), "c", Version::V5, |connect| {
        connect.properties.authentication_method = Some("SCRAM".into());
    })
    .await;
    assert_eq!(ack.reason, ReasonCode::BadAuthenticationMethod);
    assert!(wire.expect_closed().await.is_empty());
}

#[tokio::test]
async fn mqtt5_4_12_1_1_a_client_authenticates_again_while_its_messages_go_on() {
    let broker = broker().await;
    let mut wire = admitted(&broker, "ann").await;
    wire.subscribe("t", QoS::AtLeastOnce).await;
    wire.send(auth(ReasonCode::ReAuthenticate, "TWO-STEP", Some("ann"))).await;
    assert_eq!(step(&mut wire).await.reason, ReasonCode::ContinueAuthentication);
    assert_eq!(wire.publish("t", "between", QoS::AtLeastOnce).await, ReasonCode::Success);
    assert_eq!(wire.take_payloads(1).await, ["between"]);
    wire.send(on("open")).await;
    let done = step(&mut wire).await;
    assert_eq!((done.reason, done.properties.authentication_data), (ReasonCode::Success, Some("welcome".into())));
    assert_eq!(wire.publish("t", "after", QoS::AtLeastOnce).await, ReasonCode::Success);
    assert_eq!(wire.take_payloads(1).await, ["after"]);
}

#[tokio::test]
async fn mqtt5_4_12_1_2_a_failed_re_authentication_ends_the_connection_with_a_reason() {
    let broker = broker().await;
    let mut wire = admitted(&broker, "ann").await;
    wire.send(auth(ReasonCode::ReAuthenticate, "TWO-STEP", Some("ann"))).await;
    step(&mut wire).await;
    wire.send(on("wrong")).await;
    wire.expect_end(ReasonCode::NotAuthorized).await;
    // Nor can it become another one.
    let mut wire = admitted(&broker, "ann").await;
    wire.send(auth(ReasonCode::ReAuthenticate, "TWO-STEP", Some("eve"))).await;
    step(&mut wire).await;
    wire.send(on("open")).await;
    wire.expect_end(ReasonCode::NotAuthorized).await;
}

#[tokio::test]
async fn the_steps_of_one_authentication_are_counted() {
    let mut limits = Limits::default();
    limits.authentication_steps = 4;
    let builder = Broker::builder().workers(1).rules(Arc::new(Asking(Open::new()))).limits(limits);
    let broker = OpenBroker::start(builder).await;
    let mut wire = challenged(&broker, "ann").await;
    for _ in 0..2 {
        wire.send(on("again")).await;
        step(&mut wire).await;
    }
    wire.send(on("again")).await;
    assert_eq!(wire.connack().await.reason, ReasonCode::NotAuthorized);
    assert!(wire.expect_closed().await.is_empty());
}

#[tokio::test]
async fn mqtt5_3_14_0_1_no_disconnect_comes_before_a_connack() {
    let broker = broker().await;
    let connect = || {
        let mut connect = gridmq_testkit::wire::connect("ann", Version::V5);
        connect.properties.authentication_method = Some("TWO-STEP".into());
        connect.properties.authentication_data = Some("ann".into());
        Packet::Connect(Box::new(connect))
    };
    // What is wrong before the CONNACK is answered with one, or with the end of the connection alone.
    for (first, second) in [
        (Packet::PingReq, None),
        (connect(), Some(connect())),
        (connect(), Some(auth(ReasonCode::ReAuthenticate, "TWO-STEP", None))),
    ] {
        let mut wire = Wire::connect(broker.address()).await;
        wire.send_raw(&encoded(&first, Version::V5)).await;
        if let Some(second) = second {
            wire.send_raw(&encoded(&second, Version::V5)).await;
        }
        let said = wire.expect_closed().await;
        assert!(!said.iter().any(|packet| matches!(packet, Packet::Disconnect(_))), "{said:?}");
    }
}
