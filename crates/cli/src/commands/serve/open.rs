//! The rules of a broker without a namespace.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use gridmq_namespace::open::{Access, AccessProblem, Brake, CertificateNames, MAX_ACCESS_BYTES, Users};
use gridmq_tls::Anchors;

use crate::commands::users;
use crate::config::{self, Address, Settings};
use crate::error::{Failure, Outcome};
use crate::files;
use crate::output::Style;

const MAX_CA_BYTES: u64 = 1024 * 1024;

/// What outlasts the rules of one reading of the files.
#[derive(Debug, Default)]
pub(super) struct Open {
    brake: Arc<Brake>,
    generation: u64,
}

impl Open {
    /// The rules as the files say now.
    pub(super) fn rules(&mut self, settings: &Settings) -> Result<gridmq_namespace::Open, Failure> {
        let open = &settings.open;
        let mut rules = gridmq_namespace::Open::new().with_brake(Arc::clone(&self.brake));
        if let Some(path) = &open.users {
            rules = rules.with_users(Arc::new(Users::new(&users::read(path)?)));
        }
        if let Some(path) = &open.client_ca {
            let pem = files::read(path, MAX_CA_BYTES, "the authorities of client-ca")?;
            let anchors = Anchors::from_pem(&pem).map_err(|error| Failure::from(error).during(files::shown(path)))?;
            rules = rules.with_certificates(Arc::new(CertificateNames::new(anchors).named_by(open.client_name.into())));
        }
        if let Some(access) = access(open)? {
            rules = rules.with_access(Arc::new(access));
        }
        if let Some(anonymous) = open.anonymous {
            rules = rules.allow_anonymous(anonymous);
        }
        self.generation += 1;
        Ok(rules.with_generation(self.generation))
    }
}

/// The rules of the file, then those of the configuration.
fn access(open: &config::Open) -> Result<Option<Access>, Failure> {
    let mut text = String::new();
    if let Some(path) = &open.access {
        text = files::read_text(path, u64::try_from(MAX_ACCESS_BYTES).unwrap_or(u64::MAX), "the access rules")?;
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
    } else if open.rules.is_empty() {
        return Ok(None);
    }
    let of_file = text.lines().count();
    for rule in &open.rules {
        if rule.contains(['\n', '\r']) {
            return Err(Failure::failed("rules of [open]: one rule is one line: make a list of them"));
        }
        text.push_str(rule);
        text.push('\n');
    }
    Access::parse(&text).map(Some).map_err(|problems| told(open.access.as_deref(), of_file, &problems))
}

fn told(file: Option<&Path>, of_file: usize, problems: &[AccessProblem]) -> Failure {
    let lines: Vec<_> = problems
        .iter()
        .map(|problem| match file.filter(|_| problem.line <= of_file) {
            Some(file) => format!("{}: {problem}", files::shown(file)),
            None => format!("rules of [open], {}: {}", problem.line.saturating_sub(of_file), problem.kind),
        })
        .collect();
    Failure::failed(lines.join("\n"))
}

/// Whether the settings go together, and whether they let in more than whoever typed them may have meant.
pub(super) fn check(settings: &Settings) -> Outcome {
    settings.agree_on_counters().map_err(Failure::usage)?;
    settings.namespace.agree().map_err(Failure::usage)?;
    let open = &settings.open;
    if settings.has_namespace() {
        return if *open == config::Open::default() {
            Ok(())
        } else {
            Err(Failure::usage(
                "a namespace says itself who comes in and what they may do: leave out --namespace, --template or --arm, or --users, --access, \
                 --anonymous and [open]",
            ))
        };
    }
    let far = addresses(settings).find(|(address, _)| !address.ip().is_loopback());
    if let Some((address, _)) = far
        && !open.knows_names()
        && open.anonymous.is_none()
    {
        return Err(Failure::usage(format!(
            "{address} can be reached from other machines, and anybody would come in: give --users FILE (gridmq users \
             add makes it), or say --anonymous"
        )));
    }
    if open.users.is_some()
        && let Some((address, _)) = addresses(settings).find(|(address, tls)| !tls && !address.ip().is_loopback())
    {
        Style::stderr().warning(&format!(
            "passwords reach {address} unencrypted, and whoever is on the way can read them: use --cert and --listen \
             instead of --plain"
        ));
    }
    Ok(())
}

/// Where to listen, and whether with TLS.
fn addresses(settings: &Settings) -> impl Iterator<Item = (SocketAddr, bool)> {
    let of = |list: &Option<Vec<Address>>, tls: bool| {
        let list = list.as_deref().unwrap_or_default();
        list.iter().flat_map(Address::addresses).map(move |address| (*address, tls)).collect::<Vec<_>>()
    };
    let tables = settings.listener.iter().flat_map(|table| {
        let tls = table.kind.is_secure();
        table.address.iter().flat_map(Address::addresses).map(move |address| (*address, tls))
    });
    of(&settings.listen, true).into_iter().chain(of(&settings.plain, false)).chain(tables.collect::<Vec<_>>())
}
