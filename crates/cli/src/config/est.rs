//! What `[est]` of `gridmq serve` is told.

use std::path::{Path, PathBuf};

use gridmq_tls::issue::KeyType;
use serde::Deserialize;

use super::{Address, one_or_more};
use crate::commands::certs::duration;

/// Enrolment of certificates over the authority of a directory; off unless this section is there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Est {
    /// Where to listen; 9443 on this machine unless said.
    #[serde(default, deserialize_with = "one_or_more")]
    pub(crate) listen: Option<Vec<Address>>,
    /// The directory that `gridmq certs init` filled.
    pub(crate) ca: PathBuf,
    /// Who may enrol by password: a file of lines that `gridmq certs user` or `mosquitto_passwd` wrote.
    pub(crate) users: Option<PathBuf>,
    /// Whose certificates may enrol: a PEM file of authorities.
    pub(crate) bootstrap: Option<PathBuf>,
    /// How long certificates are valid, in seconds.
    #[serde(default = "validity_unless_said", deserialize_with = "length_of_time")]
    pub(crate) validity: u64,
    /// Whether who may enrol may enrol any name, not only their own.
    #[serde(default)]
    pub(crate) any_subject: bool,
    /// The only type of key that is taken.
    #[serde(default, deserialize_with = "key_type")]
    pub(crate) key_type: Option<KeyType>,
    /// A label in the path besides the path without one.
    pub(crate) label: Option<String>,
}

impl Est {
    /// Relative paths start at the file's directory.
    pub(super) fn resolve(&mut self, base: &Path) {
        for path in [Some(&mut self.ca), self.users.as_mut(), self.bootstrap.as_mut()].into_iter().flatten() {
            *path = base.join(&*path);
        }
    }
}

const fn validity_unless_said() -> u64 {
    90 * 86_400
}

fn length_of_time<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    duration::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

fn key_type<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<KeyType>, D::Error> {
    String::deserialize(deserializer)?.parse().map(Some).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    #[test]
    fn the_section_is_read_and_its_paths_start_at_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gridmq.toml");
        std::fs::write(&path, "[est]\nca = 'ca'\nusers = '/etc/users'\nvalidity = '12h'\nkey-type = 'ec-p384'")
            .unwrap();
        let est = Settings::read(&path).unwrap().est.unwrap();
        assert_eq!((est.ca, est.users), (dir.path().join("ca"), Some("/etc/users".into())));
        assert_eq!((est.validity, est.key_type), (43_200, Some(KeyType::EcdsaP384)));
        assert!(!est.any_subject && est.listen.is_none());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in ["", "ca = 1", "ca = 'a'\nvalidity = '1w'", "ca = 'a'\nkey-type = 'dsa'", "ca = 'a'\nother = 1"] {
            assert!(toml::from_str::<Settings>(&format!("[est]\n{text}")).is_err(), "{text}");
        }
    }
}
