//! The control plane: it makes the namespace that the broker serves.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gridmq_arm::plane::Place;
use gridmq_broker::Broker;
use gridmq_http::arm::{Changed, ControlPlane, Settings as PlaneSettings, new_secret, system_random};
use gridmq_namespace::resource::Namespace;
use gridmq_namespace::{Policy, Resources, Rules};
use gridmq_store::Store;
use gridmq_tls::credentials::WatchedFiles;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::https::Running;
use super::next_generation;
use super::revocation::Lists;
use crate::config::{Address, Settings};
use crate::datadir::DataDir;
use crate::error::{Failure, Outcome};
use crate::files::{self, Existing, NewFiles};
use crate::{output, utc};

/// The file of the admin secret, in the state directory.
const SECRET: &str = "admin-secret";
const MAX_SECRET_BYTES: u64 = 4096;

/// A control plane that is read and not served yet.
pub(super) struct Loaded {
    plane: ControlPlane,
    changes: mpsc::Receiver<Changed>,
    secret: PathBuf,
}

/// Whether `[arm]` goes together with the rest. Nothing is read for it.
pub(super) fn check(settings: &Settings) -> Outcome {
    if !settings.arm.is_given() {
        if settings.arm.trust_local == Some(true) {
            return Err(Failure::usage(
                "--trust-local is for the control plane: give --arm ADDRESS too, or leave it out",
            ));
        }
        return Ok(());
    }
    if settings.namespace.is_given() {
        return Err(Failure::usage(
            "with --arm the namespace is made by az or an SDK, and kept: leave out --namespace and --template, or --arm",
        ));
    }
    let mut addresses = settings.arm.listen.iter().flatten().flat_map(Address::addresses);
    if settings.cert.is_none()
        && let Some(far) = addresses.find(|address| !address.ip().is_loopback())
    {
        return Err(Failure::usage(format!(
            "--arm names {far}, which other machines reach, and would give tokens and keys without TLS: give --cert and \
             --key, or a loopback address"
        )));
    }
    Ok(())
}

/// Reads what is kept of the control plane; nothing without `[arm]`.
pub(super) async fn load(
    settings: &Settings,
    dir: &DataDir,
    store: Option<&Store>,
) -> Result<Option<(Loaded, Policy)>, Failure> {
    let arm = &settings.arm;
    if !arm.is_given() {
        return Ok(None);
    }
    let (path, secret) = secret(dir.path())?;
    let mut plane = PlaneSettings::new(secret, Arc::new(utc::now), system_random());
    plane.trust_local = arm.trust_local.unwrap_or(false);
    plane.place = Place::new(&arm.subscription, &arm.tenant, &arm.location);
    let (sender, changes) = mpsc::channel(1);
    let store = store.cloned().unwrap_or_else(Store::memory);
    let plane = ControlPlane::load(plane, store, sender).map_err(Failure::failed)?;
    let policy = compile(plane.plane().await.served()).map_err(Failure::failed)?;
    Ok(Some((Loaded { plane, changes, secret: path }, policy)))
}

impl Loaded {
    /// Serves it where `[arm]` says.
    pub(super) async fn start(
        self,
        settings: &Settings,
        certificate: Option<&Arc<WatchedFiles>>,
    ) -> Result<Serving, Failure> {
        let mut running = Running::default();
        for address in settings.arm.listen.iter().flatten().flat_map(Address::addresses) {
            running.serve(*address, certificate, "ARM", self.plane.router()).await?;
        }
        if settings.arm.trust_local != Some(true) {
            output::line(&format!("the admin secret for ARM is in {}", files::shown(&self.secret)))?;
        }
        Ok(Serving { running, changes: self.changes })
    }
}

/// A control plane that is served.
pub(super) struct Serving {
    running: Running,
    changes: mpsc::Receiver<Changed>,
}

impl Serving {
    /// Stops, and lets requests finish.
    pub(super) async fn stop(self) {
        // Who waits for a change to come into force waits no longer.
        drop(self.changes);
        self.running.stop().await;
    }
}

/// The next change of the namespace; never without a control plane.
pub(super) async fn next(serving: &mut Option<Serving>) -> Changed {
    match serving {
        Some(serving) => match serving.changes.recv().await {
            Some(changed) => changed,
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

/// Puts a change in force.
pub(super) async fn put_in_force(changed: Changed, broker: &Broker, lists: &mut Option<Lists>) {
    match compile(changed.resources) {
        Ok(policy) => {
            let rules: Arc<dyn Rules> = match lists {
                Some(lists) => Arc::new(lists.apply_to(policy)),
                None => Arc::new(policy),
            };
            broker.set_rules(rules).await;
        }
        Err(why) => tracing::error!(why, "the namespace is kept, and the broker goes on with what it was before"),
    }
    // Whoever asked may have gone.
    let _ = changed.done.send(());
}

/// The rules of the namespace that is served. Without one nobody comes in.
fn compile(resources: Option<Resources>) -> Result<Policy, String> {
    let none = || Resources::new(Namespace { name: "none".to_owned(), ..Namespace::default() });
    Policy::compile(resources.unwrap_or_else(none), next_generation()).map_err(|problems| {
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        problems.join("; ")
    })
}

/// The admin secret, made if there is none.
fn secret(dir: &Path) -> Result<(PathBuf, Zeroizing<String>), Failure> {
    let path = dir.join(SECRET);
    if !path.try_exists().map_err(|error| Failure::failed(error).during(files::shown(&path)))? {
        let mut made = NewFiles::default();
        made.add_secret(path.clone(), format!("{}\n", *new_secret().map_err(Failure::failed)?));
        made.write(Existing::Keep)?;
    }
    let text = Zeroizing::new(files::read_text(&path, MAX_SECRET_BYTES, "the admin secret")?);
    Ok((path, Zeroizing::new(text.trim().to_owned())))
}
