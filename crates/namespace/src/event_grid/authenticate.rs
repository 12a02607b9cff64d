//! Who a client is, and what proves it.

use std::net::IpAddr;

use gridmq_proto::time::Wall;
use gridmq_tls::{Anchors, Certificate, PresentedPeer, Thumbprint, VerifiedBy, VerifiedPeer, VerifyError};

use crate::fold::same;
use crate::gate::{CertificateName, Refusal, RefusalKind, Transport};
use crate::policy::Policy;
use crate::principal::{AuthenticatedBy, NameSource, Principal, PrincipalKind};
use crate::resource::{AlternativeNameSource, Client, ClientState, ValidationScheme};

/// What a client claims and shows.
#[derive(Clone, Copy)]
pub(super) struct Claim<'a> {
    pub(super) username: Option<&'a str>,
    pub(super) presented: Option<&'a PresentedPeer>,
    /// The common name that a trusted proxy vouches for.
    pub(super) vouched: Option<&'a str>,
    pub(super) transport: Transport,
}

impl Policy {
    pub(super) fn authenticate(&self, claim: Claim<'_>, now: Wall) -> Result<Principal, Refusal> {
        if !self.enabled {
            return Err(RefusalKind::BrokerDisabled.into());
        }
        let by_certificate = match (claim.transport, claim.presented) {
            _ if claim.vouched.is_some() => None,
            (Transport::Plain { trusted: false }, _) => return Err(RefusalKind::PlainNotTrusted.into()),
            (Transport::Plain { trusted: true }, _) => None,
            (Transport::Tls, None) => return Err(RefusalKind::NoCertificate.into()),
            (Transport::Tls, Some(presented)) => Some(presented),
        };
        let (client, thumbprints, name_source) = match claim.vouched {
            Some(vouched) => self.identify_vouched(claim.username, vouched)?,
            None => self.identify(claim.username, by_certificate)?,
        };
        let name = client.authentication_name();
        if client.properties.state != ClientState::Enabled {
            return Err(RefusalKind::Disabled { authentication_name: name.to_owned() }.into());
        }
        let (proof, expires_at) = match by_certificate {
            None if claim.vouched.is_some() => (AuthenticatedBy::Proxy, None),
            None => (AuthenticatedBy::PlainTrusted, None),
            Some(presented) => {
                let verified = self.prove(client, thumbprints, presented, now)?;
                (proof(&verified), Some(proof_ends(&self.anchors, presented, now)))
            }
        };
        let attributes = &client.properties.attributes;
        Ok(Principal::new(PrincipalKind::Client, name)
            .with_name_source(name_source)
            .with_proof(proof, expires_at)
            .with_attributes(attributes.clone())
            .with_rights(self.rights(name, attributes)))
    }

    /// The registered client that the user name or the certificate names.
    fn identify(
        &self,
        username: Option<&str>,
        presented: Option<&PresentedPeer>,
    ) -> Result<(&Client, &[Thumbprint], NameSource), RefusalKind> {
        let (names, source) = match (username.filter(|name| !name.is_empty()), presented) {
            (Some(username), _) => (vec![username.to_owned()], NameSource::Username),
            (None, Some(presented)) => self
                .name_sources
                .iter()
                .map(|source| (values(presented.leaf(), *source), NameSource::Certificate(*source)))
                .find(|(names, _)| !names.is_empty())
                .ok_or(RefusalKind::NoUsername { sources_configured: !self.name_sources.is_empty() })?,
            (None, None) => return Err(RefusalKind::NoUsername { sources_configured: false }),
        };
        let found = names.iter().find_map(|name| self.registered(name));
        let (client, thumbprints) = found.ok_or_else(|| RefusalKind::UnknownClient {
            authentication_name: names.into_iter().next().unwrap_or_default(),
        })?;
        Ok((client, thumbprints, source))
    }

    /// The registered client whose common name a proxy vouches for, which proves just that.
    fn identify_vouched(
        &self,
        username: Option<&str>,
        vouched: &str,
    ) -> Result<(&Client, &[Thumbprint], NameSource), RefusalKind> {
        let not_proven =
            |wanted: &str| RefusalKind::NotVouched { vouched: vouched.to_owned(), wanted: wanted.to_owned() };
        if let Some(username) = username.filter(|name| !name.is_empty() && !same(name, vouched)) {
            return Err(not_proven(username));
        }
        let (client, thumbprints, _) = self.identify(Some(vouched), None)?;
        let scheme = client.properties.client_certificate_authentication.validation_scheme;
        if scheme != ValidationScheme::SubjectMatchesAuthenticationName {
            return Err(not_proven(client.authentication_name()));
        }
        let source = AlternativeNameSource::ClientCertificateSubject;
        Ok((client, thumbprints, NameSource::Certificate(source)))
    }

    /// Checks the certificate as the client's validation scheme says.
    fn prove(
        &self,
        client: &Client,
        thumbprints: &[Thumbprint],
        presented: &PresentedPeer,
        now: Wall,
    ) -> Result<VerifiedPeer, Refusal> {
        let name = client.authentication_name();
        let scheme = client.properties.client_certificate_authentication.validation_scheme;
        let Some(field) = named_field(scheme) else {
            return gridmq_tls::verify_thumbprint(presented, thumbprints, now.as_secs()).map_err(|error| {
                let mut refusal = Refusal::from(gridmq_tls::Refusal::of_leaf(error, presented));
                if let RefusalKind::Certificate(VerifyError::ThumbprintMismatch { sha256, .. }) = &refusal.why {
                    let sha256 = sha256.clone();
                    refusal.why = RefusalKind::ThumbprintMismatch { authentication_name: name.to_owned(), sha256 };
                }
                refusal
            });
        };
        let verified = gridmq_tls::verify_with(presented, &self.anchors, self.revocation.as_ref(), now.as_secs())?;
        let values = values(verified.leaf(), field);
        let address = name.parse::<IpAddr>().ok().filter(|_| field == AlternativeNameSource::ClientCertificateIp);
        let names_client = |value: &String| match address {
            // An address has several spellings.
            Some(address) => value.parse() == Ok(address),
            None => same(value, name),
        };
        if !values.iter().any(names_client) {
            let certificate = CertificateName { subject: verified.leaf().subject().to_string(), values };
            return Err(RefusalKind::NameMismatch { expected: name.to_owned(), scheme, certificate }.into());
        }
        Ok(verified)
    }
}

/// The first time at which a certificate that the proof may rest on has expired.
pub(crate) fn proof_ends(anchors: &Anchors, presented: &PresentedPeer, now: Wall) -> Wall {
    let sent = presented.chain().iter().skip(1).filter_map(|der| Certificate::from_der(der).ok());
    let others = sent.map(|certificate| certificate.not_after());
    let others = others.chain(anchors.certificates().iter().map(Certificate::not_after));
    let last = others
        .filter(|last| *last >= now.as_secs())
        .fold(presented.leaf().not_after(), |first, other| first.min(other));
    Wall::from_millis(last.saturating_add(1).saturating_mul(1000))
}

pub(crate) fn proof(verified: &VerifiedPeer) -> AuthenticatedBy {
    match verified.how() {
        VerifiedBy::Anchor { subject, .. } => {
            AuthenticatedBy::CaCertificate { anchor: subject.clone(), subject: verified.leaf().subject().to_string() }
        }
        _ => AuthenticatedBy::Thumbprint { sha256: verified.leaf().thumbprint_sha256().to_owned() },
    }
}

/// The field of the certificate that a scheme compares; thumbprints compare none.
const fn named_field(scheme: ValidationScheme) -> Option<AlternativeNameSource> {
    Some(match scheme {
        ValidationScheme::SubjectMatchesAuthenticationName => AlternativeNameSource::ClientCertificateSubject,
        ValidationScheme::DnsMatchesAuthenticationName => AlternativeNameSource::ClientCertificateDns,
        ValidationScheme::UriMatchesAuthenticationName => AlternativeNameSource::ClientCertificateUri,
        ValidationScheme::IpMatchesAuthenticationName => AlternativeNameSource::ClientCertificateIp,
        ValidationScheme::EmailMatchesAuthenticationName => AlternativeNameSource::ClientCertificateEmail,
        ValidationScheme::ThumbprintMatch => return None,
    })
}

/// What a field of the certificate says; empty values name nobody.
pub(crate) fn values(certificate: &Certificate, field: AlternativeNameSource) -> Vec<String> {
    let names = certificate.alternative_names();
    let mut values = match field {
        AlternativeNameSource::ClientCertificateSubject => {
            let subject = certificate.subject();
            let whole = (!subject.is_empty()).then(|| subject.to_string());
            subject.common_name().map(str::to_owned).into_iter().chain(whole).collect()
        }
        AlternativeNameSource::ClientCertificateDns => names.dns.clone(),
        AlternativeNameSource::ClientCertificateUri => names.uri.clone(),
        AlternativeNameSource::ClientCertificateIp => names.ip.iter().map(ToString::to_string).collect(),
        AlternativeNameSource::ClientCertificateEmail => names.email.clone(),
    };
    values.retain(|value| !value.is_empty());
    values
}
