//! From sources to an identity.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::sign::SigningKey;

use super::error::{KeyMismatch, readable_by_others};
use super::{Identity, IdentityError, Loaded};
use crate::catalogue::{Finding, Id, Severity};
use crate::certificate::{Certificate, hex};
use crate::classify::Content;
use crate::file::{Origin, Secret};
use crate::keys::{self, Budget, DecryptError, KeyProblem, PrivateKey};
use crate::passphrase::{Passphrase, PassphraseSource};
use crate::pem::{self, Material, PemError};
use crate::pkcs12::{self, OpenError};
use crate::source::Source;

/// What to do about a key file that others than its owner can read. Judged on Unix only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum KeyPermissions {
    /// Nothing.
    Ignore,
    /// Make a finding of it (catalogue A03).
    #[default]
    Warn,
    /// Do not load the key.
    Refuse,
}

/// Loads identities from anywhere: PEM, DER, PKCS#7, PKCS#12, files, variables, tokens.
///
/// What the bytes are is found out from the bytes. The order of the certificates does not matter,
/// nor which source holds what: a swapped certificate and key are put right, with a finding. The
/// loader can be used again, to load what has changed; it is cheap to clone.
#[derive(Debug, Clone)]
#[must_use]
pub struct IdentityLoader {
    certificate: Source,
    key: Option<Source>,
    chain: Option<Source>,
    passphrase: Option<PassphraseSource>,
    permissions: KeyPermissions,
}

impl IdentityLoader {
    /// Loads from one source that holds certificate and key, unless [`Self::key`] names another for the key.
    pub fn new(certificate: impl Into<Source>) -> Self {
        Self {
            certificate: certificate.into(),
            key: None,
            chain: None,
            passphrase: None,
            permissions: KeyPermissions::default(),
        }
    }

    /// Takes the key from here.
    pub fn key(mut self, key: impl Into<Source>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Takes intermediates from here too.
    pub fn chain(mut self, chain: impl Into<Source>) -> Self {
        self.chain = Some(chain.into());
        self
    }

    /// Decrypts under this passphrase; for a token it is the PIN. It is read only when it is needed.
    pub fn passphrase(mut self, passphrase: impl Into<PassphraseSource>) -> Self {
        self.passphrase = Some(passphrase.into());
        self
    }

    /// What to do about a key file that others can read; [`KeyPermissions::Warn`] when not called.
    pub fn key_permissions(mut self, permissions: KeyPermissions) -> Self {
        self.permissions = permissions;
        self
    }

    /// The files that are read: what to watch for a change.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> = [Some(&self.certificate), self.key.as_ref(), self.chain.as_ref()]
            .into_iter()
            .flatten()
            .filter_map(Source::path)
            .collect();
        paths.dedup();
        paths
    }

    /// Loads. Blocks while files are read, passphrases are typed and tokens answer.
    ///
    /// # Errors
    /// When a source cannot be read or a working pair cannot be made of them.
    pub fn load(&self) -> Result<Identity, IdentityError> {
        self.examine().0
    }

    /// Loads, and gives what was noticed on the way also when that fails. With an identity the same
    /// findings are among its own.
    pub fn examine(&self) -> (Result<Identity, IdentityError>, Vec<Finding>) {
        let mut run = Run { loader: self, notes: Vec::new(), pkcs12: false, budget: Budget::default() };
        let result = run.load();
        let notes = run.notes;
        let result = result.map(|pair| Identity::assemble(pair, notes.clone()));
        (result, notes)
    }
}

/// One loading.
struct Run<'a> {
    loader: &'a IdentityLoader,
    notes: Vec<Finding>,
    pkcs12: bool,
    budget: Budget,
}

/// One source, read.
struct Part {
    origin: Origin,
    /// The file's permission bits, where they let others than its owner at it.
    mode: Option<u32>,
    material: Material,
}

impl Run<'_> {
    fn load(&mut self) -> Result<Loaded, IdentityError> {
        let loader = self.loader;
        let key_source = loader.key.as_ref().filter(|key| !key.same(&loader.certificate));
        let mut first = self.read(&loader.certificate, "certificate")?;
        let mut second = key_source.map(|source| self.read(source, "key")).transpose()?.flatten();
        let third = loader.chain.as_ref().map(|source| self.read(source, "chain")).transpose()?.flatten();

        let token = [key_source, Some(&loader.certificate)].into_iter().flatten().find_map(|source| match source {
            Source::Pkcs11(uri) => Some(uri.as_str()),
            _ => None,
        });
        if let Some(uri) = token {
            return self.load_from_token(uri, first.or(second), third);
        }
        let Some(mut cert_part) = first.take() else {
            return Err(IdentityError::NoCertificate { origin: Origin::Memory("certificate"), found: Content::Empty });
        };

        if let Some(key_part) = second.as_mut()
            && cert_part.material.lacks_certificates()
            && !cert_part.material.lacks_keys()
            && key_part.material.lacks_keys()
            && !key_part.material.lacks_certificates()
        {
            self.notes.push(Finding::new(
                Id::A13,
                Severity::Warning,
                cert_part.origin.to_string(),
                format!("it was given as the certificate and holds the key, and {} the certificate", key_part.origin),
                "swap the two names; they are taken the right way round here",
            ));
            std::mem::swap(&mut cert_part, key_part);
        }

        let nothing = |part: &Part| part.material.lacks_certificates();
        if nothing(&cert_part) && second.as_ref().is_none_or(nothing) {
            return Err(IdentityError::NoCertificate { found: cert_part.material.other(), origin: cert_part.origin });
        }
        let keyless = |part: &Part| part.material.lacks_keys();
        if keyless(&cert_part) && second.as_ref().is_none_or(keyless) {
            let part = second.unwrap_or(cert_part);
            return Err(match part.material.other() {
                Content::EncryptedTraditionalKey => IdentityError::UnsupportedEncryption {
                    origin: part.origin,
                    scheme: "OpenSSL's traditional encryption".to_owned(),
                },
                found => IdentityError::NoKey { origin: part.origin, found },
            });
        }

        // The key's own source is preferred, for keys as the certificate's is for certificates.
        if let Some(part) = second.as_mut().filter(|part| !part.material.lacks_keys()) {
            self.open(part)?;
        }
        if cert_part.material.certificates.is_empty()
            || second.as_ref().is_none_or(|part| part.material.keys.is_empty())
        {
            self.open(&mut cert_part)?;
        }
        let from_second = second.as_ref().is_some_and(|part| !part.material.keys.is_empty());
        let key_part = second.as_ref().filter(|_| from_second).unwrap_or(&cert_part);
        let key_origin = key_part.origin.clone();
        self.check_permissions(key_part)?;
        let Part { origin: mut certificate_origin, material, .. } = cert_part;
        let mut certificates = parse(&certificate_origin, material.certificates)?;
        let mut keys = material.keys;
        if let Some(part) = second {
            // The key's source is asked for certificates only when the other has none.
            if certificates.is_empty() {
                certificates = parse(&part.origin, part.material.certificates)?;
                certificate_origin = part.origin;
            }
            if from_second {
                keys = part.material.keys;
            }
        }
        if let Some(part) = third {
            certificates.extend(parse(&part.origin, part.material.certificates)?);
        }
        if keys.is_empty() {
            return Err(if self.pkcs12 {
                IdentityError::Pkcs12WithoutKey { origin: key_origin }
            } else {
                IdentityError::NoKey { origin: key_origin, found: Content::Certificate }
            });
        }
        let (key, leaf) = pair(&keys, &key_origin, &certificates, &certificate_origin)?;
        Ok(Loaded { key, certificates, leaf, origin: certificate_origin, pkcs12: self.pkcs12 })
    }

    /// Reads one source, unless it is a token.
    fn read(&mut self, source: &Source, what: &'static str) -> Result<Option<Part>, IdentityError> {
        let Some(taken) = source.take(what)? else { return Ok(None) };
        let Secret { origin, bytes, mode } = taken;
        match Material::read(&bytes) {
            Ok(material) => {
                self.notes.extend(material.classified.findings(&origin.to_string()).into_iter().filter(|finding| {
                    // What is fatal is the error's to say.
                    finding.severity != Severity::Error
                }));
                self.note_link(&origin);
                Ok(Some(Part { origin, mode, material }))
            }
            Err(source) => Err(IdentityError::Pem { origin, source }),
        }
    }

    fn note_link(&mut self, origin: &Origin) {
        let Origin::File(path) = origin else { return };
        if let Ok(target) = std::fs::read_link(path) {
            self.notes.push(
                Finding::new(
                    Id::A33,
                    Severity::Info,
                    origin.to_string(),
                    "the file is a symbolic link, as where a secret is replaced as a whole",
                    "watch the directory, not the file, for a renewed certificate",
                )
                .seen(format!("it leads to {}", target.display())),
            );
        }
    }

    /// Decrypts the keys of a part and opens its PKCS#12.
    fn open(&mut self, part: &mut Part) -> Result<(), IdentityError> {
        let Part { origin, material, .. } = part;
        for (bytes, _) in std::mem::take(&mut material.pkcs12) {
            self.open_pkcs12(origin, material, &bytes)?;
        }
        if !material.keys.is_empty() {
            return Ok(());
        }
        for bytes in std::mem::take(&mut material.encrypted_keys) {
            let key = self.decrypt(origin, &bytes)?;
            material.keys.push(key);
        }
        Ok(())
    }

    fn passphrase(&self, origin: &Origin, what: &str) -> Result<Option<Passphrase>, IdentityError> {
        let Some(source) = &self.loader.passphrase else { return Ok(None) };
        source
            .read(&format!("{what} {origin}"))
            .map_err(|source| IdentityError::Passphrase { origin: origin.clone(), source })
    }

    fn decrypt(&mut self, origin: &Origin, bytes: &[u8]) -> Result<PrivateKey, IdentityError> {
        let Some(passphrase) = self.passphrase(origin, "the private key in")? else {
            return Err(IdentityError::EncryptedKey { origin: origin.clone() });
        };
        keys::decrypt(bytes, &passphrase, &mut self.budget).map_err(|error| {
            let origin = origin.clone();
            match error {
                DecryptError::TooCostly(source) => IdentityError::TooCostly { origin, source },
                DecryptError::WrongPassphrase => {
                    let blanks = passphrase
                        .trimmed()
                        .is_some_and(|trimmed| keys::decrypt(bytes, &trimmed, &mut self.budget).is_ok());
                    IdentityError::WrongPassphrase { origin, passphrase: self.passphrase_was_wrong(), blanks }
                }
                DecryptError::Unsupported(scheme) => IdentityError::UnsupportedEncryption { origin, scheme },
                DecryptError::Damaged(detail) => {
                    IdentityError::UnusableKey { origin, problem: KeyProblem::Damaged(detail) }
                }
                DecryptError::NotBuilt => IdentityError::NotBuilt { origin, feature: "encrypted-keys" },
            }
        })
    }

    fn passphrase_was_wrong(&self) -> String {
        self.loader.passphrase.as_ref().map_or_else(String::new, |source| {
            source.forget();
            source.origin()
        })
    }

    fn open_pkcs12(&mut self, origin: &Origin, material: &mut Material, bytes: &[u8]) -> Result<(), IdentityError> {
        // A person is not asked for the password of a file that opens without.
        let mut given = false;
        let opened = match pkcs12::open(bytes, "", &mut self.budget) {
            Err(OpenError::WrongPassword) => match self.passphrase(origin, "the PKCS#12 file")? {
                Some(password) => {
                    given = true;
                    pkcs12::open(bytes, password.expose(), &mut self.budget)
                }
                None => Err(OpenError::WrongPassword),
            },
            opened => opened,
        };
        let opened = opened.map_err(|error| {
            let origin = origin.clone();
            match error {
                OpenError::TooCostly(source) => IdentityError::TooCostly { origin, source },
                OpenError::WrongPassword => {
                    self.passphrase_was_wrong();
                    IdentityError::Pkcs12Password { origin, given }
                }
                OpenError::Unsupported(detail) | OpenError::Damaged(detail) => IdentityError::Pkcs12 { origin, detail },
                OpenError::NotBuilt => IdentityError::NotBuilt { origin, feature: "pkcs12" },
            }
        })?;
        self.pkcs12 = true;
        if opened.keys.len() > 1 {
            self.notes.push(Finding::new(
                Id::A12,
                Severity::Info,
                origin.to_string(),
                format!(
                    "the PKCS#12 file holds {} private keys; the first that fits a certificate is taken",
                    opened.keys.len()
                ),
                "export the one identity that is meant",
            ));
        }
        material.keys.extend(opened.keys);
        material.certificates.extend(opened.certificates);
        Ok(())
    }

    fn check_permissions(&mut self, Part { origin, mode, .. }: &Part) -> Result<(), IdentityError> {
        match (self.loader.permissions, *mode) {
            (KeyPermissions::Ignore, _) | (_, None) => Ok(()),
            (KeyPermissions::Warn, Some(mode)) => {
                self.notes.push(readable_by_others(origin, mode, Severity::Warning));
                Ok(())
            }
            (KeyPermissions::Refuse, Some(mode)) => {
                Err(IdentityError::ReadableByOthers { origin: origin.clone(), mode })
            }
        }
    }

    #[cfg(not(feature = "pkcs11"))]
    fn load_from_token(&self, uri: &str, _: Option<Part>, _: Option<Part>) -> Result<Loaded, IdentityError> {
        Err(IdentityError::NotBuilt { origin: Origin::token(uri), feature: "pkcs11" })
    }

    /// The certificate comes from `part` where there is one, else from the token.
    #[cfg(feature = "pkcs11")]
    fn load_from_token(&self, uri: &str, part: Option<Part>, chain: Option<Part>) -> Result<Loaded, IdentityError> {
        let mut given = Vec::new();
        for Part { origin, material, .. } in [part, chain].into_iter().flatten() {
            given.extend(parse(&origin, material.certificates)?);
        }
        let pin = |purpose: &str| match &self.loader.passphrase {
            Some(source) => {
                source.read(purpose).map_err(|source| IdentityError::Passphrase { origin: Origin::token(uri), source })
            }
            None => Ok(None),
        };
        let opened = crate::pkcs11::open(uri, given, &pin).inspect_err(|_| {
            self.passphrase_was_wrong();
        })?;
        Ok(Loaded {
            key: opened.key,
            certificates: opened.certificates,
            leaf: opened.leaf,
            origin: Origin::token(uri),
            pkcs12: false,
        })
    }
}

fn parse(origin: &Origin, certificates: Vec<Vec<u8>>) -> Result<Vec<Certificate>, IdentityError> {
    pem::parse(certificates).map_err(|source: PemError| IdentityError::Pem { origin: origin.clone(), source })
}

/// The first key that belongs to a certificate, and which.
fn pair(
    keys: &[PrivateKey],
    key_origin: &Origin,
    certificates: &[Certificate],
    certificate_origin: &Origin,
) -> Result<(Arc<dyn SigningKey>, usize), IdentityError> {
    let mut unusable = None;
    let mut public = None;
    for key in keys {
        let signing_key = match key.load() {
            Ok(signing_key) => signing_key,
            Err(problem) => {
                unusable.get_or_insert(problem);
                continue;
            }
        };
        let own = signing_key.public_key().map(|own| own.as_ref().to_vec()).unwrap_or_default();
        let belongs = |certificate: &Certificate| certificate.public_key() == own;
        // A renewed authority may share its key with a leaf only by mistake: prefer what is no CA.
        let leaf = certificates
            .iter()
            .position(|certificate| belongs(certificate) && !certificate.is_ca())
            .or_else(|| certificates.iter().position(belongs));
        if let Some(leaf) = leaf {
            return Ok((signing_key, leaf));
        }
        public.get_or_insert(own);
    }
    match (public, unusable) {
        (None, Some(problem)) => Err(IdentityError::UnusableKey { origin: key_origin.clone(), problem }),
        (public, _) => Err(IdentityError::KeyMismatch(Box::new(KeyMismatch {
            key: key_origin.clone(),
            certificate: certificate_origin.clone(),
            subjects: certificates.iter().map(|certificate| certificate.subject().to_string()).collect(),
            key_sha256: sha256(&public.unwrap_or_default()),
            certificate_sha256: certificates.iter().map(|certificate| sha256(certificate.public_key())).collect(),
        }))),
    }
}

fn sha256(bytes: &[u8]) -> String {
    hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref())
}
