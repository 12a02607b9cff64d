//! The one who changes the plane: decides, has it kept, puts it in force, and only then answers.

use std::sync::Arc;

use axum::body::Bytes;
use gridmq_arm::plane::{Change, Method, Outcome, Place, Plane, Reply, Request, RowError};
use gridmq_namespace::Resources;
use gridmq_store::{EngineError, Key, KeyError, NamespaceId, Store, SubmitError, Table, Watch, WriteBatch};
use tokio::sync::{Mutex, mpsc, oneshot, watch};

/// The resources of the control plane, a row each. The key is the id in lower case.
pub const RESOURCES: Table = Table::new("resources");

/// What the served namespace is from now on.
#[derive(Debug)]
#[non_exhaustive]
pub struct Changed {
    /// The namespace; `None`: none is enabled.
    pub resources: Option<Resources>,
    /// To be told once it is in force.
    pub done: oneshot::Sender<()>,
}

/// Why a control plane cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The admin secret is too short.
    #[error(
        "the admin secret has fewer than 16 characters: write a longer one into its file, or remove that for a new one"
    )]
    Secret,
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] EngineError),
    /// A key is none.
    #[error("a stored resource has no key: {0}; restore a backup")]
    Key(#[from] KeyError),
    /// A row is none of a control plane.
    #[error(transparent)]
    Row(#[from] RowError),
}

/// A request that lives as long as it takes.
pub(super) struct Owned {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) if_match: Option<String>,
    pub(super) if_none_match: Option<String>,
    pub(super) body: Bytes,
    pub(super) base: String,
    pub(super) random: super::Random,
    pub(super) now: String,
}

impl Owned {
    fn request(&self) -> Request<'_> {
        Request {
            method: self.method,
            path: &self.path,
            query: &self.query,
            if_match: self.if_match.as_deref(),
            if_none_match: self.if_none_match.as_deref(),
            body: &self.body,
            base: &self.base,
            random: &*self.random,
            now: &self.now,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Keeper(Arc<Kept>);

#[derive(Debug)]
struct Kept {
    plane: Mutex<Plane>,
    store: Store,
    changed: mpsc::Sender<Changed>,
    progress: watch::Receiver<()>,
    _watch: Watch,
}

impl Keeper {
    pub(super) fn load(place: Place, store: Store, changed: mpsc::Sender<Changed>) -> Result<Self, LoadError> {
        let (from, to) = Key::range_of(NamespaceId::DEFAULT);
        let mut rows = store.rows(RESOURCES, &from, to.as_ref())?;
        let mut all = Vec::new();
        let mut part = Vec::new();
        while let Some((key, row)) = rows.next()? {
            // After the namespace's number.
            Key::take_part(key.get(size_of::<u32>()..).unwrap_or_default(), &mut part)?;
            all.push((String::from_utf8_lossy(&part).into_owned(), row.to_vec()));
        }
        drop(rows);
        let plane = Plane::load(place, all.iter().map(|(key, row)| (key.as_str(), row.as_slice())))?;
        let (told, progress) = watch::channel(());
        let watch = store.subscribe(move |_| told.send_replace(()));
        Ok(Self(Arc::new(Kept { plane: Mutex::new(plane), store, changed, progress, _watch: watch })))
    }

    pub(super) async fn plane(&self) -> Plane {
        self.0.plane.lock().await.clone()
    }

    /// Answers a request. `Err`: why it cannot be.
    pub(super) async fn ask(&self, owned: Owned) -> Result<Reply, String> {
        let kept = Arc::clone(&self.0);
        // Whoever asks may go away meanwhile; what is begun is brought to its end.
        let task = tokio::spawn(async move { kept.ask(&owned).await });
        task.await.unwrap_or_else(|_| Err("The request could not be brought to its end.".to_owned()))
    }
}

impl Kept {
    async fn ask(&self, owned: &Owned) -> Result<Reply, String> {
        let mut plane = self.plane.lock().await;
        let Outcome { reply, changes, .. } = plane.decide(&owned.request());
        if changes.is_empty() {
            return Ok(reply);
        }
        self.keep(&changes).await?;
        plane.apply(&changes);
        if changes.iter().any(concerns_the_broker) {
            let (done, in_force) = oneshot::channel();
            let changed = Changed { resources: plane.served(), done };
            // Once the broker has stopped nothing comes into force any more, and what is kept is kept.
            if self.changed.send(changed).await.is_ok() {
                let _ = in_force.await;
            }
        }
        Ok(reply)
    }

    /// Returns when the changes are durable.
    async fn keep(&self, changes: &[Change]) -> Result<(), String> {
        let mut batch = WriteBatch::new();
        let at = |key: &str| Key::new(NamespaceId::DEFAULT, &[key.as_bytes()]);
        for change in changes {
            match change {
                Change::Put { key, row } => batch.put(RESOURCES, at(key), row.clone()),
                Change::Remove { key } => batch.delete(RESOURCES, at(key)),
            };
        }
        let mut progress = self.progress.clone();
        let seq = loop {
            progress.mark_unchanged();
            match self.store.submit(batch) {
                Ok(seq) => break seq,
                Err(SubmitError::Full(back)) => batch = back,
                Err(error) => return Err(error.to_string()),
            }
            progress.changed().await.map_err(|_| "The store has been closed.".to_owned())?;
        };
        loop {
            if self.store.durable() >= seq {
                return Ok(());
            }
            if let Some(failure) = self.store.failure() {
                return Err(failure.to_string());
            }
            progress.changed().await.map_err(|_| "The store has been closed.".to_owned())?;
        }
    }
}

/// Whether the broker has to hear of it: topics and what is around a namespace are nothing to it.
fn concerns_the_broker(change: &Change) -> bool {
    let (Change::Put { key, .. } | Change::Remove { key }) = change;
    let below = key.split_once("/providers/microsoft.eventgrid/namespaces/").map(|(_, below)| below);
    below.is_some_and(|below| below.split('/').nth(1) != Some("topics"))
}
