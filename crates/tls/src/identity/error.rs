//! Why no identity can be made.

use crate::catalogue::{Finding, Id, Severity};
use crate::classify::Content;
use crate::file::{FileError, Origin};
use crate::keys::{KeyKind, KeyProblem, TooCostly};
use crate::passphrase::PassphraseError;
use crate::pem::PemError;
use crate::source::SourceError;

/// Why a key and its certificates could not be loaded. All of it is for the caller to put right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// A file could not be read (catalogue A01, A02, A04, A35).
    #[error(transparent)]
    File(#[from] FileError),
    /// Another source gave nothing (catalogue A01).
    #[error(transparent)]
    Source(SourceError),
    /// A text is damaged (catalogue A05, A10).
    #[error("{origin} cannot be used: {source}")]
    Pem {
        /// Where the text came from.
        origin: Origin,
        /// What is wrong with it.
        source: PemError,
    },
    /// There is no certificate (catalogue A04, A13, A22, A35).
    #[error("no certificate in {origin}: it holds {found}; {}", found.cure())]
    NoCertificate {
        /// Where a certificate was expected.
        origin: Origin,
        /// What is there instead.
        found: Content,
    },
    /// There is no private key (catalogue A04, A22, A35).
    #[error("no private key in {origin}: it holds {found}; {}", found.cure())]
    NoKey {
        /// Where a key was expected.
        origin: Origin,
        /// What is there instead.
        found: Content,
    },
    /// The key is encrypted and no passphrase is known (catalogue A20).
    #[error("the private key in {origin} is encrypted and no passphrase is known: give its passphrase")]
    EncryptedKey {
        /// Where the key is.
        origin: Origin,
    },
    /// The key is encrypted in a way that is not read (catalogue A20).
    #[error(
        "the private key in {origin} is encrypted with {scheme}, which is not read here: write it again with \
         `openssl pkcs8 -topk8 -v2 aes-256-cbc -in {origin} -out new.key`"
    )]
    UnsupportedEncryption {
        /// Where the key is.
        origin: Origin,
        /// What it is encrypted with.
        scheme: String,
    },
    /// No passphrase could be had (catalogue A20).
    #[error("the private key in {origin} is encrypted: {source}")]
    Passphrase {
        /// Where the key is.
        origin: Origin,
        /// Why there is no passphrase.
        source: PassphraseError,
    },
    /// The passphrase does not decrypt the key (catalogue A21).
    #[error(
        "{passphrase} does not decrypt the private key in {origin}: {}",
        if *blanks { "it would without the blanks around it, so remove them" } else { "give the one it was encrypted with" }
    )]
    WrongPassphrase {
        /// Where the key is.
        origin: Origin,
        /// Where the passphrase came from.
        passphrase: String,
        /// Would it be right without white space at its ends?
        blanks: bool,
    },
    /// The file asks for more computation than is spent on one (catalogue A35).
    #[error("{origin} is not opened, since {source}: write it again with fewer")]
    TooCostly {
        /// Which file.
        origin: Origin,
        /// How much.
        source: TooCostly,
    },
    /// The password does not open the PKCS#12 file (catalogue A26).
    #[error(
        "{} the PKCS#12 file {origin}: give the password it was exported with",
        if *given { "neither the given password nor the empty one opens" } else { "a password is needed for" }
    )]
    Pkcs12Password {
        /// Which file.
        origin: Origin,
        /// Was a password given?
        given: bool,
    },
    /// The PKCS#12 file has certificates and no key (catalogue A27).
    #[error("the PKCS#12 file {origin} holds no private key: export it again with the key")]
    Pkcs12WithoutKey {
        /// Which file.
        origin: Origin,
    },
    /// The PKCS#12 file cannot be read (catalogue A35).
    #[error("the PKCS#12 file {origin} cannot be read ({detail}): export it again")]
    Pkcs12 {
        /// Which file.
        origin: Origin,
        /// What the parser said.
        detail: String,
    },
    /// The key cannot be used in TLS here (catalogue A29, A31).
    #[error(
        "the private key in {origin} cannot be used ({problem}): use ECDSA on P-256, P-384 or P-521, Ed25519, \
         or RSA of 2048 bits or more"
    )]
    UnusableKey {
        /// Where the key is.
        origin: Origin,
        /// What is wrong with it.
        problem: KeyProblem,
    },
    /// The key belongs to none of the certificates (catalogue A19).
    #[error(transparent)]
    KeyMismatch(Box<KeyMismatch>),
    /// Others can read the key, and that was to be refused (catalogue A03).
    #[error("the private key {origin} can be read by others (its mode is {mode:04o}): run `chmod 600 {origin}`")]
    ReadableByOthers {
        /// Which file.
        origin: Origin,
        /// Its permission bits.
        mode: u32,
    },
    /// The token, the object in it or the PIN is wrong (catalogue A32).
    #[error("{origin}: {detail}")]
    Token {
        /// The token's object, by its URI.
        origin: Origin,
        /// What is wrong, and what there is instead.
        detail: String,
        /// What the token holds.
        seen: Vec<String>,
    },
    /// The library was built without what the source needs.
    #[error("{origin} cannot be read: this program was built without the feature {feature}")]
    NotBuilt {
        /// Which source.
        origin: Origin,
        /// The feature of this crate.
        feature: &'static str,
    },
}

/// A key and certificates that do not belong together.
#[derive(Debug, thiserror::Error)]
#[error(
    "the private key in {key} belongs to no certificate in {certificate} ({}): use the key that the \
     certificate was requested with",
    subjects.join("; ")
)]
#[non_exhaustive]
pub struct KeyMismatch {
    /// Where the key is.
    pub key: Origin,
    /// Where the certificates are.
    pub certificate: Origin,
    /// The subjects of the certificates.
    pub subjects: Vec<String>,
    /// SHA-256 of the key's SubjectPublicKeyInfo, in lower-case hexadecimal.
    pub key_sha256: String,
    /// The same of each certificate.
    pub certificate_sha256: Vec<String>,
}

impl From<SourceError> for IdentityError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::File(error) => Self::File(error),
            other => Self::Source(other),
        }
    }
}

impl IdentityError {
    /// The catalogue's entry.
    #[must_use]
    pub fn finding(&self) -> Finding {
        let error = |id, origin: &Origin, why: String, fix: &str| {
            Finding::new(id, Severity::Error, origin.to_string(), why, fix)
        };
        match self {
            Self::File(file) => file.finding(),
            Self::Source(source) => source_finding(source),
            Self::Pem { origin, source } => pem_finding(origin, source),
            Self::NoCertificate { origin, found } => {
                let id = if found.is_key() { Id::A13 } else { instead(found) };
                error(id, origin, format!("it holds {found} and no certificate"), found.cure())
            }
            Self::NoKey { origin, found } => {
                error(instead(found), origin, format!("it holds {found} and no private key"), found.cure())
            }
            Self::EncryptedKey { origin } => error(
                Id::A20,
                origin,
                "the private key is encrypted and no passphrase is known".to_owned(),
                "give its passphrase by a file, a descriptor or the environment (--pass-file, --pass-fd, --pass-env)",
            ),
            Self::UnsupportedEncryption { origin, scheme } => error(
                Id::A20,
                origin,
                format!("the private key is encrypted with {scheme}, which is not read here"),
                "write it again with `openssl pkcs8 -topk8 -v2 aes-256-cbc -in KEY -out NEW.key`",
            ),
            Self::Passphrase { origin, source } => error(
                Id::A20,
                origin,
                "the private key is encrypted".to_owned(),
                "name where its passphrase can be read",
            )
            .seen(source.to_string()),
            Self::WrongPassphrase { origin, passphrase, blanks } => error(
                Id::A21,
                origin,
                format!("{passphrase} does not decrypt the private key"),
                if *blanks {
                    "remove the blanks around the passphrase: without them it is right"
                } else {
                    "give the passphrase that the key was encrypted with"
                },
            ),
            Self::TooCostly { origin, source } => error(
                Id::A35,
                origin,
                source.to_string(),
                "write the file again with fewer iterations; OpenSSL's default is a few thousand",
            ),
            Self::Pkcs12Password { origin, given } => error(
                Id::A26,
                origin,
                if *given {
                    "neither the given password nor the empty one opens the PKCS#12 file".to_owned()
                } else {
                    "the PKCS#12 file has a password, and none was given".to_owned()
                },
                "give the password that the file was exported with",
            ),
            Self::Pkcs12WithoutKey { origin } => error(
                Id::A27,
                origin,
                "the PKCS#12 file holds no private key".to_owned(),
                "export it again with the private key",
            ),
            Self::Pkcs12 { origin, detail } => {
                error(Id::A35, origin, format!("the PKCS#12 file cannot be read ({detail})"), "export it again")
            }
            Self::UnusableKey { origin, problem } => key_finding(origin, problem),
            Self::KeyMismatch(mismatch) => {
                let KeyMismatch { key, certificate, subjects, key_sha256, certificate_sha256 } = mismatch.as_ref();
                let mut finding = error(
                    Id::A19,
                    key,
                    format!("the private key belongs to no certificate in {certificate}"),
                    "use the key that the certificate was requested with",
                )
                .seen(format!("key SPKI SHA-256 {key_sha256}"));
                for (subject, hash) in subjects.iter().zip(certificate_sha256).take(8) {
                    finding = finding.seen(format!("{subject} SPKI SHA-256 {hash}"));
                }
                finding
            }
            Self::ReadableByOthers { origin, mode } => readable_by_others(origin, *mode, Severity::Error),
            Self::Token { origin, detail, seen } => {
                let finding = error(
                    Id::A32,
                    origin,
                    detail.clone(),
                    "name a token and an object that are there, and the right PIN, in the pkcs11: URI",
                );
                seen.iter().fold(finding, |finding, seen| finding.seen(seen.clone()))
            }
            Self::NotBuilt { origin, feature } => error(
                Id::A35,
                origin,
                format!("this program was built without the feature {feature}"),
                "use a build that has it, or PEM files",
            ),
        }
    }
}

/// What is found in the place of a certificate or key.
fn instead(found: &Content) -> Id {
    match found {
        Content::Empty => Id::A04,
        Content::EncryptedKey | Content::EncryptedTraditionalKey => Id::A20,
        Content::Html | Content::Json | Content::Archive | Content::Der | Content::Text | Content::Binary => Id::A35,
        _ => Id::A22,
    }
}

fn source_finding(source: &SourceError) -> Finding {
    let (id, about, fix) = match source {
        SourceError::File(file) => return file.finding(),
        SourceError::NoVariable { name } => (Id::A01, format!("env:{name}"), "set the variable to the PEM text"),
        SourceError::NoCredentials { name } => {
            (Id::A01, format!("credential:{name}"), "start the program by systemd with LoadCredential=")
        }
        SourceError::TooLarge { origin } => {
            (Id::A35, origin.to_string(), "name what holds the certificate or key only")
        }
        SourceError::Callback(_) => (Id::A02, "the callback".to_owned(), "see what the callback's error says"),
    };
    Finding::new(id, Severity::Error, about, source.to_string(), fix)
}

pub(super) fn pem_finding(origin: &Origin, source: &PemError) -> Finding {
    let (id, fix) = match source {
        PemError::CutOff { .. } | PemError::BadBase64 { .. } => (Id::A05, "copy the whole file again"),
        PemError::NearlyHeader { .. } => (Id::A10, "write -----BEGIN …----- with five hyphens before and after"),
        PemError::TooLarge | PemError::TooMany => (Id::A35, "name a file that holds this certificate or key only"),
        PemError::NoCertificate { found } => (instead(found), found.cure()),
        PemError::AgainstTheRules { .. } => (Id::B17, "have it issued again by a CA that keeps to RFC 5280"),
        PemError::BadCertificate { .. } => (Id::A05, "copy the certificate again, or have it issued again"),
    };
    // The error says its cure in one sentence; a finding says it apart.
    let text = source.to_string();
    let why = text.strip_suffix(fix).and_then(|text| text.strip_suffix("; ")).unwrap_or(&text);
    Finding::new(id, Severity::Error, origin.to_string(), why, fix)
}

fn key_finding(origin: &Origin, problem: &KeyProblem) -> Finding {
    let (id, why, fix) = match problem {
        KeyProblem::Unusable(KeyKind::Rsa { bits }) if *bits < 2048 => (
            Id::A29,
            format!("the RSA key has {bits} bits, and fewer than 2048 are refused here and by most services"),
            "make a new key, ECDSA on P-256 or RSA of 2048 bits, and request a certificate for it",
        ),
        KeyProblem::Unusable(kind) => (
            Id::A31,
            format!("the key is of the kind {kind}, which cannot be used in TLS here"),
            "make a new key, ECDSA on P-256 or RSA of 2048 bits, and request a certificate for it",
        ),
        KeyProblem::Damaged(detail) => {
            (Id::A05, format!("the private key is damaged ({detail})"), "copy the whole file again")
        }
    };
    Finding::new(id, Severity::Error, origin.to_string(), why, fix)
}

pub(super) fn readable_by_others(origin: &Origin, mode: u32, severity: Severity) -> Finding {
    let who = if mode & 0o007 == 0 { "its group" } else { "everybody on this machine" };
    Finding::new(
        Id::A03,
        severity,
        origin.to_string(),
        format!("{who} has access to the private key's file"),
        "run `chmod 600` on it",
    )
    .seen(format!("its mode is {mode:04o}"))
}
