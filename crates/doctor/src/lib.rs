//! Finds out why a TLS or MQTT connection fails, and says what to do.

#![forbid(unsafe_code)]

pub mod exit;
pub mod explain;
pub mod files;
pub mod fix;
pub mod json;
pub mod profile;
pub mod redact;
pub mod render;
pub mod report;
pub mod run;
mod stage;
pub mod target;

pub use exit::Exit;
pub use explain::{Confidence, Match, explain};
pub use profile::Profile;
pub use report::{Report, StageReport, Status};
pub use run::{Progress, run, run_with};
pub use target::{Options, Scheme, Target, TargetError, WantedWill, Wants};
