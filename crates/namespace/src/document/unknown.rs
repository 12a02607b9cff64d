//! Members that are kept and have no effect, because nothing here knows their names.
//!
//! A misspelt member is dangerous: the restriction that it was to set is not there. A name that nearly is a known one
//! is therefore a problem, and any other unknown one is reported for a warning.

use std::fmt;

use super::Resources;
use crate::resource::{Extra, Resource};
use crate::shown;

/// More than this are not collected.
const MAXIMUM: usize = 100;

/// A member that nothing here knows, and that has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownMember {
    /// The JSON path, such as `clients[2].properties.sate`.
    pub path: String,
    /// The known name that is nearest, if one is near.
    pub nearest: Option<&'static str>,
    /// The name differs from a known one by its case or by one letter, or stands beside `properties` instead of in it.
    pub misspelt: bool,
}

impl fmt::Display for UnknownMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not known and has no effect", self.path)?;
        match self.nearest {
            Some(nearest) => write!(f, "; is {nearest} meant?"),
            None => Ok(()),
        }
    }
}

/// What ARM itself writes into resources, without effect here.
const READ_ONLY: [&str; 12] = [
    "apiVersion",
    "dependsOn",
    "etag",
    "expectedTxtRecordName",
    "expectedTxtRecordValue",
    "id",
    "principalId",
    "privateEndpointConnections",
    "provisioningState",
    "systemData",
    "tenantId",
    "type",
];

const NAMESPACE: &[&str] = &["name", "location", "tags", "sku", "identity", "properties"];
const SKU: &[&str] = &["name", "capacity"];
const IDENTITY: &[&str] = &["userAssignedIdentities", "userAssignedIdentity"];
const NAMESPACE_PROPERTIES: &[&str] = &[
    "topicsConfiguration",
    "topicSpacesConfiguration",
    "isZoneRedundant",
    "publicNetworkAccess",
    "inboundIpRules",
    "minimumTlsVersionAllowed",
];
const IP_RULE: &[&str] = &["ipMask", "action"];
const TOPICS: &[&str] = &["hostname", "customDomains"];
const DOMAIN: &[&str] = &["fullyQualifiedDomainName", "validationState", "identity", "certificateUrl"];
const TOPIC_SPACES: &[&str] = &[
    "state",
    "hostname",
    "routeTopicResourceId",
    "routingEnrichments",
    "routingIdentityInfo",
    "maximumSessionExpiryInHours",
    "maximumClientSessionsPerAuthenticationName",
    "clientAuthentication",
    "customDomains",
];
const ENRICHMENTS: &[&str] = &["static", "dynamic"];
const ENRICHMENT: &[&str] = &["key", "value", "valueType"];
const AUTHENTICATION: &[&str] =
    &["alternativeAuthenticationNameSources", "customJwtAuthentication", "webhookAuthentication"];
const JWT: &[&str] = &["tokenIssuer", "issuerCertificates", "encodedIssuerCertificates"];
const ISSUER: &[&str] = &["certificateUrl", "identity", "kid", "encodedCertificate"];
const WEBHOOK: &[&str] = &[
    "identity",
    "endpointUrl",
    "endpointBaseUrl",
    "azureActiveDirectoryApplicationIdOrUri",
    "azureActiveDirectoryTenantId",
];
const RESOURCE: &[&str] = &["name", "properties"];
const CLIENT: &[&str] =
    &["description", "authenticationName", "clientCertificateAuthentication", "state", "attributes"];
const CERTIFICATE_AUTHENTICATION: &[&str] = &["validationScheme", "allowedThumbprints"];
const GROUP: &[&str] = &["description", "query"];
// `subscriptionSupport` is of earlier versions of the API.
const SPACE: &[&str] = &["description", "topicTemplates", "subscriptionSupport"];
const BINDING: &[&str] = &["description", "clientGroupName", "topicSpaceName", "permission"];
const CA: &[&str] = &["description", "encodedCertificate", "issueTimeInUtc", "expiryTimeInUtc"];

/// Every unknown member, at most 100.
pub(super) fn find(resources: &Resources) -> Vec<UnknownMember> {
    let mut found = Found(Vec::new());
    namespace(&mut found, resources);
    for (at, client) in resources.clients.iter().enumerate() {
        let path = found.resource("clients", at, client, &client.properties.extra, CLIENT);
        let judged = &client.properties.client_certificate_authentication;
        let path = format!("{path}.clientCertificateAuthentication");
        found.members(&path, &judged.extra, CERTIFICATE_AUTHENTICATION);
    }
    for (at, group) in resources.client_groups.iter().enumerate() {
        found.resource("clientGroups", at, group, &group.properties.extra, GROUP);
    }
    for (at, space) in resources.topic_spaces.iter().enumerate() {
        found.resource("topicSpaces", at, space, &space.properties.extra, SPACE);
    }
    for (at, binding) in resources.permission_bindings.iter().enumerate() {
        found.resource("permissionBindings", at, binding, &binding.properties.extra, BINDING);
    }
    for (at, ca) in resources.ca_certificates.iter().enumerate() {
        found.resource("caCertificates", at, ca, &ca.properties.extra, CA);
    }
    found.0
}

fn namespace(found: &mut Found, resources: &Resources) {
    let namespace = &resources.namespace;
    found.envelope("namespace", &namespace.extra, NAMESPACE, NAMESPACE_PROPERTIES);
    if let Some(sku) = &namespace.sku {
        found.members("namespace.sku", &sku.extra, SKU);
    }
    if let Some(identity) = &namespace.identity {
        found.members("namespace.identity", &identity.extra, IDENTITY);
    }
    let properties = &namespace.properties;
    found.members("namespace.properties", &properties.extra, NAMESPACE_PROPERTIES);
    for (at, rule) in properties.inbound_ip_rules.iter().enumerate() {
        found.members(&format!("namespace.properties.inboundIpRules[{at}]"), &rule.extra, IP_RULE);
    }
    if let Some(topics) = &properties.topics_configuration {
        let path = "namespace.properties.topicsConfiguration";
        found.members(path, &topics.extra, TOPICS);
        for (at, domain) in topics.custom_domains.iter().enumerate() {
            found.members(&format!("{path}.customDomains[{at}]"), &domain.extra, DOMAIN);
        }
    }
    let Some(mqtt) = &properties.topic_spaces_configuration else { return };
    let path = "namespace.properties.topicSpacesConfiguration";
    found.members(path, &mqtt.extra, TOPIC_SPACES);
    for (at, domain) in mqtt.custom_domains.iter().enumerate() {
        found.members(&format!("{path}.customDomains[{at}]"), &domain.extra, DOMAIN);
    }
    if let Some(identity) = &mqtt.routing_identity_info {
        found.members(&format!("{path}.routingIdentityInfo"), &identity.extra, IDENTITY);
    }
    if let Some(enrichments) = &mqtt.routing_enrichments {
        let path = format!("{path}.routingEnrichments");
        found.members(&path, &enrichments.extra, ENRICHMENTS);
        for (at, one) in enrichments.fixed.iter().enumerate() {
            found.members(&format!("{path}.static[{at}]"), &one.extra, ENRICHMENT);
        }
        for (at, one) in enrichments.dynamic.iter().enumerate() {
            found.members(&format!("{path}.dynamic[{at}]"), &one.extra, ENRICHMENT);
        }
    }
    let Some(authentication) = &mqtt.client_authentication else { return };
    let path = format!("{path}.clientAuthentication");
    found.members(&path, &authentication.extra, AUTHENTICATION);
    if let Some(jwt) = &authentication.custom_jwt_authentication {
        let path = format!("{path}.customJwtAuthentication");
        found.members(&path, &jwt.extra, JWT);
        for (at, issuer) in jwt.issuer_certificates.iter().enumerate() {
            found.members(&format!("{path}.issuerCertificates[{at}]"), &issuer.extra, ISSUER);
        }
        for (at, issuer) in jwt.encoded_issuer_certificates.iter().enumerate() {
            found.members(&format!("{path}.encodedIssuerCertificates[{at}]"), &issuer.extra, ISSUER);
        }
    }
    if let Some(webhook) = &authentication.webhook_authentication {
        found.members(&format!("{path}.webhookAuthentication"), &webhook.extra, WEBHOOK);
    }
}

struct Found(Vec<UnknownMember>);

impl Found {
    /// The members of a resource and of its properties; gives the path of these.
    fn resource<P>(
        &mut self,
        list: &str,
        at: usize,
        resource: &Resource<P>,
        properties: &Extra,
        known: &[&'static str],
    ) -> String {
        let path = format!("{list}[{at}]");
        self.envelope(&path, &resource.extra, RESOURCE, known);
        let path = format!("{path}.properties");
        self.members(&path, properties, known);
        path
    }

    /// The members beside `properties`, where those that belong into it have no effect.
    fn envelope(&mut self, path: &str, extra: &Extra, known: &[&'static str], inside: &[&'static str]) {
        for name in extra.keys() {
            match inside.iter().find(|inside| inside.eq_ignore_ascii_case(name)) {
                Some(_) => {
                    let path = format!("{path}.{}", shown(name));
                    self.add(path, Some("the member of that name in properties"), true);
                }
                None => self.member(path, name, known),
            }
        }
    }

    fn members(&mut self, path: &str, extra: &Extra, known: &[&'static str]) {
        for name in extra.keys() {
            self.member(path, name, known);
        }
    }

    fn member(&mut self, path: &str, name: &str, known: &[&'static str]) {
        if READ_ONLY.contains(&name) || known.contains(&name) {
            return;
        }
        let nearest = known.iter().map(|known| (distance(name, known), *known)).min();
        let near = nearest.filter(|(distance, _)| *distance <= 2);
        let misspelt = near.is_some_and(|(distance, _)| distance <= 1);
        self.add(format!("{path}.{}", shown(name)), near.map(|(_, known)| known), misspelt);
    }

    fn add(&mut self, path: String, nearest: Option<&'static str>, misspelt: bool) {
        // What is misspelt is never left out: it is an error and not only a warning.
        if self.0.len() < MAXIMUM || misspelt {
            self.0.push(UnknownMember { path, nearest, misspelt });
        }
    }
}

fn shown(name: &str) -> String {
    shown::quoted(name, 64).trim_matches('"').to_owned()
}

/// How many letters have to be added, left out, replaced or swapped with their neighbour, ignoring case; 3 stands for
/// more than 2.
fn distance(one: &str, other: &str) -> usize {
    if one.len().abs_diff(other.len()) > 2 {
        return 3;
    }
    let one: Vec<char> = one.chars().map(|c| c.to_ascii_lowercase()).collect();
    let other: Vec<char> = other.chars().map(|c| c.to_ascii_lowercase()).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (row, a) in one.iter().enumerate() {
        let mut line = vec![row + 1];
        for (column, b) in other.iter().enumerate() {
            let at = |line: &[usize], place: usize| line.get(place).copied().unwrap_or(usize::MAX - 1);
            let mut cost = (at(&last, column) + usize::from(a != b)).min(at(&last, column + 1) + 1);
            cost = cost.min(at(&line, column) + 1);
            let swapped = row > 0 && column > 0 && one.get(row - 1) == Some(b) && other.get(column - 1) == Some(a);
            if swapped {
                cost = cost.min(at(&before, column - 1) + 1);
            }
            line.push(cost);
        }
        before = std::mem::replace(&mut last, line);
    }
    last.last().copied().unwrap_or(3).min(3)
}

#[cfg(test)]
mod tests;
