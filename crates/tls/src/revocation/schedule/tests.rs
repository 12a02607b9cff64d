use super::*;

const OLD: &[u8] = b"old";
const NEW: &[u8] = b"new";
/// The wall clock at the beginning.
const WALL: u64 = 1_800_000_000;

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Lists in force that are due so many seconds after the beginning.
fn schedule(due: &[u64]) -> Schedule {
    Schedule::new(s(0), Settings::default(), OLD.to_vec(), walls(due))
}

fn walls(due: &[u64]) -> BTreeSet<u64> {
    due.iter().map(|seconds| WALL + seconds).collect()
}

/// Lets both clocks run to the deadline, which is `at` seconds after the beginning, and expects a load there.
#[track_caller]
fn load_at(schedule: &mut Schedule, at: u64) {
    let before = at - 1;
    assert_eq!(schedule.deadline(s(before), WALL + before), Some(s(at)));
    schedule.timeout(s(before), WALL + before);
    assert_eq!(schedule.next_action(), None);
    schedule.timeout(s(at), WALL + at);
    assert_eq!(schedule.next_action(), Some(Action::Load));
    assert_eq!(schedule.next_action(), None);
    assert_eq!(schedule.deadline(s(at), WALL + at), None);
}

fn outdated() -> Outcome {
    Outcome::Unfit(Vec::new(), "out of date".to_owned())
}

fn keep(new: bool) -> Action {
    Action::Keep { why: "out of date".to_owned(), new }
}

#[test]
fn lists_are_read_when_the_first_is_due_and_every_minute() {
    let mut schedule = schedule(&[90, 1000]);
    load_at(&mut schedule, 60);
    schedule.loaded(s(60), Outcome::Good(OLD.to_vec()));
    assert_eq!(schedule.next_action(), Some(Action::Confirm));
    load_at(&mut schedule, 90);
    schedule.loaded(s(90), Outcome::Good(NEW.to_vec()));
    assert_eq!(schedule.next_action(), Some(Action::Publish));
    schedule.in_force(walls(&[130]));
    assert_eq!(schedule.next_action(), None);
    load_at(&mut schedule, 130);
}

#[test]
fn a_list_is_overdue_only_when_there_was_nothing_better() {
    let mut schedule = schedule(&[10, 20]);
    load_at(&mut schedule, 10);
    schedule.loaded(s(10), outdated());
    assert_eq!(schedule.next_action(), Some(keep(true)));
    assert_eq!(schedule.next_action(), Some(Action::Overdue { next_update: WALL + 10 }));
    load_at(&mut schedule, 20);
    schedule.loaded(s(20), outdated());
    // Asked for, so it is told again.
    assert_eq!(schedule.next_action(), Some(keep(true)));
    assert_eq!(schedule.next_action(), Some(Action::Overdue { next_update: WALL + 20 }));
    load_at(&mut schedule, 80);
    schedule.loaded(s(80), outdated());
    assert_eq!(schedule.next_action(), Some(keep(false)));
    assert_eq!(schedule.next_action(), None);
}

#[test]
fn a_list_that_is_being_written_when_it_is_due_has_time_to_be_finished() {
    let mut schedule = schedule(&[10]);
    load_at(&mut schedule, 10);
    schedule.loaded(s(10), Outcome::Broken("cut off".to_owned()));
    assert_eq!(schedule.next_action(), None);
    let again = schedule.deadline(s(10), WALL + 10).unwrap();
    assert_eq!(again, s(10) + Settings::default().retry);
    schedule.timeout(again, WALL + 10);
    assert_eq!(schedule.next_action(), Some(Action::Load));
    schedule.loaded(again, Outcome::Good(NEW.to_vec()));
    assert_eq!(schedule.next_action(), Some(Action::Publish));
    schedule.in_force(walls(&[3600]));
    assert_eq!(schedule.next_action(), None);
}

#[test]
fn a_list_that_stays_broken_when_it_is_due_leaves_the_old_one_overdue() {
    let mut schedule = schedule(&[10]);
    load_at(&mut schedule, 10);
    let mut now = s(10);
    for _ in 0..Settings::default().retries {
        schedule.loaded(now, Outcome::Broken("cut off".to_owned()));
        assert_eq!(schedule.next_action(), None);
        now = schedule.deadline(now, WALL + now.as_secs()).unwrap();
        schedule.timeout(now, WALL + now.as_secs());
        assert_eq!(schedule.next_action(), Some(Action::Load));
    }
    schedule.loaded(now, Outcome::Broken("cut off".to_owned()));
    assert_eq!(schedule.next_action(), Some(Action::Keep { why: "cut off".to_owned(), new: true }));
    assert_eq!(schedule.next_action(), Some(Action::Overdue { next_update: WALL + 10 }));
    assert_eq!(schedule.next_action(), None);
}

#[test]
fn the_wall_clock_may_jump() {
    let mut schedule = schedule(&[3600]);
    // Far ahead: noticed at the poll, whatever the deadline was.
    schedule.timeout(s(60), WALL + 5000);
    assert_eq!(schedule.next_action(), Some(Action::Load));
    // And back before the lists were read: they are current, and due as before.
    schedule.loaded(s(60), Outcome::Good(OLD.to_vec()));
    assert_eq!(schedule.next_action(), Some(Action::Confirm));
    assert_eq!(schedule.next_action(), None);
    schedule.timeout(s(119), WALL + 3599);
    assert_eq!(schedule.next_action(), None);
    assert_eq!(schedule.deadline(s(119), WALL + 3599), Some(s(120)));
}

#[test]
fn a_change_and_a_request_are_followed_at_once() {
    let mut schedule = schedule(&[3600]);
    schedule.changed(s(1));
    assert_eq!(schedule.deadline(s(1), WALL + 1), Some(s(1) + Settings::default().debounce));
    schedule.reload(s(1));
    assert_eq!(schedule.next_action(), Some(Action::Load));
    schedule.loaded(s(1), outdated());
    // It is not due yet: what is in force still is.
    assert_eq!(schedule.next_action(), Some(keep(true)));
    assert_eq!(schedule.next_action(), None);
}

#[test]
fn lists_that_never_end_are_polled_only() {
    let mut schedule = Schedule::new(s(0), Settings::default(), OLD.to_vec(), BTreeSet::from([u64::MAX]));
    load_at(&mut schedule, 60);
}
