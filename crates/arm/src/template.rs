//! Azure Resource Manager templates: JSON with comments, in language version 1 or 2, as people write it and as
//! `bicep build` writes it.
//!
//! A deployment is evaluated resource by resource, each when all that it depends on is there: what `dependsOn` names, its
//! parent, and what it refers to with `reference()`. The order in the file means nothing. Resources go to a [`Target`],
//! which says of each what it knows about it; what to do with a type that the target does not know, it decides too.
//!
//! What Azure has and this has not: linked templates and template specs, `policy` and `deploymentScripts`, dates but
//! `utcNow()` in its default form, and Azure's own algorithm of `uniqueString()`.

mod context;
mod copies;
mod deploy;
mod evaluate;
mod expression;
mod functions;
mod instances;
mod lambda;
mod parameters;
mod path;
mod problem;
mod resource_id;
mod value;

use serde_json::{Map, Value as Json};

pub use problem::TemplateError;
pub use resource_id::{ResourceId, ResourceIdError};

use problem::Problem;

/// A template that was read. It is not evaluated before it is deployed.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    body: Map<String, Json>,
}

/// Where a deployment takes place, and what differs each time: a template's functions answer from it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "who deploys builds it field by field")]
pub struct Scope {
    /// `subscription().subscriptionId`.
    pub subscription_id: String,
    /// `tenant().tenantId`.
    pub tenant_id: String,
    /// `resourceGroup().name`.
    pub resource_group: String,
    /// `resourceGroup().location`.
    pub location: String,
    /// `deployment().name`.
    pub deployment_name: String,
    /// `utcNow()`, in the form `yyyyMMddTHHmmssZ`.
    pub utc_now: String,
    /// From which `newGuid()` makes its numbers.
    pub seed: u128,
}

/// One resource that a template makes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Planned {
    /// What it is.
    pub id: ResourceId,
    /// The API version that the template names.
    pub api_version: Option<String>,
    /// All other members, evaluated: `location`, `properties` and so on.
    pub body: Map<String, Json>,
    /// Where it stands in the template.
    pub path: String,
}

/// What a deployment writes to and reads from.
pub trait Target: Send {
    /// Takes one resource; answers what a GET would of it. `None`: resources of that type are passed over.
    ///
    /// # Errors
    /// Why it cannot be: what is wrong, and the cure. A path is below the resource.
    fn put(&mut self, resource: &Planned) -> Result<Option<Json>, TemplateError>;

    /// What a GET answers of a resource that was there before.
    fn get(&self, id: &ResourceId) -> Option<Json>;

    /// What `listKeys()` and its like answer. `function` is in lower case.
    fn list(&self, id: &ResourceId, function: &str) -> Option<Json>;
}

/// What a deployment did.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Deployed {
    /// The template's outputs, each with `type` and `value`.
    pub outputs: Map<String, Json>,
    /// What was made, in the order in which it was.
    pub resources: Vec<ResourceId>,
    /// What was passed over, since the target does not know the type.
    pub skipped: Vec<ResourceId>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// When the text is not JSON, or no template.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        Self::from_json(read(text)?)
    }

    /// Takes a template that was read as JSON.
    ///
    /// # Errors
    /// When it is no template.
    pub fn from_json(json: Json) -> Result<Self, TemplateError> {
        let Json::Object(body) = json else {
            return Err(Problem::new("this is no object", "give a template: an object with resources").at(""));
        };
        if !body.contains_key("resources") {
            let cure = "give a template; of Bicep, the output of bicep build; parameters go into a file of their own";
            return Err(Problem::new("there is no member 'resources'", cure).at(""));
        }
        Ok(Self { body })
    }

    /// Makes what the template describes, with these parameters: each an object with `value`, by name.
    ///
    /// # Errors
    /// What is wrong with the template or a parameter, or what the target refuses. Nothing is undone: a target that is
    /// to keep all or nothing keeps it apart until this is done.
    pub fn deploy(
        &self,
        parameters: &Map<String, Json>,
        scope: &Scope,
        target: &mut dyn Target,
    ) -> Result<Deployed, TemplateError> {
        deploy::run(&self.body, parameters, scope, target)
    }
}

/// Reads the parameters of a file: of its member `parameters`, or of the file as a whole.
///
/// # Errors
/// When the text is not JSON, or has another shape.
pub fn read_parameters(text: &str) -> Result<Map<String, Json>, TemplateError> {
    let shape = || Problem::new("these are no parameters", r#"give {"parameters": {"name": {"value": …}}}"#).at("");
    let Json::Object(mut file) = read(text)? else { return Err(shape()) };
    match file.remove("parameters") {
        Some(Json::Object(parameters)) => Ok(parameters),
        Some(_) => Err(shape()),
        None => {
            file.retain(|name, _| name != "$schema" && name != "contentVersion");
            Ok(file)
        }
    }
}

/// Reads JSON with comments, as templates have them, and with names without quotes, as `az` sends them.
///
/// # Errors
/// Line, column and what is wrong there.
pub fn read(text: &str) -> Result<Json, TemplateError> {
    let options = jsonc_parser::ParseOptions {
        allow_comments: true,
        allow_loose_object_property_names: true,
        allow_trailing_commas: true,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    jsonc_parser::parse_to_serde_value(text, &options).map_err(|error| {
        let problem = format!("line {}, column {}: {}", error.line_display(), error.column_display(), error.kind());
        Problem::new(problem, "correct the JSON").at("")
    })
}

#[cfg(test)]
mod tests;
