//! What SIGHUP puts in force. Everything that can fail is done first: a bad file leaves all as it was.

use std::sync::Arc;

use gridmq_broker::Broker;
use gridmq_namespace::{Policy, Rules};

use super::listeners::Certificates;
use super::open::Open;
use super::revocation::Lists;
use super::source::{self, Source};
use super::{Arguments, open};
use crate::config::Settings;
use crate::error::Failure;
use crate::log;

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
        let rules: Option<Arc<dyn Rules>> = match (namespace(&next)?, &mut *lists) {
            // The control plane's namespace is in no file.
            (None, _) if next.arm.is_given() => None,
            (None, _) => Some(Arc::new(self.open.rules(&next)?)),
            (Some(policy), None) => Some(Arc::new(policy)),
            (Some(policy), Some(lists)) => Some(Arc::new(lists.apply_to(policy))),
        };

        (self.change_log)(&next.log.filter);
        self.tell_changes(&newer);
        broker.set_limits(&next.limits.broker());
        if let Some(rules) = rules {
            broker.set_rules(rules).await;
        }
        certificates.reload();
        if let Some(lists) = lists {
            lists.reload();
        }
        self.in_force = next;
        Ok(())
    }

    fn tell_changes(&self, newer: &Settings) {
        let toggled = self.in_force.namespace.is_given() != newer.namespace.is_given();
        for change in self.in_force.changes_to(newer) {
            let key = change.key;
            if change.reloads && !(toggled && key.starts_with("namespace.")) {
                tracing::info!(key, "changed, and in force");
            } else {
                tracing::warn!(key, "changed, and waits for the next start");
            }
        }
    }
}

/// The namespace as its files say now.
fn namespace(settings: &Settings) -> Result<Option<Policy>, Failure> {
    let source = source::read(&settings.namespace)?;
    Ok(source.map(|Source { policy, warnings }| {
        for warning in warnings {
            tracing::warn!(%warning, "something in the namespace has no effect");
        }
        policy
    }))
}
