//! Group D: the server's hello and its chain.

super::words! {
    D01 "the path from the server's certificate ends at nobody who is trusted: the root is not trusted, or the server does not send its intermediates"
        "trust the root that the chain ends at by --cafile, or have the server send its intermediates"
        ["unable to get local issuer certificate", "UNABLE_TO_VERIFY_LEAF_SIGNATURE", "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
         "PKIX path building failed", "UnknownIssuer", "unable to verify the first certificate", "verify error:num=20",
         "verify error:num=21", "certificate signed by unknown authority", "unable to find valid certification path",
         "Trust anchor for certification path not found", "invalid peer certificate: UnknownIssuer", "UNABLE_TO_GET_ISSUER_CERT",
         "unable to get issuer certificate", "self signed certificate or certificate authority is unknown"]
        ["certificate verify failed", "CERTIFICATE_VERIFY_FAILED", "0A000086", "1416F086"],
    D02 "the file for trust holds the CA of the clients, which has not issued the server's certificate"
        "leave --cafile out for a server with a public certificate, or give the CA that issued the server's"
        ["client CA given as cafile", "WithTrustChain"]
        [],
    D03 "the file holds a root or intermediate that the service no longer uses"
        "trust the service's current roots, or the system's store, and never pin an intermediate"
        ["Baltimore CyberTrust Root", "pinned root is outdated", "Microsoft Azure TLS Issuing CA 0"]
        [],
    D04 "the certificate vouches for itself, so it is believed only where it is pinned"
        "pin it or its key, or have the server use a certificate of a CA"
        ["DEPTH_ZERO_SELF_SIGNED_CERT", "verify error:num=18", "CaUsedAsEndEntity", "self-signed certificate (18)",
         "certificate verify failed: self-signed certificate (", "certificate verify failed: self signed certificate (",
         "OtherError(CaUsedAsEndEntity)"]
        ["self-signed certificate", "self signed certificate"],
    D05 "the server sends its root along, and that root is a private one that nobody here trusts"
        "get that root in a way that you trust, compare its fingerprint, and give it by --cafile"
        ["SELF_SIGNED_CERT_IN_CHAIN", "self-signed certificate in certificate chain", "self signed certificate in certificate chain",
         "verify error:num=19"]
        [],
    D06 "a certificate of the server's chain is past its last day, or this machine's clock is ahead"
        "have the server's operator renew it; check this machine's clock"
        ["certificate has expired", "CERT_HAS_EXPIRED", "ExpiredContext", "verify error:num=10", "CertificateExpiredException",
         "invalid peer certificate: Expired", "certificate has expired or is not yet valid", "CERT_DATE_INVALID"]
        [],
    D07 "a certificate of the server's chain begins later than this machine's clock says it is"
        "set this machine's clock, and wait for the time service before connecting"
        ["certificate is not yet valid", "CERT_NOT_YET_VALID", "validity starts in the future", "verify error:num=9:",
         "NotValidYet", "CertificateNotYetValidException"]
        [],
    D08 "the names in the server's certificate do not include the one that was asked for"
        "connect to a name that the certificate has"
        ["ERR_TLS_CERT_ALTNAME_INVALID", "No subject alternative DNS name matching", "NotValidForNameContext", "NotValidForName",
         "host name verification failed", "Hostname mismatch", "verify error:num=62", "doesn't match", "Hostname/IP does not match",
         "certificate is valid for…not", "certificate not valid for name"]
        [],
    D09 "the host was given as an IP address, and the certificate names no such address"
        "connect by the DNS name that the certificate has"
        ["IP address mismatch", "verify error:num=64", "doesn't contain any IP SANs", "No subject alternative names matching IP address",
         "is not in the cert's list"]
        [],
    D10 "it has a common name only, which current libraries no longer take for a host name"
        "have the server's certificate issued again with its host name as subject alternative name"
        ["not valid for any names", "presented: []", "relies on legacy Common Name field", "No subject alternative names present"]
        [],
    D11 "its extended key usage lacks serverAuth"
        "have the server's certificate issued again with serverAuth"
        ["InvalidPurposeContext", "InvalidPurpose", "INVALID_PURPOSE", "unsupported certificate purpose", "unsuitable certificate purpose",
         "verify error:num=26", "Extended key usage does not permit", "incompatible key usage", "unsuitable purpose"]
        [],
    D12 "the server has no site of the name that was sent"
        "connect by the name that the server is configured with"
        ["unrecognized name", "unrecognized_name", "UnrecognisedName", "TLSV1_UNRECOGNIZED_NAME", "UnrecognizedName", "0A000458"]
        [],
    D13 "many hosts share the address, and without the server name (SNI) the server shows the certificate of another"
        "send the server name (SNI); do not connect by IP address"
        ["requires SNI", "SNI to be set", "server name indication", "No SNI"]
        [],
    D14 "the server speaks only versions that this side does not, mostly TLS 1.0 or 1.1"
        "upgrade the side that lacks TLS 1.2"
        ["alert protocol version", "TLSV1_ALERT_PROTOCOL_VERSION", "AlertReceived(ProtocolVersion)", "unsupported protocol",
         "UNSUPPORTED_PROTOCOL", "0A000102", "0A00042E", "protocol_version", "PeerIncompatible(ServerDoesNotSupportTls12Or13)",
         "PeerIncompatible(ServerTlsVersionIsDisabled)", "protocol version not supported", "No appropriate protocol",
         "NO_PROTOCOLS_AVAILABLE", "Client and server cannot communicate, because they do not possess a common algorithm"]
        [],
    D15 "the two sides find no cipher suite, group or signature scheme that both use; servers also say it for a missing client certificate under TLS 1.2"
        "enable ECDHE with AES-GCM or ChaCha20 and the groups X25519 or P-256 on the server; if it wants a client certificate, see E01"
        ["no shared cipher", "0A0000C1", "no suitable key share", "0A000065", "sslv3 alert handshake failure",
         "ssl/tls alert handshake failure", "SSLV3_ALERT_HANDSHAKE_FAILURE",
         "AlertReceived(HandshakeFailure)", "Received fatal alert: handshake_failure", "remote error: tls: handshake failure",
         "NoCipherSuitesInCommon", "NoKxGroupsInCommon", "no cipher suite in common", "no cipher suites in common",
         "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE", "PeerIncompatible(NoSignatureSchemesInCommon)", "0A000410",
         "received fatal alert: HandshakeFailure", "fatal alert: handshake_failure"]
        ["handshake failure"],
    D16 "the server speaks none of the application protocols (ALPN) that were offered"
        "offer the protocol that the server wants on this port, or none"
        ["no application protocol", "0A000460", "no_application_protocol", "NoApplicationProtocol", "TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
         "no application protocol…alert number 120"]
        [],
    D17 "the server gave up for a reason of its own"
        "look at the server's log, and try again"
        ["alert internal error", "0A000438", "TLSV1_ALERT_INTERNAL_ERROR", "AlertReceived(InternalError)", "internal_error",
         "remote error: tls: internal error"]
        [],
    D18 "many or large certificates make the first answer long, which slow links and small devices feel"
        "leave the root out of the server's chain, and use P-256 instead of RSA"
        ["certificate chain too long", "excessive message size", "0A000098", "MessageTooLarge", "HandshakePayloadTooLarge",
         "CertificatePayloadTooLarge", "peer sent excess certificate"]
        [],
    D19 "the machine or container has no file of public roots, so no public certificate can be believed"
        "install the package ca-certificates, or use the roots that are built in"
        ["no CA certificates were loaded", "no native root CA certificates found", "NoRootAnchors", "No CA store",
         "error setting certificate verify locations", "trustAnchors parameter must be non-empty", "no certificate store found"]
        [],
    D20 "the client wants to know whether the certificate was revoked, and the place that says so cannot be reached"
        "let the client reach that host on port 80, or switch its revocation check off"
        ["RevocationStatusUnknown", "OfflineRevocation", "unable to get certificate CRL", "revocation server was offline", "0x80092013",
         "CRYPT_E_REVOCATION_OFFLINE", "The revocation function was unable to check", "0x80092012", "CRYPT_E_NO_REVOCATION_CHECK",
         "UNABLE_TO_GET_CRL", "UnknownRevocationStatus", "Unable to determine revocation status"]
        [],
}
