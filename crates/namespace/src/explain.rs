//! Why a decision came out as it did.

use std::fmt;
use std::sync::Arc;

use gridmq_proto::TopicFilter;

use crate::open::{AccessRefusal, AccessRule};
use crate::principal::{Grant, PrincipalKind, Provenance};
use crate::resource::Permission;
use crate::shown::Shown;

/// Why something is allowed or refused. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Explanation {
    /// A template allows it.
    Granted(Grant),
    /// Nothing is forbidden to this kind of principal.
    Unrestricted(PrincipalKind),
    /// No topic space allows it.
    Refused(Arc<Refused>),
    /// An access rule allows it.
    AccessRule(Arc<AccessRule>),
    /// No access rule allows it.
    AccessRefused(Arc<AccessRefusal>),
    /// The principal was admitted by other rules than these.
    Foreign,
    /// The client is no longer registered, or no longer enabled.
    Withdrawn,
    /// Rules of an embedder, in their words.
    Other(Arc<str>),
}

/// A topic or filter that no topic space allows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// What was tried: to publish or to subscribe.
    pub permission: Permission,
    /// The topic name or topic filter.
    pub subject: String,
    /// What came closest to allowing it.
    pub closest: Closest,
}

/// What came closest to allowing a topic or filter, the nearest kind first.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Closest {
    /// A granted template would match with another value of its variable, or is nothing without one.
    OtherValue {
        /// The template.
        template: Arc<Provenance>,
        /// What it is for this client; empty if its variables have no value.
        resolved: Vec<TopicFilter>,
        /// Why values gave no filter, in words; at most 3.
        unresolved: Vec<String>,
    },
    /// The filter asks for more than a granted template: the template is a part of it.
    Broader(Grant),
    /// A topic space matches, and the client may use it, but not for this.
    OtherPermission(Grant),
    /// A binding would allow it to a group that the client is not in.
    OtherGroup {
        /// The template and its group.
        template: Grant,
        /// The group's query.
        query: String,
    },
    /// A topic space matches, but no binding gives anybody this permission on it.
    NoBinding {
        /// The topic space.
        topic_space: Arc<str>,
        /// Its template.
        template: Arc<str>,
    },
    /// A granted filter begins alike.
    Nearest {
        /// The filter and its template.
        grant: Grant,
        /// How many levels agree from the start.
        levels: usize,
    },
    /// The client has no permission of this kind at all.
    NoGrant {
        /// The groups that the client is in.
        groups: Vec<Arc<str>>,
    },
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Granted(grant) => {
                let from = grant.provenance();
                write!(
                    f,
                    "group '{}' is {} of topic space '{}' by binding '{}', and its template '{}' allows it",
                    from.group,
                    role(from.permission),
                    from.topic_space,
                    from.binding,
                    from.template
                )?;
                for_this_client(f, &from.template, std::slice::from_ref(grant.filter()), &[])
            }
            Self::Unrestricted(PrincipalKind::System) => f.write_str("the system may do everything"),
            Self::Unrestricted(_) => f.write_str("this broker has no rules; everything is allowed"),
            Self::Refused(refused) => refused.fmt(f),
            Self::AccessRule(rule) => write!(f, "{rule} allows it"),
            Self::AccessRefused(refused) => refused.fmt(f),
            Self::Foreign => f.write_str("the client was admitted to another namespace; connect it to this one"),
            Self::Withdrawn => f.write_str("the client is no longer registered and enabled in this namespace"),
            Self::Other(words) => f.write_str(words),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (subject, bind) = match self.permission {
            Permission::Publisher => ("name", "Publisher"),
            Permission::Subscriber => ("filter", "Subscriber"),
        };
        write!(f, "Topic {subject} '{}' does not match any topicspaces: ", Shown(&self.subject))?;
        match &self.closest {
            Closest::OtherValue { template, resolved, unresolved } => {
                write!(f, "closest is template '{}' of topic space '{}'", template.template, template.topic_space)?;
                for_this_client(f, &template.template, resolved, unresolved)
            }
            Closest::Broader(grant) => {
                let (filter, from) = (Shown(grant.filter().as_str()), grant.provenance());
                write!(f, "it asks for more than '{filter}', which topic space '{}' allows; ", from.topic_space)?;
                write!(f, "subscribe to '{filter}' instead")
            }
            Closest::OtherPermission(grant) => {
                let from = grant.provenance();
                write!(f, "template '{}' of topic space '{}' matches, but ", from.template, from.topic_space)?;
                write!(f, "binding '{}' makes group '{}' {} only; ", from.binding, from.group, role(from.permission))?;
                write!(f, "add a binding with permission {bind}")
            }
            Closest::OtherGroup { template, query } => {
                let from = template.provenance();
                write!(f, "template '{}' of topic space '{}' matches, but ", from.template, from.topic_space)?;
                write!(f, "binding '{}' is for group '{}', and this client does not ", from.binding, from.group)?;
                write!(f, "meet its query: {query}")
            }
            Closest::NoBinding { topic_space, template } => {
                write!(f, "template '{template}' of topic space '{topic_space}' matches, but no permission binding ")?;
                write!(f, "makes a group {bind} of it; add one")
            }
            Closest::Nearest { grant, .. } => {
                let from = grant.provenance();
                write!(f, "closest is template '{}' of topic space '{}'", from.template, from.topic_space)?;
                for_this_client(f, &from.template, std::slice::from_ref(grant.filter()), &[])
            }
            Closest::NoGrant { groups } => {
                write!(f, "no permission binding makes a group of this client {bind} (it is in ")?;
                for (at, group) in groups.iter().enumerate() {
                    write!(f, "{}'{group}'", if at > 0 { ", " } else { "" })?;
                }
                f.write_str("); add one")
            }
        }
    }
}

const fn role(permission: Permission) -> &'static str {
    match permission {
        Permission::Publisher => "publisher",
        Permission::Subscriber => "subscriber",
    }
}

/// How many resolved filters a sentence names.
const NAMED_FILTERS: usize = 3;

/// What a template is for the client, where that differs from the template.
fn for_this_client(
    f: &mut fmt::Formatter<'_>,
    template: &str,
    resolved: &[TopicFilter],
    unresolved: &[String],
) -> fmt::Result {
    if resolved.iter().any(|filter| filter.as_str() == template) {
        return Ok(());
    }
    if resolved.is_empty() {
        f.write_str(", which for this client is nothing")?;
        for why in unresolved {
            write!(f, ": {why}")?;
        }
        return Ok(());
    }
    f.write_str(", which for this client is ")?;
    for (at, filter) in resolved.iter().take(NAMED_FILTERS).enumerate() {
        write!(f, "{}'{}'", if at > 0 { " or " } else { "" }, Shown(filter.as_str()))?;
    }
    if resolved.len() > NAMED_FILTERS {
        write!(f, " or one of {} more", resolved.len() - NAMED_FILTERS)?;
    }
    Ok(())
}
