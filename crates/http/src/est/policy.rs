//! What is issued to whom.

use gridmq_tls::Certificate;
use gridmq_tls::issue::{KeyType, SigningRequest, Validity};
use gridmq_tls::keys::KeyKind;

/// Whom a first certificate may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SubjectRule {
    /// Whoever asks: the common name is the user's name (or the bootstrap certificate's common name), and so is every
    /// alternative name.
    #[default]
    SameAsRequester,
    /// Anybody: each user may enrol every device.
    Any,
}

/// What is issued.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Policy {
    validity: u64,
    subject: SubjectRule,
    key: Option<KeyType>,
}

impl Default for Policy {
    /// 90 days, for who asks, any key that TLS can use.
    fn default() -> Self {
        Self { validity: 90 * 24 * 60 * 60, subject: SubjectRule::default(), key: None }
    }
}

impl Policy {
    /// How long certificates are valid, in seconds; never longer than the authority.
    pub fn validity(mut self, seconds: u64) -> Self {
        self.validity = seconds.max(1);
        self
    }

    /// Whom a first certificate may name.
    pub const fn subject(mut self, rule: SubjectRule) -> Self {
        self.subject = rule;
        self
    }

    /// Takes keys of this type alone, and asks for them by `csrattrs`. Without it RSA with 2048 bits or more, P-256,
    /// P-384, P-521 and Ed25519 are taken.
    pub const fn key(mut self, key: KeyType) -> Self {
        self.key = Some(key);
        self
    }

    pub(super) const fn wanted_key(&self) -> Option<KeyType> {
        self.key
    }

    /// From a little before now, since clocks differ, but for short lives not much of them.
    pub(super) fn validity_at(&self, now: u64, end: u64) -> Validity {
        let margin = Validity::MARGIN.min(self.validity / 10);
        Validity::new(now.saturating_sub(margin), now.saturating_add(self.validity)).until_at_most(end)
    }

    pub(super) fn check_key(&self, request: &SigningRequest) -> Result<(), String> {
        let kind = request.key_kind();
        match self.key {
            Some(wanted) if !is(kind, wanted) => Err(format!("the key must be of the type {wanted}, and is {kind}")),
            _ => Ok(()),
        }
    }

    /// May `requester` have a first certificate of this name?
    pub(super) fn check_names(&self, request: &SigningRequest, requester: &str) -> Result<(), String> {
        let names = request.alternative_names();
        if request.subject().is_empty() && names.is_empty() {
            return Err("the request names nobody: give it a common name".to_owned());
        }
        if self.subject == SubjectRule::Any {
            return Ok(());
        }
        let subject = request.subject();
        let alone = is_one_attribute(&subject.to_string()) && subject.common_name() == Some(requester);
        if !(alone || subject.is_empty()) {
            return Err(format!("the subject must be CN={requester} and nothing else, since that is who asks"));
        }
        // `DNS:…`, `URI:…`, `IP:…`, `email:…`
        let other = names.iter().find(|name| name.split_once(':').is_none_or(|(_, name)| name != requester));
        other.map_or(Ok(()), |name| Err(format!("{name} is not the name of who asks ({requester})")))
    }
}

/// A renewal keeps subject and names (RFC 7030 §4.2.2).
pub(super) fn check_renewal(request: &SigningRequest, current: &Certificate) -> Result<(), String> {
    if request.subject() == current.subject() && request.asks_for_names_of(current) {
        Ok(())
    } else {
        Err(format!(
            "a renewal keeps the subject ({}) and all alternative names: ask for the same, or enrol anew",
            current.subject()
        ))
    }
}

fn is(kind: &KeyKind, wanted: KeyType) -> bool {
    let curve = |name: &str| matches!(kind, KeyKind::Ec { curve, .. } if curve == name);
    match wanted {
        KeyType::EcdsaP256 => curve("P-256"),
        KeyType::EcdsaP384 => curve("P-384"),
        KeyType::Ed25519 => matches!(kind, KeyKind::Ed25519),
        KeyType::Rsa2048 => matches!(kind, KeyKind::Rsa { bits: 2048.. }),
        KeyType::Rsa3072 => matches!(kind, KeyKind::Rsa { bits: 3072.. }),
        KeyType::Rsa4096 => matches!(kind, KeyKind::Rsa { bits: 4096.. }),
        _ => false,
    }
}

/// Has a name in the form of RFC 4514 a single attribute, a CN?
fn is_one_attribute(name: &str) -> bool {
    let mut escaped = false;
    let separated = name.chars().any(|c| {
        let separates = !escaped && matches!(c, ',' | '+');
        escaped = !escaped && c == '\\';
        separates
    });
    name.starts_with("CN=") && !separated
}

#[cfg(test)]
mod tests;
