//! The configuration read again on SIGHUP.

use super::Arguments;
use crate::config::Settings;
use crate::error::Failure;
use crate::log;

/// Reads it, and logs what waits for a start. A bad one changes nothing.
pub(super) fn read(arguments: &Arguments, current: &Settings) -> Result<Settings, Failure> {
    let newer = arguments.settings()?;
    log::check(&newer.log.filter)?;
    for change in current.changes_to(&newer).iter().filter(|change| !change.reloads) {
        tracing::warn!(key = change.key, "this was changed and waits for the next start");
    }
    Ok(newer)
}
