//! The documented limits of a namespace's resources, one row each.
//!
//! A limit is judged when resources are loaded or compiled. Where sources differ, the wider value stands.

/// One documented limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limit {
    /// What is limited.
    pub name: &'static str,
    /// The least value that is accepted.
    pub minimum: u64,
    /// The greatest value that is accepted, per throughput unit where `per_throughput_unit` says so.
    pub maximum: u64,
    /// Whether `maximum` grows with the namespace's capacity.
    pub per_throughput_unit: bool,
    /// Where the figure comes from.
    pub source: &'static str,
}

impl Limit {
    const fn new(name: &'static str, minimum: u64, maximum: u64, source: &'static str) -> Self {
        Self { name, minimum, maximum, per_throughput_unit: false, source }
    }

    const fn per_unit(name: &'static str, maximum: u64, source: &'static str) -> Self {
        Self { name, minimum: 0, maximum, per_throughput_unit: true, source }
    }

    /// The greatest value in a namespace of that many throughput units.
    #[must_use]
    pub const fn maximum_for(&self, throughput_units: u32) -> u64 {
        if self.per_throughput_unit { self.maximum.saturating_mul(throughput_units as u64) } else { self.maximum }
    }

    /// Whether a namespace of that many throughput units accepts `value`.
    #[must_use]
    pub fn accepts(&self, value: u64, throughput_units: u32) -> bool {
        (self.minimum..=self.maximum_for(throughput_units)).contains(&value)
    }
}

const QUOTAS: &str = "Event Grid quotas and limits";
const ARM: &str = "ARM schema of Microsoft.EventGrid/namespaces";
const CLIENTS_PAGE: &str = "Event Grid: MQTT clients";
const OURS: &str = "GridMQ; Azure documents none";

/// Throughput units of a namespace; ARM's schema says 20, the quota page 40.
pub const THROUGHPUT_UNITS: Limit = Limit::new("throughput units", 1, 40, QUOTAS);
/// Registered clients.
pub const CLIENTS: Limit = Limit::per_unit("registered clients", 10_000, QUOTAS);
/// Client groups beside the built-in `$all`.
pub const CLIENT_GROUPS: Limit = Limit::new("client groups", 0, 10, QUOTAS);
/// Topic spaces.
pub const TOPIC_SPACES: Limit = Limit::new("topic spaces", 0, 10, QUOTAS);
/// Topic templates of one topic space.
pub const TOPIC_TEMPLATES: Limit = Limit::new("topic templates in a topic space", 1, 10, QUOTAS);
/// Permission bindings.
pub const PERMISSION_BINDINGS: Limit = Limit::new("permission bindings", 0, 100, QUOTAS);
/// CA certificates.
pub const CA_CERTIFICATES: Limit = Limit::new("CA certificates", 0, 10, QUOTAS);
/// Characters of the name of a namespace, client group, topic space, permission binding or CA certificate.
pub const RESOURCE_NAME: Limit = Limit::new("characters of a name", 3, 50, ARM);
/// Characters of the name of a client.
pub const CLIENT_NAME: Limit = Limit::new("characters of a client's name", 1, 128, ARM);
/// Characters of an authentication name.
pub const AUTHENTICATION_NAME: Limit = Limit::new("characters of an authentication name", 1, 128, CLIENTS_PAGE);
/// Bytes of a client's attributes in all.
pub const ATTRIBUTE_BYTES: Limit = Limit::new("bytes of a client's attributes", 0, 4096, CLIENTS_PAGE);
/// Thumbprints of one client.
pub const THUMBPRINTS: Limit = Limit::new("allowed thumbprints of a client", 1, 2, CLIENTS_PAGE);
/// Hours that a session may outlive its connection.
pub const SESSION_EXPIRY_HOURS: Limit = Limit::new("maximumSessionExpiryInHours", 1, 8, ARM);
/// Sessions of one authentication name.
pub const SESSIONS_PER_NAME: Limit = Limit::new("maximumClientSessionsPerAuthenticationName", 1, 100, ARM);
/// Bytes of the Authentication Data of MQTT 5.
pub const AUTHENTICATION_DATA: Limit = Limit::new("bytes of authentication data", 0, 8192, QUOTAS);
/// Certificates of a namespace's own issuer of tokens.
pub const ISSUER_CERTIFICATES: Limit = Limit::new("certificates of a token issuer", 0, 2, ARM);
/// Bytes of a client group's query.
pub const QUERY_BYTES: Limit = Limit::new("bytes of a query", 1, 8192, OURS);
/// How deep the parentheses of a query may nest.
pub const QUERY_DEPTH: Limit = Limit::new("nested parentheses of a query", 0, 32, OURS);

/// Every row.
pub const ALL: &[Limit] = &[
    THROUGHPUT_UNITS,
    CLIENTS,
    CLIENT_GROUPS,
    TOPIC_SPACES,
    TOPIC_TEMPLATES,
    PERMISSION_BINDINGS,
    CA_CERTIFICATES,
    RESOURCE_NAME,
    CLIENT_NAME,
    AUTHENTICATION_NAME,
    ATTRIBUTE_BYTES,
    THUMBPRINTS,
    SESSION_EXPIRY_HOURS,
    SESSIONS_PER_NAME,
    AUTHENTICATION_DATA,
    ISSUER_CERTIFICATES,
    QUERY_BYTES,
    QUERY_DEPTH,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_row_once_and_each_can_be_met() {
        for (at, limit) in ALL.iter().enumerate() {
            assert!(limit.minimum <= limit.maximum, "{}", limit.name);
            assert!(ALL.iter().skip(at + 1).all(|other| other.name != limit.name), "{} twice", limit.name);
        }
    }

    #[test]
    fn clients_grow_with_the_throughput_units_and_groups_do_not() {
        assert!(CLIENTS.accepts(20_000, 2));
        assert!(!CLIENTS.accepts(20_001, 2));
        assert!(!CLIENT_GROUPS.accepts(11, 40));
    }
}
