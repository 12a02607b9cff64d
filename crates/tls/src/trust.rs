//! Whom this side believes.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::catalogue::Finding;
use crate::certificate::Certificate;
use crate::file::Origin;
use crate::pem;
use crate::revocation::{Revocation, RevocationError};
use crate::verify::AnchorSet;

mod error;
mod judge;
mod pin;
mod source;
pub(crate) mod verifier;

pub use error::TrustError;
pub use pin::{BadPin, Pin};
pub use source::TrustSource;

/// The most authorities of one [`Trust`].
pub const MAX_AUTHORITIES: usize = 4096;

/// The authorities whose word counts about the peer.
///
/// There is no way to make this from an [`Identity`](crate::Identity): a client's own chain says
/// nothing about the server. [`Trust::only`] believes one thing and nothing else; what is to be
/// believed as well is added by name with [`Trust::and_also`]. Nothing is believed by default.
///
/// A chain may end at any of the certificates given, root or intermediate, that is valid at the
/// time. Its own certificate binds an authority there too: one without CA:TRUE and keyCertSign vouches
/// for itself alone (but for self-signed ones of version 1, which cannot say so), and path length, name
/// constraints and extended key usage hold (RFC 5280 §6.1.4). Where several parts are asked, one that believes is enough; of their refusals the one that
/// says most is reported: pins first, then certificates and web roots, then the operating system.
/// Cheap to clone.
#[derive(Clone)]
pub struct Trust(Arc<Inner>);

#[derive(Clone, Default)]
struct Inner {
    set: AnchorSet,
    pins: Vec<Pin>,
    platform: bool,
    revocation: Option<Revocation>,
    findings: Vec<Finding>,
}

impl Trust {
    /// Only this, and nothing else.
    ///
    /// # Errors
    /// When it cannot be read or holds nothing usable.
    pub fn only(source: TrustSource) -> Result<Self, TrustError> {
        Self(Arc::default()).and_also(source)
    }

    /// Only these, and nothing else; one that believes is enough.
    ///
    /// # Errors
    /// When one cannot be read or holds nothing usable, or there is none.
    pub fn only_all(sources: impl IntoIterator<Item = TrustSource>) -> Result<Self, TrustError> {
        let mut sources = sources.into_iter();
        let first = Self::only(sources.next().ok_or(TrustError::None)?)?;
        sources.try_fold(first, Self::and_also)
    }

    /// This as well as what is believed already.
    ///
    /// # Errors
    /// When it cannot be read or holds nothing usable, or cannot be combined with the revocation
    /// lists in use.
    pub fn and_also(self, source: TrustSource) -> Result<Self, TrustError> {
        let mut inner = Arc::unwrap_or_clone(self.0);
        match source {
            TrustSource::File(path) => {
                let (origin, certificates) = source::from_file(&path)?;
                inner.add(&origin, certificates)?;
            }
            TrustSource::Directory(path) => {
                let (origin, certificates, findings) = source::from_directory(&path)?;
                inner.add(&origin, certificates)?;
                inner.findings.extend(findings);
            }
            TrustSource::Bytes(bytes) => {
                let origin = Origin::Memory("authorities to trust");
                let certificates = source::from_bytes(&origin, &bytes)?;
                inner.add(&origin, certificates)?;
            }
            TrustSource::Certificates(certificates) => {
                inner.add(&Origin::Memory("authorities to trust"), certificates)?;
            }
            TrustSource::Pin(pin) => inner.pins.push(pin),
            #[cfg(feature = "platform-verifier")]
            TrustSource::Platform if inner.revocation.is_some() => {
                return Err(RevocationError::WithPlatform.into());
            }
            #[cfg(feature = "platform-verifier")]
            TrustSource::Platform => inner.platform = true,
            #[cfg(feature = "web-roots")]
            TrustSource::WebRoots => {
                for anchor in webpki_roots::TLS_SERVER_ROOTS {
                    inner.set.add_bare(anchor.clone());
                }
            }
        }
        Ok(Self(Arc::new(inner)))
    }

    /// Refuses what these lists name, wherever a chain of certificates is followed. Pins are exempt.
    ///
    /// # Errors
    /// With the operating system's trust, which checks revocation in its own way or, on Linux, not
    /// at all, and takes no lists.
    pub fn with_revocation(self, revocation: Revocation) -> Result<Self, TrustError> {
        if self.0.platform {
            return Err(RevocationError::WithPlatform.into());
        }
        let mut inner = Arc::unwrap_or_clone(self.0);
        inner.revocation = Some(revocation);
        Ok(Self(Arc::new(inner)))
    }

    /// Only the authorities in this PEM file.
    ///
    /// # Errors
    /// When the file cannot be read or holds no usable certificate.
    pub fn only_pem_file(path: &Path) -> Result<Self, TrustError> {
        let (origin, text) = crate::file::read(path)?;
        Self::from_text(origin, &text)
    }

    /// Only the authorities in this PEM text of at most 1 MiB.
    ///
    /// # Errors
    /// When the text holds no usable certificate.
    pub fn only_pem(text: &[u8]) -> Result<Self, TrustError> {
        Self::from_text(Origin::Memory("authorities to trust"), text)
    }

    /// Only these authorities, each in DER.
    ///
    /// # Errors
    /// When there is none or one cannot be used.
    pub fn only_der(certificates: Vec<Vec<u8>>) -> Result<Self, TrustError> {
        let parse = |(index, der): (usize, &Vec<u8>)| {
            Certificate::from_der(der).map_err(|source| TrustError::BadCertificate { number: index + 1, source })
        };
        Self::only(TrustSource::Certificates(certificates.iter().enumerate().map(parse).collect::<Result<_, _>>()?))
    }

    /// Only what the operating system trusts for servers.
    #[cfg(feature = "platform-verifier")]
    #[must_use]
    pub fn platform() -> Self {
        Self(Arc::new(Inner { platform: true, ..Inner::default() }))
    }

    /// The subjects of the authorities; the operating system's and the web's roots are not among them.
    #[must_use]
    pub fn subjects(&self) -> Vec<String> {
        self.certificates().iter().map(|certificate| certificate.subject().to_string()).collect()
    }

    /// The authorities themselves; the operating system's and the web's roots are not among them.
    #[must_use]
    pub fn certificates(&self) -> &[Certificate] {
        self.0.set.certificates()
    }

    /// The pins.
    #[must_use]
    pub fn pins(&self) -> &[Pin] {
        &self.0.pins
    }

    /// Is the operating system asked?
    #[must_use]
    pub fn asks_platform(&self) -> bool {
        self.0.platform
    }

    /// The revocation lists in use.
    #[must_use]
    pub fn revocation(&self) -> Option<&Revocation> {
        self.0.revocation.as_ref()
    }

    /// What was found while loading that did not prevent it: files of a directory that hold no certificate.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.0.findings
    }

    /// Everything that is believed, each in a few words: subjects first.
    #[must_use]
    pub fn described(&self) -> Vec<String> {
        let mut words = self.subjects();
        words.extend(self.0.pins.iter().map(|pin| format!("the pin {pin}")));
        match self.0.set.bare_count() {
            0 => {}
            count => words.push(format!("{count} roots of the web")),
        }
        if self.0.platform {
            words.push("the operating system's authorities".to_owned());
        }
        words
    }

    fn from_text(origin: Origin, text: &[u8]) -> Result<Self, TrustError> {
        match pem::certificates(text) {
            Ok(certificates) => {
                let mut inner = Inner::default();
                inner.add(&origin, certificates)?;
                Ok(Self(Arc::new(inner)))
            }
            Err(source) => Err(TrustError::Pem { origin, source }),
        }
    }

    pub(crate) fn anchors(&self) -> &AnchorSet {
        &self.0.set
    }
}

impl Inner {
    fn add(&mut self, origin: &Origin, certificates: Vec<Certificate>) -> Result<(), TrustError> {
        if certificates.is_empty() {
            return Err(TrustError::None);
        }
        if self.set.certificates().len() + certificates.len() > MAX_AUTHORITIES {
            return Err(TrustError::TooMany);
        }
        for certificate in certificates {
            let subject = certificate.subject().to_string();
            self.set.add(certificate).map_err(|detail| TrustError::NotAnAuthority {
                origin: origin.clone(),
                subject,
                detail,
            })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").field("believes", &self.described()).field("revocation", &self.0.revocation).finish()
    }
}

#[cfg(test)]
mod tests;
