//! The rules that clients obey.

use std::collections::BTreeSet;

use gridmq_tls::Thumbprint;

use super::{Problems, quoted};
use crate::document::ProblemKind;
use crate::fold::fold;
use crate::limits;
use crate::resource::{Client, ValidationScheme};

pub(super) fn clients(problems: &mut Problems, clients: &[Client]) {
    let mut names = BTreeSet::new();
    let mut authentication_names = BTreeSet::new();
    for (at, client) in clients.iter().enumerate() {
        let path = format!("clients[{at}]");
        let expected = "1 to 128 letters, digits and the characters - : . _";
        problems.name_of(format_args!("{path}.name"), &client.name, limits::CLIENT_NAME, expected, |c| {
            c.is_ascii_alphanumeric() || "-:._".contains(c)
        });
        if !names.insert(client.name.as_str()) {
            let expected = "a name that no other client has";
            problems.add(format_args!("{path}.name"), ProblemKind::Duplicate, quoted(&client.name), expected);
        }
        let name = client.authentication_name();
        let name_path = format!("{path}.properties.authenticationName");
        if !limits::AUTHENTICATION_NAME.accepts(name.chars().count() as u64, 1) {
            problems.add(&name_path, ProblemKind::Name, quoted(name), "1 to 128 characters");
        }
        if !authentication_names.insert(fold(name)) {
            let expected = "an authentication name that no other client has, ignoring case";
            problems.add(&name_path, ProblemKind::Duplicate, quoted(name), expected);
        }
        thumbprints(problems, &path, client);
        attributes(problems, &path, client);
    }
}

fn thumbprints(problems: &mut Problems, path: &str, client: &Client) {
    let authentication = &client.properties.client_certificate_authentication;
    let path = format!("{path}.properties.clientCertificateAuthentication.allowedThumbprints");
    let allowed = &authentication.allowed_thumbprints;
    if authentication.validation_scheme != ValidationScheme::ThumbprintMatch {
        if !allowed.is_empty() {
            let found = format_args!("thumbprints beside {}", authentication.validation_scheme).to_string();
            problems.add(path, ProblemKind::Superfluous, found, "none, or the validation scheme ThumbprintMatch");
        }
        return;
    }
    problems.limit(&path, limits::THUMBPRINTS, 1, allowed.len());
    for (at, text) in allowed.iter().enumerate() {
        if Thumbprint::parse(text).is_err() {
            let expected = "64 hexadecimal digits (SHA-256) or 40 (SHA-1), with or without colons";
            problems.add(format_args!("{path}[{at}]"), ProblemKind::Thumbprint, quoted(text), expected);
        }
    }
}

fn attributes(problems: &mut Problems, path: &str, client: &Client) {
    let attributes = &client.properties.attributes;
    let path = format!("{path}.properties.attributes");
    problems.limit(&path, limits::ATTRIBUTE_BYTES, 1, attributes.bytes());
    for (key, _) in attributes.iter() {
        if key.is_empty() || !key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            problems.add(&path, ProblemKind::Name, quoted(key), "keys of letters, digits and the character _");
        }
    }
}
