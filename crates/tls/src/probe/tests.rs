use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::timeout;

use super::raw::{self, Answer};
use super::{How, Phase, Probe, Settings, Verdict, judge};
use crate::first_bytes::FirstBytes;
use crate::identity::Identity;
use crate::issue::{CertificateAuthority, Validity};

fn settings() -> Settings {
    Settings::new("broker.example", Instant::now)
}

/// What a peer that says only this leads to.
async fn against(says: &[u8], closes: bool) -> super::Seen {
    let (near, mut far) = duplex(1 << 20);
    far.write_all(says).await.unwrap();
    let far = if closes {
        drop(far);
        None
    } else {
        Some(far)
    };
    let mut probe = Probe::new(near, &settings()).unwrap();
    let _ = timeout(Duration::from_millis(200), probe.handshake()).await;
    drop(far);
    probe.seen()
}

#[tokio::test]
async fn what_is_not_tls_is_named() {
    let seen = against(b"HTTP/1.1 400 Bad Request\r\n\r\n", true).await;
    assert_eq!(seen.first_bytes(), FirstBytes::Http);
    assert_eq!(seen.end.unwrap().how, How::NotTls);
    let seen = against(b"SSH-2.0-OpenSSH_9.2\r\n", false).await;
    assert_eq!((seen.first_bytes(), seen.end.unwrap().how), (FirstBytes::Ssh, How::NotTls));
}

#[tokio::test]
async fn an_alert_in_the_clear_is_named() {
    let seen = against(&[0x15, 3, 3, 0, 2, 2, 70], true).await;
    let end = seen.end.clone().unwrap();
    assert_eq!(end.phase, Phase::Handshake);
    let alert = seen.alert().unwrap();
    assert_eq!((alert.code, alert.name.as_str()), (70, "protocol_version"));
}

#[tokio::test]
async fn silence_leaves_no_end() {
    let seen = against(&[0x16, 3, 3, 0, 90, 2], false).await;
    assert_eq!((seen.end, seen.received, seen.complete), (None, 6, false));
}

#[tokio::test]
async fn an_end_without_a_word_is_an_end() {
    let seen = against(b"", true).await;
    assert!(matches!(seen.end.unwrap().how, How::Closed | How::Reset));
}

/// Feeds our own hello to a server of this crate, and the answer to the reader.
async fn ask(maximum: u16) -> Answer {
    let (near, mut far) = duplex(1 << 20);
    let (_, identity) = server_identity();
    let server = tokio::spawn(async move {
        let config = crate::ServerConfig::builder().identity(identity).build().unwrap();
        let _ = crate::stream::accept(near, &config).await;
    });
    far.write_all(&raw::client_hello(maximum, Some("broker.example"), [7; 32])).await.unwrap();
    let mut bytes = Vec::new();
    let answer = loop {
        let mut chunk = [0; 4096];
        let length = timeout(Duration::from_secs(5), far.read(&mut chunk)).await.unwrap().unwrap();
        bytes.extend_from_slice(&chunk[..length]);
        match raw::answer(&bytes) {
            Answer::Incomplete | Answer::Chosen { settled: false, .. } if length > 0 => {}
            answer => break answer,
        }
    };
    server.abort();
    answer
}

fn server_identity() -> (CertificateAuthority, Identity) {
    let validity = Validity::days(1_800_000_000, 1);
    let authority = CertificateAuthority::new_root("Probe root", validity).unwrap();
    let leaf = authority.issue_server(["broker.example"], validity).unwrap();
    let identity = Identity::from_pem(leaf.chain_pem().as_bytes(), leaf.key_pem().as_bytes()).unwrap();
    (authority, identity)
}

#[tokio::test]
async fn a_server_is_asked_for_its_choice_by_hand() {
    let Answer::Chosen { version, cipher, group, .. } = ask(0x0304).await else { panic!("not chosen") };
    assert_eq!(raw::version_name(version), "TLS 1.3");
    assert!(raw::cipher_name(cipher).starts_with("TLS_"), "{cipher:#x}");
    assert!(group.is_some());
    let Answer::Chosen { version, group, .. } = ask(0x0303).await else { panic!("not chosen") };
    assert_eq!(raw::version_name(version), "TLS 1.2");
    assert!(group.is_some());
    assert!(matches!(ask(0x0302).await, Answer::Alert(_)));
}

#[test]
fn answers_cut_anywhere_are_incomplete_or_not_tls() {
    let whole = [22, 3, 3, 0, 46, 2, 0, 0, 42, 3, 2];
    let mut bytes = whole.to_vec();
    bytes.extend([0; 32]);
    bytes.extend([0, 0, 0x2f, 0, 0, 0]);
    bytes.extend([0]);
    for length in 0..bytes.len() {
        let _ = raw::answer(&bytes[..length]);
    }
    assert_eq!(raw::answer(b"HTTP/1.1"), Answer::NotTls);
    assert_eq!(raw::answer(&[21, 3, 1, 0, 2, 2, 40]), Answer::Alert(40));
    assert_eq!(raw::answer(&[]), Answer::Incomplete);
}

async fn server(io: DuplexStream, config: crate::ServerConfig) {
    if let Ok((mut stream, _)) = crate::stream::accept(io, &config).await {
        let _ = stream.write_all(b"hello").await;
        let _ = stream.flush().await;
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    }
}

#[tokio::test]
async fn a_server_is_recorded_and_judged() {
    let (authority, identity) = server_identity();
    let config = crate::ServerConfig::builder().identity(identity).build().unwrap();
    let (near, far) = duplex(1 << 20);
    let task = tokio::spawn(server(far, config));
    let mut probe = Probe::new(near, &settings()).unwrap();
    assert!(timeout(Duration::from_secs(5), probe.handshake()).await.unwrap());
    assert_eq!(timeout(Duration::from_secs(5), probe.read()).await.unwrap().unwrap(), b"hello");
    let seen = probe.seen();
    assert!(seen.complete && seen.end.is_none(), "{seen:?}");
    assert!(seen.cipher.is_some() && seen.group.is_some());
    assert!(seen.server_chain_length >= 1 && seen.server_chain_bytes > 100);
    probe.close().await;
    let _ = timeout(Duration::from_secs(5), task).await;

    let trust = crate::Trust::only_pem(authority.certificate_pem().as_bytes()).unwrap();
    let now = 1_800_000_100;
    assert_eq!(judge(&seen.server_chain, "broker.example", &trust, now), Verdict::Trusted);
    assert_eq!(judge(&seen.server_chain, "other.example", &trust, now), Verdict::WrongName);
    assert_eq!(judge(&seen.server_chain, "broker.example", &trust, 5_000_000_000), Verdict::Expired);
    assert_eq!(judge(&seen.server_chain, "broker.example", &trust, 5), Verdict::NotYetValid);
    let (other, _) = server_identity();
    let trust = crate::Trust::only_pem(other.certificate_pem().as_bytes()).unwrap();
    assert!(!judge(&seen.server_chain, "broker.example", &trust, now).is_trusted());
}
