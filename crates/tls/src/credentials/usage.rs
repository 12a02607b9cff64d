//! What an identity is for, and whether it can serve.

use crate::identity::{Identity, Role, Severity};

/// What an identity is to prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Usage {
    /// Who a client is.
    #[default]
    Client,
    /// Who a server is.
    Server,
}

impl Usage {
    /// Why this identity cannot serve at `now` (seconds since 1970): it is not valid now, or it may
    /// not be used so. `None`: nothing speaks against it.
    #[must_use]
    pub fn refuses(self, identity: &Identity, now: u64) -> Option<String> {
        let role = match self {
            Self::Client => Role::Client,
            Self::Server => Role::Server,
        };
        let findings = identity.findings_as(role, now);
        if let Some(finding) = findings.iter().find(|finding| finding.severity >= Severity::Error) {
            return Some(finding.to_string());
        }
        let leaf = identity.chain().first()?;
        let (allowed, usage) = match self {
            Self::Client => (leaf.allows_client_auth(), "clientAuth"),
            Self::Server => (leaf.allows_server_auth(), "serverAuth"),
        };
        (!allowed).then(|| {
            format!(
                "the certificate {} cannot be used: its extended key usage lacks {usage}; have it issued with it",
                leaf.subject()
            )
        })
    }
}
