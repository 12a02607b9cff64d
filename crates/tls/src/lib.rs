//! Who: keys, chains, trust, verified peers, and words for every TLS failure.
//!
//! [`Identity`] is what this side proves, [`Trust`] is whom it believes. They are different types
//! with no way from one to the other, because the commonest mistake of mutual TLS is to hand the
//! client's own chain to the setting that names trusted authorities.
//!
//! On a server the handshake may prove no more than possession of a key: it yields a
//! [`PresentedPeer`]. The pure functions [`verify`](verify()) and [`verify_thumbprint`] turn that into a
//! [`VerifiedPeer`], the only value that stands for a certificate somebody checked. They can be
//! called again when the registered authorities change.
//!
//! No type of the TLS stack below appears in this API: certificates go in and out as DER bytes or
//! as the parsed view [`Certificate`]. TLS 1.2 (RFC 5246) and TLS 1.3 (RFC 8446) are spoken;
//! cryptography comes from aws-lc.
//!
//! Features: `stream` (the asynchronous stream over tokio), `issue` (make certificates),
//! `platform-verifier` (the operating system's trust). None changes what the rest does.

#![forbid(unsafe_code)]

pub mod certificate;
pub mod classify;
pub mod client;
pub mod convert;
pub mod credentials;
#[cfg(feature = "est")]
pub mod est;
pub mod explain;
pub mod file;
pub mod first_bytes;
#[doc(hidden)]
pub mod fuzzing;
pub mod identity;
pub mod inspect;
#[cfg(feature = "issue")]
pub mod issue;
pub mod keys;
pub mod passphrase;
pub mod peer;
pub mod pem;
#[cfg(feature = "pkcs11")]
pub mod pkcs11;
mod pkcs12;
mod pkcs7;
#[cfg(feature = "probe")]
pub mod probe;
mod provider;
pub mod revocation;
pub mod server;
pub mod source;
#[cfg(feature = "stream")]
pub mod stream;
pub mod time;
mod tlv;
pub mod trust;
pub mod verify;
pub mod versions;

pub use certificate::{Certificate, DistinguishedName};
pub use client::ClientConfig;
pub use credentials::{CredentialProvider, CredentialStatus, Generation};
pub use explain::{TlsError, TlsErrorKind};
pub use gridmq_catalogue as catalogue;
pub use gridmq_catalogue::{Finding, Id, Severity};
pub use identity::{Identity, IdentityLoader};
pub use peer::PresentedPeer;
pub use revocation::Revocation;
pub use server::{ClientAuth, ClientTrust, HostPattern, ServerConfig};
pub use trust::{Pin, Trust, TrustSource};
pub use verify::{
    Anchors, Refusal, Thumbprint, VerifiedBy, VerifiedPeer, VerifyError, verify, verify_thumbprint, verify_with,
};
pub use versions::{TlsVersion, TlsVersions};
