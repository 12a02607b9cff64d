//! What `[est]` of `gridmq serve` is told.

use std::path::PathBuf;
use std::time::Duration;

use gridmq_tls::issue::KeyType;
use serde::Deserialize;

use super::Address;
use super::address::one_or_more;
use super::section::section;
use super::value::{Span, Value};
use crate::commands::certs::duration;

section! {
    /// Enrolment of certificates (EST, RFC 7030) over the authority of a directory; off unless this section is there.
    Est {
        /// Where it listens. Default: 9443 on this machine.
        #[serde(deserialize_with = "one_or_more")]
        listen: Option<Vec<Address>> = None, example "['0.0.0.0:9443']";
        /// The directory that gridmq certs init filled. Always needed.
        ca: Option<PathBuf> = None, example "'ca'";
        /// Who may enrol by password: a file of lines that gridmq certs user or mosquitto_passwd wrote.
        users: Option<PathBuf> = None, example "'est-users'";
        /// Whose certificates may enrol: a PEM file of authorities.
        bootstrap: Option<PathBuf> = None, example "'bootstrap-ca.pem'";
        /// How long certificates are valid.
        validity: Validity = Validity(90 * 86_400);
        /// Whether who may enrol may enrol any name, not only their own.
        any_subject: bool = false;
        /// The only type of key that is taken: ec-p256, ec-p384, ed25519, rsa-2048, rsa-3072 or rsa-4096. Default: any.
        #[serde(deserialize_with = "key_type")]
        key_type: Option<KeyType> = None, example "'ec-p256'";
        /// A label in the path besides the path without one.
        label: Option<String> = None, example "'factory'";
    }
}

/// Seconds, written as `gridmq certs` takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validity(pub(crate) u64);

impl<'de> Deserialize<'de> for Validity {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        duration::parse(&String::deserialize(deserializer)?).map(Self).map_err(serde::de::Error::custom)
    }
}

impl Value for Validity {
    fn shown(&self) -> Option<String> {
        Span(Duration::from_secs(self.0)).shown()
    }
}

fn key_type<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<KeyType>, D::Error> {
    String::deserialize(deserializer)?.parse().map(Some).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    use crate::config::Settings;

    #[test]
    fn the_section_is_read_and_its_paths_start_at_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gridmq.toml");
        std::fs::write(&path, "[est]\nca = 'ca'\nusers = '/etc/users'\nvalidity = '12h'\nkey-type = 'ec-p384'")
            .unwrap();
        let est = Settings::read(&path).unwrap().est.unwrap();
        assert_eq!((est.ca, est.users), (Some(dir.path().join("ca")), Some("/etc/users".into())));
        assert_eq!((est.validity.0, est.key_type), (43_200, Some(KeyType::EcdsaP384)));
        assert!(!est.any_subject && est.listen.is_none());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in ["", "ca = 1", "ca = 'a'\nvalidity = '1w'", "ca = 'a'\nkey-type = 'dsa'", "ca = 'a'\nother = 1"] {
            assert!(Settings::parse(&format!("[est]\n{text}"), Path::new("")).is_err(), "{text}");
        }
    }
}
