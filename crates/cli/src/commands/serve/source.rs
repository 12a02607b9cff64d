//! Where the namespace comes from: a document of its resources, or a template that describes it.

use std::hash::{BuildHasher, RandomState};
use std::path::Path;

use gridmq_arm::collect::collect;
use gridmq_arm::template::{self, Scope, Template, TemplateError};
use gridmq_namespace::{Policy, Resources};
use serde_json::Map;

use super::next_generation;
use crate::config::Namespace;
use crate::error::Failure;
use crate::{files, utc};

/// The largest file of a namespace, template or parameters that is read.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// What a template learns of where it is deployed: there is no subscription here.
const NOWHERE: &str = "00000000-0000-0000-0000-000000000000";
const RESOURCE_GROUP: &str = "local";
const LOCATION: &str = "local";

/// A namespace as its files say.
pub(crate) struct Source {
    pub(crate) policy: Policy,
    /// What in it has no effect, with the file.
    pub(crate) warnings: Vec<String>,
}

/// Reads and compiles the namespace, if there is one.
pub(super) fn read(settings: &Namespace) -> Result<Option<Source>, Failure> {
    match (&settings.file, &settings.template) {
        (Some(path), _) => document(&files::read_text(path, MAX_BYTES, "the namespace file")?, path).map(Some),
        (None, Some(path)) => template(path, settings.parameters.as_deref()).map(Some),
        (None, None) => Ok(None),
    }
}

/// The namespace of a document that was read from there.
pub(crate) fn document(text: &str, path: &Path) -> Result<Source, Failure> {
    let resources = Resources::from_json(text).map_err(|error| Failure::from(error).during(files::shown(path)))?;
    compiled(resources, path, Vec::new())
}

fn compiled(resources: Resources, path: &Path, mut warnings: Vec<String>) -> Result<Source, Failure> {
    let shown = files::shown(path);
    warnings.extend(resources.unknown_members().iter().map(|unknown| format!("{shown}: {unknown}")));
    let policy = Policy::compile(resources, next_generation()).map_err(|found| files::problems(path, &found))?;
    Ok(Source { policy, warnings })
}

/// The namespace that a template describes.
fn template(path: &Path, parameters: Option<&Path>) -> Result<Source, Failure> {
    let problem = |path: &Path, error: TemplateError| files::problems(path, &[error]);
    let text = files::read_text(path, MAX_BYTES, "the template")?;
    let template = Template::parse(&text).map_err(|error| problem(path, error))?;
    let given = match parameters {
        Some(parameters) => {
            let text = files::read_text(parameters, MAX_BYTES, "the file of parameters")?;
            template::read_parameters(&text).map_err(|error| problem(parameters, error))?
        }
        None => Map::new(),
    };
    let name = path.file_stem().map_or_else(|| "main".to_owned(), |name| name.to_string_lossy().into_owned());
    let scope = Scope {
        subscription_id: NOWHERE.to_owned(),
        tenant_id: NOWHERE.to_owned(),
        resource_group: RESOURCE_GROUP.to_owned(),
        location: LOCATION.to_owned(),
        deployment_name: name,
        utc_now: utc::date(utc::now()).replace(['-', ':'], ""),
        seed: u128::from(RandomState::new().hash_one(0_u8)) << 64 | u128::from(RandomState::new().hash_one(1_u8)),
    };
    let found = collect(&template, &given, &scope).map_err(|errors| files::problems(path, &errors))?;
    let shown = files::shown(path);
    let passed_over =
        |id: &template::ResourceId| format!("{shown}: {} {} is passed over: this broker has none", id.kind, id.name());
    compiled(found.resources, path, found.skipped.iter().map(passed_over).collect())
}
