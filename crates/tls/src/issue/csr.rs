//! Certification requests (PKCS#10, RFC 2986): making them, reading them, and answering them.

use std::net::IpAddr;

use rcgen::{CertificateParams, IsCa, KeyUsagePurpose, PublicKeyData, SignatureAlgorithm};
use rustls::pki_types::CertificateSigningRequestDer;
use rustls::pki_types::pem::PemObject;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, SubjectAltName};
use x509_cert::request::{CertReq, ExtensionReq};
use zeroize::Zeroizing;

use super::names::{self, Name};
use super::{CertificateAuthority, IssueError, LeafRequest, Serial, SignedCertificate, Usage, Validity, key};
use crate::certificate::{Certificate, DistinguishedName};
use crate::convert;
use crate::inspect::Signed;
use crate::keys::KeyKind;

/// The largest request that is read: 64 KiB.
pub const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// The most alternative names that a request may ask for.
pub const MAX_REQUESTED_NAMES: usize = 100;

/// Why a request cannot be answered. The fault is with whoever made it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The bytes are not a request.
    #[error("it is not a certification request in PEM or DER ({0})")]
    NotARequest(String),
    /// More than [`MAX_REQUEST_BYTES`].
    #[error("it is larger than {MAX_REQUEST_BYTES} bytes")]
    TooLarge,
    /// The request is not signed by the key that it carries: whoever sent it may not have that key.
    #[error("its signature is not by the key that it carries: make the request anew with the private key at hand")]
    NoProofOfPossession,
    /// The key, or the way in which the request is signed, is not one that is taken here.
    #[error("its key is {kind}: use RSA with 2048 bits or more, ECDSA on P-256, P-384 or P-521, or Ed25519")]
    UnsupportedKey {
        /// The kind of key.
        kind: String,
    },
    /// The request is for an authority's certificate.
    #[error("it asks for a CA certificate: requests are answered for leaves only")]
    WantsAuthority,
    /// An alternative name is of a kind that is not issued here.
    #[error("it asks for an alternative name of the kind {0}; DNS names, URIs, IP and e-mail addresses can be had")]
    UnsupportedName(String),
    /// More than [`MAX_REQUESTED_NAMES`].
    #[error("it asks for more than {MAX_REQUESTED_NAMES} alternative names")]
    TooManyNames,
}

/// A request that was read, and whose proof of possession was checked (RFC 2986 §4.2).
#[derive(Debug, Clone)]
pub struct SigningRequest {
    der: Vec<u8>,
    subject: DistinguishedName,
    spki: Vec<u8>,
    kind: KeyKind,
    names: Vec<Name>,
}

impl SigningRequest {
    /// Reads a request in PEM or DER.
    ///
    /// # Errors
    /// When the bytes are no request, it is not signed by its own key, or asks for what is not issued here.
    pub fn read(bytes: &[u8]) -> Result<Self, RequestError> {
        if bytes.len() > MAX_REQUEST_BYTES {
            return Err(RequestError::TooLarge);
        }
        if bytes.first() == Some(&0x30) {
            return Self::from_der(bytes);
        }
        let der = CertificateSigningRequestDer::from_pem_slice(bytes)
            .map_err(|error| RequestError::NotARequest(error.to_string()))?;
        Self::from_der(&der)
    }

    /// Reads a request in DER.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn from_der(der: &[u8]) -> Result<Self, RequestError> {
        if der.len() > MAX_REQUEST_BYTES {
            return Err(RequestError::TooLarge);
        }
        let not = |error: x509_cert::der::Error| RequestError::NotARequest(error.to_string());
        let request = CertReq::from_der(der).map_err(not)?;
        let spki = request.info.public_key.to_der().map_err(not)?;
        let kind = KeyKind::of(&spki);
        if !kind.is_usable() {
            return Err(RequestError::UnsupportedKey { kind: kind.to_string() });
        }
        let proven = Signed::split(der).and_then(|signed| signed.is_by(&spki));
        if proven != Some(true) {
            return Err(RequestError::NoProofOfPossession);
        }
        let mut names = Vec::new();
        for extension in extensions(&request).map_err(not)? {
            read_extension(&extension, &mut names)?;
        }
        let subject = DistinguishedName::new(&request.info.subject).map_err(not)?;
        Ok(Self { der: der.to_vec(), subject, spki, kind, names })
    }

    /// The subject that is asked for.
    #[must_use]
    pub fn subject(&self) -> &DistinguishedName {
        &self.subject
    }

    /// The alternative names that are asked for, as `DNS:…`, `URI:…`, `IP:…` and `email:…`.
    #[must_use]
    pub fn alternative_names(&self) -> Vec<String> {
        let written = |name: &Name| match name {
            Name::Dns(name) => format!("DNS:{name}"),
            Name::Uri(uri) => format!("URI:{uri}"),
            Name::Ip(address) => format!("IP:{address}"),
            Name::Email(address) => format!("email:{address}"),
        };
        self.names.iter().map(written).collect()
    }

    /// Does it ask for exactly the alternative names of this certificate (RFC 7030 §4.2.2)?
    #[must_use]
    pub fn asks_for_names_of(&self, certificate: &Certificate) -> bool {
        let have = certificate.alternative_names();
        let count = have.dns.len() + have.uri.len() + have.ip.len() + have.email.len();
        // A name that stands there twice would hide that another is missing.
        let distinct =
            self.names.iter().enumerate().all(|(place, name)| !self.names.iter().take(place).any(|n| n == name));
        count == self.names.len()
            && distinct
            && self.names.iter().all(|name| match name {
                Name::Dns(name) => have.dns.contains(name),
                Name::Uri(uri) => have.uri.contains(uri),
                Name::Ip(address) => have.ip.contains(address),
                Name::Email(address) => have.email.contains(address),
            })
    }

    /// The SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        &self.spki
    }

    /// The kind of its key.
    #[must_use]
    pub fn key_kind(&self) -> &KeyKind {
        &self.kind
    }

    /// The request itself, in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The request in PEM.
    #[must_use]
    pub fn to_pem(&self) -> String {
        convert::to_pem("CERTIFICATE REQUEST", &self.der)
    }
}

/// How a request is to be answered.
#[derive(Debug, Clone)]
#[must_use]
pub struct SigningProfile {
    usage: Usage,
    common_name: Option<String>,
    names: bool,
    serial: Option<Serial>,
    crl_uris: Vec<String>,
}

impl SigningProfile {
    /// A leaf for this usage, with subject and alternative names as the request has them.
    pub const fn new(usage: Usage) -> Self {
        Self { usage, common_name: None, names: true, serial: None, crl_uris: Vec::new() }
    }

    /// Puts this CN in place of the request's subject.
    pub fn common_name(mut self, name: &str) -> Self {
        self.common_name = Some(name.to_owned());
        self
    }

    /// Leaves out the alternative names that the request has.
    pub const fn without_alternative_names(mut self) -> Self {
        self.names = false;
        self
    }

    /// Sets the serial number; without it a random one is taken.
    pub const fn serial(mut self, serial: Serial) -> Self {
        self.serial = Some(serial);
        self
    }

    /// Adds a place where the issuer's revocation list is to be found.
    pub fn crl_uri(mut self, uri: &str) -> Self {
        self.crl_uris.push(uri.to_owned());
        self
    }
}

impl CertificateAuthority {
    /// Answers a request with a leaf. What the request says about usage and constraints counts for nothing: the
    /// profile decides.
    ///
    /// # Errors
    /// When a name or the validity cannot be used.
    pub fn sign_request(
        &self,
        request: &SigningRequest,
        profile: &SigningProfile,
        validity: Validity,
    ) -> Result<SignedCertificate, IssueError> {
        let mut params = CertificateParams::default();
        let unsupported = || IssueError::UnsupportedSubject { subject: request.subject.to_string() };
        params.distinguished_name = match &profile.common_name {
            Some(name) => names::common_name(name),
            None => names::distinguished_name(request.subject.der()).ok_or_else(unsupported)?,
        };
        if profile.names {
            params.subject_alt_names = request.names.iter().map(Name::to_san).collect::<Result<_, _>>()?;
        }
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = profile.usage.purposes();
        validity.apply(&mut params)?;
        params.serial_number = Some(profile.serial.map_or_else(Serial::random, Ok)?.number());
        params.use_authority_key_identifier_extension = true;
        if !profile.crl_uris.is_empty() {
            params.crl_distribution_points = vec![rcgen::CrlDistributionPoint { uris: profile.crl_uris.clone() }];
        }
        let leaf = self.sign(&params, &RequestKey::new(request)?)?;
        if profile.common_name.is_none() && leaf.subject() != request.subject() {
            return Err(unsupported());
        }
        if leaf.public_key() != request.public_key() {
            return Err(IssueError::Library("the key of the request cannot be repeated".to_owned()));
        }
        Ok(SignedCertificate::new(leaf, self.chain()))
    }
}

/// A new request and the key that it is for.
#[derive(Debug, Clone)]
pub struct NewRequest {
    request: SigningRequest,
    key: Secret,
}

/// A key in PKCS#8. Not shown.
#[derive(Clone)]
struct Secret {
    pem: Zeroizing<String>,
    der: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(not shown)")
    }
}

impl NewRequest {
    /// Makes a request for what a leaf is to say, with a new key.
    ///
    /// # Errors
    /// When a name cannot be used.
    pub fn new(wanted: &LeafRequest) -> Result<Self, IssueError> {
        Self::sign(wanted, &wanted.kind_of_key().generate()?)
    }

    /// Makes a request for a key that is there already, in PEM (PKCS#8, PKCS#1 or SEC1, not encrypted).
    ///
    /// # Errors
    /// When the key or a name cannot be used.
    pub fn for_key(wanted: &LeafRequest, key_pem: &str) -> Result<Self, IssueError> {
        Self::sign(wanted, &key::from_pem(key_pem)?)
    }

    fn sign(wanted: &LeafRequest, key: &rcgen::KeyPair) -> Result<Self, IssueError> {
        let der = wanted.request_params()?.serialize_request(key)?;
        let request = SigningRequest::from_der(der.der()).map_err(|error| IssueError::Library(error.to_string()))?;
        let key = Secret { pem: Zeroizing::new(key.serialize_pem()), der: Zeroizing::new(key.serialize_der()) };
        Ok(Self { request, key })
    }

    /// The request.
    #[must_use]
    pub fn request(&self) -> &SigningRequest {
        &self.request
    }

    /// The private key, PKCS#8 in PEM.
    #[must_use]
    pub fn key_pem(&self) -> &str {
        &self.key.pem
    }

    /// The private key, PKCS#8 in DER.
    #[must_use]
    pub fn key_pkcs8(&self) -> &[u8] {
        &self.key.der
    }
}

/// The key of a request in the form that the library takes.
struct RequestKey {
    bits: Vec<u8>,
    algorithm: &'static SignatureAlgorithm,
}

impl RequestKey {
    fn new(request: &SigningRequest) -> Result<Self, IssueError> {
        let unusable = || IssueError::Library(format!("a key of the kind {} cannot be written", request.kind));
        let algorithm = match &request.kind {
            KeyKind::Rsa { .. } => &rcgen::PKCS_RSA_SHA256,
            KeyKind::Ec { curve, .. } => match curve.as_str() {
                "P-256" => &rcgen::PKCS_ECDSA_P256_SHA256,
                "P-384" => &rcgen::PKCS_ECDSA_P384_SHA384,
                "P-521" => &rcgen::PKCS_ECDSA_P521_SHA512,
                _ => return Err(unusable()),
            },
            KeyKind::Ed25519 => &rcgen::PKCS_ED25519,
            _ => return Err(unusable()),
        };
        let spki =
            x509_cert::spki::SubjectPublicKeyInfoRef::try_from(request.spki.as_slice()).map_err(|_| unusable())?;
        Ok(Self { bits: spki.subject_public_key.raw_bytes().to_vec(), algorithm })
    }
}

impl PublicKeyData for RequestKey {
    fn der_bytes(&self) -> &[u8] {
        &self.bits
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }
}

/// The extensions that the request asks for (extensionRequest, RFC 2985 §5.4.2).
fn extensions(request: &CertReq) -> Result<Vec<Extension>, x509_cert::der::Error> {
    let mut found = Vec::new();
    for attribute in request.info.attributes.iter() {
        if attribute.oid == <ExtensionReq as x509_cert::der::oid::AssociatedOid>::OID {
            for value in attribute.values.iter() {
                found.extend(value.decode_as::<ExtensionReq>()?.0);
            }
        }
    }
    Ok(found)
}

fn read_extension(extension: &Extension, names: &mut Vec<Name>) -> Result<(), RequestError> {
    let not = |error: x509_cert::der::Error| RequestError::NotARequest(error.to_string());
    let value = extension.extn_value.as_bytes();
    match extension.extn_id.to_string().as_str() {
        "2.5.29.17" => {
            for name in SubjectAltName::from_der(value).map_err(not)?.0 {
                if names.len() >= MAX_REQUESTED_NAMES {
                    return Err(RequestError::TooManyNames);
                }
                names.push(requested_name(name)?);
            }
            Ok(())
        }
        "2.5.29.19" if BasicConstraints::from_der(value).map_err(not)?.ca => Err(RequestError::WantsAuthority),
        _ => Ok(()),
    }
}

fn requested_name(name: GeneralName) -> Result<Name, RequestError> {
    let unsupported = |kind: &str| Err(RequestError::UnsupportedName(kind.to_owned()));
    match name {
        GeneralName::DnsName(name) => Ok(Name::Dns(name.to_string())),
        GeneralName::UniformResourceIdentifier(uri) => Ok(Name::Uri(uri.to_string())),
        GeneralName::Rfc822Name(address) => Ok(Name::Email(address.to_string())),
        GeneralName::IpAddress(octets) => {
            let octets = octets.as_bytes();
            let address = <[u8; 4]>::try_from(octets).map(IpAddr::from);
            match address.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)) {
                Ok(address) => Ok(Name::Ip(address)),
                Err(_) => unsupported("IP address of a wrong length"),
            }
        }
        GeneralName::DirectoryName(_) => unsupported("directory name"),
        GeneralName::OtherName(_) => unsupported("other name"),
        _ => unsupported("registered id or EDI party name"),
    }
}
