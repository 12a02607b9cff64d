//! The resources of a template, loops run and nested ones taken out.

use serde_json::{Map, Value as Json};

use super::context::Context;
use super::evaluate::{Frame, Turn};
use super::path::Path;
use super::problem::{Problem, TemplateError};
use super::resource_id::ResourceId;
use super::value::{Value, member};

/// Resources of one template, those of templates within it apart.
const MAXIMUM: usize = 100_000;

/// One resource: a turn of a loop, if it is in one.
#[derive(Debug)]
pub(super) struct Instance<'t> {
    pub(super) definition: &'t Map<String, Json>,
    /// How the template calls it (language version 2).
    pub(super) symbol: Option<&'t str>,
    pub(super) turn: Option<(String, usize)>,
    pub(super) id: ResourceId,
    pub(super) path: String,
    /// It is there already, and only referred to.
    pub(super) existing: bool,
    /// What `dependsOn` says.
    pub(super) depends_on: Vec<String>,
}

impl Instance<'_> {
    /// The frame in which its members are evaluated.
    pub(super) fn frame(&self) -> Frame<'_> {
        let turn = self.turn.as_ref().map(|(name, index)| Turn { name, index: *index, outer: None });
        Frame { turn, ..Frame::default() }
    }
}

/// The type and name of the resource around a nested one.
#[derive(Clone, Copy)]
struct Around<'a> {
    kind: &'a str,
    name: &'a str,
}

impl<'t> Context<'t> {
    /// All resources that the template makes or refers to.
    pub(super) fn instances(&self) -> Result<Vec<Instance<'t>>, TemplateError> {
        let mut all = Vec::new();
        let start = Path::Start("resources");
        match member(self.template, "resources") {
            Some(Json::Array(resources)) => {
                for (at, resource) in resources.iter().enumerate() {
                    self.resource(resource, None, None, &start.item(at), &mut all)?;
                }
            }
            Some(Json::Object(resources)) => {
                for (symbol, resource) in resources {
                    self.resource(resource, Some(symbol), None, &start.member(symbol), &mut all)?;
                }
            }
            _ => return Err(Problem::new("this is no list of resources", "give an array or an object").at("resources")),
        }
        Ok(all)
    }

    fn resource(
        &self,
        resource: &'t Json,
        symbol: Option<&'t str>,
        around: Option<Around<'_>>,
        path: &Path<'_>,
        all: &mut Vec<Instance<'t>>,
    ) -> Result<(), TemplateError> {
        let shape =
            || Problem::new("this is no resource", "give an object with 'type' and 'name'").at(path.to_string());
        let definition = resource.as_object().ok_or_else(shape)?;
        match member(definition, "copy") {
            None => self.instance(definition, symbol, None, around, path, all),
            Some(Json::Object(copy)) => {
                let lap = self.read_loop(copy, symbol, &Frame::default(), &path.member("copy"))?;
                for index in 0..lap.count {
                    self.instance(definition, symbol, Some((lap.name.clone(), index)), around, path, all)?;
                }
                Ok(())
            }
            Some(_) => {
                let path = path.member("copy").to_string();
                Err(Problem::new("this is no loop", "give an object with 'name' and 'count'").at(path))
            }
        }
    }

    fn instance(
        &self,
        definition: &'t Map<String, Json>,
        symbol: Option<&'t str>,
        turn: Option<(String, usize)>,
        around: Option<Around<'_>>,
        path: &Path<'_>,
        all: &mut Vec<Instance<'t>>,
    ) -> Result<(), TemplateError> {
        if all.len() >= MAXIMUM {
            let problem = format!("the template has more than {MAXIMUM} resources");
            return Err(Problem::new(problem, "deploy it in parts").at(path.to_string()));
        }
        let own = turn.clone();
        let own_turn = own.as_ref().map(|(name, index)| Turn { name, index: *index, outer: None });
        let frame = Frame { turn: own_turn, ..Frame::default() };
        let wanted = match member(definition, "condition") {
            None => true,
            Some(condition) => match self.json(condition, &frame, &path.member("condition"))? {
                Value::Boolean(wanted) => wanted,
                other => {
                    let problem = Problem::new(format!("the condition is {}", other.kind()), "give a bool");
                    return Err(problem.at(path.member("condition").to_string()));
                }
            },
        };
        if !wanted {
            return Ok(());
        }
        let text = |name: &str| -> Result<String, TemplateError> {
            let path = path.member(name);
            let found = member(definition, name);
            let found =
                found.ok_or_else(|| Problem::new(format!("there is no '{name}'"), "give it").at(path.to_string()))?;
            match self.json(found, &frame, &path)? {
                Value::Text(text) => Ok(text.to_string()),
                other => Err(Problem::new(format!("this is {}", other.kind()), "give a string").at(path.to_string())),
            }
        };
        let (mut kind, mut name) = (text("type")?, text("name")?);
        if let Some(around) = around.filter(|_| !kind.contains('/') || !name.contains('/')) {
            kind = format!("{}/{kind}", around.kind);
            name = format!("{}/{name}", around.name);
        }
        let id = self.id_of(definition, &kind, &name, &frame, path)?;
        let existing = member(definition, "existing") == Some(&Json::Bool(true));
        let depends_on = self.depends_on(definition, &frame, path)?;
        all.push(Instance { definition, symbol, turn, id, path: path.to_string(), existing, depends_on });
        if let Some(Json::Array(children)) = member(definition, "resources") {
            let around = Around { kind: &kind, name: &name };
            let list = path.member("resources");
            for (at, child) in children.iter().enumerate() {
                self.resource(child, None, Some(around), &list.item(at), all)?;
            }
        }
        Ok(())
    }

    fn id_of(
        &self,
        definition: &Map<String, Json>,
        kind: &str,
        name: &str,
        frame: &Frame<'_>,
        path: &Path<'_>,
    ) -> Result<ResourceId, TemplateError> {
        let (wanted, found) = (kind.matches('/').count(), name.split('/').count());
        if wanted == 0 || wanted != found || name.split('/').any(str::is_empty) {
            let problem = format!("the type {kind:?} and the name {name:?} do not belong together");
            let cure = "give a type with its provider, and a name with a part for each part of the type after that";
            return Err(Problem::new(problem, cure).at(path.member("name").to_string()));
        }
        let group_or = |name: &str, own: &str| match member(definition, name) {
            Some(json) => self.json(json, frame, &path.member(name)).map(|value| value.to_text()),
            None => Ok(own.to_owned()),
        };
        let subscription = group_or("subscriptionId", &self.scope.subscription_id)?;
        let group = group_or("resourceGroup", &self.scope.resource_group)?;
        Ok(ResourceId::new(&subscription, Some(&group), kind, name))
    }

    fn depends_on(
        &self,
        definition: &Map<String, Json>,
        frame: &Frame<'_>,
        path: &Path<'_>,
    ) -> Result<Vec<String>, TemplateError> {
        let path = path.member("dependsOn");
        let Some(json) = member(definition, "dependsOn") else { return Ok(Vec::new()) };
        match self.json(json, frame, &path)? {
            Value::Null => Ok(Vec::new()),
            Value::Array(items) => Ok(items.iter().map(Value::to_text).collect()),
            other => Err(Problem::new(format!("this is {}", other.kind()), "give an array").at(path.to_string())),
        }
    }
}
