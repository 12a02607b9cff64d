//! What a path names.

use super::kind::{Kind, PROVIDER};
use crate::template::ResourceId;

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Path {
    /// One of Event Grid's resources.
    Resource(ResourceId),
    /// All of a kind.
    Collection { within: Within, kind: Kind },
    /// Something to be done with a resource.
    Action { id: ResourceId, action: String },
    /// A deployment of a template, or all of a resource group.
    Deployment(Deployment),
    /// A role, or the assignment of one.
    Role(Role),
    /// What is around them.
    Around(Around),
}

/// A deployment of a resource group; without a name all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Deployment {
    pub(super) subscription: String,
    pub(super) group: String,
    pub(super) name: Option<String>,
    pub(super) action: Option<String>,
}

/// What `Microsoft.Authorization` has at a scope: one by name, or all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    Definitions { scope: String, name: Option<String> },
    Assignments { scope: String, name: Option<String> },
}

/// Where the resources of a list are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Within {
    Subscription(String),
    ResourceGroup(String, String),
    Parent(ResourceId),
}

/// What is around Event Grid's resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Around {
    Tenants,
    Subscriptions,
    Subscription(String),
    Locations(String),
    Providers(String),
    /// `register`: it is to be registered.
    Provider {
        subscription: String,
        name: String,
        register: bool,
    },
    ResourceGroups(String),
    ResourceGroup(String, String),
    /// Every resource of a subscription, or of one of its groups.
    Resources(Within),
}

impl Path {
    /// Reads a path. `None`: nothing is there.
    pub(super) fn read(path: &str) -> Option<Self> {
        let mut parts = Vec::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            // No name has a slash in it.
            parts.push(decoded(part).filter(|part| !part.contains('/'))?);
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        if let Some(role) = Role::read(&parts) {
            return Some(Self::Role(role));
        }
        match parts.as_slice() {
            [one] if is(one, "tenants") => Some(Self::Around(Around::Tenants)),
            [first, rest @ ..] if is(first, "subscriptions") => Self::of_subscription(rest),
            _ => None,
        }
    }

    fn of_subscription(parts: &[&str]) -> Option<Self> {
        let [subscription, rest @ ..] = parts else { return Some(Self::Around(Around::Subscriptions)) };
        let subscription = || (*subscription).to_owned();
        let around = match rest {
            [] => Around::Subscription(subscription()),
            [one] if is(one, "locations") => Around::Locations(subscription()),
            [one] if is(one, "providers") => Around::Providers(subscription()),
            [one] if is(one, "resourceGroups") => Around::ResourceGroups(subscription()),
            [one] if is(one, "resources") => Around::Resources(Within::Subscription(subscription())),
            [one, name] if is(one, "providers") => {
                Around::Provider { subscription: subscription(), name: (*name).to_owned(), register: false }
            }
            [one, name, last] if is(one, "providers") && is(last, "register") => {
                Around::Provider { subscription: subscription(), name: (*name).to_owned(), register: true }
            }
            [one, rest @ ..] if is(one, "providers") => {
                return Self::of_provider(subscription(), None, rest);
            }
            [one, group] if is(one, "resourceGroups") => Around::ResourceGroup(subscription(), (*group).to_owned()),
            [one, group, last] if is(one, "resourceGroups") && is(last, "resources") => {
                Around::Resources(Within::ResourceGroup(subscription(), (*group).to_owned()))
            }
            [one, group, two, provider, kind, rest @ ..]
                if is(one, "resourceGroups")
                    && is(two, "providers")
                    && is(provider, "Microsoft.Resources")
                    && is(kind, "deployments") =>
            {
                let (name, action) = match rest {
                    [] => (None, None),
                    [name] => (Some((*name).to_owned()), None),
                    [name, action] => (Some((*name).to_owned()), Some((*action).to_owned())),
                    _ => return None,
                };
                let group = (*group).to_owned();
                return Some(Self::Deployment(Deployment { subscription: subscription(), group, name, action }));
            }
            [one, group, two, rest @ ..] if is(one, "resourceGroups") && is(two, "providers") => {
                return Self::of_provider(subscription(), Some((*group).to_owned()), rest);
            }
            _ => return None,
        };
        Some(Self::Around(around))
    }

    fn of_provider(subscription_id: String, resource_group: Option<String>, parts: &[&str]) -> Option<Self> {
        let [provider, rest @ ..] = parts else { return None };
        if !is(provider, PROVIDER) {
            return None;
        }
        let mut id = ResourceId { subscription_id, resource_group, kind: PROVIDER.to_owned(), names: Vec::new() };
        let mut pairs = rest.chunks(2);
        let mut last = None;
        for pair in pairs.by_ref() {
            match pair {
                [part, name] => {
                    id.kind = format!("{}/{part}", id.kind);
                    id.names.push((*name).to_owned());
                }
                [one] => last = Some(*one),
                _ => return None,
            }
        }
        let Some(last) = last else {
            id.resource_group.as_ref()?;
            id.kind = Kind::of(&id.kind)?.type_name().to_owned();
            return Some(Self::Resource(id));
        };
        if let Some(kind) = Kind::of(&format!("{}/{last}", id.kind)) {
            let within = match (id.names.is_empty(), id.resource_group) {
                (true, None) => Within::Subscription(id.subscription_id),
                (true, Some(group)) => Within::ResourceGroup(id.subscription_id, group),
                (false, None) => return None,
                (false, group) => {
                    id.kind = Kind::of(&id.kind)?.type_name().to_owned();
                    Within::Parent(ResourceId { resource_group: group, ..id })
                }
            };
            return Some(Self::Collection { within, kind });
        }
        id.kind = Kind::of(&id.kind)?.type_name().to_owned();
        Some(Self::Action { id, action: last.to_owned() })
    }
}

impl Role {
    fn read(parts: &[&str]) -> Option<Self> {
        let at = parts
            .windows(2)
            .rposition(|two| matches!(two, [one, two] if is(one, "providers") && is(two, "Microsoft.Authorization")))?;
        let (scope, rest) = parts.split_at_checked(at)?;
        let scope: String = scope.iter().map(|part| format!("/{part}")).collect();
        let (kind, name) = match rest {
            [_, _, kind] => (kind, None),
            [_, _, kind, name] => (kind, Some((*name).to_owned())),
            _ => return None,
        };
        match () {
            () if is(kind, "roleDefinitions") => Some(Self::Definitions { scope, name }),
            () if is(kind, "roleAssignments") => Some(Self::Assignments { scope, name }),
            () => None,
        }
    }
}

fn is(part: &str, word: &str) -> bool {
    part.eq_ignore_ascii_case(word)
}

fn decoded(part: &str) -> Option<String> {
    percent_encoding::percent_decode_str(part).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// The value of a parameter of a query or a form, by its name in any case. `None`: there is none, or it is not UTF-8.
#[must_use]
pub fn parameter(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let key = decoded(key)?;
        is(&key, name).then(|| decoded(&value.replace('+', " "))).flatten()
    })
}
