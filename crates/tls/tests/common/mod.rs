//! A root, an intermediate, a server and a client, and both ends of a connection in memory.
#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

pub(crate) mod ca;
pub(crate) mod raw;

use std::time::{SystemTime, UNIX_EPOCH};

use gridmq_tls::issue::{CertificateAuthority, IssuedCertificate, Validity};
use gridmq_tls::stream::{HandshakeInfo, TlsStream, accept, connect};
use gridmq_tls::{ClientConfig, Identity, ServerConfig, TlsError, Trust};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

pub(crate) type Established = (TlsStream<DuplexStream>, HandshakeInfo);

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

pub(crate) struct Pki {
    pub(crate) root: CertificateAuthority,
    pub(crate) intermediate: CertificateAuthority,
    pub(crate) server: IssuedCertificate,
    pub(crate) client: IssuedCertificate,
    pub(crate) validity: Validity,
}

impl Pki {
    pub(crate) fn new() -> Self {
        Self::named("")
    }

    pub(crate) fn named(name: &str) -> Self {
        let validity = Validity::days(now(), 1);
        let root = CertificateAuthority::new_root(&format!("{name}Root"), validity).unwrap();
        let intermediate = root.intermediate(&format!("{name}Intermediate"), validity).unwrap();
        let server = intermediate.issue_server(["localhost", "127.0.0.1"], validity).unwrap();
        let client = intermediate.issue_client("client1-authn-ID", validity).unwrap();
        Self { root, intermediate, server, client, validity }
    }

    pub(crate) fn trust(&self) -> Trust {
        Trust::only_pem(self.root.certificate_pem().as_bytes()).unwrap()
    }

    pub(crate) fn client(&self) -> ClientConfig {
        ClientConfig::builder().identity(identity(&self.client)).trust(self.trust()).build().unwrap()
    }

    pub(crate) fn anonymous(&self) -> ClientConfig {
        ClientConfig::builder().trust(self.trust()).build().unwrap()
    }

    pub(crate) fn server(&self) -> ServerConfig {
        ServerConfig::builder().identity(identity(&self.server)).build().unwrap()
    }
}

pub(crate) fn identity(issued: &IssuedCertificate) -> Identity {
    Identity::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes()).unwrap()
}

/// Runs both handshakes over a pipe in memory.
pub(crate) async fn handshake(
    client: &ClientConfig,
    server: &ServerConfig,
) -> (Result<Established, TlsError>, Result<Established, TlsError>) {
    let (near, far) = tokio::io::duplex(256 * 1024);
    tokio::join!(connect(near, "localhost", client), accept(far, server))
}

/// Both ends of a handshake that is to succeed.
pub(crate) async fn established(client: &ClientConfig, server: &ServerConfig) -> (Established, Established) {
    match handshake(client, server).await {
        (Ok(client), Ok(server)) => (client, server),
        (client, server) => panic!("client {client:?}, server {server:?}"),
    }
}

/// Sends bytes both ways and checks that they arrive.
pub(crate) async fn echo(client: &mut TlsStream<DuplexStream>, server: &mut TlsStream<DuplexStream>) {
    let mut bytes = [0; 4];
    client.write_all(b"ping").await.unwrap();
    client.flush().await.unwrap();
    server.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"ping");
    server.write_all(b"pong").await.unwrap();
    server.flush().await.unwrap();
    client.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"pong");
}
