//! The ids. They are never reused and never change their meaning.

use std::fmt;
use std::str::FromStr;

use super::Stage;

macro_rules! ids {
    ($($id:ident $stage:ident $name:literal $title:literal,)*) => {
        /// The stable id of an entry.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Id {
            $(#[doc = concat!("`", $name, "`: ", $title, ".")] $id,)*
        }

        impl Id {
            /// Every id, in order.
            pub const ALL: &'static [Self] = &[$(Self::$id,)*];

            /// Letter and number, such as `A19`.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$id => stringify!($id),)* }
            }

            /// The id in words, such as `key-mismatch`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$id => $name,)* }
            }

            /// What it is, in a few words.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$id => $title,)* }
            }

            /// Where it shows.
            #[must_use]
            pub const fn stage(self) -> Stage {
                match self { $(Self::$id => Stage::$stage,)* }
            }
        }
    };
}

ids! {
    A01 Files "file-missing" "the file does not exist",
    A02 Files "file-unreadable" "the file may not be read",
    A03 Files "key-readable-by-others" "others on this machine can read the private key",
    A04 Files "file-empty" "the file is empty",
    A05 Files "pem-cut-off" "a PEM section has no end",
    A06 Files "byte-order-mark" "the file begins with a byte order mark",
    A07 Files "utf-16" "the file is text in UTF-16",
    A08 Files "crlf" "the file has Windows line ends",
    A09 Files "newlines-lost" "the line breaks of a PEM file were lost or escaped",
    A10 Files "nearly-pem" "a PEM header line is nearly right",
    A11 Files "der-file" "the file is DER, not PEM",
    A12 Files "pkcs12-file" "the file is PKCS#12",
    A13 Files "files-swapped" "certificate and key were swapped",
    A14 Files "ca-as-leaf" "a CA certificate is given as the client's own",
    A15 Files "leaf-not-first" "the leaf is not the first certificate of the file",
    A16 Files "chain-out-of-order" "the certificates are not in the order of issue",
    A17 Files "needless-root" "the chain carries its root",
    A18 Files "intermediate-missing" "the chain lacks an intermediate certificate",
    A19 Files "key-mismatch" "the key does not belong to the certificate",
    A20 Files "passphrase-missing" "the private key is encrypted and no passphrase is known",
    A21 Files "passphrase-wrong" "the passphrase does not decrypt the key",
    A22 Files "not-a-key-or-certificate" "the file lacks the certificate or key it is named for",
    A23 Files "key-form" "the key's form is one of the older ones",
    A24 Files "pkcs12-legacy" "the PKCS#12 file uses legacy encryption",
    A25 Files "pkcs12-too-modern" "old Windows cannot read the PKCS#12 file",
    A26 Files "pkcs12-password-wrong" "the password does not open the PKCS#12 file",
    A27 Files "pkcs12-without-key" "the PKCS#12 file holds no private key",
    A28 Files "pkcs12-without-chain" "the PKCS#12 file holds no intermediate certificate",
    A29 Files "key-too-small" "the RSA key has fewer than 2048 bits",
    A30 Files "weak-signature" "a certificate is signed with SHA-1 or MD5",
    A31 Files "curve-unusable" "the key's curve cannot be used in TLS",
    A32 Files "token-object-missing" "the PKCS#11 token, object or PIN is wrong",
    A33 Files "replaced-by-rename" "the file is a link that is replaced as a whole",
    A34 Files "unrelated-certificate" "the file holds a certificate of another chain",
    A35 Files "not-a-credential-file" "the path is a directory, too large or not a file of certificates or keys",

    B01 Files "certificate-expired" "the client certificate has expired",
    B02 Files "certificate-not-yet-valid" "the client certificate is not valid yet",
    B03 Files "no-client-usage" "the certificate may not authenticate a client",
    B04 Files "no-digital-signature" "the key usage lacks digitalSignature",
    B05 Files "issuer-usage" "an issuing CA may not issue client certificates",
    B06 Connect "name-not-in-certificate" "the user name is not in the certificate",
    B07 Connect "name-source" "the broker takes the client's name from another field",
    B08 Files "thumbprint-mismatch" "the registered thumbprint is not this certificate's",
    B09 Files "self-signed" "the certificate is self-signed",
    B10 Client "wrong-ca-registered" "another CA than the certificate's issuer is registered",
    B11 Text "ca-upload-refused" "the service refuses to register the CA certificate",
    B12 Client "certificate-revoked" "the certificate is revoked",
    B13 Client "broker-crl-stale" "the broker's own revocation list is out of date",
    B14 Files "expires-soon" "the certificate expires soon",
    B15 Files "renewed-under-another-name" "the renewed certificate has another name",
    B16 Files "weak-key" "the key is known to be weak",
    B17 Files "certificate-lint" "the certificate breaks a rule of RFC 5280",
    B18 Files "name-constraints" "the chain's name constraints exclude the certificate",

    C01 Name "name-unknown" "the host name cannot be looked up",
    C02 Tcp "refused" "nothing listens on the port",
    C03 Tcp "port-filtered" "the port does not answer",
    C04 Tcp "address-family-dead" "one address family does not work",
    C05 Hello "path-mtu" "large packets do not pass",
    C06 Hello "closed-in-handshake" "the server closes in the handshake and says nothing",
    C07 Hello "plain-mqtt" "the port speaks MQTT without TLS",
    C08 Hello "not-tls" "the port speaks something else",
    C09 Connect "tls-port" "the port wants TLS",
    C10 Client "slow-signature" "the client's signature takes too long",
    C11 Server "intercepted" "a TLS-inspecting proxy answers in the server's place",
    C12 Server "captive-portal" "a captive portal answers in the server's place",
    C13 Session "idle-timeout" "something on the path drops idle connections",
    C14 Tcp "private-endpoint" "the name leads to an address that is not let in",
    C15 Hello "stalled" "the peer stops in the middle",

    D01 Server "server-issuer-unknown" "nobody who is trusted issued the server's certificate",
    D02 Server "client-ca-as-trust" "the client's CA is given as trust for the server",
    D03 Server "pinned-root-outdated" "the trusted root or intermediate is not the current one",
    D04 Server "server-self-signed" "the server's certificate is self-signed",
    D05 Server "private-root" "the server sends a private root that is not trusted",
    D06 Server "server-certificate-expired" "a certificate of the server's chain has expired",
    D07 Server "server-certificate-not-yet-valid" "a certificate of the server's chain is not valid yet",
    D08 Server "server-name-mismatch" "the server's certificate is for another name",
    D09 Server "server-ip-mismatch" "the server's certificate is not for this address",
    D10 Server "server-without-san" "the server's certificate has no subject alternative name",
    D11 Server "server-usage" "the server's certificate may not authenticate a server",
    D12 Hello "unrecognised-name" "the server does not know the name",
    D13 Hello "server-name-not-sent" "without the server name another certificate comes",
    D14 Hello "protocol-version" "no TLS version is common to both",
    D15 Hello "no-common-cipher" "no cipher suite, group or signature scheme is common to both",
    D16 Hello "no-common-alpn" "no application protocol is common to both",
    D17 Hello "server-internal-error" "the server reports an internal error",
    D18 Server "large-chain" "the server sends many bytes of certificates",
    D19 Server "no-system-roots" "this machine has no store of trusted roots",
    D20 Text "revocation-unreachable" "the client cannot reach the revocation service",

    E01 Client "no-client-certificate" "the server requires a client certificate and got none",
    E02 Client "client-issuer-unknown" "the server does not know who issued the client certificate",
    E03 Client "client-intermediate-not-sent" "the server lacks the intermediate between the client certificate and its root",
    E04 Client "client-certificate-expired" "the server finds the client certificate expired",
    E05 Client "client-certificate-bad" "the server finds the client certificate bad or not valid yet",
    E06 Client "client-certificate-usage" "the server finds the client certificate unfit for clients",
    E07 Client "client-certificate-any-usage" "the client certificate has no extended key usage",
    E08 Client "client-certificate-revoked" "the server finds the client certificate revoked",
    E09 Client "server-trusts-intermediate-only" "the server trusts an intermediate without its root",
    E10 Connect "certificate-without-name" "the server finds no name in the certificate",
    E11 Client "no-common-signature-scheme" "the client's key fits none of the server's signature schemes",
    E12 Hello "renegotiation" "the server wants to renegotiate to ask for a certificate",
    E13 Client "post-handshake-authentication" "the server asks for the certificate after the handshake",
    E14 Client "old-identity-resumed" "a resumed session carries the old certificate",
    E15 Client "certificate-not-asked-for" "the server never asks for a client certificate",
    E16 Client "certificate-pending" "the certificate is not activated yet",

    F01 Connect "mqtt-version" "the broker does not speak this MQTT version",
    F02 Connect "client-id" "the broker refuses the client identifier",
    F03 Connect "bad-credentials" "the broker refuses user name or password",
    F04 Connect "not-authorized" "the broker does not let this client in",
    F05 Connect "will-retain" "the broker takes no retained will",
    F06 Connect "will-qos" "the broker takes no will of this QoS",
    F07 Connect "keep-alive-too-long" "the broker wants a shorter keep-alive",
    F08 Connect "connect-user-properties" "the broker refuses user properties in CONNECT",
    F09 Connect "protocol-order" "the broker closes on a packet out of order",
    F10 Connect "server-busy" "the broker is unavailable, busy or elsewhere",
    F11 Connect "extended-authentication" "the broker wants extended authentication",
    F12 Connect "no-connack" "the broker does not answer CONNECT",
    F13 Connect "sessions-exhausted" "the credentials are accepted and the limit of sessions is reached",
    F14 Connect "not-mqtt" "the answer to CONNECT is not MQTT",

    G01 Access "publish-qos" "the broker takes no publish of this QoS",
    G02 Access "publish-retain" "the broker takes no retained messages",
    G03 Access "packet-too-large" "the packet is larger than the broker takes",
    G04 Access "bad-filter" "the topic filter is not valid",
    G05 Access "bad-topic" "the topic name is not valid",
    G06 Access "topic-alias" "the topic alias is above the broker's maximum",
    G07 Access "publish-denied" "the client may not publish to the topic",
    G08 Access "subscribe-denied" "the client may not subscribe, and may not be told",
    G09 Session "same-client-id" "two clients use one client identifier",
    G10 Session "keep-alive-missed" "the broker ends the connection for lack of a sign of life",
    G11 Session "session-lost" "the broker no longer has the session",
    G12 Session "unacknowledged" "the broker waits for acknowledgements",
    G13 Session "rate-limit" "a rate or quota is exceeded",
    G14 Session "expired-while-connected" "the certificate expires while connected",
    G15 Session "clock-drift" "this machine's clock is wrong",
    G16 Session "service-disconnect-reason" "the service gives a disconnect reason",

    H01 Text "schannel-ephemeral-key" "SChannel cannot use an ephemeral key",
    H02 Text "schannel-key-unreadable" "the process may not read the key in the Windows store",
    H03 Text "schannel-intermediates" "SChannel does not send the intermediates",
    H04 Text "dotnet-drops-certificate" ".NET drops a certificate without clientAuth",
    H05 Text "ca-hints" "the list of acceptable CAs is empty or long",
    H06 Text "mqttnet-untrusted-ignored" "MQTTnet ignores the option to allow untrusted certificates",
    H07 Text "dotnet-chain-errors" ".NET reports SslPolicyErrors",
    H08 Text "dotnet-alert" ".NET reports a TLS alert of the remote party",
    H09 Text "mbedtls" "mbed TLS or ESP-IDF reports a number",
    H10 Text "mqttjs-old-certificate" "MQTT.js reconnects with the old certificate",
    H11 Text "dotnet-pem" ".NET refuses a key that was loaded from PEM",
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// The text is neither an id nor a name of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not in the catalogue: ids are like A19, names like key-mismatch")]
pub struct UnknownId(String);

impl FromStr for Id {
    type Err = UnknownId;

    fn from_str(text: &str) -> Result<Self, UnknownId> {
        Self::ALL
            .iter()
            .copied()
            .find(|id| id.code().eq_ignore_ascii_case(text) || id.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownId(text.chars().take(64).collect()))
    }
}
