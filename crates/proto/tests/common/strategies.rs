//! Proptest strategies for every packet that a version can carry, in the form in which it is decoded.
//!
//! "In the form": an empty set of properties is `None`, not `Some` of nothing; reason codes of an MQTT 3.1.1 packet
//! are those that its return codes decode to.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;
use gridmq_proto::codec::Role;
use gridmq_proto::packet::*;
use gridmq_proto::{
    ByteString, Message, MessageProperties, Packet, PacketId, QoS, ReasonCode, SubscriptionFilter, TopicName, Version,
};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use smallvec::SmallVec;

pub fn text() -> impl Strategy<Value = ByteString> {
    prop_oneof![Just(String::new()), "[a-z]{1,12}", "[^\u{0}]{0,20}"].prop_map(ByteString::from)
}

pub fn data() -> impl Strategy<Value = Bytes> {
    prop_oneof![3 => vec(any::<u8>(), 0..40), 1 => vec(any::<u8>(), 100..300)].prop_map(Bytes::from)
}

pub fn topic() -> impl Strategy<Value = TopicName> {
    prop_oneof!["[a-c/]{1,8}", "[^\u{0}+#]{1,20}"].prop_map(|text| TopicName::try_from(text).unwrap())
}

pub fn filter() -> impl Strategy<Value = SubscriptionFilter> {
    let level = prop_oneof![3 => "[a-c]{0,3}", 1 => Just("+".to_owned())];
    let plain = (vec(level, 1..5), any::<bool>()).prop_map(|(levels, rest)| {
        let text = levels.join("/");
        if rest {
            format!("{text}/#")
        } else if text.is_empty() {
            "#".to_owned()
        } else {
            text
        }
    });
    (plain, of("[a-z]{1,5}")).prop_map(|(filter, group)| {
        let text = group.map_or_else(|| filter.clone(), |group| format!("$share/{group}/{filter}"));
        SubscriptionFilter::try_from(text).unwrap()
    })
}

pub fn qos() -> impl Strategy<Value = QoS> {
    prop_oneof![Just(QoS::AtMostOnce), Just(QoS::AtLeastOnce), Just(QoS::ExactlyOnce)]
}

pub fn packet_id() -> impl Strategy<Value = PacketId> {
    prop_oneof![Just(PacketId::MIN), Just(PacketId::MAX), any::<PacketId>()]
}

fn user_properties() -> impl Strategy<Value = UserProperties> {
    prop_oneof![2 => Just(Vec::new()), 1 => vec((text(), text()), 1..4)]
}

/// `strategy` on MQTT 5.0, the default before.
fn v5_only<T: Clone + Default + std::fmt::Debug + 'static>(
    version: Version,
    strategy: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<T> {
    if version.is_v5() { strategy.boxed() } else { Just(T::default()).boxed() }
}

fn reason(packet: PacketType) -> impl Strategy<Value = ReasonCode> {
    let valid: Vec<_> = ReasonCode::ALL.iter().copied().filter(|code| code.valid_in(packet)).collect();
    prop::sample::select(valid)
}

pub fn message_properties() -> impl Strategy<Value = Option<Box<MessageProperties>>> {
    (of(any::<bool>()), of(any::<u32>()), of(text()), of(topic()), of(data()), user_properties()).prop_map(
        |(payload_format_indicator, message_expiry_interval, content_type, response_topic, data, user_properties)| {
            let properties = MessageProperties {
                payload_format_indicator,
                message_expiry_interval,
                content_type,
                response_topic,
                correlation_data: data,
                user_properties,
            };
            (!properties.is_empty()).then(|| Box::new(properties))
        },
    )
}

pub fn message(version: Version) -> impl Strategy<Value = Message> {
    (topic(), data(), v5_only(version, message_properties())).prop_map(|(topic, payload, properties)| Message {
        topic,
        payload,
        properties,
    })
}

fn will(version: Version) -> impl Strategy<Value = Will> {
    (message(version), qos(), any::<bool>(), v5_only(version, any::<u32>()))
        .prop_map(|(message, qos, retain, delay_interval)| Will { message, qos, retain, delay_interval })
}

/// A method and data, or a method, or neither.
fn authentication() -> impl Strategy<Value = (Option<ByteString>, Option<Bytes>)> {
    of((text(), of(data()))).prop_map(|both| both.map_or((None, None), |(method, data)| (Some(method), data)))
}

fn connect_properties() -> impl Strategy<Value = ConnectProperties> {
    (
        of(any::<u32>()),
        of(any::<NonZeroU16>()),
        of(any::<NonZeroU32>()),
        of(any::<u16>()),
        of(any::<bool>()),
        of(any::<bool>()),
        authentication(),
        user_properties(),
    )
        .prop_map(|(expiry, receive, size, alias, response, problem, (method, data), user_properties)| {
            ConnectProperties {
                session_expiry_interval: expiry,
                receive_maximum: receive,
                maximum_packet_size: size,
                topic_alias_maximum: alias,
                request_response_information: response,
                request_problem_information: problem,
                authentication_method: method,
                authentication_data: data,
                user_properties,
            }
        })
}

pub fn connect(version: Version) -> impl Strategy<Value = Connect> {
    (
        any::<bool>(),
        any::<u16>(),
        text(),
        of(text()),
        of(data()),
        of(will(version).prop_map(Box::new)),
        v5_only(version, connect_properties()),
    )
        .prop_map(move |(mut clean_start, keep_alive, mut client_id, username, mut password, will, properties)| {
            if !version.is_v5() && username.is_none() {
                password = None;
            }
            if version == Version::V3_1 && client_id.is_empty() {
                client_id = ByteString::from_static("c");
            }
            clean_start |= client_id.is_empty() && !version.is_v5();
            Connect { version, clean_start, keep_alive, client_id, username, password, will, properties }
        })
}

fn connack_properties() -> impl Strategy<Value = ConnAckProperties> {
    let numbers = (
        of(any::<u32>()),
        of(any::<NonZeroU16>()),
        of(prop_oneof![Just(QoS::AtMostOnce), Just(QoS::AtLeastOnce)]),
        of(any::<NonZeroU32>()),
        of(any::<u16>()),
        of(any::<u16>()),
    );
    let flags = (of(any::<bool>()), of(any::<bool>()), of(any::<bool>()), of(any::<bool>()));
    let texts = (of(text()), of(text()), of(text()), of(text()));
    (numbers, flags, texts, authentication(), user_properties()).prop_map(
        |(
            (expiry, receive, qos, size, alias, keep_alive),
            (retain, wildcard, identifiers, shared),
            (client_id, reason, response, server),
            (method, data),
            user_properties,
        )| ConnAckProperties {
            session_expiry_interval: expiry,
            receive_maximum: receive,
            maximum_qos: qos,
            retain_available: retain,
            maximum_packet_size: size,
            assigned_client_identifier: client_id,
            topic_alias_maximum: alias,
            reason_string: reason,
            user_properties,
            wildcard_subscription_available: wildcard,
            subscription_identifiers_available: identifiers,
            shared_subscription_available: shared,
            server_keep_alive: keep_alive,
            response_information: response,
            server_reference: server,
            authentication_method: method,
            authentication_data: data,
        },
    )
}

pub fn connack(version: Version) -> impl Strategy<Value = ConnAck> {
    let reason = if version.is_v5() {
        prop_oneof![Just(ReasonCode::Success), reason(PacketType::ConnAck)].boxed()
    } else {
        (0..=5_u8).prop_map(|code| ReasonCode::from_v3_connect_code(code).unwrap()).boxed()
    };
    (any::<bool>(), reason, v5_only(version, connack_properties())).prop_map(move |(present, reason, properties)| {
        ConnAck {
            session_present: present && reason == ReasonCode::Success && version != Version::V3_1,
            reason,
            properties,
        }
    })
}

/// A PUBLISH as it arrives at `receiver`.
pub fn publish(version: Version, receiver: Role) -> impl Strategy<Value = Publish> {
    let identifiers = if receiver == Role::Client && version.is_v5() {
        vec((1..=268_435_455_u32).prop_map(|id| NonZeroU32::new(id).unwrap()), 0..4).boxed()
    } else {
        Just(Vec::new()).boxed()
    };
    let alias = v5_only(version, of(any::<NonZeroU16>()));
    (
        (any::<bool>(), qos(), any::<bool>(), packet_id()),
        (of(topic()), topic(), alias),
        identifiers,
        data(),
        v5_only(version, message_properties()),
    )
        .prop_map(|((dup, qos, retain, id), (topic, otherwise, topic_alias), identifiers, payload, properties)| {
            Publish {
                dup: dup && qos != QoS::AtMostOnce,
                qos,
                retain,
                packet_id: (qos != QoS::AtMostOnce).then_some(id),
                topic: topic.or_else(|| topic_alias.is_none().then_some(otherwise)),
                topic_alias,
                subscription_identifiers: SmallVec::from_vec(identifiers),
                payload,
                properties,
            }
        })
}

fn ack_properties() -> impl Strategy<Value = AckProperties> {
    (of(text()), user_properties())
        .prop_map(|(reason_string, user_properties)| AckProperties { reason_string, user_properties })
}

pub fn ack(version: Version, packet: PacketType) -> impl Strategy<Value = Ack> {
    let reason = if version.is_v5() {
        prop_oneof![Just(ReasonCode::Success), reason(packet)].boxed()
    } else {
        Just(ReasonCode::Success).boxed()
    };
    (packet_id(), reason, v5_only(version, ack_properties())).prop_map(|(packet_id, reason, properties)| Ack {
        packet_id,
        reason,
        properties: (!properties.is_empty()).then(|| Box::new(properties)),
    })
}

fn retain_handling() -> impl Strategy<Value = RetainHandling> {
    prop_oneof![Just(RetainHandling::Send), Just(RetainHandling::SendIfNew), Just(RetainHandling::DoNotSend)]
}

fn subscribe_filter(version: Version) -> impl Strategy<Value = SubscribeFilter> {
    (filter(), qos(), any::<bool>(), any::<bool>(), retain_handling()).prop_map(
        move |(filter, qos, no_local, retain_as_published, retain_handling)| {
            let shared = matches!(filter, SubscriptionFilter::Shared(_));
            let options = if version.is_v5() {
                SubscribeOptions { qos, no_local: no_local && !shared, retain_as_published, retain_handling }
            } else {
                SubscribeOptions { qos, ..SubscribeOptions::default() }
            };
            SubscribeFilter { filter, options }
        },
    )
}

pub fn subscribe(version: Version) -> impl Strategy<Value = Subscribe> {
    let identifier = of((1..=268_435_455_u32).prop_map(|id| NonZeroU32::new(id).unwrap()));
    (
        packet_id(),
        v5_only(version, identifier),
        v5_only(version, user_properties()),
        vec(subscribe_filter(version), 1..5),
    )
        .prop_map(|(packet_id, subscription_identifier, user_properties, filters)| Subscribe {
            packet_id,
            subscription_identifier,
            user_properties,
            filters,
        })
}

pub fn suback(version: Version) -> impl Strategy<Value = SubAck> {
    let reason = if version.is_v5() {
        reason(PacketType::SubAck).boxed()
    } else {
        prop::sample::select(vec![
            ReasonCode::GRANTED_QOS_0,
            ReasonCode::GrantedQos1,
            ReasonCode::GrantedQos2,
            ReasonCode::UnspecifiedError,
        ])
        .boxed()
    };
    (packet_id(), v5_only(version, ack_properties()), vec(reason, 1..5))
        .prop_map(|(packet_id, properties, reasons)| SubAck { packet_id, properties, reasons })
}

pub fn unsubscribe(version: Version) -> impl Strategy<Value = Unsubscribe> {
    (packet_id(), v5_only(version, user_properties()), vec(filter(), 1..5))
        .prop_map(|(packet_id, user_properties, filters)| Unsubscribe { packet_id, user_properties, filters })
}

pub fn unsuback(version: Version) -> impl Strategy<Value = UnsubAck> {
    (packet_id(), v5_only(version, ack_properties()), v5_only(version, vec(reason(PacketType::UnsubAck), 1..5)))
        .prop_map(|(packet_id, properties, reasons)| UnsubAck { packet_id, properties, reasons })
}

/// A DISCONNECT as it arrives at `receiver`.
pub fn disconnect(version: Version, receiver: Role) -> impl Strategy<Value = Disconnect> {
    if !version.is_v5() {
        return Just(Disconnect::new(ReasonCode::NORMAL_DISCONNECTION)).boxed();
    }
    let expiry = of(any::<u32>()).prop_map(move |expiry| expiry.filter(|_| receiver == Role::Server));
    (reason(PacketType::Disconnect), expiry, of(text()), user_properties(), of(text()))
        .prop_map(|(reason, session_expiry_interval, reason_string, user_properties, server_reference)| Disconnect {
            reason,
            properties: DisconnectProperties {
                session_expiry_interval,
                reason_string,
                user_properties,
                server_reference,
            },
        })
        .boxed()
}

pub fn auth() -> impl Strategy<Value = Auth> {
    (reason(PacketType::Auth), text(), of(data()), of(text()), user_properties()).prop_map(
        |(reason, method, data, reason_string, user_properties)| Auth {
            reason,
            properties: AuthProperties {
                authentication_method: Some(method),
                authentication_data: data,
                reason_string,
                user_properties,
            },
        },
    )
}

/// Any packet that `receiver` can get in the middle of a connection.
pub fn any_packet(version: Version, receiver: Role) -> BoxedStrategy<Packet> {
    let mut all = vec![
        publish(version, receiver).prop_map(Packet::Publish).boxed(),
        ack(version, PacketType::PubAck).prop_map(Packet::PubAck).boxed(),
        ack(version, PacketType::PubRec).prop_map(Packet::PubRec).boxed(),
        ack(version, PacketType::PubRel).prop_map(Packet::PubRel).boxed(),
        ack(version, PacketType::PubComp).prop_map(Packet::PubComp).boxed(),
    ];
    if version.is_v5() {
        all.push(auth().prop_map(|auth| Packet::Auth(Box::new(auth))).boxed());
    }
    if version.is_v5() || receiver == Role::Server {
        all.push(disconnect(version, receiver).prop_map(Packet::Disconnect).boxed());
    }
    match receiver {
        Role::Server => all.extend([
            connect(version).prop_map(|connect| Packet::Connect(Box::new(connect))).boxed(),
            subscribe(version).prop_map(Packet::Subscribe).boxed(),
            unsubscribe(version).prop_map(Packet::Unsubscribe).boxed(),
            Just(Packet::PingReq).boxed(),
        ]),
        Role::Client => all.extend([
            connack(version).prop_map(|ack| Packet::ConnAck(Box::new(ack))).boxed(),
            suback(version).prop_map(Packet::SubAck).boxed(),
            unsuback(version).prop_map(Packet::UnsubAck).boxed(),
            Just(Packet::PingResp).boxed(),
        ]),
    }
    proptest::strategy::Union::new(all).boxed()
}
