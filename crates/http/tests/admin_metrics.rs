//! The metrics: what is answered, and what is documented.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use gridmq_http::admin::{Admin, Kind, METRICS};
use gridmq_http::{HttpServer, Router};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Asks an endpoint that has no broker yet.
async fn ask(path: &str) -> (u16, String) {
    let admin = Admin::new("1.2.3", Arc::new(|| 0));
    let server = HttpServer::bind_plain("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = server.address().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(server.serve(admin.router(Router::new()), async move { drop(stopped.await) }));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    stop.send(()).unwrap();
    serving.await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[test]
fn the_documentation_has_every_metric_as_it_is() {
    let mut table = "| metric | kind | labels | what |\n|---|---|---|---|\n".to_owned();
    for metric in METRICS {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            _ => "gauge",
        };
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        writeln!(table, "| `{}` | {kind} | {} | {} |", metric.name, labels.join(", "), metric.help).unwrap();
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");
    let page = std::fs::read_to_string(path).unwrap();
    assert!(page.contains(&table), "docs/operations.md should have this table:\n{table}");
}

#[test]
fn names_are_of_one_kind() {
    let names: BTreeSet<_> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), METRICS.len());
    for metric in METRICS {
        assert!(metric.name.starts_with("gridmq_") && !metric.name.ends_with("_total"), "{}", metric.name);
        let clients_choose = ["client_id", "client", "topic", "filter", "username"];
        assert!(metric.labels.iter().all(|label| !clients_choose.contains(label)), "{}", metric.name);
    }
}

#[tokio::test]
async fn before_the_broker_has_started_health_says_so() {
    let (status, body) = ask("/readyz").await;
    assert_eq!(status, 503);
    assert!(body.contains("starting"), "{body}");
    assert_eq!(ask("/livez").await.0, 200);
    let (status, text) = ask("/metrics").await;
    assert_eq!(status, 200);
    assert!(text.contains("gridmq_ready 0") && text.contains("gridmq_build_info{version=\"1.2.3\"} 1"), "{text}");
    for metric in METRICS {
        assert!(text.contains(&format!("# TYPE {} ", metric.name)), "{} in {text}", metric.name);
    }
    assert!(text.ends_with("# EOF\n"));
    assert_eq!(ask("/trace").await.0, 200);
}
