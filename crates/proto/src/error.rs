//! Whose fault it is: [`SpecViolation`] is the peer's, [`EncodeError`] the caller's.

mod encode;
pub(crate) mod statements;

use std::borrow::Cow;
use std::fmt;

pub use encode::EncodeError;

use crate::packet::PacketType;
use crate::{ReasonCode, Version};

/// The numbers of a normative statement in both standards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_structs, reason = "two standards")]
pub struct Statement {
    /// In MQTT 5.0, as `MQTT-1.5.4-1`.
    pub v5: Option<&'static str>,
    /// In MQTT 3.1.1, as `MQTT-1.5.3-1`.
    pub v311: Option<&'static str>,
}

/// A rule that a peer can break: one row of [`statements`], or of the session machines.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    statement: Statement,
    /// Where to read, for rules that have no number in a version.
    section: &'static str,
    reason: ReasonCode,
    words: &'static str,
}

impl Rule {
    /// A rule with its numbers, its section of MQTT 5.0, the reason code to send and the words for a breach.
    pub(crate) const fn new(
        v5: Option<&'static str>,
        v311: Option<&'static str>,
        section: &'static str,
        reason: ReasonCode,
        words: &'static str,
    ) -> Self {
        Self { statement: Statement { v5, v311 }, section, reason, words }
    }
}

/// The peer broke the standard. The connection cannot go on: send [`Self::reason`] if the version and the state
/// allow it, and close.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct SpecViolation {
    rule: &'static Rule,
    reason: ReasonCode,
    packet: Option<PacketType>,
    version: Option<Version>,
    detail: Cow<'static, str>,
}

impl SpecViolation {
    /// A breach of `rule`.
    pub(crate) const fn of(rule: &'static Rule) -> Self {
        Self { rule, reason: rule.reason, packet: None, version: None, detail: Cow::Borrowed(rule.words) }
    }

    /// Adds what was seen. Pass nothing long that came from the peer.
    pub(crate) fn seen(mut self, seen: impl fmt::Display) -> Self {
        self.detail = Cow::Owned(format!("{} ({seen})", self.rule.words));
        self
    }

    /// Sends another reason code than the rule's.
    pub(crate) const fn because(mut self, reason: ReasonCode) -> Self {
        self.reason = reason;
        self
    }

    /// Says in which packet, unless that is known already.
    pub(crate) fn within(mut self, packet: PacketType) -> Self {
        self.packet.get_or_insert(packet);
        self
    }

    /// Says on which version, unless that is known already.
    pub(crate) fn on(mut self, version: Version) -> Self {
        self.version.get_or_insert(version);
        self
    }

    /// The number of the broken statement in the connection's version, as `MQTT-1.5.4-1`; where the version has no
    /// number for the rule, the section of MQTT 5.0 that says it, as `§2.1.2`.
    #[must_use]
    pub fn statement(&self) -> &'static str {
        let number = match self.version {
            Some(Version::V3_1 | Version::V3_1_1) => self.rule.statement.v311,
            Some(Version::V5) | None => self.rule.statement.v5,
        };
        number.unwrap_or(self.rule.section)
    }

    /// The numbers of the broken statement in both standards.
    #[must_use]
    pub const fn statements(&self) -> Statement {
        self.rule.statement
    }

    /// The reason code to send. It may lie outside what CONNACK or DISCONNECT allow on the connection's version.
    #[must_use]
    pub const fn reason(&self) -> ReasonCode {
        self.reason
    }

    /// The packet in which it was seen, if it got that far.
    #[must_use]
    pub const fn packet_type(&self) -> Option<PacketType> {
        self.packet
    }

    /// The version in whose terms to answer, if the peer got that far. A CONNECT of an unknown level is answered in
    /// the terms of the nearest known version.
    #[must_use]
    pub const fn version(&self) -> Option<Version> {
        self.version
    }

    /// What is wrong, in words, with what was seen.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl fmt::Display for SpecViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] ", self.statement())?;
        if let Some(packet) = self.packet {
            write!(f, "{packet}: ")?;
        }
        f.write_str(&self.detail)
    }
}
