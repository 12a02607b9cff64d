//! Servers and clients of EST that do what they must not.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]
#![allow(dead_code, unreachable_pub, reason = "shared with other tests")]

mod common;

use std::time::{Duration, Instant};

use base64ct::{Base64, Encoding};
use common::{Pki, Running, enrolled, new_request, now};
use gridmq_client::est::{EstClient, EstErrorKind, HttpError};
use gridmq_http::Limits;
use gridmq_tls::certificate::AlternativeNames;
use gridmq_tls::est::{AnswerError, CertificateRequest, Enrolment, EnrolmentKey, certs_only, read_request};
use gridmq_tls::issue::{KeyType, SigningProfile, Usage, Validity};
use gridmq_tls::{Certificate, ClientConfig, ServerConfig, TlsErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a server does with each connection, after it has read the head of a request.
#[derive(Clone)]
enum Behaviour {
    Answer(Vec<u8>),
    /// The head of an answer, then as many octets as are taken.
    Endless,
    Stall,
    Close,
}

async fn serve(pki: &Pki, behaviour: Behaviour) -> EstClient {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let config = ServerConfig::builder().identity(pki.server_identity()).build().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let (config, behaviour) = (config.clone(), behaviour.clone());
            tokio::spawn(async move {
                let Ok((mut stream, _)) = gridmq_tls::stream::accept(tcp, &config).await else { return };
                let mut read = Vec::new();
                while !read.windows(4).any(|end| end == b"\r\n\r\n") {
                    let mut some = [0; 4096];
                    let Ok(count @ 1..) = stream.read(&mut some).await else { return };
                    read.extend_from_slice(&some[..count]);
                }
                match behaviour {
                    Behaviour::Answer(answer) => {
                        let _ = stream.write_all(&answer).await;
                        let _ = stream.shutdown().await;
                    }
                    Behaviour::Endless => {
                        let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/pkcs7-mime\r\n\r\n";
                        let _ = stream.write_all(head).await;
                        while stream.write_all(&[b'A'; 65536]).await.is_ok() {}
                    }
                    Behaviour::Stall => tokio::time::sleep(Duration::from_secs(60)).await,
                    Behaviour::Close => {}
                }
            });
        }
    });
    EstClient::builder(&url)
        .trust(pki.trust())
        .password("device1", "secret")
        .timeout(Duration::from_secs(2))
        .build()
        .unwrap()
}

fn http(head: &str, body: &[u8]) -> Behaviour {
    let head = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n", body.len());
    Behaviour::Answer([head.as_bytes(), body].concat())
}

#[tokio::test]
async fn a_body_without_end_is_cut_off() {
    let pki = Pki::new();
    let client = serve(&pki, Behaviour::Endless).await;
    let error = client.ca_certificates().await.unwrap_err();
    assert!(matches!(error.kind(), EstErrorKind::Answer(AnswerError::TooLarge)), "{error:?}");
}

#[tokio::test]
async fn a_server_that_stalls_is_left_in_time() {
    let pki = Pki::new();
    let client = serve(&pki, Behaviour::Stall).await;
    let started = Instant::now();
    let error = client.enroll(&new_request("device1").1).await.unwrap_err();
    assert!(matches!(error.kind(), EstErrorKind::Http(HttpError::Timeout { .. })), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_a_web_page_is_no_certificate() {
    let pki = Pki::new();
    let redirect = http("302 Found\r\nlocation: https://evil.example/", b"");
    let error = serve(&pki, redirect).await.enroll(&new_request("device1").1).await.unwrap_err();
    assert!(matches!(error.kind(), EstErrorKind::Answer(AnswerError::Redirected { status: 302, .. })), "{error:?}");
    let page = http("200 OK\r\ncontent-type: text/html", b"<html>");
    let error = serve(&pki, page).await.ca_certificates().await.unwrap_err();
    assert!(matches!(error.kind(), EstErrorKind::Answer(AnswerError::NotEst { .. })), "{error:?}");
}

#[tokio::test]
async fn what_is_no_http_is_said_to_be_none() {
    let pki = Pki::new();
    let nonsense = Behaviour::Answer(b"\x20\x02\x00\x00 nonsense\r\n\r\n".to_vec());
    let error = serve(&pki, nonsense).await.ca_certificates().await.unwrap_err();
    assert!(matches!(error.kind(), EstErrorKind::Http(HttpError::Broken(_))), "{error:?}");
    // With TLS 1.3 that is also what a refused certificate looks like.
    let error = serve(&pki, Behaviour::Close).await.ca_certificates().await.unwrap_err();
    let EstErrorKind::Http(HttpError::Tls(tls)) = error.kind() else { panic!("{error:?}") };
    assert_eq!(tls.kind(), TlsErrorKind::ClosedAfterHandshake);
}

/// A server that answers any request with these certificates, and cacerts with them as well.
async fn answered(pki: &Pki, certificates: &[Certificate]) -> (EnrolmentKey, CertificateRequest, EstClient, Enrolment) {
    let (key, request) = new_request("device1");
    let body = certs_only(certificates);
    let client = serve(pki, http("200 OK\r\ncontent-type: application/pkcs7-mime", body.as_bytes())).await;
    let enrolment = client.enroll(&request).await.unwrap();
    (key, request, client, enrolment)
}

#[tokio::test]
async fn a_certificate_for_another_key_is_not_used() {
    let pki = Pki::new();
    let other = pki.issuing.issue_client("device1", Validity::days(now(), 1)).unwrap();
    let (key, request, client, enrolment) = answered(&pki, other.chain()).await;
    let Enrolment::Issued(granted) = enrolment else { panic!("issued") };
    let error = client.accept(granted, &request, &key).await.unwrap_err();
    assert!(matches!(error.kind(), EstErrorKind::Answer(AnswerError::OtherKey { .. })), "{error:?}");
}

#[tokio::test]
async fn a_certificate_that_breaks_a_rule_is_not_used() {
    let pki = Pki::new();
    let (key, request) = new_request("device1");
    let asked = read_request(request.body().as_bytes()).unwrap();
    let sign = |profile: SigningProfile, validity| {
        pki.issuing.sign_request(&asked, &profile, validity).unwrap().chain()[0].clone()
    };
    let day = Validity::days(now(), 1);
    let client_profile = || SigningProfile::new(Usage::Client);
    for (id, leaf) in [
        ("B01", sign(client_profile(), Validity::new(now() - 100, now() - 10))),
        ("B02", sign(client_profile(), Validity::new(now() + 1000, now() + 2000))),
        ("B03", sign(SigningProfile::new(Usage::Server), day)),
        ("B15", sign(client_profile().common_name("device2"), day)),
    ] {
        let authorities = [pki.issuing.certificate().clone(), pki.root.certificate().clone()];
        let enrolment = serve(&pki, http("200 OK", certs_only(&[leaf]).as_bytes())).await.enroll(&request).await;
        let Enrolment::Issued(granted) = enrolment.unwrap() else { panic!("issued") };
        let error = granted.into_identity(&request, &key, &authorities, None, now()).unwrap_err();
        assert_eq!(error.finding().map(|finding| finding.id.to_string()), Some(id.to_owned()), "{error}");
    }
    // Signed by nobody that the server itself names.
    let stranger = Pki::new();
    let leaf = stranger.issuing.sign_request(&asked, &client_profile(), day).unwrap().chain()[0].clone();
    let authorities = [pki.issuing.certificate().clone()];
    let granted = serve(&pki, http("200 OK", certs_only(&[leaf]).as_bytes())).await.enroll(&request).await.unwrap();
    let Enrolment::Issued(granted) = granted else { panic!("issued") };
    let error = granted.into_identity(&request, &key, &authorities, None, now()).unwrap_err();
    assert!(matches!(error, AnswerError::Unverified { .. }), "{error:?}");
}

#[tokio::test]
async fn our_server_refuses_what_is_no_request_and_goes_on() {
    let pki = Pki::new();
    let running = Running::start(&pki, pki.server()).await;
    let key = EnrolmentKey::generate(KeyType::EcdsaP256).unwrap();
    let request = CertificateRequest::new(&key, "device1", &AlternativeNames::default()).unwrap();
    let mut forged = request.der().to_vec();
    // The last octet is the signature's.
    *forged.last_mut().unwrap() ^= 1;
    let huge = vec![b'A'; 4 * 1024 * 1024];
    for (kind, body, expected) in [
        ("application/pkcs10", b"nonsense".to_vec(), 400),
        ("application/pkcs10", forged, 400),
        ("application/pkcs10", Vec::new(), 400),
        ("text/html", request.body().into_bytes(), 400),
        ("application/pkcs10", huge, 413),
    ] {
        assert_eq!(post(&running, &pki, kind, &body).await, expected, "{kind} {}", body.len());
    }
    enrolled(&running, &pki).await;
}

#[tokio::test]
async fn clients_that_stall_are_dropped_and_do_not_keep_others_out() {
    let pki = Pki::new();
    let mut limits = Limits::default();
    limits.connections = 2;
    limits.handshake = Duration::from_millis(300);
    limits.head = Duration::from_millis(300);
    let running = Running::start_with(&pki, pki.server(), limits).await;
    let address = running.url.trim_start_matches("https://").to_owned();
    let mut idle = Vec::new();
    for _ in 0..4 {
        idle.push(TcpStream::connect(&address).await.unwrap());
    }
    // Some after the handshake too.
    enrolled(&running, &pki).await;
    for mut tcp in idle {
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(5), tcp.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "closed by the server");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let pki = Pki::new();
    let mut limits = Limits::default();
    limits.connections = 1;
    limits.connection = Duration::from_millis(500);
    limits.request = Duration::from_millis(200);
    limits.drain = Duration::from_millis(200);
    let running = Running::start_with(&pki, pki.server(), limits).await;
    let tcp = TcpStream::connect(running.url.trim_start_matches("https://")).await.unwrap();
    let config = ClientConfig::builder().trust(pki.trust()).build().unwrap();
    let (mut stream, _) = gridmq_tls::stream::connect(tcp, "127.0.0.1", &config).await.unwrap();
    // Until there is no room for more answers on the way.
    let asking =
        async { while stream.write_all(b"GET /.well-known/est/cacerts HTTP/1.1\r\nhost: x\r\n\r\n").await.is_ok() {} };
    assert!(tokio::time::timeout(Duration::from_secs(10), asking).await.is_ok(), "the server goes");
    enrolled(&running, &pki).await;
}

#[tokio::test]
async fn what_a_request_smuggles_is_not_issued() {
    let pki = Pki::new();
    let running = Running::start(&pki, pki.server()).await;
    let params = |name: &str| {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params
    };
    let key = rcgen::KeyPair::generate().unwrap();
    let der = |params: rcgen::CertificateParams| params.serialize_request(&key).unwrap().der().to_vec();
    let mut authority = params("device1");
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let mut other = params("device1");
    other.subject_alt_names = vec![rcgen::SanType::DnsName("device2".try_into().unwrap())];
    let mut one_of_two = params("device1");
    one_of_two.subject_alt_names =
        ["device1", "device2"].map(|name| rcgen::SanType::DnsName(name.try_into().unwrap())).to_vec();
    let mut hidden = params("device1");
    hidden.subject_alt_names = vec![rcgen::SanType::OtherName((
        vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3],
        rcgen::OtherNameValue::Utf8String("device2".to_owned()),
    ))];
    let mut unit = params("device1");
    unit.distinguished_name.push(rcgen::DnType::OrganizationalUnitName, "admins");
    for (what, request, expected) in [
        ("an authority", authority, 400),
        ("another's name", other, 403),
        ("another's name beside one's own", one_of_two, 403),
        ("a name of an odd kind", hidden, 400),
        ("another attribute", unit, 403),
        ("another's common name", params("device2"), 403),
    ] {
        let body = Base64::encode_string(&der(request));
        assert_eq!(post(&running, &pki, "application/pkcs10", body.as_bytes()).await, expected, "{what}");
    }
    // What it says about usage counts for nothing.
    let mut server = params("device1");
    server.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let body = Base64::encode_string(&der(server));
    assert_eq!(post(&running, &pki, "application/pkcs10", body.as_bytes()).await, 200);
}

/// The status code that our server answers to this body from a user with the right password.
async fn post(running: &Running, pki: &Pki, kind: &str, body: &[u8]) -> u16 {
    let address = running.url.trim_start_matches("https://");
    let tcp = TcpStream::connect(address).await.unwrap();
    let config = ClientConfig::builder().trust(pki.trust()).build().unwrap();
    let (mut stream, _) = gridmq_tls::stream::connect(tcp, "127.0.0.1", &config).await.unwrap();
    let head = format!(
        "POST /.well-known/est/simpleenroll HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\
         authorization: Basic ZGV2aWNlMTpzZWNyZXQ=\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server may answer and close before it has read everything.
    let _ = stream.write_all(body).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("a status: {answer:?}"))
}
