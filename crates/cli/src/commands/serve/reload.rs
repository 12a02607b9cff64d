//! What SIGHUP puts in force. Everything that can fail is done first: a bad file leaves all as it was.

use std::sync::Arc;

use gridmq_broker::Broker;
use gridmq_namespace::{Policy, Rules};

use super::listeners::Certificates;
use super::open::Open;
use super::revocation::Lists;
use super::{Arguments, MAX_NAMESPACE_BYTES, next_generation, open, policy};
use crate::config::Settings;
use crate::error::Failure;
use crate::{files, log};

/// What is in force, and how it is read again.
pub(super) struct Reloader {
    arguments: Arguments,
    in_force: Settings,
    change_log: log::Change,
    open: Open,
}

impl Reloader {
    pub(super) fn new(arguments: Arguments, in_force: Settings, change_log: log::Change, open: Open) -> Self {
        Self { arguments, in_force, change_log, open }
    }

    /// Reads everything again. On an error nothing has changed.
    pub(super) async fn reload(
        &mut self,
        broker: &Broker,
        certificates: &Certificates,
        lists: &mut Option<Lists>,
    ) -> Result<(), Failure> {
        let newer = self.arguments.settings()?;
        let next = self.in_force.reloaded(&newer);
        log::check(&next.log.filter)?;
        open::check(&next)?;
        let rules: Arc<dyn Rules> = match (namespace(&next)?, &mut *lists) {
            (None, _) => Arc::new(self.open.rules(&next)?),
            (Some(policy), None) => Arc::new(policy),
            (Some(policy), Some(lists)) => Arc::new(lists.apply_to(policy)),
        };

        (self.change_log)(&next.log.filter);
        self.tell_changes(&newer);
        broker.set_limits(&next.limits.broker());
        broker.set_rules(rules).await;
        certificates.reload();
        if let Some(lists) = lists {
            lists.reload();
        }
        self.in_force = next;
        Ok(())
    }

    fn tell_changes(&self, newer: &Settings) {
        let toggled = self.in_force.namespace.file.is_some() != newer.namespace.file.is_some();
        for change in self.in_force.changes_to(newer) {
            let key = change.key;
            if change.reloads && !(toggled && key == "namespace.file") {
                tracing::info!(key, "changed, and in force");
            } else {
                tracing::warn!(key, "changed, and waits for the next start");
            }
        }
    }
}

/// The namespace as its file says now.
fn namespace(settings: &Settings) -> Result<Option<Policy>, Failure> {
    let Some(path) = &settings.namespace.file else { return Ok(None) };
    let text = files::read_text(path, MAX_NAMESPACE_BYTES, "the namespace file")?;
    let shown = files::shown(path);
    let (policy, warnings) = policy(&text, next_generation()).map_err(|failure| failure.during(&shown))?;
    for warning in warnings {
        tracing::warn!(file = shown, %warning, "something in the namespace has no effect");
    }
    Ok(Some(policy))
}
