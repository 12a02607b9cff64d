//! What `[tls]` of `gridmq serve` is told.

use std::path::PathBuf;

use super::section::section;
use crate::connection::trust::CrlCheck;

section! {
    /// How clients' certificates are checked beyond what the namespace says.
    Tls {
        /// Files and directories of revocation lists, PEM or DER. Watched.
        crls: Vec<PathBuf> = Vec::new();
        /// What the lists are asked about: leaf, the client's own certificate, or chain, its issuers too. Default:
        /// chain.
        #[serde(alias = "crl_check")]
        crl_check: Option<CrlCheck> = None, example "'chain'";
        /// Whether an answer of OCSP is demanded; refused, since nothing here checks it.
        #[serde(alias = "require_ocsp")]
        require_ocsp: bool = false;
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
        std::fs::write(&path, "[tls]\ncrls = ['crls', '/etc/ca.crl']\ncrl-check = 'leaf'").unwrap();
        let tls = Settings::read(&path).unwrap().tls.unwrap();
        assert_eq!(tls.crls, [dir.path().join("crls"), "/etc/ca.crl".into()]);
        assert_eq!((tls.crl_check, tls.require_ocsp), (Some(CrlCheck::Leaf), false));
        let spelled: Settings = toml::from_str("[tls]\ncrl_check = 'chain'\nrequire_ocsp = true").unwrap();
        let expected = Tls { crl_check: Some(CrlCheck::Chain), require_ocsp: true, ..Tls::default() };
        assert_eq!(spelled.tls, Some(expected));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in ["crls = 'one'", "crl-check = 'some'", "crl-check = true", "require-ocsp = 'yes'", "ocsp = true"] {
            assert!(toml::from_str::<Settings>(&format!("[tls]\n{text}")).is_err(), "{text}");
        }
    }
}
