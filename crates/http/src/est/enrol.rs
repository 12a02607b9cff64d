//! The operations (RFC 7030 §4.1, §4.2, §4.5).

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use gridmq_tls::est::{
    CONTENT_TYPE_ATTRIBUTES, CONTENT_TYPE_CERTIFICATES, CONTENT_TYPE_REQUEST, CsrAttributes, certs_only, read_request,
};
use gridmq_tls::issue::{SigningProfile, SigningRequest, Usage};

use super::authenticate::{self, Requester};
use super::policy::check_renewal;
use super::reply::Refusal;
use super::{AUDIT, EstServer};
use crate::server::Connection;

pub(super) async fn ca_certificates(State(server): State<Arc<EstServer>>) -> Response<Body> {
    success(CONTENT_TYPE_CERTIFICATES, certs_only(&server.chain))
}

pub(super) async fn csr_attributes(State(server): State<Arc<EstServer>>) -> Response<Body> {
    match server.policy.wanted_key() {
        Some(key) => success(CONTENT_TYPE_ATTRIBUTES, CsrAttributes::for_key(key).body()),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

pub(super) async fn enroll(
    State(server): State<Arc<EstServer>>,
    Extension(connection): Extension<Connection>,
    fields: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let outcome = async {
        let requester = authenticate::enrolling(&server, &connection, &fields).await?;
        let request = read(&fields, &body)?;
        server.policy.check_names(&request, &requester.name).map_err(Refusal::Forbidden)?;
        issue(&server, &connection, &requester, &request)
    };
    answer("simpleenroll", &connection, outcome.await)
}

pub(super) async fn reenroll(
    State(server): State<Arc<EstServer>>,
    Extension(connection): Extension<Connection>,
    fields: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let outcome = || {
        let current = authenticate::renewing(&server, &connection)?;
        let request = read(&fields, &body)?;
        check_renewal(&request, &current).map_err(Refusal::Forbidden)?;
        let requester = Requester { name: current.subject().to_string(), how: "certificate" };
        issue(&server, &connection, &requester, &request)
    };
    answer("simplereenroll", &connection, outcome())
}

fn read(fields: &HeaderMap, body: &[u8]) -> Result<SigningRequest, Refusal> {
    let kind = fields.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or(CONTENT_TYPE_REQUEST);
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(CONTENT_TYPE_REQUEST) {
        return Err(Refusal::Bad(format!("the body must be of the type {CONTENT_TYPE_REQUEST}")));
    }
    read_request(body).map_err(|error| Refusal::Bad(error.to_string()))
}

fn issue(
    server: &EstServer,
    connection: &Connection,
    requester: &Requester,
    request: &SigningRequest,
) -> Result<String, Refusal> {
    server.policy.check_key(request).map_err(Refusal::Forbidden)?;
    let now = server.now();
    let end = server.authority.certificate().not_after();
    if now >= end {
        return Err(Refusal::Internal("the authority's own certificate has expired".to_owned()));
    }
    server.approvals.check(&requester.name, request, now)?;
    let profile = SigningProfile::new(Usage::Client);
    let issued = server.authority.sign_request(request, &profile, server.policy.validity_at(now, end));
    let issued = issued.map_err(|error| Refusal::Internal(error.to_string()))?;
    let leaf = issued.chain().get(..1).unwrap_or_default();
    if let [leaf] = leaf {
        tracing::info!(
            target: AUDIT, from = %connection.from, requester = requester.name, how = requester.how,
            subject = leaf.subject().to_string(), serial = leaf.serial(), not_after = leaf.not_after(),
            sha256 = leaf.thumbprint_sha256(), "certificate issued"
        );
    }
    // §4.2.3: the certificate alone; those above it are at cacerts.
    Ok(certs_only(leaf))
}

fn answer(operation: &'static str, connection: &Connection, outcome: Result<String, Refusal>) -> Response<Body> {
    match outcome {
        Ok(body) => success(CONTENT_TYPE_CERTIFICATES, body),
        Err(refusal) => {
            let status = refusal.status().as_u16();
            tracing::warn!(
                target: AUDIT, from = %connection.from, operation, status, why = refusal.words(),
                "no certificate issued"
            );
            refusal.into_response()
        }
    }
}

fn success(content_type: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
