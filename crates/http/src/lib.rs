//! GridMQ over HTTP.
//!
//! [`server`] is what every part shares: a TLS listener with its limits and its end. A part is a [`axum::Router`] in a
//! module of its own: [`est`], enrolment of certificates (RFC 7030), [`admin`], metrics, health and traces, and [`arm`],
//! the control plane of namespaces.
//!
//! ```text
//!  TCP ─▶ TLS ─▶ HTTP/1.1 ─▶ Router ─▶ est/   (who asks: [`server::Connection`] in each request)
//! ```

#![forbid(unsafe_code)]

pub mod admin;
pub mod arm;
pub mod est;
pub mod server;

pub use axum::Router;
pub use server::{Connection, HttpServer, Limits, Peer};
