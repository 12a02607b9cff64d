//! `cargo xtask mutate`: whether the tests that cover a statement notice when its rule is broken.
//!
//! Statements are drawn by a seed among all that bind the server. For each the catalogue in `xtask/mutations` has a
//! mutation: a change of a source file that breaks that rule. It is applied to a copy of the source under the target
//! directory, and at least one of the statement's tests over a socket must then fail.

mod catalogue;
mod page;
mod scratch;

use std::fmt::Write as _;

use crate::conformance::{self, Drawable};
use crate::shell::{Context, Result, duration, fail, root, timed};
use catalogue::Mutation;
use scratch::{Outcome, Scratch};

pub(crate) use catalogue::faults;

/// The page, relative to the root.
const PAGE: &str = "docs/mutations.md";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    seed: u64,
    count: usize,
    /// Only the draw.
    list: bool,
    write: bool,
    /// Only statements whose name contains this.
    only: Option<String>,
}

impl Choice {
    /// Reads the words behind `mutate`.
    pub(crate) fn read(words: &[&str]) -> Option<Self> {
        let mut choice = Self { seed: 1, count: 20, list: false, write: false, only: None };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--seed" => choice.seed = words.next()?.parse().ok()?,
                "--count" => choice.count = words.next()?.parse().ok().filter(|count| *count > 0)?,
                "--list" => choice.list = true,
                "--write" => choice.write = true,
                "--only" => choice.only = Some((*words.next()?).to_owned()),
                _ => return None,
            }
        }
        Some(choice)
    }
}

/// A drawn statement and what was seen.
pub(crate) struct Row {
    statement: Drawable,
    mutation: Mutation,
    outcome: Outcome,
}

/// `cargo xtask mutate`.
pub(crate) fn command(choice: &Choice) -> Result<()> {
    let drawn = draw(conformance::drawable()?, choice.seed, choice.count);
    let mutations = catalogue::read(&root())?;
    if choice.list {
        for statement in &drawn {
            let have = mutations.iter().any(|mutation| mutation.statement == statement.name);
            println!(
                "{} {} {}",
                if have { "has one " } else { "has none" },
                statement.name,
                statement.tests_in_words()
            );
        }
        return Ok(());
    }
    let mut pairs = Vec::new();
    let mut missing = String::new();
    for statement in drawn {
        let wanted = choice.only.as_ref().is_none_or(|part| statement.name.contains(part));
        match mutations.iter().find(|mutation| mutation.statement == statement.name) {
            Some(mutation) if wanted => pairs.push((statement, mutation.clone())),
            Some(_) => {}
            None => drop(write!(missing, "\n  {}", statement.name)),
        }
    }
    if !missing.is_empty() && choice.only.is_none() {
        return fail(format!(
            "statements were drawn for which {} has no mutation; write one that breaks the rule of each:{missing}",
            catalogue::DIRECTORY
        ));
    }
    run(choice, pairs)
}

fn run(choice: &Choice, pairs: Vec<(Drawable, Mutation)>) -> Result<()> {
    let scratch = Scratch::make()?;
    let tests: Vec<_> = pairs.iter().flat_map(|(statement, _)| statement.tests.clone()).collect();
    println!("without a mutation …");
    match scratch.run(&tests)? {
        Outcome::Missed => {}
        other => return fail(format!("the tests do not pass without a mutation: {other}")),
    }
    let mut rows = Vec::new();
    for (statement, mutation) in pairs {
        let (outcome, time) = timed(|| scratch.with(&mutation, || scratch.run(&statement.tests)));
        let outcome = outcome?;
        println!("{}: {}: {outcome} ({})", statement.name, mutation.breaks, duration(time));
        rows.push(Row { statement, mutation, outcome });
    }
    if choice.write {
        let file = root().join(PAGE);
        let text = page::render(choice.seed, &rows);
        std::fs::write(&file, text).context(format_args!("cannot write {}", file.display()))?;
    }
    let caught = rows.iter().filter(|row| row.outcome.is_caught()).count();
    println!("{caught} of {} mutations made a test of their statement fail", rows.len());
    if caught == rows.len() {
        Ok(())
    } else {
        fail("a mutation went unnoticed or does not compile: a test that does not see its rule broken is hollow")
    }
}

/// So many of them, by a shuffle that depends on nothing but the seed and the list.
fn draw(mut from: Vec<Drawable>, seed: u64, count: usize) -> Vec<Drawable> {
    let mut state = seed;
    let mut drawn = Vec::new();
    while drawn.len() < count && !from.is_empty() {
        let place = splitmix(&mut state) % from.len() as u64;
        drawn.push(from.swap_remove(usize::try_from(place).unwrap_or_default()));
    }
    drawn.sort_by_key(|one| one.order);
    drawn
}

/// SplitMix64.
fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements() -> Vec<Drawable> {
        (0..50).map(|order| Drawable { order, name: order.to_string(), tests: Vec::new() }).collect()
    }

    #[test]
    fn a_draw_depends_on_the_seed_alone() {
        let names = |seed| draw(statements(), seed, 20).into_iter().map(|one| one.name).collect::<Vec<_>>();
        assert_eq!(names(1), names(1));
        assert_ne!(names(1), names(2));
        let mut once = names(1);
        once.dedup();
        assert_eq!(once.len(), 20, "nothing is drawn twice");
        assert_eq!(draw(statements(), 1, 99).len(), 50);
    }

    #[test]
    fn the_command_line_is_read() {
        let choice = Choice::read(&["--seed", "7", "--count", "3", "--write"]);
        assert_eq!(choice, Some(Choice { seed: 7, count: 3, list: false, write: true, only: None }));
        assert_eq!(Choice::read(&["--count", "0"]), None);
        assert_eq!(Choice::read(&["--what"]), None);
    }
}
