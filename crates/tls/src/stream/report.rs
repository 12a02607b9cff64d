//! From what was recorded to a report.

use std::io;
use std::sync::OnceLock;

use super::sniff::Sniff;
use crate::certificate::{Certificate, DistinguishedName};
use crate::client::ClientConfig;
use crate::client::recorder::{Record, Recorder};
use crate::explain::{HandshakeReport, Role};
use crate::first_bytes::FirstBytes;
use crate::identity::Identity;
use crate::peer::PresentedPeer;
use crate::server::judge::Notes;
use crate::server::{ClientAuth, ServerConfig};
use crate::trust::Trust;
use crate::verify::{Refusal, names};
use crate::versions::{TlsVersion, TlsVersions};

/// How many trusted authorities are named in a report.
const MAX_NAMED_AUTHORITIES: usize = 16;
/// How many of the own certificates are in a report.
const MAX_OWN: usize = 16;

/// What a complete handshake showed. It is put into words when somebody asks, which mostly nobody does.
pub(super) struct Account {
    seen: Seen,
    version: TlsVersion,
    report: OnceLock<Box<HandshakeReport>>,
}

impl Account {
    pub(super) const fn new(seen: Seen, version: TlsVersion) -> Self {
        Self { seen, version, report: OnceLock::new() }
    }

    pub(super) const fn seen(&self) -> &Seen {
        &self.seen
    }

    pub(super) const fn role(&self) -> Role {
        match self.seen {
            Seen::Client(_) => Role::Client,
            Seen::Server(_) => Role::Server,
        }
    }

    pub(super) fn report(&self) -> &HandshakeReport {
        self.report.get_or_init(|| {
            let mut report = self.seen.report();
            report.version = Some(self.version);
            Box::new(report)
        })
    }
}

/// What one side saw.
pub(super) enum Seen {
    Client(ClientSeen),
    Server(ServerSeen),
}

impl Seen {
    pub(super) fn report(&self) -> HandshakeReport {
        match self {
            Self::Client(seen) => seen.report(),
            Self::Server(seen) => seen.report(),
        }
    }

    pub(super) fn server_name(&self) -> Option<&str> {
        match self {
            Self::Client(seen) => Some(&seen.server_name),
            Self::Server(seen) => seen.server_name.as_deref(),
        }
    }

    pub(super) const fn asked_for_certificate(&self) -> bool {
        match self {
            Self::Client(seen) => seen.record.asked,
            Self::Server(seen) => seen.asks,
        }
    }

    /// The subjects that this side sent.
    pub(super) fn sent_chain(&self) -> Vec<String> {
        match self {
            Self::Client(seen) => seen.sent_chain(),
            Self::Server(seen) => subjects(&seen.own),
        }
    }

    /// The subjects that the other side sent.
    pub(super) fn peer_chain(&self) -> Vec<String> {
        match self {
            Self::Client(seen) => seen.record.server_chain.subjects(),
            Self::Server(seen) => seen.presented.as_ref().map(PresentedPeer::chain_subjects).unwrap_or_default(),
        }
    }

    pub(super) const fn presented(&self) -> Option<&PresentedPeer> {
        match self {
            Self::Client(_) => None,
            Self::Server(seen) => seen.presented.as_ref(),
        }
    }
}

/// What a client saw. Nothing of it keeps a key.
pub(super) struct ClientSeen {
    server_name: String,
    versions: TlsVersions,
    trust: Trust,
    /// The identity's certificates, if there is one.
    own: Option<Vec<Certificate>>,
    record: Record,
    first_bytes: FirstBytes,
}

impl ClientSeen {
    pub(super) fn new<IO>(server_name: &str, config: &ClientConfig, recorder: &Recorder, io: &Sniff<IO>) -> Self {
        Self {
            server_name: server_name.to_owned(),
            versions: config.versions(),
            trust: config.trust().clone(),
            own: config.identity().map(Identity::chain).map(<[_]>::to_vec),
            record: recorder.record(),
            first_bytes: io.first_bytes(),
        }
    }

    fn sent_chain(&self) -> Vec<String> {
        self.own.as_deref().filter(|_| self.record.sent).map(subjects).unwrap_or_default()
    }

    pub(super) fn report(&self) -> HandshakeReport {
        let record = &self.record;
        let peer = record.server_chain.certificates();
        let own: Vec<Certificate> = self.own.iter().flatten().take(MAX_OWN).cloned().collect();
        let hints: Vec<DistinguishedName> =
            record.hint_names.iter().filter_map(|der| DistinguishedName::from_der(der).ok()).collect();
        let hinted =
            |certificate: &Certificate| hints.contains(certificate.issuer()) || hints.contains(certificate.subject());
        let trusted = self.trust.certificates();
        // Whoever issued our own certificate, as far as the trust for the server happens to know.
        let above_us = |certificate: &&Certificate| {
            own.contains(certificate) || own.iter().any(|ours| ours.names_as_issuer(certificate))
        };
        let issuer_of_last = own.last().and_then(|last| trusted.iter().find(|issuer| last.names_as_issuer(issuer)));
        HandshakeReport {
            role: Role::Client,
            server_name: Some(self.server_name.clone()),
            versions: self.versions,
            version: None,
            time: record.time,
            asked_for_certificate: record.asked,
            ca_hints: record.hints,
            hint_names: hints.iter().map(ToString::to_string).collect(),
            hints_name_our_issuer: (!hints.is_empty() && !own.is_empty()).then(|| own.iter().any(hinted)),
            schemes: record.schemes.iter().map(|scheme| format!("{scheme:?}")).collect(),
            scheme: record.scheme.map(|scheme| format!("{scheme:?}")),
            identity: self.own.as_deref().map(subject_of_leaf),
            identity_chain: own.clone(),
            issuer_is_intermediate: issuer_of_last.map(|issuer| !issuer.is_self_issued()),
            sent_chain: self.sent_chain(),
            no_common_scheme: record.no_common_scheme,
            peer_chain: record.server_chain.subjects(),
            peer_issuer: peer.last().map(|last| last.issuer().to_string()),
            peer_names: peer.first().map(names).unwrap_or_default(),
            peer_certificates: peer,
            trusted: self.trust.described().into_iter().take(MAX_NAMED_AUTHORITIES).collect(),
            trusts_own_issuer: trusted.iter().find(above_us).map(|issuer| issuer.subject().to_string()),
            refusal: None,
            first_bytes: Some(self.first_bytes),
            alert: None,
        }
    }

    /// If `error` is our refusal of the server's chain: the rule, the certificate and the chain.
    pub(super) fn refusal_of_server(&self, error: &io::Error) -> Option<Box<Refusal>> {
        let rustls::Error::InvalidCertificate(verdict) = error.get_ref()?.downcast_ref::<rustls::Error>()? else {
            return None;
        };
        let record = &self.record;
        self.trust.refusal(&record.server_chain, &self.server_name, record.time?, verdict).map(Box::new)
    }
}

/// What a server saw. Nothing of it keeps a key.
pub(super) struct ServerSeen {
    versions: TlsVersions,
    asks: bool,
    own: Vec<Certificate>,
    first_bytes: FirstBytes,
    server_name: Option<String>,
    pub(super) presented: Option<PresentedPeer>,
}

impl ServerSeen {
    pub(super) fn new<IO>(config: &ServerConfig, io: &Sniff<IO>, server_name: Option<&str>) -> Self {
        Self {
            versions: config.versions(),
            asks: config.client_certificate() != ClientAuth::Off,
            own: config.identity_for(server_name).chain().to_vec(),
            first_bytes: io.first_bytes(),
            server_name: server_name.map(str::to_owned),
            presented: None,
        }
    }

    pub(super) fn report(&self) -> HandshakeReport {
        let presented = self.presented.as_ref();
        HandshakeReport {
            role: Role::Server,
            server_name: self.server_name.clone(),
            versions: self.versions,
            asked_for_certificate: self.asks,
            sent_chain: subjects(&self.own),
            identity: Some(subject_of_leaf(&self.own)),
            identity_chain: self.own.iter().take(MAX_OWN).cloned().collect(),
            peer_chain: presented.map(PresentedPeer::chain_subjects).unwrap_or_default(),
            peer_certificates: presented.map(|peer| peer.shown().certificates()).unwrap_or_default(),
            first_bytes: Some(self.first_bytes),
            ..HandshakeReport::default()
        }
    }
}

fn subjects(certificates: &[Certificate]) -> Vec<String> {
    certificates.iter().map(|certificate| certificate.subject().to_string()).collect()
}

fn subject_of_leaf(chain: &[Certificate]) -> String {
    chain.first().map(|leaf| leaf.subject().to_string()).unwrap_or_default()
}

/// Adds what a client presented to a server that did not let it in, and why if that was the reason.
pub(super) fn add_presented(report: &mut HandshakeReport, Notes { presented, parts, refusal }: Notes) {
    let chain = presented.map_or(parts, |presented| presented.shown().certificates());
    report.peer_chain = subjects(&chain);
    report.peer_issuer = chain.last().map(|last| last.issuer().to_string());
    report.peer_certificates = chain;
    report.refusal = refusal.map(Box::new);
}
