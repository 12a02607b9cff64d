//! A client whose certificates of one minute are renewed by EST while it publishes.
#![allow(
    missing_docs,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests; the harness is shared"
)]

#[path = "rotation/harness.rs"]
mod harness;

use std::sync::Arc;
use std::time::Duration;

use gridmq_client::Version;
use gridmq_client::est::{EstClient, EstRenewer, PairFiles};
use gridmq_http::HttpServer;
use gridmq_http::est::{Approval, EstServer, Policy};
use gridmq_testkit::authority::{Authority, identity, unix_now};
use gridmq_tls::est::renewal::RenewalPolicy;
use gridmq_tls::issue::{CertificateAuthority, Validity};
use gridmq_tls::{CredentialProvider, ServerConfig, pem};
use harness::{PUBLISHER, Stage, Succession, run};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

/// How long each certificate is valid, in seconds.
const LIFE: u64 = 60;
const SOON: Duration = Duration::from_secs(20);

/// The renewer asks all the time; the server grants when the run wants the next generation.
struct Renewed {
    server: Arc<EstServer>,
    renewer: EstRenewer,
    files: PairFiles,
    _directory: TempDir,
}

impl Renewed {
    async fn new(authority: &Authority) -> Self {
        let issuing = &authority.intermediate;
        let issuing = CertificateAuthority::from_pem(&issuing.chain_pem(), &issuing.key_pem()).unwrap();
        let server = EstServer::builder(issuing)
            .above(vec![authority.root.certificate().clone()])
            .policy(Policy::default().validity(LIFE))
            .approval(Approval::Manual { retry_after: 1 })
            .build()
            .unwrap();
        let tls = ServerConfig::builder().identity(identity(&authority.server())).build().unwrap();
        let http = HttpServer::bind("127.0.0.1:0".parse().unwrap(), tls).await.unwrap();
        let url = format!("https://localhost:{}", http.address().unwrap().port());
        tokio::spawn(http.serve(server.router(), std::future::pending()));

        let validity = Validity::new(unix_now() - 5, unix_now() + LIFE);
        let first = identity(&authority.intermediate.issue_client(PUBLISHER, validity).unwrap());
        let directory = tempfile::tempdir().unwrap();
        let files = PairFiles::new(directory.path().join("client.pem"), directory.path().join("client.key"));
        let client = EstClient::builder(&url).trust(authority.trust()).build().unwrap();
        let policy = RenewalPolicy::default().fraction(0.01).jitter(0.0);
        let renewer = EstRenewer::builder(client, first).policy(policy).files(files.clone()).start();
        Self { server, renewer, files, _directory: directory }
    }
}

impl Succession for Renewed {
    fn credentials(&self) -> Arc<dyn CredentialProvider> {
        Arc::new(self.renewer.clone())
    }

    async fn next(&mut self, _round: usize) -> Option<String> {
        let number = self.renewer.current().number;
        let granted = async {
            while self.server.pending().is_empty() {
                sleep(Duration::from_millis(20)).await;
            }
            for waiting in self.server.pending() {
                self.server.approve(&waiting.id);
            }
            self.renewer.changed(number).await
        };
        let next = timeout(SOON, granted).await.expect("a renewed certificate");
        assert_eq!(next.number, number + 1);
        // The files were replaced before the generation was given out.
        let on_disk = self.files.load().unwrap();
        assert_eq!(pem::encode(on_disk.chain()), pem::encode(next.identity.chain()));
        Some(next.identity.thumbprint_sha256().to_owned())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_renewals_by_est_lose_no_message_and_no_session() {
    let stage = Stage::new().await;
    let renewed = Renewed::new(&stage.authority).await;
    run(&stage, Version::V5, renewed, 10).await;
}
