//! The control plane: what Azure Resource Manager and Event Grid's resource provider answer, over a state of resources.
//!
//! ```text
//!  request ─▶ decide(&self) ─▶ Outcome { reply, changes } ─▶ the caller stores the changes ─▶ apply(changes) ─▶ reply
//! ```
//! [`Plane::decide`] changes nothing, so that whoever serves it can make the changes durable before anybody sees them;
//! there must be one at a time. No I/O, no clock, no randomness: a [`Request`] has what is needed of them.
//!
//! Any `api-version` is taken, and members that are not known are kept. Paths are compared without regard to case.

mod answer;
mod around;
mod deployments;
mod draft;
mod filter;
mod keys;
mod kind;
mod list;
mod path;
mod resources;
mod roles;
mod stored;
mod topics;

use gridmq_namespace::Resources;
use serde_json::Value as Json;

pub use answer::Reply;
pub use kind::Kind;
pub use path::parameter;
pub use stored::{Change, RowError};

use draft::Draft;
use path::Path;
use stored::State;

/// What a request may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "the methods of ARM")]
pub enum Method {
    /// Reads.
    Get,
    /// Reads, without a body.
    Head,
    /// Makes or replaces.
    Put,
    /// Changes some members.
    Patch,
    /// Acts.
    Post,
    /// Removes.
    Delete,
}

/// A request as it came.
#[derive(Clone)]
#[allow(clippy::exhaustive_structs, reason = "what a request has")]
pub struct Request<'a> {
    /// What is wanted.
    pub method: Method,
    /// The path, with percent signs as they came.
    pub path: &'a str,
    /// What follows the question mark.
    pub query: &'a str,
    /// `If-Match`.
    pub if_match: Option<&'a str>,
    /// `If-None-Match`.
    pub if_none_match: Option<&'a str>,
    /// The body; empty if there is none.
    pub body: &'a [u8],
    /// What stands before the path in a link to here, such as `https://localhost:8443`.
    pub base: &'a str,
    /// Makes random bytes, others each time, of which keys are made. `None`: there are none.
    pub random: &'a (dyn Fn() -> Option<[u8; 64]> + Sync),
    /// The time, in the form `YYYY-MM-DDTHH:MM:SSZ`.
    pub now: &'a str,
}

impl std::fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { method, path, query, .. } = self;
        f.debug_struct("Request")
            .field("method", method)
            .field("path", path)
            .field("query", query)
            .finish_non_exhaustive()
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Outcome {
    /// What to answer, once the changes are durable.
    pub reply: Reply,
    /// What changes: all of it, or nothing.
    pub changes: Vec<Change>,
}

/// Where a plane says that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The one subscription that lists name; any other is taken too.
    pub subscription_id: String,
    /// The tenant.
    pub tenant_id: String,
    /// The region of what gives none.
    pub location: String,
}

impl Place {
    /// A place of one subscription.
    #[must_use]
    pub fn new(subscription_id: &str, tenant_id: &str, location: &str) -> Self {
        let [subscription_id, tenant_id, location] = [subscription_id, tenant_id, location].map(str::to_owned);
        Self { subscription_id, tenant_id, location }
    }
}

impl Default for Place {
    fn default() -> Self {
        Self {
            subscription_id: "00000000-0000-0000-0000-000000000000".to_owned(),
            tenant_id: "00000000-0000-0000-0000-000000000000".to_owned(),
            location: "local".to_owned(),
        }
    }
}

/// The resources, and what is answered of them.
#[derive(Debug, Clone, Default)]
pub struct Plane {
    place: Place,
    state: State,
}

impl Plane {
    /// A plane of stored rows, in any order.
    ///
    /// # Errors
    /// When a row is none of a plane's.
    pub fn load<'a>(place: Place, rows: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<Self, RowError> {
        let mut state = State::default();
        for (key, row) in rows {
            state.take(key, row)?;
        }
        Ok(Self { place, state })
    }

    /// What becomes of a request. Nothing has changed yet.
    #[must_use]
    pub fn decide(&self, request: &Request<'_>) -> Outcome {
        let mut draft = Draft::new(&self.state);
        let reply = match Path::read(request.path) {
            Some(path) => self.answer(&mut draft, &path, request),
            None => Err(answer::unknown_path(request.path)),
        };
        match reply {
            Ok(reply) => Outcome { reply, changes: draft.into_changes() },
            Err(refused) => Outcome { reply: refused, changes: Vec::new() },
        }
    }

    /// Makes decided changes. They must come in the order in which they were decided, before anything else is decided.
    pub fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            self.state.change(change);
        }
    }

    /// The namespace that a broker serves, with its parts: of those whose MQTT broker is enabled, the first that was
    /// made.
    #[must_use]
    pub fn served(&self) -> Option<Resources> {
        self.state.served()
    }

    #[cfg(test)]
    fn state_is_empty(&self) -> bool {
        self.state.below("").next().is_none()
    }

    fn answer(&self, draft: &mut Draft<'_>, path: &Path, request: &Request<'_>) -> Result<Reply, Reply> {
        match path {
            Path::Resource(id) => resources::answer(&self.place, draft, id, request),
            Path::Collection { within, kind } => list::answer(draft, within, *kind, request),
            Path::Action { id, action } => keys::answer(draft, id, action, request),
            Path::Deployment(path) => deployments::answer(&self.place, draft, path, request),
            Path::Role(role) => roles::answer(draft, role, request),
            Path::Around(around) => around::answer(&self.place, draft, around, request),
        }
    }
}

/// The body of a request, which has to be an object.
fn object(request: &Request<'_>) -> Result<serde_json::Map<String, Json>, Reply> {
    let wrong = |problem: &str| answer::bad_content(problem);
    let text = std::str::from_utf8(request.body).map_err(|_| wrong("the body is not UTF-8"))?;
    match serde_json::from_str(text) {
        Ok(Json::Object(object)) => Ok(object),
        Ok(_) => Err(wrong("the body is no JSON object")),
        Err(error) => Err(wrong(&format!("the body is not JSON: {error}"))),
    }
}

#[cfg(test)]
mod tests;
