//! Tokens of a namespace's own issuer over the wire: `CUSTOM-JWT` at CONNECT, and renewed by AUTH.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use gridmq_broker::{Broker, Listener};
use gridmq_namespace::{Policy, Resources};
use gridmq_proto::packet::{Auth, AuthProperties};
use gridmq_proto::{Packet, QoS, ReasonCode, Version};
use gridmq_testkit::authority::unix_now;
use gridmq_testkit::wire::Wire;
use gridmq_tls::issue::{IssuedCertificate, KeyType, LeafRequest, Validity, self_signed};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;

static ISSUER: LazyLock<IssuedCertificate> = LazyLock::new(|| {
    let request = LeafRequest::client("issuer").key_type(KeyType::Rsa2048);
    self_signed(&request, false, Validity::days(unix_now(), 30)).unwrap()
});

async fn broker() -> Broker {
    let custom = json!({ "tokenIssuer": "https://issuer.example",
        "encodedIssuerCertificates": [{ "kid": "one", "encodedCertificate": ISSUER.certificate_pem() }] });
    let document = json!({
        "namespace": { "name": "ns1", "properties": { "topicSpacesConfiguration": { "state": "Enabled",
            "hostname": "mqtt.example", "clientAuthentication": { "customJwtAuthentication": custom } } } },
        "topicSpaces": [{ "name": "floors",
            "properties": { "topicTemplates": ["floors/${client.attributes.floor}/#"] } }],
        "permissionBindings": [{ "name": "floors-pub", "properties":
            { "clientGroupName": "$all", "topicSpaceName": "floors", "permission": "Publisher" } }],
    });
    let policy = Policy::compile(Resources::from_json(&document.to_string()).unwrap(), 1).unwrap();
    let listener = Listener::plain(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).trust_plain(true);
    Broker::builder().workers(2).rules(Arc::new(policy)).listener(listener).start().await.unwrap()
}

fn token(name: &str, floor: u32, lasts: u64) -> Bytes {
    let now = unix_now();
    let claims = json!({ "iss": "https://issuer.example", "sub": name, "aud": "mqtt.example", "nbf": now,
        "exp": now + lasts, "floor": floor });
    let header = Header { kid: Some("one".to_owned()), ..Header::new(Algorithm::RS256) };
    let key = EncodingKey::from_rsa_pem(ISSUER.key_pem().as_bytes()).unwrap();
    encode(&header, &claims, &key).unwrap().into()
}

async fn connect(broker: &Broker, token: Bytes) -> (Wire, ReasonCode) {
    let (wire, ack) = Wire::open(broker.addresses()[0], "session1", Version::V5, |connect| {
        connect.properties.authentication_method = Some("CUSTOM-JWT".into());
        connect.properties.authentication_data = Some(token);
    })
    .await;
    (wire, ack.reason)
}

fn renewal(token: Bytes) -> Packet {
    let properties = AuthProperties {
        authentication_method: Some("CUSTOM-JWT".into()),
        authentication_data: Some(token),
        ..AuthProperties::default()
    };
    Packet::Auth(Box::new(Auth { reason: ReasonCode::ReAuthenticate, properties }))
}

#[tokio::test]
async fn a_token_lets_a_client_in_and_another_one_changes_what_it_may_do() {
    let broker = broker().await;
    let (mut wire, reason) = connect(&broker, token("device1", 5, 3600)).await;
    assert_eq!(reason, ReasonCode::Success);
    let at_floor_5 = wire.publish("floors/5/t", "1", QoS::AtLeastOnce).await;
    assert_eq!(at_floor_5, ReasonCode::NoMatchingSubscribers);
    assert_eq!(wire.publish("floors/6/t", "1", QoS::AtLeastOnce).await, ReasonCode::NotAuthorized);
    wire.send(renewal(token("device1", 6, 3600))).await;
    match wire.recv().await {
        Packet::Auth(auth) => assert_eq!(auth.reason, ReasonCode::Success),
        other => panic!("{other:?}"),
    }
    assert_eq!(wire.publish("floors/5/t", "1", QoS::AtLeastOnce).await, ReasonCode::NotAuthorized);
    assert_eq!(wire.publish("floors/6/t", "1", QoS::AtLeastOnce).await, ReasonCode::NoMatchingSubscribers);
}

#[tokio::test]
async fn a_token_that_is_not_good_ends_the_connection_with_the_reason() {
    let broker = broker().await;
    assert_eq!(connect(&broker, Bytes::from_static(b"nonsense")).await.1, ReasonCode::NotAuthorized);
    assert_eq!(connect(&broker, token("device1", 5, 0)).await.1, ReasonCode::NotAuthorized);
    let (mut wire, _) = connect(&broker, token("device1", 5, 3600)).await;
    wire.send(renewal(token("device1", 5, 0))).await;
    wire.expect_end(ReasonCode::NotAuthorized).await;
    // Nor can one become another.
    let (mut wire, _) = connect(&broker, token("device1", 5, 3600)).await;
    wire.send(renewal(token("device2", 5, 3600))).await;
    wire.expect_end(ReasonCode::NotAuthorized).await;
}

#[tokio::test]
async fn a_client_whose_token_ends_is_disconnected_with_the_reason() {
    let broker = broker().await;
    let (mut wire, reason) = connect(&broker, token("device1", 5, 2)).await;
    assert_eq!(reason, ReasonCode::Success);
    wire.expect_end(ReasonCode::NotAuthorized).await;
}
