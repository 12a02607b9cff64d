//! The project's own commands; `cargo xtask` lists them.

mod callgrind;
mod ci;
mod compare;
mod conformance;
mod doctor_doc;
mod files;
mod hours;
mod mutate;
mod setup;
mod shell;
mod sources;
mod suite;
mod transcripts;
mod weigh;

use std::process::ExitCode;

const HELP: &str = "\
The project's own commands.

usage: cargo xtask COMMAND

  test [--no-interop]    set up the real clients, then run every test: workspace, documentation, real clients
  test --az              install azure-cli and run the suite with it alone; docs/azure-cli.md says when it passed last
  ci                     everything that a change must pass, with the time of each stage; ends with `test`
  files                  length of the source files, and reasons for ignored tests
  conformance [--check]  write docs/conformance.md from the names of the tests, or check that it is up to date
  doctor-doc [--check]   write docs/doctor.md from the doctor's catalogue and its tests, or check that it is up to date
  transcripts [--check]  write docs/doctor-transcripts.md from runs against real servers, or check that they say the same
  callgrind [--bless]    count the instructions of codec, machine and routes; fail beyond bench/instructions.txt
  weigh [--binary]       count the crates of a program that publishes, and weigh its binary, against rumqttc's
  compare [--quick] [--row NAME].. [--peer NAME].. [--runs N] [--resume] [--for SECONDS] [--busy]
                         measure the broker beside its peers, and write docs/benchmarks.md once all is measured
  compare --clients [--quick] [--only publish|receive|latency|connect] [--broker gridmq|mosquitto]
                         measure the client beside its peers, and write docs/benchmarks.md unless --quick or --only
  hours [--fuzz] [--crash] [--soak] [--slice 20m] [--commit NAME] [--write]
                         a slice of each long run on this commit's programs, or on those built of --commit, added up
                         in target/hours; --write puts the newest of each into docs/reliability.md
  mutate [--seed N] [--count N] [--list] [--only PART] [--write]
                         break the rules of statements drawn by a seed, one by one in a copy of the source, and demand
                         that their tests notice; --write makes docs/mutations.md. Takes about a minute for each.

With CI=true a skipped suite is a failure. Exit code: 0 passed, 1 failed, 2 wrong usage.";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["test"] => suite::command(true),
        ["test", "--no-interop"] => suite::command(false),
        ["test", "--az"] => suite::azure_cli(),
        ["ci"] => ci::command(),
        ["files"] => files::command(),
        ["conformance"] => conformance::command(false),
        ["conformance", "--check"] => conformance::command(true),
        ["doctor-doc"] => doctor_doc::command(false),
        ["doctor-doc", "--check"] => doctor_doc::command(true),
        ["transcripts"] => transcripts::command(false),
        ["transcripts", "--check"] => transcripts::command(true),
        ["callgrind"] => callgrind::command(false),
        ["callgrind", "--bless"] => callgrind::command(true),
        ["weigh"] => weigh::command(false),
        ["weigh", "--binary"] => weigh::command(true),
        ["compare", "--clients", rest @ ..] if compare::Choice::read(rest).is_some() => {
            compare::Choice::read(rest).map_or(Ok(()), compare::command)
        }
        ["compare", rest @ ..] if compare::brokers::Choice::read(rest).is_some() => {
            compare::brokers::Choice::read(rest).map_or(Ok(()), |choice| compare::brokers::command(&choice))
        }
        ["hours", rest @ ..] if hours::Choice::read(rest).is_some() => {
            hours::Choice::read(rest).map_or(Ok(()), |choice| hours::command(&choice))
        }
        ["mutate", rest @ ..] if mutate::Choice::read(rest).is_some() => {
            mutate::Choice::read(rest).map_or(Ok(()), |choice| mutate::command(&choice))
        }
        ["help" | "--help" | "-h"] => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}
