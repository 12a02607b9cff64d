//! What users of another maker's client complain of about certificates and trust. The numbers are those of the table in
//! docs/mqttnet.md.
#![cfg(feature = "tls")]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "support/secure.rs"]
mod secure;
mod support;

#[cfg(all(feature = "platform-verifier", target_os = "linux"))]
use gridmq_client::error::ConnectErrorKind;
#[cfg(feature = "websocket")]
use gridmq_client::error::{Side, Stage};
use gridmq_client::{Client, Options, Version};
use gridmq_tls::trust::TrustError;
use gridmq_tls::{
    ClientAuth, ClientTrust, Id, Identity, ServerConfig, TlsError, TlsVersion, TlsVersions, Trust, TrustSource,
};
use secure::{Pki, over_tls};
use support::{Peer, bounded};

fn options(pki: &Pki) -> Options {
    Client::builder("mqtts://memory").client_id("tester").trust(pki.trust())
}

fn identity(pki: &Pki) -> Identity {
    let issued = pki.device();
    Identity::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes()).unwrap()
}

fn server(pki: &Pki, versions: impl Into<TlsVersions>, trust: ClientTrust) -> ServerConfig {
    let issued = pki.intermediate.issue_server(["memory", "localhost"], pki.validity).unwrap();
    let own = Identity::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes()).unwrap();
    let config = ServerConfig::builder().identity(own).versions(versions);
    config.client_certificate(ClientAuth::Required).handshake_trust(trust).build().unwrap()
}

/// What the server sees of a client that connects with these options: the subjects of its chain, or why it is refused.
async fn shown(config: &ServerConfig, options: Options) -> Result<Vec<String>, TlsError> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let serve = async {
        let (io, info) = gridmq_tls::stream::accept(far, config).await?;
        Peer::new(io, Version::V5).accept(false, <_>::default()).await;
        Ok(info.peer_chain)
    };
    bounded("TLS", async { tokio::join!(options.connect_over(near), serve) }).await.1
}

#[tokio::test]
async fn pain_07_a_key_that_was_never_in_a_file_serves_one_connection_after_the_other() {
    let pki = Pki::new();
    let identity = identity(&pki);
    for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
        let config = server(&pki, version, ClientTrust::Anchors(pki.trust()));
        for _ in 0..3 {
            let client = over_tls(&config, options(&pki).identity(identity.clone())).await.unwrap();
            assert_eq!(client.info().unwrap().tls.as_ref().unwrap().sent_chain[0], "CN=device");
        }
    }
}

#[tokio::test]
async fn pain_08_the_identity_is_offered_whatever_issuers_the_server_names() {
    let (pki, other) = (Pki::new(), Pki::new());
    let with_identity = || options(&pki).identity(identity(&pki));
    for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
        // It names nobody.
        let config = server(&pki, version, ClientTrust::AnyPresented);
        assert_eq!(shown(&config, with_identity()).await.unwrap()[0], "CN=device");
        // It names its own authority, and that of another besides, by whom the certificate is not.
        let both = pki.trust().and_also(TrustSource::Bytes(other.root.certificate_pem().into())).unwrap();
        let config = server(&pki, version, ClientTrust::Anchors(both));
        assert_eq!(shown(&config, with_identity()).await.unwrap()[0], "CN=device");
        // It names only another: what it refuses is the certificate, and not that there is none.
        let config = server(&pki, version, ClientTrust::Anchors(other.trust()));
        let refused = shown(&config, with_identity()).await.unwrap_err();
        let nothing = shown(&config, options(&pki)).await.unwrap_err();
        assert_eq!(nothing.id(), Id::E01, "{nothing}");
        assert_ne!(refused.id(), nothing.id(), "{refused}");
    }
}

#[cfg(feature = "websocket")]
#[tokio::test]
async fn pain_11_trust_and_identity_decide_under_websocket_too() {
    let (pki, other) = (Pki::new(), Pki::new());
    let config = server(&pki, TlsVersion::V1_2, ClientTrust::Anchors(pki.trust()));
    let stage = async |options: Options| {
        let (near, far) = tokio::io::duplex(64 * 1024);
        // Whoever gets through TLS is hung up on.
        let serve = async { drop(gridmq_tls::stream::accept(far, &config).await) };
        let error = bounded("TLS", async { tokio::join!(options.connect_over(near), serve) }).await.0.unwrap_err();
        (error.stage(), error.side())
    };
    let secure = |trust: Trust| Client::builder("wss://memory/mqtt").trust(trust);
    assert_eq!(stage(secure(other.trust()).identity(identity(&pki))).await, (Stage::Tls, Side::Us));
    assert_eq!(stage(secure(pki.trust())).await, (Stage::Tls, Side::Server));
    assert_eq!(stage(secure(pki.trust()).identity(identity(&pki))).await.0, Stage::WebSocket);
}

#[tokio::test]
async fn pain_12_an_authority_of_ones_own_is_named_by_text_file_or_directory() {
    let (pki, directory) = (Pki::new(), tempfile::tempdir().unwrap());
    let file = directory.path().join("root.pem");
    std::fs::write(&file, pki.root.certificate_pem()).unwrap();
    let config = server(&pki, TlsVersion::V1_3, ClientTrust::Anchors(pki.trust()));
    for trust in [
        Trust::only_pem(pki.root.certificate_pem().as_bytes()),
        Trust::only_pem_file(&file),
        Trust::only(TrustSource::Directory(directory.path().to_owned())),
    ] {
        let options = Client::builder("mqtts://memory").trust(trust.unwrap()).identity(identity(&pki));
        over_tls(&config, options).await.unwrap();
    }
    let nowhere = Trust::only_pem_file(&directory.path().join("none.pem"));
    assert!(matches!(nowhere, Err(TrustError::File(_))));
}

/// The system's roots can be replaced for a process where they are files: so the same test runs as another process.
#[cfg(all(feature = "platform-verifier", target_os = "linux"))]
#[tokio::test]
async fn pain_21_without_an_authority_given_the_systems_roots_decide() {
    const PORT: &str = "GRIDMQ_TEST_PORT";
    let connect = async |port: u16| Client::builder(&format!("mqtts://localhost:{port}")).connect().await;
    if let Ok(port) = std::env::var(PORT) {
        bounded("the connection", connect(port.parse().unwrap())).await.unwrap();
        return;
    }
    let (pki, other, directory) = (Pki::new(), Pki::new(), tempfile::tempdir().unwrap());
    let issued = pki.intermediate.issue_server(["localhost"], pki.validity).unwrap();
    let own = Identity::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes()).unwrap();
    let config = ServerConfig::builder().identity(own).build().unwrap();
    let listener = tokio::net::TcpListener::bind("localhost:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let Ok((io, _)) = gridmq_tls::stream::accept(tcp, &config).await else { continue };
            let mut server = Peer::new(io, Version::V5);
            if let Some(gridmq_proto::packet::Packet::Connect(_)) = server.next().await {
                let reason = gridmq_client::ReasonCode::Success;
                let properties = <_>::default();
                let ack = gridmq_proto::packet::ConnAck { session_present: false, reason, properties };
                server.send(gridmq_proto::packet::Packet::ConnAck(Box::new(ack))).await;
                // Until the client has gone.
                server.next().await;
            }
        }
    });

    let error = bounded("the connection", connect(port)).await.unwrap_err();
    assert!(matches!(error.kind(), ConnectErrorKind::Tls(error) if error.id() == Id::D01), "{error}");

    let mut outcomes = Vec::new();
    for (name, authority) in [("ours.pem", &pki), ("others.pem", &other)] {
        let file = directory.path().join(name);
        std::fs::write(&file, authority.root.certificate_pem()).unwrap();
        let mut process = tokio::process::Command::new(std::env::current_exe().unwrap());
        process.args(["--exact", "pain_21_without_an_authority_given_the_systems_roots_decide"]);
        let output = process.env(PORT, port.to_string()).env("SSL_CERT_FILE", &file).output();
        outcomes.push(bounded("the process", output).await.unwrap().status.success());
    }
    assert_eq!(outcomes, [true, false]);
    serving.abort();
}
