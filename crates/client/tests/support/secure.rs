//! Certificates of one small authority, and connections over TLS in memory.
#![allow(dead_code, reason = "each test uses its part")]

use std::time::{SystemTime, UNIX_EPOCH};

use gridmq_client::{Client, ConnectError, ReasonCode, Version};
use gridmq_proto::packet::{ConnAck, Packet};
use gridmq_tls::issue::{CertificateAuthority, IssuedCertificate, Validity};
use gridmq_tls::{ClientAuth, ClientTrust, Identity, ServerConfig, TlsVersion, Trust};

use crate::support::{Peer, bounded};

pub(crate) struct Pki {
    pub(crate) root: CertificateAuthority,
    pub(crate) intermediate: CertificateAuthority,
    pub(crate) validity: Validity,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let validity = Validity::days(now, 2);
        let root = CertificateAuthority::new_root("Pains Root", validity).unwrap();
        let intermediate = root.intermediate("Pains Intermediate", validity).unwrap();
        Self { root, intermediate, validity }
    }

    pub(crate) fn trust(&self) -> Trust {
        Trust::only_pem(self.root.certificate_pem().as_bytes()).unwrap()
    }

    pub(crate) fn device(&self) -> IssuedCertificate {
        self.intermediate.issue_client("device", self.validity).unwrap()
    }

    pub(crate) fn server(&self, versions: TlsVersion) -> ServerConfig {
        let issued = self.intermediate.issue_server(["memory"], self.validity).unwrap();
        let identity = Identity::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes()).unwrap();
        ServerConfig::builder()
            .identity(identity)
            .versions(versions)
            .client_certificate(ClientAuth::Required)
            .handshake_trust(ClientTrust::Anchors(self.trust()))
            .build()
            .unwrap()
    }
}

/// Connects over memory and TLS.
pub(crate) async fn over_tls(config: &ServerConfig, options: gridmq_client::Options) -> Result<Client, ConnectError> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let serve = async {
        let (io, _) = gridmq_tls::stream::accept(far, config).await.ok()?;
        let mut server = Peer::new(io, Version::V5);
        // One that does not like our certificate closes instead.
        let Packet::Connect(_) = server.next().await? else { panic!() };
        let ack = ConnAck { session_present: false, reason: ReasonCode::Success, properties: <_>::default() };
        server.send(Packet::ConnAck(Box::new(ack))).await;
        Some(server)
    };
    bounded("TLS", async { tokio::join!(options.connect_over(near), serve) }).await.0
}
