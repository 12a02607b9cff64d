//! A sentence or two for people.

use std::fmt;

use super::{Details, HandshakeReport, Role, Side, Stage, TlsError, TlsErrorKind as Kind};
use crate::catalogue::Id;

mod client;
mod server;

/// A failure in words.
pub(super) struct Words {
    /// What it is about.
    pub(super) about: String,
    /// What is so, and why that fails.
    pub(super) why: String,
    /// What to do.
    pub(super) fix: String,
}

impl Words {
    fn new(about: impl Into<String>, why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { about: about.into(), why: why.into(), fix: fix.into() }
    }
}

pub(super) fn of(details: &Details) -> Words {
    match (details.report.role, details.side) {
        (_, Side::Network) => Words::new(
            server_name(&details.report),
            format!("the connection failed: {}", details.detail),
            "try again, and look at the network in between",
        ),
        (Role::Client, Side::Us) => client::we_refuse_the_server(details),
        (Role::Client, Side::Peer) => client::the_server_refuses_us(details),
        (Role::Server, Side::Us) => server::we_refuse_the_client(details),
        (Role::Server, Side::Peer) => server::the_client_refuses_us(details),
    }
}

/// What was seen, each in a few words.
pub(super) fn evidence(details: &Details) -> Vec<String> {
    let report = &details.report;
    let mut seen = Vec::new();
    if let Some(alert) = &report.alert {
        seen.push(format!("alert {}, {}, {}", alert.code, alert.name, when(details.stage)));
    }
    if !report.peer_chain.is_empty() {
        seen.push(format!("the other side sent {}", report.peer_chain.join(" ← ")));
    }
    if report.role == Role::Client {
        match (report.asked_for_certificate, report.ca_hints) {
            (true, 0) => seen.push("the server asked for a certificate and named no CA".to_owned()),
            (true, count) => seen.push(format!(
                "the server asked for a certificate of one of {count} CAs: {}",
                list(&report.hint_names, "none that can be read")
            )),
            (false, _) if !report.peer_chain.is_empty() => {
                seen.push("the server asked for no certificate".to_owned());
            }
            (false, _) => {}
        }
        if let Some(scheme) = &report.scheme {
            seen.push(format!("sent was {}, signed with {scheme}", report.sent_chain.join(" ← ")));
        } else if report.asked_for_certificate {
            seen.push("no certificate was sent".to_owned());
        }
    }
    if let Some(broken) = report.refusal.as_ref().and_then(|refusal| refusal.certificate.as_ref()) {
        seen.push(format!("the certificate at fault is {} (SHA-256 {})", broken.subject(), broken.thumbprint_sha256()));
    }
    seen
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (words, id) = (of(&self.0), self.id());
        f.write_str(&words.why)?;
        if let Some(alert) = &self.0.report.alert {
            write!(f, " (alert {}, {})", alert.code, alert.name)?;
        }
        write!(f, ": {}", words.fix)?;
        if f.alternate() { Ok(()) } else { write!(f, " [{id} {}]", id.name()) }
    }
}

fn general(details: &Details, peer: &str) -> Words {
    let (when, said) = (when(details.stage), &details.detail);
    let about = server_name(&details.report);
    let between = "look for something between us that alters traffic";
    match (details.side, details.kind) {
        (Side::Us, Kind::Violation) => {
            Words::new(about, format!("the {peer} broke the TLS protocol {when} ({said})"), between)
        }
        (Side::Peer, Kind::Violation) => {
            Words::new(about, format!("the {peer} says that we broke the TLS protocol {when}"), between)
        }
        (Side::Peer, _) => {
            Words::new(about, format!("the {peer} ended the connection {when} ({said})"), "its log says why")
        }
        _ => Words::new(about, format!("TLS failed {when}: {said}"), "try again; if it stays, report it"),
    }
}

const fn when(stage: Stage) -> &'static str {
    match stage {
        Stage::ServerName => "before the TLS handshake",
        Stage::Handshake => "in the TLS handshake",
        Stage::AfterHandshake => "after the TLS handshake",
    }
}

fn server_name(report: &HandshakeReport) -> String {
    report.server_name.clone().unwrap_or_else(|| "the server".to_owned())
}

fn sent(report: &HandshakeReport) -> String {
    if !report.sent_chain.is_empty() {
        format!("sent was {}", report.sent_chain.join(" ← "))
    } else if report.asked_for_certificate {
        "we sent none".to_owned()
    } else {
        "the server asked for no certificate".to_owned()
    }
}

fn first<'a>(names: &'a [String], otherwise: &'a str) -> &'a str {
    names.first().map_or(otherwise, String::as_str)
}

fn list(names: &[String], otherwise: &str) -> String {
    match names {
        [] => otherwise.to_owned(),
        [a, b, c, d, e, _, ..] => format!("{a}, {b}, {c}, {d}, {e} and {} more", names.len() - 5),
        few => few.join(", "),
    }
}

/// Is it one of these entries?
fn is(details: &Details, ids: &[Id]) -> bool {
    ids.contains(&super::entry::of(details))
}
