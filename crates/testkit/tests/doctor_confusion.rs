//! Every fixture once through the doctor: what it names against what is so; and healthy set-ups, in which it must find
//! no error.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::sync::Mutex;

use gridmq_testkit::fixtures::{self, Fixture, Needs, Outcome};
use gridmq_tls::catalogue::Id;

/// How many fixtures are examined at a time.
const AT_ONCE: usize = 8;

fn examined(fixtures: Vec<Fixture>) -> Vec<(Fixture, Outcome)> {
    let (queue, done) = (Mutex::new(fixtures.into_iter()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(fixture) = queue.lock().unwrap().next() else { return };
                    let outcome = fixtures::examine(&fixture);
                    done.lock().unwrap().push((fixture, outcome));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(fixture, _)| (fixture.id, fixture.name));
    done
}

/// At least 95 % of the causes are named, also when those that are texts are left aside.
fn assert_named(fixtures: Vec<Fixture>) {
    let outcomes = examined(fixtures);
    let is_named = |(fixture, outcome): &&(Fixture, Outcome)| outcome.cause == fixture.id;
    let examined = outcomes.iter().filter(|(_, outcome)| !outcome.json.is_empty());
    let (seen, named) = (examined.clone().count(), examined.filter(is_named).count());
    let mut matrix: BTreeMap<Id, BTreeMap<Option<Id>, usize>> = BTreeMap::new();
    let mut right = 0;
    for (fixture, outcome) in &outcomes {
        let truth = fixture.id.unwrap();
        *matrix.entry(truth).or_default().entry(outcome.cause).or_default() += 1;
        if outcome.cause == Some(truth) {
            right += 1;
        } else {
            println!("{}: named {:?}, found {:?}", fixture.name, outcome.cause, outcome.found);
        }
    }
    println!("\ncause  named");
    for (truth, named) in &matrix {
        let cells: Vec<_> = named
            .iter()
            .map(|(id, count)| format!("{} x{count}", id.map_or("nothing".to_owned(), |id| id.to_string())))
            .collect();
        println!("{truth}    {}", cells.join(", "));
    }
    println!("{right} of {} named, {} ids; without texts {named} of {seen}", outcomes.len(), matrix.len());
    assert!(named * 100 >= seen * 95, "without texts only {named} of {seen} causes were named");
    assert!(right * 100 >= outcomes.len() * 95, "only {right} of {} causes were named", outcomes.len());
}

#[test]
fn the_true_cause_is_named() {
    assert_named(fixtures::all().into_iter().filter(|fixture| fixture.needs == Needs::Nothing).collect());
}

#[test]
#[ignore = "needs openssl, python3 and mosquitto; run by cargo xtask test"]
fn the_true_cause_is_named_also_with_other_programs() {
    assert_named(fixtures::all());
}

#[test]
fn healthy_set_ups_have_no_error() {
    let outcomes = examined(fixtures::healthy());
    assert!(outcomes.len() >= 30);
    let wrong: Vec<_> = outcomes.iter().filter(|(_, outcome)| outcome.failed).collect();
    for (fixture, outcome) in &wrong {
        println!("{}: {:?}\n{}", fixture.name, outcome.found, outcome.text);
    }
    assert!(wrong.is_empty(), "{} healthy set-ups were found broken", wrong.len());
}

#[test]
fn four_in_five_of_the_catalogue_have_a_fixture() {
    let mut ids: Vec<Id> = fixtures::all().into_iter().filter_map(|fixture| fixture.id).collect();
    ids.sort();
    ids.dedup();
    let missing: Vec<_> = Id::ALL.iter().filter(|id| !ids.contains(id)).map(|id| id.code()).collect();
    assert!(ids.len() * 5 >= Id::ALL.len() * 4, "{} of {}; missing: {missing:?}", ids.len(), Id::ALL.len());
    println!("{} of {}; missing: {missing:?}", ids.len(), Id::ALL.len());
    let mut names: Vec<_> = fixtures::all().into_iter().map(|fixture| fixture.name).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "two fixtures have one name");
}
