//! curl and openssl as a client of our EST server (RFC 7030).
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::num::NonZeroU32;
use std::path::Path;
use std::process::{Command, Output};

use gridmq_http::HttpServer;
use gridmq_http::est::{EstServer, Policy, Users};
use gridmq_testkit::authority::{Authority, identity};
use gridmq_tls::issue::{CertificateAuthority, KeyType};
use gridmq_tls::{ServerConfig, pem};
use tempfile::TempDir;
use tokio::runtime::Runtime;

struct Stage {
    url: String,
    directory: TempDir,
    _runtime: Runtime,
}

impl Stage {
    /// A server with the user `device1`, password `secret`; `root.pem` is in the directory.
    fn new(policy: Policy) -> Self {
        let authority = Authority::new("Interop");
        let issuing = &authority.intermediate;
        let issuing = CertificateAuthority::from_pem(&issuing.chain_pem(), &issuing.key_pem()).unwrap();
        let users = Users::line("device1", b"secret", b"salt of tests", NonZeroU32::new(1000).unwrap()).unwrap();
        let server = EstServer::builder(issuing)
            .above(vec![authority.root.certificate().clone()])
            .users(Users::read(&users).unwrap())
            .policy(policy)
            .build()
            .unwrap();
        let tls = ServerConfig::builder().identity(identity(&authority.server())).build().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let http = runtime.block_on(HttpServer::bind("127.0.0.1:0".parse().unwrap(), tls)).unwrap();
        let url = format!("https://127.0.0.1:{}/.well-known/est", http.address().unwrap().port());
        runtime.spawn(http.serve(server.router(), std::future::pending()));
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("root.pem"), pem::encode(&[authority.root.certificate().clone()]))
            .unwrap();
        Self { url, directory, _runtime: runtime }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn run(&self, program: &str, words: &str) -> Output {
        Command::new(program).args(words.split(' ')).current_dir(self.path()).output().unwrap()
    }

    #[track_caller]
    fn openssl(&self, words: &str) -> String {
        let output = self.run("openssl", words);
        assert!(output.status.success(), "openssl {words}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Gives the status code; the body goes to `answer`.
    fn curl(&self, operation: &str, words: &str) -> String {
        let url = format!("{}/{operation}", self.url);
        let words = if words.is_empty() { String::new() } else { format!("{words} ") };
        let output = self.run("curl", &format!("-sS --cacert root.pem -o answer -w %{{http_code}} {words}{url}"));
        assert!(output.status.success(), "curl {operation}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Has openssl make a request, in base64, and a key.
    fn request(&self, name: &str, subject: &str) {
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        self.openssl(&format!("req -new {key} -keyout {name}.key -subj {subject} -outform DER -out {name}.der"));
        self.openssl(&format!("base64 -in {name}.der -out {name}.b64"));
    }

    /// Has openssl take the certificates out of the answer.
    fn certificates(&self, to: &str) {
        self.openssl("base64 -d -in answer -out answer.der");
        self.openssl(&format!("pkcs7 -inform DER -in answer.der -print_certs -out {to}"));
    }
}

const SEND: &str = "-H Content-Type:application/pkcs10 --data-binary";

#[test]
#[ignore = "needs curl and openssl; run by cargo xtask test"]
fn curl_and_openssl_enrol_and_renew() {
    let stage = Stage::new(Policy::default());
    assert_eq!(stage.curl("cacerts", ""), "200");
    stage.certificates("authorities.pem");
    let authorities = std::fs::read(stage.path().join("authorities.pem")).unwrap();
    assert_eq!(pem::certificates(&authorities).unwrap().len(), 2);

    stage.request("first", "/CN=device1");
    assert_eq!(stage.curl("simpleenroll", &format!("{SEND} @first.b64")), "401");
    assert_eq!(stage.curl("simpleenroll", &format!("-u device1:wrong {SEND} @first.b64")), "401");
    assert_eq!(stage.curl("simpleenroll", &format!("-u device1:secret {SEND} @first.b64")), "200");
    stage.certificates("first.pem");
    stage.openssl("verify -purpose sslclient -CAfile root.pem -untrusted authorities.pem first.pem");
    assert!(stage.openssl("x509 -in first.pem -noout -subject").contains("device1"));

    // The intermediate goes along, as every TLS client sends it.
    let chain = [std::fs::read(stage.path().join("first.pem")).unwrap(), authorities].concat();
    std::fs::write(stage.path().join("chain.pem"), chain).unwrap();
    stage.request("second", "/CN=device1");
    let with = "--cert chain.pem --key first.key";
    assert_eq!(stage.curl("simplereenroll", &format!("{SEND} @second.b64")), "403");
    assert_eq!(stage.curl("simplereenroll", &format!("{with} {SEND} @second.b64")), "200");
    stage.certificates("second.pem");
    stage.openssl("verify -purpose sslclient -CAfile root.pem -untrusted authorities.pem second.pem");
    stage.request("other", "/CN=device2");
    assert_eq!(stage.curl("simplereenroll", &format!("{with} {SEND} @other.b64")), "403");
}

#[test]
#[ignore = "needs curl and openssl; run by cargo xtask test"]
fn openssl_reads_the_csr_attributes() {
    let stage = Stage::new(Policy::default().key(KeyType::EcdsaP384));
    assert_eq!(stage.curl("csrattrs", ""), "200");
    stage.openssl("base64 -d -in answer -out answer.der");
    let parsed = stage.openssl("asn1parse -inform DER -in answer.der");
    assert!(parsed.contains("id-ecPublicKey") && parsed.contains("secp384r1"), "{parsed}");
    let none = Stage::new(Policy::default());
    assert_eq!(none.curl("csrattrs", ""), "204");
}
