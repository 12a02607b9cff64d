//! What to put into a new leaf.

use std::net::IpAddr;
use std::time::Duration;

use rcgen::{CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose};

use super::names::{self, Name};
use super::{IssueError, KeyType, Serial};
use crate::certificate::Certificate;

/// The last second of the year 9999, the end of what X.509 can say.
const END_OF_TIME: u64 = 253_402_300_799;

/// From when to when a certificate is valid, in seconds since 1970, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    not_before: u64,
    not_after: u64,
}

impl Validity {
    /// How long before `now` a validity begins, because other machines' clocks differ: five minutes.
    pub const MARGIN: u64 = 300;

    /// From one second to another.
    #[must_use]
    pub const fn new(not_before: u64, not_after: u64) -> Self {
        Self { not_before, not_after }
    }

    /// For this many days from `now`, and from [`MARGIN`](Self::MARGIN) before it.
    #[must_use]
    pub const fn days(now: u64, days: u32) -> Self {
        Self::seconds(now, days as u64 * 86_400)
    }

    /// For this many seconds from `now`, and from [`MARGIN`](Self::MARGIN) before it.
    #[must_use]
    pub const fn seconds(now: u64, seconds: u64) -> Self {
        Self { not_before: now.saturating_sub(Self::MARGIN), not_after: now.saturating_add(seconds) }
    }

    /// The same, ending no later than `end`: no leaf outlives its issuer.
    #[must_use]
    pub const fn until_at_most(self, end: u64) -> Self {
        Self { not_before: self.not_before, not_after: if self.not_after < end { self.not_after } else { end } }
    }

    /// The first second.
    #[must_use]
    pub const fn not_before(self) -> u64 {
        self.not_before
    }

    /// The last second.
    #[must_use]
    pub const fn not_after(self) -> u64 {
        self.not_after
    }

    pub(super) fn apply(self, params: &mut CertificateParams) -> Result<(), IssueError> {
        if self.not_before >= self.not_after || self.not_after > END_OF_TIME {
            return Err(IssueError::BadValidity);
        }
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        params.not_before = epoch + Duration::from_secs(self.not_before);
        params.not_after = epoch + Duration::from_secs(self.not_after);
        Ok(())
    }
}

/// The extended key usage of a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Usage {
    /// `serverAuth`.
    Server,
    /// `clientAuth`.
    Client,
    /// Both.
    Both,
    /// No extended key usage: any purpose.
    Unspecified,
}

impl Usage {
    /// What a certificate says.
    #[must_use]
    pub fn of(certificate: &Certificate) -> Self {
        match (certificate.extended_key_usage(), certificate.allows_server_auth(), certificate.allows_client_auth()) {
            (None, ..) => Self::Unspecified,
            (Some(_), true, true) => Self::Both,
            (Some(_), true, false) => Self::Server,
            (Some(_), false, _) => Self::Client,
        }
    }

    pub(super) fn purposes(self) -> Vec<ExtendedKeyUsagePurpose> {
        match self {
            Self::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
            Self::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
            Self::Both => vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
            Self::Unspecified => Vec::new(),
        }
    }
}

/// What a leaf is to say.
#[derive(Debug, Clone)]
#[must_use]
pub struct LeafRequest {
    subject: Subject,
    names: Vec<Name>,
    usage: Usage,
    key_type: KeyType,
    serial: Option<Serial>,
    crl_uris: Vec<String>,
}

#[derive(Debug, Clone)]
enum Subject {
    CommonName(String),
    /// A whole name in DER, and how it reads.
    Whole {
        der: Vec<u8>,
        text: String,
    },
}

impl LeafRequest {
    /// A client's leaf with this CN, no alternative names and `clientAuth`. An empty CN gives an empty subject.
    pub fn client(common_name: &str) -> Self {
        Self {
            subject: Subject::CommonName(common_name.to_owned()),
            names: Vec::new(),
            usage: Usage::Client,
            key_type: KeyType::default(),
            serial: None,
            crl_uris: Vec::new(),
        }
    }

    /// A server's leaf for these DNS names and IP addresses, the first also as CN, with `serverAuth`.
    pub fn server<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Self {
        let names: Vec<N> = names.into_iter().collect();
        let request = Self::client(names.first().map_or("", AsRef::as_ref)).usage(Usage::Server);
        names.iter().map(AsRef::as_ref).fold(request, |request, name| match name.parse() {
            Ok(address) => request.ip(address),
            Err(_) => request.dns(name),
        })
    }

    /// The same subject, names and usage as an earlier certificate: what a renewal asks for.
    pub fn like(certificate: &Certificate) -> Self {
        let subject = certificate.subject();
        let names = certificate.alternative_names();
        let request = Self {
            subject: Subject::Whole { der: subject.der().to_vec(), text: subject.to_string() },
            ..Self::client("").usage(Usage::of(certificate))
        };
        let request = names.dns.iter().fold(request, |request, name| request.dns(name));
        let request = names.uri.iter().fold(request, |request, uri| request.uri(uri));
        let request = names.email.iter().fold(request, |request, address| request.email(address));
        names.ip.iter().fold(request, |request, address| request.ip(*address))
    }

    /// Sets the CN, in place of any other subject.
    pub fn common_name(mut self, name: &str) -> Self {
        self.subject = Subject::CommonName(name.to_owned());
        self
    }

    /// Adds a `dNSName`; `*.` in front is allowed.
    pub fn dns(mut self, name: &str) -> Self {
        self.names.push(Name::Dns(name.to_owned()));
        self
    }

    /// Adds a `uniformResourceIdentifier`.
    pub fn uri(mut self, uri: &str) -> Self {
        self.names.push(Name::Uri(uri.to_owned()));
        self
    }

    /// Adds an `iPAddress`.
    pub fn ip(mut self, address: IpAddr) -> Self {
        self.names.push(Name::Ip(address));
        self
    }

    /// Adds an `rfc822Name`.
    pub fn email(mut self, address: &str) -> Self {
        self.names.push(Name::Email(address.to_owned()));
        self
    }

    /// Sets the extended key usage.
    pub const fn usage(mut self, usage: Usage) -> Self {
        self.usage = usage;
        self
    }

    /// Sets the kind of the new key.
    pub const fn key_type(mut self, key_type: KeyType) -> Self {
        self.key_type = key_type;
        self
    }

    /// Sets the serial number; without it a random one is taken.
    pub const fn serial(mut self, serial: Serial) -> Self {
        self.serial = Some(serial);
        self
    }

    /// Adds a place where the issuer's revocation list is to be found (cRLDistributionPoints).
    pub fn crl_uri(mut self, uri: &str) -> Self {
        self.crl_uris.push(uri.to_owned());
        self
    }

    pub(super) const fn kind_of_key(&self) -> KeyType {
        self.key_type
    }

    pub(super) fn params(&self, validity: Validity) -> Result<CertificateParams, IssueError> {
        let mut params = self.request_params()?;
        validity.apply(&mut params)?;
        params.serial_number = Some(self.serial.map_or_else(Serial::random, Ok)?.number());
        params.use_authority_key_identifier_extension = true;
        if !self.crl_uris.is_empty() {
            params.crl_distribution_points = vec![rcgen::CrlDistributionPoint { uris: self.crl_uris.clone() }];
        }
        Ok(params)
    }

    /// What a signing request says too: not the validity, the serial number and what the issuer adds.
    pub(super) fn request_params(&self) -> Result<CertificateParams, IssueError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = self.subject.name()?;
        params.subject_alt_names = self.names.iter().map(Name::to_san).collect::<Result<_, _>>()?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        if matches!(self.key_type, KeyType::Rsa2048 | KeyType::Rsa3072 | KeyType::Rsa4096)
            && !matches!(self.usage, Usage::Client)
        {
            // Servers with RSA keys are also asked for key transport, by TLS 1.2 clients of old.
            params.key_usages.push(KeyUsagePurpose::KeyEncipherment);
        }
        params.extended_key_usages = self.usage.purposes();
        Ok(params)
    }
}

impl Subject {
    fn name(&self) -> Result<DistinguishedName, IssueError> {
        match self {
            Self::CommonName(name) => Ok(names::common_name(name)),
            Self::Whole { der, text } => {
                names::distinguished_name(der).ok_or_else(|| IssueError::UnsupportedSubject { subject: text.clone() })
            }
        }
    }
}
