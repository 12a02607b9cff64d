//! Limits as data: what is limited, to what, what comes of it, and who says so.

use std::fmt;

/// What a service limits. The discriminant is the place in a profile's table of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// The name by which the server is reached.
    Host,
    /// The port.
    Port,
    /// TLS is required.
    Tls,
    /// The oldest version of MQTT.
    Version,
    /// A client identifier is required, of so many characters at most.
    ClientId,
    /// A user name is required.
    Username,
    /// The shortest keep-alive, in seconds.
    KeepAliveMinimum,
    /// The longest keep-alive, in seconds.
    KeepAliveMaximum,
    /// The highest QoS of a PUBLISH, a will or a subscription.
    Qos,
    /// The longest will delay, in seconds.
    WillDelay,
    /// How long a session is kept at most, in seconds.
    SessionExpiry,
    /// User properties on CONNECT.
    ConnectUserProperties,
    /// User properties on SUBSCRIBE.
    SubscribeUserProperties,
    /// User properties on DISCONNECT.
    DisconnectUserProperties,
    /// User properties on PUBACK.
    AckUserProperties,
    /// User properties on AUTH.
    AuthUserProperties,
    /// A PUBACK with a failure.
    FailingAck,
    /// Subscription identifiers.
    SubscriptionIdentifiers,
    /// Shared subscriptions on MQTT 3.1.1.
    SharedSubscriptionsV3,
    /// A whole packet, in bytes.
    Packet,
    /// A message's payload, in bytes.
    Payload,
    /// A retained message's payload, in bytes.
    RetainedPayload,
    /// A topic name or filter, in bytes.
    Topic,
    /// The segments of a topic name or filter.
    TopicLevels,
    /// A response topic, in bytes.
    ResponseTopic,
    /// Correlation data, in bytes.
    CorrelationData,
    /// A content type, in bytes.
    ContentType,
    /// The names and values of all user properties of a PUBLISH, in bytes.
    UserProperties,
    /// Authentication data, in bytes.
    AuthenticationData,
    /// Topic filters in one SUBSCRIBE.
    FiltersPerSubscribe,
}

impl Rule {
    pub(super) const COUNT: usize = Self::FiltersPerSubscribe as usize + 1;

    /// The option whose value breaks it, for what is checked before connecting.
    pub(crate) const fn option(self) -> &'static str {
        match self {
            Self::Host | Self::Port | Self::Tls => "address",
            Self::Version => "version",
            Self::ClientId => "client_id",
            Self::Username => "username",
            Self::KeepAliveMinimum | Self::KeepAliveMaximum => "keep_alive",
            Self::SessionExpiry => "session_expiry",
            Self::ConnectUserProperties => "user_property",
            Self::AuthenticationData | Self::AuthUserProperties => "authenticator",
            _ => "will",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Host => "the host name",
            Self::Port => "the port",
            Self::Tls => "TLS",
            Self::Version => "the version of MQTT",
            Self::ClientId => "the client identifier, in characters",
            Self::Username => "the user name",
            Self::KeepAliveMinimum => "the shortest keep-alive, in seconds",
            Self::KeepAliveMaximum => "the longest keep-alive, in seconds",
            Self::Qos => "the QoS",
            Self::WillDelay => "the will delay, in seconds",
            Self::SessionExpiry => "the session expiry, in seconds",
            Self::ConnectUserProperties => "user properties on CONNECT",
            Self::SubscribeUserProperties => "user properties on SUBSCRIBE",
            Self::DisconnectUserProperties => "user properties on DISCONNECT",
            Self::AckUserProperties => "user properties on PUBACK",
            Self::AuthUserProperties => "user properties on AUTH",
            Self::FailingAck => "PUBACK with a failure",
            Self::SubscriptionIdentifiers => "subscription identifiers",
            Self::SharedSubscriptionsV3 => "shared subscriptions on MQTT 3.1.1",
            Self::Packet => "a packet, in bytes",
            Self::Payload => "a payload, in bytes",
            Self::RetainedPayload => "a retained payload, in bytes",
            Self::Topic => "a topic or filter, in bytes",
            Self::TopicLevels => "segments of a topic or filter",
            Self::ResponseTopic => "a response topic, in bytes",
            Self::CorrelationData => "correlation data, in bytes",
            Self::ContentType => "a content type, in bytes",
            Self::UserProperties => "all user properties of a PUBLISH, in bytes",
            Self::AuthenticationData => "authentication data, in bytes",
            Self::FiltersPerSubscribe => "filters in one SUBSCRIBE",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

/// What a limit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitValue {
    /// So much at most (at least, for [`Rule::KeepAliveMinimum`]); 0 is none at all.
    Number(u32),
    /// A shape or a set.
    Text(&'static str),
}

impl fmt::Display for LimitValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(0) => f.write_str("none"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// What comes of breaking a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Consequence {
    /// [`Options::check`](crate::Options::check) and every connect say so before anything is sent.
    RefusedAtBuild,
    /// The call fails; nothing is sent.
    RefusedAtCall,
    /// The request goes out in several packets.
    Split,
    /// It is left out, with a warning in the log.
    LeftOut,
    /// The client leaves it to the server, which lowers the value and says so.
    LeftToServer,
}

impl fmt::Display for Consequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RefusedAtBuild => "error of the options",
            Self::RefusedAtCall => "error of the call",
            Self::Split => "split over several packets",
            Self::LeftOut => "left out",
            Self::LeftToServer => "the server lowers it",
        })
    }
}

/// One limit of a service. Its display is a row of a Markdown table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limit {
    /// What is limited.
    pub rule: Rule,
    /// To what.
    pub value: LimitValue,
    /// What comes of breaking it.
    pub outcome: Consequence,
    /// Where the service says so.
    pub source: &'static str,
}

impl Limit {
    pub(crate) const fn new(rule: Rule, value: LimitValue, outcome: Consequence, source: &'static str) -> Self {
        Self { rule, value, outcome, source }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, value, outcome, source } = self;
        write!(f, "| {rule} | {value} | {outcome} | {source} |")
    }
}

/// A service does not take that; nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProfileError {
    /// Which service.
    pub service: &'static str,
    /// What it limits.
    pub rule: Rule,
    /// To what.
    pub limit: u32,
    /// What there is.
    pub found: u64,
    /// The topic, filter or content type that is too long: its beginning, safe for a terminal.
    pub subject: Option<Box<str>>,
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, rule, limit, found, subject } = self;
        let this = subject.as_deref().map_or_else(|| "this one".to_owned(), |subject| format!("\"{subject}\""));
        match rule {
            Rule::Host | Rule::Port | Rule::Tls => write!(f, "{service} is not reached like that: check the address"),
            Rule::Version => write!(f, "{service} does not speak MQTT 3.1: use 5.0 or 3.1.1"),
            Rule::ClientId if *found == 0 => write!(f, "{service} requires one: give a name of its own to each client"),
            Rule::ClientId => {
                write!(
                    f,
                    "{service} takes client identifiers of {limit} characters at most, and this one has {found}: \
                           shorten it"
                )
            }
            Rule::Username => write!(
                f,
                "{service} knows clients by their user name: give the client authentication name, or call \
                 alternative_name_source() where the namespace finds it in the certificate"
            ),
            Rule::KeepAliveMinimum => {
                write!(f, "{service} takes keep-alives of {limit} s at least, and this one is {found} s: lengthen it")
            }
            Rule::KeepAliveMaximum if *found == 0 => {
                write!(f, "{service} does not do without a keep-alive: give one of {limit} s at most")
            }
            Rule::KeepAliveMaximum => {
                write!(f, "{service} takes keep-alives of {limit} s at most, and this one is {found} s: shorten it")
            }
            Rule::Qos => write!(f, "{service} has no QoS {found}: use QoS {limit} or lower"),
            Rule::WillDelay => {
                write!(f, "{service} takes will delays of {limit} s at most, and this one is {found} s: shorten it")
            }
            Rule::SessionExpiry => {
                write!(f, "{service} keeps sessions for {limit} s at most, and this one is for {found} s: shorten it")
            }
            Rule::ConnectUserProperties
            | Rule::SubscribeUserProperties
            | Rule::DisconnectUserProperties
            | Rule::AckUserProperties
            | Rule::AuthUserProperties
            | Rule::SubscriptionIdentifiers => write!(f, "{service} does not take {rule}: leave them out"),
            Rule::FailingAck => {
                write!(f, "{service} ends the connection of a client that refuses a message: accept it")
            }
            Rule::SharedSubscriptionsV3 => {
                write!(f, "{service} does not take {rule}: connect with 5.0, or subscribe without $share")
            }
            Rule::Packet => write!(
                f,
                "{service} takes packets of {limit} bytes at most, and this one has {found}: send the payload in parts"
            ),
            Rule::Payload => write!(
                f,
                "{service} takes payloads of {limit} bytes at most, and this one has {found}: send it in parts"
            ),
            Rule::RetainedPayload => write!(
                f,
                "{service} takes retained payloads of {limit} bytes at most, and this one has {found}: shorten it, or \
                 publish it without RETAIN"
            ),
            Rule::Topic => write!(
                f,
                "{service} takes topics and filters of {limit} bytes at most, and {this} has {found}: shorten it"
            ),
            Rule::TopicLevels => write!(
                f,
                "{service} takes topics and filters of {limit} segments at most, and {this} has {found}: use fewer"
            ),
            Rule::ResponseTopic => write!(
                f,
                "{service} takes response topics of {limit} bytes at most, and {this} has {found}: shorten it"
            ),
            Rule::CorrelationData => write!(
                f,
                "{service} takes correlation data of {limit} bytes at most, and these have {found}: shorten them"
            ),
            Rule::ContentType => {
                write!(f, "{service} takes content types of {limit} bytes at most, and {this} has {found}: shorten it")
            }
            Rule::UserProperties => write!(
                f,
                "{service} takes user properties whose names and values have {limit} bytes in all at most, and these \
                 have {found}: leave some out"
            ),
            Rule::AuthenticationData => write!(
                f,
                "{service} takes authentication data of {limit} bytes at most, and these have {found}: a shorter token \
                 is needed"
            ),
            Rule::FiltersPerSubscribe => {
                write!(
                    f,
                    "{service} takes {limit} filters in one SUBSCRIBE at most, and there are {found}: send several"
                )
            }
        }
    }
}

impl std::error::Error for ProfileError {}
