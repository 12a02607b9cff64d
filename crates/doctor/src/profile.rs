//! What is known of well-known services: limits, rules for names, and what to do there.
//!
//! The profiles are data files in `profiles/`; each figure's source stands beside it there. A limit that is absent is
//! not known; the CONNACK of the broker says what holds.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use gridmq_tls::Id;
use serde::Deserialize;

/// The files, the general one last.
const FILES: [&str; 7] = [
    include_str!("../profiles/azure-event-grid.toml"),
    include_str!("../profiles/azure-iot-hub.toml"),
    include_str!("../profiles/aws-iot.toml"),
    include_str!("../profiles/hivemq-cloud.toml"),
    include_str!("../profiles/emqx-cloud.toml"),
    include_str!("../profiles/mosquitto.toml"),
    include_str!("../profiles/generic.toml"),
];

static ALL: LazyLock<Vec<Profile>> =
    LazyLock::new(|| FILES.iter().filter_map(|text| Profile::parse(text).ok()).collect());
static GENERIC: LazyLock<Profile> =
    LazyLock::new(|| ALL.iter().find(|profile| profile.name == "generic").cloned().unwrap_or_default());

/// What is known of a service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Profile {
    /// Its name, such as `azure-event-grid`.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// Patterns of its host names; `*` stands for any characters.
    pub hosts: Vec<String>,
    /// Patterns of host names that look like its own and are not for MQTT.
    pub near_hosts: Vec<String>,
    /// What to say about a host name of `near_hosts`.
    pub near_hint: Option<String>,
    /// The port of MQTT over TLS.
    pub port: u16,
    /// The port of MQTT over WebSocket with TLS.
    pub websocket_port: u16,
    /// It closes the connection, or shows another certificate, when the server name (SNI) is not sent.
    pub sni_required: bool,
    /// The application protocols (ALPN) that it wants, on the ports of `alpn_ports`.
    pub alpn: Vec<String>,
    /// The ports where it wants `alpn`; none means none.
    pub alpn_ports: Vec<u16>,
    /// The oldest TLS version that it accepts: `1.2` or `1.3`.
    pub tls_minimum: String,
    /// How it uses client certificates.
    pub client_certificate: ClientCertificate,
    /// What its MQTT side allows.
    pub mqtt: Limits,
    /// Where it takes a client's name from.
    pub names: Names,
    /// What to do about an entry of the catalogue here, by id.
    pub hints: BTreeMap<String, String>,
}

/// How a service uses client certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ClientCertificate {
    /// Devices have one; a listener that does not ask for it is a sign that something stands between.
    Usual,
    /// As it is configured.
    #[default]
    Possible,
    /// Users and passwords are the rule.
    Rare,
}

/// What a service's MQTT side allows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// Protocol versions: `5.0`, `3.1.1`, `3.1`.
    pub versions: Vec<String>,
    /// The highest QoS: 0, 1 or 2.
    pub maximum_qos: u8,
    /// The longest keep-alive in seconds.
    pub maximum_keep_alive: Option<u16>,
    /// The largest packet in bytes.
    pub maximum_packet_size: Option<u32>,
    /// It takes messages with RETAIN set.
    pub retain: bool,
    /// The highest topic alias.
    pub maximum_topic_alias: Option<u16>,
    /// It assigns a client identifier to a client that gives none.
    pub assigned_client_id: bool,
    /// It takes user properties on CONNECT.
    pub connect_user_properties: bool,
    /// It takes subscription identifiers.
    pub subscription_identifiers: Option<bool>,
    /// The longest session expiry interval in seconds.
    pub maximum_session_expiry: Option<u32>,
    /// How many sessions one client name may have at a time, unless configured otherwise.
    pub sessions_per_name: Option<u32>,
    /// How many deliveries it leaves unacknowledged.
    pub maximum_unacknowledged: Option<u16>,
    /// Subscriptions of one connection.
    pub maximum_subscriptions: Option<u16>,
    /// Slashes in a topic.
    pub maximum_topic_slashes: Option<u16>,
}

/// Where a service takes a client's name from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Names {
    /// What the user name must be, in words.
    pub username: String,
    /// CONNECT needs a user name.
    pub username_required: bool,
    /// The fields of the certificate that it may take the name from, in its order.
    pub certificate_order: Vec<String>,
    /// The hash that it asks for where certificates are registered by thumbprint: `SHA-1` or `SHA-256`; unknown or
    /// either when absent.
    pub thumbprint: Option<String>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            versions: vec!["5.0".to_owned(), "3.1.1".to_owned()],
            maximum_qos: 2,
            maximum_keep_alive: None,
            maximum_packet_size: None,
            retain: true,
            maximum_topic_alias: None,
            assigned_client_id: true,
            connect_user_properties: true,
            subscription_identifiers: None,
            maximum_session_expiry: None,
            sessions_per_name: None,
            maximum_unacknowledged: None,
            maximum_subscriptions: None,
            maximum_topic_slashes: None,
        }
    }
}

impl Default for Profile {
    /// Any broker: nothing is known.
    fn default() -> Self {
        Self {
            name: "generic".to_owned(),
            title: "any MQTT broker".to_owned(),
            hosts: Vec::new(),
            near_hosts: Vec::new(),
            near_hint: None,
            port: 8883,
            websocket_port: 443,
            sni_required: false,
            alpn: Vec::new(),
            alpn_ports: Vec::new(),
            tls_minimum: "1.2".to_owned(),
            client_certificate: ClientCertificate::Possible,
            mqtt: Limits::default(),
            names: Names::default(),
            hints: BTreeMap::new(),
        }
    }
}

impl Profile {
    /// Every built-in profile, `generic` last.
    #[must_use]
    pub fn all() -> &'static [Self] {
        &ALL
    }

    /// The profile for any broker.
    #[must_use]
    pub fn generic() -> &'static Self {
        &GENERIC
    }

    /// The profile of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|profile| profile.name.eq_ignore_ascii_case(name))
    }

    /// The profile of the service that this host name, or one that looks like its own, belongs to; else `generic`.
    #[must_use]
    pub fn for_host(host: &str) -> &'static Self {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let has = |patterns: &[String]| patterns.iter().any(|pattern| fits(pattern.as_bytes(), host.as_bytes()));
        ALL.iter()
            .find(|profile| has(&profile.hosts))
            .or_else(|| ALL.iter().find(|profile| has(&profile.near_hosts)))
            .unwrap_or_else(|| Self::generic())
    }

    /// Says what is wrong with a host name that looks like one of the service's and is not for MQTT.
    #[must_use]
    pub fn wrong_host(&self, host: &str) -> Option<&str> {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let has = |patterns: &[String]| patterns.iter().any(|pattern| fits(pattern.as_bytes(), host.as_bytes()));
        if has(&self.hosts) || !has(&self.near_hosts) { None } else { self.near_hint.as_deref() }
    }

    /// What to do about an entry of the catalogue at this service, if that is something special.
    #[must_use]
    pub fn hint(&self, id: Id) -> Option<&str> {
        self.hints.get(id.code()).map(String::as_str)
    }

    /// What to do about an entry of the catalogue at this service.
    #[must_use]
    pub fn fix(&self, id: Id) -> &str {
        self.hint(id).unwrap_or_else(|| id.fix())
    }

    /// The application protocols to offer on a port.
    #[must_use]
    pub fn alpn_for(&self, port: u16) -> &[String] {
        if self.alpn_ports.contains(&port) { &self.alpn } else { &[] }
    }

    fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }
}

/// Whether a pattern with `*` fits. Both are short: a host name and a line of a built-in file.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|from| text.get(from..).is_some_and(|text| fits(rest, text))),
        Some((first, rest)) => text.split_first().is_some_and(|(byte, text)| byte == first && fits(rest, text)),
    }
}

#[cfg(test)]
mod tests;
