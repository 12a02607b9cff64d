//! The text of docs/doctor.md.

use std::fmt::Write;

use super::read::Profile;
use super::{Entry, Fixture};

const HEAD: &str = "\
# The doctor

`gridmq doctor` finds out why a connection to an MQTT broker does not work, and says what to do. This page is made by
`cargo xtask doctor-doc` from the sources; do not edit it. [Transcripts](doctor-transcripts.md) show what it prints.

    gridmq doctor mqtts://HOST:8883 --cert dev1.pem --key dev1.key -u dev1 -i dev1-session
    gridmq doctor files --cert dev1.pem --key dev1.key
    gridmq doctor explain \"SSL alert number 48\"
    gridmq doctor list

It goes through the stages files, name, tcp, hello, server, client, connect and access in this order. A stage that needs
another one that failed is skipped. The cause is the first error of the first stage that failed. The doctor connects with
clean start, no session expiry and a client identifier of its own, so it ends no live session unless `--take-over` is
given; it has a deadline (`--timeout`, 30 seconds); it prints no key, password or passphrase.
Revocation is checked by lists (`--crl`) and not by OCSP.

";

const GROUPS: [(char, &str); 8] = [
    ('A', "files"),
    ('B', "what the certificate says"),
    ('C', "the network"),
    ('D', "the server's hello and chain"),
    ('E', "the client's authentication"),
    ('F', "CONNECT"),
    ('G', "publishing, subscribing and the session"),
    ('H', "texts of other programs"),
];

const JSON: &str = "\
## JSON

`--json` prints one object a run, on one line, of the schema `gridmq-doctor/1`. Members may be added; none is removed or
changes its meaning within version 1.

| member | value |
|---|---|
| `schema` | `gridmq-doctor/1` |
| `target` | `url` without user and password, and `profile` |
| `started` | the time, RFC 3339 |
| `result` | `ok`, `warn`, `fail` or `timeout` |
| `stage` | the first stage that failed, or null |
| `cause` | the id of the primary finding, or null |
| `exit` | the exit code |
| `timed_out` | the time for the whole run was over |
| `stages` | of each its `name`, `status` (`ok`, `warn`, `fail`, `skip`), `ms`, `lines` for people, `facts` for programs, `findings` |
| `findings` | of each its `id`, `name`, `severity` (`info`, `warning`, `error`), `title`, `about`, `why`, `fix`, `evidence` |
| `certs` | `client` and `server`, leaf first: `subject`, `issuer`, `sha1`, `sha256`, `ski`, `aki`, `not_before`, `not_after`, `days_left`, `eku` |

";

/// The whole page.
pub(super) fn render(entries: &[Entry], exits: &[(String, String)], profiles: &[Profile]) -> String {
    let mut text = String::from(HEAD);
    text.push_str("## Exit codes\n\n| code | meaning |\n|---|---|\n");
    // Writing to a string cannot fail.
    for (code, meaning) in exits {
        let _ = writeln!(text, "| {code} | {meaning} |");
    }
    text.push('\n');
    text.push_str(JSON);
    text.push_str("## Profiles\n\nWhat is known of a service, chosen by the host name or by `--profile`.\n\n");
    text.push_str("| profile | service | host names | what is known |\n|---|---|---|---|\n");
    for profile in profiles {
        let hosts: Vec<String> = profile.hosts.iter().map(|host| format!("`{host}`")).collect();
        let limits: Vec<String> = profile
            .limits
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| format!("{key} {value}"))
            .collect();
        let hints = if profile.hints > 0 { format!("; {} cures of its own", profile.hints) } else { String::new() };
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {}{hints} |",
            profile.name,
            profile.title,
            if hosts.is_empty() { "any".to_owned() } else { hosts.join(", ") },
            limits.join("; ")
        );
    }
    let shown = entries.iter().filter(|entry| !entry.fixtures.is_empty()).count();
    let _ = write!(
        text,
        "\n## Catalogue\n\n{} entries; {shown} of them are shown by a test. A fixture sets the fault up and asserts that the \
         doctor names it.\n",
        entries.len()
    );
    for (letter, name) in GROUPS {
        let _ = write!(text, "\n### {letter}: {name}\n");
        for entry in entries.iter().filter(|entry| entry.id.starts_with(letter)) {
            let _ = write!(
                text,
                "\n#### {} {}\n\n{}. Stage {}.\n\n- why: {}\n- fix: {}\n- fixture: {}\n",
                entry.id,
                entry.name,
                capital(&entry.title),
                entry.stage,
                entry.why,
                entry.fix,
                fixtures(entry)
            );
        }
    }
    text
}

fn fixtures(entry: &Entry) -> String {
    if entry.fixtures.is_empty() {
        return entry.reason.as_ref().map_or_else(|| "none yet".to_owned(), |reason| format!("none: {reason}"));
    }
    let link = |fixture: &Fixture| {
        let needs = fixture.needs.as_ref().map(|needs| format!(" ({needs})")).unwrap_or_default();
        format!("[{}](../{}){needs}", fixture.test, fixture.path)
    };
    entry.fixtures.iter().map(link).collect::<Vec<_>>().join(", ")
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_every_entry_with_its_fixture_or_the_reason() {
        let entry = |id: &str, fixtures: Vec<Fixture>, reason: Option<&str>| Entry {
            id: id.to_owned(),
            stage: "files".to_owned(),
            name: "a-name".to_owned(),
            title: "a title".to_owned(),
            why: "why".to_owned(),
            fix: "fix".to_owned(),
            fixtures,
            reason: reason.map(str::to_owned),
        };
        let fixture = Fixture { test: "doctor_a01_x".to_owned(), path: "crates/a/tests/b.rs".to_owned(), needs: None };
        let entries = [entry("A01", vec![fixture], None), entry("A02", vec![], Some("needs Windows"))];
        let text = render(&entries, &[("0".to_owned(), "good".to_owned())], &[Profile::default()]);
        assert!(text.contains("#### A01 a-name\n\nA title. Stage files.\n"));
        assert!(text.contains("- fixture: [doctor_a01_x](../crates/a/tests/b.rs)\n"));
        assert!(text.contains("- fixture: none: needs Windows\n"));
        assert!(text.contains("| 0 | good |"));
        assert!(text.contains("2 entries; 1 of them"));
    }
}
