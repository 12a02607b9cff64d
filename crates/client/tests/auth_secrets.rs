//! Where tokens and secrets may go, and what of them is shown.
#![cfg(feature = "tokens")]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use std::io;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use gridmq_client::auth::{
    AuthError, AuthErrorKind, Authenticator, AzureIdentity, BoxFuture, ClientSecret, FileToken, FnToken, Grant,
    JwtAuthenticator, Secret, Token, TokenSource, User,
};
use gridmq_client::error::ConnectErrorKind;
use gridmq_client::{Client, ConnectError, Dialer, Dialing, Options, Proxy, ReasonCode, Reconnect, Target, Version};
use gridmq_proto::packet::{ConnAck, ConnAckProperties, Packet};
use gridmq_tls::issue::{CertificateAuthority, Validity};
use gridmq_tls::{Identity, ServerConfig, Trust, TrustSource};
use support::{Peer, bounded, pair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn token() -> Arc<dyn Authenticator> {
    Arc::new(JwtAuthenticator::oauth2(FnToken::new(|| async { Ok(Token::new("tell-tale")) })))
}

fn options(address: &str) -> Options {
    let pin = "sha256:".to_owned() + &"00".repeat(32);
    let trust = Trust::only(TrustSource::Pin(pin.parse().unwrap())).unwrap();
    Client::builder(address).trust(trust).client_id("one").authenticator(token())
}

fn is_refused(checked: Result<(), ConnectError>) -> bool {
    match checked {
        Ok(()) => false,
        Err(error) => {
            assert!(matches!(error.kind(), ConnectErrorKind::Option { option: "authenticator", .. }), "{error}");
            true
        }
    }
}

#[derive(Debug)]
struct NoWay;

impl Dialer for NoWay {
    fn dial(&self, _: Target<'_>) -> Dialing<'_> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }
}

/// Proves that it knows a secret, and does not show it.
#[derive(Debug)]
struct Proof;

impl Authenticator for Proof {
    fn method(&self) -> &str {
        "PROOF"
    }

    fn is_bearer(&self) -> bool {
        false
    }

    fn begin(&self) -> BoxFuture<'_, Result<Grant, AuthError>> {
        Box::pin(async { Ok(Grant::new("proof")) })
    }
}

#[test]
fn a_token_does_not_go_over_a_plain_connection_to_elsewhere() {
    for address in ["mqtt://broker.example", "mqtt://10.0.0.1", "mqtt://localhost.example"] {
        assert!(is_refused(options(address).check()), "{address}");
        assert!(!is_refused(options(address).plain_tokens().check()), "{address}");
        assert!(!is_refused(options(address).authenticator(Arc::new(Proof)).check()), "{address}");
        assert!(!is_refused(options(address).dialer(Arc::new(NoWay)).check()), "{address}");
    }
    for address in ["mqtts://broker.example", "mqtt://localhost", "mqtt://127.0.0.2", "mqtt://[::1]:1884"] {
        assert!(!is_refused(options(address).check()), "{address}");
    }
    #[cfg(feature = "websocket")]
    assert!(is_refused(options("ws://broker.example").check()));
    #[cfg(unix)]
    assert!(!is_refused(options("unix:///run/broker.sock").check()));
    // One of several is enough, and what is local to a proxy is not local to us.
    let mixed = options("mqtts://broker.example").server("mqtt://broker.example");
    let error = mixed.check().unwrap_err();
    assert!(error.to_string().contains("TLS"), "{error}");
    assert!(is_refused(mixed.check()));
    assert!(is_refused(options("mqtt://localhost").proxy(Proxy::socks5("proxy.example")).check()));
}

#[tokio::test]
async fn a_token_goes_over_the_callers_own_stream() {
    let (connect, mut server) = pair(Version::V5);
    let (client, said) = tokio::join!(
        connect(Client::builder("mqtt://broker.example").authenticator(token())),
        server.accept(false, ConnAckProperties::default())
    );
    client.unwrap();
    assert_eq!(said.properties.authentication_data.as_deref(), Some(&b"tell-tale"[..]));
}

#[tokio::test]
async fn a_server_on_this_machine_does_not_send_a_token_elsewhere() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let send_away = async {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut server = Peer::new(tcp, Version::V5);
        server.connect().await;
        let properties =
            ConnAckProperties { server_reference: Some("broker.example".into()), ..ConnAckProperties::default() };
        let ack = ConnAck { session_present: false, reason: ReasonCode::UseAnotherServer, properties };
        server.send(Packet::ConnAck(Box::new(ack))).await;
        server.hang_up().await;
    };
    let port = listener.local_addr().unwrap().port();
    let connect = Client::builder(&format!("mqtt://127.0.0.1:{port}"))
        .client_id("one")
        .authenticator(token())
        .reconnect(Reconnect::new().follow_server_reference())
        .connect();
    let (refused, ()) = tokio::join!(bounded("connecting", connect), send_away);
    let error = refused.unwrap_err();
    assert!(is_refused(Err(error.clone())) && error.to_string().contains("broker.example"), "{error}");
}

#[test]
fn an_identity_and_a_plain_server_do_not_go_together() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let validity = Validity::days(now, 2);
    let root = CertificateAuthority::new_root("Root", validity).unwrap();
    let issued = root.issue_client("device1", validity).unwrap();
    let identity = || Identity::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes()).unwrap();
    let trust = || Trust::only_pem(root.certificate_pem().as_bytes()).unwrap();
    let options = |address: &str| Client::builder(address).identity(identity()).trust(trust());
    options("mqtts://a").server("mqtts://b").check().unwrap();
    for (mixed, plain) in [
        (options("mqtts://a").server("mqtt://b:1884"), "b:1884"),
        (options("mqtt://a:1884").server("mqtts://b"), "a:1884"),
    ] {
        let error = mixed.check().unwrap_err();
        assert!(matches!(error.kind(), ConnectErrorKind::IdentityWithoutTls), "{error}");
        assert!(error.to_string().contains(plain), "{error}");
    }
}

/// Metadata asked for over TLS name a token endpoint without, on this machine.
#[tokio::test]
async fn discovery_over_tls_does_not_lead_to_plain_http() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let validity = Validity::days(now, 2);
    let root = CertificateAuthority::new_root("Root", validity).unwrap();
    let issued = root.issue_server(["localhost"], validity).unwrap();
    let identity = Identity::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes()).unwrap();
    let config = ServerConfig::builder().identity(identity).build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plain = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    plain.set_nonblocking(true).unwrap();
    let issuer = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let endpoint = format!("http://127.0.0.1:{}/token", plain.local_addr().unwrap().port());
    let body = format!(r#"{{"issuer":"{issuer}","token_endpoint":"{endpoint}"}}"#);
    let serve = async {
        let (tcp, _) = listener.accept().await.unwrap();
        let (mut io, _) = gridmq_tls::stream::accept(tcp, &config).await.unwrap();
        let mut asked = vec![0; 4096];
        assert_ne!(io.read(&mut asked).await.unwrap(), 0);
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        io.write_all(answer.as_bytes()).await.unwrap();
        io.shutdown().await.ok();
    };
    let source = ClientSecret::discover(&issuer, "c", Secret::text("tell-tale"))
        .trust(Trust::only_pem(root.certificate_pem().as_bytes()).unwrap())
        .build()
        .unwrap();
    let (asked, ()) = tokio::join!(source.token(), serve);
    let error = asked.unwrap_err();
    assert!(matches!(error.kind(), AuthErrorKind::Answer(_)), "{error}");
    assert_eq!(plain.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock, "nobody has come");
}

#[tokio::test]
async fn what_may_be_secret_in_an_endpoint_is_not_shown() {
    let shown = |what: &dyn std::fmt::Debug| {
        let text = format!("{what:?}");
        assert!(!text.contains("tell-tale"), "{text}");
        text
    };
    for url in [
        "http://user:tell-tale@10.0.0.1/x?code=tell-tale",
        "http://10.0.0.1/x?code=tell-tale",
        "http://10.0.0.1/x?a=b@c&code=tell-tale",
        "tell-tale",
    ] {
        let source = AzureIdentity::arc(url);
        shown(&source);
        let error = source.token().await.unwrap_err();
        assert!(!error.to_string().contains("tell-tale"), "{error}");
        for builder in [
            ClientSecret::at(url, "c", Secret::text("tell-tale")),
            ClientSecret::discover(url, "c", Secret::text("tell-tale")),
        ] {
            shown(&builder);
            shown(&builder.build().unwrap_err());
        }
    }
    assert!(shown(&AzureIdentity::arc("http://localhost:40342/x?code=tell-tale")).contains("localhost:40342"));
    shown(&User::new("tell-tale-user").with_password("tell-tale"));
    shown(&Client::builder("mqtt://tell-tale:tell-tale@a").username("tell-tale").password("tell-tale"));
}

#[test]
fn a_port_that_is_none_is_not_replaced_by_another() {
    for url in ["https://login.example:99999/token", "https://login.example:/token", "https://login.example:0/token"] {
        let error = ClientSecret::at(url, "c", Secret::text("tell-tale")).build().unwrap_err();
        assert!(matches!(error.kind(), AuthErrorKind::Url(_)), "{url}: {error}");
    }
}

/// A pipe that nobody writes to would keep its reader waiting for ever.
#[cfg(unix)]
#[tokio::test]
async fn a_token_is_not_read_from_a_pipe() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let error = bounded("reading", FileToken::new(&pipe).token()).await.unwrap_err();
    assert!(matches!(error.kind(), AuthErrorKind::File(_)) && !error.is_permanent(), "{error}");
}
