//! The rules that resources of a namespace obey.

mod clients;

use std::collections::BTreeSet;
use std::fmt::Display;

use gridmq_proto::topic::TopicTemplate;

use super::{ProblemKind, ResourceProblem, Resources};
use crate::anchors::ca_certificate;
use crate::event_grid::IssuerKey;
use crate::limits::{self, Limit};
use crate::query::Query;
use crate::resource::{ALL_CLIENTS, CustomJwtAuthentication, Namespace, Resource};
use crate::shown;

/// More problems than this are not collected: nobody reads them, and a hostile document would make many.
const MAXIMUM_PROBLEMS: usize = 100;

pub(super) fn validate(resources: &Resources) -> Result<(), Vec<ResourceProblem>> {
    let mut problems = Problems(Vec::new());
    let units = resources.namespace.throughput_units();
    namespace(&mut problems, &resources.namespace);
    for (list, limit, count) in [
        ("clients", limits::CLIENTS, resources.clients.len()),
        ("clientGroups", limits::CLIENT_GROUPS, resources.client_groups.len()),
        ("topicSpaces", limits::TOPIC_SPACES, resources.topic_spaces.len()),
        ("permissionBindings", limits::PERMISSION_BINDINGS, resources.permission_bindings.len()),
        ("caCertificates", limits::CA_CERTIFICATES, resources.ca_certificates.len()),
    ] {
        problems.limit(list, limit, units, count);
    }
    clients::clients(&mut problems, &resources.clients);
    client_groups(&mut problems, resources);
    topic_spaces(&mut problems, resources);
    permission_bindings(&mut problems, resources);
    ca_certificates(&mut problems, resources);
    misspelt(&mut problems, resources);
    if problems.0.is_empty() { Ok(()) } else { Err(problems.0) }
}

/// What was found so far.
struct Problems(Vec<ResourceProblem>);

impl Problems {
    fn add(&mut self, path: impl Display, kind: ProblemKind, found: impl Display, expected: impl Display) {
        if self.0.len() < MAXIMUM_PROBLEMS {
            let (path, found, expected) = (path.to_string(), found.to_string(), expected.to_string());
            self.0.push(ResourceProblem { path, kind, found, expected });
        }
    }

    fn missing(&mut self, path: impl Display, expected: impl Display) {
        self.add(path, ProblemKind::Missing, "nothing", expected);
    }

    fn limit(&mut self, path: impl Display, limit: Limit, units: u32, value: usize) {
        let value = value as u64;
        if !limit.accepts(value, units) {
            let (minimum, maximum) = (limit.minimum, limit.maximum_for(units));
            let expected = format!("{minimum} to {maximum} {} ({})", limit.name, limit.source);
            self.add(path, ProblemKind::Limit, value, expected);
        }
    }

    /// A name of letters, digits and hyphens, 3 to 50 of them.
    fn name(&mut self, path: impl Display, name: &str) {
        let expected = "3 to 50 letters, digits and hyphens";
        self.name_of(path, name, limits::RESOURCE_NAME, expected, |c| c.is_ascii_alphanumeric() || c == '-');
    }

    fn name_of(
        &mut self,
        path: impl Display,
        name: &str,
        limit: Limit,
        expected: &str,
        accepted: impl Fn(char) -> bool,
    ) {
        if !limit.accepts(name.chars().count() as u64, 1) || !name.chars().all(accepted) {
            self.add(path, ProblemKind::Name, quoted(name), expected);
        }
    }

    /// The names of a list's resources: each well-formed, none twice ignoring case, as ARM compares them.
    fn names<P>(&mut self, list: &str, resources: &[Resource<P>]) {
        let mut seen = BTreeSet::new();
        for (at, resource) in resources.iter().enumerate() {
            self.name(format_args!("{list}[{at}].name"), &resource.name);
            if !seen.insert(resource.name.to_ascii_lowercase()) {
                let expected = "a name that no other one of them has, ignoring case";
                self.add(format_args!("{list}[{at}].name"), ProblemKind::Duplicate, quoted(&resource.name), expected);
            }
        }
    }
}

/// A text as a problem shows it.
fn quoted(text: &str) -> String {
    shown::quoted(text, 64)
}

fn namespace(problems: &mut Problems, namespace: &Namespace) {
    problems.name("namespace.name", &namespace.name);
    if let Some(capacity) = namespace.sku.as_ref().and_then(|sku| sku.capacity) {
        problems.limit("namespace.sku.capacity", limits::THROUGHPUT_UNITS, 1, capacity as usize);
    }
    let Some(mqtt) = &namespace.properties.topic_spaces_configuration else { return };
    for (member, limit, value) in [
        ("maximumSessionExpiryInHours", limits::SESSION_EXPIRY_HOURS, mqtt.maximum_session_expiry_in_hours),
        (
            "maximumClientSessionsPerAuthenticationName",
            limits::SESSIONS_PER_NAME,
            mqtt.maximum_client_sessions_per_authentication_name,
        ),
    ] {
        if let Some(value) = value {
            let path = format_args!("namespace.properties.topicSpacesConfiguration.{member}").to_string();
            problems.limit(path, limit, 1, value as usize);
        }
    }
    let custom = mqtt.client_authentication.as_ref().and_then(|it| it.custom_jwt_authentication.as_ref());
    if let Some(custom) = custom {
        tokens(problems, custom);
    }
}

/// The namespace's own issuer of tokens.
fn tokens(problems: &mut Problems, custom: &CustomJwtAuthentication) {
    let path = "namespace.properties.topicSpacesConfiguration.clientAuthentication.customJwtAuthentication";
    if custom.token_issuer.as_deref().is_none_or(str::is_empty) {
        problems.missing(format_args!("{path}.tokenIssuer"), "the iss that tokens have");
    }
    let encoded = &custom.encoded_issuer_certificates;
    for (member, count) in
        [("issuerCertificates", custom.issuer_certificates.len()), ("encodedIssuerCertificates", encoded.len())]
    {
        problems.limit(format_args!("{path}.{member}"), limits::ISSUER_CERTIFICATES, 1, count);
    }
    let mut kids = BTreeSet::new();
    for (at, one) in encoded.iter().enumerate() {
        let path = format!("{path}.encodedIssuerCertificates[{at}]");
        if one.kid.is_empty() {
            problems.missing(format_args!("{path}.kid"), "the kid that tokens name");
        } else if !kids.insert(one.kid.as_str()) {
            let expected = "a kid that no other certificate has";
            problems.add(format_args!("{path}.kid"), ProblemKind::Duplicate, quoted(&one.kid), expected);
        }
        if let Err(found) = IssuerKey::read(&one.kid, &one.encoded_certificate) {
            let expected = "one certificate or public key of RSA in PEM";
            problems.add(format_args!("{path}.encodedCertificate"), ProblemKind::Certificate, found, expected);
        }
    }
}

fn client_groups(problems: &mut Problems, resources: &Resources) {
    problems.names("clientGroups", &resources.client_groups);
    for (at, group) in resources.client_groups.iter().enumerate() {
        let path = format!("clientGroups[{at}].properties.query");
        match group.properties.query.as_deref() {
            None => problems.missing(path, "a query such as attributes.type = 'sensor'"),
            Some(text) => {
                if let Err(error) = Query::parse(text) {
                    problems.add(path, ProblemKind::Query, quoted(text), format_args!("a query; {error}"));
                }
            }
        }
    }
}

fn topic_spaces(problems: &mut Problems, resources: &Resources) {
    problems.names("topicSpaces", &resources.topic_spaces);
    for (at, space) in resources.topic_spaces.iter().enumerate() {
        let templates = &space.properties.topic_templates;
        let path = format!("topicSpaces[{at}].properties.topicTemplates");
        problems.limit(&path, limits::TOPIC_TEMPLATES, 1, templates.len());
        for (index, text) in templates.iter().enumerate() {
            if let Err(error) = TopicTemplate::parse(text) {
                let expected = format_args!("a topic template; {error}").to_string();
                problems.add(format_args!("{path}[{index}]"), ProblemKind::Template, quoted(text), expected);
            }
        }
    }
}

fn permission_bindings(problems: &mut Problems, resources: &Resources) {
    problems.names("permissionBindings", &resources.permission_bindings);
    let names = |names: &mut dyn Iterator<Item = &String>| -> BTreeSet<String> {
        names.map(|name| name.to_ascii_lowercase()).collect()
    };
    let groups = names(&mut resources.client_groups.iter().map(|group| &group.name));
    let spaces = names(&mut resources.topic_spaces.iter().map(|space| &space.name));
    for (at, binding) in resources.permission_bindings.iter().enumerate() {
        let path = format!("permissionBindings[{at}].properties");
        let properties = &binding.properties;
        match properties.client_group_name.as_deref() {
            None => problems.missing(format_args!("{path}.clientGroupName"), "a client group, or $all"),
            Some(name) if name == ALL_CLIENTS || groups.contains(&name.to_ascii_lowercase()) => {}
            Some(name) => problems.add(
                format_args!("{path}.clientGroupName"),
                ProblemKind::Reference,
                quoted(name),
                "the name of a client group in clientGroups, or $all",
            ),
        }
        match properties.topic_space_name.as_deref() {
            None => problems.missing(format_args!("{path}.topicSpaceName"), "a topic space"),
            Some(name) if spaces.contains(&name.to_ascii_lowercase()) => {}
            Some(name) => problems.add(
                format_args!("{path}.topicSpaceName"),
                ProblemKind::Reference,
                quoted(name),
                "the name of a topic space in topicSpaces",
            ),
        }
        if properties.permission.is_none() {
            problems.missing(format_args!("{path}.permission"), "Publisher or Subscriber");
        }
    }
}

fn misspelt(problems: &mut Problems, resources: &Resources) {
    for member in resources.unknown_members().into_iter().filter(|member| member.misspelt) {
        let expected = member.nearest.unwrap_or("a known name");
        problems.add(&member.path, ProblemKind::Misspelt, "a name that has no effect", expected);
    }
}

fn ca_certificates(problems: &mut Problems, resources: &Resources) {
    problems.names("caCertificates", &resources.ca_certificates);
    for (at, ca) in resources.ca_certificates.iter().enumerate() {
        let path = format!("caCertificates[{at}].properties.encodedCertificate");
        match ca.properties.encoded_certificate.as_deref() {
            None => problems.missing(path, "one CA certificate in PEM"),
            Some(pem) => {
                if let Err(error) = ca_certificate(pem) {
                    problems.add(path, ProblemKind::Certificate, error, "one CA certificate in PEM");
                }
            }
        }
    }
}
