use super::certificates::RECONSIDER;
use super::*;

const NOT_AFTER: u64 = 10_000;
const SECOND: Duration = Duration::from_secs(1);
const RULES: Rules = Rules {
    returns: true,
    patient: true,
    first: SECOND,
    longest: Duration::from_secs(60),
    steady: Duration::from_secs(10),
    rounds: None,
    servers: 1,
    shuffled: false,
};
const RETRY: Judgement =
    Judgement { retries: true, slow: false, after: None, refused: false, redirected: false, of_this_server: true };
const SLOW: Judgement = Judgement { slow: true, refused: true, ..RETRY };
const FINAL: Judgement = Judgement { retries: false, ..RETRY };
const REFUSED: Judgement = Judgement { refused: true, ..FINAL };

fn at(seconds: u64) -> Monotonic {
    Monotonic::from_micros(seconds * 1_000_000)
}

fn newest(server: usize) -> Option<Try> {
    Some(Try { choice: Choice::Newest, server })
}

fn life(rules: Rules) -> Lifecycle {
    Lifecycle::new(at(0), rules, None, 0)
}

/// Connected at 0 with generation 1.
fn moving_from_one(rules: Rules) -> Lifecycle {
    let mut life = Lifecycle::new(at(0), rules, Some(1), 0);
    life.tries(at(0)).unwrap();
    life.opened();
    life.accepted(at(0), Some((1, NOT_AFTER)));
    life
}

/// On the way to generation 2 at 0.
fn left(rules: Rules) -> Lifecycle {
    let mut life = moving_from_one(rules);
    life.arrived(at(0), 2);
    assert!(life.leaves(at(0), true));
    assert_eq!(life.gone(at(0), RETRY, 0), Next::Retry { wait: Duration::ZERO });
    life
}

fn waits(life: &Lifecycle, now: Monotonic) -> Duration {
    let Phase::Waiting { at } = life.phase() else { panic!("{:?}", life.phase()) };
    at.since(now)
}

#[test]
fn the_first_attempt_is_due_at_once_and_others_wait_longer_and_longer() {
    let mut life = life(RULES);
    let mut now = at(0);
    for bound in [1, 2, 4, 8, 16, 32, 60, 60] {
        assert_eq!(life.tries(now), newest(0));
        assert_eq!((life.tries(now), life.phase()), (None, Phase::Opening));
        let all_but_one = bound * 1_000_000 - 1;
        let wait = Duration::from_micros(all_but_one);
        assert_eq!(life.failed(now, 0, None, RETRY, all_but_one), Next::Retry { wait });
        assert_eq!(life.tries(now), None);
        now = now.after(wait);
    }
    assert_eq!(life.attempts(), 8);
}

#[test]
fn waits_are_spread_over_their_whole_bound() {
    let spread = life(RULES);
    for (rounds, seconds) in [(1, 1), (2, 2), (6, 32), (7, 60), (u32::MAX, 60)] {
        let bound = Duration::from_secs(seconds);
        for random in [0, 1, 999, 12_345, 59_999_999, u64::MAX] {
            assert!((MIN_WAIT..bound).contains(&spread.backoff(rounds, random)));
        }
    }
    let eager = Rules { first: Duration::from_millis(10), ..RULES };
    assert_eq!(life(eager).backoff(1, 0), Duration::from_millis(10));
}

#[test]
fn what_does_not_pass_within_seconds_waits_longest_from_the_first_attempt_on() {
    let mut life = life(RULES);
    life.tries(at(0)).unwrap();
    let wait = Duration::from_micros(59_999_999);
    assert_eq!(life.failed(at(0), 0, None, SLOW, 59_999_999), Next::Retry { wait });
    // Among several servers, the next is tried at once.
    let mut several = Lifecycle::new(at(0), Rules { servers: 2, ..RULES }, None, 0);
    several.tries(at(0)).unwrap();
    assert_eq!(several.failed(at(0), 0, None, SLOW, 59_999_999), Next::Retry { wait: Duration::ZERO });
    // Who waits for the first connection hears of it.
    let mut impatient = Lifecycle::new(at(0), Rules { patient: false, ..RULES }, None, 0);
    impatient.tries(at(0)).unwrap();
    assert_eq!(impatient.failed(at(0), 0, None, SLOW, 0), Next::GiveUp);
}

#[test]
fn a_new_certificate_ends_the_wait_also_before_the_first_connection() {
    let mut life = Lifecycle::new(at(0), RULES, Some(1), 0);
    life.tries(at(0)).unwrap();
    life.failed(at(0), 0, Some(1), SLOW, 59_999_999);
    assert_eq!(life.tries(at(1)), None);
    life.arrived(at(2), 2);
    assert_eq!(life.tries(at(2)), newest(0));
}

#[test]
fn the_old_certificate_does_not_wait_for_the_new_one_to_be_believed() {
    let mut life = left(RULES);
    life.tries(at(1)).unwrap();
    let Next::Retry { wait } = life.failed(at(1), 0, Some(2), SLOW, 59_999_999) else { panic!("gave up") };
    assert!(wait < SECOND, "{wait:?}");
    assert_eq!(life.tries(at(3)), Some(Try { choice: Choice::Old, server: 0 }));
}

#[test]
fn a_lost_connection_comes_back_until_it_is_final() {
    let mut life = life(RULES);
    life.tries(at(0)).unwrap();
    life.opened();
    assert_eq!(life.phase(), Phase::Greeting);
    life.accepted(at(1), None);
    assert_eq!((life.phase(), life.deadline()), (Phase::Up, None));
    life.ended();
    assert!(matches!(life.gone(at(60), RETRY, u64::MAX), Next::Retry { wait } if wait < SECOND));
    life.tries(at(61)).unwrap();
    assert_eq!(life.failed(at(61), 0, None, FINAL, 0), Next::GiveUp);
    assert_eq!((life.phase(), life.tries(at(99))), (Phase::Over, None));
}

#[test]
fn connections_that_do_not_last_do_not_start_the_waits_anew() {
    let mut life = life(RULES);
    let mut now = at(0);
    for _ in 0..5 {
        life.tries(now).unwrap();
        life.failed(now, 0, None, RETRY, 0);
        now = now.after(SECOND);
    }
    life.tries(now).unwrap();
    life.accepted(now, None);
    assert!(matches!(life.gone(now.after(SECOND), RETRY, 31_999_999), Next::Retry { wait } if wait > 20 * SECOND));
    let later = now.after(100 * SECOND);
    life.tries(later).unwrap();
    life.accepted(later, None);
    assert!(matches!(life.gone(later.after(10 * SECOND), RETRY, u64::MAX), Next::Retry { wait } if wait < SECOND));
}

#[test]
fn connections_that_are_lost_at_once_come_back_less_and_less_often() {
    let mut life = life(RULES);
    let mut now = at(0);
    let mut bounds = Vec::new();
    for _ in 0..8 {
        life.tries(now).unwrap();
        life.accepted(now, None);
        let Next::Retry { wait } = life.gone(now, RETRY, 59_999_999) else { panic!("gave up") };
        bounds.push(wait.as_secs());
        now = now.after(wait);
    }
    assert!(bounds.windows(2).all(|pair| pair[0] <= pair[1]) && *bounds.last().unwrap() == 59, "{bounds:?}");
}

#[test]
fn the_applications_own_wait_is_kept_to() {
    let mut life = life(RULES);
    life.tries(at(0)).unwrap();
    let judgement = Judgement { after: Some(300 * SECOND), ..RETRY };
    assert_eq!(life.failed(at(0), 0, None, judgement, 7), Next::Retry { wait: 300 * SECOND });
    life.tries(at(300)).unwrap();
    life.accepted(at(300), None);
    assert_eq!(life.gone(at(301), judgement, 7), Next::Retry { wait: 300 * SECOND });
}

#[test]
fn all_servers_are_tried_before_waiting() {
    let mut life = life(Rules { servers: 3, rounds: Some(2), ..RULES });
    for server in [0, 1] {
        assert_eq!(life.tries(at(0)), newest(server));
        assert_eq!(life.failed(at(0), 0, None, RETRY, u64::MAX), Next::Retry { wait: Duration::ZERO });
    }
    assert_eq!(life.tries(at(0)), newest(2));
    assert!(matches!(life.failed(at(0), 0, None, RETRY, 999_999), Next::Retry { wait } if wait > Duration::ZERO));
    for server in 0..3 {
        assert_eq!(life.tries(at(9)), newest(server));
        let next = life.failed(at(9), 0, None, RETRY, 0);
        assert_eq!(next == Next::GiveUp, server == 2, "the second round is the last");
    }
}

#[test]
fn a_shuffled_list_begins_anywhere() {
    let rules = Rules { servers: 4, shuffled: true, ..RULES };
    let first = |random: u64| Lifecycle::new(at(0), rules, None, random << 32).tries(at(0)).unwrap().server;
    assert_eq!([0, 1, 2, 3, 6].map(first), [0, 1, 2, 3, 2]);
}

#[test]
fn who_only_connects_once_gives_up_after_one_round() {
    let once = Rules { patient: false, servers: 2, ..RULES };
    let mut life = life(once);
    life.tries(at(0)).unwrap();
    assert_eq!(life.failed(at(0), 0, None, RETRY, 0), Next::Retry { wait: Duration::ZERO });
    life.tries(at(0)).unwrap();
    assert_eq!(life.failed(at(0), 0, None, RETRY, 0), Next::GiveUp);
}

#[test]
fn a_redirect_is_followed_at_once() {
    let mut life = life(Rules { patient: false, ..RULES });
    let redirected = Judgement { redirected: true, ..FINAL };
    life.tries(at(0)).unwrap();
    assert_eq!(life.failed(at(0), 0, None, redirected, 0), Next::Retry { wait: Duration::ZERO });
    life.tries(at(0)).unwrap();
    life.accepted(at(0), None);
    assert_eq!(life.gone(at(0), redirected, 0), Next::Retry { wait: Duration::ZERO });
}

#[test]
fn without_returning_a_lost_connection_is_the_end() {
    let mut life = moving_from_one(Rules { returns: false, ..RULES });
    life.ended();
    assert_eq!(life.gone(at(5), RETRY, 0), Next::GiveUp);
}

#[test]
fn a_new_generation_moves_the_client_when_nothing_is_unanswered() {
    let mut life = moving_from_one(RULES);
    assert_eq!(life.deadline(), None);
    life.arrived(at(1), 1);
    assert!(!life.leaves(at(1), true));
    life.arrived(at(1), 2);
    assert!(!life.leaves(at(2), false));
    assert_eq!(life.deadline(), Some(at(6)));
    assert!(life.leaves(at(3), true));
    assert_eq!((life.phase(), life.tries(at(3))), (Phase::Leaving, None));
    life.gone(at(4), RETRY, 9);
    assert_eq!(life.tries(at(4)), newest(0));
    life.accepted(at(4), Some((2, NOT_AFTER + 60)));
    assert_eq!((life.phase(), life.used(), life.known_generation()), (Phase::Up, 2, 2));
}

#[test]
fn what_is_unanswered_is_not_waited_for_without_end() {
    let mut life = moving_from_one(RULES);
    life.arrived(at(1), 2);
    assert!(!life.leaves(at(5), false));
    assert!(life.leaves(at(6), false));
}

#[test]
fn a_move_without_returning_ends_when_the_old_certificate_has_run_out() {
    let mut life = left(Rules { returns: false, ..RULES });
    for _ in 0..9 {
        let now = at(u64::from(life.attempts()) * 100);
        assert_eq!(life.tries(now), newest(0));
        assert!(matches!(life.failed(now, 1, Some(2), RETRY, u64::MAX), Next::Retry { .. }));
    }
    assert_eq!(life.tries(at(10_000)), newest(0));
    assert_eq!(life.failed(at(10_000), NOT_AFTER, Some(2), RETRY, 0), Next::GiveUp);
    // One that returns goes on.
    let mut life = left(RULES);
    life.tries(at(0)).unwrap();
    assert!(matches!(life.failed(at(0), NOT_AFTER, Some(2), RETRY, 0), Next::Retry { .. }));
}

#[test]
fn a_newer_generation_ends_the_wait() {
    let mut life = left(RULES);
    life.tries(at(0)).unwrap();
    life.failed(at(0), 0, Some(2), REFUSED, u64::MAX);
    life.arrived(at(0), 3);
    assert_eq!(life.tries(at(0)), newest(0));
}

#[test]
fn a_server_that_refuses_the_new_certificate_gets_the_old_one() {
    let mut life = left(RULES);
    life.tries(at(0)).unwrap();
    life.failed(at(0), 0, Some(2), REFUSED, 0);
    assert_eq!(life.tries(at(1)), Some(Try { choice: Choice::Old, server: 0 }));
    life.accepted(at(1), Some((1, NOT_AFTER)));
    // The refused one is no news, but it is tried again later.
    life.arrived(at(2), 2);
    assert_eq!((life.phase(), life.known_generation()), (Phase::Up, 2));
    let reconsider = at(0).after(RECONSIDER);
    assert_eq!(life.deadline(), Some(reconsider));
    assert!(life.leaves(reconsider, true));
    life.gone(reconsider, RETRY, 0);
    assert_eq!(life.tries(reconsider), newest(0));
    life.accepted(reconsider, Some((2, NOT_AFTER)));
    assert_eq!((life.deadline(), life.known_generation()), (None, 2));
}

#[test]
fn old_and_new_take_turns_while_both_are_refused() {
    let mut life = left(RULES);
    for choice in [Choice::Newest, Choice::Old, Choice::Newest, Choice::Old] {
        assert_eq!(life.tries(at(u64::MAX / 2_000_000)), Some(Try { choice, server: 0 }));
        let number = if choice == Choice::Old { 1 } else { 2 };
        life.failed(at(0), 0, Some(number), REFUSED, 0);
    }
}

#[test]
fn a_refused_generation_is_tried_again_before_the_old_one_has_run_out() {
    for (validity, wait) in [(10_000, 300), (60, 30), (4, 5)] {
        let mut life = left(RULES);
        life.tries(at(0)).unwrap();
        life.failed(at(0), NOT_AFTER - validity, Some(2), REFUSED, 0);
        life.tries(at(1)).unwrap();
        life.accepted(at(1), Some((1, NOT_AFTER)));
        assert_eq!(life.deadline(), Some(at(wait)), "{validity}");
    }
}

#[test]
fn a_server_that_never_took_us_is_not_asked_with_another_certificate() {
    let mut life = Lifecycle::new(at(0), RULES, Some(1), 0);
    life.tries(at(0)).unwrap();
    assert_eq!(life.failed(at(0), 0, Some(1), REFUSED, 0), Next::GiveUp);
    assert_eq!(waits(&left(RULES), at(0)), Duration::ZERO);
}

#[test]
fn what_one_server_says_for_good_is_not_said_by_the_others() {
    let two = Rules { servers: 2, ..RULES };
    // The second may take the client.
    let mut mixed = life(two);
    assert_eq!(mixed.tries(at(0)), newest(0));
    assert_eq!(mixed.failed(at(0), 0, None, FINAL, 0), Next::Retry { wait: Duration::ZERO });
    assert_eq!(mixed.tries(at(0)), newest(1));
    assert!(matches!(mixed.failed(at(0), 0, None, RETRY, 0), Next::Retry { .. }));
    // All have said so, in one round.
    let now = at(100);
    for server in 0..2 {
        assert_eq!(mixed.tries(now), newest(server));
        let next = mixed.failed(now, 0, None, FINAL, 0);
        assert_eq!(next == Next::GiveUp, server == 1, "{next:?}");
    }
    // What is wrong here is wrong everywhere.
    let mut ours = life(two);
    ours.tries(at(0)).unwrap();
    let here = Judgement { of_this_server: false, ..FINAL };
    assert_eq!(ours.failed(at(0), 0, None, here, 0), Next::GiveUp);
}

#[test]
fn a_server_that_drops_the_old_certificate_is_shown_the_newer_one() {
    // It leaves while the client is on its way to the newer one.
    let mut moving = moving_from_one(RULES);
    moving.arrived(at(0), 2);
    assert_eq!(moving.gone(at(1), REFUSED, 0), Next::Retry { wait: Duration::ZERO });
    assert_eq!(moving.tries(at(1)).unwrap().choice, Choice::Newest);
    // It had refused the newer one before, and has learned of it since.
    let mut back = left(RULES);
    back.tries(at(0)).unwrap();
    back.opened();
    back.failed(at(0), 0, Some(2), REFUSED, 0);
    let due = waits(&back, at(0));
    assert_eq!(back.tries(at(0).after(due)).unwrap().choice, Choice::Old);
    back.opened();
    back.accepted(at(100), Some((1, NOT_AFTER)));
    assert_eq!(back.gone(at(101), REFUSED, 0), Next::Retry { wait: Duration::ZERO });
    assert_eq!(back.tries(at(101)).unwrap().choice, Choice::Newest);
    // There is no newer one.
    assert_eq!(moving_from_one(RULES).gone(at(1), REFUSED, 0), Next::GiveUp);
}
