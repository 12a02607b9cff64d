//! Group E: the server judging the client.

super::words! {
    E01 "the server demands a certificate and the client has sent none"
        "give certificate and key by --cert and --key"
        ["certificate required", "0A00045C", "certificate_required", "CertificateRequired", "peer did not return a certificate",
         "0A0000C7", "TLSV13_ALERT_CERTIFICATE_REQUIRED", "client didn't provide a certificate", "NoCertificatesPresented",
         "peer sent no certificates", "No client certificate was sent", "PEER_DID_NOT_RETURN_A_CERTIFICATE", "Empty client certificate chain",
         "null cert chain", "bad_certificate…null cert chain"]
        [],
    E02 "the server finds no path from the client certificate to a CA that it trusts"
        "register the certificate's issuer with the server, or append missing intermediates to the certificate file"
        ["alert unknown ca", "0A000418", "14094418", "TLSV1_ALERT_UNKNOWN_CA", "AlertReceived(UnknownCA)", "received fatal alert: UnknownCA",
         "Received fatal alert: unknown_ca", "unknown_ca", "unknown certificate authority", "UnknownCA"]
        [],
    E03 "the server trusts the root, and the client sends its leaf without the intermediate between the two"
        "append the intermediate to the certificate file"
        ["client sent only its leaf", "client intermediate not sent"]
        [],
    E04 "by the server's clock the client certificate has expired, or the server's revocation list has"
        "renew the certificate; if it is in date, ask the server's operator about clock and revocation list"
        ["alert certificate expired", "0A000415", "14094415", "SSLV3_ALERT_CERTIFICATE_EXPIRED", "AlertReceived(CertificateExpired)",
         "received fatal alert: CertificateExpired", "certificate_expired", "remote error: tls: expired certificate"]
        [],
    E05 "the server calls the certificate bad: by its clock it is not valid yet, or it cannot read or check it"
        "compare the certificate's first day with the clocks of both sides, and look at the server's log"
        ["alert bad certificate", "0A000412", "14094412", "SSLV3_ALERT_BAD_CERTIFICATE", "AlertReceived(BadCertificate)",
         "received fatal alert: BadCertificate", "bad_certificate", "remote error: tls: bad certificate", "alert certificate unknown",
         "certificate_unknown", "AlertReceived(CertificateUnknown)", "SSLV3_ALERT_CERTIFICATE_UNKNOWN", "0A000416"]
        [],
    E06 "the certificate's usages do not allow a client: clientAuth or digitalSignature is missing"
        "have a certificate issued with extended key usage clientAuth and key usage digitalSignature"
        ["alert unsupported certificate", "0A000413", "14094413", "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
         "AlertReceived(UnsupportedCertificate)", "unsupported_certificate", "UnsupportedCertificate", "remote error: tls: unsupported certificate"]
        [],
    E07 "without the extension it may be used for anything, which OpenSSL accepts and strict servers do not"
        "have it issued again with extended key usage clientAuth"
        ["certificate has no extended key usage", "no EKU extension"]
        [],
    E08 "the certificate is on the server's revocation list"
        "have a new certificate issued"
        ["alert certificate revoked", "0A000414", "14094414", "SSLV3_ALERT_CERTIFICATE_REVOKED", "AlertReceived(CertificateRevoked)",
         "received fatal alert: CertificateRevoked", "certificate_revoked", "certificate revoked", "remote error: tls: revoked certificate"]
        [],
    E09 "OpenSSL wants a path up to a self-signed certificate, and the server's file holds an intermediate alone"
        "put the root beside the intermediate in the server's file, or allow partial chains there"
        ["unable to get issuer certificate…depth", "X509_V_FLAG_PARTIAL_CHAIN", "partial_chain", "verify error:num=2:"]
        [],
    E10 "the server takes the client's name from the certificate, and that has none where it looks"
        "have it issued with a common name, or set the server to another field"
        ["certificate has no common name", "Client certificate has no CN", "use_identity_as_username"]
        [],
    E11 "the server accepts no signature that the client's key can make, so the client sends no certificate"
        "use a key of a kind that the server accepts: mostly RSA of 2048 bits or P-256"
        ["no shared signature algorithms", "NO_SHARED_SIGNATURE_ALGORITHMS", "no suitable signature algorithm", "0A000076", "0A000068",
         "NO_SUITABLE_SIGNATURE_ALGORITHM", "No supported CertificateVerify signature algorithm", "no common signature scheme",
         "peer doesn't support any of the certificate's signature algorithms"]
        [],
    E12 "the server asks for the certificate in a second handshake inside the first, which TLS 1.3 and current libraries do not have"
        "let the listener ask for the certificate at once, or allow TLS 1.3 there"
        ["no renegotiation", "0A000153", "NO_RENEGOTIATION", "renegotiation is not allowed", "unsafe legacy renegotiation",
         "UNSAFE_LEGACY_RENEGOTIATION_DISABLED"]
        [],
    E13 "the server asks for the certificate after the handshake, and the client has not offered that"
        "let the listener ask for the certificate in the handshake"
        ["extension not received", "0A000117", "EXTENSION_NOT_RECEIVED", "post-handshake authentication", "post_handshake_auth"]
        [],
    E14 "a resumed session carries the identity it began with, so the broker still sees the old certificate"
        "use a new configuration, without the old sessions, for each new certificate"
        ["resumed session", "SSL session reused", "Reused, TLSv1", "session was resumed with the old certificate", "old certificate after rotation"]
        [],
    E15 "the listener does not ask for a certificate, or something before it ends TLS, so the broker never sees it"
        "connect to the port that asks for certificates, and let nothing on the way end TLS"
        ["No client certificate CA names sent…Verification: OK", "server did not ask for a client certificate", "CertificateRequest was not sent"]
        [],
    E16 "the service has seen the certificate for the first time and is still registering it"
        "wait and connect again; then look at the certificate's state and policy in the service"
        ["PENDING_ACTIVATION", "JITP", "JITR", "just-in-time registration"]
        [],
}
