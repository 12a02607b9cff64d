use super::*;

#[test]
fn every_byte_is_its_own_code_or_none() {
    let mut known = 0;
    for byte in 0..=255 {
        if let Some(code) = ReasonCode::from_u8(byte) {
            assert_eq!(code.as_u8(), byte);
            assert!(code.packets() != 0, "{code} is valid nowhere");
            assert!(!code.explain().is_empty());
            known += 1;
        }
    }
    assert_eq!(known, 43);
    assert_eq!(ReasonCode::ALL.len(), 43);
}

#[test]
fn names_are_the_standards() {
    assert_eq!(ReasonCode::NotAuthorized.to_string(), "Not authorized (0x87)");
    assert_eq!(ReasonCode::NORMAL_DISCONNECTION.name_in(PacketType::Disconnect), "Normal disconnection");
    assert_eq!(ReasonCode::GRANTED_QOS_0.name_in(PacketType::SubAck), "Granted QoS 0");
}

#[test]
fn the_table_of_section_2_4_decides_where_a_code_may_stand() {
    let count = |packet| ReasonCode::ALL.iter().filter(|code| code.valid_in(packet)).count();
    assert_eq!(count(PacketType::ConnAck), 22);
    assert_eq!(count(PacketType::PubAck), 9);
    assert_eq!(count(PacketType::PubRec), 9);
    assert_eq!(count(PacketType::PubRel), 2);
    assert_eq!(count(PacketType::PubComp), 2);
    assert_eq!(count(PacketType::SubAck), 12);
    assert_eq!(count(PacketType::UnsubAck), 7);
    assert_eq!(count(PacketType::Disconnect), 30);
    assert_eq!(count(PacketType::Auth), 3);
    assert_eq!(count(PacketType::Publish), 0);
}

#[test]
fn return_codes_of_3_1_1_go_both_ways() {
    for code in 0..=5 {
        assert_eq!(ReasonCode::from_v3_connect_code(code).and_then(ReasonCode::to_v3_connect_code), Some(code));
    }
    assert_eq!(ReasonCode::from_v3_connect_code(6), None);
    assert_eq!(ReasonCode::MalformedPacket.to_v3_connect_code(), None);
    assert_eq!(ReasonCode::Banned.to_v3_connect_code(), Some(5));
}
