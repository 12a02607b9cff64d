//! The kinds of resources that Event Grid's provider has below a namespace, a row each.

/// A kind of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// `Microsoft.EventGrid/namespaces`.
    Namespace,
    /// `…/clients`.
    Client,
    /// `…/clientGroups`.
    ClientGroup,
    /// `…/topicSpaces`.
    TopicSpace,
    /// `…/permissionBindings`.
    PermissionBinding,
    /// `…/caCertificates`.
    CaCertificate,
    /// `…/topics`.
    Topic,
    /// `…/topics/eventSubscriptions`.
    EventSubscription,
}

/// The provider of them all.
pub(super) const PROVIDER: &str = "Microsoft.EventGrid";

impl Kind {
    /// Every kind; parents first.
    pub const ALL: [Self; 8] = [
        Self::Namespace,
        Self::ClientGroup,
        Self::TopicSpace,
        Self::CaCertificate,
        Self::Client,
        Self::PermissionBinding,
        Self::Topic,
        Self::EventSubscription,
    ];

    /// Its type as ARM writes it.
    #[must_use]
    pub const fn type_name(self) -> &'static str {
        match self {
            Self::Namespace => "Microsoft.EventGrid/namespaces",
            Self::Client => "Microsoft.EventGrid/namespaces/clients",
            Self::ClientGroup => "Microsoft.EventGrid/namespaces/clientGroups",
            Self::TopicSpace => "Microsoft.EventGrid/namespaces/topicSpaces",
            Self::PermissionBinding => "Microsoft.EventGrid/namespaces/permissionBindings",
            Self::CaCertificate => "Microsoft.EventGrid/namespaces/caCertificates",
            Self::Topic => "Microsoft.EventGrid/namespaces/topics",
            Self::EventSubscription => "Microsoft.EventGrid/namespaces/topics/eventSubscriptions",
        }
    }

    /// The kind of that type, in any case.
    #[must_use]
    pub fn of(type_name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_name().eq_ignore_ascii_case(type_name))
    }

    /// Its list in the document of a namespace; a topic and its subscriptions are in none.
    pub(super) const fn list(self) -> Option<&'static str> {
        match self {
            Self::Client => Some("clients"),
            Self::ClientGroup => Some("clientGroups"),
            Self::TopicSpace => Some("topicSpaces"),
            Self::PermissionBinding => Some("permissionBindings"),
            Self::CaCertificate => Some("caCertificates"),
            Self::Namespace | Self::Topic | Self::EventSubscription => None,
        }
    }

    /// Whether PATCH is one of its methods.
    pub(super) const fn is_patched(self) -> bool {
        matches!(self, Self::Namespace | Self::Topic | Self::EventSubscription)
    }

    /// What a PUT that made it answers: Event Grid says 201 of some and 200 of others.
    pub(super) const fn made(self) -> u16 {
        match self {
            Self::ClientGroup | Self::TopicSpace | Self::PermissionBinding => 200,
            _ => 201,
        }
    }

    /// Whether it has keys.
    pub(super) const fn has_keys(self) -> bool {
        matches!(self, Self::Namespace | Self::Topic)
    }
}
