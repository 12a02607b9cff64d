//! rustls' own verifier.

use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage};

use super::{Outcome, Purpose, Question};
use crate::keys::KeyKind;
use crate::provider::provider;

pub(super) fn judge(question: &Question<'_>) -> Outcome {
    match verify(question) {
        Ok(()) => Outcome::Accepted,
        Err(rule) => Outcome::Refused { code: None, rule, subject: question.leaf.subject().to_string() },
    }
}

fn verify(question: &Question<'_>) -> Result<(), String> {
    let leaf = CertificateDer::from(question.leaf.der());
    let leaf = EndEntityCert::try_from(&leaf).map_err(|error| words(&error))?;
    let ders: Vec<CertificateDer<'_>> =
        question.anchors.iter().map(|anchor| CertificateDer::from(anchor.der())).collect();
    // What the verifier cannot use as an anchor it leaves out.
    let anchors: Vec<_> = ders.iter().filter_map(|der| webpki::anchor_from_trusted_cert(der).ok()).collect();
    let intermediates: Vec<CertificateDer<'_>> =
        question.intermediates.iter().map(|one| CertificateDer::from(one.der())).collect();
    let usage = match question.purpose {
        Purpose::Client => KeyUsage::client_auth(),
        Purpose::Server => KeyUsage::server_auth(),
    };
    leaf.verify_for_usage(
        provider().signature_verification_algorithms.all,
        &anchors,
        &intermediates,
        UnixTime::since_unix_epoch(Duration::from_secs(question.now)),
        usage,
        None,
        None,
    )
    .map_err(|error| words(&error))?;
    if let (Purpose::Server, Some(host)) = (question.purpose, question.host) {
        let name = ServerName::try_from(host).map_err(|_| format!("{host:?} is no host name"))?;
        leaf.verify_is_valid_for_subject_name(&name).map_err(|error| words(&error))?;
    }
    // The path never looks at the leaf's key; the signature in the handshake does.
    let key = KeyKind::of(question.leaf.public_key());
    if key.is_usable() { Ok(()) } else { Err(format!("a key of the kind {key} cannot sign the handshake")) }
}

fn words(error: &Error) -> String {
    match error {
        Error::CaUsedAsEndEntity => "a CA certificate cannot be used as a leaf".to_owned(),
        Error::UnknownIssuer => "no trusted certificate issued it".to_owned(),
        Error::CertExpired { .. } => "a certificate has expired".to_owned(),
        Error::CertNotValidYet { .. } => "a certificate is not yet valid".to_owned(),
        Error::CertNotValidForName(_) => "it is not valid for the name; the common name does not count".to_owned(),
        Error::RequiredEkuNotFoundContext(_) => "the extended key usage does not allow it".to_owned(),
        Error::EndEntityUsedAsCa => "an issuer is not a CA".to_owned(),
        Error::PathLenConstraintViolated => "a path length constraint is exceeded".to_owned(),
        Error::NameConstraintViolation => "a name constraint is violated".to_owned(),
        Error::InvalidSignatureForPublicKey => "a signature is wrong".to_owned(),
        Error::UnsupportedCriticalExtension => "an extension is critical and not known".to_owned(),
        Error::UnsupportedCertVersion => "it is not X.509 version 3".to_owned(),
        Error::UnsupportedSignatureAlgorithmContext(_) | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            "a signature is of a kind that is not supported".to_owned()
        }
        other => format!("{other:?}"),
    }
}
