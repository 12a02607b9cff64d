use super::*;

#[test]
fn definite_and_indefinite_lengths_are_read() {
    let mut input = &[0x30, 0x80, 0x02, 0x01, 0x05, 0x30, 0x80, 0, 0, 0, 0, 0x04, 0x81, 0x01, 7][..];
    assert_eq!(expect(&mut input, INTEGER), None);
    assert_eq!(expect(&mut input, SEQUENCE), Some(&[0x02, 0x01, 0x05, 0x30, 0x80, 0, 0][..]));
    assert_eq!(take(&mut input), Some(&[0x04, 0x81, 0x01, 7][..]));
    assert_eq!(next(&mut input), None);
}

#[test]
fn what_is_cut_off_too_deep_or_too_long_is_refused() {
    let mut deep = [0x30, 0x80].repeat(10_000);
    deep.extend([0, 0].repeat(10_000));
    for bytes in [
        &deep[..],
        &[0x30, 0x80, 0x02, 0x01, 0x05],
        &[0x04, 0x80, 0, 0],
        &[0x30, 0x02, 0x05],
        &[0x30, 0x85, 0, 0, 0, 0, 0],
        &[0x30, 0xff],
        &[0x1f, 0x81, 0x01, 0x00],
        &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
    ] {
        let mut input = bytes;
        assert_eq!(next(&mut input), None);
        assert_eq!(input, bytes, "nothing is taken");
    }
}
