//! Tokens from files, Azure's identity endpoints and OAuth 2.0 token endpoints.
#![cfg(feature = "tokens")]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gridmq_client::auth::{
    AuthError, AuthErrorKind, Authenticator, AzureIdentity, ClientSecret, FileToken, FnToken, HttpError,
    JwtAuthenticator, Secret, Token, TokenSource,
};
use gridmq_client::error::Side;
use gridmq_tls::issue::{CertificateAuthority, Validity};
use gridmq_tls::{Identity, ServerConfig, Trust};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

const TOKEN: &str = "eyJ0.tell-tale.token";
const SECRET: &str = "p&ss wörd:tell-tale";

/// A request as it came.
#[derive(Debug, Clone, Default)]
struct Seen {
    line: String,
    fields: HashMap<String, String>,
    body: String,
}

type Reply = Arc<dyn Fn(&Seen) -> Vec<u8> + Send + Sync>;

/// An HTTP server that answers each connection's one request by its test's function. An empty answer is none at all.
struct Server {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

async fn serve<IO: AsyncRead + AsyncWrite + Unpin>(mut io: IO, seen: Arc<Mutex<Vec<Seen>>>, reply: Reply) {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
            break end;
        }
        if io.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
    let mut lines = text.split("\r\n");
    let line = lines.next().unwrap().to_owned();
    let fields: HashMap<_, _> =
        lines.filter_map(|it| it.split_once(": ")).map(|(k, v)| (k.to_ascii_lowercase(), v.to_owned())).collect();
    let length = fields.get("content-length").map_or(0, |it| it.parse().unwrap());
    while bytes.len() < head + 4 + length {
        io.read_buf(&mut bytes).await.unwrap();
    }
    let body = String::from_utf8(bytes[head + 4..].to_vec()).unwrap();
    let request = Seen { line, fields, body };
    let answer = reply(&request);
    seen.lock().unwrap().push(request);
    if answer.is_empty() {
        tokio::time::sleep(Duration::from_secs(600)).await;
    }
    io.write_all(&answer).await.ok();
    io.shutdown().await.ok();
}

impl Server {
    async fn start(reply: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::start_with(None, reply).await
    }

    async fn start_with(tls: Option<ServerConfig>, reply: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = if tls.is_some() { format!("https://localhost:{port}") } else { format!("http://127.0.0.1:{port}") };
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let (record, reply) = (Arc::clone(&seen), Arc::new(reply) as Reply);
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (record, reply, tls) = (Arc::clone(&record), Arc::clone(&reply), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => {
                            if let Ok((io, _)) = gridmq_tls::stream::accept(tcp, &tls).await {
                                serve(io, record, reply).await;
                            }
                        }
                        None => serve(tcp, record, reply).await,
                    }
                });
            }
        });
        Self { url, seen }
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn answer(status: u16, fields: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Words\r\nContent-Length: {}\r\n{fields}\r\n{body}", body.len()).into_bytes()
}

fn granted(rest: &str) -> Vec<u8> {
    answer(200, "Content-Type: application/json\r\n", &format!(r#"{{"access_token":"{TOKEN}"{rest}}}"#))
}

fn is_secretive(text: &str) {
    assert!(!text.contains("tell-tale"), "{text}");
}

fn failed(result: Result<Token, AuthError>) -> AuthError {
    let error = result.unwrap_err();
    is_secretive(&format!("{error} {error:?}"));
    assert_eq!(error.side(), Side::Us);
    error
}

fn in_a_while(token: &Token, secs: u64) {
    let left = token.expiry().unwrap().duration_since(SystemTime::now()).unwrap().as_secs();
    assert!((secs - 10..=secs).contains(&left), "{left}");
}

fn app_service(server: &Server) -> AzureIdentity {
    AzureIdentity::app_service(format!("{}/msi/token", server.url), SECRET.replace('ö', "o"))
}

#[tokio::test]
async fn a_file_is_read_anew_each_time_and_its_blanks_are_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    let source = FileToken::new(&path);
    let missing = failed(source.token().await);
    assert!(matches!(missing.kind(), AuthErrorKind::File(_)) && !missing.is_permanent(), "{missing}");
    assert!(missing.to_string().contains(path.to_str().unwrap()), "{missing}");
    for text in ["one", "\n two\r\n"] {
        std::fs::write(&path, text).unwrap();
        assert_eq!(source.token().await.unwrap().text(), text.trim());
    }
    std::fs::write(&path, " \n").unwrap();
    assert!(matches!(failed(source.token().await).kind(), AuthErrorKind::Empty));
    std::fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(matches!(failed(source.token().await).kind(), AuthErrorKind::NotText));
    std::fs::write(&path, "x".repeat(65_535)).unwrap();
    assert_eq!(source.token().await.unwrap().text().len(), 65_535);
    std::fs::write(&path, "x".repeat(65_536)).unwrap();
    assert!(matches!(failed(source.token().await).kind(), AuthErrorKind::TooLarge { limit: 65_535 }));
    assert!(failed(FileToken::new(directory.path()).token().await).to_string().contains("cannot be read"));
}

#[tokio::test]
async fn app_service_is_asked_as_its_documentation_says() {
    let server = Server::start(|_| {
        granted(r#","expires_on":"1999999999","resource":"https://eventgrid.azure.net/","token_type":"Bearer""#)
    })
    .await;
    let source = app_service(&server).client_id("my identity");
    let token = source.token().await.unwrap();
    assert_eq!(token.text(), TOKEN);
    assert_eq!(token.expiry(), Some(UNIX_EPOCH + Duration::from_secs(1_999_999_999)));
    let seen = &server.seen()[0];
    assert_eq!(
        seen.line,
        "GET /msi/token?api-version=2019-08-01&resource=https%3A%2F%2Feventgrid.azure.net%2F&client_id=my%20identity \
         HTTP/1.1"
    );
    assert_eq!(seen.fields["x-identity-header"], SECRET.replace('ö', "o"));
    assert!(!seen.fields.contains_key("metadata"));
    is_secretive(&format!("{source:?} {token:?}"));
}

#[tokio::test]
async fn a_virtual_machine_is_asked_as_its_documentation_says() {
    let server = Server::start(|_| granted(r#","expires_in":"3599","expires_on":"","token_type":"Bearer""#)).await;
    let source = AzureIdentity::virtual_machine().endpoint(format!("{}/metadata/identity/oauth2/token", server.url));
    let token = source.resource("https://other/").token().await.unwrap();
    in_a_while(&token, 3599);
    let seen = &server.seen()[0];
    assert_eq!(
        seen.line,
        "GET /metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fother%2F HTTP/1.1"
    );
    assert_eq!(seen.fields["metadata"], "true");
}

#[tokio::test]
async fn azure_arc_shows_its_key_and_sends_no_other_file() {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("one.key");
    std::fs::write(&key, "tell-tale-key").unwrap();
    let named = Arc::new(Mutex::new(key.clone()));
    let names = Arc::clone(&named);
    let server = Server::start(move |seen| match seen.fields.get("authorization") {
        Some(key) if key == "Basic tell-tale-key" => granted(r#","expires_on":1999999999"#),
        _ => answer(401, &format!("WWW-Authenticate: Basic realm={}\r\n", names.lock().unwrap().display()), ""),
    })
    .await;
    let source = AzureIdentity::arc(format!("{}/token", server.url)).arc_tokens(directory.path());
    assert_eq!(source.token().await.unwrap().text(), TOKEN);
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|it| it.line.contains("api-version=2020-06-01") && it.fields["metadata"] == "true"));

    let elsewhere = tempfile::tempdir().unwrap();
    let other = elsewhere.path().join("other.key");
    std::fs::write(&other, "tell-tale").unwrap();
    let text = directory.path().join("text.txt");
    std::fs::write(&text, "tell-tale").unwrap();
    for path in [other, text, directory.path().join("../x.key"), "".into()] {
        *named.lock().unwrap() = path;
        let before = server.seen().len();
        assert!(matches!(failed(source.token().await).kind(), AuthErrorKind::Answer(_)));
        assert_eq!(server.seen().len(), before + 1, "nothing was sent");
    }
    *named.lock().unwrap() = key.clone();
    std::fs::write(&key, "x".repeat(4097)).unwrap();
    assert!(failed(source.token().await).to_string().contains("4096"));
    std::fs::write(&key, "wrong-tell-tale").unwrap();
    assert!(matches!(failed(source.token().await).kind(), AuthErrorKind::Refused { status: 401, .. }));
}

#[test]
fn the_environment_tells_the_hosts_apart() {
    let of = |pairs: &'static [(&str, &str)]| {
        let found =
            AzureIdentity::from_variables(|name| pairs.iter().find(|it| it.0 == name).map(|it| it.1.to_owned()));
        found.map(|identity| format!("{identity:?}"))
    };
    let found = |pairs| of(pairs).unwrap();
    const APP: &[(&str, &str)] = &[("IDENTITY_ENDPOINT", "http://localhost:1/x"), ("IDENTITY_HEADER", "tell-tale")];
    assert!(found(APP).contains("AppService") && found(APP).contains("localhost:1"));
    is_secretive(&found(APP));
    const ARC: &[(&str, &str)] = &[("IDENTITY_ENDPOINT", "http://localhost:1/x"), ("IMDS_ENDPOINT", "http://y")];
    assert!(found(ARC).contains("Arc"));
    assert!(found(&[]).contains("169.254.169.254"));
    const HALF: &[(&str, &str)] = &[("IDENTITY_ENDPOINT", "http://localhost:1/x"), ("IDENTITY_HEADER", "")];
    assert!(of(HALF).unwrap_err().contains_words("IDENTITY_HEADER"));
}

trait Words {
    fn contains_words(&self, words: &str) -> bool;
}

impl Words for AuthError {
    fn contains_words(&self, words: &str) -> bool {
        self.to_string().contains(words)
    }
}

#[tokio::test]
async fn an_identity_endpoint_that_is_not_near_is_not_asked_without_tls() {
    for url in ["http://10.0.0.1/token", "http://example.org/token", "http://169.254.169.254.example.org/", "nonsense"]
    {
        let error = failed(AzureIdentity::app_service(url, "tell-tale").token().await);
        assert!(matches!(error.kind(), AuthErrorKind::Url(_)) && error.is_permanent(), "{error}");
    }
}

#[tokio::test]
async fn what_an_endpoint_refuses_is_told_in_its_words() {
    for (status, body, permanent, words) in [
        (401, r#"{"error":"invalid_client","error_description":"AADSTS7000215: wrong secret"}"#, true, "AADSTS7000215"),
        (400, r#"{"error":"invalid_request","error_description":"Identity not found"}"#, true, "Identity not found"),
        (500, r#"{"statusCode":500,"message":"An unexpected error occured"}"#, false, "unexpected"),
        (403, r#"{"error":{"code":"Forbidden","message":"no such identity"}}"#, true, "Forbidden"),
        (429, "slow down", false, "429"),
        (404, "", false, "404"),
        (503, "\u{1b}[31m", false, "503"),
        (302, "", false, "302"),
    ] {
        let server = Server::start(move |_| answer(status, "Location: http://elsewhere/\r\n", body)).await;
        let error = failed(app_service(&server).token().await);
        assert!(matches!(error.kind(), AuthErrorKind::Refused { status: it, .. } if *it == status), "{error}");
        assert_eq!(error.is_permanent(), permanent, "{error}");
        assert!(error.contains_words(words) && !error.contains_words("\u{1b}"), "{error}");
    }
}

#[tokio::test]
async fn garbage_huge_and_slow_answers_end_in_errors() {
    let huge = granted(&format!(r#","x":"{}""#, "x".repeat(70_000)));
    let huge_token = answer(200, "", &format!(r#"{{"access_token":"{}"}}"#, "x".repeat(65_536)));
    let no_http = b"SSH-2.0-OpenSSH_9.6\r\n\r\n".to_vec();
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"access".to_vec();
    let flood = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(1 << 20)).into_bytes();
    for bytes in [huge, huge_token, no_http, cut, flood] {
        let server = Server::start(move |_| bytes.clone()).await;
        let error = failed(app_service(&server).token().await);
        assert!(matches!(error.kind(), AuthErrorKind::Http(_)) && !error.is_permanent(), "{error}");
    }
    for body in ["", "tell-tale", "[]", "{}", r#"{"access_token":""}"#, r#"{"access_token":7}"#] {
        let server = Server::start(move |_| answer(200, "", body)).await;
        assert!(matches!(failed(app_service(&server).token().await).kind(), AuthErrorKind::Answer(_)), "{body}");
    }
    let server = Server::start(|_| granted(r#","token_type":"mac""#)).await;
    assert!(failed(app_service(&server).token().await).contains_words("bearer"));
    let server = Server::start(|_| Vec::new()).await;
    let error = failed(app_service(&server).timeout(Duration::from_millis(100)).token().await);
    assert!(matches!(error.kind(), AuthErrorKind::Http(HttpError::Timeout { .. })), "{error}");
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = failed(AzureIdentity::app_service(format!("http://{closed}/"), "x").token().await);
    assert!(matches!(error.kind(), AuthErrorKind::Http(HttpError::Tcp(_))), "{error}");
}

#[tokio::test]
async fn a_client_secret_is_sent_as_the_standard_says() {
    let server = Server::start(|_| granted(r#","expires_in":3600,"token_type":"Bearer""#)).await;
    let endpoint = format!("{}/oauth2/token?x=1", server.url);
    let source = ClientSecret::at(&endpoint, "client:1", Secret::text(SECRET)).parameter("audience", "a b").build();
    let source = source.unwrap();
    let token = source.token().await.unwrap();
    assert_eq!(token.text(), TOKEN);
    in_a_while(&token, 3600);
    is_secretive(&format!("{source:?}"));
    let seen = server.seen().remove(0);
    assert_eq!(seen.line, "POST /oauth2/token?x=1 HTTP/1.1");
    assert_eq!(seen.fields["content-type"], "application/x-www-form-urlencoded");
    // `client%3A1:p%26ss%20w%C3%B6rd%3Atell-tale` in base64.
    assert_eq!(seen.fields["authorization"], "Basic Y2xpZW50JTNBMTpwJTI2c3MlMjB3JUMzJUI2cmQlM0F0ZWxsLXRhbGU=");
    assert_eq!(
        seen.body,
        "grant_type=client_credentials&scope=https%3A%2F%2Feventgrid.azure.net%2F.default&audience=a%20b"
    );

    let source = ClientSecret::at(&endpoint, "client", Secret::text(SECRET)).scope("").in_body().build().unwrap();
    source.token().await.unwrap();
    let seen = server.seen().remove(1);
    assert!(!seen.fields.contains_key("authorization"));
    assert_eq!(
        seen.body,
        "grant_type=client_credentials&client_id=client&client_secret=p%26ss%20w%C3%B6rd%3Atell-tale"
    );
}

#[tokio::test]
async fn a_secret_is_looked_up_at_each_use() {
    let server = Server::start(|_| granted("")).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret");
    let at = |secret| ClientSecret::at(format!("{}/", server.url), "c", secret).in_body().build().unwrap();
    let source = at(Secret::file(&path));
    assert!(matches!(failed(source.token().await).kind(), AuthErrorKind::File(_)));
    for secret in ["first", "second"] {
        std::fs::write(&path, format!("{secret}\n")).unwrap();
        source.token().await.unwrap();
        assert!(server.seen().last().unwrap().body.ends_with(&format!("client_secret={secret}")));
    }
    at(Secret::from_fn(|| async { Ok("made".to_owned()) })).token().await.unwrap();
    assert!(server.seen().last().unwrap().body.ends_with("client_secret=made"));
    let error = failed(at(Secret::variable("GRIDMQ_TEST_NO_SUCH_VARIABLE")).token().await);
    assert!(matches!(error.kind(), AuthErrorKind::Variable) && error.is_permanent(), "{error}");
    assert!(error.contains_words("GRIDMQ_TEST_NO_SUCH_VARIABLE"));
    let path = std::env::var("PATH").unwrap();
    at(Secret::variable("PATH")).token().await.unwrap();
    assert!(server.seen().last().unwrap().body.len() > path.len());
}

#[tokio::test]
async fn the_token_endpoint_is_found_by_openid_and_by_oauth_metadata_and_looked_up_again_when_it_fails() {
    for well_known in
        ["/tenant/v2.0/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/tenant/v2.0"]
    {
        let fails = Arc::new(Mutex::new(false));
        let failing = Arc::clone(&fails);
        let server = Server::start(move |seen| {
            let path = seen.line.split(' ').nth(1).unwrap();
            let base = format!("http://{}", seen.fields["host"]);
            if path == well_known {
                let body = format!(
                    r#"{{"issuer":"{base}/tenant/v2.0","token_endpoint":"{base}/token",
                        "token_endpoint_auth_methods_supported":["client_secret_post","private_key_jwt"]}}"#
                );
                answer(200, "", &body)
            } else if path == "/token" && !*failing.lock().unwrap() {
                granted("")
            } else {
                answer(if path == "/token" { 500 } else { 404 }, "", "")
            }
        })
        .await;
        let issuer = format!("{}/tenant/v2.0", server.url);
        let source = ClientSecret::discover(issuer, "c", Secret::text(SECRET)).build().unwrap();
        let lookups = || server.seen().iter().filter(|it| it.line.contains("well-known")).count();
        source.token().await.unwrap();
        let first = lookups();
        source.token().await.unwrap();
        assert_eq!(lookups(), first, "it is remembered");
        assert!(server.seen().last().unwrap().body.contains("client_secret="), "the method that the server has");
        *fails.lock().unwrap() = true;
        failed(source.token().await);
        *fails.lock().unwrap() = false;
        source.token().await.unwrap();
        assert_eq!(lookups(), 2 * first);
    }
}

#[tokio::test]
async fn metadata_of_another_issuer_or_without_tls_are_not_believed() {
    for body in [
        r#"{"issuer":"https://evil.example","token_endpoint":"https://evil.example/token"}"#,
        r#"{"token_endpoint":"https://evil.example/token"}"#,
        r#"{"issuer":"SELF"}"#,
        r#"{"issuer":"SELF","token_endpoint":"http://evil.example/token"}"#,
        r#"{"issuer":"SELF","token_endpoint":7}"#,
    ] {
        let server = Server::start(move |seen| {
            let base = format!("http://{}", seen.fields["host"]);
            answer(200, "", &body.replace("SELF", &base))
        })
        .await;
        let source = ClientSecret::discover(&server.url, "c", Secret::text(SECRET)).build().unwrap();
        let error = failed(source.token().await);
        assert!(matches!(error.kind(), AuthErrorKind::Answer(_)), "{body}: {error}");
        assert!(server.seen().iter().all(|it| it.body.is_empty()), "no secret was sent");
    }
}

#[tokio::test]
async fn over_the_network_a_secret_goes_over_tls_that_is_verified() {
    for url in ["http://login.example/token", "ftp://login.example", "nonsense"] {
        let error = ClientSecret::at(url, "c", Secret::text(SECRET)).build().unwrap_err();
        assert!(matches!(error.kind(), AuthErrorKind::Url(_)) && error.is_permanent(), "{error}");
        is_secretive(&format!("{error} {error:?}"));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let validity = Validity::days(now, 2);
    let root = CertificateAuthority::new_root("Root", validity).unwrap();
    let issued = root.issue_server(["localhost"], validity).unwrap();
    let identity = Identity::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes()).unwrap();
    let config = ServerConfig::builder().identity(identity).build().unwrap();
    let server = Server::start_with(Some(config), |_| granted("")).await;
    let at = || ClientSecret::at(format!("{}/token", server.url), "c", Secret::text(SECRET));
    let trust = |root: &CertificateAuthority| Trust::only_pem(root.certificate_pem().as_bytes()).unwrap();
    assert_eq!(at().trust(trust(&root)).build().unwrap().token().await.unwrap().text(), TOKEN);
    let stranger = CertificateAuthority::new_root("Stranger", validity).unwrap();
    let error = failed(at().trust(trust(&stranger)).build().unwrap().token().await);
    assert!(matches!(error.kind(), AuthErrorKind::Http(HttpError::Tls(_))), "{error}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_token_is_the_data_of_its_method_and_is_not_shown() {
    let source = FnToken::new(|| async { Ok(Token::new(TOKEN)) });
    let method = JwtAuthenticator::oauth2(source);
    assert_eq!(method.method(), "OAUTH2-JWT");
    let grant = method.begin().await.unwrap();
    is_secretive(&format!("{method:?} {grant:?} {:?}", Token::new(TOKEN)));
    let broken = FnToken::new(|| async { Err(AuthError::other("the vault", "it is sealed")) });
    let error = JwtAuthenticator::custom(broken).begin().await.unwrap_err();
    assert!(error.contains_words("the vault") && error.contains_words("sealed") && !error.is_permanent());
}
