use super::*;

const OLD: &[u8] = b"old";
const NEW: &[u8] = b"new";

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn watcher() -> Watcher {
    Watcher::new(ms(0), Settings::default(), OLD.to_vec())
}

/// Lets time pass to the deadline and expects a load there.
#[track_caller]
fn load_at(watcher: &mut Watcher, at: u64) {
    assert_eq!(watcher.deadline(), Some(ms(at)));
    watcher.timeout(ms(at - 1));
    assert_eq!(watcher.next_action(), None);
    watcher.timeout(ms(at));
    assert_eq!(watcher.next_action(), Some(Action::Load));
    assert_eq!(watcher.deadline(), None);
}

fn broken() -> Outcome {
    Outcome::Broken("the key does not match".to_owned())
}

#[test]
fn a_burst_of_changes_is_one_load_after_quiet() {
    let mut watcher = watcher();
    for at in [1000, 1050, 1200] {
        watcher.changed(ms(at));
    }
    load_at(&mut watcher, 1400);
    watcher.loaded(ms(1410), Outcome::Good(NEW.to_vec()));
    assert_eq!(watcher.next_action(), Some(Action::Publish));
    assert_eq!(watcher.next_action(), None);
}

#[test]
fn changes_without_end_do_not_put_loading_off_for_ever() {
    let mut watcher = watcher();
    for at in (1000..2950).step_by(50) {
        watcher.changed(ms(at));
        watcher.timeout(ms(at + 49));
        assert_eq!(watcher.next_action(), None);
    }
    load_at(&mut watcher, 3000);
}

#[test]
fn the_poll_finds_what_no_event_told() {
    let mut watcher = watcher();
    load_at(&mut watcher, 60_000);
    watcher.loaded(ms(60_010), Outcome::Good(OLD.to_vec()));
    assert_eq!(watcher.next_action(), Some(Action::Confirm));
    load_at(&mut watcher, 120_010);
    watcher.loaded(ms(120_020), Outcome::Good(NEW.to_vec()));
    assert_eq!(watcher.next_action(), Some(Action::Publish));
    load_at(&mut watcher, 180_020);
    watcher.loaded(ms(180_030), Outcome::Good(NEW.to_vec()));
    assert_eq!(watcher.next_action(), Some(Action::Confirm));
}

#[test]
fn a_pair_that_does_not_match_is_read_again_ten_times() {
    let mut watcher = watcher();
    watcher.changed(ms(0));
    load_at(&mut watcher, 200);
    for round in 0..10 {
        watcher.loaded(ms(200 + 100 * round), broken());
        assert_eq!(watcher.next_action(), None);
        load_at(&mut watcher, 300 + 100 * round);
    }
    watcher.loaded(ms(1200), broken());
    assert!(matches!(watcher.next_action(), Some(Action::Keep { new: true, .. })));
    // The poll tries once more, with its own ten; the same reason is no news.
    load_at(&mut watcher, 61_200);
    for round in 0..10 {
        watcher.loaded(ms(61_200 + 100 * round), broken());
        load_at(&mut watcher, 61_300 + 100 * round);
    }
    watcher.loaded(ms(62_200), broken());
    assert!(matches!(watcher.next_action(), Some(Action::Keep { new: false, .. })));
}

#[test]
fn the_second_half_of_a_pair_is_waited_for() {
    let mut watcher = watcher();
    watcher.changed(ms(0));
    load_at(&mut watcher, 200);
    watcher.loaded(ms(201), broken());
    watcher.changed(ms(250));
    // The change is debounced, though not beyond the retry that was due.
    load_at(&mut watcher, 301);
    watcher.loaded(ms(302), Outcome::Good(NEW.to_vec()));
    assert_eq!(watcher.next_action(), Some(Action::Publish));
}

#[test]
fn a_change_while_loading_is_loaded_after() {
    let mut watcher = watcher();
    watcher.changed(ms(0));
    load_at(&mut watcher, 200);
    watcher.changed(ms(205));
    watcher.loaded(ms(210), Outcome::Good(NEW.to_vec()));
    assert_eq!(watcher.next_action(), Some(Action::Publish));
    load_at(&mut watcher, 410);
}

#[test]
fn what_cannot_serve_is_not_tried_twice_and_told_once() {
    let mut watcher = watcher();
    for (at, new) in [(0, true), (10_000, false)] {
        watcher.changed(ms(at));
        load_at(&mut watcher, at + 200);
        watcher.loaded(ms(at + 200), Outcome::Unfit(NEW.to_vec(), "expired".to_owned()));
        assert_eq!(watcher.next_action(), Some(Action::Keep { why: "expired".to_owned(), new }));
        assert_eq!(watcher.deadline(), Some(ms(at + 60_200)));
    }
}

#[test]
fn the_one_in_force_that_runs_out_is_told_until_there_is_another() {
    let mut watcher = watcher();
    for (at, new) in [(60_000, true), (120_000, false)] {
        load_at(&mut watcher, at);
        watcher.loaded(ms(at), Outcome::Unfit(OLD.to_vec(), "expired".to_owned()));
        assert_eq!(watcher.next_action(), Some(Action::Keep { why: "expired".to_owned(), new }));
    }
    load_at(&mut watcher, 180_000);
    watcher.loaded(ms(180_000), Outcome::Good(NEW.to_vec()));
    assert_eq!(watcher.next_action(), Some(Action::Publish));
}

#[test]
fn a_reload_waits_for_nothing() {
    let mut watcher = watcher();
    watcher.changed(ms(0));
    watcher.reload(ms(10));
    assert_eq!(watcher.next_action(), Some(Action::Load));
    watcher.loaded(ms(11), Outcome::Good(OLD.to_vec()));
    assert_eq!(watcher.next_action(), Some(Action::Confirm));
    assert_eq!(watcher.deadline(), Some(ms(60_011)));
}

#[test]
fn a_late_outcome_of_nothing_is_ignored() {
    let mut watcher = watcher();
    watcher.loaded(ms(5), Outcome::Good(NEW.to_vec()));
    assert_eq!(watcher.next_action(), None);
    assert_eq!(watcher.deadline(), Some(ms(60_000)));
}
