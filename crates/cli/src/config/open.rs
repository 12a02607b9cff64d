//! What `[open]` of `gridmq serve` is told.

use std::path::PathBuf;

use gridmq_namespace::resource::AlternativeNameSource;
use serde::Deserialize;

use super::section::section;
use super::value::{Value, quoted};

/// Where a client's certificate says its user name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum NameField {
    /// The subject's common name.
    #[default]
    CommonName,
    /// The first DNS name.
    Dns,
    /// The first URI.
    Uri,
    /// The first IP address.
    Ip,
    /// The first e-mail address.
    Email,
}

impl Value for NameField {
    fn shown(&self) -> Option<String> {
        Some(quoted(match self {
            Self::CommonName => "common-name",
            Self::Dns => "dns",
            Self::Uri => "uri",
            Self::Ip => "ip",
            Self::Email => "email",
        }))
    }
}

impl From<NameField> for AlternativeNameSource {
    fn from(field: NameField) -> Self {
        match field {
            NameField::CommonName => Self::ClientCertificateSubject,
            NameField::Dns => Self::ClientCertificateDns,
            NameField::Uri => Self::ClientCertificateUri,
            NameField::Ip => Self::ClientCertificateIp,
            NameField::Email => Self::ClientCertificateEmail,
        }
    }
}

section! {
    /// A broker without a namespace: who comes in, and what they may do.
    Open {
        /// The file of users that gridmq users keeps: who gives a user name must give its password. Flag: --users.
        users @reload: Option<PathBuf> = None, example "'users'";
        /// Whether clients that give no user name and show no certificate come in. Default: only where there are neither
        /// users nor client-ca, and every address is this machine's own. Flag: --anonymous.
        anonymous @reload: Option<bool> = None, example "false";
        /// A file of access rules, a line each; the first that matches decides, and what none matches is denied. Without
        /// rules everything is allowed to whoever comes in. Flag: --access.
        access @reload: Option<PathBuf> = None, example "'access'";
        /// Access rules after those of the file, such as 'allow user alice publish plant/#'.
        rules @reload: Vec<String> = Vec::new();
        /// Certificates of authorities, PEM: clients on TLS listeners are asked for a certificate, and one that these
        /// stand behind names its client.
        client_ca: Option<PathBuf> = None, example "'clients-ca.pem'";
        /// Where such a certificate says the user name: common-name, dns, uri, ip or email.
        client_name: NameField = NameField::CommonName;
    }
}

impl Open {
    /// Whether clients prove names here.
    pub(crate) const fn knows_names(&self) -> bool {
        self.users.is_some() || self.client_ca.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    #[test]
    fn the_section_is_read_and_its_paths_start_at_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gridmq.toml");
        let text = "[open]\nusers = 'users'\naccess = '/etc/access'\nrules = ['allow users all #']\nanonymous = true\n\
                    client-ca = 'ca.pem'\nclient-name = 'dns'";
        std::fs::write(&path, text).unwrap();
        let open = Settings::read(&path).unwrap().open;
        assert_eq!(open.users, Some(dir.path().join("users")));
        assert_eq!(open.access, Some("/etc/access".into()));
        assert_eq!(open.client_ca, Some(dir.path().join("ca.pem")));
        assert_eq!((open.anonymous, open.client_name, open.rules.len()), (Some(true), NameField::Dns, 1));
    }
}
