use proptest::prelude::*;

use super::*;

#[test]
fn a_head_is_read_and_what_follows_is_left() {
    let bytes =
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nconnection:keep-alive,  Upgrade \r\n\r\nrest";
    let head = Head::parse(bytes).unwrap().unwrap();
    assert_eq!((head.status, head.reason.as_str(), head.length), (101, "Switching Protocols", bytes.len() - 4));
    assert_eq!(head.field("UPGRADE"), Some("websocket"));
    assert!(head.has_token("Connection", "upgrade") && !head.has_token("Connection", "close"));
    for end in 0..head.length {
        assert_eq!(Head::parse(&bytes[..end]), Ok(None), "{end}");
    }
}

#[test]
fn answers_of_every_shape_are_told_apart() {
    for (bytes, expected) in [
        (&b"HTTP/1.0 200\n\n"[..], Ok((200, ""))),
        (b"HTTP/1.1 407 Auth\r\nA: b\r\nA: c\r\n\r\n", Ok((407, "Auth"))),
        (b"HTTP/1.1 200 \r\n\r\n", Ok((200, ""))),
        (b"HTTP/2 200 OK\r\n\r\n", Err(HeadError::NotHttp)),
        (b"SSH-2.0-x\r\n\r\n", Err(HeadError::NotHttp)),
        (b"\x05\x00", Err(HeadError::NotHttp)),
        (b"HTTP/1.x 200 OK\r\n\r\n", Err(HeadError::Malformed("its status line"))),
        (b"HTTP/1.1 20 OK\r\n\r\n", Err(HeadError::Malformed("its status line"))),
        (b"HTTP/1.1 2000 OK\r\n\r\n", Err(HeadError::Malformed("its status line"))),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", Err(HeadError::Malformed("one of its fields"))),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n folded: c\r\n\r\n", Err(HeadError::Malformed("one of its fields"))),
    ] {
        let read = Head::parse(bytes).map(|head| head.unwrap());
        let read = read.as_ref().map(|head| (head.status, head.reason.as_str())).map_err(|error| *error);
        assert_eq!(read, expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_head_ends_within_its_limit() {
    let mut bytes = b"HTTP/1.1 200 OK\r\nA: ".to_vec();
    bytes.resize(MAX_HEAD - 4, b'x');
    bytes.extend_from_slice(b"\r\n\r\n");
    assert!(matches!(Head::parse(&bytes), Ok(Some(head)) if head.length == MAX_HEAD));
    bytes.insert(MAX_HEAD - 4, b'x');
    assert_eq!(Head::parse(&bytes), Err(HeadError::TooLong));
    let endless = [&b"HTTP/1.1 200 OK\r\n"[..], &b"a".repeat(MAX_HEAD)].concat();
    assert_eq!(Head::parse(&endless), Err(HeadError::TooLong));
}

#[test]
fn base64_is_the_standards() {
    for (bytes, text) in
        [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")]
    {
        assert_eq!(base64(bytes.as_bytes()), text);
    }
    assert_eq!(base64(&[0xfb, 0xff, 0xbf]), "+/+/");
}

proptest! {
    #[test]
    fn any_bytes_give_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..300), http in any::<bool>()) {
        let bytes = if http { [&b"HTTP/1.1 "[..], &bytes].concat() } else { bytes };
        if let Ok(Some(head)) = Head::parse(&bytes) {
            prop_assert!(head.length <= bytes.len());
        }
    }

    #[test]
    fn what_was_written_is_read(
        status in 100_u16..1000,
        reason in "[!-~]{0,10}",
        fields in prop::collection::vec(("[A-Za-z-]{1,10}", "[!-~]{0,20}"), 0..5),
        body in "[ -~]{0,20}",
    ) {
        let mut text = format!("HTTP/1.1 {status} {reason}\r\n");
        for (name, value) in &fields {
            text += &format!("{name}: {value}\r\n");
        }
        text += "\r\n";
        let length = text.len();
        text += &body;
        let head = Head::parse(text.as_bytes()).unwrap().unwrap();
        prop_assert_eq!((head.status, &head.reason, head.length), (status, &reason, length));
        prop_assert_eq!(head.fields, fields);
    }
}
