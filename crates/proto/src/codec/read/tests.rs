use super::*;

#[test]
fn mqtt5_1_5_5_1_a_variable_byte_integer_is_minimal() {
    let whole = [
        (0, &[0x00][..]),
        (127, &[0x7F]),
        (128, &[0x80, 0x01]),
        (16_383, &[0xFF, 0x7F]),
        (16_384, &[0x80, 0x80, 0x01]),
        (2_097_151, &[0xFF, 0xFF, 0x7F]),
        (2_097_152, &[0x80, 0x80, 0x80, 0x01]),
        (268_435_455, &[0xFF, 0xFF, 0xFF, 0x7F]),
    ];
    for (value, bytes) in whole {
        assert_eq!(varint(bytes), Ok(Varint::Whole(value, bytes.len())));
        for cut in 0..bytes.len() {
            assert_eq!(varint(&bytes[..cut]), Ok(Varint::Partial));
        }
    }
    for padded in [&[0x80, 0x00][..], &[0x81, 0x00], &[0xFF, 0x80, 0x00], &[0x80, 0x80, 0x80, 0x00]] {
        assert_eq!(varint(padded).unwrap_err().statement(), "MQTT-1.5.5-1");
    }
    assert_eq!(varint(&[0x80, 0x80, 0x80, 0x80]).unwrap_err().statement(), "§1.5.5");
    assert_eq!(varint(&[0xFF, 0xFF, 0xFF, 0xFF, 0x7F]).unwrap_err().statement(), "§1.5.5");
}

#[test]
fn fields_are_slices_of_the_packet() {
    let bytes = Bytes::from_static(b"\0\x03abc\0\x02\x01\x02\x12\x34rest");
    let inside = bytes.as_ptr_range();
    let mut reader = Reader::new(bytes);
    let text = reader.string("a string").unwrap();
    assert_eq!(&text[..], "abc");
    assert!(inside.contains(&text.as_ptr()));
    assert_eq!(&reader.binary("data").unwrap()[..], [1, 2]);
    assert_eq!(reader.u16("a number"), Ok(0x1234));
    assert_eq!(&reader.rest()[..], b"rest");
    assert_eq!(reader.end(), Ok(()));
}

#[test]
fn a_field_cannot_reach_beyond_the_packet() {
    let mut reader = Reader::new(Bytes::from_static(b"\0\x04abc"));
    assert_eq!(reader.string("a string").unwrap_err().statement(), "§4.13.1");
    let mut reader = Reader::new(Bytes::from_static(b"\x01"));
    assert!(reader.u16("a number").is_err());
    assert!(reader.u32("a number").is_err());
    assert!(Reader::new(Bytes::from_static(b"\x80")).varint("a length").is_err());
    assert!(Reader::new(Bytes::new()).u8("a byte").is_err());
}
