//! GridMQ over HTTP: enrolment of certificates (RFC 7030).
#![forbid(unsafe_code)]
