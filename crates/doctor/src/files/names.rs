//! B06 and B07: the user name against the names in the certificate.

use gridmq_tls::{Certificate, Finding, Id, Severity};

use crate::profile::Profile;
use crate::report::StageReport;

/// The names of a certificate in the order in which Event Grid lists their sources.
pub(super) fn candidates(leaf: &Certificate) -> Vec<(&'static str, String)> {
    let names = leaf.alternative_names();
    let mut all: Vec<(&'static str, String)> = Vec::new();
    all.extend(leaf.subject().common_name().map(|name| ("subject CN", name.to_owned())));
    all.extend(names.dns.iter().map(|name| ("SAN DNS", name.clone())));
    all.extend(names.uri.iter().map(|name| ("SAN URI", name.clone())));
    all.extend(names.ip.iter().map(|address| ("SAN IP", address.to_string())));
    all.extend(names.email.iter().map(|name| ("SAN e-mail", name.clone())));
    all
}

/// Does nothing for a service that takes no name from the certificate.
pub(super) fn check(username: Option<&str>, leaf: &Certificate, profile: &Profile, stage: &mut StageReport) {
    if profile.names.certificate_order.is_empty() {
        return;
    }
    let all = candidates(leaf);
    let subject = leaf.subject().to_string();
    let evidence = |finding: Finding| {
        all.iter().fold(finding, |finding, (source, name)| finding.seen(format!("{source}: {name}")))
    };
    // What the service looks at, in its order.
    let taken = profile.names.certificate_order.iter().find_map(|source| all.iter().find(|(kind, _)| kind == source));
    let Some(username) = username.filter(|name| !name.is_empty()) else {
        if let Some((source, name)) = taken
            && profile.names.username_required
        {
            let why = format!(
                "no user name is given, so the broker takes one from the certificate if it is set to: its sources in its \
                 order, the first that is filled; of all of them {source} would be first, {name}"
            );
            let fix = "give the user name, or check the broker's sources of names against the names below";
            stage.found(evidence(Finding::new(Id::B07, Severity::Info, subject, why, fix)));
        }
        return;
    };
    let Some((source, _)) = all.iter().find(|(_, name)| name == username) else {
        let near = all.iter().find(|(_, name)| name.eq_ignore_ascii_case(username));
        let why = match near {
            Some((source, name)) => {
                format!("the user name {username} is in the certificate in other case: {source} {name}")
            }
            None if all.is_empty() => {
                format!("the certificate has no name at all, so the user name {username} is not in it")
            }
            None => format!("the user name {username} is not in the certificate"),
        };
        stage.found(evidence(Finding::new(Id::B06, Severity::Warning, subject, why, profile.fix(Id::B06))));
        return;
    };
    let others = all.iter().any(|(kind, name)| kind != source && name != username);
    if others {
        let why = format!(
            "the user name {username} is the certificate's {source}, and it has other names: a client that is registered \
             by another field is refused"
        );
        let fix =
            format!("register the client with the validation scheme for {source}, or give the name of the other field");
        stage.found(evidence(Finding::new(Id::B07, Severity::Info, subject, why, fix)));
    }
}
