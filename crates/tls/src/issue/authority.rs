//! What to put into a new authority's certificate.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use rcgen::{BasicConstraints, CertificateParams, CidrSubnet, GeneralSubtree, IsCa, KeyUsagePurpose};

use super::{IssueError, KeyType, Serial, Validity, names};

/// What a new authority is to say.
#[derive(Debug, Clone)]
#[must_use]
pub struct AuthorityRequest {
    common_name: String,
    key_type: KeyType,
    serial: Option<Serial>,
    path_length: Option<u8>,
    permitted: Vec<Subtree>,
    excluded: Vec<Subtree>,
}

impl AuthorityRequest {
    /// An authority of this name, with a key on P-256 and without constraints.
    pub fn new(common_name: &str) -> Self {
        Self {
            common_name: common_name.to_owned(),
            key_type: KeyType::default(),
            serial: None,
            path_length: None,
            permitted: Vec::new(),
            excluded: Vec::new(),
        }
    }

    /// Sets the kind of its key.
    pub const fn key_type(mut self, key_type: KeyType) -> Self {
        self.key_type = key_type;
        self
    }

    /// Sets the serial number; without it a random one is taken.
    pub const fn serial(mut self, serial: Serial) -> Self {
        self.serial = Some(serial);
        self
    }

    /// Limits how many authorities may stand between it and a leaf (pathLenConstraint, RFC 5280 §4.2.1.9).
    pub const fn path_length(mut self, length: u8) -> Self {
        self.path_length = Some(length);
        self
    }

    /// Adds names that it may certify; once there is one of a kind, no other of that kind is allowed
    /// (permittedSubtrees, RFC 5280 §4.2.1.10).
    pub fn permit(mut self, subtree: Subtree) -> Self {
        self.permitted.push(subtree);
        self
    }

    /// Adds names that it may not certify (excludedSubtrees, RFC 5280 §4.2.1.10).
    pub fn exclude(mut self, subtree: Subtree) -> Self {
        self.excluded.push(subtree);
        self
    }

    pub(super) const fn kind_of_key(&self) -> KeyType {
        self.key_type
    }

    pub(super) fn params(&self, validity: Validity) -> Result<CertificateParams, IssueError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = names::common_name(&self.common_name);
        validity.apply(&mut params)?;
        params.serial_number = Some(self.serial.map_or_else(Serial::random, Ok)?.number());
        params.is_ca =
            IsCa::Ca(self.path_length.map_or(BasicConstraints::Unconstrained, BasicConstraints::Constrained));
        params.key_usages =
            vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.use_authority_key_identifier_extension = true;
        if !self.permitted.is_empty() || !self.excluded.is_empty() {
            let written = |subtrees: &[Subtree]| subtrees.iter().map(Subtree::written).collect();
            params.name_constraints = Some(rcgen::NameConstraints {
                permitted_subtrees: written(&self.permitted),
                excluded_subtrees: written(&self.excluded),
            });
        }
        Ok(params)
    }
}

/// Names under one root, for a name constraint.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Subtree {
    /// A DNS name and everything below it.
    Dns(String),
    /// A mailbox, or all of a host.
    Email(String),
    /// A network, by address and length of its prefix in bits.
    Ip(IpAddr, u8),
}

impl Subtree {
    fn written(&self) -> GeneralSubtree {
        match self {
            Self::Dns(name) => GeneralSubtree::DnsName(name.clone()),
            Self::Email(name) => GeneralSubtree::Rfc822Name(name.clone()),
            Self::Ip(address, prefix) => GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(*address, *prefix)),
        }
    }
}

/// A text that is no subtree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name constraint is written dns:example.org, email:example.org or ip:192.0.2.0/24")]
#[non_exhaustive]
pub struct BadSubtree;

/// `dns:example.org`, `email:example.org`, `ip:192.0.2.0/24`.
impl FromStr for Subtree {
    type Err = BadSubtree;

    fn from_str(text: &str) -> Result<Self, BadSubtree> {
        let (kind, name) = text.split_once(':').ok_or(BadSubtree)?;
        let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_graphic());
        match kind {
            "dns" if plain => Ok(Self::Dns(name.to_owned())),
            "email" if plain => Ok(Self::Email(name.to_owned())),
            "ip" => {
                let (address, prefix) = name.split_once('/').ok_or(BadSubtree)?;
                let address: IpAddr = address.parse().map_err(|_| BadSubtree)?;
                let prefix: u8 = prefix.parse().map_err(|_| BadSubtree)?;
                let longest = if address.is_ipv4() { 32 } else { 128 };
                if prefix > longest {
                    return Err(BadSubtree);
                }
                Ok(Self::Ip(address, prefix))
            }
            _ => Err(BadSubtree),
        }
    }
}

impl fmt::Display for Subtree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => write!(f, "dns:{name}"),
            Self::Email(name) => write!(f, "email:{name}"),
            Self::Ip(address, prefix) => write!(f, "ip:{address}/{prefix}"),
        }
    }
}
