//! Which addresses of a name are tried, and in which order.

use std::net::SocketAddr;

use crate::transport::AddressFamily;

/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 16;

/// Families in turn, one address of the first before the first of the other: a First Address Family Count of 1
/// (RFC 8305 §4). The system has sorted the addresses; its first one's family begins if none is preferred. Each is
/// tried once. `only_v4` leaves one family out.
pub(in crate::transport) fn ordered(
    found: &[SocketAddr],
    family: AddressFamily,
    only_v4: Option<bool>,
) -> Vec<SocketAddr> {
    let mut all: Vec<SocketAddr> = Vec::new();
    for address in found {
        if !all.contains(address) && only_v4.is_none_or(|only_v4| address.is_ipv4() == only_v4) {
            all.push(*address);
        }
    }
    let first_is_v4 = match family {
        AddressFamily::PreferV4 | AddressFamily::V4 => true,
        AddressFamily::PreferV6 | AddressFamily::V6 => false,
        AddressFamily::Any => all.first().is_some_and(SocketAddr::is_ipv4),
    };
    let (first, second): (Vec<_>, Vec<_>) = all.into_iter().partition(|address| address.is_ipv4() == first_is_v4);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut mixed = Vec::new();
    loop {
        let pair = [first.next(), second.next()];
        if pair.iter().all(Option::is_none) {
            mixed.truncate(MAX_ADDRESSES);
            return mixed;
        }
        mixed.extend(pair.into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &[&str]) -> Vec<SocketAddr> {
        text.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns_and_nothing_is_tried_twice() {
        let given = parse(&["[::1]:1", "[::2]:1", "[::2]:1", "[::3]:1", "10.0.0.1:1"]);
        let mixed = ["[::1]:1", "10.0.0.1:1", "[::2]:1", "[::3]:1"];
        assert_eq!(ordered(&given, AddressFamily::Any, None), parse(&mixed));
        let many: Vec<_> = (1..=99).map(|port| SocketAddr::from(([10, 0, 0, 1], port))).collect();
        assert_eq!(ordered(&many, AddressFamily::Any, None).len(), MAX_ADDRESSES);
    }

    #[test]
    fn a_family_can_be_preferred_or_left_out() {
        let given = parse(&["[::1]:1", "[::2]:1", "10.0.0.1:1", "10.0.0.2:1"]);
        for (family, only_v4, expected) in [
            (AddressFamily::PreferV4, None, &["10.0.0.1:1", "[::1]:1", "10.0.0.2:1", "[::2]:1"][..]),
            (AddressFamily::PreferV6, None, &["[::1]:1", "10.0.0.1:1", "[::2]:1", "10.0.0.2:1"]),
            (AddressFamily::V4, Some(true), &["10.0.0.1:1", "10.0.0.2:1"]),
            (AddressFamily::V6, Some(false), &["[::1]:1", "[::2]:1"]),
            (AddressFamily::Any, Some(true), &["10.0.0.1:1", "10.0.0.2:1"]),
        ] {
            assert_eq!(ordered(&given, family, only_v4), parse(expected), "{family:?}");
        }
        assert_eq!(ordered(&given[..2], AddressFamily::V4, Some(true)), []);
    }
}
