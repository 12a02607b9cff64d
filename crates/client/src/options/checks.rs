//! What can be wrong with options, found before anything is sent.

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use gridmq_proto::codec::encoded_len;
use gridmq_proto::packet::Connect;
use gridmq_proto::{ByteString, Packet, Version};

use super::Options;
use crate::address::Address;
use crate::auth::wiped;
use crate::connect::Plan;
use crate::error::{ConnectError, ConnectErrorKind, Stage};
use crate::preset;
use crate::profile::Login;
use crate::publish::whole_seconds;
use crate::will::Will;

/// How long a session lasts on the way from one certificate to the next, if the application asks for nothing.
const MIN_MOVE_EXPIRY: Duration = Duration::from_secs(60);
const MAX_MOVE_EXPIRY: Duration = Duration::from_secs(60 * 60);
/// How long a session outlives a lost connection, if the application asks for nothing.
const RETURN_EXPIRY: Duration = Duration::from_secs(5 * 60);
const DEFAULT_TOPIC_ALIASES: u16 = 16;

/// What a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A client that can dial again.
    Session,
    /// One over a stream that the caller has brought.
    OwnStream,
    /// Packets without a session.
    Raw,
}

/// Makes errors of options.
pub(super) struct Judge {
    pub(super) target: String,
    pub(super) version: Version,
}

impl Judge {
    pub(super) fn fail(&self, kind: ConnectErrorKind) -> ConnectError {
        ConnectError::new(&self.target, self.version, Stage::Options, kind)
    }

    /// Of that server.
    pub(super) fn at(&self, address: &Address) -> Self {
        Self { target: address.shown(), version: self.version }
    }

    fn option(&self, option: &'static str, problem: impl Into<String>) -> ConnectError {
        self.fail(ConnectErrorKind::Option { option, problem: problem.into() })
    }
}

impl Options {
    /// Looks at everything that can be wrong before anything is sent; every connect does the same first.
    ///
    /// # Errors
    /// The first option that cannot be used, by its name, with the cure.
    pub fn check(&self) -> Result<(), ConnectError> {
        self.clone().plan(Purpose::Session).map(drop)
    }

    /// The first option that is set and that only MQTT 5.0 has.
    fn only_v5(&self) -> Option<&'static str> {
        let properties = &self.properties;
        [
            ("session_expiry", properties.session_expiry_interval.is_some()),
            ("topic_alias_maximum", self.topic_alias_maximum.is_some_and(|aliases| aliases != 0)),
            ("outbound_topic_aliases", self.outbound_topic_aliases.is_some_and(|aliases| aliases != 0)),
            ("request_response_information", properties.request_response_information.is_some()),
            ("request_problem_information", properties.request_problem_information.is_some()),
            ("user_property", !properties.user_properties.is_empty()),
        ]
        .into_iter()
        .find_map(|(name, set)| set.then_some(name))
        .or_else(|| self.will.as_ref().and_then(Will::only_v5))
    }

    /// The CONNECT as it is sent, but for what an authenticator or a provider adds.
    fn connect_packet(&self, judge: &Judge, address: &Address) -> Result<Connect, ConnectError> {
        let version = self.version;
        let keep_alive = u16::try_from(whole_seconds(self.keep_alive))
            .map_err(|_| judge.option("keep_alive", "it is longer than 65,535 seconds"))?;
        let receive_maximum = NonZeroU16::new(self.receive_maximum)
            .ok_or_else(|| judge.option("receive_maximum", "it is 0, so nothing of QoS 1 or 2 could be received"))?;
        let maximum_packet_size = NonZeroU32::new(self.maximum_packet_size)
            .ok_or_else(|| judge.option("maximum_packet_size", "it is 0, so nothing could be received"))?;
        if let Some(option) = self.only_v5().filter(|_| !version.is_v5()) {
            let problem = format!("{version} has no such thing: leave it out, or connect with 5.0");
            return Err(judge.option(option, problem));
        }
        let will = match self.will.clone().map(Will::into_packet).transpose() {
            Ok(will) => will.map(Box::new),
            Err(error) => return Err(judge.option("will", error.to_string())),
        };
        let username = self.username.clone().or_else(|| address.username.as_deref().map(ByteString::from));
        let password = self.password.clone().or_else(|| address.password.clone().map(wiped));
        let unnamed = self.client_id.is_empty();
        if unnamed && version == Version::V3_1 {
            return Err(judge.option("client_id", "MQTT 3.1 needs one: give each client a name of its own"));
        }
        if unnamed && !self.clean_start && !version.is_v5() {
            return Err(judge.option("client_id", "a session that is kept needs a name to find it by: give one"));
        }
        let mut properties = self.properties.clone();
        if version.is_v5() {
            properties.receive_maximum = Some(receive_maximum);
            properties.maximum_packet_size = Some(maximum_packet_size);
            let aliases = self.topic_alias_maximum.unwrap_or(DEFAULT_TOPIC_ALIASES);
            properties.topic_alias_maximum = (aliases != 0).then_some(aliases);
        }
        let client_id = self.client_id.clone();
        let clean_start = self.clean_start;
        Ok(Connect { version, clean_start, keep_alive, client_id, username, password, will, properties })
    }

    /// Looks at everything that can be wrong before anything is sent.
    pub(super) fn plan(mut self, purpose: Purpose) -> Result<Plan, ConnectError> {
        let target = self.address.as_ref().map(Address::shown).unwrap_or_default();
        let judge = Judge { target, version: self.version };
        let address = match &self.address {
            Ok(address) => address.clone(),
            Err(error) => return Err(judge.fail(ConnectErrorKind::Address(error.clone()))),
        };
        let addresses = self
            .transport
            .addresses(&address)
            .map_err(|(target, kind)| ConnectError::new(&target, self.version, Stage::Options, kind))?;
        let mut connect = self.connect_packet(&judge, &address)?;
        let is_nameless = |address: &&Address| self.username.is_none() && address.username.is_none();
        if let Some(address) = addresses.iter().find(is_nameless).filter(|_| self.password.is_some())
            && !self.version.is_v5()
        {
            let problem = "MQTT 3.1.1 takes one only with a user name: give that too";
            return Err(judge.at(address).option("password", problem));
        }
        let comes_back = purpose == Purpose::Session && (self.reconnect.enabled || self.tls.rotates());
        // What a store promises needs a session that outlives the connection.
        let keeps = self.queue.store.is_some();
        let lends_session = (comes_back || keeps) && connect.properties.session_expiry_interval.is_none();
        if lends_session && self.version.is_v5() {
            let move_expiry = self.connect_timeout.saturating_mul(2).clamp(MIN_MOVE_EXPIRY, MAX_MOVE_EXPIRY);
            let expiry = if self.reconnect.enabled || keeps { move_expiry.max(RETURN_EXPIRY) } else { move_expiry };
            connect.properties.session_expiry_interval = Some(whole_seconds(expiry));
        }
        let packet = Packet::Connect(Box::new(connect.clone()));
        encoded_len(&packet, self.version).map_err(|error| judge.fail(ConnectErrorKind::Packet(error)))?;
        self.auth.check(self.version, &self.properties).map_err(|(option, problem)| judge.option(option, problem))?;
        let path = self.transport.websocket.path.as_deref();
        for address in &addresses {
            let judge = judge.at(address);
            preset::check_address(self.profile, address, path)
                .map_err(|bad| judge.option(bad.rule.option(), bad.problem))?;
            if purpose != Purpose::OwnStream {
                let checked = self.auth.check_way(address, &self.transport);
                checked.map_err(|(option, problem)| judge.option(option, problem))?;
            }
        }
        if self.profile.has_no_filters() {
            let problem = "it is 0, so nothing could be subscribed to: leave it out, or give 1 or more";
            return Err(judge.option("filters_per_packet", problem));
        }
        self.profile
            .check_connect(&connect, self.login())
            .map_err(|error| judge.option(error.rule.option(), error.to_string()))?;
        if self.queue.store.is_some() && (connect.client_id.is_empty() || self.clean_start) {
            let problem = "a session that outlives the process needs a client_id and clean_start(false)";
            return Err(judge.option("store", problem));
        }
        if purpose == Purpose::OwnStream {
            // The address is only a name there.
            self.reconnect.redirects = 0;
        }
        let tls = self.tls.plan(&judge, &addresses, self.profile)?;
        Ok(Plan {
            addresses,
            tls,
            connect,
            profile: self.profile,
            ends_session: lends_session && !keeps,
            named_elsewhere: self.named_elsewhere || self.auth.has_authenticator(),
            username_of_address: self.username.is_none(),
            password_of_address: self.password.is_none(),
            receive_maximum: self.receive_maximum,
            maximum_packet_size: self.maximum_packet_size,
            outbound_topic_aliases: self.outbound_topic_aliases.unwrap_or(DEFAULT_TOPIC_ALIASES),
            connect_timeout: self.connect_timeout,
            request_timeout: self.request_timeout,
            transport: self.transport,
            auth: self.auth,
            queue: self.queue,
            watch: self.watch,
            reconnect: self.reconnect,
        })
    }

    const fn login(&self) -> Login {
        // A provider is asked at the connect, and a token says itself who its bearer is.
        let asked_later = self.auth.user.is_some() || self.auth.has_authenticator();
        Login { named_elsewhere: self.named_elsewhere || asked_later }
    }
}
