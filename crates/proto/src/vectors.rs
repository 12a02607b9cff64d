//! Hand-made packets with what a decoder must say of them: for tests of the codec, of brokers over sockets, and as
//! seeds for fuzzing.

use crate::codec::{DEFAULT_MAX_CONNECT_SIZE, Decoder, Role};
use crate::packet::PacketType::{self, *};
use crate::reason::ReasonCode;
use crate::{ReasonCode as R, Version};

/// What a decoder must say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "yes or no")]
pub enum Expect {
    /// It is a valid packet of that type, and the only one.
    Packet(PacketType),
    /// It breaks that statement (or that section, where there is no number), and gets that reason code.
    Refused(&'static str, ReasonCode),
}

/// One packet.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::exhaustive_structs, reason = "a row of a table")]
pub struct Vector {
    /// A name for messages.
    pub name: &'static str,
    /// Who decodes.
    pub role: Role,
    /// The connection's version; `None`: these are the first bytes of a connection.
    pub version: Option<Version>,
    /// The packet.
    pub bytes: &'static [u8],
    /// What to say of it.
    pub expect: Expect,
}

impl Vector {
    /// A decoder in the state that this vector supposes, with 64 KiB as maximum.
    #[must_use]
    pub fn decoder(&self) -> Decoder {
        match (self.role, self.version) {
            (Role::Client, version) => Decoder::for_client(version.unwrap_or(Version::V5), DEFAULT_MAX_CONNECT_SIZE),
            (Role::Server, version) => {
                let mut decoder = Decoder::for_server(DEFAULT_MAX_CONNECT_SIZE);
                if let Some(version) = version {
                    decoder.set_version(version);
                }
                decoder
            }
        }
    }
}

const fn first(name: &'static str, bytes: &'static [u8], expect: Expect) -> Vector {
    Vector { name, role: Role::Server, version: None, bytes, expect }
}

const fn server(name: &'static str, version: Version, bytes: &'static [u8], expect: Expect) -> Vector {
    Vector { name, role: Role::Server, version: Some(version), bytes, expect }
}

const fn client(name: &'static str, version: Version, bytes: &'static [u8], expect: Expect) -> Vector {
    Vector { name, role: Role::Client, version: Some(version), bytes, expect }
}

const fn ok(packet: PacketType) -> Expect {
    Expect::Packet(packet)
}

const fn no(statement: &'static str, reason: ReasonCode) -> Expect {
    Expect::Refused(statement, reason)
}

const V3: Version = Version::V3_1_1;
const V5: Version = Version::V5;

/// The packets.
#[rustfmt::skip]
pub const VECTORS: &[Vector] = &[
    first("connect_3_1_1", b"\x10\x0e\x00\x04MQTT\x04\x02\x00<\x00\x02c1", ok(Connect)),
    first("connect_3_1_1_empty_id_clean", b"\x10\x0c\x00\x04MQTT\x04\x02\x00<\x00\x00", ok(Connect)),
    first("connect_3_1", b"\x10\x10\x00\x06MQIsdp\x03\x02\x00<\x00\x02c1", ok(Connect)),
    first("connect_3_1_user_name_flag_without_user_name",
        b"\x10\x10\x00\x06MQIsdp\x03\xc2\x00<\x00\x02c1",
        ok(Connect)),
    first("connect_5_minimal", b"\x10\x0f\x00\x04MQTT\x05\x02\x00<\x00\x00\x02c1", ok(Connect)),
    first("connect_5_password_without_user_name",
        b"\x10\x13\x00\x04MQTT\x05B\x00<\x00\x00\x02c1\x00\x02pw",
        ok(Connect)),
    first("connect_5_full",
        b"\x10i\x00\x04MQTT\x05\xee\x00<#\x11\x00\x00\x00<!\x00\x0a'\x00\x01\x00\x00\"\x00\x04\x19\x01\x17\x00\
          \x15\x00\x01M\x16\x00\x01D&\x00\x01k\x00\x01v\x00\x02c1!\x18\x00\x00\x00\x05\x01\x01\x02\x00\x00\x00\
          \x09\x03\x00\x03t/p\x08\x00\x01r\x09\x00\x01x&\x00\x01a\x00\x01b\x00\x04will\x00\x03bye\x00\x04user\
          \x00\x02pw",
        ok(Connect)),
    first("connect_protocol_name",
        b"\x10\x0e\x00\x04MQTX\x04\x02\x00<\x00\x02c1",
        no("MQTT-3.1.2-1", R::UnsupportedProtocolVersion)),
    first("connect_protocol_name_lower_case",
        b"\x10\x0e\x00\x04mqtt\x04\x02\x00<\x00\x02c1",
        no("MQTT-3.1.2-1", R::UnsupportedProtocolVersion)),
    first("connect_level_6",
        b"\x10\x0f\x00\x04MQTT\x06\x02\x00<\x00\x00\x02c1",
        no("MQTT-3.1.2-2", R::UnsupportedProtocolVersion)),
    first("connect_level_3_with_new_name",
        b"\x10\x0e\x00\x04MQTT\x03\x02\x00<\x00\x02c1",
        no("MQTT-3.1.2-2", R::UnsupportedProtocolVersion)),
    first("connect_bridge_level",
        b"\x10\x0e\x00\x04MQTT\x84\x02\x00<\x00\x02c1",
        no("MQTT-3.1.2-2", R::UnsupportedProtocolVersion)),
    first("connect_fixed_header_flags",
        b"\x11\x0e\x00\x04MQTT\x04\x02\x00<\x00\x02c1",
        no("MQTT-2.1.3-1", R::MalformedPacket)),
    first("connect_reserved_flag",
        b"\x10\x0e\x00\x04MQTT\x04\x03\x00<\x00\x02c1",
        no("MQTT-3.1.2-3", R::MalformedPacket)),
    first("connect_will_qos_without_will",
        b"\x10\x0e\x00\x04MQTT\x04\x0a\x00<\x00\x02c1",
        no("MQTT-3.1.2-13", R::MalformedPacket)),
    first("connect_will_qos_3",
        b"\x10\x14\x00\x04MQTT\x04\x1e\x00<\x00\x02c1\x00\x01w\x00\x01m",
        no("MQTT-3.1.2-14", R::MalformedPacket)),
    first("connect_will_retain_without_will",
        b"\x10\x0e\x00\x04MQTT\x04\"\x00<\x00\x02c1",
        no("MQTT-3.1.2-15", R::MalformedPacket)),
    first("connect_5_will_qos_3",
        b"\x10\x16\x00\x04MQTT\x05\x1e\x00<\x00\x00\x02c1\x00\x00\x01w\x00\x01m",
        no("MQTT-3.1.2-12", R::MalformedPacket)),
    first("connect_password_without_user_name",
        b"\x10\x12\x00\x04MQTT\x04B\x00<\x00\x02c1\x00\x02pw",
        no("MQTT-3.1.2-22", R::MalformedPacket)),
    first("connect_user_name_missing",
        b"\x10\x0e\x00\x04MQTT\x04\x82\x00<\x00\x02c1",
        no("§4.13.1", R::MalformedPacket)),
    first("connect_trailing_bytes", b"\x10\x0f\x00\x04MQTT\x04\x02\x00<\x00\x02c1x", no("§4.13.1", R::MalformedPacket)),
    first("connect_empty_id_not_clean",
        b"\x10\x0c\x00\x04MQTT\x04\x00\x00<\x00\x00",
        no("MQTT-3.1.3-8", R::ClientIdentifierNotValid)),
    first("connect_will_topic_wildcard",
        b"\x10\x16\x00\x04MQTT\x04\x06\x00<\x00\x02c1\x00\x03w/#\x00\x01m",
        no("MQTT-4.7.1-1", R::TopicNameInvalid)),
    first("connect_client_id_ill_formed",
        b"\x10\x0e\x00\x04MQTT\x04\x02\x00<\x00\x02\xc0\x80",
        no("MQTT-1.5.3-1", R::MalformedPacket)),
    first("connect_client_id_surrogate",
        b"\x10\x10\x00\x04MQTT\x05\x02\x00<\x00\x00\x03\xed\xa0\x80",
        no("MQTT-1.5.4-1", R::MalformedPacket)),
    first("connect_client_id_nul",
        b"\x10\x0f\x00\x04MQTT\x04\x02\x00<\x00\x03a\x00b",
        no("MQTT-1.5.3-2", R::MalformedPacket)),
    first("connect_5_receive_maximum_0",
        b"\x10\x12\x00\x04MQTT\x05\x02\x00<\x03!\x00\x00\x00\x02c1",
        no("§2.2.2.2", R::ProtocolError)),
    first("connect_5_duplicate_property",
        b"\x10\x15\x00\x04MQTT\x05\x02\x00<\x06!\x00\x01!\x00\x01\x00\x02c1",
        no("§2.2.2.2", R::ProtocolError)),
    first("connect_5_misplaced_property",
        b"\x10\x12\x00\x04MQTT\x05\x02\x00<\x03#\x00\x01\x00\x02c1",
        no("§2.2.2.2", R::MalformedPacket)),
    first("connect_5_unknown_property",
        b"\x10\x11\x00\x04MQTT\x05\x02\x00<\x02~\x00\x00\x02c1",
        no("§2.2.2.2", R::MalformedPacket)),
    first("connect_5_authentication_data_alone",
        b"\x10\x13\x00\x04MQTT\x05\x02\x00<\x04\x16\x00\x01D\x00\x02c1",
        no("§3.1.2.11.10", R::ProtocolError)),
    first("connect_5_property_length_too_long",
        b"\x10\x0f\x00\x04MQTT\x05\x02\x00<\x7f\x00\x02c1",
        no("§4.13.1", R::MalformedPacket)),
    first("connect_5_property_length_padded",
        b"\x10\x10\x00\x04MQTT\x05\x02\x00<\x80\x00\x00\x02c1",
        no("MQTT-1.5.5-1", R::MalformedPacket)),
    first("connect_remaining_length_padded", b"\x10\x80\x00", no("MQTT-1.5.5-1", R::MalformedPacket)),
    first("connect_remaining_length_of_five_bytes", b"\x10\xff\xff\xff\xff\x01", no("§1.5.5", R::MalformedPacket)),
    first("connect_larger_than_the_listener_takes", b"\x10\xff\xff\xff\x7f", no("§3.1", R::PacketTooLarge)),
    first("first_packet_is_publish", b"0\x04\x00\x01ax", no("MQTT-3.1.0-1", R::ProtocolError)),
    first("first_packet_is_tls", b"\x16\x03\x01\x02\x00\x01\x00\x01", no("MQTT-3.1.0-1", R::ProtocolError)),
    first("first_packet_is_http",
        b"GET /mqtt HTTP/1.1\x0d\x0aHost: a\x0d\x0a\x0d\x0a",
        no("MQTT-3.1.0-1", R::ProtocolError)),
    server("packet_type_0", V5, b"\x00\x00", no("§2.1.2", R::MalformedPacket)),
    server("auth_before_5", V3, b"\xf0\x00", no("§2.1.2", R::ProtocolError)),
    server("connack_from_a_client", V5, b" \x03\x00\x00\x00", no("§2.1.2", R::ProtocolError)),
    client("subscribe_from_a_server", V5, b"\x82\x07\x00\x01\x00\x00\x01a\x00", no("§2.1.2", R::ProtocolError)),
    client("disconnect_from_a_server_before_5", V3, b"\xe0\x00", no("§2.1.2", R::ProtocolError)),
    server("pingreq_with_a_body", V3, b"\xc0\x01\x00", no("§4.13.1", R::MalformedPacket)),
    server("pingreq_flags", V3, b"\xc1\x00", no("MQTT-2.2.2-1", R::MalformedPacket)),
    server("pingreq", V3, b"\xc0\x00", ok(PingReq)),
    client("pingresp", V5, b"\xd0\x00", ok(PingResp)),
    client("connack_3_1_1_session_present", V3, b" \x02\x01\x00", ok(ConnAck)),
    client("connack_3_1_unused_byte", Version::V3_1, b" \x02\xff\x00", ok(ConnAck)),
    client("connack_3_1_1_not_authorized", V3, b" \x02\x00\x05", ok(ConnAck)),
    client("connack_5", V5, b" \x12\x00\x00\x0f!\x00\x14$\x01\x12\x00\x02id\x1f\x00\x02hi", ok(ConnAck)),
    client("connack_reserved_flag", V5, b" \x03\x02\x00\x00", no("MQTT-3.2.2-1", R::MalformedPacket)),
    client("connack_return_code_6", V3, b" \x02\x00\x06", no("§3.2.2.2", R::ProtocolError)),
    client("connack_5_reason_of_another_packet", V5, b" \x03\x00\x8e\x00", no("MQTT-3.2.2-8", R::ProtocolError)),
    client("connack_5_session_present_on_failure", V5, b" \x03\x01\x87\x00", no("MQTT-3.2.2-6", R::ProtocolError)),
    client("connack_session_present_on_failure", V3, b" \x02\x01\x05", no("MQTT-3.2.2-4", R::ProtocolError)),
    client("connack_5_maximum_qos_2", V5, b" \x05\x00\x00\x02$\x02", no("§2.2.2.2", R::ProtocolError)),
    server("publish_qos_0", V3, b"0\x0a\x00\x03a/bhello", ok(Publish)),
    server("publish_empty_payload_retained", V3, b"1\x05\x00\x03a/b", ok(Publish)),
    server("publish_qos_2_dup", V3, b"<\x0c\x00\x03a/b\x00\x0ahello", ok(Publish)),
    server("publish_5_alias_only", V5, b"0\x07\x00\x00\x03#\x00\x01x", ok(Publish)),
    server("publish_5_properties", V5,
        b"3.\x00\x03a/b\x00\x0a!\x01\x01\x02\x00\x00\x00<\x03\x00\x01t\x08\x00\x01r\x09\x00\x01c&\x00\x01k\x00\
          \x01v&\x00\x01k\x00\x01whello",
        ok(Publish)),
    client("publish_5_two_subscription_identifiers", V5, b"0\x0a\x00\x01a\x05\x0b\x01\x0b\x80\x01x", ok(Publish)),
    server("publish_byte_order_mark_is_kept", V3, b"0\x07\x00\x04\xef\xbb\xbfax", ok(Publish)),
    server("publish_qos_3", V3, b"6\x05\x00\x01a\x00\x01", no("MQTT-3.3.1-4", R::MalformedPacket)),
    server("publish_dup_at_qos_0", V5, b"8\x04\x00\x01a\x00", no("MQTT-3.3.1-2", R::MalformedPacket)),
    server("publish_wildcard", V3, b"0\x06\x00\x03a/#x", no("MQTT-3.3.2-2", R::TopicNameInvalid)),
    server("publish_plus", V5, b"0\x09\x00\x05a/+/b\x00x", no("MQTT-3.3.2-2", R::TopicNameInvalid)),
    server("publish_topic_nul", V3, b"0\x06\x00\x03a\x00bx", no("MQTT-4.7.3-2", R::MalformedPacket)),
    server("publish_topic_ill_formed", V5, b"0\x06\x00\x02a\xff\x00x", no("MQTT-1.5.4-1", R::MalformedPacket)),
    server("publish_empty_topic", V3, b"0\x03\x00\x00x", no("MQTT-4.7.3-1", R::ProtocolError)),
    server("publish_5_empty_topic_without_alias", V5, b"0\x04\x00\x00\x00x", no("MQTT-4.7.3-1", R::ProtocolError)),
    server("publish_packet_id_0", V5, b"2\x06\x00\x01a\x00\x00\x00", no("MQTT-2.2.1-3", R::ProtocolError)),
    client("publish_packet_id_0_from_a_server", V5,
        b"2\x06\x00\x01a\x00\x00\x00",
        no("MQTT-2.2.1-4", R::ProtocolError)),
    server("publish_packet_id_0_before_5", V3, b"2\x05\x00\x01a\x00\x00", no("MQTT-2.3.1-1", R::ProtocolError)),
    server("publish_5_alias_0", V5, b"0\x07\x00\x01a\x03#\x00\x00", no("MQTT-3.3.2-8", R::TopicAliasInvalid)),
    server("publish_5_subscription_identifier_from_a_client", V5,
        b"0\x06\x00\x01a\x02\x0b\x01",
        no("MQTT-3.3.4-6", R::ProtocolError)),
    client("publish_5_subscription_identifier_0", V5, b"0\x06\x00\x01a\x02\x0b\x00", no("§2.2.2.2", R::ProtocolError)),
    server("publish_5_response_topic_wildcard", V5,
        b"0\x0a\x00\x01a\x06\x08\x00\x03r/+",
        no("MQTT-3.3.2-14", R::ProtocolError)),
    server("publish_5_format_indicator_2", V5, b"0\x06\x00\x01a\x02\x01\x02", no("§2.2.2.2", R::ProtocolError)),
    server("publish_5_user_property_ill_formed", V5,
        b"0\x0b\x00\x01a\x07&\x00\x01\xff\x00\x01v",
        no("MQTT-1.5.4-1", R::MalformedPacket)),
    server("puback_3_1_1", V3, b"@\x02\x00\x01", ok(PubAck)),
    client("puback_5_short", V5, b"@\x02\x00\x01", ok(PubAck)),
    client("puback_5_reason", V5, b"@\x03\x00\x01\x10", ok(PubAck)),
    server("pubrec_5_properties", V5, b"P\x0b\x00\x01\x97\x07\x1f\x00\x04full", ok(PubRec)),
    server("pubrel", V3, b"b\x02\x00\x01", ok(PubRel)),
    client("pubcomp_5_not_found", V5, b"p\x03\x00\x01\x92", ok(PubComp)),
    server("puback_packet_id_0", V5, b"@\x02\x00\x00", no("MQTT-2.2.1-5", R::ProtocolError)),
    server("puback_of_three_bytes_before_5", V3, b"@\x03\x00\x01\x00", no("§4.13.1", R::MalformedPacket)),
    client("puback_5_reason_of_a_suback", V5, b"@\x03\x00\x01\x01", no("MQTT-3.4.2-1", R::ProtocolError)),
    client("puback_5_no_reason_code", V5, b"@\x03\x00\x01\x7f", no("MQTT-3.4.2-1", R::MalformedPacket)),
    client("pubrec_5_reason", V5, b"P\x03\x00\x01\x92", no("MQTT-3.5.2-1", R::ProtocolError)),
    server("pubrel_5_reason", V5, b"b\x03\x00\x01\x80", no("MQTT-3.6.2-1", R::ProtocolError)),
    server("pubrel_flags", V3, b"`\x02\x00\x01", no("MQTT-3.6.1-1", R::MalformedPacket)),
    server("pubcomp_5_reason", V5, b"p\x03\x00\x01\x10", no("MQTT-3.7.2-1", R::ProtocolError)),
    server("subscribe_3_1_1", V3, b"\x82\x0c\x00\x01\x00\x03a/+\x01\x00\x01#\x02", ok(Subscribe)),
    server("subscribe_5", V5, b"\x82\x18\x00\x01\x02\x0b\x05\x00\x03a/b.\x00\x0a$share/g/a\x18", ok(Subscribe)),
    server("subscribe_flags", V5, b"\x80\x07\x00\x01\x00\x00\x01a\x00", no("MQTT-3.8.1-1", R::MalformedPacket)),
    server("subscribe_packet_id_0", V5, b"\x82\x07\x00\x00\x00\x00\x01a\x00", no("MQTT-2.2.1-3", R::ProtocolError)),
    server("subscribe_empty", V3, b"\x82\x02\x00\x01", no("MQTT-3.8.3-3", R::ProtocolError)),
    server("subscribe_5_empty", V5, b"\x82\x03\x00\x01\x00", no("MQTT-3.8.3-2", R::ProtocolError)),
    server("subscribe_reserved_option", V3, b"\x82\x06\x00\x01\x00\x01a\x04", no("MQTT-3.8.3-4", R::MalformedPacket)),
    server("subscribe_qos_3", V3, b"\x82\x06\x00\x01\x00\x01a\x03", no("MQTT-3.8.3-4", R::ProtocolError)),
    server("subscribe_5_reserved_option", V5,
        b"\x82\x07\x00\x01\x00\x00\x01a@",
        no("MQTT-3.8.3-5", R::MalformedPacket)),
    server("subscribe_5_retain_handling_3", V5, b"\x82\x07\x00\x01\x00\x00\x01a0", no("§3.8.3.1", R::ProtocolError)),
    server("subscribe_5_shared_no_local", V5,
        b"\x82\x10\x00\x01\x00\x00\x0a$share/g/a\x04",
        no("MQTT-3.8.3-4", R::ProtocolError)),
    server("subscribe_5_identifier_0", V5,
        b"\x82\x09\x00\x01\x02\x0b\x00\x00\x01a\x00",
        no("§2.2.2.2", R::ProtocolError)),
    server("subscribe_filter_wildcard", V3,
        b"\x82\x0a\x00\x01\x00\x05a/#/b\x00",
        no("MQTT-4.7.1-2", R::TopicFilterInvalid)),
    server("subscribe_filter_empty", V3, b"\x82\x05\x00\x01\x00\x00\x00", no("MQTT-4.7.3-1", R::TopicFilterInvalid)),
    server("subscribe_5_share_without_filter", V5,
        b"\x82\x0e\x00\x01\x00\x00\x08$share/g\x00",
        no("MQTT-4.8.2-2", R::TopicFilterInvalid)),
    client("suback_3_1_1", V3, b"\x90\x05\x00\x01\x00\x02\x80", ok(SubAck)),
    client("suback_5", V5, b"\x90\x05\x00\x01\x00\x01\x87", ok(SubAck)),
    client("suback_3_1_1_reason", V3, b"\x90\x03\x00\x01\x87", no("MQTT-3.9.3-2", R::ProtocolError)),
    client("suback_5_reason", V5, b"\x90\x04\x00\x01\x00\x03", no("MQTT-3.9.3-2", R::MalformedPacket)),
    client("suback_5_empty", V5, b"\x90\x03\x00\x01\x00", no("MQTT-3.8.4-6", R::ProtocolError)),
    server("unsubscribe", V3, b"\xa2\x05\x00\x01\x00\x01a", ok(Unsubscribe)),
    server("unsubscribe_flags", V3, b"\xa0\x05\x00\x01\x00\x01a", no("MQTT-3.10.1-1", R::MalformedPacket)),
    server("unsubscribe_empty", V5, b"\xa2\x03\x00\x01\x00", no("MQTT-3.10.3-2", R::ProtocolError)),
    client("unsuback_3_1_1", V3, b"\xb0\x02\x00\x01", ok(UnsubAck)),
    client("unsuback_5", V5, b"\xb0\x05\x00\x01\x00\x00\x11", ok(UnsubAck)),
    client("unsuback_5_reason", V5, b"\xb0\x04\x00\x01\x00\x01", no("MQTT-3.11.3-2", R::ProtocolError)),
    server("disconnect_3_1_1", V3, b"\xe0\x00", ok(Disconnect)),
    client("disconnect_5_short", V5, b"\xe0\x00", ok(Disconnect)),
    server("disconnect_5_with_will", V5, b"\xe0\x01\x04", ok(Disconnect)),
    server("disconnect_5_properties", V5, b"\xe0\x0d\x00\x0b\x11\x00\x00\x00\x00\x1f\x00\x03bye", ok(Disconnect)),
    server("disconnect_flags", V3, b"\xe1\x00", no("MQTT-3.14.1-1", R::MalformedPacket)),
    server("disconnect_5_reason", V5, b"\xe0\x01\x01", no("MQTT-3.14.2-1", R::ProtocolError)),
    client("disconnect_5_session_expiry_from_a_server", V5,
        b"\xe0\x07\x00\x05\x11\x00\x00\x00\x00",
        no("MQTT-3.14.2-2", R::ProtocolError)),
    server("disconnect_with_a_body_before_5", V3, b"\xe0\x01\x00", no("§4.13.1", R::MalformedPacket)),
    server("auth_5", V5, b"\xf0\x0a\x18\x08\x15\x00\x01M\x16\x00\x01D", ok(Auth)),
    client("auth_5_short", V5, b"\xf0\x00", ok(Auth)),
    server("auth_5_flags", V5, b"\xf1\x00", no("MQTT-3.15.1-1", R::MalformedPacket)),
    server("auth_5_reason", V5, b"\xf0\x06\x80\x04\x15\x00\x01M", no("MQTT-3.15.2-1", R::ProtocolError)),
    server("auth_5_without_method", V5, b"\xf0\x02\x18\x00", no("§3.15.2.2.2", R::ProtocolError)),
    server("packet_larger_than_the_maximum", V5, b"0\xff\xff\xff\x7f", no("MQTT-3.2.2-15", R::PacketTooLarge)),
    client("packet_larger_than_the_clients_maximum", V5, b"0\xff\xff\xff\x7f", no("MQTT-3.1.2-24", R::PacketTooLarge)),
];
