//! What `gridmq certs` writes, before OpenSSL and Python; and what it says about OpenSSL, before OpenSSL.
//!
//! The tables in docs/certs.md are made of the same runs: `GRIDMQ_BLESS=1` writes them.
#![allow(
    missing_docs,
    unreachable_pub,
    missing_debug_implementations,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "certs_openssl/cases.rs"]
mod cases;
#[path = "certs_openssl/document.rs"]
mod document;

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use gridmq_broker::{Broker, Listener};
use gridmq_testkit::authority::{identity, unix_now};
use gridmq_tls::convert::{self, Contents, Pkcs12Encryption, Salt};
use gridmq_tls::inspect::{Judge, Outcome, Purpose};
use gridmq_tls::issue::{
    AuthorityRequest, CertificateAuthority, IssuedCertificate, KeyType, LeafRequest, NewRequest, Reason, Revocations,
    Usage, Validity,
};
use gridmq_tls::{Certificate, ServerConfig, TlsVersions, pem};

pub fn needs_openssl() {
    assert!(std::env::var_os("GRIDMQ_OPENSSL").is_some(), "run by cargo xtask test, which installs what is needed");
}

pub fn openssl(arguments: &[&str]) -> Output {
    Command::new("openssl").args(arguments).stdin(Stdio::null()).output().expect("openssl")
}

#[track_caller]
pub fn succeeds(arguments: &[&str]) -> String {
    let output = openssl(arguments);
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {}: {said}", arguments.join(" "));
    said
}

pub fn write(dir: &Path, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = dir.join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

struct Files {
    dir: tempfile::TempDir,
    root: CertificateAuthority,
    intermediate: CertificateAuthority,
    validity: Validity,
    kind: KeyType,
}

impl Files {
    fn new(kind: KeyType) -> Self {
        let validity = Validity::days(unix_now(), 30);
        let root = CertificateAuthority::root(&AuthorityRequest::new("Root").key_type(kind), validity).unwrap();
        let request = AuthorityRequest::new("Intermediate").key_type(kind).path_length(0);
        let intermediate = root.authority(&request, validity).unwrap();
        Self { dir: tempfile::tempdir().unwrap(), root, intermediate, validity, kind }
    }

    fn issue(&self, request: LeafRequest) -> IssuedCertificate {
        self.intermediate.issue(&request.key_type(self.kind), self.validity).unwrap()
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        write(self.dir.path(), name, content)
    }

    fn root(&self) -> String {
        self.write("root.pem", self.root.certificate_pem())
    }

    fn verifies(&self) {
        let leaf = self.issue(LeafRequest::client("device"));
        let (root, chain) = (self.root(), self.write("chain.pem", leaf.chain_pem()));
        let said = succeeds(&[
            "verify",
            "-x509_strict",
            "-CAfile",
            &root,
            "-untrusted",
            &chain,
            "-purpose",
            "sslclient",
            &chain,
        ]);
        assert!(said.contains(": OK"), "{said}");
        let request = NewRequest::new(&LeafRequest::client("device").key_type(self.kind)).unwrap();
        let request = self.write("device.csr", request.request().to_pem());
        assert!(succeeds(&["req", "-in", &request, "-verify", "-noout"]).to_lowercase().contains("verify ok"));
    }

    fn lists_revocations(&self) {
        let (good, bad) = (self.issue(LeafRequest::client("good")), self.issue(LeafRequest::client("bad")));
        let mut register = Revocations::default();
        register.revoke(bad.leaf(), unix_now(), Reason::KeyCompromise).unwrap();
        let list = self.intermediate.sign_revocations(&mut register, Validity::days(unix_now(), 1)).unwrap();
        let (root, crl) = (self.root(), self.write("ca.crl", list.to_pem()));
        let text = succeeds(&["crl", "-in", &crl, "-noout", "-text"]);
        assert!(text.contains("Key Compromise") && text.contains("X509v3 CRL Number"), "{text}");
        let judged = |leaf: &IssuedCertificate| {
            let chain = self.write("leaf.pem", leaf.chain_pem());
            let output =
                openssl(&["verify", "-crl_check", "-CRLfile", &crl, "-CAfile", &root, "-untrusted", &chain, &chain]);
            first_error(&output)
        };
        assert_eq!((judged(&good), judged(&bad)), (None, Some(23)));
    }

    fn exports(&self, encryption: Pkcs12Encryption) {
        let leaf = self.issue(LeafRequest::client("device"));
        let key = pkcs8(&leaf);
        let mut chain = leaf.chain().to_vec();
        chain.push(self.root.certificate().clone());
        let file = convert::to_pkcs12(&chain, &key, "device", "secret", encryption).unwrap();
        let path = self.write("device.p12", &*file);
        let out = self.write("device-out.pem", "");
        succeeds(&["pkcs12", "-in", &path, "-passin", "pass:secret", "-nodes", "-out", &out]);
        let read = Contents::read(&std::fs::read(&out).unwrap(), None).unwrap();
        assert_eq!(read.keys[0].pkcs8(), key);
        assert_eq!(read.leaf(), Some(leaf.leaf()));
        assert_eq!(read.certificates.len(), 3);
        let wrong = openssl(&["pkcs12", "-in", &path, "-passin", "pass:wrong", "-nodes"]);
        assert!(!wrong.status.success());
    }

    fn encrypts_keys(&self) {
        let leaf = self.issue(LeafRequest::client("device"));
        let key = pkcs8(&leaf);
        let encrypted = convert::encrypt_key(&key, "secret", Salt::random().unwrap()).unwrap();
        let path = self.write("encrypted.key", encrypted);
        let plain = succeeds(&["pkey", "-in", &path, "-passin", "pass:secret"]);
        let read = Contents::read(plain.as_bytes(), None).unwrap();
        assert_eq!(convert::public_key_of(read.keys[0].pkcs8()), convert::public_key_of(&key));
    }

    async fn serve(&self) -> Broker {
        let server = self.issue(LeafRequest::server(["localhost", "127.0.0.1"]));
        let config = ServerConfig::builder().identity(identity(&server)).versions(TlsVersions::BOTH).build().unwrap();
        let address = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
        Broker::builder().workers(1).listener(Listener::tls(address, config)).start().await.unwrap()
    }

    fn client_files(&self) -> (String, String, String) {
        let client = self.issue(LeafRequest::client("device").usage(Usage::Client));
        (self.root(), self.write("client.pem", client.chain_pem()), self.write("client.key", client.key_pem()))
    }

    fn connects_with_s_client(&self, port: u16) {
        let (root, certificate, key) = self.client_files();
        for version in ["-tls1_2", "-tls1_3"] {
            let connect = format!("localhost:{port}");
            let said = succeeds(&[
                "s_client",
                "-connect",
                &connect,
                "-servername",
                "localhost",
                "-verify_hostname",
                "localhost",
                "-CAfile",
                &root,
                "-cert",
                &certificate,
                "-cert_chain",
                &certificate,
                "-key",
                &key,
                "-verify_return_error",
                version,
            ]);
            assert!(said.contains("Verify return code: 0 (ok)") || said.contains("Verification: OK"), "{said}");
        }
    }

    /// Python connects, asks for the server's certificate, and sends an MQTT CONNECT over it.
    fn connects_with_python(&self, port: u16) {
        let (root, certificate, key) = self.client_files();
        let program = "import socket, ssl, sys\n\
            root, certificate, key, port = sys.argv[1:]\n\
            context = ssl.create_default_context(cafile=root)\n\
            context.load_cert_chain(certificate, key)\n\
            with socket.create_connection(('localhost', int(port)), 20) as plain:\n\
            \x20   with context.wrap_socket(plain, server_hostname='localhost') as tls:\n\
            \x20       assert ('localhost') in [name for kind, name in tls.getpeercert()['subjectAltName']]\n\
            \x20       tls.sendall(bytes.fromhex('100d00044d5154540402003c000161'))\n\
            \x20       answer = tls.recv(4)\n\
            \x20       assert answer[:2] == bytes.fromhex('2002'), answer\n";
        let program = self.write("client.py", program);
        let output = Command::new("python3")
            .args([&program, &root, &certificate, &key, &port.to_string()])
            .output()
            .expect("python3");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

fn pkcs8(issued: &IssuedCertificate) -> Vec<u8> {
    Contents::read(issued.key_pem().as_bytes(), None).unwrap().keys[0].pkcs8().to_vec()
}

/// The first error that `openssl verify` named.
fn first_error(output: &Output) -> Option<u16> {
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let named = said.lines().find_map(|line| line.strip_prefix("error ")?.split(' ').next()?.parse().ok());
    assert_eq!(named.is_none(), said.contains(": OK"), "{said}");
    named
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs openssl and python3; run by cargo xtask test"]
async fn other_programs_take_what_is_written() {
    needs_openssl();
    let mut table = String::from(
        "| key | `openssl verify`, `req`, `crl` | `openssl pkcs12` | the same, `--compat` | `openssl pkey` | \
         `openssl s_client` | Python's `ssl` |\n|---|---|---|---|---|---|---|\n",
    );
    for kind in KeyType::ALL {
        let files = Files::new(kind);
        files.verifies();
        files.lists_revocations();
        files.exports(Pkcs12Encryption::Modern);
        files.exports(Pkcs12Encryption::Compat);
        files.encrypts_keys();
        let broker = files.serve().await;
        let port = broker.addresses()[0].port();
        tokio::task::block_in_place(|| {
            files.connects_with_s_client(port);
            files.connects_with_python(port);
        });
        writeln!(table, "| `{kind}` | yes | yes | yes | yes | yes | yes |").unwrap();
    }
    document::holds("programs", &table);
}

#[test]
#[ignore = "needs openssl and python3; run by cargo xtask test"]
fn openssl_judges_as_certs_verify_says_it_does() {
    needs_openssl();
    let dir = tempfile::tempdir().unwrap();
    let mut table =
        String::from("| certificate | Event Grid | OpenSSL | rustls | why they differ |\n|---|---|---|---|---|\n");
    let mut wrong = Vec::new();
    for case in cases::all(dir.path()) {
        let comparison = case.question().judge();
        let real = first_error(&case.verify(dir.path()));
        let said = comparison.of(Judge::OpenSsl).code();
        if said != real {
            wrong.push(format!("{}: openssl says {real:?}, we say {said:?}", case.name));
        }
        let cell = |judge| match comparison.of(judge) {
            Outcome::Accepted => "yes".to_owned(),
            Outcome::Refused { code: Some(code), .. } => format!("no ({code})"),
            Outcome::Refused { .. } => "no".to_owned(),
            _ => "–".to_owned(),
        };
        let names: Vec<&str> = comparison.differences.iter().map(|difference| difference.name()).collect();
        writeln!(
            table,
            "| {} | {} | {} | {} | {} |",
            case.name,
            cell(Judge::EventGrid),
            cell(Judge::OpenSsl),
            cell(Judge::Rustls),
            names.join(", ")
        )
        .unwrap();
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    document::holds("judges", &table);
}

impl cases::Case {
    fn verify(&self, dir: &Path) -> Output {
        let file = |name: &str, all: &[Certificate]| -> PathBuf { write(dir, name, pem::encode(all)).into() };
        let mut command = Command::new("openssl");
        command.args(["verify", "-no-CApath", "-no-CAstore", "-auth_level", "2"]);
        command.args(["-purpose", if self.purpose == Purpose::Server { "sslserver" } else { "sslclient" }]);
        command.args(["-attime", &self.now.to_string(), "-CAfile"]).arg(file("anchors.pem", &self.anchors));
        if !self.intermediates.is_empty() {
            command.arg("-untrusted").arg(file("untrusted.pem", &self.intermediates));
        }
        if let Some(host) = self.host {
            let option = if host.parse::<std::net::IpAddr>().is_ok() { "-verify_ip" } else { "-verify_hostname" };
            command.args([option, host]);
        }
        command.arg(file("leaf.pem", std::slice::from_ref(&self.leaf))).output().expect("openssl")
    }
}
