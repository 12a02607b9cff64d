//! A server of EST with an authority, and clients of it.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use gridmq_client::est::{EstClient, EstClientBuilder};
use gridmq_http::est::{EstServer, EstServerBuilder, Users};
use gridmq_http::{HttpServer, Limits};
use gridmq_tls::certificate::AlternativeNames;
use gridmq_tls::est::{CertificateRequest, Enrolment, EnrolmentKey};
use gridmq_tls::issue::{CertificateAuthority, KeyType, Validity};
use gridmq_tls::{Certificate, Identity, ServerConfig, Trust};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub struct Pki {
    pub root: CertificateAuthority,
    pub issuing: CertificateAuthority,
}

impl Pki {
    pub fn new() -> Self {
        let validity = Validity::days(now(), 30);
        let root = CertificateAuthority::new_root("Root", validity).unwrap();
        let issuing = root.intermediate("Issuing", validity).unwrap();
        Self { root, issuing }
    }

    pub fn trust(&self) -> Trust {
        Trust::only_der(vec![self.root.certificate().der().to_vec()]).unwrap()
    }

    pub fn server_identity(&self) -> Identity {
        let issued = self.issuing.issue_server(["localhost", "127.0.0.1"], Validity::days(now(), 1)).unwrap();
        Identity::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes()).unwrap()
    }

    pub fn client_identity(&self, name: &str) -> Identity {
        let issued = self.issuing.issue_client(name, Validity::days(now(), 1)).unwrap();
        Identity::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes()).unwrap()
    }

    /// The server's builder over this authority, with the user `device1`, password `secret`.
    pub fn server(&self) -> EstServerBuilder {
        let issuing = CertificateAuthority::from_pem(&self.issuing.chain_pem(), &self.issuing.key_pem()).unwrap();
        let line = Users::line("device1", b"secret", b"salt of tests", NonZeroU32::new(10).unwrap()).unwrap();
        EstServer::builder(issuing).above(vec![self.root.certificate().clone()]).users(Users::read(&line).unwrap())
    }
}

pub struct Running {
    pub url: String,
    pub server: Arc<EstServer>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Running {
    pub async fn start(pki: &Pki, builder: EstServerBuilder) -> Self {
        Self::start_with(pki, builder, Limits::default()).await
    }

    pub async fn start_with(pki: &Pki, builder: EstServerBuilder, limits: Limits) -> Self {
        let server = builder.build().unwrap();
        let tls = ServerConfig::builder().identity(pki.server_identity()).build().unwrap();
        let http = HttpServer::bind("127.0.0.1:0".parse().unwrap(), tls).await.unwrap().limits(limits);
        let url = format!("https://127.0.0.1:{}", http.address().unwrap().port());
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(http.serve(server.router(), async {
            let _ = stopped.await;
        }));
        Self { url, server, stop: Some(stop), task }
    }

    pub async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        self.task.await.unwrap();
    }

    pub fn client(&self, pki: &Pki) -> EstClientBuilder {
        EstClient::builder(&self.url).trust(pki.trust())
    }
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

pub fn new_request(common_name: &str) -> (EnrolmentKey, CertificateRequest) {
    let key = EnrolmentKey::generate(KeyType::EcdsaP256).unwrap();
    let request = CertificateRequest::new(&key, common_name, &AlternativeNames::default()).unwrap();
    (key, request)
}

pub fn leaf(identity: &Identity) -> &Certificate {
    &identity.chain()[0]
}

/// Enrols `device1` by password.
pub async fn enrolled(running: &Running, pki: &Pki) -> (Identity, EnrolmentKey) {
    let client = running.client(pki).password("device1", "secret").build().unwrap();
    let (key, request) = new_request("device1");
    let Enrolment::Issued(granted) = client.enroll(&request).await.unwrap() else { panic!("issued") };
    (client.accept(granted, &request, &key).await.unwrap(), key)
}
