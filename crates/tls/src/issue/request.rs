//! What to put into a new certificate.

use std::net::IpAddr;
use std::time::Duration;

use rcgen::string::Ia5String;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, SanType};
use rustls::pki_types::DnsName;

use super::{IssueError, names};

/// The last second of the year 9999, the end of what X.509 can say.
const END_OF_TIME: u64 = 253_402_300_799;

/// From when to when a certificate is valid, in seconds since 1970, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    not_before: u64,
    not_after: u64,
}

impl Validity {
    /// From one second to another.
    #[must_use]
    pub const fn new(not_before: u64, not_after: u64) -> Self {
        Self { not_before, not_after }
    }

    /// For this many days from `now`, and from five minutes before it: other machines' clocks differ.
    #[must_use]
    pub const fn days(now: u64, days: u32) -> Self {
        Self { not_before: now.saturating_sub(300), not_after: now.saturating_add(days as u64 * 86_400) }
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

/// What a leaf is to say.
#[derive(Debug, Clone)]
#[must_use]
pub struct LeafRequest {
    common_name: String,
    names: Vec<Name>,
    usage: Usage,
}

#[derive(Debug, Clone)]
enum Name {
    Dns(String),
    Uri(String),
    Ip(IpAddr),
    Email(String),
}

impl LeafRequest {
    /// A client's leaf with this CN, no alternative names and `clientAuth`.
    pub fn client(common_name: &str) -> Self {
        Self { common_name: common_name.to_owned(), names: Vec::new(), usage: Usage::Client }
    }

    /// A server's leaf for these DNS names and IP addresses, the first also as CN, with `serverAuth`.
    pub fn server<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Self {
        let mut request = Self { common_name: String::new(), names: Vec::new(), usage: Usage::Server };
        for name in names {
            let name = name.as_ref();
            if request.names.is_empty() {
                name.clone_into(&mut request.common_name);
            }
            request.names.push(name.parse().map_or_else(|_| Name::Dns(name.to_owned()), Name::Ip));
        }
        request
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
    pub fn usage(mut self, usage: Usage) -> Self {
        self.usage = usage;
        self
    }

    pub(super) fn params(&self, validity: Validity) -> Result<CertificateParams, IssueError> {
        let mut params = CertificateParams::default();
        validity.apply(&mut params)?;
        params.distinguished_name = names::common_name(&self.common_name);
        params.subject_alt_names = self.names.iter().map(Name::to_san).collect::<Result<_, _>>()?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = match self.usage {
            Usage::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
            Usage::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
            Usage::Both => vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
            Usage::Unspecified => Vec::new(),
        };
        params.use_authority_key_identifier_extension = true;
        Ok(params)
    }
}

impl Name {
    fn to_san(&self) -> Result<SanType, IssueError> {
        let ascii = |text: &String, kind| match Ia5String::try_from(text.as_str()) {
            Ok(ascii) if !text.is_empty() => Ok(ascii),
            _ => Err(IssueError::BadName { name: text.clone(), kind }),
        };
        Ok(match self {
            Self::Dns(name) => {
                let kind = "DNS name or IP address";
                if DnsName::try_from(name.strip_prefix("*.").unwrap_or(name)).is_err() {
                    return Err(IssueError::BadName { name: name.clone(), kind });
                }
                SanType::DnsName(ascii(name, kind)?)
            }
            Self::Uri(uri) => SanType::URI(ascii(uri, "URI")?),
            Self::Email(address) => SanType::Rfc822Name(ascii(address, "e-mail address")?),
            Self::Ip(address) => SanType::IpAddress(*address),
        })
    }
}
