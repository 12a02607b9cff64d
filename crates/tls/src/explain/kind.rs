//! Why TLS failed, for programs.

use std::io;

use crate::first_bytes::FirstBytes;

/// Why TLS failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsErrorKind {
    /// A client certificate is required and none was sent.
    CertificateRequired,
    /// A client certificate was there, but its key fits none of the server's signature schemes.
    NoCommonSignatureScheme,
    /// The certificate's chain ends at nobody who is trusted.
    UnknownCa,
    /// The certificate is malformed or unacceptable in some way the alert does not tell.
    BadCertificate,
    /// The certificate, or one above it, has expired.
    CertificateExpired,
    /// The certificate, or one above it, is not valid yet.
    CertificateNotYetValid,
    /// The certificate was revoked.
    CertificateRevoked,
    /// The certificate may not be used for this purpose.
    WrongUsage,
    /// A CA certificate was presented as the peer's own.
    CaAsLeaf,
    /// The server's certificate is for other names.
    NameMismatch,
    /// There is no TLS version that both sides allow.
    ProtocolVersion,
    /// There is no cipher suite, group or signature scheme that both sides allow.
    NoCommonParameters,
    /// The other side could not agree and did not say on what.
    HandshakeFailure,
    /// There is no application protocol (ALPN) that both sides speak.
    NoCommonProtocol,
    /// The server does not know the name that it was asked for (SNI).
    UnrecognisedName,
    /// The name is neither a DNS name nor an IP address.
    InvalidServerName,
    /// The other side does not speak TLS.
    NotTls(FirstBytes),
    /// The certificate is valid and its holder is not let in.
    AccessDenied,
    /// The other side closed the connection in the handshake and said nothing.
    ClosedDuringHandshake,
    /// The connection ended right after the handshake, before a byte arrived.
    ClosedAfterHandshake,
    /// The other side broke the protocol, by our account or its own of us.
    Violation,
    /// An alert that fits none of the above; the report has it.
    OtherAlert,
    /// The network failed.
    Io(io::ErrorKind),
    /// Something in this program's TLS stack failed.
    Internal,
}
