//! A namespace's resources, compiled for deciding.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gridmq_proto::topic::TopicTemplate;
use gridmq_tls::{Anchors, Revocation, Thumbprint};

use crate::anchors::ca_certificate;
use crate::document::{ResourceProblem, Resources};
use crate::event_grid::TokenIssuer;
use crate::fold::fold;
use crate::principal::{Grant, Provenance, Rights};
use crate::profile::SessionLimits;
use crate::query::Query;
use crate::resource::{
    ALL_CLIENTS, AlternativeNameSource, Attributes, Client, ConfigurationState, Permission, PermissionBinding,
};
use crate::variables::ClientVariables;

/// The rules of one state of a namespace: immutable, to be shared in an [`Arc`], and replaced as a whole.
///
/// It implements [`Rules`](crate::gate::Rules) as Event Grid decides.
#[derive(Debug)]
pub struct Policy {
    pub(crate) name: Arc<str>,
    pub(crate) generation: u64,
    pub(crate) enabled: bool,
    pub(crate) sessions: SessionLimits,
    pub(crate) name_sources: Vec<AlternativeNameSource>,
    pub(crate) anchors: Anchors,
    /// Whose tokens are taken.
    pub(crate) tokens: Option<Arc<TokenIssuer>>,
    pub(crate) revocation: Option<Revocation>,
    pub(crate) groups: Vec<Group>,
    pub(crate) spaces: Vec<Space>,
    pub(crate) bindings: Vec<Binding>,
    clients: BTreeMap<String, Registered>,
    resources: Resources,
}

/// A client as the rules look it up.
#[derive(Debug)]
struct Registered {
    /// Its place in the resources.
    at: usize,
    thumbprints: Vec<Thumbprint>,
}

/// A client group; the built-in one has no query.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: Arc<str>,
    pub(crate) query: Option<Query>,
}

impl Group {
    pub(crate) fn contains(&self, authentication_name: &str, attributes: &Attributes) -> bool {
        self.query.as_ref().is_none_or(|query| query.matches(authentication_name, attributes))
    }
}

/// A topic space.
#[derive(Debug)]
pub(crate) struct Space {
    pub(crate) name: Arc<str>,
    pub(crate) templates: Vec<TopicTemplate>,
}

/// A permission binding between places in the lists above.
#[derive(Debug)]
pub(crate) struct Binding {
    pub(crate) group: usize,
    pub(crate) space: usize,
    pub(crate) permission: Permission,
    /// One for each template of the space.
    pub(crate) provenances: Vec<Arc<Provenance>>,
}

impl Policy {
    /// Validates the resources and prepares them. `generation` must differ from every other policy's that the same
    /// broker uses.
    ///
    /// # Errors
    /// What [`Resources::validate`] finds.
    pub fn compile(resources: Resources, generation: u64) -> Result<Self, Vec<ResourceProblem>> {
        resources.validate()?;
        // Validation read every query, template, thumbprint and certificate, so that nothing is left out below.
        let mut groups = vec![Group { name: ALL_CLIENTS.into(), query: None }];
        groups.extend(resources.client_groups.iter().filter_map(|group| {
            let query = Query::parse(group.properties.query.as_deref()?).ok()?;
            Some(Group { name: group.name.as_str().into(), query: Some(query) })
        }));
        let spaces: Vec<Space> = resources
            .topic_spaces
            .iter()
            .map(|space| {
                let texts = &space.properties.topic_templates;
                let templates = texts.iter().filter_map(|text| TopicTemplate::parse(text).ok()).collect();
                Space { name: space.name.as_str().into(), templates }
            })
            .collect();
        let bindings = resources.permission_bindings.iter().filter_map(|it| binding(it, &groups, &spaces)).collect();
        let clients = resources.clients.iter().enumerate().map(|(at, client)| registered(at, client)).collect();
        let cas = resources.ca_certificates.iter().filter_map(|ca| ca.properties.encoded_certificate.as_deref());
        let anchors = Anchors::new(cas.filter_map(|pem| ca_certificate(pem).ok())).unwrap_or_default();

        let mut sessions = SessionLimits::EVENT_GRID;
        let mut name_sources = Vec::new();
        let mqtt = resources.namespace.properties.topic_spaces_configuration.as_ref();
        if let Some(mqtt) = mqtt {
            if let Some(hours) = mqtt.maximum_session_expiry_in_hours {
                sessions.maximum_expiry = Duration::from_secs(u64::from(hours) * 3600);
            }
            if let Some(maximum) = mqtt.maximum_client_sessions_per_authentication_name {
                sessions.maximum_per_name = Some(maximum);
            }
            if let Some(authentication) = &mqtt.client_authentication {
                name_sources.clone_from(&authentication.alternative_authentication_name_sources);
            }
        }
        Ok(Self {
            name: resources.namespace.name.as_str().into(),
            generation,
            enabled: mqtt.is_some_and(|mqtt| mqtt.state == ConfigurationState::Enabled),
            sessions,
            name_sources,
            anchors,
            tokens: TokenIssuer::new(&resources.namespace).map(Arc::new),
            revocation: None,
            groups,
            spaces,
            bindings,
            clients,
            resources,
        })
    }

    /// Refuses clients whose chain has a certificate that these lists name, or that they leave in doubt; those known
    /// by thumbprint are exempt. Event Grid itself takes no lists.
    #[must_use]
    pub fn with_revocation(mut self, revocation: Revocation) -> Self {
        self.revocation = Some(revocation);
        self
    }

    /// What it was compiled from.
    #[must_use]
    pub const fn resources(&self) -> &Resources {
        &self.resources
    }

    /// The client of that authentication name, in any case.
    #[must_use]
    pub fn client(&self, authentication_name: &str) -> Option<&Client> {
        self.registered(authentication_name).map(|(client, _)| client)
    }

    pub(crate) fn registered(&self, authentication_name: &str) -> Option<(&Client, &[Thumbprint])> {
        let registered = self.clients.get(&fold(authentication_name))?;
        Some((self.resources.clients.get(registered.at)?, &registered.thumbprints))
    }

    /// The groups that a client is in, by place.
    pub(crate) fn memberships(&self, authentication_name: &str, attributes: &Attributes) -> Vec<bool> {
        self.groups.iter().map(|group| group.contains(authentication_name, attributes)).collect()
    }

    /// Everything that the bindings give a client.
    pub(crate) fn rights(&self, authentication_name: &str, attributes: &Attributes) -> Rights {
        let member = self.memberships(authentication_name, attributes);
        let variables = ClientVariables { authentication_name, attributes };
        let groups = self.groups.iter().zip(&member).filter(|(_, member)| **member);
        let mut rights = Rights {
            namespace: Arc::clone(&self.name),
            generation: self.generation,
            groups: groups.map(|(group, _)| Arc::clone(&group.name)).collect(),
            ..Rights::default()
        };
        for binding in &self.bindings {
            if member.get(binding.group) != Some(&true) {
                continue;
            }
            let grants = match binding.permission {
                Permission::Publisher => &mut rights.publish,
                Permission::Subscriber => &mut rights.subscribe,
            };
            for (provenance, template) in self.templates(binding) {
                let filters = template.resolve(&variables).filters;
                grants.extend(filters.into_iter().map(|filter| Grant::new(Arc::clone(provenance), filter)));
            }
        }
        rights
    }

    /// The templates of a binding's topic space, each with its provenance.
    pub(crate) fn templates<'a>(
        &'a self,
        binding: &'a Binding,
    ) -> impl Iterator<Item = (&'a Arc<Provenance>, &'a TopicTemplate)> {
        let templates = self.spaces.get(binding.space).map(|space| space.templates.as_slice());
        binding.provenances.iter().zip(templates.unwrap_or_default())
    }
}

fn binding(binding: &PermissionBinding, groups: &[Group], spaces: &[Space]) -> Option<Binding> {
    let properties = &binding.properties;
    let (group_name, space_name) = (properties.client_group_name.as_deref()?, properties.topic_space_name.as_deref()?);
    let permission = properties.permission?;
    let group = groups.iter().position(|group| group.name.eq_ignore_ascii_case(group_name))?;
    let space = spaces.iter().position(|space| space.name.eq_ignore_ascii_case(space_name))?;
    let (group_name, space_name) = (&groups.get(group)?.name, &spaces.get(space)?.name);
    let name: Arc<str> = binding.name.as_str().into();
    let provenance = |template: &TopicTemplate| {
        Arc::new(Provenance {
            group: Arc::clone(group_name),
            binding: Arc::clone(&name),
            permission,
            topic_space: Arc::clone(space_name),
            template: template.as_str().into(),
        })
    };
    let provenances = spaces.get(space)?.templates.iter().map(provenance).collect();
    Some(Binding { group, space, permission, provenances })
}

fn registered(at: usize, client: &Client) -> (String, Registered) {
    let allowed = &client.properties.client_certificate_authentication.allowed_thumbprints;
    let thumbprints = allowed.iter().filter_map(|text| Thumbprint::parse(text).ok()).collect();
    (fold(client.authentication_name()), Registered { at, thumbprints })
}
