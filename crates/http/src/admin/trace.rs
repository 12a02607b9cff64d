//! `/trace`: which clients and topics are traced.

use std::time::Duration;

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use gridmq_broker::{Monitor, TraceTarget};
use serde_json::json;

use super::Admin;
use super::health::json_body;

/// Unless the request says otherwise.
const SECONDS: u64 = 600;

pub(super) async fn list(State(admin): State<Admin>) -> Response {
    let traces: Vec<_> = admin.broker().map(Monitor::traces).unwrap_or_default();
    let traces = traces.into_iter().map(|(target, left)| match target {
        TraceTarget::Client(id) => json!({ "client": &*id, "seconds": left.as_secs() }),
        other => json!({ "topic": filter_of(&other), "seconds": left.as_secs() }),
    });
    json_body(StatusCode::OK, &json!({ "traces": traces.collect::<Vec<_>>() }))
}

fn filter_of(target: &TraceTarget) -> String {
    match target {
        TraceTarget::Topic(filter) => filter.to_string(),
        other => other.to_string(),
    }
}

pub(super) async fn begin_client(admin: State<Admin>, Path(id): Path<String>, query: RawQuery) -> Response {
    begin(&admin, TraceTarget::Client(id.into()), query)
}

pub(super) async fn end_client(admin: State<Admin>, Path(id): Path<String>) -> Response {
    end(&admin, &TraceTarget::Client(id.into()))
}

pub(super) async fn begin_topic(admin: State<Admin>, Path(filter): Path<String>, query: RawQuery) -> Response {
    match topic(&filter) {
        Ok(target) => begin(&admin, target, query),
        Err(refused) => refused,
    }
}

pub(super) async fn end_topic(admin: State<Admin>, Path(filter): Path<String>) -> Response {
    match topic(&filter) {
        Ok(target) => end(&admin, &target),
        Err(refused) => refused,
    }
}

#[allow(clippy::result_large_err, reason = "an answer, made once")]
fn topic(filter: &str) -> Result<TraceTarget, Response> {
    filter.parse().map(TraceTarget::Topic).map_err(|error| bad(format!("{filter:?} is no topic filter: {error}")))
}

fn begin(admin: &Admin, target: TraceTarget, RawQuery(query): RawQuery) -> Response {
    let seconds = match query.as_deref() {
        None | Some("") => Some(SECONDS),
        Some(query) => query.strip_prefix("seconds=").and_then(|number| number.parse().ok()),
    };
    let Some(seconds) = seconds else { return bad("the query may say seconds=NUMBER and nothing else") };
    let Some(broker) = admin.broker() else { return starting() };
    match broker.trace(target.clone(), Duration::from_secs(seconds)) {
        Ok(()) => {
            tracing::info!(%target, seconds, "a trace was begun");
            json_body(StatusCode::OK, &json!({ "seconds": seconds }))
        }
        Err(error) => bad(error),
    }
}

fn end(admin: &Admin, target: &TraceTarget) -> Response {
    let Some(broker) = admin.broker() else { return starting() };
    if broker.end_trace(target) {
        tracing::info!(%target, "a trace was ended");
        StatusCode::NO_CONTENT.into_response()
    } else {
        (StatusCode::NOT_FOUND, "there is no such trace\n").into_response()
    }
}

fn bad(words: impl std::fmt::Display) -> Response {
    (StatusCode::BAD_REQUEST, format!("{words}\n")).into_response()
}

fn starting() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "the broker is starting\n").into_response()
}
