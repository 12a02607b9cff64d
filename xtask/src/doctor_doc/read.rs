//! The catalogue's sources, read as text.

use super::Entry;

/// The files of words, in the order of the ids.
pub(super) const GROUPS: [&str; 8] =
    ["files", "certificates", "network", "server", "client", "connect", "session", "platforms"];
/// The profiles' files.
pub(super) const PROFILES: [&str; 7] =
    ["azure-event-grid", "azure-iot-hub", "aws-iot", "hivemq-cloud", "emqx-cloud", "mosquitto", "generic"];

/// A profile, as the page shows it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) hosts: Vec<String>,
    /// Key and value as they stand in the file.
    pub(super) limits: Vec<(String, String)>,
    pub(super) hints: usize,
}

/// `    A19 Files "key-mismatch" "the key does not belong to the certificate",`
pub(super) fn entries(text: &str) -> Vec<Entry> {
    text.lines()
        .filter_map(|line| {
            let (id, rest) = line.trim().split_once(' ')?;
            let (stage, rest) = rest.split_once(' ')?;
            let mut quoted = rest.split('"');
            let (name, title) = (quoted.nth(1)?, quoted.nth(1)?);
            is_id(id).then(|| Entry {
                id: id.to_owned(),
                stage: stage.to_lowercase(),
                name: name.to_owned(),
                title: title.to_owned(),
                why: String::new(),
                fix: String::new(),
                fixtures: Vec::new(),
                reason: None,
            })
        })
        .collect()
}

/// The id and why on one line, the fix on the next.
pub(super) fn add_words(entries: &mut [Entry], text: &str) {
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        let Some((id, why)) = line.split_once(' ').filter(|(id, _)| is_id(id)) else { continue };
        let Some(entry) = entries.iter_mut().find(|entry| entry.id == id) else { continue };
        entry.why = unquoted(why);
        entry.fix = lines.next().map(unquoted).unwrap_or_default();
    }
}

fn unquoted(text: &str) -> String {
    text.trim().trim_matches('"').replace("\\\"", "\"")
}

fn is_id(text: &str) -> bool {
    matches!(text.as_bytes(), [b'A'..=b'H', b'0'..=b'9', b'0'..=b'9'])
}

/// `doctor_a19_…` is of A19.
pub(super) fn id_of_test(name: &str) -> Option<String> {
    let id = name.strip_prefix("doctor_")?.split('_').next()?.to_uppercase();
    is_id(&id).then_some(id)
}

/// Codes and meanings: the arms of the two functions of `Exit`.
pub(super) fn exits(text: &str) -> Vec<(String, String)> {
    let arm = |line: &str| {
        let (name, value) = line.trim().strip_prefix("Self::")?.split_once(" => ")?;
        Some((name.to_owned(), value.trim_end_matches(',').trim_matches('"').to_owned()))
    };
    let between = |from: &str| -> Vec<(String, String)> {
        let part = text.split(from).nth(1).unwrap_or_default();
        part.lines().take_while(|line| *line != "    }").filter_map(arm).collect()
    };
    let meanings = between("pub const fn meaning(self)");
    between("pub const fn code(self)")
        .into_iter()
        .map(|(name, code)| {
            let meaning = meanings.iter().find(|(other, _)| *other == name).map(|(_, meaning)| meaning.clone());
            (code, meaning.unwrap_or_default())
        })
        .collect()
}

/// A file of ours: one key a line.
pub(super) fn profile(text: &str) -> Profile {
    let mut profile = Profile::default();
    let mut section = "";
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = match name {
                "mqtt" => "mqtt",
                "hints" => "hints",
                _ => "other",
            };
            continue;
        }
        let Some((key, value)) = line.split_once(" = ") else { continue };
        match (section, key) {
            ("", "name") => profile.name = unquoted(value),
            ("", "title") => profile.title = unquoted(value),
            ("", "hosts") => profile.hosts = list(value),
            ("", "port" | "websocket_port" | "sni_required" | "alpn" | "tls_minimum") | ("mqtt", _) => {
                profile.limits.push((key.replace('_', " "), list(value).join(", ")));
            }
            ("hints", _) => profile.hints += 1,
            _ => {}
        }
    }
    profile
}

fn list(value: &str) -> Vec<String> {
    let inner = value.trim().trim_start_matches('[').trim_end_matches(']');
    inner.split(',').map(unquoted).filter(|item| !item.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_and_words_are_read() {
        let mut all =
            entries("ids! {\n    A19 Files \"key-mismatch\" \"another key\",\n\n    B01 Files \"b\" \"c\",\n}\n");
        add_words(&mut all, "words! {\n    A19 \"why\"\n        \"fix\"\n        [\"x\"]\n        [],\n}\n");
        assert_eq!((all.len(), all[0].name.as_str(), all[0].stage.as_str()), (2, "key-mismatch", "files"));
        assert_eq!((all[0].why.as_str(), all[0].fix.as_str()), ("why", "fix"));
        assert!(all[1].why.is_empty());
    }

    #[test]
    fn tests_are_known_by_their_names() {
        assert_eq!(id_of_test("doctor_a19_key_of_another").as_deref(), Some("A19"));
        assert_eq!(id_of_test("doctor_confusion"), None);
        assert_eq!(id_of_test("a19_other"), None);
    }

    #[test]
    fn exit_codes_are_read() {
        let text = "pub const fn code(self) -> u8 {\n        match self {\n            Self::Fine => 0,\n        }\n    }\n\
            pub const fn meaning(self)\n            Self::Fine => \"good\",\n    }\n";
        assert_eq!(exits(text), [("0".to_owned(), "good".to_owned())]);
    }

    #[test]
    fn profiles_are_read() {
        let text = "# x\nname = \"a\"\ntitle = \"A\"\nhosts = [\"*.a\", \"b\"]\nport = 1\n[mqtt]\nmaximum_qos = 1\n[hints]\nA01 = \"x\"\n";
        let profile = profile(text);
        assert_eq!((profile.name.as_str(), profile.hosts.len(), profile.hints), ("a", 2, 1));
        assert_eq!(profile.limits[1], ("maximum qos".to_owned(), "1".to_owned()));
    }
}
