//! Who the client says it is: providers, enhanced authentication, and re-authentication before a proof runs out.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use gridmq_client::auth::{
    AuthError, AuthErrorKind, Authenticator, BoxFuture, Challenge, FnToken, Grant, JwtAuthenticator, Token, User,
};
use gridmq_client::error::{ConnectErrorKind, DisconnectKind, Stage};
use gridmq_client::{Client, ConnectError, ConnectionEvent, Events, Options, QoS, ReasonCode, Reconnect, Version};
use gridmq_proto::packet::{Auth, AuthProperties, ConnAck, ConnAckProperties, Packet};
use support::{Peer, bounded, builder, over, pair};
use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use tokio::time::Instant;

const HOUR: Duration = Duration::from_secs(3600);

/// Tokens that are numbered and valid for an hour from the first of them on, each an hour longer.
fn numbered() -> (Arc<AtomicU32>, JwtAuthenticator) {
    let asked = Arc::new(AtomicU32::new(0));
    let (count, start) = (Arc::clone(&asked), SystemTime::now());
    let source = FnToken::new(move || {
        let number = count.fetch_add(1, Ordering::Relaxed) + 1;
        async move { Ok(Token::new(format!("tell-tale-{number}")).expires_at(start + HOUR * number)) }
    });
    (asked, JwtAuthenticator::oauth2(source))
}

fn auth(reason: ReasonCode, method: &'static str, data: Option<&'static str>) -> Packet {
    let properties = AuthProperties {
        authentication_method: Some(method.into()),
        authentication_data: data.map(Into::into),
        ..AuthProperties::default()
    };
    Packet::Auth(Box::new(Auth { reason, properties }))
}

async fn heard(server: &mut Peer<DuplexStream>) -> (ReasonCode, String, String) {
    loop {
        match tokio::time::timeout(24 * HOUR, server.packet()).await.expect("the AUTH") {
            Packet::Auth(auth) => {
                let data = auth.properties.authentication_data.unwrap_or_default();
                let method = auth.properties.authentication_method.unwrap().to_string();
                return (auth.reason, method, String::from_utf8(data.to_vec()).unwrap());
            }
            Packet::PingReq => server.send(Packet::PingResp).await,
            other => panic!("{other:?}"),
        }
    }
}

async fn connected(options: Options) -> (Client, Peer<DuplexStream>, gridmq_proto::packet::Connect) {
    let (connect, mut server) = pair(Version::V5);
    let (client, said) = tokio::join!(connect(options), server.accept(false, ConnAckProperties::default()));
    (client.unwrap(), server, said)
}

async fn event(events: &mut Events) -> ConnectionEvent {
    tokio::time::timeout(24 * HOUR, events.next()).await.expect("in time").expect("an event")
}

fn of_auth(error: &ConnectError) -> &AuthError {
    let ConnectErrorKind::Auth(error) = error.kind() else { panic!("{error}") };
    error
}

#[tokio::test(start_paused = true)]
async fn pain_20_a_token_is_the_data_of_its_method_and_a_newer_one_follows_by_auth() {
    let (asked, method) = numbered();
    // Without pings, for the clock runs far ahead.
    let (client, mut server, said) =
        connected(builder().authenticator(Arc::new(method)).keep_alive(Duration::ZERO)).await;
    assert_eq!(said.properties.authentication_method.as_deref(), Some("OAUTH2-JWT"));
    assert_eq!(said.properties.authentication_data.as_deref(), Some(&b"tell-tale-1"[..]));
    assert_eq!((said.username, said.password), (None, None));
    let (mut events, mut begun) = (support::events_from_now(&client), Instant::now());
    for number in 2..5u32 {
        let (reason, method, data) = heard(&mut server).await;
        assert_eq!((reason, method.as_str()), (ReasonCode::ReAuthenticate, "OAUTH2-JWT"));
        assert_eq!(data, format!("tell-tale-{number}"));
        // The wall clock stands, so each token holds for an hour more than the one before.
        let left = (HOUR * (number - 1)).saturating_sub(begun.elapsed());
        assert!(left > Duration::from_secs(240) && left <= Duration::from_secs(600), "{left:?}");
        // The connection goes on meanwhile.
        let publish = async { client.publish("t", "while it goes on").qos(QoS::AtLeastOnce).await };
        let acknowledge = async {
            let id = server.publish().await.packet_id.unwrap();
            server.acknowledge(id).await;
        };
        let (published, ()) = tokio::join!(publish, acknowledge);
        published.unwrap();
        // The answer's properties may be left out.
        let bare = Auth { reason: ReasonCode::Success, properties: AuthProperties::default() };
        let answer =
            if number == 3 { Packet::Auth(Box::new(bare)) } else { auth(ReasonCode::Success, "OAUTH2-JWT", None) };
        server.send(answer).await;
        assert!(matches!(event(&mut events).await, ConnectionEvent::Reauthenticated));
        begun = Instant::now();
    }
    assert_eq!(asked.load(Ordering::Relaxed), 4);
    assert!(client.disconnected().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_is_told_and_asked_again() {
    let asked = Arc::new(AtomicU32::new(0));
    let (count, start) = (Arc::clone(&asked), SystemTime::now());
    let source = FnToken::new(move || {
        let number = count.fetch_add(1, Ordering::Relaxed);
        async move {
            match number {
                0 => Ok(Token::new("tell-tale").expires_at(start + HOUR)),
                1..4 => Err(AuthError::other("the vault", "it is sealed")),
                _ => Ok(Token::new("fresh").expires_at(start + 2 * HOUR)),
            }
        }
    });
    let method = Arc::new(JwtAuthenticator::custom(source));
    let (client, mut server, _) = connected(builder().authenticator(method).keep_alive(Duration::ZERO)).await;
    let mut events = support::events_from_now(&client);
    let (reason, method, data) = heard(&mut server).await;
    assert_eq!((reason, method.as_str(), data.as_str()), (ReasonCode::ReAuthenticate, "CUSTOM-JWT", "fresh"));
    server.send(auth(ReasonCode::Success, "CUSTOM-JWT", None)).await;
    for _ in 0..3 {
        let ConnectionEvent::ReauthenticationFailed { error, retry_in } = event(&mut events).await else { panic!() };
        assert!(error.to_string().contains("the vault") && error.to_string().contains("sealed"), "{error}");
        assert!(retry_in.unwrap() < Duration::from_secs(60));
    }
    assert!(matches!(event(&mut events).await, ConnectionEvent::Reauthenticated));
    assert_eq!(asked.load(Ordering::Relaxed), 5);
}

#[tokio::test(start_paused = true)]
async fn mqtt5_4_12_1_2_a_server_that_does_not_answer_a_re_authentication_is_left() {
    let (_, method) = numbered();
    let (client, mut server, _) = connected(builder().authenticator(Arc::new(method)).keep_alive(Duration::ZERO)).await;
    heard(&mut server).await;
    let asked = Instant::now();
    let Packet::Disconnect(disconnect) = bounded("the end", server.packet()).await else { panic!() };
    assert!(disconnect.reason.is_failure());
    assert_eq!(asked.elapsed().as_secs(), 30);
    drop(server);
    let cause = over(&client).await;
    let DisconnectKind::Auth(error) = cause.kind() else { panic!("{cause}") };
    assert!(matches!(error.kind(), AuthErrorKind::NoAnswer { .. }), "{cause}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_a_re_authentication_says_why() {
    let (_, method) = numbered();
    let (client, mut server, _) = connected(builder().authenticator(Arc::new(method)).keep_alive(Duration::ZERO)).await;
    heard(&mut server).await;
    let properties = <_>::default();
    server
        .send(Packet::Disconnect(gridmq_proto::packet::Disconnect { reason: ReasonCode::NotAuthorized, properties }))
        .await;
    drop(server);
    let cause = over(&client).await;
    assert!(matches!(cause.kind(), DisconnectKind::Server(ReasonCode::NotAuthorized)), "{cause}");
}

#[tokio::test]
async fn defect_09_an_auth_that_nobody_asked_for_is_an_end_with_a_name() {
    // Instead of CONNACK.
    let (connect, mut server) = pair(Version::V5);
    let ask = async {
        server.connect().await;
        server.send(auth(ReasonCode::ContinueAuthentication, "SURPRISE", None)).await;
        server.hang_up().await;
    };
    let (refused, ()) = tokio::join!(connect(builder()), ask);
    let error = refused.unwrap_err();
    let ConnectErrorKind::Violation(violation) = error.kind() else { panic!("{error}") };
    assert!(violation.to_string().contains("AUTH"), "{violation}");
    assert_eq!(error.stage(), Stage::Connect);
    // Later.
    for reason in [ReasonCode::ContinueAuthentication, ReasonCode::Success, ReasonCode::ReAuthenticate] {
        for asks in [false, true] {
            let (_, method) = numbered();
            let options = if asks { builder().authenticator(Arc::new(method)) } else { builder() };
            let (client, mut server, _) = connected(options).await;
            server.send(auth(reason, "OAUTH2-JWT", None)).await;
            let Packet::Disconnect(disconnect) = server.packet().await else { panic!() };
            assert_eq!(disconnect.reason, ReasonCode::ProtocolError);
            drop(server);
            let cause = over(&client).await;
            assert!(matches!(cause.kind(), DisconnectKind::Violation(_)), "{cause}");
        }
    }
}

#[tokio::test]
async fn a_challenge_to_a_method_of_one_step_is_an_end_with_a_name() {
    let (_, method) = numbered();
    let (connect, mut server) = pair(Version::V5);
    let ask = async {
        server.connect().await;
        server.send(auth(ReasonCode::ContinueAuthentication, "OAUTH2-JWT", Some("more"))).await;
        while server.next().await.is_some() {}
    };
    let (refused, ()) = tokio::join!(connect(builder().authenticator(Arc::new(method))), ask);
    let error = refused.unwrap_err();
    assert!(matches!(of_auth(&error).kind(), AuthErrorKind::Challenge), "{error}");
    assert_eq!(error.stage(), Stage::Connect);
    assert!(!format!("{error} {error:?}").contains("tell-tale"));
}

/// Counts aloud with the server, and knows it by its last word.
#[derive(Debug, Default)]
struct Counting {
    steps: Mutex<Vec<String>>,
}

impl Authenticator for Counting {
    fn method(&self) -> &str {
        "COUNT"
    }

    fn begin(&self) -> BoxFuture<'_, Result<Grant, AuthError>> {
        Box::pin(async { Ok(Grant::new("one")) })
    }

    fn answer(&self, challenge: Challenge) -> BoxFuture<'_, Result<Grant, AuthError>> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let heard = String::from_utf8(challenge.data().unwrap().to_vec()).unwrap();
            self.steps.lock().unwrap().push(heard.clone());
            Ok(Grant::new(format!("{heard} and one")))
        })
    }

    fn finish(&self, last: Challenge) -> BoxFuture<'_, Result<(), AuthError>> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            match last.data() {
                Some(data) if &data[..] == b"ten" => Ok(()),
                _ => Err(AuthError::permanent("the method COUNT", "the server cannot count")),
            }
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_method_of_several_steps_goes_through_them_and_looks_at_the_servers_proof() {
    for (last, believed) in [("ten", true), ("eleven", false)] {
        let method = Arc::new(Counting::default());
        let (connect, mut server) = pair(Version::V5);
        let serve = async {
            let said = server.connect().await;
            assert_eq!(said.properties.authentication_data.as_deref(), Some(&b"one"[..]));
            for step in ["two", "four"] {
                server.send(auth(ReasonCode::ContinueAuthentication, "COUNT", Some(step))).await;
                let answer = heard(&mut server).await;
                assert_eq!(answer, (ReasonCode::ContinueAuthentication, "COUNT".to_owned(), format!("{step} and one")));
            }
            let properties = ConnAckProperties {
                authentication_method: Some("COUNT".into()),
                authentication_data: Some(last.into()),
                ..ConnAckProperties::default()
            };
            let ack = ConnAck { session_present: false, reason: ReasonCode::Success, properties };
            server.send(Packet::ConnAck(Box::new(ack))).await;
            if believed {
                return Some(server);
            }
            while server.next().await.is_some() {}
            None
        };
        let options = builder().authenticator(Arc::clone(&method) as Arc<dyn Authenticator>);
        let (client, server) = bounded("connecting", async { tokio::join!(connect(options), serve) }).await;
        assert_eq!(*method.steps.lock().unwrap(), ["two", "four"]);
        if believed {
            let (client, mut server) = (client.unwrap(), server.unwrap());
            let (published, publish) = tokio::join!(client.publish("t", "p"), server.publish());
            published.unwrap();
            assert_eq!(publish.topic.unwrap().as_str(), "t");
        } else {
            let error = client.unwrap_err();
            assert!(of_auth(&error).to_string().contains("cannot count"), "{error}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_that_takes_too_long_ends_with_the_connect_timeout() {
    #[derive(Debug)]
    struct Stuck;
    impl Authenticator for Stuck {
        fn method(&self) -> &str {
            "STUCK"
        }
        fn begin(&self) -> BoxFuture<'_, Result<Grant, AuthError>> {
            Box::pin(async { Ok(Grant::empty()) })
        }
        fn answer(&self, _: Challenge) -> BoxFuture<'_, Result<Grant, AuthError>> {
            Box::pin(std::future::pending())
        }
    }
    let (connect, mut server) = pair(Version::V5);
    let ask = async {
        let said = server.connect().await;
        assert_eq!(said.properties.authentication_data, None);
        server.send(auth(ReasonCode::ContinueAuthentication, "STUCK", None)).await;
        while server.next().await.is_some() {}
    };
    let options = builder().authenticator(Arc::new(Stuck)).connect_timeout(Duration::from_secs(7));
    let (refused, ()) = bounded("connecting", async { tokio::join!(connect(options), ask) }).await;
    let error = refused.unwrap_err();
    assert!(matches!(error.kind(), ConnectErrorKind::Timeout { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_had_for_the_connect_fails_the_attempt_before_anything_is_sent() {
    let slow = FnToken::new(std::future::pending::<Result<Token, AuthError>>);
    let past = FnToken::new(|| async { Ok(Token::new("tell-tale").expires_at(SystemTime::now() - HOUR)) });
    let sealed = FnToken::new(|| async { Err(AuthError::other("the vault", "it is sealed")) });
    let huge = FnToken::new(|| async { Ok(Token::new("x".repeat(70_000))) });
    for (name, method) in [
        ("slow", JwtAuthenticator::oauth2(slow)),
        ("past", JwtAuthenticator::oauth2(past)),
        ("sealed", JwtAuthenticator::oauth2(sealed)),
        ("huge", JwtAuthenticator::oauth2(huge)),
    ] {
        let (connect, mut server) = pair(Version::V5);
        let refused = bounded(name, connect(builder().authenticator(Arc::new(method)))).await;
        let error = refused.unwrap_err();
        assert_eq!(error.stage(), Stage::Credentials, "{error}");
        assert!(server.next().await.is_none(), "nothing was sent");
        assert!(!format!("{error} {error:?}").contains("tell-tale"), "{error}");
        match name {
            "slow" => assert!(matches!(error.kind(), ConnectErrorKind::Timeout { .. }), "{error}"),
            "past" => assert!(matches!(of_auth(&error).kind(), AuthErrorKind::Expired { .. }), "{error}"),
            "sealed" => assert!(error.to_string().contains("it is sealed"), "{error}"),
            _ => assert!(matches!(error.kind(), ConnectErrorKind::Packet(_)), "{error}"),
        }
    }
}

#[tokio::test]
async fn a_user_provider_is_asked_at_every_connect() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let provider = move || {
        let number = count.fetch_add(1, Ordering::Relaxed) + 1;
        async move { Ok(User::new(format!("user-{number}")).with_password(format!("tell-tale-{number}"))) }
    };
    for version in [Version::V5, Version::V3_1_1] {
        asked.store(0, Ordering::Relaxed);
        let options = Client::builder(&format!("mqtt://from-url:url-password@127.0.0.1:{port}"))
            .client_id("c")
            .version(version)
            .username("overruled")
            .user_provider(Arc::new(provider.clone()))
            .reconnect(Reconnect::new().first_wait(Duration::from_millis(1)));
        assert!(!format!("{options:?}").contains("password\": Some(\""));
        let serve = async {
            for number in 1..4 {
                let (tcp, _) = listener.accept().await.unwrap();
                let mut server = Peer::new(tcp, version);
                let said = server.accept(version.is_v5() && number > 1, ConnAckProperties::default()).await;
                assert_eq!(said.username.as_deref(), Some(format!("user-{number}").as_str()));
                assert_eq!(said.password.as_deref(), Some(format!("tell-tale-{number}").as_bytes()));
                // Whoever closes in the same breath has refused.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let (client, ()) = bounded("three connects", async { tokio::join!(options.connect(), serve) }).await;
        drop(client.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_provider_that_fails_fails_the_attempt() {
    let (connect, mut server) = pair(Version::V3_1_1);
    let provider = || async { Err(AuthError::permanent("the vault", "there is no such user")) };
    let error = bounded("connecting", connect(builder().user_provider(Arc::new(provider)))).await.unwrap_err();
    assert!(of_auth(&error).is_permanent() && error.to_string().contains("no such user"), "{error}");
    assert!(server.next().await.is_none(), "nothing was sent");
}

#[tokio::test]
async fn what_cannot_work_is_an_option_with_a_name() {
    let (_, method) = numbered();
    let method: Arc<dyn Authenticator> = Arc::new(method);
    let (connect, _server) = pair(Version::V3_1_1);
    let error = connect(builder().authenticator(Arc::clone(&method))).await.unwrap_err();
    assert!(matches!(error.kind(), ConnectErrorKind::Option { option: "authenticator", .. }), "{error}");
    assert!(error.to_string().contains("MQTT 5.0"), "{error}");
    let nameless = JwtAuthenticator::with_method("", FnToken::new(|| async { Ok(Token::new("x")) }));
    let (connect, _server) = pair(Version::V5);
    let error = connect(builder().authenticator(Arc::new(nameless))).await.unwrap_err();
    assert!(matches!(error.kind(), ConnectErrorKind::Option { option: "authenticator", .. }), "{error}");
}

/// Writes down everything that is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl tracing::field::Visit for Log {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        fmt::Write::write_fmt(&mut *self.0.lock().unwrap(), format_args!("{field}={value:?} ")).unwrap();
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        span.record(&mut self.clone());
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        values.record(&mut self.clone());
    }
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test(start_paused = true)]
async fn no_token_and_no_password_is_logged_or_shown() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let (_, method) = numbered();
    let user = || async { Ok(User::new("somebody").with_password("tell-tale-password")) };
    let options = builder().authenticator(Arc::new(method)).user_provider(Arc::new(user)).keep_alive(Duration::ZERO);
    let mut shown = format!("{options:?} {:?}", User::new("u").with_password("tell-tale"));
    let (client, mut server, said) = connected(options).await;
    assert_eq!(said.password.as_deref(), Some(&b"tell-tale-password"[..]));
    shown.push_str(&format!("{said:?}"));
    let mut events = support::events_from_now(&client);
    heard(&mut server).await;
    server.send(auth(ReasonCode::Success, "OAUTH2-JWT", None)).await;
    shown.push_str(&format!("{:?}", event(&mut events).await));
    heard(&mut server).await;
    drop(server);
    let cause = over(&client).await;
    shown.push_str(&format!("{cause} {cause:?} {client:?} {:?}", client.state()));
    shown.push_str(&log.0.lock().unwrap());
    assert!(!shown.contains("tell-tale"), "{shown}");
    assert!(!log.0.lock().unwrap().is_empty(), "something is logged");
}
