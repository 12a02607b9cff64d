//! Certificates about which programs differ, and some about which they agree.

use std::path::Path;

use gridmq_testkit::authority::unix_now;
use gridmq_tls::inspect::{Purpose, Question};
use gridmq_tls::issue::{AuthorityRequest, CertificateAuthority, LeafRequest, Usage, Validity, self_signed};
use gridmq_tls::{Certificate, pem};

use crate::{succeeds, write};

/// One chain, and who is asked about it.
pub struct Case {
    pub name: &'static str,
    pub leaf: Certificate,
    pub intermediates: Vec<Certificate>,
    pub anchors: Vec<Certificate>,
    pub purpose: Purpose,
    pub host: Option<&'static str>,
    pub now: u64,
}

impl Case {
    pub fn question(&self) -> Question<'_> {
        let question = Question::new(&self.leaf, &self.intermediates, &self.anchors, self.purpose, self.now);
        self.host.map_or(question, |host| question.host(host))
    }

    fn server(mut self, host: &'static str) -> Self {
        self.purpose = Purpose::Server;
        self.host = Some(host);
        self
    }

    fn at(mut self, now: u64) -> Self {
        self.now = now;
        self
    }
}

struct Pki {
    root: CertificateAuthority,
    intermediate: CertificateAuthority,
    validity: Validity,
    now: u64,
}

impl Pki {
    fn case(
        &self,
        name: &'static str,
        leaf: &Certificate,
        intermediates: &[&CertificateAuthority],
        anchors: &[&CertificateAuthority],
    ) -> Case {
        let certificates =
            |all: &[&CertificateAuthority]| all.iter().map(|one| one.certificate().clone()).collect::<Vec<_>>();
        Case {
            name,
            leaf: leaf.clone(),
            intermediates: certificates(intermediates),
            anchors: certificates(anchors),
            purpose: Purpose::Client,
            host: None,
            now: self.now,
        }
    }

    /// The leaf with the intermediate, before somebody who trusts the root.
    fn usual(&self, name: &'static str, request: LeafRequest) -> Case {
        let leaf = self.intermediate.issue(&request, self.validity).unwrap();
        self.case(name, leaf.leaf(), &[&self.intermediate], &[&self.root])
    }
}

pub fn all(dir: &Path) -> Vec<Case> {
    let now = unix_now();
    let validity = Validity::days(now, 30);
    let root = CertificateAuthority::new_root("Root", validity).unwrap();
    let intermediate = root.intermediate("Intermediate", validity).unwrap();
    let stranger = CertificateAuthority::new_root("Stranger", validity).unwrap();
    let pki = Pki { root, intermediate, validity, now };
    let (root, intermediate) = (&pki.root, &pki.intermediate);
    let client = || LeafRequest::client("device");
    let device = intermediate.issue(&client(), validity).unwrap();
    let device = device.leaf();
    let server = || LeafRequest::server(["localhost"]);
    let mut cases = vec![
        pki.usual("client, whole chain, root trusted", client()),
        pki.case("client, intermediate trusted, root not", device, &[intermediate], &[intermediate]),
        pki.case("client, intermediate not sent, root trusted", device, &[], &[root]),
        pki.case("client, intermediate not sent, both trusted", device, &[], &[root, intermediate]),
        pki.case("client, intermediate not sent, it alone trusted", device, &[], &[intermediate]),
        pki.case("client, another authority trusted", device, &[intermediate], &[&stranger]),
        pki.case("client, root sent and not trusted", device, &[intermediate, root], &[&stranger]),
        pki.usual("client, expired", client()).at(now + 31 * 86_400),
        pki.usual("client, not yet valid", client()).at(now - 86_400),
        pki.usual("client, no extended key usage", client().usage(Usage::Unspecified)),
        pki.usual("client, serverAuth alone", client().usage(Usage::Server)),
        pki.usual("server, by DNS name", server()).server("localhost"),
        pki.usual("server, by another name", server()).server("example.org"),
        pki.usual("server, by IP address", LeafRequest::server(["127.0.0.1"])).server("127.0.0.1"),
        pki.usual("server, wildcard", LeafRequest::server(["*.example.org"])).server("a.example.org"),
        pki.usual("server, name in the CN alone", LeafRequest::client("localhost").usage(Usage::Server))
            .server("localhost"),
        pki.usual("server, clientAuth alone", server().usage(Usage::Client)).server("localhost"),
    ];
    cases.extend(own(&pki));
    cases.extend(constrained(&pki));
    cases.extend(weak(&pki, dir));
    cases
}

/// Self-signed ones.
fn own(pki: &Pki) -> Vec<Case> {
    let case = |name, is_ca, trusted: bool| {
        let own = self_signed(&LeafRequest::server(["localhost"]), is_ca, pki.validity).unwrap();
        let mut case = pki.case(name, own.leaf(), &[], &[]).server("localhost");
        case.anchors = vec![if trusted { own.leaf() } else { pki.root.certificate() }.clone()];
        case
    };
    vec![
        case("server, self-signed, CA:FALSE, itself trusted", false, true),
        case("server, self-signed, CA:TRUE, itself trusted", true, true),
        case("server, self-signed, not trusted", false, false),
    ]
}

/// Authorities with constraints.
fn constrained(pki: &Pki) -> Vec<Case> {
    let request = AuthorityRequest::new("Plant").permit("dns:example.org".parse().unwrap()).path_length(0);
    let plant = pki.root.authority(&request, pki.validity).unwrap();
    let case = |name, host: &'static str| {
        let leaf = plant.issue(&LeafRequest::server([host]), pki.validity).unwrap();
        pki.case(name, leaf.leaf(), &[&plant], &[&pki.root]).server(host)
    };
    let below = plant.authority(&AuthorityRequest::new("Too deep"), pki.validity).unwrap();
    let deep = below.issue(&LeafRequest::client("device"), pki.validity).unwrap();
    vec![
        case("server, name constraint met", "a.example.org"),
        case("server, name constraint broken", "a.example.com"),
        pki.case("client, path length exceeded", deep.leaf(), &[&below, &plant], &[&pki.root]),
    ]
}

/// What only openssl makes.
fn weak(pki: &Pki, dir: &Path) -> Vec<Case> {
    let (ca, ca_key) =
        (write(dir, "ca.pem", pki.root.certificate_pem()), write(dir, "ca.key", pki.root.key_pem().as_bytes()));
    let extensions = write(
        dir,
        "extensions",
        "[usual]\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n\
         [usage]\nkeyUsage=critical,keyEncipherment\nextendedKeyUsage=clientAuth\n\
         [critical]\nkeyUsage=digitalSignature\n1.2.3.4=critical,DER:0500\n",
    );
    let case = |name, key: &[&str], digest: &str, section: &str| {
        let path = |ending: &str| dir.join(format!("weak.{ending}")).to_str().unwrap().to_owned();
        let (key_out, request, out) = (path("key"), path("csr"), path("pem"));
        let mut arguments = vec!["req", "-new", "-nodes", "-subj", "/CN=device", "-keyout", &key_out, "-out", &request];
        arguments.extend(key);
        succeeds(&arguments);
        succeeds(&[
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            &ca,
            "-CAkey",
            &ca_key,
            "-set_serial",
            "4711",
            "-days",
            "10",
            digest,
            "-extfile",
            &extensions,
            "-extensions",
            section,
            "-out",
            &out,
        ]);
        let leaf = pem::certificates(&std::fs::read(&out).unwrap()).unwrap().remove(0);
        pki.case(name, &leaf, &[], &[&pki.root]).at(pki.now + 60)
    };
    let p256: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    vec![
        case("client, RSA with 1024 bits", &["-newkey", "rsa:1024"], "-sha256", "usual"),
        case("client, signed with SHA-1", p256, "-sha1", "usual"),
        case(
            "client, key on secp256k1",
            &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
            "-sha256",
            "usual",
        ),
        case("client, key usage without digitalSignature", p256, "-sha256", "usage"),
        case("client, unknown critical extension", p256, "-sha256", "critical"),
    ]
}
