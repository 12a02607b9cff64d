//! `/livez` and `/readyz`.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use gridmq_broker::StoreStatus;
use serde_json::{Value, json};

use super::Admin;

pub(super) async fn live() -> Response {
    json_body(StatusCode::OK, &json!({ "status": "live" }))
}

/// 200 while clients should come here, else 503; each part says how it stands.
pub(super) async fn ready(State(admin): State<Admin>) -> Response {
    let (ready, parts) = match admin.broker() {
        None => (false, json!({ "broker": "starting: what is stored is being taken up" })),
        Some(broker) => {
            let health = broker.health();
            let parts = json!({
                "broker": if health.stopping { "stopping" } else { "ok" },
                "store": store(&health.store),
            });
            (health.is_ready(), parts)
        }
    };
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json_body(status, &json!({ "status": if ready { "ready" } else { "not ready" }, "parts": parts }))
}

fn store(status: &StoreStatus) -> String {
    match status {
        StoreStatus::Running => "ok".to_owned(),
        StoreStatus::Stalled { why, .. } => format!("stalled: {why}"),
        StoreStatus::Failed { why, .. } => format!("failed: {why}"),
        _ => "not running".to_owned(),
    }
}

pub(super) fn json_body(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], format!("{body}\n")).into_response()
}
