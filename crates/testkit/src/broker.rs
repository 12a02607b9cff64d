//! A broker in the test's process, on threads of its own, that stops when it is dropped.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gridmq_broker::{Broker, Builder, Listener};
use gridmq_namespace::{Policy, Resources};
use gridmq_tls::{ServerConfig, TlsVersions};
use serde_json::json;
use tempfile::TempDir;

use crate::authority::{Authority, identity};

/// The registered clients; their authentication names are `<name>-authn-ID`.
pub const CLIENTS: [&str; 4] = ["client1", "client2", "client3", "client4"];

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A namespace over mutual TLS.
#[derive(Debug)]
pub struct Namespace {
    /// The broker that serves it.
    pub broker: Broker,
    /// Who signed its certificates.
    pub authority: Authority,
    files: TempDir,
}

/// The files of one client.
#[derive(Debug, Clone)]
pub struct ClientFiles {
    /// Its certificate and the intermediate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Its authentication name.
    pub username: String,
}

/// The resources of the test namespace: [`CLIENTS`], who may publish and subscribe in `interop/#`.
#[must_use]
pub fn resources(authority: &Authority) -> Resources {
    let clients: Vec<_> = CLIENTS
        .iter()
        .map(|name| json!({ "name": name, "properties": { "authenticationName": format!("{name}-authn-ID") } }))
        .collect();
    let binding = |name: &str, permission: &str| {
        let properties = json!({ "clientGroupName": "$all", "topicSpaceName": "interop", "permission": permission });
        json!({ "name": name, "properties": properties })
    };
    let document = json!({
        "clients": clients,
        "topicSpaces": [{ "name": "interop", "properties": { "topicTemplates": ["interop/#"] } }],
        "permissionBindings": [binding("interop-publish", "Publisher"), binding("interop-subscribe", "Subscriber")],
        "caCertificates": [{
            "name": "test-intermediate",
            "properties": { "encodedCertificate": authority.intermediate.certificate_pem() },
        }],
    });
    Resources::from_json(&document.to_string()).expect("valid resources")
}

/// A TLS listener's configuration with the authority's server certificate: client certificates are asked for.
#[must_use]
pub fn server_config(authority: &Authority) -> ServerConfig {
    let identity = identity(&authority.server());
    ServerConfig::builder().identity(identity).versions(TlsVersions::BOTH).build().expect("a server configuration")
}

/// Starts the test namespace on a free port.
pub async fn namespace(workers: usize) -> Namespace {
    let authority = Authority::new("GridMQ Test");
    let policy = Policy::compile(resources(&authority), 1).expect("rules");
    let builder = Broker::builder().workers(workers).rules(Arc::new(policy));
    let broker = builder.listener(Listener::tls(LOOPBACK, server_config(&authority))).start().await.expect("a broker");
    let files = tempfile::tempdir().expect("a directory");
    std::fs::write(files.path().join("ca.pem"), authority.root.certificate_pem()).expect("a file");
    for name in CLIENTS {
        let issued = authority.client(&format!("{name}-authn-ID"));
        std::fs::write(files.path().join(format!("{name}.pem")), issued.chain_pem()).expect("a file");
        std::fs::write(files.path().join(format!("{name}.key")), issued.key_pem()).expect("a file");
    }
    Namespace { broker, authority, files }
}

impl Namespace {
    /// The name to connect to, which the server certificate has.
    #[must_use]
    pub fn host(&self) -> String {
        "localhost".to_owned()
    }

    /// The port of its TLS listener.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.broker.addresses().first().expect("a listener").port()
    }

    /// The root that signed its server certificate.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.files.path().join("ca.pem")
    }

    /// A directory that goes when the namespace goes.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.files.path()
    }

    /// The files of one of [`CLIENTS`].
    #[must_use]
    pub fn client(&self, name: &str) -> ClientFiles {
        ClientFiles {
            cert: self.files.path().join(format!("{name}.pem")),
            key: self.files.path().join(format!("{name}.key")),
            username: format!("{name}-authn-ID"),
        }
    }
}

/// An open broker on a plain port.
#[derive(Debug)]
pub struct OpenBroker {
    /// The broker.
    pub broker: Broker,
}

/// Starts an open broker on a free plain port.
pub async fn open(workers: usize) -> OpenBroker {
    OpenBroker::start(Broker::builder().workers(workers)).await
}

impl OpenBroker {
    /// Starts what is set up on a free plain port.
    pub async fn start(builder: Builder) -> Self {
        Self { broker: builder.listener(Listener::plain(LOOPBACK)).start().await.expect("a broker") }
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        *self.broker.addresses().first().expect("a listener")
    }
}
