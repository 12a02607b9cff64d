#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]
mod common;

use common::run;

#[test]
fn wrong_usage_ends_with_2() {
    let dir = tempfile::tempdir().unwrap();
    for words in [
        "",
        "nothing",
        "pub",
        "pub -t a",
        "pub -m a",
        "pub -t a -m b -n",
        "pub -t a -m b -q 3",
        "pub -t a -m b -V 4",
        "pub -t a -m b -p 0",
        "pub -t a -m b -P secret --password-file f",
        "pub -t a -m b --url mqtt://a -h b",
        "sub",
        "sub -t a -C 0",
        "sub -t a --json -v",
        "certs",
        "certs init",
        "certs issue --dir a --name a/b",
        "certs issue --dir a --name .a",
        "certs issue --dir a --name root-ca",
        "certs show",
        "serve --workers 0",
        "serve --plain nowhere",
        "quickstart --port 65536",
        "serve --workers 65",
        "certs issue --dir a --name b --server --dns https://b",
        "certs issue --dir a --name b --server --dns b..c",
        "certs issue --dir a --name b --uri device7",
        "certs issue --dir a --name b --email nobody",
        "certs issue --dir a --name b --crl-uri nowhere",
        "certs issue --dir a --name b --cn ",
        "certs issue --dir a --name b --days 0",
        "certs issue --dir a --name b --validity 101y",
        "certs init --dir a --name ",
        "certs init --dir a --days 99999999999",
        "certs init --dir a --name-constraint example.org",
        "certs csr --out a",
        "certs csr --name  --out a",
        "certs renew --dir a --name ../b",
        "certs revoke --dir a",
        "certs convert a --to pem",
        "certs convert a --to jks --out b",
        "certs order --out b",
        "certs verify a",
        "certs fingerprint",
    ] {
        let ended = run(dir.path(), words);
        assert_eq!(ended.code, 2, "{words}: {ended:?}");
        assert!(ended.err.contains("Usage:") || ended.err.contains("--help"), "{words}: {ended:?}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is written");
}

#[test]
fn what_makes_no_sense_ends_with_2_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), "pub -t a/# -m b").failed(2, &["a/#", "wildcard"]);
    run(dir.path(), "pub -t a/+/b -m b").failed(2, &["a/+/b", "wildcard"]);
    run(dir.path(), "sub -t a/#/b").failed(2, &["a/#/b"]);
    run(dir.path(), "pub -t a -m b --key k.pem").failed(2, &["--cert"]);
    run(dir.path(), "pub -t a -m b -V 311 -D content-type text/plain").failed(2, &["--property", "MQTT 5.0"]);
    run(dir.path(), "pub -t a -m b -D content-typ text/plain").failed(2, &["content-typ ", "content-type"]);
    run(dir.path(), "serve").failed(2, &["--cert", "--plain"]);
    run(dir.path(), "serve --listen 8883").failed(2, &["--listen", "--cert"]);
    run(dir.path(), "serve --key a").failed(2, &["--key", "--cert"]);
    run(dir.path(), "serve --plain 0.0.0.0:1883 --trust-plain").failed(2, &["--trust-plain", "0.0.0.0:1883"]);
    run(dir.path(), "certs inspect tls://a:99999").failed(2, &["tls://a:99999", "tls://HOST:PORT"]);
    run(dir.path(), "pub -t a -m b --log nonsense=nonsense").failed(2, &["--log"]);
    for words in ["pub -t a -m b", "sub -t a", "serve --plain 127.0.0.1:0", "quickstart --once"] {
        run(dir.path(), &format!("{words} --log nonsense")).failed(2, &["--log", "nonsense", "info", "debug"]);
    }
    for url in ["http://localhost", "mqtt://", "mqtt://localhost:0", "mqtt://localhost/path", "mqtts://[::1:8883"] {
        run(dir.path(), &format!("pub -t a -m b --url {url}")).failed(2, &[]);
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is written");
}

#[test]
fn what_is_expected_is_said() {
    let dir = tempfile::tempdir().unwrap();
    for (words, expected) in [
        ("serve --plain 1 --workers 0", "1 to 64"),
        ("serve --plain 1 --workers x", "1 to 64"),
        ("sub -t a -C 0", "1 or more"),
        ("sub -t a -W x", "whole seconds"),
        ("pub -t a -m b -p abc", "1 to 65535"),
        ("pub -t a -m b -k abc", "whole seconds"),
        ("quickstart --port abc", "1 to 65535"),
        ("certs init --dir a --days 0", "1 to 36500"),
        ("certs issue --dir a --name b --validity 1w", "90d"),
        ("certs issue --dir a --name b --uri device7", "urn:device:7"),
        ("pub -t a -m b -V 31", "MQTT 3.1 needs a client identifier: give -i"),
    ] {
        run(dir.path(), words).failed(2, &[expected]);
    }
}

#[test]
fn errors_are_one_line_unless_columns_say_otherwise() {
    let dir = tempfile::tempdir().unwrap();
    let lines = |columns: &str| {
        let mut command = common::gridmq(dir.path());
        command.args(["serve", "--plain", "0.0.0.0:1883", "--trust-plain"]).env_remove("COLUMNS");
        if !columns.is_empty() {
            command.env("COLUMNS", columns);
        }
        common::ended(&mut command).err.lines().count()
    };
    assert_eq!(lines(""), 1);
    assert!(lines("40") > 2);
}

#[test]
fn help_and_version_stay_where_h_and_v_mean_something_else() {
    let dir = tempfile::tempdir().unwrap();
    let certs = [
        "init",
        "issue",
        "csr",
        "renew",
        "user",
        "revoke",
        "crl",
        "inspect",
        "verify",
        "convert",
        "order",
        "fingerprint",
    ];
    let certs = certs.map(|command| format!("certs {command} "));
    let others = ["", "quickstart ", "serve ", "pub ", "sub ", "certs ", "doctor ", "doctor files ", "doctor explain "];
    for command in others.into_iter().chain(certs.iter().map(String::as_str)) {
        let help = run(dir.path(), &format!("{command}--help")).done();
        assert!(help.contains("Usage: gridmq"), "{command}: {help}");
        assert!(help.contains("Example") || command.is_empty(), "{command} shows an example");
    }
    for command in ["", "pub ", "sub "] {
        assert!(run(dir.path(), &format!("{command}--version")).done().contains(env!("CARGO_PKG_VERSION")));
    }
}
