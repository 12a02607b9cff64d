use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;

const HERE: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
const THERE: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)));

fn at(seconds: u64) -> Wall {
    Wall::from_millis(1_000_000_000 + seconds * 1000)
}

fn fail(brake: &Brake, times: u32, user: &str) {
    for _ in 0..times {
        brake.failed(HERE, user, at(0));
    }
}

#[test]
fn five_wrong_passwords_are_free_and_then_the_way_closes_for_longer_and_longer() {
    let brake = Brake::new();
    fail(&brake, 5, "a");
    assert_eq!(brake.check(HERE, "a", at(0)), Ok(()));
    for delay in [1, 2, 4, 8, 16, 32, 64, 64] {
        brake.failed(HERE, "a", at(0));
        assert_eq!(brake.check(HERE, "b", at(0)), Err(Duration::from_secs(delay)), "whoever comes from there");
        assert_eq!(brake.check(THERE, "b", at(0)), Ok(()));
    }
    assert_eq!(brake.check(HERE, "a", at(64)), Ok(()), "whoever waits is heard");
    assert_eq!(brake.stats().wrong, 13);
}

#[test]
fn a_minute_forgives_one() {
    let brake = Brake::new();
    fail(&brake, 6, "a");
    brake.failed(HERE, "a", at(2 * 60));
    assert_eq!(brake.check(HERE, "a", at(2 * 60)), Ok(()), "the fifth");
    brake.failed(HERE, "a", at(2 * 60));
    assert_eq!(brake.check(HERE, "a", at(2 * 60)), Err(Duration::from_secs(1)));
}

#[test]
fn a_name_that_is_tried_from_everywhere_is_held_up_for_seconds() {
    let brake = Brake::new();
    for last in 0..20 {
        brake.failed(Some(Ipv4Addr::new(198, 51, 100, last).into()), "admin", at(0));
    }
    assert_eq!(brake.check(HERE, "admin", at(0)), Ok(()));
    for delay in [1, 2, 4, 8, 8] {
        brake.failed(THERE, "admin", at(0));
        assert_eq!(brake.check(HERE, "admin", at(0)), Err(Duration::from_secs(delay)));
    }
    assert_eq!(brake.check(HERE, "alice", at(0)), Ok(()));
}

#[test]
fn a_user_who_was_let_in_is_not_held_up_by_others() {
    let brake = Brake::new();
    brake.succeeded(HERE, "alice");
    fail(&brake, 50, "mallory");
    for last in 0..50 {
        brake.failed(Some(Ipv4Addr::new(198, 51, 100, last).into()), "alice", at(0));
    }
    assert_eq!(brake.check(HERE, "alice", at(0)), Ok(()));
    assert!(brake.check(HERE, "bob", at(0)).is_err());
    assert!(brake.check(THERE, "alice", at(0)).is_err());
}

#[test]
fn a_user_who_was_let_in_may_not_guess_for_ever() {
    let brake = Brake::new();
    brake.succeeded(HERE, "alice");
    fail(&brake, 5, "alice");
    assert_eq!(brake.check(HERE, "alice", at(0)), Ok(()));
    assert_eq!(brake.check(HERE, "bob", at(0)), Ok(()));
    fail(&brake, 1, "alice");
    assert_eq!(brake.check(HERE, "alice", at(0)), Err(Duration::from_secs(1)));
    fail(&brake, 1, "alice");
    assert_eq!(brake.check(HERE, "bob", at(0)), Err(Duration::from_secs(2)), "it is a stranger again");
}

#[test]
fn ipv6_addresses_count_by_network_and_mapped_ones_as_ipv4() {
    let brake = Brake::new();
    for host in 0..6u128 {
        let address = std::net::Ipv6Addr::from(0x2001_0db8_0000_0001_0000_0000_0000_0000 + host);
        brake.failed(Some(address.into()), "a", at(0));
    }
    assert!(brake.check("2001:db8:0:1:ffff::1".parse().ok(), "b", at(0)).is_err());
    assert!(brake.check("2001:db8:0:2::1".parse().ok(), "b", at(0)).is_ok());
    fail(&brake, 6, "c");
    assert!(brake.check("::ffff:192.0.2.1".parse().ok(), "b", at(0)).is_err());
}

#[test]
fn a_clock_that_was_set_back_locks_nobody_out() {
    let brake = Brake::new();
    for _ in 0..6 {
        brake.failed(HERE, "a", at(1_000_000));
    }
    assert_eq!(brake.check(HERE, "a", at(0)), Ok(()));
}

proptest! {
    /// Whatever an attacker does, it gets few passwords looked at, and whoever waits is heard.
    #[test]
    fn guesses_are_few_and_nobody_is_locked_out(pauses in proptest::collection::vec(0u64..5_000, 1..400)) {
        let brake = Brake::new();
        let (mut now, mut looked_at) = (1_000_000_000, 0);
        for pause in &pauses {
            now += pause;
            if brake.check(HERE, "victim", Wall::from_millis(now)).is_ok() {
                brake.failed(HERE, "victim", Wall::from_millis(now));
                looked_at += 1;
            }
        }
        let minutes = (now - 1_000_000_000) / 60_000;
        // The free ones, the steps up to the longest, and then what is forgiven or let through each minute.
        prop_assert!(looked_at <= 12 + 2 * (minutes + 1), "{looked_at} in {minutes} minutes");
        prop_assert!(brake.check(HERE, "victim", Wall::from_millis(now + 64_000)).is_ok());
    }

    #[test]
    fn memory_is_bounded_and_what_is_in_use_is_kept(users in proptest::collection::vec("[a-z]{1,3}", 1..400)) {
        let brake = Brake::with_capacity(BrakeSteps::SOURCE, BrakeSteps::USER, 16);
        fail(&brake, 6, "busy");
        for (n, user) in users.iter().enumerate() {
            let address = Ipv4Addr::from(u32::try_from(n).unwrap());
            brake.failed(Some(address.into()), user, at(0));
            brake.succeeded(Some(address.into()), user);
            prop_assert!(brake.stats().remembered <= 16);
            prop_assert!(brake.tables().known.len() <= 16);
            prop_assert!(brake.check(HERE, "somebody", at(0)).is_err());
        }
    }
}
