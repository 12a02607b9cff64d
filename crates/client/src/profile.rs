//! What a service refuses although the standard allows it, checked before anything is sent.

mod limit;

use gridmq_proto::codec::encoded_len;
use gridmq_proto::message::SubscriptionId;
use gridmq_proto::packet::{AuthProperties, Connect, DisconnectProperties, Publish, SubscribeFilter, UserProperties};
use gridmq_proto::session::client::Outgoing;
use gridmq_proto::{Message, Packet, PacketId, QoS, ReasonCode, SubscriptionFilter, Version};

pub use limit::{Consequence, Limit, LimitValue, ProfileError, Rule};

use crate::error::quoted;

type Values = [Option<u32>; Rule::COUNT];

/// The numbers of a table by rule, 1 for what has none.
#[allow(clippy::indexing_slicing, reason = "evaluated when this is compiled")]
const fn values(limits: &[Limit]) -> Values {
    let mut values = [None; Rule::COUNT];
    let mut rest = limits;
    while let [limit, tail @ ..] = rest {
        values[limit.rule as usize] = match limit.value {
            LimitValue::Number(number) => Some(number),
            LimitValue::Text(_) => Some(1),
        };
        rest = tail;
    }
    values
}

/// A service and its limits; of none, everything goes.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) name: &'static str,
    /// What is in front of a topic without counting as part of it, and how many segments that is.
    uncounted: Option<(&'static str, usize)>,
    values: Values,
}

impl Service {
    pub(crate) const fn new(
        name: &'static str,
        uncounted: Option<(&'static str, usize)>,
        limits: &'static [Limit],
    ) -> Self {
        Self { name, uncounted, values: values(limits) }
    }

    fn value(&self, rule: Rule) -> Option<u32> {
        self.values.get(rule as usize).copied().flatten()
    }
}

/// What to check for whom, and how requests to it are cut.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Profile {
    service: Option<&'static Service>,
    /// The judgement is left to the server.
    unchecked: bool,
    /// In one packet, in place of the service's number.
    filters: Option<u16>,
}

/// What a CONNECT does not say itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Login {
    /// The server finds the client's name elsewhere: in its certificate, or in a token.
    pub(crate) named_elsewhere: bool,
}

/// More than headers and lengths of fields can add to what a message weighs, but for user properties.
const OVERHEAD: usize = 64;
/// What a user property adds to its name and value.
const PROPERTY_OVERHEAD: usize = 5;

impl Profile {
    pub(crate) const fn of(service: &'static Service) -> Self {
        Self { service: Some(service), unchecked: false, filters: None }
    }

    /// Whether its limits are checked. What makes it work at all stays.
    pub(crate) const fn checked(mut self, checked: bool) -> Self {
        self.unchecked = !checked;
        self
    }

    /// So many filters in one packet.
    pub(crate) const fn with_filters(mut self, filters: u16) -> Self {
        self.filters = Some(filters);
        self
    }

    /// The service's name, if there is one.
    pub(crate) fn name(self) -> Option<&'static str> {
        self.service.map(|service| service.name)
    }

    /// Whose limits are checked.
    pub(crate) fn judge(self) -> Option<&'static Service> {
        self.service.filter(|_| !self.unchecked)
    }

    /// The number of filters that was asked for makes no packet.
    pub(crate) fn has_no_filters(self) -> bool {
        self.filters == Some(0)
    }

    /// How many filters go into one SUBSCRIBE or UNSUBSCRIBE at most.
    pub(crate) fn max_filters(self) -> usize {
        let own = self.service.and_then(|service| service.value(Rule::FiltersPerSubscribe)).map(|limit| limit as usize);
        self.filters.map(usize::from).or(own).unwrap_or(usize::MAX)
    }

    fn limit(self, rule: Rule) -> Option<u32> {
        self.judge().and_then(|service| service.value(rule))
    }

    fn broken(self, rule: Rule, limit: u32, found: u64) -> ProfileError {
        ProfileError { service: self.name().unwrap_or("the service"), rule, limit, found, subject: None }
    }

    fn at_most(self, rule: Rule, found: usize) -> Result<(), ProfileError> {
        match self.limit(rule) {
            Some(limit) if found > limit as usize => Err(self.broken(rule, limit, found as u64)),
            _ => Ok(()),
        }
    }

    /// Names what is too long.
    fn text_at_most(self, rule: Rule, found: usize, text: &str) -> Result<(), ProfileError> {
        self.at_most(rule, found).map_err(|error| ProfileError { subject: Some(quoted(text).into()), ..error })
    }

    /// What is checked before connecting.
    pub(crate) fn check_connect(self, connect: &Connect, login: Login) -> Result<(), ProfileError> {
        if self.judge().is_none() {
            return Ok(());
        }
        if connect.version == Version::V3_1 {
            return Err(self.broken(Rule::Version, 4, 3));
        }
        if let Some(limit) = self.limit(Rule::ClientId) {
            match connect.client_id.chars().count() {
                0 => return Err(self.broken(Rule::ClientId, limit, 0)),
                characters => self.at_most(Rule::ClientId, characters)?,
            }
        }
        if self.limit(Rule::Username).is_some() && connect.username.is_none() && !login.named_elsewhere {
            return Err(self.broken(Rule::Username, 1, 0));
        }
        if let Some(limit) = self.limit(Rule::KeepAliveMaximum)
            && (connect.keep_alive == 0 || u32::from(connect.keep_alive) > limit)
        {
            return Err(self.broken(Rule::KeepAliveMaximum, limit, connect.keep_alive.into()));
        }
        if let Some(limit) = self.limit(Rule::KeepAliveMinimum).filter(|&limit| u32::from(connect.keep_alive) < limit) {
            return Err(self.broken(Rule::KeepAliveMinimum, limit, connect.keep_alive.into()));
        }
        let properties = &connect.properties;
        self.at_most(Rule::ConnectUserProperties, properties.user_properties.len())?;
        self.at_most(Rule::AuthenticationData, properties.authentication_data.as_ref().map_or(0, |data| data.len()))?;
        if let Some(will) = &connect.will {
            self.at_most(Rule::WillDelay, will.delay_interval as usize)?;
            self.check_message(&will.message, will.qos, will.retain)?;
        }
        Ok(())
    }

    /// A message to publish.
    pub(crate) fn check_publish(self, outgoing: &Outgoing, version: Version) -> Result<(), ProfileError> {
        if self.judge().is_none() {
            return Ok(());
        }
        let Outgoing { message, qos, retain } = outgoing;
        self.check_message(message, *qos, *retain)?;
        let Some(limit) = self.limit(Rule::Packet) else { return Ok(()) };
        let overhead = OVERHEAD + PROPERTY_OVERHEAD * message.properties().user_properties.len();
        if message.weight() + overhead <= limit as usize {
            return Ok(());
        }
        let publish = Publish {
            dup: false,
            qos: *qos,
            retain: *retain,
            packet_id: PacketId::new(1).filter(|_| *qos != QoS::AtMostOnce),
            topic: Some(message.topic.clone()),
            topic_alias: None,
            subscription_identifiers: <_>::default(),
            payload: message.payload.clone(),
            properties: message.properties.clone(),
        };
        // What cannot be written at all is found elsewhere.
        encoded_len(&Packet::Publish(publish), version).map_or(Ok(()), |size| self.at_most(Rule::Packet, size))
    }

    fn check_message(self, message: &Message, qos: QoS, retain: bool) -> Result<(), ProfileError> {
        self.check_qos(qos)?;
        self.check_topic(message.topic.as_str())?;
        self.at_most(Rule::Payload, message.payload.len())?;
        if retain {
            self.at_most(Rule::RetainedPayload, message.payload.len())?;
        }
        let Some(properties) = message.properties.as_deref() else { return Ok(()) };
        if let Some(topic) = properties.response_topic.as_ref().map(|topic| topic.as_str()) {
            self.text_at_most(Rule::ResponseTopic, topic.len(), topic)?;
        }
        self.at_most(Rule::CorrelationData, properties.correlation_data.as_ref().map_or(0, |data| data.len()))?;
        if let Some(text) = &properties.content_type {
            self.text_at_most(Rule::ContentType, text.len(), text)?;
        }
        let bytes = properties.user_properties.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.at_most(Rule::UserProperties, bytes)
    }

    fn check_qos(self, qos: QoS) -> Result<(), ProfileError> {
        self.at_most(Rule::Qos, usize::from(qos as u8))
    }

    /// Bytes and segments that count.
    fn counted(self, topic: &str) -> (usize, usize) {
        let segments = topic.split('/').count();
        let uncounted =
            self.judge().and_then(|service| service.uncounted).filter(|(prefix, _)| topic.starts_with(prefix));
        match uncounted {
            Some((_, levels)) => {
                let rest = topic.splitn(levels + 1, '/').nth(levels).unwrap_or_default();
                (rest.len(), segments.saturating_sub(levels))
            }
            None => (topic.len(), segments),
        }
    }

    /// Filters to subscribe to, over as many packets as [`Self::max_filters`] makes of them.
    pub(crate) fn check_subscribe(
        self,
        filters: &[SubscribeFilter],
        identifier: Option<SubscriptionId>,
        user_properties: &UserProperties,
        version: Version,
    ) -> Result<(), ProfileError> {
        if self.judge().is_none() {
            return Ok(());
        }
        self.at_most(Rule::SubscribeUserProperties, user_properties.len())?;
        self.at_most(Rule::SubscriptionIdentifiers, usize::from(identifier.is_some()))?;
        for SubscribeFilter { filter, options } in filters {
            self.check_qos(options.qos)?;
            self.check_topic(filter.filter().as_str())?;
            if !version.is_v5() {
                self.at_most(Rule::SharedSubscriptionsV3, usize::from(filter.group().is_some()))?;
            }
        }
        Ok(())
    }

    /// Filters to give up.
    pub(crate) fn check_unsubscribe(self, filters: &[SubscriptionFilter]) -> Result<(), ProfileError> {
        if self.judge().is_none() {
            return Ok(());
        }
        filters.iter().try_for_each(|filter| self.check_topic(filter.filter().as_str()))
    }

    /// A topic name or filter.
    fn check_topic(self, topic: &str) -> Result<(), ProfileError> {
        let (bytes, levels) = self.counted(topic);
        self.text_at_most(Rule::Topic, bytes, topic)?;
        self.text_at_most(Rule::TopicLevels, levels, topic)
    }

    /// An acknowledgement (PUBACK or PUBREC) of a received message.
    pub(crate) fn check_ack(self, reason: ReasonCode, user_properties: &UserProperties) -> Result<(), ProfileError> {
        self.at_most(Rule::FailingAck, usize::from(reason.is_failure()))?;
        self.at_most(Rule::AckUserProperties, user_properties.len())
    }

    /// An AUTH, or what CONNECT says of authentication.
    pub(crate) fn check_auth(self, auth: &AuthProperties) -> Result<(), ProfileError> {
        self.at_most(Rule::AuthenticationData, auth.authentication_data.as_ref().map_or(0, |data| data.len()))?;
        self.at_most(Rule::AuthUserProperties, auth.user_properties.len())
    }

    /// A DISCONNECT.
    pub(crate) fn check_disconnect(self, disconnect: &DisconnectProperties) -> Result<(), ProfileError> {
        self.at_most(Rule::DisconnectUserProperties, disconnect.user_properties.len())
    }
}

#[cfg(test)]
mod tests;
