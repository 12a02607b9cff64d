//! The checksum behind each value: damage that arises while the file is open is said when a row is read.

/// Bytes that it takes: CRC-32 (ISO-HDLC), big-endian, over the table's name, the key's length, the key and the value.
const LEN: usize = 4;

fn sum(table: &str, key: &[u8], value: &[u8]) -> [u8; LEN] {
    let mut sum = crc32fast::Hasher::new();
    sum.update(table.as_bytes());
    sum.update(&(key.len() as u64).to_be_bytes());
    sum.update(key);
    sum.update(value);
    sum.finalize().to_be_bytes()
}

/// The value and its checksum, in `room`.
pub(super) fn append<'a>(room: &'a mut Vec<u8>, table: &str, key: &[u8], value: &[u8]) -> &'a [u8] {
    room.clear();
    room.extend_from_slice(value);
    room.extend_from_slice(&sum(table, key, value));
    room
}

/// The value, unless it is not the one that was written there.
pub(super) fn checked<'a>(table: &str, key: &[u8], stored: &'a [u8]) -> Option<&'a [u8]> {
    let (value, found) = stored.split_last_chunk::<LEN>()?;
    (*found == sum(table, key, value)).then_some(value)
}
