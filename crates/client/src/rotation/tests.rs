use super::*;

const NOT_AFTER: u64 = 10_000;

fn at(seconds: u64) -> Monotonic {
    Monotonic::from_micros(seconds * 1_000_000)
}

#[test]
fn a_new_generation_moves_the_client_when_nothing_is_unanswered() {
    let mut rotation = Rotation::new(1, NOT_AFTER);
    assert_eq!(rotation.deadline(), None);
    rotation.arrived(at(1), 1);
    assert!(!rotation.leaves(at(1), true));
    rotation.arrived(at(1), 2);
    assert!(!rotation.leaves(at(2), false));
    assert_eq!(rotation.deadline(), Some(at(6)));
    assert!(rotation.leaves(at(3), true));
    assert_eq!((rotation.phase(), rotation.tries(at(3))), (Phase::Leaving, None));
    rotation.gone(at(4));
    assert_eq!(rotation.tries(at(4)), Some(Choice::Newest));
    assert_eq!(rotation.tries(at(4)), None);
    rotation.resumed(2, NOT_AFTER + 60);
    assert_eq!((rotation.phase(), rotation.used(), rotation.known()), (Phase::Steady, 2, 2));
}

#[test]
fn what_is_unanswered_is_not_waited_for_without_end() {
    let mut rotation = Rotation::new(1, NOT_AFTER);
    rotation.arrived(at(1), 2);
    assert!(!rotation.leaves(at(5), false));
    assert!(rotation.leaves(at(6), false));
}

#[test]
fn attempts_are_spread_until_the_old_certificate_has_run_out() {
    let mut rotation = Rotation::new(1, NOT_AFTER);
    rotation.arrived(at(0), 2);
    rotation.gone(at(0));
    let mut now = 0;
    let mut waits = Vec::new();
    for _ in 0..9 {
        assert_eq!(rotation.tries(at(now)), Some(Choice::Newest));
        let Next::Retry { wait } = rotation.failed(at(now), 1, 2, false, u64::MAX) else { panic!("gave up") };
        assert_eq!(rotation.deadline(), Some(at(now).after(wait)));
        waits.push(wait);
        now += 100;
    }
    assert!(waits.iter().all(|wait| (MIN_WAIT..=MAX_WAIT).contains(wait)), "{waits:?}");
    assert_eq!(rotation.attempts(), 9);
    assert_eq!(rotation.tries(at(now)), Some(Choice::Newest));
    assert_eq!(rotation.failed(at(now), NOT_AFTER, 2, false, 0), Next::GiveUp);
}

#[test]
fn the_wait_has_a_growing_bound() {
    for (attempts, seconds) in [(1, 1), (2, 2), (6, 32), (7, 60), (u32::MAX, 60)] {
        let bound = Duration::from_secs(seconds);
        for random in [0, 1, 999, 12_345, 59_999, u64::MAX] {
            assert!((MIN_WAIT..bound).contains(&backoff(attempts, random)));
        }
        assert_eq!(backoff(attempts, seconds * 1000 - 1), bound - Duration::from_millis(1));
    }
}

#[test]
fn a_newer_generation_ends_the_wait() {
    let mut rotation = Rotation::new(1, NOT_AFTER);
    rotation.arrived(at(0), 2);
    rotation.gone(at(0));
    rotation.tries(at(0)).unwrap();
    rotation.failed(at(0), 0, 2, true, u64::MAX);
    rotation.arrived(at(0), 3);
    assert_eq!(rotation.tries(at(0)), Some(Choice::Newest));
}

#[test]
fn a_server_that_refuses_the_new_certificate_gets_the_old_one() {
    let mut rotation = Rotation::new(1, NOT_AFTER);
    rotation.arrived(at(0), 2);
    rotation.gone(at(0));
    rotation.tries(at(0)).unwrap();
    rotation.failed(at(0), 0, 2, true, 0);
    assert_eq!(rotation.tries(at(1)), Some(Choice::Old));
    rotation.resumed(1, NOT_AFTER);
    // The refused one is no news, but it is tried again later.
    rotation.arrived(at(2), 2);
    assert_eq!((rotation.phase(), rotation.known()), (Phase::Steady, 2));
    let reconsider = at(0).after(RECONSIDER);
    assert_eq!(rotation.deadline(), Some(reconsider));
    assert!(rotation.leaves(reconsider, true));
    rotation.gone(reconsider);
    assert_eq!(rotation.tries(reconsider), Some(Choice::Newest));
    rotation.resumed(2, NOT_AFTER);
    assert_eq!((rotation.deadline(), rotation.known()), (None, 2));
}

#[test]
fn old_and_new_take_turns_while_both_are_refused() {
    let mut rotation = Rotation::new(1, NOT_AFTER);
    rotation.arrived(at(0), 2);
    rotation.gone(at(0));
    for choice in [Choice::Newest, Choice::Old, Choice::Newest, Choice::Old] {
        assert_eq!(rotation.tries(at(u64::MAX / 2_000_000)), Some(choice));
        let number = if choice == Choice::Old { 1 } else { 2 };
        rotation.failed(at(0), 0, number, true, 0);
    }
}

#[test]
fn a_refused_generation_is_tried_again_before_the_old_one_has_run_out() {
    for (left, wait) in [(10_000, 300), (60, 30), (4, 5)] {
        let mut rotation = Rotation::new(1, NOT_AFTER);
        rotation.arrived(at(0), 2);
        rotation.gone(at(0));
        rotation.tries(at(0)).unwrap();
        rotation.failed(at(0), NOT_AFTER - left, 2, true, 0);
        rotation.tries(at(1)).unwrap();
        rotation.resumed(1, NOT_AFTER);
        assert_eq!(rotation.deadline(), Some(at(wait)), "{left}");
    }
}
