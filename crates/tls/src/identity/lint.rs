//! Rules of RFC 5280 that matter between the certificates people make and the peers that check them.

use x509_cert::der::Decode;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{AuthorityInfoAccessSyntax, BasicConstraints, KeyUsage};

use crate::catalogue::{Finding, Id, Severity};
use crate::certificate::Certificate;

const ANY_EXTENDED_KEY_USAGE: &str = "2.5.29.37.0";
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const CA_ISSUERS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.2");
/// Extensions that path validation here and in OpenSSL knows, when they are critical.
const KNOWN: &[&str] = &[
    "2.5.29.14",
    "2.5.29.15",
    "2.5.29.17",
    "2.5.29.19",
    "2.5.29.30",
    "2.5.29.31",
    "2.5.29.32",
    "2.5.29.35",
    "2.5.29.36",
    "2.5.29.37",
    "2.5.29.54",
    "1.3.6.1.5.5.7.1.1",
    "1.3.6.1.5.5.7.1.24",
];

/// What the parsed view does not carry.
#[derive(Debug, Default)]
pub(super) struct Extra {
    pub(super) key_usage: Option<Usage>,
    pub(super) any_usage: bool,
    pub(super) path_length: Option<u8>,
    pub(super) issuer_url: Option<String>,
    /// The name of a signature algorithm that is refused.
    pub(super) weak_signature: Option<&'static str>,
    /// Breaches that only the raw certificate shows.
    breaches: Vec<Breach>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    pub(super) digital_signature: bool,
    certificate_sign: bool,
}

/// Severity, what is so, and what to do.
type Breach = (Severity, String, &'static str);

impl Extra {
    pub(super) fn of(certificate: &Certificate) -> Self {
        let mut extra = Self::default();
        let usages = certificate.extended_key_usage().unwrap_or_default();
        extra.any_usage = usages.iter().any(|usage| usage == ANY_EXTENDED_KEY_USAGE);
        // It was parsed before, so that this does not fail.
        let Ok(parsed) = x509_cert::Certificate::from_der(certificate.der()) else { return extra };
        let tbs = parsed.tbs_certificate();
        extra.weak_signature = weak(&parsed.signature_algorithm().oid);
        if let Ok(Some((_, usage))) = tbs.get_extension::<KeyUsage>() {
            extra.key_usage =
                Some(Usage { digital_signature: usage.digital_signature(), certificate_sign: usage.key_cert_sign() });
        }
        if let Ok(Some((critical, constraints))) = tbs.get_extension::<BasicConstraints>() {
            extra.path_length = constraints.path_len_constraint;
            if constraints.ca && !critical {
                extra.breach(
                    Severity::Info,
                    "the basic constraints of a CA are not critical",
                    "have it issued with critical ones",
                );
            }
        }
        if let Ok(Some((_, access))) = tbs.get_extension::<AuthorityInfoAccessSyntax>() {
            extra.issuer_url = access.0.iter().find(|access| access.access_method == CA_ISSUERS).and_then(|access| {
                match &access.access_location {
                    GeneralName::UniformResourceIdentifier(url) => Some(url.as_str().escape_default().to_string()),
                    _ => None,
                }
            });
        }
        if parsed.signature_algorithm() != tbs.signature() {
            extra.breach(
                Severity::Error,
                "the signature algorithm within and without the signed part differ (§4.1.1.2)",
                "have it issued again",
            );
        }
        extra.look_at_serial(tbs.serial_number().as_bytes());
        extra.look_at_extensions(tbs);
        if tbs.subject().is_empty() && certificate.alternative_names().is_empty() {
            extra.breach(
                Severity::Warning,
                "it names nobody, neither in the subject nor beside it (§4.1.2.6)",
                "have it issued with a name",
            );
        }
        extra
    }

    fn breach(&mut self, severity: Severity, what: impl Into<String>, fix: &'static str) {
        self.breaches.push((severity, what.into(), fix));
    }

    fn look_at_serial(&mut self, serial: &[u8]) {
        match serial {
            [0x80..=0xff, ..] => {
                self.breach(Severity::Warning, "its serial number is negative (§4.1.2.2)", "have it issued again")
            }
            _ if serial.iter().all(|octet| *octet == 0) => {
                self.breach(
                    Severity::Warning,
                    "its serial number is zero (§4.1.2.2)",
                    "have it issued with a positive one",
                );
            }
            _ if serial.len() > 21 => {
                self.breach(
                    Severity::Warning,
                    "its serial number has more than 20 octets (§4.1.2.2)",
                    "have it issued again",
                );
            }
            _ => {}
        }
    }

    fn look_at_extensions(&mut self, tbs: &x509_cert::TbsCertificate) {
        let Some(extensions) = tbs.extensions() else {
            if tbs.version() == x509_cert::Version::V1 {
                self.breach(
                    Severity::Warning,
                    "it is of version 1, which rustls and others refuse in a chain",
                    "have it issued with version 3",
                );
            }
            return;
        };
        if tbs.version() != x509_cert::Version::V3 {
            self.breach(
                Severity::Warning,
                "it has extensions and is not of version 3 (§4.1.2.1)",
                "have it issued again",
            );
        }
        let mut seen: Vec<&ObjectIdentifier> = Vec::new();
        for extension in extensions.iter().take(256) {
            if seen.contains(&&extension.extn_id) {
                self.breach(
                    Severity::Error,
                    format!("the extension {} stands in it twice (§4.2)", extension.extn_id),
                    "have it issued again",
                );
            }
            seen.push(&extension.extn_id);
            if extension.critical && !KNOWN.contains(&extension.extn_id.to_string().as_str()) {
                self.breach(
                    Severity::Warning,
                    format!(
                        "the extension {} is critical and not widely known, so that peers refuse it",
                        extension.extn_id
                    ),
                    "have it issued without, or not critical",
                );
            }
        }
        if !seen.contains(&&BASIC_CONSTRAINTS) && self.key_usage.is_some_and(|usage| usage.certificate_sign) {
            self.breach(
                Severity::Warning,
                "its key usage says that it signs certificates, and basic constraints are missing (§4.2.1.9)",
                "have it issued with basic constraints",
            );
        }
    }
}

/// Signature algorithms with MD2, MD5 or SHA-1.
fn weak(algorithm: &ObjectIdentifier) -> Option<&'static str> {
    match algorithm.to_string().as_str() {
        "1.2.840.113549.1.1.2" => Some("MD2"),
        "1.2.840.113549.1.1.4" => Some("MD5"),
        "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" | "1.2.840.10045.4.1" | "1.2.840.10040.4.3" => Some("SHA-1"),
        _ => None,
    }
}

/// `issues` says that others in the chain are its issue, and that it is judged as a CA.
pub(super) fn lints(certificate: &Certificate, extra: &Extra, issues: bool) -> Vec<Finding> {
    let mut breaches = extra.breaches.clone();
    let mut breach = |severity, what: &str, fix| breaches.push((severity, what.to_owned(), fix));
    if certificate.not_before() > certificate.not_after() {
        breach(Severity::Error, "its validity ends before it begins (§4.1.2.5)", "have it issued again");
    }
    if issues && certificate.is_ca() {
        if certificate.subject_key_id().is_none() {
            breach(
                Severity::Info,
                "it is a CA's and has no subject key identifier (§4.2.1.2)",
                "have it issued with one",
            );
        }
        if extra.key_usage.is_some_and(|usage| !usage.certificate_sign) {
            breach(
                Severity::Error,
                "it is a CA's and its key usage does not let it sign certificates (§4.2.1.3)",
                "have it issued with keyCertSign",
            );
        }
    } else if !certificate.is_ca() && extra.key_usage.is_some_and(|usage| usage.certificate_sign) {
        breach(
            Severity::Warning,
            "it is no CA's and its key usage says keyCertSign (§4.2.1.3)",
            "have it issued without",
        );
    }
    if !certificate.is_self_issued() && certificate.authority_key_id().is_none() {
        breach(
            Severity::Info,
            "it does not say by which key it was signed (no authority key identifier, §4.2.1.1)",
            "have it issued with one",
        );
    }
    breaches
        .into_iter()
        .map(|(severity, what, fix)| Finding::new(Id::B17, severity, certificate.subject().to_string(), what, fix))
        .collect()
}
