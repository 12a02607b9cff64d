//! A namespace's revocation lists: read, watched, and everybody judged again when they change.

use std::sync::Arc;

use gridmq_namespace::{Open, Policy, Resources, Rules};
use gridmq_tls::Revocation;
use gridmq_tls::revocation::watched::{Edition, Event};
use gridmq_tls::revocation::{Ocsp, RevocationError, WatchedLists};
use gridmq_tls::time::Utc;

use super::next_generation;
use crate::config::Tls;
use crate::error::Failure;

/// Lists that are watched, and the namespace that they are applied to.
pub(super) struct Lists {
    watched: Arc<WatchedLists>,
    resources: Resources,
    /// The edition that the latest rules were made with.
    edition: u64,
}

/// The rules for a namespace, or for an open broker, with the lists that `[tls]` names. `tls`: there is a TLS listener.
pub(super) fn rules(
    settings: Option<&Tls>,
    policy: Option<Policy>,
    tls: bool,
    open: Open,
) -> Result<(Arc<dyn Rules>, Option<Lists>), Failure> {
    let settings = settings.cloned().unwrap_or_default();
    if settings.require_ocsp {
        return Err(Failure::failed(RevocationError::OcspUnsupported).during("require-ocsp of [tls]"));
    }
    if settings.crls.is_empty() {
        if settings.crl_check.is_some() {
            return Err(Failure::usage("[tls] has crl-check and no crls: name files or directories of lists"));
        }
        let rules: Arc<dyn Rules> = match policy {
            Some(policy) => Arc::new(policy),
            None => Arc::new(open),
        };
        return Ok((rules, None));
    }
    let Some(policy) = policy.filter(|_| tls) else {
        return Err(Failure::usage(
            "[tls] names revocation lists, and no client shows a certificate here: give a namespace, cert and key, or \
             leave crls out",
        ));
    };
    let rules = Revocation::builder().depth(settings.crl_check.unwrap_or_default().depth()).ocsp(Ocsp::Ignored);
    let watched = WatchedLists::loading(rules, &settings.crls)
        .on_event(tell)
        .start()
        .map_err(|error| Failure::failed(error).during("crls of [tls]"))?;
    let edition = watched.current();
    tell_loaded(&edition.revocation);
    let lists = Lists { watched: Arc::new(watched), resources: policy.resources().clone(), edition: edition.number };
    Ok((Arc::new(policy.with_revocation(edition.revocation.clone())), Some(lists)))
}

impl Lists {
    /// Has the lists read now.
    pub(super) fn reload(&self) {
        self.watched.reload();
    }

    /// The next rules, once certificates are to be judged otherwise. Nothing is lost when the future is dropped.
    async fn next(&mut self) -> Arc<dyn Rules> {
        loop {
            let edition = self.watched.changed(self.edition).await;
            self.edition = edition.number;
            match self.with(&edition) {
                Ok(policy) => return Arc::new(policy),
                Err(why) => tracing::error!(why, "the namespace cannot be compiled again; its rules stay"),
            }
        }
    }

    /// Another namespace, with the lists that are in force.
    pub(super) fn apply_to(&mut self, policy: Policy) -> Policy {
        let edition = self.watched.current();
        self.edition = edition.number;
        self.resources = policy.resources().clone();
        policy.with_revocation(edition.revocation.clone())
    }

    fn with(&self, edition: &Edition) -> Result<Policy, String> {
        let policy = Policy::compile(self.resources.clone(), next_generation()).map_err(|problems| {
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            problems.join("; ")
        })?;
        Ok(policy.with_revocation(edition.revocation.clone()))
    }
}

/// Tells how the lists stand, for metrics.
pub(super) fn status(lists: Option<&Lists>) -> gridmq_http::admin::Lists {
    let watched = lists.map(|lists| Arc::clone(&lists.watched));
    Arc::new(move || watched.as_ref().map(|watched| watched.status()))
}

/// The next rules; never without lists.
pub(super) async fn next(lists: &mut Option<Lists>) -> Arc<dyn Rules> {
    match lists {
        Some(lists) => lists.next().await,
        None => std::future::pending().await,
    }
}

fn tell_loaded(revocation: &Revocation) {
    for list in revocation.lists() {
        tracing::info!(
            from = %list.origin,
            issuer = %list.issuer,
            revoked = list.revoked,
            next_update = %Utc(list.next_update),
            "a revocation list is in force"
        );
    }
}

fn tell(event: &Event) {
    match event {
        Event::Replaced { edition, lists, revoked, next_update } => tracing::info!(
            edition,
            lists,
            revoked,
            next_update = next_update.map(|at| tracing::field::display(Utc(at))),
            "the revocation lists were replaced: clients are judged again"
        ),
        Event::Kept { edition, why } => {
            tracing::warn!(edition, why, "the new revocation lists are not used, the old ones stay");
        }
        Event::Overdue { edition, next_update } => tracing::warn!(
            edition,
            next_update = %Utc(*next_update),
            "a revocation list was to be replaced by now and was not: whom it covers is refused [B13]"
        ),
        Event::NotWatched { why } => {
            tracing::warn!(why, "changes of the revocation lists are seen once a minute only");
        }
        _ => {}
    }
}
