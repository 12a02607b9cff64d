//! A client of Enrollment over Secure Transport (RFC 7030), and certificates that renew themselves by it.
//!
//! [`EstClient`] asks once; [`EstRenewer`] is a [`CredentialProvider`](gridmq_tls::CredentialProvider) that asks
//! whenever it is time. What the messages say, and when it is time, is decided in [`gridmq_tls::est`], without I/O; here are the
//! connection, the clock, the files and the hook.
//!
//! The server is believed only by the trust that is given, on every connection, the first included. Where nothing but
//! the server's fingerprint is known, give a trust that pins its certificate or key, fetch the authorities by
//! [`EstClient::ca_certificates`], and go on with those.
//!
//! | limit | value |
//! |---|---|
//! | name, TCP, TLS, request and answer together | 30 s, [`EstClientBuilder::timeout`] |
//! | a body | 1 MiB |
//! | the fields of an answer | 100, 64 KiB together |
//! | a hook | 60 s, [`Hook::timeout`] |

mod client;
mod error;
mod files;
mod hook;
mod renewer;
mod server;
mod transport;

pub use crate::http::HttpError;
pub use client::{EstClient, EstClientBuilder};
pub use error::{EstError, EstErrorKind};
pub use files::PairFiles;
pub use hook::{Hook, HookError};
pub use renewer::{EstRenewer, EstRenewerBuilder, RenewalEvent, RenewalKey};
