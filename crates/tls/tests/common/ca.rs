//! Certificates with any fault, made by rcgen directly.
#![allow(dead_code, missing_docs, clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use gridmq_tls::{Certificate, Identity};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
};

use super::now;

/// An authority that issues whatever it is told to.
pub(crate) struct Ca {
    pub(crate) certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A leaf with the chain that is to be sent with it.
pub(crate) struct Leaf {
    pub(crate) chain: Vec<Certificate>,
    pub(crate) key: String,
}

impl Leaf {
    pub(crate) fn ders(&self) -> Vec<Vec<u8>> {
        self.chain.iter().map(|certificate| certificate.der().to_vec()).collect()
    }

    pub(crate) fn identity(&self) -> Identity {
        Identity::from_pem(gridmq_tls::pem::encode(&self.chain).as_bytes(), self.key.as_bytes()).unwrap()
    }

    pub(crate) fn alone(mut self) -> Self {
        self.chain.truncate(1);
        self
    }
}

pub(crate) fn at(params: &mut CertificateParams, from: u64, to: u64) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_secs(from);
    params.not_after = epoch + Duration::from_secs(to);
}

pub(crate) fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.use_authority_key_identifier_extension = true;
    at(&mut params, now() - 3_600, now() + 86_400);
    params
}

pub(crate) fn ca_params(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

pub(crate) fn leaf_params(name: &str, usage: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let base = named(name);
    params.distinguished_name = base.distinguished_name;
    params.not_before = base.not_before;
    params.not_after = base.not_after;
    params.use_authority_key_identifier_extension = true;
    params.extended_key_usages = vec![usage];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params
}

pub(crate) fn client_params(name: &str) -> CertificateParams {
    leaf_params(name, ExtendedKeyUsagePurpose::ClientAuth)
}

pub(crate) fn server_params(name: &str) -> CertificateParams {
    leaf_params(name, ExtendedKeyUsagePurpose::ServerAuth)
}

fn key() -> KeyPair {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap()
}

impl Ca {
    /// An authority made of a leaf: with its key it signs what it may not.
    pub(crate) fn of_leaf(certificate: Certificate, params: CertificateParams, key: &str) -> Self {
        Self { certificate, issuer: Issuer::new(params, KeyPair::from_pem(key).unwrap()) }
    }

    pub(crate) fn root(name: &str) -> Self {
        Self::self_signed(ca_params(name))
    }

    pub(crate) fn self_signed(params: CertificateParams) -> Self {
        let key = key();
        let certificate = Certificate::from_der(params.self_signed(&key).unwrap().der()).unwrap();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn issue_ca(&self, params: CertificateParams) -> Self {
        let key = key();
        let certificate = Certificate::from_der(params.signed_by(&key, &self.issuer).unwrap().der()).unwrap();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// A certificate of this authority about the key of another.
    pub(crate) fn certify(&self, params: CertificateParams, subject: &Self) -> Certificate {
        Certificate::from_der(params.signed_by(subject.issuer.key(), &self.issuer).unwrap().der()).unwrap()
    }

    pub(crate) fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// The same authority with other dates.
    pub(crate) fn renewed(&self, mut params: CertificateParams) -> Certificate {
        params.use_authority_key_identifier_extension = false;
        Certificate::from_der(params.self_signed(self.issuer.key()).unwrap().der()).unwrap()
    }

    pub(crate) fn issue(&self, params: &CertificateParams, above: &[&Self]) -> Leaf {
        let key = key();
        let leaf = Certificate::from_der(params.signed_by(&key, &self.issuer).unwrap().der()).unwrap();
        let above = above.iter().map(|ca| ca.certificate.clone());
        Leaf { chain: std::iter::once(leaf).chain(above).collect(), key: key.serialize_pem() }
    }

    /// A list that names these certificates and is due again at `next`; it was made two hours before.
    pub(crate) fn crl(&self, revoked: &[&Certificate], next: u64) -> rcgen::CertificateRevocationList {
        self.crl_of(revoked, next - 7_200, next)
    }

    /// A list that was made at `this` and is due again at `next`.
    pub(crate) fn crl_of(&self, revoked: &[&Certificate], this: u64, next: u64) -> rcgen::CertificateRevocationList {
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        let bytes = |serial: &str| -> Vec<u8> {
            let digits = serial.as_bytes().chunks(2);
            digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
        };
        CertificateRevocationListParams {
            this_update: epoch + Duration::from_secs(this),
            next_update: epoch + Duration::from_secs(next),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: revoked
                .iter()
                .map(|certificate| RevokedCertParams {
                    serial_number: SerialNumber::from_slice(&bytes(certificate.serial())),
                    revocation_time: epoch + Duration::from_secs(this),
                    reason_code: None,
                    invalidity_date: None,
                })
                .collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        }
        .signed_by(&self.issuer)
        .unwrap()
    }
}
