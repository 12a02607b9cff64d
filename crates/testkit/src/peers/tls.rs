//! Servers with real TLS, and something wrong about it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gridmq_tls::{ClientAuth, ClientTrust, Revocation, ServerConfig, TlsVersions, Trust};
use tokio::net::TcpStream;

use super::mqtt::{self, Script};
use super::{hello, listen};
use crate::pki::Entity;

/// How a server of [`serve`] is set up.
#[derive(Debug, Clone)]
#[must_use]
pub struct Setup {
    identity: gridmq_tls::Identity,
    versions: TlsVersions,
    alpn: Vec<&'static str>,
    asks: ClientAuth,
    trust: ClientTrust,
}

impl Setup {
    /// Proves this identity in both versions and does not ask for the client's.
    pub fn new(server: &Entity) -> Self {
        Self::with_chain(server, &server.chain_pem())
    }

    /// Proves this identity with this chain.
    pub fn with_chain(server: &Entity, chain_pem: &str) -> Self {
        let identity = server.identity_with(chain_pem);
        Self {
            identity,
            versions: TlsVersions::BOTH,
            alpn: Vec::new(),
            asks: ClientAuth::Off,
            trust: ClientTrust::AnyPresented,
        }
    }

    /// Speaks these versions.
    pub fn versions(mut self, versions: impl Into<TlsVersions>) -> Self {
        self.versions = versions.into();
        self
    }

    /// Speaks these application protocols.
    pub fn alpn(mut self, protocols: &[&'static str]) -> Self {
        self.alpn = protocols.to_vec();
        self
    }

    /// Requires a client certificate that this authority vouches for.
    pub fn requires(mut self, authority_pem: &str) -> Self {
        self.asks = ClientAuth::Required;
        self.trust = ClientTrust::Anchors(Trust::only_pem(authority_pem.as_bytes()).expect("trust"));
        self
    }

    /// Checks client certificates against these revocation lists; after [`Self::requires`].
    pub fn checking(mut self, lists: Revocation) -> Self {
        if let ClientTrust::Anchors(trust) = self.trust {
            self.trust = ClientTrust::Anchors(trust.with_revocation(lists).expect("trust"));
        }
        self
    }

    /// Asks for a client certificate and takes any, or none.
    pub fn takes_any(mut self) -> Self {
        self.asks = ClientAuth::Optional;
        self
    }

    /// The server's configuration.
    #[must_use]
    pub fn config(&self) -> ServerConfig {
        ServerConfig::builder()
            .identity(self.identity.clone())
            .versions(self.versions)
            .alpn(self.alpn.iter().copied())
            .client_certificate(self.asks)
            .handshake_trust(self.trust.clone())
            .build()
            .expect("a server configuration")
    }
}

/// Speaks MQTT as the script says, over TLS as the set-up says.
pub fn serve(setup: &Setup, script: Script) -> SocketAddr {
    let config = setup.config();
    listen(move |stream| {
        let (config, script) = (config.clone(), script.clone());
        async move { talk(stream, &config, &script).await }
    })
}

/// As [`serve`], but says nothing for a while before its part of the handshake.
pub fn slow(setup: &Setup, script: Script, pause: Duration) -> SocketAddr {
    let config = setup.config();
    listen(move |stream| {
        let (config, script) = (config.clone(), script.clone());
        async move {
            tokio::time::sleep(pause).await;
            talk(stream, &config, &script).await;
        }
    })
}

/// What a server does about the name that the client asks for.
#[derive(Debug, Clone)]
pub enum ByName {
    /// Serves as this set-up says.
    Serve(Box<Setup>),
    /// Closes without a word.
    Close,
    /// Refuses with this alert.
    Alert(u8),
}

/// Chooses by the server name in the ClientHello.
pub fn by_name(choose: impl Fn(Option<&str>) -> ByName + Send + Sync + 'static, script: Script) -> SocketAddr {
    let choose = Arc::new(choose);
    listen(move |mut stream| {
        let (choose, script) = (Arc::clone(&choose), script.clone());
        async move {
            let Some(hello) = hello::peek(&stream).await else { return };
            match choose(hello.server_name.as_deref()) {
                ByName::Serve(setup) => talk(stream, &setup.config(), &script).await,
                ByName::Close => super::part(&mut stream).await,
                ByName::Alert(code) => {
                    use tokio::io::AsyncWriteExt as _;
                    stream.write_all(&hello::alert(code)).await.ok();
                    super::part(&mut stream).await;
                }
            }
        }
    })
}

/// Speaks plain MQTT, and TLS never.
pub fn plain(script: Script) -> SocketAddr {
    listen(move |stream| {
        let script = script.clone();
        async move { mqtt::talk(stream, &script).await }
    })
}

/// Completes the handshake and closes.
pub fn closes_after_handshake(setup: &Setup) -> SocketAddr {
    serve(setup, Script::closing())
}

/// A web server with TLS: any request that is no HTTP is answered with 400.
pub fn https(setup: &Setup) -> SocketAddr {
    serve(setup, Script::raw(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
}

async fn talk(stream: TcpStream, config: &ServerConfig, script: &Script) {
    if let Ok((stream, _)) = gridmq_tls::stream::accept(stream, config).await {
        mqtt::talk(stream, script).await;
    }
}
