//! The fields of a certificate that the parsed view leaves out.

use std::net::IpAddr;

use x509_cert::Version;
use x509_cert::der::Decode;
use x509_cert::der::oid::AssociatedOid;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AuthorityInfoAccessSyntax, BasicConstraints, CrlDistributionPoints, KeyUsage, NameConstraints, SubjectAltName,
};

use super::SignatureAlgorithm;
use crate::certificate::{Certificate, hex};
use crate::keys::KeyKind;

/// Extensions that this crate and OpenSSL both understand; any other one that is critical makes OpenSSL refuse.
const UNDERSTOOD: [&str; 14] = [
    "2.5.29.9",
    "2.5.29.14",
    "2.5.29.15",
    "2.5.29.17",
    "2.5.29.18",
    "2.5.29.19",
    "2.5.29.30",
    "2.5.29.31",
    "2.5.29.32",
    "2.5.29.33",
    "2.5.29.35",
    "2.5.29.36",
    "2.5.29.37",
    "2.5.29.54",
];

/// Bits of a key usage that are asked about here (RFC 5280 §4.2.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "the standard's bits")]
pub(super) struct Usages {
    pub(super) digital_signature: bool,
    pub(super) key_encipherment: bool,
    pub(super) key_agreement: bool,
    pub(super) key_cert_sign: bool,
}

/// A name constraint or a name, in the forms that are compared here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    Dns(String),
    Email(String),
    Uri(String),
    /// Address and, in a constraint, mask.
    Ip(Vec<u8>),
    Other(String),
}

impl Form {
    fn of(name: &GeneralName) -> Self {
        match name {
            GeneralName::DnsName(name) => Self::Dns(name.to_string()),
            GeneralName::Rfc822Name(name) => Self::Email(name.to_string()),
            GeneralName::UniformResourceIdentifier(uri) => Self::Uri(uri.to_string()),
            GeneralName::IpAddress(octets) => Self::Ip(octets.as_bytes().to_vec()),
            GeneralName::DirectoryName(name) => Self::Other(format!("directory name {name}")),
            GeneralName::OtherName(other) => Self::Other(format!("other name {}", other.type_id)),
            GeneralName::RegisteredId(oid) => Self::Other(format!("registered id {oid}")),
            GeneralName::EdiPartyName(_) => Self::Other("EDI party name".to_owned()),
        }
    }

    /// `DNS:…`, `URI:…`, `IP:…`, `email:…`; networks as address and mask.
    pub(super) fn written(&self) -> String {
        match self {
            Self::Dns(name) => format!("DNS:{name}"),
            Self::Email(address) => format!("email:{address}"),
            Self::Uri(uri) => format!("URI:{uri}"),
            Self::Ip(octets) => match (octets.len(), octets.split_at_checked(octets.len() / 2)) {
                (8 | 32, Some((address, mask))) => format!("IP:{}/{}", address_text(address), address_text(mask)),
                _ => format!("IP:{}", address_text(octets)),
            },
            Self::Other(text) => text.clone(),
        }
    }
}

fn address_text(octets: &[u8]) -> String {
    let four = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    match four.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)) {
        Ok(address) => address.to_string(),
        Err(_) => hex(octets),
    }
}

/// What a certificate says beyond [`Certificate`]. An extension that cannot be read counts as absent.
#[derive(Debug, Clone)]
pub(super) struct Details {
    pub(super) version: u8,
    pub(super) key: KeyKind,
    pub(super) signature: SignatureAlgorithm,
    pub(super) has_basic_constraints: bool,
    pub(super) path_length: Option<u8>,
    pub(super) usages: Option<Usages>,
    pub(super) usage_names: Option<Vec<&'static str>>,
    pub(super) names: Vec<Form>,
    pub(super) permitted: Vec<Form>,
    pub(super) excluded: Vec<Form>,
    pub(super) crl_uris: Vec<String>,
    pub(super) ocsp_uris: Vec<String>,
    pub(super) issuer_uris: Vec<String>,
    pub(super) unknown_critical: Option<String>,
}

impl Details {
    /// `None` for what is no certificate, which a [`Certificate`] never is.
    pub(super) fn of(certificate: &Certificate) -> Option<Self> {
        let parsed = x509_cert::Certificate::from_der(certificate.der()).ok()?;
        let tbs = parsed.tbs_certificate();
        let constraints = get::<BasicConstraints>(tbs);
        let usage = get::<KeyUsage>(tbs);
        let named = get::<NameConstraints>(tbs);
        let subtrees = |subtrees: Option<Vec<x509_cert::ext::pkix::constraints::name::GeneralSubtree>>| {
            subtrees.unwrap_or_default().iter().map(|subtree| Form::of(&subtree.base)).collect()
        };
        let (permitted, excluded) = match named {
            Some(named) => (subtrees(named.permitted_subtrees), subtrees(named.excluded_subtrees)),
            None => (Vec::new(), Vec::new()),
        };
        let access = get::<AuthorityInfoAccessSyntax>(tbs).map(|access| access.0).unwrap_or_default();
        let accessed = |method: &str| {
            let wanted = access.iter().filter(|entry| entry.access_method.to_string() == method);
            wanted.filter_map(|entry| uri(&entry.access_location)).collect()
        };
        let unknown_critical = tbs.extensions().and_then(|all| {
            let unknown = |oid: &str| !UNDERSTOOD.contains(&oid);
            all.iter()
                .filter(|extension| extension.critical)
                .map(|extension| extension.extn_id.to_string())
                .find(|oid| unknown(oid))
        });
        Some(Self {
            version: match tbs.version() {
                Version::V1 => 1,
                Version::V2 => 2,
                Version::V3 => 3,
            },
            key: KeyKind::of(certificate.public_key()),
            signature: SignatureAlgorithm::of(parsed.signature_algorithm().oid),
            has_basic_constraints: constraints.is_some(),
            path_length: constraints.and_then(|constraints| constraints.path_len_constraint),
            usages: usage.as_ref().map(|usage| Usages {
                digital_signature: usage.digital_signature(),
                key_encipherment: usage.key_encipherment(),
                key_agreement: usage.key_agreement(),
                key_cert_sign: usage.key_cert_sign(),
            }),
            usage_names: usage.as_ref().map(usage_names),
            names: get::<SubjectAltName>(tbs).map(|all| all.0.iter().map(Form::of).collect()).unwrap_or_default(),
            permitted,
            excluded,
            crl_uris: crl_uris(get::<CrlDistributionPoints>(tbs)),
            ocsp_uris: accessed("1.3.6.1.5.5.7.48.1"),
            issuer_uris: accessed("1.3.6.1.5.5.7.48.2"),
            unknown_critical,
        })
    }
}

fn get<'a, T>(tbs: &'a x509_cert::TbsCertificate) -> Option<T>
where
    T: Decode<'a, Error = x509_cert::der::Error> + AssociatedOid,
{
    tbs.get_extension::<T>().ok().flatten().map(|(_critical, value)| value)
}

fn uri(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::UniformResourceIdentifier(uri) => Some(uri.to_string()),
        _ => None,
    }
}

fn crl_uris(points: Option<CrlDistributionPoints>) -> Vec<String> {
    let points = points.map(|points| points.0).unwrap_or_default();
    let names = points.into_iter().filter_map(|point| match point.distribution_point {
        Some(DistributionPointName::FullName(names)) => Some(names),
        _ => None,
    });
    names.flatten().filter_map(|name| uri(&name)).collect()
}

fn usage_names(usage: &KeyUsage) -> Vec<&'static str> {
    let bits = [
        (usage.digital_signature(), "digitalSignature"),
        (usage.non_repudiation(), "nonRepudiation"),
        (usage.key_encipherment(), "keyEncipherment"),
        (usage.data_encipherment(), "dataEncipherment"),
        (usage.key_agreement(), "keyAgreement"),
        (usage.key_cert_sign(), "keyCertSign"),
        (usage.crl_sign(), "cRLSign"),
        (usage.encipher_only(), "encipherOnly"),
        (usage.decipher_only(), "decipherOnly"),
    ];
    bits.into_iter().filter(|(set, _)| *set).map(|(_, name)| name).collect()
}
