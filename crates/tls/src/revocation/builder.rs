//! The rules under which lists are loaded and applied, and the loading.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use webpki::{CertRevocationList, OwnedCertRevocationList};
use x509_cert::der::Decode;

use super::read::Found;
use super::{CheckDepth, Inner, ListInfo, Ocsp, Outdated, Revocation, RevocationError, UnknownStatus};
use crate::certificate::DistinguishedName;
use crate::file::Origin;

/// The rules under which lists are loaded and applied.
#[derive(Debug, Clone, Copy, Default)]
#[must_use]
pub struct RevocationBuilder {
    pub(super) depth: CheckDepth,
    pub(super) unknown: UnknownStatus,
    pub(super) outdated: Outdated,
    pub(super) ocsp: Ocsp,
}

impl RevocationBuilder {
    /// Whose revocation is checked; the whole chain's when not called.
    pub fn depth(mut self, depth: CheckDepth) -> Self {
        self.depth = depth;
        self
    }

    /// What becomes of a certificate that no list covers; it is refused when not called.
    pub fn unknown_status(mut self, unknown: UnknownStatus) -> Self {
        self.unknown = unknown;
        self
    }

    /// What becomes of a list that is overdue; it is refused when not called.
    pub fn outdated(mut self, outdated: Outdated) -> Self {
        self.outdated = outdated;
        self
    }

    /// What is asked of OCSP; nothing when not called.
    pub fn ocsp(mut self, ocsp: Ocsp) -> Self {
        self.ocsp = ocsp;
        self
    }

    /// Reads the lists in these files and directories, PEM or DER. Of a directory every file counts that holds a
    /// list, and one that does not is passed over; subdirectories are not entered.
    ///
    /// # Errors
    /// When one cannot be read or used, is overdue at `now` (seconds since 1970), there is none, they are too many or
    /// too large, or OCSP is demanded.
    pub fn load<P: AsRef<Path>>(self, paths: &[P], now: u64) -> Result<Revocation, RevocationError> {
        let found = self.find(paths)?;
        self.build(found, owned(paths), now)
    }

    /// As [`RevocationBuilder::load`]; `None`: these are the current ones, and they are not overdue.
    #[cfg(feature = "watch")]
    pub(super) fn load_other<P: AsRef<Path>>(
        self,
        paths: &[P],
        now: u64,
        current: &Revocation,
    ) -> Result<Option<Revocation>, RevocationError> {
        let found = self.find(paths)?;
        if found.lists.is_empty() || found.digest() != current.0.digest {
            return self.build(found, owned(paths), now).map(Some);
        }
        current.0.infos.iter().try_for_each(|info| self.check_date(info, now)).map(|()| None)
    }

    fn find<P: AsRef<Path>>(self, paths: &[P]) -> Result<Found, RevocationError> {
        self.check_ocsp()?;
        let mut found = Found::default();
        for path in paths {
            found.path(path.as_ref())?;
        }
        Ok(found)
    }

    /// Takes the lists in this text or DER.
    ///
    /// # Errors
    /// As [`RevocationBuilder::load`].
    pub fn from_bytes(self, bytes: &[u8], now: u64) -> Result<Revocation, RevocationError> {
        self.check_ocsp()?;
        let mut found = Found::default();
        found.bytes(&Origin::Memory("revocation list"), bytes)?;
        self.build(found, Vec::new(), now)
    }

    const fn check_ocsp(self) -> Result<(), RevocationError> {
        match self.ocsp {
            Ocsp::Ignored => Ok(()),
            Ocsp::Required => Err(RevocationError::OcspUnsupported),
        }
    }

    /// RFC 5280 §5.1.2.5: the next list comes no later than nextUpdate, so that this one ends with the second before.
    fn check_date(self, info: &ListInfo, now: u64) -> Result<(), RevocationError> {
        if self.outdated == Outdated::Refuse && info.next_update <= now {
            return Err(RevocationError::Outdated {
                origin: info.origin.clone(),
                issuer: info.issuer.to_string(),
                next_update: info.next_update,
            });
        }
        Ok(())
    }

    fn build(self, found: Found, paths: Vec<PathBuf>, now: u64) -> Result<Revocation, RevocationError> {
        let digest = found.digest();
        let mut pairs = Vec::new();
        for (origin, der) in found.lists {
            let bad = |detail: String| RevocationError::BadList { origin: origin.clone(), detail };
            let list = OwnedCertRevocationList::from_der(&der).map_err(|error| bad(error.to_string()))?;
            let parsed = x509_cert::crl::CertificateList::<x509_cert::certificate::Rfc5280>::from_der(&der)
                .map_err(|error| bad(error.to_string()))?
                .tbs_cert_list;
            let info = ListInfo {
                issuer: DistinguishedName::new(&parsed.issuer).map_err(|error| bad(error.to_string()))?,
                this_update: parsed.this_update.to_unix_duration().as_secs(),
                next_update: parsed.next_update.map_or(u64::MAX, |next| next.to_unix_duration().as_secs()),
                revoked: parsed.revoked_certificates.map_or(0, |revoked| revoked.len()),
                origin,
            };
            self.check_date(&info, now)?;
            pairs.push((info, CertRevocationList::from(list)));
        }
        if pairs.is_empty() {
            return Err(RevocationError::None { paths });
        }
        // The verifier takes the first list that covers a certificate: of an authority's lists it must be the newest.
        pairs.sort_by_key(|(info, _)| std::cmp::Reverse(info.this_update));
        let (infos, lists) = pairs.into_iter().unzip();
        Ok(Revocation(Arc::new(Inner { rules: self, infos, lists, digest })))
    }
}

fn owned<P: AsRef<Path>>(paths: &[P]) -> Vec<PathBuf> {
    paths.iter().map(|path| path.as_ref().to_owned()).collect()
}
