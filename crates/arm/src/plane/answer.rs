//! Answers, and errors in ARM's form.

use serde_json::{Value as Json, json};

use crate::template::ResourceId;

/// What to answer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Header fields beside those of the body.
    pub headers: Vec<(&'static str, String)>,
    /// The body, if there is one.
    pub body: Option<Json>,
}

impl Reply {
    /// An answer with a body.
    pub(super) const fn new(status: u16, body: Json) -> Self {
        Self { status, headers: Vec::new(), body: Some(body) }
    }

    /// An answer without one.
    pub(super) const fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: None }
    }

    pub(super) fn tagged(mut self, etag: &str) -> Self {
        self.headers.push(("etag", format!("\"{etag}\"")));
        self
    }
}

/// `target`: the member that is wrong, if it is one.
pub(super) fn error(status: u16, code: &str, message: impl Into<String>, target: Option<&str>) -> Reply {
    let mut error = json!({ "code": code, "message": message.into() });
    if let (Some(target), Some(error)) = (target, error.as_object_mut()) {
        error.insert("target".to_owned(), Json::from(target));
    }
    let mut reply = Reply::new(status, json!({ "error": error }));
    reply.headers.push(("x-ms-error-code", code.to_owned()));
    reply
}

/// Several things that are wrong: the first is told at the top, all of them as details.
pub(super) fn invalid(problems: &[(String, String)]) -> Reply {
    let (target, message) =
        problems.first().map_or(("", "the request is not valid"), |(target, message)| (target, message));
    let mut reply = error(400, "InvalidRequest", message, Some(target));
    if problems.len() > 1
        && let Some(error) = reply.body.as_mut().and_then(|body| body.pointer_mut("/error")?.as_object_mut())
    {
        let details: Vec<_> = problems
            .iter()
            .map(|(target, message)| json!({ "code": "InvalidRequest", "message": message, "target": target }))
            .collect();
        error.insert("details".to_owned(), Json::from(details));
    }
    reply
}

pub(super) fn bad_content(problem: &str) -> Reply {
    error(400, "InvalidRequestContent", format!("The request content was invalid: {problem}."), None)
}

pub(super) fn not_found(id: &ResourceId) -> Reply {
    let group = id.resource_group.as_deref().unwrap_or_default();
    let message = format!("The Resource '{}/{}' under resource group '{group}' was not found.", id.kind, id.name());
    error(404, "ResourceNotFound", message, None)
}

pub(super) fn parent_not_found(parent: &ResourceId) -> Reply {
    let message = format!(
        "Can not perform requested operation on nested resource. Parent resource '{}' not found.",
        parent.name()
    );
    error(404, "ParentResourceNotFound", message, None)
}

pub(super) fn wrong_method(what: &str) -> Reply {
    error(405, "MethodNotAllowed", format!("The method is none of {what}."), None)
}

pub(super) fn unknown_path(path: &str) -> Reply {
    let message = format!(
        "Nothing is at '{path}'. Here are Microsoft.EventGrid/namespaces and their parts, resource groups, \
         subscriptions and providers."
    );
    error(404, "InvalidResourceType", message, None)
}

pub(super) fn precondition(etag: Option<&str>) -> Reply {
    let now = etag.map_or_else(|| "there is no such resource".to_owned(), |etag| format!("its ETag is \"{etag}\""));
    error(412, "PreconditionFailed", format!("The condition of the request is not met: {now}."), None)
}
