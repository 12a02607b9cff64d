//! What the public API takes and gives can be named with this crate alone: the names that were missing once, and all that
//! the documents' examples use.
#![allow(missing_docs, unused_imports, reason = "tests")]

#[cfg(feature = "tls")]
use std::any::type_name;

use gridmq_client::auth::{
    AuthError, AuthErrorKind, Authenticator, BoxFuture, FileToken, FnToken, JwtAuthenticator, Token, TokenSource, User,
    UserProvider,
};
use gridmq_client::error::{
    AddressError, Attempt, ConnectErrorKind, DisconnectKind, EncodeError, Farewell, Foreign, Outcome, PingError,
    ProxyError, RejectError, RequestError, Side, SocksReply, SpecViolation, Stage, TemplateError, TopicError,
    WebSocketError,
};
use gridmq_client::inspect::{Direction, Inspected, Inspector};
use gridmq_client::metrics::{Cause, Condition, Exchange, MessageFate, Metrics, Snapshot};
use gridmq_client::preset::{Consequence, Limit, LimitValue, ProfileError, Rule};
use gridmq_client::proto::packet::{ConnAck, Packet, PacketType};
use gridmq_client::proto::session::PublishToken;
use gridmq_client::rpc::{CallError, CallFailure, Caller, MqttNetCaller, Reply, Responder, RpcError};
use gridmq_client::{
    AckToken, AddressFamily, ByteStream, ByteString, Bytes, Client, ConnAckProperties, ConnectError, ConnectionEvent,
    ConnectionInfo, ConnectionState, Decision, Dialer, Dialing, DisconnectCause, DisconnectRequest, Events, Failure,
    FailureKind, Filter, GrantedFilter, LocalAddress, Message, MessageProperties, Messages, OnDrop, Options, Overflow,
    Proxy, PublishAllRequest, PublishError, PublishRequest, Published, QoS, QueueOptions, QueueStatus, ReasonCode,
    Reconnect, RefusedFilter, Rejection, RetainHandling, ServerLimits, ServerOrder, Setback, Shed, SubscribeError,
    SubscribeRequest, Subscription, SubscriptionFilter, SubscriptionId, Target, Ticket, TopicFilter, TopicName,
    TopicTemplate, TryNextError, UnsubscribeAllRequest, UnsubscribeRequest, Unsubscribed, UserProperties, Version,
    Will,
};

#[cfg(feature = "tls")]
/// One type of this crate's API, and the crate that it is told to come from.
fn named<T: ?Sized>() -> &'static str {
    type_name::<T>()
}

#[test]
fn fields_and_arguments_are_of_types_that_this_crate_names() {
    // A field or an argument, and the name for its type.
    let _: fn(&ConnectionInfo) -> (&ServerLimits, &ConnAckProperties, &ByteString) =
        |info| (&info.limits, &info.properties, &info.client_id);
    let _: fn(&Message) -> (&TopicName, &Bytes) = |message| (message.topic(), message.payload());
    let _: fn(&Message) -> &MessageProperties = Message::properties;
    let _: fn(&Message) -> &[SubscriptionId] = Message::subscription_identifiers;
    let _: fn(&GrantedFilter) -> &SubscriptionFilter = |granted| &granted.filter;
    let _: fn(&TopicTemplate) -> &TopicFilter = TopicTemplate::filter;
    let _: fn(&DisconnectCause) -> &[(ByteString, ByteString)] = DisconnectCause::user_properties;
}

/// They are compiled as documentation's tests: so what they name is there, and here is seen that it needs no other crate.
#[test]
fn the_documents_examples_name_this_crate_and_a_runtime() {
    let pages = [
        include_str!("../../../README.md"),
        include_str!("../../../docs/client.md"),
        include_str!("../../../docs/mqttnet.md"),
        include_str!("../../../docs/presets.md"),
    ];
    let mut seen = 0;
    for line in pages.iter().flat_map(|page| page.lines()) {
        let Some(path) = line.trim_start().strip_prefix("use ").filter(|path| path.ends_with(';')) else { continue };
        let name = path.split([':', ';', ' ']).next().unwrap();
        assert!(["gridmq_client", "gridmq", "gridmq_broker", "std", "tokio"].contains(&name), "{line}");
        seen += usize::from(name == "gridmq_client");
    }
    assert!(seen > 20, "{seen}");
}

#[cfg(feature = "tls")]
#[test]
fn tls_is_there_too() {
    use gridmq_client::tls::{
        CredentialProvider, CredentialStatus, Fixed, Generation, HandshakeInfo, Identity, IdentityLoader, Passphrase,
        Pin, Published, Source, TlsError, TlsErrorKind, TlsVersion, TlsVersions, Trust, TrustSource,
    };

    let _: fn(Options, Trust, Identity) -> Options = |options, trust, identity| options.trust(trust).identity(identity);
    let _: fn(Options, std::sync::Arc<dyn CredentialProvider>) -> Options = Options::credentials;
    let _: fn(&Client) -> Option<CredentialStatus> = Client::credential_status;
    let _: fn(&ConnectionInfo) -> Option<&HandshakeInfo> = |info| info.tls.as_ref();
    let _: fn(Options) -> Options = |options| options.tls_versions(TlsVersions::BOTH);
    assert!(named::<Trust>().starts_with("gridmq_tls::"), "{}", named::<Trust>());
}

#[cfg(feature = "watch")]
#[test]
fn files_that_are_watched_are_there_too() {
    use gridmq_client::tls::WatchedFiles;

    let _: fn(WatchedFiles) -> std::sync::Arc<dyn gridmq_client::tls::CredentialProvider> =
        |files| std::sync::Arc::new(files);
}
