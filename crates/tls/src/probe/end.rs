//! How a probe's connection ended.

use std::io;

use rustls::{AlertDescription, Error, InvalidMessage, PeerIncompatible};

use crate::explain::Alert;
use crate::first_bytes::FirstBytes;

/// When a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// In the handshake.
    Handshake,
    /// After this side's handshake was complete. A TLS 1.3 server's refusal of a client certificate
    /// arrives here.
    After,
}

/// What ended a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum How {
    /// The server sent a fatal alert.
    Alert(Alert),
    /// The server said goodbye (close_notify).
    CloseNotify,
    /// The server closed the TCP connection.
    Closed,
    /// The server reset the TCP connection.
    Reset,
    /// The network failed.
    Io(io::ErrorKind),
    /// What came is not TLS.
    NotTls,
    /// The server chose a version that was not offered, or one older than TLS 1.2.
    Version,
    /// The server chose something that this side does not know or allow.
    Incompatible(String),
    /// The server sent more in one message than is taken.
    TooLarge,
    /// The server broke the protocol.
    Violation(String),
}

/// How and when a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct End {
    /// When.
    pub phase: Phase,
    /// How.
    pub how: How,
}

impl End {
    /// What an error that came before or in the handshake, such as from connecting, amounts to.
    #[must_use]
    pub fn in_handshake(error: &io::Error) -> Self {
        Self { phase: Phase::Handshake, how: from_io(error) }
    }
}

pub(super) fn from_io(error: &io::Error) -> How {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => How::Reset,
        io::ErrorKind::UnexpectedEof => How::Closed,
        kind => How::Io(kind),
    }
}

pub(super) fn from_tls(error: &Error, first: &[u8]) -> How {
    match error {
        Error::AlertReceived(alert) => {
            How::Alert(Alert { code: u8::from(*alert), name: name_of(u8::from(*alert)).to_owned() })
        }
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13 | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => How::Version,
        Error::PeerIncompatible(incompatible) => How::Incompatible(format!("{incompatible:?}")),
        Error::InvalidMessage(
            InvalidMessage::CertificatePayloadTooLarge | InvalidMessage::HandshakePayloadTooLarge,
        ) => How::TooLarge,
        _ if !matches!(
            FirstBytes::recognise(first),
            FirstBytes::TlsHandshake | FirstBytes::TlsAlert | FirstBytes::Nothing
        ) =>
        {
            How::NotTls
        }
        other => How::Violation(other.to_string()),
    }
}

/// The name of an alert (RFC 8446 §6 and its predecessors); `unknown` for a number without one.
#[must_use]
pub fn name_of(code: u8) -> &'static str {
    const NAMES: [(AlertDescription, &str); 32] = [
        (AlertDescription::CloseNotify, "close_notify"),
        (AlertDescription::UnexpectedMessage, "unexpected_message"),
        (AlertDescription::BadRecordMac, "bad_record_mac"),
        (AlertDescription::RecordOverflow, "record_overflow"),
        (AlertDescription::DecompressionFailure, "decompression_failure"),
        (AlertDescription::HandshakeFailure, "handshake_failure"),
        (AlertDescription::NoCertificate, "no_certificate"),
        (AlertDescription::BadCertificate, "bad_certificate"),
        (AlertDescription::UnsupportedCertificate, "unsupported_certificate"),
        (AlertDescription::CertificateRevoked, "certificate_revoked"),
        (AlertDescription::CertificateExpired, "certificate_expired"),
        (AlertDescription::CertificateUnknown, "certificate_unknown"),
        (AlertDescription::IllegalParameter, "illegal_parameter"),
        (AlertDescription::UnknownCA, "unknown_ca"),
        (AlertDescription::AccessDenied, "access_denied"),
        (AlertDescription::DecodeError, "decode_error"),
        (AlertDescription::DecryptError, "decrypt_error"),
        (AlertDescription::ExportRestriction, "export_restriction"),
        (AlertDescription::ProtocolVersion, "protocol_version"),
        (AlertDescription::InsufficientSecurity, "insufficient_security"),
        (AlertDescription::InternalError, "internal_error"),
        (AlertDescription::InappropriateFallback, "inappropriate_fallback"),
        (AlertDescription::UserCanceled, "user_canceled"),
        (AlertDescription::NoRenegotiation, "no_renegotiation"),
        (AlertDescription::MissingExtension, "missing_extension"),
        (AlertDescription::UnsupportedExtension, "unsupported_extension"),
        (AlertDescription::CertificateUnobtainable, "certificate_unobtainable"),
        (AlertDescription::UnrecognisedName, "unrecognized_name"),
        (AlertDescription::BadCertificateStatusResponse, "bad_certificate_status_response"),
        (AlertDescription::UnknownPSKIdentity, "unknown_psk_identity"),
        (AlertDescription::CertificateRequired, "certificate_required"),
        (AlertDescription::NoApplicationProtocol, "no_application_protocol"),
    ];
    NAMES.iter().find(|(alert, _)| u8::from(*alert) == code).map_or("unknown", |(_, name)| name)
}
