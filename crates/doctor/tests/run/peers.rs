//! Small peers on loopback that behave as they are told.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::BytesMut;
use gridmq_doctor::{Options, Report, Scheme, Target, run};
use gridmq_proto::codec::{self, Decoder};
use gridmq_proto::packet::{
    Ack, AckProperties, ConnAck, ConnAckProperties, Connect, Disconnect, DisconnectProperties, SubAck,
};
use gridmq_proto::{Packet, QoS, ReasonCode, Version};
use gridmq_tls::issue::{CertificateAuthority, IssuedCertificate, Validity};
use gridmq_tls::{Identity, ServerConfig, Trust};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Serves every connection with `handler`.
pub(crate) async fn listen<F, R>(handler: F) -> SocketAddr
where
    F: Fn(TcpStream) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((io, _)) = listener.accept().await {
            tokio::spawn(handler(io));
        }
    });
    address
}

/// How the broker behaves.
#[derive(Clone)]
pub(crate) struct Manner {
    /// What CONNACK says; `None`: nothing comes.
    pub(crate) connack: Option<ReasonCode>,
    pub(crate) limits: ConnAckProperties,
    /// Speaks 3.1.1 only.
    pub(crate) v3_only: bool,
    /// Sends this instead of CONNACK and closes.
    pub(crate) instead: Option<Vec<u8>>,
    pub(crate) suback: ReasonCode,
    pub(crate) puback: ReasonCode,
    pub(crate) delivers: bool,
    /// Answers PUBLISH so.
    pub(crate) disconnect: Option<ReasonCode>,
    /// The CONNECTs that came.
    pub(crate) connects: Arc<Mutex<Vec<Connect>>>,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            connack: Some(ReasonCode::Success),
            limits: ConnAckProperties::default(),
            v3_only: false,
            instead: None,
            suback: ReasonCode::GrantedQos1,
            puback: ReasonCode::Success,
            delivers: true,
            disconnect: None,
            connects: Arc::default(),
        }
    }
}

pub(crate) async fn serve<IO: AsyncRead + AsyncWrite + Unpin>(mut io: IO, manner: Manner) {
    let mut decoder = Decoder::for_server(1 << 20);
    let mut bytes = BytesMut::new();
    let mut version = Version::V5;
    loop {
        let packet = loop {
            match decoder.decode(&mut bytes) {
                Ok(Some(packet)) => break packet,
                Ok(None) => {}
                Err(_) => return,
            }
            if !matches!(io.read_buf(&mut bytes).await, Ok(length) if length > 0) {
                return;
            }
        };
        let mut out = BytesMut::new();
        let mut say = |packet: Packet| codec::encode(&packet, version, None, &mut out).unwrap();
        let mut ends = false;
        match packet {
            Packet::Connect(connect) => {
                manner.connects.lock().unwrap().push((*connect).clone());
                if let Some(instead) = &manner.instead {
                    let _ = io.write_all(instead).await;
                    let _ = io.flush().await;
                    return;
                }
                if manner.v3_only && connect.version.is_v5() {
                    let _ = io.write_all(&[0x20, 2, 0, 1]).await;
                    let _ = io.flush().await;
                    return;
                }
                version = connect.version;
                let Some(reason) = manner.connack else { continue };
                ends = reason != ReasonCode::Success;
                let properties = manner.limits.clone();
                let ack = ConnAck { session_present: false, reason, properties };
                codec::encode(&Packet::ConnAck(Box::new(ack)), version, None, &mut out).unwrap();
            }
            Packet::Subscribe(subscribe) => {
                let (packet_id, reasons) = (subscribe.packet_id, vec![manner.suback]);
                say(Packet::SubAck(SubAck { packet_id, properties: AckProperties::default(), reasons }));
            }
            Packet::Publish(mut publish) => {
                if let Some(reason) = manner.disconnect {
                    say(Packet::Disconnect(Disconnect { reason, properties: DisconnectProperties::default() }));
                    ends = true;
                } else {
                    if let Some(id) = publish.packet_id {
                        say(Packet::PubAck(Ack::new(id, manner.puback)));
                    }
                    if manner.delivers && !manner.puback.is_failure() {
                        (publish.qos, publish.packet_id) = (QoS::AtMostOnce, None);
                        say(Packet::Publish(publish));
                    }
                }
            }
            Packet::PingReq => say(Packet::PingResp),
            Packet::Disconnect(_) => return,
            _ => {}
        }
        if io.write_all(&out).await.is_err() || io.flush().await.is_err() || ends {
            let _ = io.shutdown().await;
            return;
        }
    }
}

/// A broker in the clear.
pub(crate) async fn plain(manner: Manner) -> SocketAddr {
    listen(move |io| serve(io, manner.clone())).await
}

/// A broker over TLS.
pub(crate) async fn secure(config: ServerConfig, manner: Manner) -> SocketAddr {
    listen(move |io| {
        let (config, manner) = (config.clone(), manner.clone());
        async move {
            if let Ok((stream, _)) = gridmq_tls::stream::accept(io, &config).await {
                serve(stream, manner).await;
            }
        }
    })
    .await
}

/// Says this to whoever connects, and then closes or holds on.
pub(crate) async fn says(bytes: &'static [u8], holds: bool) -> SocketAddr {
    listen(move |mut io| async move {
        let _ = io.write_all(bytes).await;
        let mut rest = [0; 4096];
        if holds {
            while matches!(io.read(&mut rest).await, Ok(length) if length > 0) {}
        } else {
            let _ = io.read(&mut rest).await;
        }
    })
    .await
}

pub(crate) struct Pki {
    pub(crate) root: CertificateAuthority,
    pub(crate) intermediate: CertificateAuthority,
    pub(crate) validity: Validity,
}

impl Pki {
    pub(crate) fn new(name: &str) -> Self {
        let validity = Validity::days(now(), 30);
        let root = CertificateAuthority::new_root(&format!("{name} Root"), validity).unwrap();
        let intermediate = root.intermediate(&format!("{name} Issuing CA"), validity).unwrap();
        Self { root, intermediate, validity }
    }

    pub(crate) fn trust(&self) -> Trust {
        Trust::only_pem(self.root.certificate_pem().as_bytes()).unwrap()
    }

    pub(crate) fn server(&self, names: &[&str]) -> Identity {
        identity(&self.intermediate.issue_server(names, self.validity).unwrap())
    }

    pub(crate) fn client(&self, name: &str) -> Identity {
        identity(&self.intermediate.issue_client(name, self.validity).unwrap())
    }
}

pub(crate) fn identity(issued: &IssuedCertificate) -> Identity {
    Identity::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes()).unwrap()
}

/// The leaf alone.
pub(crate) fn leaf_only(issued: &IssuedCertificate) -> Identity {
    Identity::from_pem(issued.certificate_pem().as_bytes(), issued.key_pem().as_bytes()).unwrap()
}

pub(crate) fn options() -> Options {
    let mut options = Options::default();
    options.patience = Duration::from_millis(1200);
    options.deadline = Duration::from_secs(20);
    options
}

pub(crate) async fn examine(scheme: Scheme, address: SocketAddr, options: &Options) -> Report {
    run(&Target::new(scheme, "127.0.0.1", address.port()), options).await
}

/// The id of the primary finding, and the whole report for the message when a test fails.
pub(crate) fn cause(report: &Report) -> String {
    report.primary().map_or_else(|| "none".to_owned(), |finding| finding.id.code().to_owned())
}

/// The ids of all findings.
pub(crate) fn ids(report: &Report) -> Vec<&'static str> {
    report.stages.iter().flat_map(|stage| &stage.findings).map(|finding| finding.id.code()).collect()
}
