//! Who is connected, and what that gives it.

use std::fmt;
use std::sync::Arc;

use bytestring::ByteString;
use gridmq_proto::TopicFilter;
use gridmq_proto::time::Wall;

use crate::event_grid::SignedBy;
use crate::open::OpenRights;
use crate::resource::{AlternativeNameSource, Attributes, Permission};

/// A party whose actions are judged.
///
/// Having one proves nothing: only an [`Admission`](crate::gate::Admission) does, and only the gate makes those.
/// Rules of an embedder build principals with [`new`](Self::new) and the `with_` functions.
#[derive(Debug, Clone)]
pub struct Principal {
    kind: PrincipalKind,
    authentication_name: ByteString,
    name_source: NameSource,
    authenticated_by: AuthenticatedBy,
    expires_at: Option<Wall>,
    attributes: Attributes,
    rights: Rights,
    open: Option<Arc<OpenRights>>,
    signed_by: Option<SignedBy>,
}

/// What kind of party a principal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PrincipalKind {
    /// A client that rules admitted by name.
    Client,
    /// Anybody, on a broker without rules.
    Open,
    /// The broker itself, or the program that embeds it.
    System,
}

/// Where the authentication name came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameSource {
    /// The user name of CONNECT.
    Username,
    /// A field of the client's certificate.
    Certificate(AlternativeNameSource),
    /// The subject of a token.
    Token,
    /// The client identifier, where nothing else names the client.
    ClientId,
    /// It was given by the program.
    Program,
}

/// What proved that the principal is who it says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthenticatedBy {
    /// A certificate that a registered CA stands behind.
    CaCertificate {
        /// The subject of that CA.
        anchor: String,
        /// The subject of the client's certificate.
        subject: String,
    },
    /// A certificate whose thumbprint is registered.
    Thumbprint {
        /// SHA-256 of the certificate in lower-case hexadecimal.
        sha256: String,
    },
    /// The password of a user.
    Password,
    /// A token of the namespace's own issuer.
    Token {
        /// The issuer.
        issuer: Arc<str>,
        /// The id of the key that signed it.
        kid: Arc<str>,
    },
    /// A proxy that is trusted with it: it has verified a certificate with that common name.
    Proxy,
    /// Nothing: a plain listener that trusts its clients' names.
    PlainTrusted,
    /// Nothing: no proof was asked for.
    Nothing,
    /// Rules of an embedder, in their words.
    Other(Arc<str>),
}

/// What a namespace's policy gave a principal, and under which generation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rights {
    pub(crate) namespace: Arc<str>,
    pub(crate) generation: u64,
    pub(crate) groups: Vec<Arc<str>>,
    pub(crate) publish: Vec<Grant>,
    pub(crate) subscribe: Vec<Grant>,
}

impl Rights {
    pub(crate) fn grants(&self, permission: Permission) -> &[Grant] {
        match permission {
            Permission::Publisher => &self.publish,
            Permission::Subscriber => &self.subscribe,
        }
    }
}

impl Principal {
    /// A principal of that name, authenticated by nothing, without attributes and rights.
    #[must_use]
    pub fn new(kind: PrincipalKind, authentication_name: impl Into<ByteString>) -> Self {
        Self {
            kind,
            authentication_name: authentication_name.into(),
            name_source: NameSource::Program,
            authenticated_by: AuthenticatedBy::Nothing,
            expires_at: None,
            attributes: Attributes::new(),
            rights: Rights::default(),
            open: None,
            signed_by: None,
        }
    }

    /// The same with the source of its name.
    #[must_use]
    pub const fn with_name_source(mut self, source: NameSource) -> Self {
        self.name_source = source;
        self
    }

    /// The same with what proved its name, and until when that proof holds.
    #[must_use]
    pub fn with_proof(mut self, by: AuthenticatedBy, expires_at: Option<Wall>) -> Self {
        self.authenticated_by = by;
        self.expires_at = expires_at;
        self
    }

    /// The same with attributes.
    #[must_use]
    pub fn with_attributes(mut self, attributes: Attributes) -> Self {
        self.attributes = attributes;
        self
    }

    pub(crate) fn with_rights(mut self, rights: Rights) -> Self {
        self.rights = rights;
        self
    }

    pub(crate) fn with_token(mut self, signed_by: SignedBy) -> Self {
        self.signed_by = Some(signed_by);
        self
    }

    /// What signed the token that it rests on.
    pub(crate) const fn signed_by(&self) -> Option<&SignedBy> {
        self.signed_by.as_ref()
    }

    pub(crate) fn with_open(mut self, rights: Arc<OpenRights>) -> Self {
        self.open = Some(rights);
        self
    }

    pub(crate) fn open(&self) -> Option<&OpenRights> {
        self.open.as_deref()
    }

    /// What kind of party it is.
    #[must_use]
    pub const fn kind(&self) -> PrincipalKind {
        self.kind
    }

    /// The authentication name in its registered case.
    #[must_use]
    pub const fn authentication_name(&self) -> &ByteString {
        &self.authentication_name
    }

    /// Where the authentication name came from.
    #[must_use]
    pub const fn name_source(&self) -> NameSource {
        self.name_source
    }

    /// What proved the name.
    #[must_use]
    pub const fn authenticated_by(&self) -> &AuthenticatedBy {
        &self.authenticated_by
    }

    /// When the proof ends, so that the connection must be judged again; `None` if it does not.
    #[must_use]
    pub const fn expires_at(&self) -> Option<Wall> {
        self.expires_at
    }

    /// The client's attributes.
    #[must_use]
    pub const fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// The names of the groups that it is in, in the order of the document, `$all` first.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.rights.groups.iter().map(|group| &**group)
    }

    /// What a permission binding of that kind gives it, with provenance.
    #[must_use]
    pub fn grants(&self, permission: Permission) -> &[Grant] {
        self.rights.grants(permission)
    }

    pub(crate) const fn rights(&self) -> &Rights {
        &self.rights
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            PrincipalKind::Client => write!(f, "client {:?}", &*self.authentication_name),
            PrincipalKind::Open => write!(f, "unauthenticated client {:?}", &*self.authentication_name),
            PrincipalKind::System => write!(f, "system {:?}", &*self.authentication_name),
        }
    }
}

/// A filter that a principal may use, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    provenance: Arc<Provenance>,
    filter: TopicFilter,
}

impl Grant {
    pub(crate) const fn new(provenance: Arc<Provenance>, filter: TopicFilter) -> Self {
        Self { provenance, filter }
    }

    /// Which resources gave it.
    #[must_use]
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// The template with the principal's values in it.
    #[must_use]
    pub const fn filter(&self) -> &TopicFilter {
        &self.filter
    }
}

/// The path through the resources to one topic template.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Provenance {
    /// The client group.
    pub group: Arc<str>,
    /// The permission binding.
    pub binding: Arc<str>,
    /// What the binding permits.
    pub permission: Permission,
    /// The topic space.
    pub topic_space: Arc<str>,
    /// The template as it was written.
    pub template: Arc<str>,
}
