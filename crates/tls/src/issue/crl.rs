//! What an authority took back: the register of revocations, and the lists made of it (RFC 5280 §5).

use std::fmt::Write as _;
use std::str::FromStr;
use std::time::Duration;

use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevocationReason, RevokedCertParams, SerialNumber};

use super::{CertificateAuthority, IssueError, Validity};
use crate::certificate::Certificate;
use crate::convert;

/// The most revocations that a register holds.
pub const MAX_REVOCATIONS: usize = 100_000;

/// Why a certificate was taken back (RFC 5280 §5.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Reason {
    /// No reason is given.
    #[default]
    Unspecified,
    /// Somebody else has, or may have, its key.
    KeyCompromise,
    /// Its holder's name or attributes changed.
    AffiliationChanged,
    /// Another certificate took its place.
    Superseded,
    /// It is not needed any more.
    CessationOfOperation,
    /// Its holder may not have it any more.
    PrivilegeWithdrawn,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::PrivilegeWithdrawn,
    ];

    /// The word for it, such as `key-compromise`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "key-compromise",
            Self::AffiliationChanged => "affiliation-changed",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessation-of-operation",
            Self::PrivilegeWithdrawn => "privilege-withdrawn",
        }
    }

    const fn code(self) -> Option<RevocationReason> {
        match self {
            // RFC 5280 §5.3.1 wants the extension left out.
            Self::Unspecified => None,
            Self::KeyCompromise => Some(RevocationReason::KeyCompromise),
            Self::AffiliationChanged => Some(RevocationReason::AffiliationChanged),
            Self::Superseded => Some(RevocationReason::Superseded),
            Self::CessationOfOperation => Some(RevocationReason::CessationOfOperation),
            Self::PrivilegeWithdrawn => Some(RevocationReason::PrivilegeWithdrawn),
        }
    }
}

/// A word that names no reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the reasons are unspecified, key-compromise, affiliation-changed, superseded, cessation-of-operation and \
     privilege-withdrawn"
)]
#[non_exhaustive]
pub struct UnknownReason;

impl FromStr for Reason {
    type Err = UnknownReason;

    fn from_str(text: &str) -> Result<Self, UnknownReason> {
        Self::ALL.into_iter().find(|reason| reason.name() == text).ok_or(UnknownReason)
    }
}

/// One certificate that was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Revoked {
    /// Its serial number in lower-case hexadecimal.
    pub serial: String,
    /// When, in seconds since 1970.
    pub at: u64,
    /// Why.
    pub reason: Reason,
    /// Whom it names; for people only.
    pub subject: String,
}

/// Everything that one authority took back, and the number of its last list.
///
/// Its text form is a file beside the authority: `crl-number N`, then a line for each revocation with serial number,
/// seconds since 1970, reason and subject, separated by tabs. Lines that begin with `#` are comments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revocations {
    number: u64,
    entries: Vec<Revoked>,
}

/// Why a register cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// A line is not what it should be.
    #[error("line {line} is not a revocation (serial number, seconds since 1970, reason and subject between tabs)")]
    BadLine {
        /// Its number, from 1.
        line: usize,
    },
    /// More than [`MAX_REVOCATIONS`].
    #[error("it holds more than {MAX_REVOCATIONS} revocations")]
    TooMany,
}

impl FromStr for Revocations {
    type Err = RegisterError;

    fn from_str(text: &str) -> Result<Self, RegisterError> {
        let mut register = Self::default();
        for (at, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let bad = RegisterError::BadLine { line: at + 1 };
            if let Some(number) = line.strip_prefix("crl-number ") {
                register.number = number.trim().parse().map_err(|_| bad)?;
                continue;
            }
            let mut parts = line.splitn(4, '\t');
            let (Some(serial), Some(seconds), Some(reason)) = (parts.next(), parts.next(), parts.next()) else {
                return Err(bad);
            };
            if octets(serial).is_none() {
                return Err(bad);
            }
            if register.entries.len() >= MAX_REVOCATIONS {
                return Err(RegisterError::TooMany);
            }
            register.entries.push(Revoked {
                serial: serial.to_owned(),
                at: seconds.parse().map_err(|_| bad)?,
                reason: reason.parse().map_err(|_| bad)?,
                subject: parts.next().unwrap_or_default().to_owned(),
            });
        }
        Ok(register)
    }
}

impl Revocations {
    /// What was taken back, in the order in which it was.
    #[must_use]
    pub fn entries(&self) -> &[Revoked] {
        &self.entries
    }

    /// The number of the last list (cRLNumber); 0 before the first.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Takes a certificate back at `now`; `false` when it was already, which changes nothing.
    ///
    /// # Errors
    /// When the register is full.
    pub fn revoke(&mut self, certificate: &Certificate, now: u64, reason: Reason) -> Result<bool, RegisterError> {
        if self.entries.iter().any(|entry| entry.serial == certificate.serial()) {
            return Ok(false);
        }
        if self.entries.len() >= MAX_REVOCATIONS {
            return Err(RegisterError::TooMany);
        }
        self.entries.push(Revoked {
            serial: certificate.serial().to_owned(),
            at: now,
            reason,
            subject: certificate.subject().to_string().replace(['\t', '\n', '\r'], " "),
        });
        Ok(true)
    }

    /// The text form.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("# serial number, seconds since 1970, reason, subject\ncrl-number {}\n", self.number);
        for Revoked { serial, at, reason, subject } in &self.entries {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{serial}\t{at}\t{}\t{subject}", reason.name());
        }
        text
    }
}

/// A list that an authority signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationList {
    der: Vec<u8>,
}

impl RevocationList {
    /// The list in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The list in PEM.
    #[must_use]
    pub fn to_pem(&self) -> String {
        convert::to_pem("X509 CRL", &self.der)
    }
}

impl CertificateAuthority {
    /// Signs the next list of what was taken back and counts it in the register. The validity says when the list was
    /// made (thisUpdate) and by when the next has to be there (nextUpdate): after that peers refuse the whole list.
    ///
    /// # Errors
    /// When the validity is no validity, or the authority may not sign lists.
    pub fn sign_revocations(
        &self,
        register: &mut Revocations,
        validity: Validity,
    ) -> Result<RevocationList, IssueError> {
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        let mut dates = rcgen::CertificateParams::default();
        validity.apply(&mut dates)?;
        let number = register.number.saturating_add(1);
        let mut revoked_certs = Vec::with_capacity(register.entries.len());
        for entry in &register.entries {
            let serial = octets(&entry.serial).unwrap_or_default();
            revoked_certs.push(RevokedCertParams {
                serial_number: SerialNumber::from_slice(&serial),
                revocation_time: epoch + Duration::from_secs(entry.at.min(validity.not_after())),
                reason_code: entry.reason.code(),
                invalidity_date: None,
            });
        }
        let key_id = self.certificate().subject_key_id();
        let list = CertificateRevocationListParams {
            this_update: dates.not_before,
            next_update: dates.not_after,
            crl_number: SerialNumber::from_slice(&number.to_be_bytes()),
            issuing_distribution_point: None,
            revoked_certs,
            key_identifier_method: key_id.map_or(KeyIdMethod::Sha256, |id| KeyIdMethod::PreSpecified(id.to_vec())),
        }
        .signed_by(self.issuer())?;
        register.number = number;
        Ok(RevocationList { der: list.der().to_vec() })
    }
}

/// The octets of a serial number in hexadecimal, 1 to 20 of them.
fn octets(serial: &str) -> Option<Vec<u8>> {
    if serial.is_empty() || serial.len() > 42 || !serial.len().is_multiple_of(2) {
        return None;
    }
    let digits = serial.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    });
    digits.collect()
}
