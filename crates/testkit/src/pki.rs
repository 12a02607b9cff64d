//! Certificates of every kind that a connection can fail on, made by code at the time of the test.
//!
//! A [`Template`] says what a certificate says; an [`Entity`] is a certificate with its key and what is above it, and
//! issues others. What this library cannot make (SHA-1, RSA with 1024 bits, curves that TLS here does not have, files
//! of old programs) lies ready in [`data`].

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, NameConstraints,
    RevocationReason, RevokedCertParams, RsaKeySize, SanType, SerialNumber,
};

use crate::authority::unix_now;

pub mod data;

const DAY: i64 = 86_400;

static NEXT_SERIAL: AtomicU64 = AtomicU64::new(1);

/// The kind of a new key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyKind {
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// ECDSA on P-521.
    P521,
    /// Ed25519.
    Ed25519,
    /// RSA with 2048 bits.
    Rsa2048,
    /// RSA with 3072 bits.
    Rsa3072,
    /// RSA with 4096 bits.
    Rsa4096,
}

impl KeyKind {
    fn generate(self) -> KeyPair {
        let rsa = |size| KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size);
        match self {
            Self::P256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
            Self::P384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
            Self::P521 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512),
            Self::Ed25519 => KeyPair::generate_for(&rcgen::PKCS_ED25519),
            Self::Rsa2048 => rsa(RsaKeySize::_2048),
            Self::Rsa3072 => rsa(RsaKeySize::_3072),
            Self::Rsa4096 => rsa(RsaKeySize::_4096),
        }
        .expect("a key")
    }
}

/// What a certificate is to say.
#[derive(Debug, Clone)]
#[must_use]
pub struct Template {
    common_name: Option<String>,
    organisation: Option<String>,
    names: Vec<SanType>,
    usages: Vec<ExtendedKeyUsagePurpose>,
    key_usages: Vec<KeyUsagePurpose>,
    is_ca: IsCa,
    from: i64,
    to: i64,
    key: KeyKind,
    permitted: Option<String>,
    serial: Option<Vec<u8>>,
    key_identifiers: bool,
}

impl Template {
    fn new(common_name: &str) -> Self {
        Self {
            common_name: Some(common_name.to_owned()),
            organisation: None,
            names: Vec::new(),
            usages: Vec::new(),
            key_usages: vec![KeyUsagePurpose::DigitalSignature],
            is_ca: IsCa::ExplicitNoCa,
            from: -1,
            to: 90,
            key: KeyKind::P256,
            permitted: None,
            serial: None,
            key_identifiers: true,
        }
    }

    /// A client: this CN, `clientAuth`, `digitalSignature`, 90 days.
    pub fn client(common_name: &str) -> Self {
        Self::new(common_name).usages(&[ExtendedKeyUsagePurpose::ClientAuth])
    }

    /// A server: these DNS names and addresses, `serverAuth`, 90 days.
    pub fn server(names: &[&str]) -> Self {
        let template = Self::new(names.first().copied().unwrap_or("server"));
        let template = template.usages(&[ExtendedKeyUsagePurpose::ServerAuth]);
        names.iter().fold(template, |template, name| match name.parse::<IpAddr>() {
            Ok(address) => template.ip(address),
            Err(_) => template.dns(name),
        })
    }

    /// An authority for ten years.
    pub fn authority(common_name: &str) -> Self {
        let key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self { key_usages, is_ca: IsCa::Ca(BasicConstraints::Unconstrained), to: 3650, ..Self::new(common_name) }
    }

    /// Says CA:TRUE.
    pub fn ca(mut self) -> Self {
        self.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        self
    }

    /// Leaves basic constraints out.
    pub fn without_basic_constraints(mut self) -> Self {
        self.is_ca = IsCa::NoCa;
        self
    }

    /// Sets the organisation.
    pub fn organisation(mut self, name: &str) -> Self {
        self.organisation = Some(name.to_owned());
        self
    }

    /// Leaves the CN out.
    pub fn without_common_name(mut self) -> Self {
        self.common_name = None;
        self
    }

    /// Adds a `dNSName`.
    pub fn dns(mut self, name: &str) -> Self {
        self.names.push(SanType::DnsName(ascii(name)));
        self
    }

    /// Adds an `iPAddress`.
    pub fn ip(mut self, address: IpAddr) -> Self {
        self.names.push(SanType::IpAddress(address));
        self
    }

    /// Adds an `rfc822Name`.
    pub fn email(mut self, address: &str) -> Self {
        self.names.push(SanType::Rfc822Name(ascii(address)));
        self
    }

    /// Adds a `uniformResourceIdentifier`.
    pub fn uri(mut self, uri: &str) -> Self {
        self.names.push(SanType::URI(ascii(uri)));
        self
    }

    /// Removes all alternative names.
    pub fn without_names(mut self) -> Self {
        self.names.clear();
        self
    }

    /// Sets the extended key usages; empty leaves the extension out.
    pub fn usages(mut self, usages: &[ExtendedKeyUsagePurpose]) -> Self {
        self.usages = usages.to_vec();
        self
    }

    /// `serverAuth` alone.
    pub fn for_servers(self) -> Self {
        self.usages(&[ExtendedKeyUsagePurpose::ServerAuth])
    }

    /// `clientAuth` alone.
    pub fn for_clients(self) -> Self {
        self.usages(&[ExtendedKeyUsagePurpose::ClientAuth])
    }

    /// No extended key usage.
    pub fn for_anything(self) -> Self {
        self.usages(&[])
    }

    /// `keyEncipherment` in place of `digitalSignature`.
    pub fn without_digital_signature(mut self) -> Self {
        self.key_usages = vec![KeyUsagePurpose::KeyEncipherment];
        self
    }

    /// Valid from so many days after now to so many days after now.
    pub fn valid(mut self, from_days: i64, to_days: i64) -> Self {
        self.from = from_days;
        self.to = to_days;
        self
    }

    /// Sets the kind of the key.
    pub fn key(mut self, key: KeyKind) -> Self {
        self.key = key;
        self
    }

    /// An authority for this DNS domain only.
    pub fn permitted(mut self, domain: &str) -> Self {
        self.permitted = Some(domain.to_owned());
        self
    }

    /// Sets the serial number's bytes.
    pub fn serial(mut self, bytes: &[u8]) -> Self {
        self.serial = Some(bytes.to_vec());
        self
    }

    /// Leaves the key identifiers out.
    pub fn without_key_identifiers(mut self) -> Self {
        self.key_identifiers = false;
        self
    }

    fn params(&self) -> CertificateParams {
        let mut params = CertificateParams::default();
        let (now, epoch) = (unix_now().cast_signed(), rcgen::date_time_ymd(1970, 1, 1));
        let at = |days: i64| epoch + Duration::from_secs((now + days * DAY).cast_unsigned());
        params.not_before = at(self.from);
        // A little more than whole days, so that the count of days does not change during a test.
        params.not_after = at(self.to) + Duration::from_secs(3600);
        params.distinguished_name = DistinguishedName::new();
        if let Some(name) = &self.organisation {
            params.distinguished_name.push(DnType::OrganizationName, name.as_str());
        }
        if let Some(name) = &self.common_name {
            params.distinguished_name.push(DnType::CommonName, name.as_str());
        }
        params.subject_alt_names.clone_from(&self.names);
        params.extended_key_usages.clone_from(&self.usages);
        params.key_usages.clone_from(&self.key_usages);
        params.is_ca = self.is_ca;
        params.serial_number = Some(match &self.serial {
            Some(bytes) => SerialNumber::from_slice(bytes),
            None => SerialNumber::from(unix_now() << 20 | NEXT_SERIAL.fetch_add(1, Ordering::Relaxed)),
        });
        params.use_authority_key_identifier_extension = self.key_identifiers;
        params.name_constraints = self.permitted.as_ref().map(|domain| NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName(domain.clone())],
            excluded_subtrees: Vec::new(),
        });
        params
    }

    /// Signed by its own key.
    #[must_use]
    pub fn self_signed(&self) -> Entity {
        let key = self.key.generate();
        let mut params = self.params();
        params.use_authority_key_identifier_extension = false;
        let der = params.self_signed(&key).expect("a certificate").der().to_vec();
        Entity { der, key: Arc::new(key), params, above: Vec::new() }
    }
}

fn ascii(text: &str) -> Ia5String {
    Ia5String::try_from(text).expect("ASCII")
}

/// A certificate, its key, and the certificates above it.
#[derive(Clone)]
pub struct Entity {
    der: Vec<u8>,
    key: Arc<KeyPair>,
    params: CertificateParams,
    /// Issuer first, root last; empty for a self-signed one.
    above: Vec<Vec<u8>>,
}

impl std::fmt::Debug for Entity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entity").field("params", &self.params).finish_non_exhaustive()
    }
}

impl Entity {
    /// Issues what the template says.
    #[must_use]
    pub fn issue(&self, template: &Template) -> Self {
        self.issue_for(template, Arc::new(template.key.generate()))
    }

    /// Issues what the template says for the key of another.
    #[must_use]
    pub fn issue_with_key_of(&self, template: &Template, other: &Self) -> Self {
        self.issue_for(template, Arc::clone(&other.key))
    }

    fn issue_for(&self, template: &Template, key: Arc<KeyPair>) -> Self {
        let params = template.params();
        let issuer = Issuer::from_params(&self.params, &*self.key);
        let der = params.signed_by(&*key, &issuer).expect("a certificate").der().to_vec();
        let above = std::iter::once(self.der.clone()).chain(self.above.iter().cloned()).collect();
        Self { der, key, params, above }
    }

    /// The certificate.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The certificate.
    #[must_use]
    pub fn pem(&self) -> String {
        pem("CERTIFICATE", &self.der)
    }

    /// The key, PKCS#8.
    #[must_use]
    pub fn key_der(&self) -> Vec<u8> {
        self.key.serialize_der()
    }

    /// The key, PKCS#8.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// The public key.
    #[must_use]
    pub fn public_key_pem(&self) -> String {
        self.key.public_key_pem()
    }

    /// A certificate request with this key and subject.
    #[must_use]
    pub fn request_pem(&self) -> String {
        let mut params = self.params.clone();
        params.use_authority_key_identifier_extension = false;
        params.serial_number = None;
        params.is_ca = IsCa::NoCa;
        params.serialize_request(&*self.key).expect("a request").pem().expect("PEM")
    }

    /// This certificate and those above it without the root.
    #[must_use]
    pub fn chain_pem(&self) -> String {
        self.chain_der().iter().map(|der| pem("CERTIFICATE", der)).collect()
    }

    /// This certificate and those above it without the root.
    #[must_use]
    pub fn chain_der(&self) -> Vec<Vec<u8>> {
        let intermediates = self.above.iter().take(self.above.len().saturating_sub(1));
        std::iter::once(&self.der).chain(intermediates).cloned().collect()
    }

    /// This certificate and all above it.
    #[must_use]
    pub fn full_chain_pem(&self) -> String {
        std::iter::once(&self.der).chain(&self.above).map(|der| pem("CERTIFICATE", der)).collect()
    }

    /// The certificate's SHA-256 thumbprint by this repository's own reading, upper case.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        gridmq_tls::Certificate::from_der(&self.der).expect("a certificate").thumbprint_sha256().to_uppercase()
    }

    /// The identity that a TLS server or client proves with this chain.
    #[must_use]
    pub fn identity(&self) -> gridmq_tls::Identity {
        gridmq_tls::Identity::from_pem(self.chain_pem().as_bytes(), self.key_pem().as_bytes()).expect("an identity")
    }

    /// An identity that sends this chain, which the caller may have spoilt.
    #[must_use]
    pub fn identity_with(&self, chain_pem: &str) -> gridmq_tls::Identity {
        gridmq_tls::Identity::from_pem(chain_pem.as_bytes(), self.key_pem().as_bytes()).expect("an identity")
    }

    /// A revocation list of what this authority issued, from `from_days` to `to_days` after now.
    #[must_use]
    pub fn revocation_list(&self, revoked: &[&Self], from_days: i64, to_days: i64) -> String {
        let (now, epoch) = (unix_now().cast_signed(), rcgen::date_time_ymd(1970, 1, 1));
        let at = |days: i64| epoch + Duration::from_secs((now + days * DAY).cast_unsigned());
        let revoked_certs = revoked.iter().map(|entity| RevokedCertParams {
            serial_number: entity.serial_number(),
            revocation_time: at(from_days),
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: at(from_days),
            next_update: at(to_days),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let issuer = Issuer::from_params(&self.params, &*self.key);
        params.signed_by(&issuer).expect("a revocation list").pem().expect("PEM")
    }

    fn serial_number(&self) -> SerialNumber {
        self.params.serial_number.clone().expect("every template has one")
    }
}

/// Any PEM section.
#[must_use]
pub fn pem(label: &str, der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in der.chunks(48) {
        for group in line.chunks(3) {
            let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            for at in 0..4 {
                let digit = ALPHABET[(bits >> (18 - 6 * at) & 63) as usize];
                text.push(if at <= group.len() as u32 { char::from(digit) } else { '=' });
            }
        }
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}

/// Root, intermediate, a second root, a client and a server: what most fixtures begin with.
#[derive(Debug, Clone)]
pub struct Pki {
    /// The root that is trusted.
    pub root: Entity,
    /// The authority under it that issues.
    pub intermediate: Entity,
    /// A root that nobody trusts.
    pub other_root: Entity,
    /// `CN=device1`, in order.
    pub client: Entity,
    /// `localhost`, `127.0.0.1` and `::1`, in order.
    pub server: Entity,
}

/// The names of the server in [`Pki`].
pub const SERVER_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

impl Default for Pki {
    fn default() -> Self {
        Self::new(KeyKind::P256)
    }
}

impl Pki {
    /// A new one, with keys of that kind.
    #[must_use]
    pub fn new(key: KeyKind) -> Self {
        let root = Template::authority("Fixture Root").key(key).self_signed();
        let intermediate = root.issue(&Template::authority("Fixture Intermediate").key(key));
        let other_root = Template::authority("Other Root").key(key).self_signed();
        let client = intermediate.issue(&Template::client("device1").key(key));
        let server = intermediate.issue(&Template::server(&SERVER_NAMES).key(key));
        Self { root, intermediate, other_root, client, server }
    }
}
