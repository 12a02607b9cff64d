//! Group H: what other programs say of themselves.

super::words! {
    H01 "SChannel signs only with a key that is in a key store, and a certificate made from PEM has its key in memory"
        "export the certificate to PKCS#12 in memory and load it from there"
        ["0x8009030E", "SEC_E_NO_CREDENTIALS"]
        ["No credentials are available in the security package"],
    H02 "the certificate is in the store, and the process may not read its private key"
        "give the process's account the right to the key, or import it for that account"
        ["0x8009030D", "SEC_E_UNKNOWN_CREDENTIALS"]
        ["The credentials supplied to the package were not recognized"],
    H03 "SChannel builds the chain from the machine's store of intermediates and passes over what the program gives"
        "put the intermediates into the store, or pass an SslStreamCertificateContext"
        ["SslStreamCertificateContext", "SChannel…intermediate", "intermediate…SChannel", "Intermediate Certification Authorities store",
         "add the certificates to the store"]
        [],
    H04 ".NET considers only certificates with clientAuth and leaves out the others without an error"
        "have the certificate issued with clientAuth"
        ["X509EnhancedKeyUsageExtension is not valid for Client Authentication", "No eligible client certificate found",
         "is not valid for Client Authentication", "No client certificate could be found"]
        [],
    H05 "a client may choose its certificate by that list: Windows sends none, and a long one does not fit everywhere"
        "configure the certificate in the client instead of letting it choose"
        ["No client certificate CA names sent", "Acceptable client certificate CA names", "acceptableIssuers"]
        [],
    H06 "version 5.1 does not look at the option"
        "set a CertificateValidationHandler, or better, trust the CA"
        ["WithAllowUntrustedCertificates", "AllowUntrustedCertificates"]
        [],
    H07 ".NET's own check of the server's certificate failed; the names after SslPolicyErrors say in what"
        "NameMismatch: connect by a name of the certificate; PartialChain and UntrustedRoot: trust the CA"
        ["RemoteCertificateNameMismatch", "PartialChain", "UntrustedRoot", "RemoteCertificateNotAvailable",
         "The remote certificate is invalid according to the validation procedure", "The remote certificate was rejected by the provided",
         "remote certificate is invalid because of errors in the certificate chain"]
        ["RemoteCertificateChainErrors"],
    H08 "the server sent a TLS alert, and .NET gives its name only"
        "look the alert's name up with this command: HandshakeFailure, UnknownCA, CertificateRequired"
        ["the remote party sent a TLS alert", "Authentication failed because the remote party"]
        [],
    H09 "mbed TLS reports by number: -0x2700 the server's certificate was not verified, -0x52 the host is unknown, 0x8006 TCP timed out"
        "for -0x2700 set the clock and give the CA; for the others check name, network and port"
        ["-0x2700", "-0x52", "0x8006", "ESP_ERR_ESP_TLS", "mbedtls_ssl_handshake returned", "MBEDTLS_ERR_X509_CERT_VERIFY_FAILED",
         "esp-tls-mbedtls", "-0x7780", "-0x7200", "-0x7F00", "-0x6800", "MBEDTLS_ERR", "esp-tls"]
        [],
    H10 "MQTT.js keeps the buffers of the first connection and reconnects with them"
        "end the client and make a new one when the certificate changes"
        ["MQTT.js…old cert", "MQTT.js…old client cert", "MQTT.js…reconnect()", "reconnect()…old client cert", "reconnect()…old cert", "mqttjs…old cert", "client.reconnect()", "keeps the old certificate"]
        [],
    H11 ".NET takes PEM and the TLS library below it does not take the key that comes of it"
        "load certificate and key by way of PKCS#12"
        ["Kestrel…0x8009030E", "Fleck…0x8009030E", "Microsoft.Azure.Devices…0x8009030E", "azure-iot-sdk-csharp", "CreateFromPemFile…Kestrel",
         "The key contents do not contain a PEM", "does not support loading with EphemeralKeySet", "CreateFromPemFile", "CreateFromPem("]
        [],
}
