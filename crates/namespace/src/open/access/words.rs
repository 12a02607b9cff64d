//! Why rules refuse something, in words.

use std::fmt;
use std::sync::Arc;

use gridmq_proto::TopicFilter;

use super::AccessRule;
use crate::resource::Permission;
use crate::shown::{Shown, named};

/// A topic or filter that the rules of an open broker refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessRefusal {
    /// What was tried: to publish or to subscribe.
    pub permission: Permission,
    /// The topic name or topic filter.
    pub subject: String,
    /// Who tried; `None` for those who have proven no name.
    pub user: Option<String>,
    /// The rule that refuses it, or that comes closest to allowing it.
    pub nearest: NearestRule,
}

/// What rules have to say about a topic or filter that they do not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NearestRule {
    /// A rule denies it, or a part of it.
    Denies {
        /// The rule.
        rule: Arc<AccessRule>,
        /// Its filter, for this client.
        filter: TopicFilter,
    },
    /// A rule allows a part of it.
    Narrower {
        /// The rule.
        rule: Arc<AccessRule>,
        /// Its filter, for this client.
        filter: TopicFilter,
    },
    /// A rule for this client matches, but not for this action.
    OtherAction(Arc<AccessRule>),
    /// A rule would allow it to others.
    OtherParty(Arc<AccessRule>),
    /// No rule matches.
    None,
}

impl fmt::Display for AccessRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} of the access rules ({})", self.line, Shown(&self.text))
    }
}

impl fmt::Display for AccessRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (action, kind) = match self.permission {
            Permission::Publisher => ("publish to", "topic"),
            Permission::Subscriber => ("subscribe to", "filter"),
        };
        match &self.user {
            Some(user) => write!(f, "user {}", named(user))?,
            None => f.write_str("an anonymous client")?,
        }
        write!(f, " may not {action} '{}': ", Shown(&self.subject))?;
        match &self.nearest {
            NearestRule::Denies { rule, filter } if filter.as_str() == self.subject || !filter.has_wildcard() => {
                write!(f, "{rule} denies it")
            }
            NearestRule::Denies { rule, filter } => write!(f, "{rule} denies '{}'", Shown(filter.as_str())),
            NearestRule::Narrower { rule, filter } => {
                let filter = Shown(filter.as_str());
                write!(f, "it asks for more than '{filter}', which {rule} allows; subscribe to '{filter}' instead")
            }
            NearestRule::OtherAction(rule) => {
                write!(f, "{rule} matches the {kind}, but says nothing of this action; change it to 'all'")
            }
            NearestRule::OtherParty(rule) => write!(f, "{rule} would allow it, but is for others"),
            NearestRule::None => f.write_str("no access rule allows it; add one"),
        }
    }
}
