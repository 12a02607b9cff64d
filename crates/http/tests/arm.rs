//! The control plane over HTTP: who may, what is kept, and when the broker hears of it.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::Response;
use gridmq_http::arm::{Changed, ControlPlane, Settings};
use gridmq_http::{Peer, Router};
use gridmq_store::Store;
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;
use tower_service::Service;
use zeroize::Zeroizing;

const SECRET: &str = "0123456789abcdef";
const NAMESPACE: &str = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.EventGrid/namespaces/ns1";

struct Served {
    router: Router,
    changed: mpsc::Receiver<Changed>,
    from: SocketAddr,
}

fn served(store: &Store, trust_local: bool) -> Served {
    let (sender, changed) = mpsc::channel(1);
    let mut settings = Settings::new(Zeroizing::new(SECRET.to_owned()), Arc::new(|| 1000), Arc::new(|| Some([7; 64])));
    settings.trust_local = trust_local;
    let router = ControlPlane::load(settings, store.clone(), sender).unwrap().router();
    Served { router, changed, from: (Ipv4Addr::LOCALHOST, 1).into() }
}

async fn body(response: Response) -> Json {
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

impl Served {
    async fn send(&mut self, method: &str, path: &str, fields: &[(&str, &str)], text: &str) -> Response {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "localhost:8443");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.extension(Peer(self.from)).body(Body::from(text.to_owned())).unwrap();
        let mut router = self.router.clone();
        let mut answer = std::pin::pin!(Service::call(&mut router, request));
        loop {
            tokio::select! {
                response = &mut answer => return response.unwrap(),
                Some(change) = self.changed.recv() => change.done.send(()).unwrap(),
            }
        }
    }

    async fn as_admin(&mut self, method: &str, path: &str, text: &str) -> Response {
        let secret = format!("Bearer {SECRET}");
        self.send(method, path, &[("authorization", &secret)], text).await
    }
}

fn enabled() -> String {
    json!({ "properties": { "topicSpacesConfiguration": { "state": "Enabled" } } }).to_string()
}

#[tokio::test]
async fn nobody_does_anything_without_the_secret() {
    let mut served = served(&Store::memory(), false);
    for (fields, why) in [
        (&[][..], "no 'Authorization: Bearer'"),
        (&[("authorization", "Bearer tok")][..], "none that this broker gave out"),
        (&[("authorization", "Basic eDp5")][..], "no 'Authorization: Bearer'"),
    ] {
        for (method, path) in [("GET", NAMESPACE), ("PUT", NAMESPACE), ("GET", "/subscriptions"), ("GET", "/nowhere")] {
            let refused = served.send(method, path, fields, &enabled()).await;
            assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
            assert_eq!(refused.headers()[header::WWW_AUTHENTICATE], "Bearer");
            let body = body(refused).await;
            assert_eq!(body["error"]["code"], "AuthenticationFailed");
            assert!(body["error"]["message"].as_str().unwrap().contains(why), "{body}");
        }
    }
    assert_eq!(served.as_admin("GET", NAMESPACE, "").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(served.as_admin("PUT", NAMESPACE, &enabled()).await.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn a_token_is_given_for_the_secret() {
    let mut served = served(&Store::memory(), false);
    let discovered = body(served.send("GET", "/adfs/.well-known/openid-configuration", &[], "").await).await;
    assert_eq!(discovered["token_endpoint"], "http://localhost:8443/adfs/oauth2/token");
    let discovered = body(served.send("GET", "/tid/v2.0/.well-known/openid-configuration", &[], "").await).await;
    assert_eq!(discovered["token_endpoint"], "http://localhost:8443/tid/oauth2/v2.0/token");
    let form = |secret: &str| {
        format!("client_id=me&grant_type=client_credentials&client_secret={secret}&scope=http%3A%2F%2Fx%2F%2F.default")
    };
    let refused = served.send("POST", "/adfs/oauth2/token", &[], &form("wrong")).await;
    assert_eq!(
        (refused.status(), body(refused).await["error"].clone()),
        (StatusCode::UNAUTHORIZED, json!("invalid_client"))
    );
    let refused = served.send("POST", "/adfs/oauth2/token", &[], "grant_type=password&client_id=me").await;
    assert_eq!(body(refused).await["error"], "unsupported_grant_type");
    let given = body(served.send("POST", "/adfs/oauth2/token", &[], &form(SECRET)).await).await;
    let token = format!("Bearer {}", given["access_token"].as_str().unwrap());
    assert_eq!(served.send("GET", "/subscriptions", &[("authorization", &token)], "").await.status(), StatusCode::OK);
    let identity = "/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fx";
    assert_eq!(served.send("GET", identity, &[], "").await.status(), StatusCode::UNAUTHORIZED);
    let given = body(served.send("GET", identity, &[("x-identity-header", SECRET)], "").await).await;
    assert_eq!((given["resource"].as_str(), given["token_type"].as_str()), (Some("https://x"), Some("Bearer")));
}

#[tokio::test]
async fn who_is_on_this_machine_is_trusted_if_so_said_and_a_browser_never() {
    let mut served = served(&Store::memory(), true);
    assert_eq!(served.send("PUT", NAMESPACE, &[], &enabled()).await.status(), StatusCode::CREATED);
    let page = [("origin", "https://evil.example")];
    assert_eq!(served.send("GET", NAMESPACE, &page, "").await.status(), StatusCode::FORBIDDEN);
    let form = "grant_type=client_credentials&client_id=me";
    assert_eq!(served.send("POST", "/adfs/oauth2/token", &page, form).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(served.send("POST", "/adfs/oauth2/token", &[], form).await.status(), StatusCode::OK);
    served.from = (Ipv4Addr::new(192, 0, 2, 1), 1).into();
    assert_eq!(served.send("GET", NAMESPACE, &[], "").await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_is_answered_is_kept_and_in_force() {
    let store = Store::memory();
    let (sender, mut changed) = mpsc::channel(1);
    let settings = Settings::new(Zeroizing::new(SECRET.to_owned()), Arc::new(|| 1000), Arc::new(|| Some([7; 64])));
    let mut router = ControlPlane::load(settings, store.clone(), sender).unwrap().router();
    let mut fields = HeaderMap::new();
    fields.insert(header::AUTHORIZATION, format!("Bearer {SECRET}").parse().unwrap());
    let mut request = Request::builder().method("PUT").uri(NAMESPACE).body(Body::from(enabled())).unwrap();
    *request.headers_mut() = fields;
    let mut answer = std::pin::pin!(Service::call(&mut router, request));
    let change = tokio::select! {
        biased;
        _ = &mut answer => panic!("answered before it is in force"),
        change = changed.recv() => change.unwrap(),
    };
    assert_eq!(change.resources.unwrap().namespace.name, "ns1");
    // It is kept by now.
    let mut again = served(&store, false);
    assert_eq!(again.as_admin("GET", NAMESPACE, "").await.status(), StatusCode::OK);
    assert!(futures_pending(&mut answer).await);
    change.done.send(()).unwrap();
    assert_eq!(answer.await.unwrap().status(), StatusCode::CREATED);
    // What is no concern of the broker's waits for nobody.
    let topic = format!("{NAMESPACE}/topics/orders");
    let secret = format!("Bearer {SECRET}");
    let request = Request::builder().method("PUT").uri(topic).header("authorization", secret).body(Body::from("{}"));
    assert_eq!(Service::call(&mut router, request.unwrap()).await.unwrap().status(), StatusCode::CREATED);
}

async fn futures_pending<F: Future + Unpin>(future: &mut F) -> bool {
    std::future::poll_fn(|cx| std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx).is_pending())).await
}

#[tokio::test]
async fn heads_have_no_body_and_answers_are_not_kept_by_others() {
    let mut served = served(&Store::memory(), true);
    let made = served.send("PUT", NAMESPACE, &[], &enabled()).await;
    assert_eq!(made.headers()[header::CACHE_CONTROL], "no-store");
    assert_eq!(made.headers()[header::ETAG], "\"1\"");
    assert_eq!(served.send("HEAD", NAMESPACE, &[], "").await.status(), StatusCode::NO_CONTENT);
    assert_eq!(served.send("PURGE", NAMESPACE, &[], "").await.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(
        served.send("PUT", NAMESPACE, &[("if-match", "\"9\"")], "{}").await.status(),
        StatusCode::PRECONDITION_FAILED
    );
    let endpoints = body(served.send("GET", "/metadata/endpoints?api-version=2022-09-01", &[], "").await).await;
    assert_eq!(endpoints["authentication"]["loginEndpoint"], "http://localhost:8443/adfs");
    assert!(body(served.send("GET", "/metadata/endpoints?api-version=2019-05-01", &[], "").await).await.is_array());
}
