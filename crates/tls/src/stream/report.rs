//! From what was recorded to a report.

use std::io;

use super::sniff::Sniff;
use crate::certificate::{Certificate, DistinguishedName};
use crate::client::ClientConfig;
use crate::client::recorder::Recorder;
use crate::explain::{HandshakeReport, Role};
use crate::identity::Identity;
use crate::peer::subjects;
use crate::server::judge::Notes;
use crate::server::{ClientAuth, ServerConfig};
use crate::verify::{Refusal, names, parse};

/// How many trusted authorities are named in a report.
const MAX_NAMED_AUTHORITIES: usize = 16;

pub(super) fn client_report<IO>(
    server_name: &str,
    config: &ClientConfig,
    recorder: &Recorder,
    io: &Sniff<IO>,
) -> HandshakeReport {
    let record = recorder.record();
    let peer = parse(&record.server_chain);
    let own: Vec<Certificate> =
        config.identity().map(|identity| identity.chain().iter().take(16).cloned().collect()).unwrap_or_default();
    let hints: Vec<DistinguishedName> =
        record.hint_names.iter().filter_map(|der| DistinguishedName::from_der(der).ok()).collect();
    let hinted =
        |certificate: &Certificate| hints.contains(certificate.issuer()) || hints.contains(certificate.subject());
    let trusted = config.trust().certificates();
    // Whoever issued our own certificate, as far as the trust for the server happens to know.
    let above_us = |certificate: &&Certificate| {
        own.contains(certificate) || own.iter().any(|ours| ours.names_as_issuer(certificate))
    };
    let issuer_of_last = own.last().and_then(|last| trusted.iter().find(|issuer| last.names_as_issuer(issuer)));
    HandshakeReport {
        role: Role::Client,
        server_name: Some(server_name.to_owned()),
        versions: config.versions(),
        version: None,
        time: record.time,
        asked_for_certificate: record.asked,
        ca_hints: record.hints,
        hint_names: hints.iter().map(ToString::to_string).collect(),
        hints_name_our_issuer: (!hints.is_empty() && !own.is_empty()).then(|| own.iter().any(hinted)),
        schemes: record.schemes,
        scheme: record.scheme,
        identity: config.identity().map(Identity::subject),
        identity_chain: own.clone(),
        issuer_is_intermediate: issuer_of_last.map(|issuer| !issuer.is_self_issued()),
        sent_chain: config.identity().filter(|_| record.sent).map(Identity::chain_subjects).unwrap_or_default(),
        no_common_scheme: record.no_common_scheme,
        peer_chain: subjects(&record.server_chain),
        peer_issuer: peer.last().map(|last| last.issuer().to_string()),
        peer_names: peer.first().map(names).unwrap_or_default(),
        peer_certificates: peer,
        trusted: config.trust().described().into_iter().take(MAX_NAMED_AUTHORITIES).collect(),
        trusts_own_issuer: trusted.iter().find(above_us).map(|issuer| issuer.subject().to_string()),
        refusal: None,
        first_bytes: Some(io.first_bytes()),
        alert: None,
    }
}

pub(super) fn server_report<IO>(config: &ServerConfig, io: &Sniff<IO>) -> HandshakeReport {
    HandshakeReport {
        role: Role::Server,
        versions: config.versions(),
        asked_for_certificate: config.client_certificate() != ClientAuth::Off,
        sent_chain: config.identity().chain_subjects(),
        identity: Some(config.identity().subject()),
        identity_chain: config.identity().chain().iter().take(16).cloned().collect(),
        first_bytes: Some(io.first_bytes()),
        ..HandshakeReport::default()
    }
}

/// If `error` is our refusal of the server's chain: the rule, the certificate and the chain.
pub(super) fn refusal_of_server(
    error: &io::Error,
    name: &str,
    config: &ClientConfig,
    recorder: &Recorder,
) -> Option<Box<Refusal>> {
    let rustls::Error::InvalidCertificate(verdict) = error.get_ref()?.downcast_ref::<rustls::Error>()? else {
        return None;
    };
    let record = recorder.record();
    config.trust().refusal(&record.server_chain, name, record.time?, verdict).map(Box::new)
}

/// Adds what a client presented to a server that did not let it in, and why if that was the reason.
pub(super) fn add_presented(report: &mut HandshakeReport, Notes { chain, refusal }: Notes) {
    report.peer_chain = chain.iter().map(|certificate| certificate.subject().to_string()).collect();
    report.peer_issuer = chain.last().map(|last| last.issuer().to_string());
    report.peer_certificates = chain;
    report.refusal = refusal.map(Box::new);
}
