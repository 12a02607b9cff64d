//! A refusal with everything that is known about it.

use std::fmt;

use super::{VerifyError, parse};
use crate::catalogue::Finding;
use crate::certificate::Certificate;
use crate::peer::PresentedPeer;

/// Why a chain was not believed: the rule, the certificate that broke it, and the chain that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The rule.
    pub rule: VerifyError,
    /// The certificate that broke it: the one that is expired, unfit, revoked, or whose issuer is unknown. It may be
    /// one of the authorities. `None` if the leaf is not even a certificate.
    pub certificate: Option<Certificate>,
    /// The chain as it was presented, leaf first, as far as it could be parsed; at most sixteen certificates.
    pub chain: Vec<Certificate>,
}

impl Refusal {
    /// Of a client whose own certificate broke the rule.
    #[must_use]
    pub fn of_leaf(rule: VerifyError, presented: &PresentedPeer) -> Self {
        Self { rule, certificate: Some(presented.leaf().clone()), chain: parse(presented.chain()) }
    }

    /// Where the certificate that broke the rule stands in the chain: 0 for the leaf; `None` if it is an authority.
    #[must_use]
    pub fn position(&self) -> Option<usize> {
        let broken = self.certificate.as_ref()?;
        self.chain.iter().position(|certificate| certificate == broken)
    }

    /// The finding, as the one that judged puts it about a client's chain.
    #[must_use]
    pub fn finding(&self) -> Finding {
        let subjects: Vec<String> = self.chain.iter().map(|certificate| certificate.subject().to_string()).collect();
        self.rule.finding().seen(format!("presented was {}", subjects.join(" ← ")))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rule.fmt(f)
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.rule)
    }
}
