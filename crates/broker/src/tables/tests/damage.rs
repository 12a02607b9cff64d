//! Rows that are not as they were written.

use gridmq_proto::topic::TopicError;
use proptest::test_runner::TestCaseResult;

use super::*;

/// The parts of a key and the value: one row of each kind, with everything in it that there can be.
fn samples() -> Vec<(Table, Vec<&'static [u8]>, Bytes)> {
    let mut message = message("a", b"payload");
    *message.properties_mut() = gridmq_proto::MessageProperties {
        payload_format_indicator: Some(true),
        message_expiry_interval: Some(60),
        content_type: Some("text/plain".into()),
        response_topic: Some("r".try_into().unwrap()),
        correlation_data: Some(Bytes::from_static(b"c")),
        user_properties: vec![("n".into(), "v".into())],
    };
    let retained = RetainedRow { message, qos: QoS::AtLeastOnce, expires_at: Some(Wall::from_millis(1)) };
    let delivery = Delivery {
        message: SharedMessage::new(retained.message.clone()),
        qos: QoS::ExactlyOnce,
        retain: true,
        subscription_identifiers: [1, 2].map(|id| std::num::NonZeroU32::new(id).unwrap()).into_iter().collect(),
        expires_at: Some(Wall::from_millis(1)),
        share: Some("$share/g/a".into()),
    };
    let session = SessionRow { owner: "owner".to_owned(), disconnected_at: Some(Wall::from_millis(2)) };
    vec![
        (SESSIONS, vec![b"c", STARTED], rows::encode_started(1)),
        (SESSIONS, vec![b"c", OWNER], rows::encode_session_row(&session)),
        (SUBSCRIPTIONS, vec![b"c", b"a/#"], rows::encode_subscription(&Subscription::default())),
        (QUEUE, vec![b"c", &[0, 0, 0, 0, 0, 0, 0, 1]], rows::encode_delivery(&delivery)),
        (IN_FLIGHT, vec![b"c", &[0, 0, 0, 0, 0, 0, 0, 1]], rows::encode_in_flight(id(1), false)),
        (RECEIVED, vec![b"c", &[0, 1]], rows::encode_received()),
        (ROUTED, vec![b"c", &[0, 1], &[0, 0, 0, 0, 0, 0, 0, 7], b"cr"], rows::encode_received()),
        (RETAINED, vec![b"a"], rows::encode_retained(&retained)),
    ]
}

/// What reading a store with this row alone answers: the fault, which names the row, or nothing.
fn read(table: Table, parts: &[&[u8]], value: impl Into<Bytes>) -> Option<Fault> {
    let (store, _) = store();
    let key = Key::new(NAMESPACES[1], parts);
    submit(&store, |batch| _ = batch.put(table, key.clone(), value));
    match recover(&store, &NAMESPACES) {
        Ok(_) => None,
        Err(RecoverError::Row { table: found, key: at, fault }) => {
            assert_eq!((found, at), (table, key));
            Some(fault)
        }
        Err(RecoverError::Engine(error)) => panic!("{error}"),
    }
}

/// If the value can be read, it is what is written for what was read.
fn reads_as_itself(table: Table, parts: &[&[u8]], value: &Bytes) -> TestCaseResult {
    let value = value.clone();
    let again = match table {
        SESSIONS if parts[1] == STARTED => rows::decode_started(value.clone()).map(rows::encode_started),
        SESSIONS => rows::decode_session_row(value.clone()).map(|row| rows::encode_session_row(&row)),
        SUBSCRIPTIONS => rows::decode_subscription(value.clone()).map(|how| rows::encode_subscription(&how)),
        QUEUE => rows::decode_delivery(value.clone()).map(|delivery| rows::encode_delivery(&delivery)),
        IN_FLIGHT => rows::decode_in_flight(value.clone()).map(|(id, released)| rows::encode_in_flight(id, released)),
        RECEIVED | ROUTED => rows::decode_received(value.clone()).map(|()| rows::encode_received()),
        _ => rows::decode_retained(value.clone(), "a".try_into().unwrap()).map(|row| rows::encode_retained(&row)),
    };
    prop_assert_eq!(again.as_ref().err().copied(), read(table, parts, value.clone()));
    if let Ok(again) = again {
        prop_assert_eq!(again, value);
    }
    Ok(())
}

#[test]
fn each_kind_of_row_can_be_read_and_no_part_of_it_nor_more_than_it() {
    for (table, parts, value) in samples() {
        assert_eq!(read(table, &parts, value.clone()), None);
        for end in 0..value.len() {
            let fault = read(table, &parts, value.slice(..end));
            assert!(matches!(fault, Some(Fault::Short { missing: 1.. })), "{table:?} cut at {end}: {fault:?}");
        }
        let longer = [&value[..], &[0, 0]].concat();
        assert_eq!(read(table, &parts, longer), Some(Fault::Long(2)), "{table:?}");
        let other = [&[2], &value[1..]].concat();
        assert_eq!(read(table, &parts, other), Some(Fault::Format(2)), "{table:?}");
    }
}

#[test]
fn a_length_or_number_beyond_the_value_is_refused_before_anything_is_kept_for_it() {
    const HUGE: [u8; 4] = [0xff; 4];
    let retained = [&[1, 0][..], &HUGE, b"x"].concat();
    assert_eq!(read(RETAINED, &[b"a"], retained), Some(Fault::Short { missing: 0xffff_fffe }));
    // No payload, properties, that many user properties.
    let retained = [&[1, 0, 0, 0, 0, 0, 1][..], &HUGE].concat();
    assert_eq!(read(RETAINED, &[b"a"], retained), Some(Fault::Short { missing: 4 }));
    let queued = [&[1, 1][..], &HUGE].concat();
    assert_eq!(read(QUEUE, &[b"c", &[1; 8]], queued), Some(Fault::Short { missing: 4 }));
}

#[test]
fn keys_of_another_make_are_refused() {
    for (table, parts, value) in samples() {
        let more: Vec<&[u8]> = parts.iter().copied().chain([&b"more"[..]]).collect();
        assert_eq!(read(table, &more, value.clone()), Some(Fault::KeyParts), "{table:?}");
        assert_eq!(read(table, &parts[1..], value.clone()), Some(Fault::KeyParts), "{table:?}");
        let strange: Vec<&[u8]> = [&b"\xff"[..]].into_iter().chain(parts[1..].iter().copied()).collect();
        assert_eq!(read(table, &strange, value.clone()), Some(Fault::Text), "{table:?}");
    }
    let received = rows::encode_received();
    assert_eq!(read(RECEIVED, &[b"c", &[0, 0]], received.clone()), Some(Fault::ZeroIdentifier));
    assert_eq!(read(RECEIVED, &[b"c", &[1]], received), Some(Fault::KeyParts));
    assert_eq!(read(SESSIONS, &[b"c", b"other"], rows::encode_started(1)), Some(Fault::KeyParts));
    let topic = Some(Fault::Topic(TopicError::Wildcard { at: 0 }));
    assert_eq!(read(RETAINED, &[b"#"], &[1, 0, 0, 0, 0, 0, 0][..]), topic);
    let filter = Some(Fault::Topic(TopicError::MisplacedWildcard { at: 0 }));
    assert_eq!(read(SUBSCRIPTIONS, &[b"c", b"#/a"], rows::encode_subscription(&Subscription::default())), filter);
}

#[test]
fn values_without_a_meaning_are_refused() {
    for flags in [0b11, 0b0011_0000, 0b0100_0000, 0b1000_0000] {
        let fault = read(SUBSCRIPTIONS, &[b"c", b"a"], vec![1, flags, 0, 0, 0, 0]);
        assert_eq!(fault, Some(Fault::Flags(flags)));
    }
    for flags in [0b11, 0b100, 0b1_0000, 0b10_0000] {
        assert_eq!(read(RETAINED, &[b"a"], vec![1, flags, 0, 0, 0, 0, 0]), Some(Fault::Flags(flags)));
    }
    // Properties that are there although none are; an indicator's value without the indicator.
    for flags in [0b10, 0b101, 0b1000_0001] {
        assert_eq!(read(RETAINED, &[b"a"], vec![1, 0, 0, 0, 0, 0, flags]), Some(Fault::Flags(flags)));
    }
    assert_eq!(read(IN_FLIGHT, &[b"c", &[1; 8]], vec![1, 2, 0, 1]), Some(Fault::Flags(2)));
    assert_eq!(read(IN_FLIGHT, &[b"c", &[1; 8]], vec![1, 0, 0, 0]), Some(Fault::ZeroIdentifier));
    let zero = vec![1, 1, 0, 0, 0, 1, 0, 0, 0, 0];
    assert_eq!(read(QUEUE, &[b"c", &[1; 8]], zero), Some(Fault::ZeroIdentifier));
    assert_eq!(read(SESSIONS, &[b"c", OWNER], vec![1, 0, 0, 0, 1, 0xff, 0]), Some(Fault::Text));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_bytes_are_read_as_themselves_or_refused(
        which in 0_usize..7,
        value in prop::collection::vec(prop_oneof![0_u8..4, any::<u8>()], 0..40),
        known_format in any::<bool>(),
    ) {
        let (table, parts, _) = samples().swap_remove(which);
        let value: Bytes = if known_format { [&[1], &value[..]].concat().into() } else { value.into() };
        reads_as_itself(table, &parts, &value)?;
    }

    #[test]
    fn a_damaged_value_is_read_as_itself_or_refused(
        which in 0_usize..7,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let (table, parts, value) = samples().swap_remove(which);
        let mut value = value.to_vec();
        for (at, byte) in damage {
            let at = at.index(value.len());
            value[at] = byte;
        }
        reads_as_itself(table, &parts, &value.into())?;
    }

    #[test]
    fn any_key_is_read_or_refused(
        which in 0_usize..7,
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..10), 0..4),
    ) {
        let (table, _, value) = samples().swap_remove(which);
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let fault = read(table, &parts, value);
        let of_a_key =
            matches!(fault, None | Some(Fault::KeyParts | Fault::Text | Fault::Topic(_) | Fault::ZeroIdentifier));
        prop_assert!(of_a_key, "{fault:?}");
    }
}
