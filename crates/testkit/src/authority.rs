//! Certificates for tests, made anew each time.

use std::time::{SystemTime, UNIX_EPOCH};

use gridmq_tls::issue::{CertificateAuthority, IssuedCertificate, Validity};
use gridmq_tls::{Identity, Trust};

/// Seconds since the Unix epoch.
#[must_use]
pub fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_secs()
}

/// A root, an intermediate under it, and what the intermediate issues.
#[derive(Debug)]
pub struct Authority {
    /// The root.
    pub root: CertificateAuthority,
    /// The intermediate, which signs all leaves.
    pub intermediate: CertificateAuthority,
    validity: Validity,
}

impl Authority {
    /// A new authority, whose names begin with `name`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let validity = Validity::days(unix_now(), 30);
        let root = CertificateAuthority::new_root(&format!("{name} Root"), validity).expect("a root");
        let intermediate = root.intermediate(&format!("{name} Intermediate"), validity).expect("an intermediate");
        Self { root, intermediate, validity }
    }

    /// A server certificate for localhost by name and address.
    #[must_use]
    pub fn server(&self) -> IssuedCertificate {
        self.intermediate.issue_server(["localhost", "127.0.0.1", "::1"], self.validity).expect("a server certificate")
    }

    /// A client certificate with that common name.
    #[must_use]
    pub fn client(&self, common_name: &str) -> IssuedCertificate {
        self.intermediate.issue_client(common_name, self.validity).expect("a client certificate")
    }

    /// Trust in this authority's root alone.
    #[must_use]
    pub fn trust(&self) -> Trust {
        Trust::only_pem(self.root.certificate_pem().as_bytes()).expect("trust")
    }
}

/// The identity that a certificate and its key make.
#[must_use]
pub fn identity(issued: &IssuedCertificate) -> Identity {
    Identity::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes()).expect("an identity")
}
