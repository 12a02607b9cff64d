//! Certificate revocation lists (RFC 5280 §5): what was taken back before its time.
//!
//! A [`Revocation`] never changes. Whoever wants current lists loads them again, at the latest at
//! [`Revocation::next_update`], and makes a new configuration with them; when that fails the old one stays, which
//! refuses what its lists cover once they are out of date. [watched lists](watched::WatchedLists) (feature `watch`)
//! does the loading.
//!
//! OCSP (RFC 6960) is not supported: nothing here asks a responder or checks a stapled answer. A configuration that
//! demands it is refused with [`RevocationError::OcspUnsupported`].

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use webpki::{
    CertRevocationList, ExpirationPolicy, RevocationCheckDepth, RevocationOptions, RevocationOptionsBuilder,
    UnknownStatusPolicy,
};
use x509_cert::der::Decode;

use crate::certificate::{Certificate, DistinguishedName};
use crate::file::Origin;

mod builder;
mod error;
mod read;
#[cfg(feature = "watch")]
mod schedule;
#[cfg(feature = "watch")]
pub mod watched;

pub use builder::RevocationBuilder;
pub use error::RevocationError;
pub use read::{MAX_LIST_BYTES, MAX_LISTS, MAX_LISTS_BYTES};
#[cfg(feature = "watch")]
pub use watched::WatchedLists;

/// Whose revocation is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum CheckDepth {
    /// Only the peer's own certificate.
    EndEntity,
    /// The peer's certificate and every intermediate; the authority at the end is believed as it is.
    #[default]
    Chain,
}

/// What to do about a certificate that no list covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum UnknownStatus {
    /// Refuse it.
    #[default]
    Refuse,
    /// Accept it.
    Accept,
}

/// What to do about a list whose next update is overdue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Outdated {
    /// Do not load it, and refuse whatever it covers once it is overdue.
    #[default]
    Refuse,
    /// Believe it as if it were current.
    Accept,
}

/// What is asked of OCSP (RFC 6960).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Ocsp {
    /// Nothing; stapled answers are not looked at.
    #[default]
    Ignored,
    /// A good answer for every certificate. Not supported: loading fails.
    Required,
}

/// What a list says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListInfo {
    /// Where it came from.
    pub origin: Origin,
    /// Who signed it, by its own account.
    pub issuer: DistinguishedName,
    /// When it was made, in seconds since 1970.
    pub this_update: u64,
    /// When the next one is due, in seconds since 1970.
    pub next_update: u64,
    /// How many certificates it names.
    pub revoked: usize,
}

/// Revocation lists and how they are applied. Cheap to clone.
#[derive(Clone)]
pub struct Revocation(Arc<Inner>);

struct Inner {
    rules: RevocationBuilder,
    infos: Vec<ListInfo>,
    lists: Vec<CertRevocationList<'static>>,
    digest: Digest,
}

/// SHA-256 over all lists: equal exactly if the same lists were read in the same order.
type Digest = [u8; 32];

impl Revocation {
    /// Reads the lists in these files and directories, PEM or DER, under the default rules: the whole chain is
    /// checked, a certificate that no list covers is refused, and so is a list that is overdue at `now` (seconds
    /// since 1970).
    ///
    /// # Errors
    /// When one cannot be read or used, there is none, or they are too many or too large.
    pub fn load<P: AsRef<Path>>(paths: &[P], now: u64) -> Result<Self, RevocationError> {
        Self::builder().load(paths, now)
    }

    /// Starts with the default rules.
    pub fn builder() -> RevocationBuilder {
        RevocationBuilder::default()
    }

    /// What each list says of itself.
    #[must_use]
    pub fn lists(&self) -> &[ListInfo] {
        &self.0.infos
    }

    /// When the first of the lists is due to be replaced, in seconds since 1970.
    #[must_use]
    pub fn next_update(&self) -> Option<u64> {
        self.0.infos.iter().map(|info| info.next_update).min()
    }

    /// Whose revocation is checked.
    #[must_use]
    pub fn depth(&self) -> CheckDepth {
        self.0.rules.depth
    }

    /// Runs `check` with the lists in the verifier's form.
    pub(crate) fn with_options<T>(&self, check: impl FnOnce(Option<RevocationOptions<'_>>) -> T) -> T {
        let lists: Vec<&CertRevocationList<'_>> = self.0.lists.iter().collect();
        let rules = &self.0.rules;
        // There is always a list: loading fails without.
        let Ok(options) = RevocationOptionsBuilder::new(&lists) else { return check(None) };
        let options = options
            .with_depth(match rules.depth {
                CheckDepth::EndEntity => RevocationCheckDepth::EndEntity,
                CheckDepth::Chain => RevocationCheckDepth::Chain,
            })
            .with_status_policy(match rules.unknown {
                UnknownStatus::Refuse => UnknownStatusPolicy::Deny,
                UnknownStatus::Accept => UnknownStatusPolicy::Allow,
            })
            .with_expiration_policy(match rules.outdated {
                Outdated::Refuse => ExpirationPolicy::Enforce,
                Outdated::Accept => ExpirationPolicy::Ignore,
            });
        check(Some(options.build()))
    }

    /// The lists that bear the name of a certificate's issuer.
    pub(crate) fn of_issuer<'a>(&'a self, certificate: &Certificate) -> impl Iterator<Item = &'a ListInfo> {
        let issuer = certificate.issuer().clone();
        self.0.infos.iter().filter(move |info| info.issuer == issuer)
    }

    /// Does a list of its issuer's name have its serial number?
    pub(crate) fn names(&self, certificate: &Certificate) -> bool {
        let Some(serial) = serial(certificate) else { return false };
        let lists = self.0.infos.iter().zip(&self.0.lists);
        lists
            .filter(|(info, _)| info.issuer == *certificate.issuer())
            .any(|(_, list)| matches!(list.find_serial(&serial), Ok(Some(_))))
    }
}

impl fmt::Debug for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocation").field("rules", &self.0.rules).field("lists", &self.0.infos).finish()
    }
}

impl PartialEq for Revocation {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.digest == other.0.digest && self.0.infos == other.0.infos
    }
}

impl Eq for Revocation {}

/// The serial number as the lists have it.
fn serial(certificate: &Certificate) -> Option<Vec<u8>> {
    let parsed = x509_cert::Certificate::from_der(certificate.der()).ok()?;
    Some(parsed.tbs_certificate().serial_number().as_bytes().to_vec())
}

#[cfg(test)]
mod tests;
