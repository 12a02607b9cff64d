//! The rules of OpenSSL 3's `X509_verify_cert`, without partial chains, policies and revocation, in its order.

use super::{Outcome, Purpose, Question, constraints, hosts};
use crate::certificate::Certificate;
use crate::inspect::Signed;
use crate::inspect::details::Details;

/// The security level for which Debian and Ubuntu build OpenSSL.
pub const DEBIAN_SECURITY_LEVEL: u8 = 2;

/// How long a chain may be (X509_VERIFY_PARAM's default depth).
const MAX_DEPTH: usize = 100;

/// Strength in bits that each security level demands.
const LEVELS: [u32; 6] = [0, 80, 112, 128, 192, 256];

struct Step<'a> {
    certificate: &'a Certificate,
    details: Details,
}

impl<'a> Step<'a> {
    fn new(certificate: &'a Certificate) -> Result<Self, Outcome> {
        match Details::of(certificate) {
            Some(details) => Ok(Self { certificate, details }),
            None => Err(refused(certificate, 13, "it cannot be read")),
        }
    }

    /// X509_check_ca: may it be an issuer at all?
    fn check_ca(&self) -> bool {
        let certificate = self.certificate;
        match self.details.usages {
            Some(usages) if !usages.key_cert_sign => false,
            _ if self.details.has_basic_constraints => certificate.is_ca(),
            // Certificates from before basic constraints: an X.509 v1 root, or one that says keyCertSign.
            Some(_) => true,
            None => self.details.version == 1 && certificate.is_self_issued(),
        }
    }
}

pub(super) fn judge(question: &Question<'_>) -> Outcome {
    match verify(question) {
        Ok(()) => Outcome::Accepted,
        Err(refused) => refused,
    }
}

fn verify(question: &Question<'_>) -> Result<(), Outcome> {
    let wanted = LEVELS.get(usize::from(question.security_level)).or(LEVELS.last()).copied().unwrap_or(0);
    let leaf = Step::new(question.leaf)?;
    if leaf.details.key.security_bits() < wanted {
        return Err(refused(question.leaf, 66, "end-entity key too weak"));
    }
    let chain = build(question, leaf)?;
    check_extensions(question, &chain)?;
    check_levels(&chain, wanted)?;
    if let Some(host) = question.host
        && question.purpose == Purpose::Server
    {
        hosts::check(question.leaf, host)?;
    }
    check_signatures_and_times(&chain, question.now)?;
    constraints::check(chain.iter().map(|step| (step.certificate, &step.details)))
}

/// Follows issuers, those that are trusted first, until one that signed itself is trusted.
fn build<'a>(question: &Question<'a>, leaf: Step<'a>) -> Result<Vec<Step<'a>>, Outcome> {
    let mut chain = vec![leaf];
    let mut trusted = 0;
    loop {
        let last = match chain.last() {
            Some(step) => step.certificate,
            None => return Ok(chain),
        };
        let self_signed = last.is_self_issued() && last.names_as_issuer(last);
        if self_signed {
            if question.anchors.contains(last) {
                return Ok(chain);
            }
            return Err(match chain.len() {
                1 => refused(last, 18, "self-signed certificate"),
                _ => refused(last, 19, "self-signed certificate in certificate chain"),
            });
        }
        let in_chain = |candidate: &Certificate| chain.iter().any(|step| step.certificate == candidate);
        let from_store = find(last, question.anchors, question.now, in_chain);
        let found = match from_store {
            Some(_) => from_store,
            // Once an issuer was found among those that are trusted, what the peer sent is not looked at again.
            None if trusted == 0 => find(last, question.intermediates, question.now, in_chain),
            None => None,
        };
        trusted += usize::from(from_store.is_some());
        let Some(issuer) = found else {
            return Err(match trusted {
                0 => refused(last, 20, "unable to get local issuer certificate"),
                _ => refused(last, 2, "unable to get issuer certificate"),
            });
        };
        if chain.len() > MAX_DEPTH {
            return Err(refused(last, 22, "certificate chain too long"));
        }
        chain.push(Step::new(issuer)?);
    }
}

/// The issuer of that name and key identifier that may sign certificates; of several, one that is valid now.
fn find<'a>(
    certificate: &Certificate,
    among: &'a [Certificate],
    now: u64,
    in_chain: impl Fn(&Certificate) -> bool,
) -> Option<&'a Certificate> {
    let may_sign = |candidate: &Certificate| {
        Details::of(candidate).and_then(|details| details.usages).is_none_or(|usages| usages.key_cert_sign)
    };
    let fits = |candidate: &&Certificate| {
        certificate.names_as_issuer(candidate) && may_sign(candidate) && !in_chain(candidate)
    };
    let valid = |candidate: &&Certificate| (candidate.not_before()..=candidate.not_after()).contains(&now);
    among.iter().filter(fits).find(valid).or_else(|| among.iter().find(fits))
}

fn check_extensions(question: &Question<'_>, chain: &[Step<'_>]) -> Result<(), Outcome> {
    let mut below = 0;
    for (depth, step) in chain.iter().enumerate() {
        let certificate = step.certificate;
        if step.details.unknown_critical.is_some() {
            return Err(refused(certificate, 34, "unhandled critical extension"));
        }
        if depth > 0 && !step.check_ca() {
            return Err(refused(certificate, 79, "invalid CA certificate"));
        }
        if !fits_purpose(step, question.purpose, depth > 0) {
            return Err(refused(certificate, 26, "unsuitable certificate purpose"));
        }
        if depth > 0 && step.details.path_length.is_some_and(|allowed| below > usize::from(allowed)) {
            return Err(refused(certificate, 25, "path length constraint exceeded"));
        }
        if depth > 0 && !certificate.is_self_issued() {
            below += 1;
        }
    }
    Ok(())
}

/// X509_check_purpose for `sslclient` and `sslserver`: the extended key usage of every certificate on the path, and
/// the key usage of the leaf.
fn fits_purpose(step: &Step<'_>, purpose: Purpose, is_issuer: bool) -> bool {
    let extended = match purpose {
        Purpose::Client => step.certificate.allows_client_auth(),
        Purpose::Server => step.certificate.allows_server_auth(),
    };
    let usage = || {
        step.details.usages.is_none_or(|usages| match purpose {
            Purpose::Client => usages.digital_signature || usages.key_agreement,
            Purpose::Server => usages.digital_signature || usages.key_encipherment || usages.key_agreement,
        })
    };
    extended && (is_issuer || usage())
}

fn check_levels(chain: &[Step<'_>], wanted: u32) -> Result<(), Outcome> {
    for (depth, step) in chain.iter().enumerate() {
        if depth > 0 && step.details.key.security_bits() < wanted {
            return Err(refused(step.certificate, 67, "CA key too weak"));
        }
        if depth + 1 < chain.len() && step.details.signature.security_bits() < wanted {
            return Err(refused(step.certificate, 68, "CA signature digest algorithm too weak"));
        }
    }
    Ok(())
}

/// From the root downwards: each signature, then each validity.
fn check_signatures_and_times(chain: &[Step<'_>], now: u64) -> Result<(), Outcome> {
    let mut issuer: Option<&Certificate> = None;
    for step in chain.iter().rev() {
        let certificate = step.certificate;
        if let Some(issuer) = issuer
            && Signed::split(certificate.der()).and_then(|signed| signed.is_by(issuer.public_key())) == Some(false)
        {
            return Err(refused(certificate, 7, "certificate signature failure"));
        }
        if now < certificate.not_before() {
            return Err(refused(certificate, 9, "certificate is not yet valid"));
        }
        if now > certificate.not_after() {
            return Err(refused(certificate, 10, "certificate has expired"));
        }
        issuer = Some(certificate);
    }
    Ok(())
}

pub(super) fn refused(certificate: &Certificate, code: u16, rule: &str) -> Outcome {
    Outcome::Refused { code: Some(code), rule: rule.to_owned(), subject: certificate.subject().to_string() }
}
