//! Group B: what the certificate says.

super::words! {
    B01 "its last day of validity has passed"
        "have it renewed"
        ["client certificate has expired", "Cert…expired on"]
        [],
    B02 "its first day of validity is still to come by this machine's clock, or the issuer's clock is ahead"
        "set this machine's clock, or wait until the certificate is valid"
        ["client certificate is not yet valid"]
        [],
    B03 "its extended key usage lacks clientAuth; public CAs stopped issuing that in 2026"
        "have one issued with clientAuth, by a private CA"
        ["certificate lacks clientAuth", "certificate purpose does not include client authentication"]
        [],
    B04 "its key usage forbids the signature that a handshake needs"
        "have it issued again with digitalSignature"
        ["KeyUsage does not allow digital signatures", "key usage lacks digitalSignature", "KU_DIGITAL_SIGNATURE"]
        [],
    B05 "an issuer's extended key usage limits what it may issue, and client certificates are not among that"
        "have it issued by a CA without that limit"
        ["issuing CA may not issue clientAuth", "issuer certificate EKU"]
        [],
    B06 "the user name is neither the certificate's common name nor one of its alternative names"
        "give the name that the certificate has as user name, or have one issued for this name"
        ["user name is not in the certificate", "username does not match certificate"]
        [],
    B07 "the broker reads the name from the first field that is filled in its own order"
        "compare the names in the certificate with the broker's setting for the name's source"
        ["alternative authentication name source"]
        [],
    B08 "what is registered is another certificate's thumbprint, another hash, or has characters that do not belong to it"
        "register the thumbprint in upper-case hexadecimal digits without colons, of the hash that the service asks for"
        ["Thumbprint does not match configuration", "thumbprint mismatch", "SHA1Hash=", "CertificateThumbprintMismatch"]
        [],
    B09 "no CA vouches for it, so a broker accepts it only by its thumbprint"
        "register its thumbprint, or have a certificate issued by the CA that the broker knows"
        ["client certificate is self-signed"]
        [],
    B10 "the service needs the certificate of the immediate issuer, and has another one"
        "register the certificate that issued the client's: the intermediate, not the root and not the leaf"
        ["upload the intermediate, not the root", "wrong CA registered"]
        [],
    B11 "the service does not take this file for a CA certificate that it can use"
        "upload one CA certificate in PEM with CA:TRUE, and read the service's current rules for it"
        ["not created by a trusted authority", "was not created by a trusted authority", "CA certificate upload failed"]
        [],
    B12 "the CA has put it on its revocation list"
        "have a new certificate issued, with a new key if the old one got out"
        ["client certificate was revoked by its CA"]
        [],
    B13 "the certificate is in date; the broker refuses because its own revocation list is past its next update"
        "ask the broker's operator to load a current revocation list"
        ["CRL has expired", "CRL_HAS_EXPIRED", "crl expired", "ExpiredRevocationList", "revocation list is out of date"]
        [],
    B14 "little of its lifetime is left"
        "renew it now; gridmq renews by EST on its own"
        ["certificate expires soon", "Certificate will expire"]
        [],
    B15 "the new certificate names somebody else, or the service knows the old thumbprint only"
        "renew with the same subject, and register the new thumbprint before the old certificate goes"
        ["subject changed on renewal", "renewed certificate has another subject"]
        [],
    B16 "the key is one of those that a broken generator made and that are publicly known"
        "make a new key and have a certificate issued for it"
        ["ROCA", "CVE-2017-15361", "CVE-2008-0166", "DEVICE_CERTIFICATE_KEY_QUALITY_CHECK"]
        [],
    B17 "it breaks a rule that lenient libraries pass over and strict ones do not"
        "have it issued again by a CA that follows RFC 5280"
        ["UnsupportedCertVersion", "serial number is negative", "negative serial number", "BadDer", "InvalidSerialNumber",
         "TrailingData(Certificate)", "certificate version 1"]
        [],
    B18 "a CA above it may only issue for other names"
        "have it issued for a name that the constraints allow, or by another CA"
        ["permitted subtree violation", "excluded subtree violation", "NameConstraintViolation", "not permitted by any constraint",
         "name constraints violation"]
        [],
}
