use proptest::prelude::*;

use super::*;

const BORN: u64 = 1_000_000;
const LIFE: u64 = 90_000;

fn exact() -> RenewalPolicy {
    RenewalPolicy::default().jitter(0.0).retries(Duration::from_secs(30), Duration::from_secs(3600))
}

fn wait(renewal: &Renewal, now: u64) -> u64 {
    match renewal.poll(now) {
        Action::Wait { until } => until,
        Action::Renew => now,
    }
}

#[test]
fn it_is_due_at_two_thirds_of_life() {
    let renewal = Renewal::new(exact(), BORN, BORN + LIFE, 0.5);
    let due = (BORN + LIFE * 2 / 3) * 1000;
    assert_eq!(renewal.poll(BORN * 1000), Action::Wait { until: due });
    assert_eq!(renewal.poll(due - 1), Action::Wait { until: due });
    assert_eq!(renewal.poll(due), Action::Renew);
}

#[test]
fn jitter_spreads_it_by_a_twentieth() {
    let policy = RenewalPolicy::default();
    let due = |random| wait(&Renewal::new(policy, BORN, BORN + LIFE, random), 0) / 1000 - BORN;
    assert_eq!(due(0.0), 55_500);
    assert_eq!(due(0.5), 60_000);
    assert_eq!(due(1.0), 64_500);
}

#[test]
fn a_life_counts_from_when_the_certificate_came() {
    let mut renewal = Renewal::new(exact(), BORN, BORN + 60, 0.5);
    let now = (BORN + 40) * 1000;
    // Dated back by five minutes, valid for 60 seconds from now.
    renewal.issued(now, BORN + 100, 0.5);
    assert_eq!(wait(&renewal, now), now + 40_000);
    assert_eq!(renewal.status().renewed, 1);
}

#[test]
fn failures_wait_longer_each_time_but_never_past_the_end() {
    let mut renewal = Renewal::new(exact(), BORN, BORN + LIFE, 0.5);
    let mut now = (BORN + LIFE * 2 / 3) * 1000;
    let mut waits = Vec::new();
    for attempt in 1..=6 {
        renewal.failed(now, "no".to_owned(), None, 1.0);
        let next = wait(&renewal, now);
        waits.push((next - now) / 1000);
        now = next;
        assert_eq!(renewal.status().failed, attempt);
    }
    assert_eq!(waits, [30, 60, 120, 240, 480, 960]);
    for _ in 0..40 {
        renewal.failed(now, "no".to_owned(), None, 1.0);
        now = wait(&renewal, now);
    }
    assert!(renewal.status().last_error.is_some());
    assert!(now / 1000 > BORN + LIFE - 60, "tried up to the end");
}

#[test]
fn what_the_server_asks_for_is_honoured_within_the_life() {
    let mut renewal = Renewal::new(exact(), BORN, BORN + LIFE, 0.5);
    let now = (BORN + LIFE * 2 / 3) * 1000;
    renewal.pending(now, 600);
    assert!(renewal.status().pending);
    assert_eq!(wait(&renewal, now), now + 600_000);
    renewal.failed(now, "busy".to_owned(), Some(120), 0.0);
    assert!(!renewal.status().pending);
    assert_eq!(wait(&renewal, now), now + 120_000);
    // A wait beyond the end leaves one more chance before it.
    renewal.pending(now, 7 * 86_400);
    assert!(wait(&renewal, now) < (BORN + LIFE) * 1000);
}

#[test]
fn after_the_end_it_goes_on_trying() {
    let mut renewal = Renewal::new(exact(), BORN, BORN + LIFE, 0.5);
    let now = (BORN + LIFE + 10) * 1000;
    assert!(renewal.is_expired(now));
    assert_eq!(renewal.poll(now), Action::Renew);
    renewal.failed(now, "no".to_owned(), None, 1.0);
    assert_eq!(wait(&renewal, now), now + 30_000);
}

proptest! {
    #[test]
    fn it_is_never_due_after_the_end_nor_at_once_again(
        born in 0_u64..4_000_000_000,
        life in 0_u64..400_000_000,
        fraction in -1.0_f64..2.0,
        random in 0.0_f64..1.0,
        steps in proptest::collection::vec((0_u8..3, 0_u64..1_000_000, 0.0_f64..1.0), 0..20),
    ) {
        let mut renewal = Renewal::new(RenewalPolicy::default().fraction(fraction), born, born + life, random);
        prop_assert!(wait(&renewal, 0) <= (born + life) * 1000);
        let mut now = wait(&renewal, 0);
        for (step, number, random) in steps {
            match step {
                0 => renewal.issued(now, now / 1000 + number, random),
                1 => renewal.pending(now, number),
                _ => renewal.failed(now, String::new(), None, random),
            }
            let next = wait(&renewal, now);
            prop_assert!(next >= now + SHORTEST_WAIT);
            now = next;
        }
    }
}
