use super::*;

#[test]
fn a_detached_message_is_equal_and_elsewhere() {
    let buffer = Bytes::from(b"a/btextr/shello".to_vec());
    let inside = buffer.as_ptr_range();
    let text = |range| ByteString::try_from(buffer.slice(range)).unwrap();
    let mut message = Message::new(TopicName::try_from(text(0..3)).unwrap(), buffer.slice(10..15));
    let properties = message.properties_mut();
    properties.content_type = Some(text(3..7));
    properties.response_topic = Some(TopicName::try_from(text(7..10)).unwrap());
    properties.correlation_data = Some(buffer.slice(10..12));
    properties.user_properties = vec![(text(0..1), text(3..7))];
    assert_eq!(message.weight(), 3 + 5 + 4 + 3 + 2 + 1 + 4);

    let copy = message.detached();
    assert_eq!(copy, message);
    for bytes in
        [copy.topic.as_str().as_bytes(), &copy.payload, copy.properties().content_type.as_ref().unwrap().as_bytes()]
    {
        assert!(!inside.contains(&bytes.as_ptr()));
    }
    assert_eq!(SharedMessage::new(copy).weight(), message.weight());
}

#[test]
fn absent_properties_are_empty() {
    let message = Message::new(TopicName::try_from("a").unwrap(), Bytes::new());
    assert!(message.properties().is_empty());
    assert_eq!(message.properties(), &MessageProperties::default());
    assert_eq!(message.detached(), message);
}
