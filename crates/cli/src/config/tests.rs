use std::collections::BTreeSet;

use super::section::{Key, Section, Tree};
use super::*;

fn parse(text: &str) -> Result<Settings, Vec<String>> {
    Settings::parse(text, Path::new(""))
}

/// The printed file with the marks before settings taken away: `#`, or `##` too.
fn uncommented(examples: bool) -> String {
    let text = print();
    let lines = text.lines().map(|line| match (line.strip_prefix("##"), line.strip_prefix('#')) {
        (Some(example), _) => {
            if examples {
                example
            } else {
                line
            }
        }
        (None, Some(setting)) if !setting.starts_with(' ') => setting,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_printed_file_is_accepted_and_changes_nothing() {
    assert_eq!(parse(&print()), Ok(Settings::default()));
    assert_eq!(parse(&uncommented(false)), Ok(Settings::default()));
}

#[test]
fn its_examples_are_accepted_but_for_what_excludes_another() {
    let mut text = uncommented(true);
    toml::from_str::<Settings>(&text).unwrap();
    for key in ["directory", "system-topics", "unix", "unix-mode", "path", "origins"] {
        text = text.replace(&format!("\n{key} = "), &format!("\n#{key} = "));
    }
    let settings = parse(&text).unwrap();
    assert_eq!(settings.listener.len(), 1);
    assert!(settings.est.is_some() && settings.cert.is_some() && settings.admin.listen.is_some());
    assert_eq!(settings.listener[0].kind, listener::Kind::Tls);
}

#[test]
fn every_key_of_the_types_is_printed_once_under_its_section() {
    fn expected(tree: &Tree, found: &mut BTreeSet<String>) {
        for Key { name, doc, default, example, .. } in &tree.keys {
            assert!(found.insert(format!("{}/{name}", tree.name)), "{name} is there twice");
            assert!(doc.iter().any(|line| line.len() > 10), "{name} is not explained");
            assert!(default.is_some() || example.is_some(), "{name} has neither default nor example");
        }
        for section in &tree.sections {
            expected(section, found);
        }
    }
    let mut keys = BTreeSet::new();
    expected(&Settings::tree(""), &mut keys);
    let mut section = String::new();
    let mut printed = BTreeSet::new();
    for line in uncommented(true).lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_matches(['[', ']']).to_owned();
        } else {
            printed.insert(format!("{section}/{}", line.split(' ').next().unwrap()));
        }
    }
    assert_eq!(printed, keys);
    // The fields that serde reads are these very keys: what it lists of an unknown one, it was told.
    let listed = toml::from_str::<Settings>("no-such-key = 1").unwrap_err();
    for key in keys.iter().filter_map(|key| key.strip_prefix('/')) {
        assert!(listed.message().contains(&format!("`{key}`")), "{key}");
    }
}

#[test]
fn an_unknown_key_is_refused_with_its_place_and_the_nearest_known_one() {
    let told = |text: &str| parse(text).unwrap_err().join("\n");
    assert_eq!(told("certs = 'a'"), "1:1: unknown key certs: did you mean cert?");
    assert_eq!(told("workers = 1\n  trust_plain = true"), "2:3: unknown key trust_plain: did you mean trust-plain?");
    let limits = told("[limits]\n\nconection = 5");
    assert_eq!(limits, "3:1: unknown key conection in [limits]: did you mean connections?");
    assert_eq!(told("connections = 5"), "1:1: unknown key connections: it belongs into [limits]");
    assert_eq!(told("[limit]"), "1:2: unknown key or section limit: did you mean limits?");
    let second = told("[[listener]]\naddress = 1\n[[listener]]\nadress = 2");
    assert_eq!(second, "4:1: unknown key adress in [listener]: did you mean address?");
    assert!(told("[listener]\naddress = 1").contains("1:2: [listener] may be there several times: write [[listener]]"));
    assert!(told("gibberish-of-nobody = 1").contains("--print-config"));
    assert_eq!(told("certs = 1\nkeys = 2").lines().count(), 2, "all are told at once");
}

#[test]
fn a_wrong_value_is_refused_with_its_place() {
    for (text, place, words) in [
        ("cert = 'a'\nworkers = 300", "2:11", "workers: expected a whole number from 1 to 64"),
        ("workers = 0", "1:11", "1 to 64"),
        ("listen = 88833", "1:10", "an address"),
        ("plain = ['nowhere']", "1:9", "nowhere"),
        ("[limits]\nconnect-timeout = 10", "2:19", "string"),
        ("[limits]\nconnect-timeout = '10 s'", "2:19", "connect-timeout: expected a length of time"),
        ("[limits]\negress-bytes = '1MB'", "2:16", "64KiB"),
        ("[limits]\nconnections = -1", "2:15", "-1"),
        ("[log]\nformat = 'xml'", "2:10", "json"),
        ("[mqtt]\nshared-strategy = 'fair'", "2:19", "`sticky-by-topic`"),
        ("[mqtt]\nsystem-topics = '500ms'", "2:17", "\"1s\" or longer"),
        ("[log]\nfilter = 1", "2:10", "string"),
        ("log = 1", "1:7", "a text or a section"),
        ("[[listener]]\naddress = 1\nkind = 'udp'", "3:8", "kind: unknown variant `udp`"),
        ("cert = 'a'\ncert = 'b'", "2:1", "duplicate"),
        ("cert = ", "1:8", ""),
    ] {
        let told = parse(text).unwrap_err().join("\n");
        assert!(told.starts_with(&format!("{place}: ")) && told.contains(words), "{text}: {told}");
    }
}

#[test]
fn keys_that_contradict_each_other_are_refused_with_the_cure() {
    for (text, words) in [
        ("data-dir = 'a'\n[store]\ndirectory = 'b'", "keep one"),
        ("[est]", "ca"),
        ("[[listener]]", "address"),
        ("[[listener]]\naddress = 1\nkey = 'a'", "cert"),
        ("[[listener]]\naddress = 1\nkind = 'tcp'\ncert = 'a'", "kind = 'tls'"),
        ("[[listener]]\naddress = 1\ntrust-plain = true", "kind = 'tcp'"),
        ("[[listener]]\naddress = 1\npath = '/ws'", "kind = 'ws'"),
        ("[[listener]]\naddress = 1\nkind = 'tcp'\nalpn = ['mqtt']", "kind = 'tls'"),
        ("[[listener]]\naddress = 1\nalpn = ['']", "1 to 255 bytes"),
        ("[mqtt]\nsystem-topics = '10s'\n[namespace]\nfile = 'a'", "leave system-topics out"),
        ("[[listener]]\naddress = 1\nproxies = ['10.0.0.0/99']", "not a network"),
        ("[[listener]]\nunix = 'a'\nunix-mode = '999'", "unix-mode"),
        ("[[listener]]\nunix = 'a'\naddress = 1", "two [[listener]]"),
        ("[[certificate]]\nnames = ['a.b']", "cert"),
        ("[[certificate]]\nnames = ['10.0.0.1']\ncert = 'a'", "host name"),
        ("[[listener]]\naddress = '0.0.0.0:1'\nkind = 'tcp'\ntrust-plain = true", "loopback"),
    ] {
        let told = parse(text).unwrap_err().join("\n");
        assert!(told.contains(words), "{text}: {told}");
    }
}

#[test]
fn short_forms_mean_what_they_are_short_for() {
    let short = parse("namespace = 'n.json'\nlog = 'warn'").unwrap();
    assert_eq!(short, parse("[namespace]\nfile = 'n.json'\n[log]\nfilter = 'warn'").unwrap());
    assert_eq!(parse("data-dir = 'a'").unwrap().directory(), Some(Path::new("a")));
    assert_eq!(parse("[store]\ndirectory = 'a'").unwrap().directory(), Some(Path::new("a")));
}

#[test]
fn paths_in_a_file_start_at_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gridmq.toml");
    let text = "namespace = 'n.json'\ncert = 'server.pem'\nkey = '/keys/server.key'\n[[listener]]\naddress = 1\n\
                cert = 'other.pem'\n[store]\ndirectory = 'state'";
    std::fs::write(&path, text).unwrap();
    let settings = Settings::read(&path).unwrap();
    assert_eq!(settings.namespace.file, Some(dir.path().join("n.json")));
    assert_eq!(settings.cert, Some(dir.path().join("server.pem")));
    assert_eq!(settings.key, Some("/keys/server.key".into()));
    assert_eq!(settings.listener[0].cert, Some(dir.path().join("other.pem")));
    assert_eq!(settings.directory(), Some(&*dir.path().join("state")));
}

#[test]
fn changes_are_named_with_whether_a_reload_puts_them_in_force() {
    let old = parse("workers = 1\n[log]\nfilter = 'warn'\n[[listener]]\naddress = 1").unwrap();
    let new = parse("workers = 2\n[log]\nfilter = 'info'\n[[listener]]\naddress = 2\n[est]\nca = 'a'").unwrap();
    let told: Vec<_> = old.changes_to(&new).into_iter().map(|change| (change.key, change.reloads)).collect();
    let expected = [("workers", false), ("listener[0].address", false), ("log.filter", true), ("[est]", false)];
    assert_eq!(told, expected.map(|(key, reloads)| (key.to_owned(), reloads)));
    assert!(old.changes_to(&old).is_empty());
}
