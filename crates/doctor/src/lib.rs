//! Finds out why a TLS or MQTT connection fails, and says what to do.

#![forbid(unsafe_code)]

pub mod report;

pub use report::{Report, StageReport, Status};
