use proptest::prelude::*;

use super::*;

fn best(text: &str) -> Option<Id> {
    explain(text).first().map(|found| found.id)
}

#[test]
fn every_symptom_is_recognised_as_its_entry() {
    let mut wrong = Vec::new();
    for id in Id::ALL.iter().copied() {
        for symptom in id.symptoms().iter().chain(id.vague_symptoms()) {
            let text = format!("2026-11-23 error: {} (x)", symptom.replace('…', " and then "));
            let found = best(&text);
            if found != Some(id) {
                wrong.push(format!("{id}: {symptom:?} is taken for {found:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn whole_texts_of_programs_are_recognised() {
    for (text, id) in [
        ("error:0A000418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca:s3_pkt.c:1:SSL alert number 48", Id::E02),
        ("140735:error:14094418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca", Id::E02),
        (
            "OpenSSL Error[0]: error:0A000418:SSL routines::tlsv1 alert unknown ca\nError: The connection was lost.",
            Id::E02,
        ),
        ("ssl.SSLError: [SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca (_ssl.c:2580)", Id::E02),
        (
            "write EPROTO 80B:error:0A000418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca: SSL alert number 48",
            Id::E02,
        ),
        ("Custom { kind: InvalidData, error: AlertReceived(UnknownCA) }", Id::E02),
        ("SSL alert number 48", Id::E02),
        ("TLS alert (48)", Id::E02),
        ("error:0A00045C:SSL routines::tlsv13 alert certificate required", Id::E01),
        ("0A00045C", Id::E01),
        ("SSL alert number 116", Id::E01),
        ("SSL alert number 45", Id::E04),
        ("SSL alert number 42", Id::E05),
        ("SSL alert number 43", Id::E06),
        ("SSL alert number 44", Id::E08),
        ("SSL alert number 70", Id::D14),
        ("SSL alert number 112", Id::D12),
        ("SSL alert number 120", Id::D16),
        ("SSL alert number 80", Id::D17),
        ("error:0A000410:SSL routines::sslv3 alert handshake failure:SSL alert number 40", Id::D15),
        ("mbedtls_ssl_handshake returned -0x2700", Id::H09),
        (
            "System.ComponentModel.Win32Exception (0x8009030E): No credentials are available in the security package",
            Id::H01,
        ),
        ("Win32Exception (0x8009030D): The credentials supplied to the package were not recognized", Id::H02),
        ("X509CertificateLoader … Kestrel: Win32Exception (0x8009030E)", Id::H11),
        (
            "System.Security.Authentication.AuthenticationException: Authentication failed because the remote party sent a TLS \
          alert: 'HandshakeFailure'.",
            Id::H08,
        ),
        (
            "The remote certificate is invalid according to the validation procedure: RemoteCertificateNameMismatch",
            Id::H07,
        ),
        ("RemoteCertificateChainErrors: RevocationStatusUnknown, OfflineRevocation", Id::D20),
        (
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate (_ssl.c:1007)",
            Id::D01,
        ),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1007)", Id::D06),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1007)", Id::D04),
        ("certificate verify failed: self-signed certificate in certificate chain (_ssl.c:1007)", Id::D05),
        (
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: Hostname mismatch, certificate is not valid for 'b'.",
            Id::D08,
        ),
        (
            "ssl.SSLError: certificate verify failed: IP address mismatch, certificate is not valid for '10.0.0.1'",
            Id::D09,
        ),
        ("javax.net.ssl.SSLHandshakeException: PKIX path building failed: sun.security.provider.certpath", Id::D01),
        ("javax.net.ssl.SSLException: Unsupported or unrecognized SSL message", Id::C08),
        ("ssl.SSLError: [SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1007)", Id::C08),
        ("connect ECONNREFUSED 127.0.0.1:8883", Id::C02),
        ("getaddrinfo ENOTFOUND ns.example", Id::C01),
        ("Unable to connect (Lookup error.).", Id::C01),
        ("Received an unexpected EOF or 0 bytes from the transport stream.", Id::C06),
        ("read ECONNRESET", Id::C07),
        ("java.net.SocketException: Broken pipe", Id::C06),
        ("Connection Refused: not authorised.", Id::F04),
        ("Connection refused: Bad user name or password", Id::F03),
        ("Connection Refused: identifier rejected.", Id::F02),
        ("Connection refused: Unacceptable protocol version", Id::F01),
        ("ConnectionRefused(NotAuthorized)", Id::F04),
        ("connected with result rc=5", Id::F04),
        ("CONNACK return code 4", Id::F03),
        ("CONNACK with reason code 0x97", Id::F13),
        ("Disconnected, reason code 142", Id::G09),
        ("PUBACK reason code 135", Id::G07),
        ("Client same already connected, closing old connection.", Id::G09),
        ("KeyError: inconsistent: InconsistentKeys(KeyMismatch)", Id::A19),
        ("SSLError: [X509: KEY_VALUES_MISMATCH] key values mismatch (_ssl.c:3900)", Id::A19),
        ("curl: (58) could not load PEM client certificate, no start line", Id::A10),
        ("Mac verify error: invalid password?", Id::A26),
        ("Thumbprint does not match configuration: Thumbprint: SHA1Hash=AB, SHA2Hash=CD", Id::B08),
    ] {
        assert_eq!(best(text), Some(id), "{text}: {:?}", explain(text));
    }
}

#[test]
fn a_refusal_that_has_several_causes_names_the_others_last() {
    let found = explain("tlsv1 alert unknown ca");
    assert_eq!(found[0].id, Id::E02);
    assert_eq!(found[0].confidence, Confidence::Sure);
    assert!(found.iter().any(|one| one.id == Id::B10 && one.confidence == Confidence::Related));
    assert!(found.len() <= MAX_MATCHES);
}

#[test]
fn words_inside_longer_words_and_other_numbers_mean_nothing() {
    for text in [
        "",
        " ",
        "everything is fine",
        "procareful",
        "alert 7",
        "2026-11-23 12:00:05 connected",
        "version 3.1.1 rc 2.0.1",
        "0A0003FF",
    ] {
        assert!(explain(text).is_empty(), "{text}: {:?}", explain(text));
    }
}

#[test]
fn text_beyond_the_limit_is_not_looked_at() {
    let text = format!("{}\u{fe0f} tlsv1 alert unknown ca", "\u{fe0f}".repeat(MAX_TEXT / 3));
    assert!(explain(&text).is_empty());
}

#[test]
fn hostile_text_takes_no_time() {
    for unit in [
        "alert ",
        "kestrel ",
        "connack rc reason code ",
        "0a000418 ",
        "-----begin certificate-----\\n",
        "self-signed certificate ",
    ] {
        let _ = explain(&unit.repeat(MAX_TEXT / unit.len()));
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = explain(&text);
    }

    #[test]
    fn no_mixture_of_symptoms_panics(
        picks in prop::collection::vec((any::<prop::sample::Index>(), ".{0,4}"), 0..12),
    ) {
        let mut text = String::new();
        for (pick, between) in picks {
            let symptom = pick.get(&SYMPTOMS);
            text.push_str(symptom.text);
            text.push_str(&between);
        }
        let found = explain(&text);
        prop_assert!(found.len() <= MAX_MATCHES);
        prop_assert!(found.windows(2).all(|pair| pair[0].score >= pair[1].score));
    }
}

#[test]
fn doctor_b16_weak_key_in_a_service_s_audit() {
    assert_eq!(best("Audit check DEVICE_CERTIFICATE_KEY_QUALITY_CHECK: CVE-2017-15361 (ROCA)"), Some(Id::B16));
}

#[test]
fn a_refusal_by_mqtt_is_none_by_tcp() {
    let found = explain("Connection Refused: not authorised.");
    assert_eq!(found.first().unwrap().id, Id::F04);
    assert!(found.iter().all(|one| one.id != Id::C02), "{found:?}");
    assert_eq!(explain("Connection refused").first().unwrap().id, Id::C02);
}
