use gridmq_doctor::{Profile, Scheme, WantedWill};
use gridmq_proto::{QoS, ReasonCode, Version};
use gridmq_tls::catalogue::Stage;
use gridmq_tls::{ClientAuth, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use zeroize::Zeroizing;

use crate::peers::{Manner, Pki, cause, examine, ids, listen, options, plain, says, secure};

#[tokio::test]
async fn reasons_in_connack_are_read() {
    for (reason, id) in [
        (ReasonCode::UnsupportedProtocolVersion, "F01"),
        (ReasonCode::ClientIdentifierNotValid, "F02"),
        (ReasonCode::BadUserNameOrPassword, "F03"),
        (ReasonCode::NotAuthorized, "F03"),
        (ReasonCode::Banned, "F04"),
        (ReasonCode::RetainNotSupported, "F05"),
        (ReasonCode::QosNotSupported, "F06"),
        (ReasonCode::ProtocolError, "F09"),
        (ReasonCode::ServerUnavailable, "F10"),
        (ReasonCode::ServerBusy, "F10"),
        (ReasonCode::ConnectionRateExceeded, "F10"),
        (ReasonCode::BadAuthenticationMethod, "F11"),
        (ReasonCode::QuotaExceeded, "F13"),
    ] {
        let manner = Manner { connack: Some(reason), ..Manner::default() };
        let report = examine(Scheme::Mqtt, plain(manner).await, &options()).await;
        assert_eq!(cause(&report), id, "{reason} {report:#?}");
    }
}

#[tokio::test]
async fn what_comes_instead_of_connack_is_named() {
    for (instead, id) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "F14"),
        (b"\xf0\x09\x18\x07\x15\x00\x04SASL", "F11"),
        (b"\xff\xff\xff\xff\x7f", "F14"),
        (b"\x20\xff\xff\xff\x7f\x00", "F14"),
        (b"", "F12"),
    ] {
        let manner = Manner { instead: Some(instead.to_vec()), ..Manner::default() };
        let report = examine(Scheme::Mqtt, plain(manner).await, &options()).await;
        assert_eq!(cause(&report), id, "{instead:?} {report:#?}");
    }
}

#[tokio::test]
async fn no_answer_is_f12() {
    let manner = Manner { connack: None, ..Manner::default() };
    let report = examine(Scheme::Mqtt, plain(manner).await, &options()).await;
    assert_eq!(cause(&report), "F12", "{report:#?}");
    let report = examine(Scheme::Mqtt, says(b"", true).await, &options()).await;
    assert_eq!(cause(&report), "F12", "{report:#?}");
}

#[tokio::test]
async fn a_tls_port_is_c09() {
    let pki = Pki::new("Tls");
    let config = ServerConfig::builder()
        .identity(pki.server(&["127.0.0.1"]))
        .client_certificate(ClientAuth::Off)
        .build()
        .unwrap();
    let report = examine(Scheme::Mqtt, secure(config, Manner::default()).await, &options()).await;
    assert_eq!(cause(&report), "C09", "{report:#?}");
}

#[tokio::test]
async fn an_older_broker_is_f01_for_who_wants_5_and_fine_for_others() {
    let manner = Manner { v3_only: true, ..Manner::default() };
    let address = plain(manner).await;
    let report = examine(Scheme::Mqtt, address, &options()).await;
    assert_eq!(cause(&report), "F01", "{report:#?}");
    let mut options = options();
    options.version = Version::V3_1_1;
    let report = examine(Scheme::Mqtt, address, &options).await;
    assert_eq!(cause(&report), "none", "{report:#?}");
}

#[tokio::test]
async fn stated_limits_are_compared_with_what_is_wanted() {
    let mut manner = Manner::default();
    manner.limits.maximum_qos = Some(QoS::AtLeastOnce);
    manner.limits.retain_available = Some(false);
    manner.limits.server_keep_alive = Some(1160);
    let mut options = options();
    options.wants.keep_alive = Some(3600);
    options.wants.will = Some(WantedWill { topic: "w".to_owned(), qos: QoS::ExactlyOnce, retain: true });
    let report = examine(Scheme::Mqtt, plain(manner).await, &options).await;
    assert_eq!(ids(&report), ["F05", "F06", "F07"], "{report:#?}");
    assert_eq!(cause(&report), "F05");
}

#[tokio::test]
async fn no_live_session_is_touched_and_nothing_secret_is_told() {
    let manner = Manner::default();
    let connects = manner.connects.clone();
    let address = plain(manner).await;
    let mut options = options();
    options.client_id = Some("device7".to_owned());
    options.username = Some("device".to_owned());
    options.password = Some(Zeroizing::new(b"hunter2".to_vec()));
    let report = examine(Scheme::Mqtt, address, &options).await;
    assert_eq!(cause(&report), "none", "{report:#?}");
    for connect in connects.lock().unwrap().drain(..) {
        assert!(connect.client_id.starts_with("device7-doctor-"), "{}", connect.client_id);
        assert!(connect.clean_start && connect.properties.session_expiry_interval.unwrap_or(0) == 0);
        assert_eq!(connect.password.unwrap(), &b"hunter2"[..]);
    }
    assert!(!format!("{report:?} {options:?}").contains("hunter2"));
    options.take_over = true;
    let _ = examine(Scheme::Mqtt, address, &options).await;
    assert_eq!(connects.lock().unwrap()[0].client_id, "device7");
}

/// A broker that asks for a client certificate, takes none for an answer, and then refuses CONNECT with these words.
fn refusing(told: &str) -> Manner {
    let mut manner = Manner { connack: Some(ReasonCode::NotAuthorized), ..Manner::default() };
    manner.limits.reason_string = Some(told.into());
    manner
}

fn asking(pki: &Pki) -> ServerConfig {
    let server = ServerConfig::builder().identity(pki.server(&["127.0.0.1"]));
    server.client_certificate(ClientAuth::Optional).build().unwrap()
}

#[tokio::test]
async fn a_refusal_after_no_certificate_was_sent_is_e01() {
    let pki = Pki::new("Asks");
    let address = secure(asking(&pki), refusing("Peer did not present client certificate")).await;
    let mut options = options();
    options.trust = Some(pki.trust());
    for username in [None, Some("device1")] {
        options.username = username.map(str::to_owned);
        let report = examine(Scheme::Mqtts, address, &options).await;
        assert_eq!(ids(&report), ["E01"], "{report:#?}");
        assert_eq!(report.failed_stage().map(|stage| stage.stage), Some(Stage::Client));
    }
    // With a password, and nothing said of certificates, the password is the likelier cause.
    let address = secure(asking(&pki), refusing("no")).await;
    options.password = Some(Zeroizing::new(b"hunter2".to_vec()));
    let report = examine(Scheme::Mqtts, address, &options).await;
    assert_eq!(cause(&report), "F03", "{report:#?}");
}

#[tokio::test]
async fn the_entry_that_a_broker_names_is_believed() {
    let pki = Pki::new("Names");
    let mut options = options();
    options.trust = Some(pki.trust());
    options.identity = Some(pki.client("device1"));
    options.username = Some("device1".to_owned());
    let long = "x".repeat(300);
    for (told, id) in [
        (format!("no CA vouches for it, {long} [E02 client-issuer-unknown]"), "E02"),
        ("may not authenticate a client [B03 no-client-usage]".to_owned(), "B03"),
        ("not by another name [E02 something]".to_owned(), "F04"),
        ("not of another group [D01 server-issuer-unknown]".to_owned(), "F04"),
        ("not in the middle [E02 client-issuer-unknown] of it".to_owned(), "F04"),
    ] {
        let address = secure(asking(&pki), refusing(&told)).await;
        let report = examine(Scheme::Mqtts, address, &options).await;
        assert_eq!(cause(&report), id, "{told} {report:#?}");
    }
}

#[tokio::test]
async fn a_certificate_without_the_user_name_that_a_service_wants_is_f03() {
    let pki = Pki::new("Name");
    let mut options = options();
    options.trust = Some(pki.trust());
    options.identity = Some(pki.client("device1"));
    let address = secure(asking(&pki), refusing("CONNECT has no user name")).await;
    assert_eq!(cause(&examine(Scheme::Mqtts, address, &options).await), "F03");
    let address = secure(asking(&pki), refusing("no")).await;
    assert_eq!(cause(&examine(Scheme::Mqtts, address, &options).await), "F04");
    options.profile = Profile::by_name("azure-event-grid").cloned();
    assert_eq!(cause(&examine(Scheme::Mqtts, address, &options).await), "F03");
}

/// Answers requests of HTTP; anything else it closes, or waits for the rest of it.
async fn web<IO: AsyncRead + AsyncWrite + Unpin>(mut io: IO, waits: bool) {
    let mut request = vec![0; 4096];
    loop {
        match io.read(&mut request).await {
            Ok(length) if length > 0 && request.starts_with(b"GET ") => {
                let _ = io.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n").await;
                let _ = io.shutdown().await;
                return;
            }
            Ok(length) if length > 0 && waits => {}
            _ => return,
        }
    }
}

#[tokio::test]
async fn a_web_server_that_says_nothing_to_connect_is_f14() {
    let pki = Pki::new("Web");
    let mut options = options();
    options.trust = Some(pki.trust());
    for waits in [true, false] {
        let address = listen(move |io| web(io, waits)).await;
        let report = examine(Scheme::Mqtt, address, &options).await;
        assert_eq!(cause(&report), "F14", "{report:#?}");
        let config = asking(&pki);
        let address = listen(move |io| {
            let config = config.clone();
            async move {
                if let Ok((stream, _)) = gridmq_tls::stream::accept(io, &config).await {
                    web(stream, waits).await;
                }
            }
        })
        .await;
        let report = examine(Scheme::Mqtts, address, &options).await;
        assert_eq!(cause(&report), "F14", "{report:#?}");
    }
}
