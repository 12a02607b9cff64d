//! What else shows the same: the other causes of an alert or of a refusal.

use gridmq_tls::Id;

/// The other causes of what shows as `id`, and in what they differ.
pub(super) const fn to(id: Id) -> &'static [(Id, &'static str)] {
    match id {
        Id::E02 => &[
            (Id::E03, "if the server has the root and the client sends its leaf only"),
            (Id::B10, "if the service was given the root or the leaf instead of the issuer"),
            (Id::E09, "if the server has an intermediate without its root"),
            (Id::B09, "if the client certificate is self-signed"),
            (Id::B05, "if an issuer's extended key usage excludes clients"),
        ],
        Id::E01 => &[
            (Id::E11, "if a certificate is configured and its key fits none of the server's signature schemes"),
            (Id::B03, "if the program leaves out a certificate without clientAuth"),
        ],
        Id::E04 => &[
            (Id::B01, "if the certificate's last day has passed"),
            (Id::B13, "if the certificate is in date: then the server's revocation list is not"),
        ],
        Id::E05 => &[(Id::B02, "if the certificate's first day is still to come by the server's clock")],
        Id::E06 => &[(Id::B03, "if clientAuth is missing"), (Id::B04, "if digitalSignature is missing")],
        Id::E08 => &[(Id::B12, "if the CA did revoke it")],
        Id::D15 => &[
            (Id::E01, "if the server wants a client certificate and speaks TLS 1.2"),
            (Id::E11, "if the client's key fits none of the server's signature schemes"),
            (Id::E12, "if the server asks for the certificate by renegotiation"),
        ],
        Id::D01 => &[
            (Id::D02, "if --cafile names the CA of the clients"),
            (Id::D03, "if the trusted file is of an earlier year"),
            (Id::C11, "if a proxy opens TLS connections here"),
            (Id::D19, "if this is a container without ca-certificates"),
        ],
        Id::C06 => &[
            (Id::E01, "if it ends after the handshake: a TLS 1.3 refusal of the client certificate that went unread"),
            (Id::D13, "if no server name (SNI) was sent"),
            (Id::C14, "if the service lets in certain addresses only"),
        ],
        Id::C07 => &[(Id::C06, "if the server ends connections that it does not know")],
        Id::F04 => &[
            (Id::B06, "if the user name is not the certificate's"),
            (Id::B07, "if the broker takes the name from another field"),
            (Id::B08, "if the client is registered by thumbprint"),
            (Id::F03, "if the broker says the same for a wrong password, as mosquitto does"),
        ],
        Id::F03 => &[
            (Id::F04, "if name and password are right"),
            (Id::E10, "if the broker takes the name from the certificate"),
        ],
        Id::H09 => {
            &[(Id::D01, "for -0x2700, if the CA is not given"), (Id::D07, "for -0x2700, if the clock is not set")]
        }
        Id::H01 => &[(Id::H11, "if the certificate was loaded from PEM")],
        Id::H07 => &[(Id::D08, "for NameMismatch"), (Id::D01, "for PartialChain and UntrustedRoot")],
        Id::H08 => {
            &[(Id::E01, "for CertificateRequired"), (Id::E02, "for UnknownCA"), (Id::D15, "for HandshakeFailure")]
        }
        Id::A10 => &[(Id::A11, "if the file is DER"), (Id::A07, "if it is UTF-16"), (Id::A12, "if it is PKCS#12")],
        Id::A11 => &[(Id::A12, "if it is PKCS#12"), (Id::A22, "if it is a key of another kind or a request")],
        Id::A21 => &[(Id::A20, "if no passphrase was given")],
        Id::G13 => &[(Id::F13, "if it comes as the answer to CONNECT")],
        _ => &[],
    }
}
