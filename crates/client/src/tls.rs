//! Trust, identities and credentials: what [`Options::trust`](crate::Options::trust),
//! [`Options::identity`](crate::Options::identity) and [`Options::credentials`](crate::Options::credentials) take, and
//! what TLS says of a connection. All of it is `gridmq-tls`, which has more.

pub use gridmq_tls::catalogue::{Finding, Id, Severity};
pub use gridmq_tls::client::ConfigError;
pub use gridmq_tls::credentials::{Changed, CredentialProvider, CredentialStatus, Fixed, Generation, Published};
#[cfg(feature = "watch")]
pub use gridmq_tls::credentials::{
    WatchedFiles,
    watched::{Event as WatchEvent, Watch},
};
pub use gridmq_tls::explain::{Role, Side, TlsError, TlsErrorKind};
pub use gridmq_tls::identity::{Identity, IdentityError, IdentityLoader, KeyMismatch, KeyPermissions};
pub use gridmq_tls::passphrase::{Passphrase, PassphraseError, PassphraseSource};
pub use gridmq_tls::revocation::Revocation;
pub use gridmq_tls::source::{Source, SourceError};
pub use gridmq_tls::stream::HandshakeInfo;
pub use gridmq_tls::trust::{BadPin, Pin, Trust, TrustError, TrustSource};
pub use gridmq_tls::versions::{TlsVersion, TlsVersions};
