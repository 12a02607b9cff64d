//! The one namespace that a template describes, as the document that a broker is started with.

use std::collections::HashMap;

use gridmq_namespace::Resources;
use gridmq_namespace::document::{DEFAULT_NAMESPACE, LoadError};
use gridmq_namespace::resource::Namespace;
use serde_json::{Map, Value as Json, json};

use crate::template::{Planned, ResourceId, Scope, Target, Template, TemplateError};

/// The provider of namespaces.
const NAMESPACES: &str = "Microsoft.EventGrid/namespaces";

/// Parts of a namespace by type, and where the document has them.
const PARTS: &[(&str, &str)] = &[
    ("clients", "clients"),
    ("clientGroups", "clientGroups"),
    ("topicSpaces", "topicSpaces"),
    ("permissionBindings", "permissionBindings"),
    ("caCertificates", "caCertificates"),
];

/// What a template describes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Collected {
    /// The namespace, valid.
    pub resources: Resources,
    /// Resources of other types, which are passed over.
    pub skipped: Vec<ResourceId>,
    /// The template's outputs, each with `type` and `value`.
    pub outputs: Map<String, Json>,
}

/// Deploys a template into a document of its own: as Azure would into an empty resource group. A template of parts
/// alone, such as a module, describes a namespace with every default and its broker enabled.
///
/// # Errors
/// All that is wrong with the namespace, or the first thing that is with the template.
pub fn collect(
    template: &Template,
    parameters: &Map<String, Json>,
    scope: &Scope,
) -> Result<Collected, Vec<TemplateError>> {
    let mut document = Document { location: scope.location.clone(), ..Document::default() };
    let deployed = template.deploy(parameters, scope, &mut document).map_err(|error| vec![error])?;
    if document.name.is_none() {
        return Err(vec![TemplateError::new(
            "resources",
            "the template has no Event Grid namespace",
            "give one of type Microsoft.EventGrid/namespaces",
        )]);
    }
    let resources = Resources::from_json(&document.text()).map_err(|error| document.errors(error))?;
    Ok(Collected { resources, skipped: deployed.skipped, outputs: deployed.outputs })
}

/// The document as it grows.
#[derive(Default)]
struct Document {
    location: String,
    name: Option<String>,
    namespace: Option<Json>,
    parts: HashMap<&'static str, Vec<Json>>,
    /// Where each stands in the template, by its path in the document.
    origins: HashMap<String, String>,
    /// Each as a GET answers it.
    states: HashMap<ResourceId, Json>,
}

impl Document {
    /// The last of several of one name counts, as it would in Azure. `again`: there is one.
    fn keep(&mut self, part: &'static str, name: &str, again: bool, resource: Json, path: &str) {
        let list = self.parts.entry(part).or_default();
        let named =
            |one: &Json| one.get("name").and_then(Json::as_str).is_some_and(|known| known.eq_ignore_ascii_case(name));
        let at = if again { list.iter().position(named) } else { None };
        match at.and_then(|at| list.get_mut(at)) {
            Some(place) => *place = resource,
            None => list.push(resource),
        }
        let at = at.unwrap_or(list.len() - 1);
        self.origins.insert(format!("{part}[{at}]"), path.to_owned());
    }

    fn text(&self) -> String {
        let mut document = Map::new();
        let enabled = json!({ "topicSpacesConfiguration": { "state": "Enabled" } });
        let name = self.name.as_deref().unwrap_or(DEFAULT_NAMESPACE);
        let namespace = self.namespace.clone().unwrap_or_else(|| json!({ "name": name, "properties": enabled }));
        document.insert("namespace".to_owned(), namespace);
        for (part, list) in &self.parts {
            document.insert((*part).to_owned(), Json::Array(list.clone()));
        }
        Json::Object(document).to_string()
    }

    /// What is wrong with the document, where the template has it.
    fn errors(&self, error: LoadError) -> Vec<TemplateError> {
        const CURE: &str = "correct it in the template, or in the parameter that it comes from";
        match error {
            LoadError::Shape { path, problem, .. } => vec![TemplateError::new(self.origin(&path), problem, CURE)],
            LoadError::Invalid { problems } => problems
                .into_iter()
                .map(|one| {
                    let problem = format!("found {}", one.found);
                    TemplateError::new(self.origin(&one.path), problem, format!("give {}", one.expected))
                })
                .collect(),
            other => vec![TemplateError::new("", other.to_string(), CURE)],
        }
    }

    /// `clients[3].properties.state` as `resources[7].properties.state`.
    fn origin(&self, path: &str) -> String {
        let end = path.find('.').unwrap_or(path.len());
        let (place, rest) = path.split_at_checked(end).unwrap_or((path, ""));
        match self.origins.get(place) {
            Some(origin) => format!("{origin}{rest}"),
            None => format!("resources ({path})"),
        }
    }
}

impl Target for Document {
    fn put(&mut self, resource: &Planned) -> Result<Option<Json>, TemplateError> {
        let id = &resource.id;
        let below = id.kind.get(NAMESPACES.len()..).filter(|_| is_namespace(&id.kind));
        let (Some(below), Some(namespace), Some(name)) = (below, id.names.first(), id.names.last()) else {
            return Ok(None);
        };
        let one = self.name.get_or_insert_with(|| namespace.clone());
        if !one.eq_ignore_ascii_case(namespace) {
            return Err(TemplateError::new(
                "name",
                format!("this belongs to the namespace '{namespace}', and what was before it to '{one}'"),
                "give one namespace: a broker serves one",
            ));
        }
        let mut body = resource.body.clone();
        body.insert("name".to_owned(), Json::from(name.as_str()));
        let mut state = body.clone();
        state.insert("id".to_owned(), Json::from(id.to_string()));
        state.insert("type".to_owned(), Json::from(id.kind.as_str()));
        let part = PARTS.iter().find(|(kind, _)| below.get(1..).is_some_and(|below| below.eq_ignore_ascii_case(kind)));
        match part {
            Some((_, part)) => {
                let again = self.states.contains_key(id);
                self.keep(part, name, again, Json::Object(body), &resource.path);
            }
            None if below.is_empty() => {
                self.origins.insert("namespace".to_owned(), resource.path.clone());
                self.namespace = Some(Json::Object(body));
                self.tell_hostname(&mut state);
            }
            // Topics and their subscriptions: nothing here serves them, and others may refer to them.
            None => {}
        }
        self.states.insert(id.clone(), Json::Object(state.clone()));
        Ok(part.map(|_| ()).or_else(|| below.is_empty().then_some(())).map(|()| Json::Object(state)))
    }

    fn get(&self, id: &ResourceId) -> Option<Json> {
        self.states.get(id).cloned()
    }

    fn list(&self, _id: &ResourceId, _function: &str) -> Option<Json> {
        None
    }
}

impl Document {
    /// Puts in the host name of the broker, as the control plane would.
    fn tell_hostname(&self, state: &mut Map<String, Json>) {
        let mut whole = state.clone();
        whole.entry("location").or_insert_with(|| Json::from(self.location.as_str()));
        let Ok(namespace) = serde_json::from_value::<Namespace>(Json::Object(whole)) else { return };
        let mqtt = state.get_mut("properties").and_then(|it| it.get_mut("topicSpacesConfiguration"));
        if let Some(mqtt) = mqtt.and_then(Json::as_object_mut) {
            mqtt.insert("hostname".to_owned(), Json::from(namespace.mqtt_hostname()));
        }
    }
}

fn is_namespace(kind: &str) -> bool {
    let (start, rest) = kind.split_at_checked(NAMESPACES.len()).unwrap_or((kind, ""));
    start.eq_ignore_ascii_case(NAMESPACES) && (rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests;
