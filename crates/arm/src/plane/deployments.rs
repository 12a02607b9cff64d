//! Deployments of templates. One is whole or not at all: what fails half-way has changed nothing, where Azure would keep
//! what was made until then.

use serde_json::{Map, Value as Json, json};

use super::answer::{self, Reply};
use super::draft::Draft;
use super::kind::Kind;
use super::path::Deployment;
use super::stored::{Stored, key_of};
use super::{Method, Place, Request, keys, resources};
use crate::template::{self, Deployed, Planned, ResourceId, Scope, Target, Template, TemplateError};

const TYPE: &str = "Microsoft.Resources/deployments";
/// Deployments that are remembered of a resource group; the oldest goes.
const REMEMBERED: usize = 100;

pub(super) fn answer(
    place: &Place,
    draft: &mut Draft<'_>,
    path: &Deployment,
    request: &Request<'_>,
) -> Result<Reply, Reply> {
    let Deployment { subscription, group, name, action } = path;
    let Some(name) = name else {
        let prefix = prefix(subscription, group);
        let all = draft.below(&prefix).into_iter().map(|(_, stored)| shown(stored)).collect::<Vec<_>>();
        return only(request, Method::Get).map(|()| Reply::new(200, json!({ "value": all })));
    };
    let key = format!("{}{}", prefix(subscription, group), name.to_lowercase());
    let id = format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/{TYPE}/{name}");
    let known = draft.get(&key).cloned();
    let absent = || answer::error(404, "DeploymentNotFound", format!("Deployment '{name}' could not be found."), None);
    match (action.as_deref(), request.method) {
        (None, Method::Get) => known.map(|stored| Reply::new(200, shown(&stored))).ok_or_else(absent),
        (None, Method::Head) => known.map(|_| Reply::empty(204)).ok_or_else(absent),
        (None, Method::Delete) => {
            draft.remove(&key);
            Ok(Reply::empty(204))
        }
        (None, Method::Put) => {
            check_name(name)?;
            let (properties, _) = deploy(place, draft, path, name, request)?;
            let etag = draft.next_etag();
            let mut body = Map::new();
            body.insert("properties".to_owned(), properties);
            let stored = Stored { id, body, etag, made: etag, keys: None };
            let reply = Reply::new(if known.is_some() { 200 } else { 201 }, shown(&stored));
            draft.put(key, stored);
            forget_oldest(draft, &prefix(subscription, group));
            Ok(reply)
        }
        (Some(action), Method::Post) if action.eq_ignore_ascii_case("validate") => {
            check_name(name)?;
            let mut trial = draft.trial();
            let (properties, _) = deploy(place, &mut trial, path, name, request)?;
            Ok(Reply::new(200, json!({ "id": id, "name": name, "type": TYPE, "properties": properties })))
        }
        (Some(action), Method::Post) if action.eq_ignore_ascii_case("whatIf") => {
            check_name(name)?;
            let mut trial = draft.trial();
            let (_, deployed) = deploy(place, &mut trial, path, name, request)?;
            let changes = changes(draft, &trial, &deployed);
            Ok(Reply::new(200, json!({ "status": "Succeeded", "properties": { "changes": changes } })))
        }
        (Some(action), Method::Get) if action.eq_ignore_ascii_case("operations") => {
            let stored = known.ok_or_else(absent)?;
            Ok(Reply::new(200, json!({ "value": operations(&stored) })))
        }
        _ => Err(answer::wrong_method(
            "GET, HEAD, PUT and DELETE, and POST of validate and whatIf, which deployments have",
        )),
    }
}

fn prefix(subscription: &str, group: &str) -> String {
    format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/{TYPE}/").to_lowercase()
}

fn only(request: &Request<'_>, method: Method) -> Result<(), Reply> {
    if request.method == method { Ok(()) } else { Err(answer::wrong_method("GET, which lists have")) }
}

fn check_name(name: &str) -> Result<(), Reply> {
    let accepted = (1..=64).contains(&name.len()) && name.chars().all(|c| c.is_alphanumeric() || "-_.()".contains(c));
    let message = "A deployment's name has 1 to 64 letters, digits and the characters - _ . ( ).";
    if accepted { Ok(()) } else { Err(answer::error(400, "InvalidDeploymentName", message, Some("name"))) }
}

fn shown(stored: &Stored) -> Json {
    let mut body = stored.body.clone();
    body.insert("id".to_owned(), Json::from(stored.id.as_str()));
    body.insert("name".to_owned(), Json::from(stored.name()));
    body.insert("type".to_owned(), Json::from(TYPE));
    Json::Object(body)
}

/// Deploys into the draft; answers the deployment's properties.
fn deploy(
    place: &Place,
    draft: &mut Draft<'_>,
    path: &Deployment,
    name: &str,
    request: &Request<'_>,
) -> Result<(Json, Deployed), Reply> {
    let text = std::str::from_utf8(request.body).map_err(|_| answer::bad_content("the body is not UTF-8"))?;
    // `az` puts the text of the template into the body as it is, under a name without quotes.
    let body = template::read(text).map_err(|error| answer::bad_content(&error.to_string()))?;
    let wrong = |target: &str, why: &str| answer::invalid(&[(target.to_owned(), why.to_owned())]);
    let given = |member: &str| body.get("properties").and_then(|it| it.get(member)).filter(|it| !it.is_null()).cloned();
    if given("templateLink").is_some() || given("parametersLink").is_some() {
        return Err(wrong("properties.templateLink", "Nothing is fetched from elsewhere: send the template itself."));
    }
    let mode = given("mode").and_then(|mode| mode.as_str().map(str::to_owned)).unwrap_or_default();
    if !mode.eq_ignore_ascii_case("Incremental") {
        let why = format!("The value of 'mode' is not valid: found '{mode}', expected Incremental.");
        return Err(wrong("properties.mode", &why));
    }
    let invalid = |error: TemplateError| {
        let message = format!("Deployment template validation failed: '{error}'.");
        answer::error(400, "InvalidTemplate", message, Some(&error.path))
    };
    let template = given("template").ok_or_else(|| wrong("properties.template", "There is no template."))?;
    let template = Template::from_json(template).map_err(invalid)?;
    let parameters = match given("parameters") {
        None => Map::new(),
        Some(Json::Object(parameters)) => parameters,
        Some(_) => return Err(wrong("properties.parameters", "The parameters are no object.")),
    };
    let group =
        draft.get(&format!("/subscriptions/{}/resourceGroups/{}", path.subscription, path.group).to_lowercase());
    let location = group.and_then(|group| group.body.get("location")?.as_str()).unwrap_or(&place.location).to_owned();
    let seed = (request.random)().ok_or_else(keys::none)?;
    let scope = Scope {
        subscription_id: path.subscription.clone(),
        tenant_id: place.tenant_id.clone(),
        resource_group: path.group.clone(),
        location,
        deployment_name: name.to_owned(),
        utc_now: request.now.replace(['-', ':'], ""),
        seed: seed.first_chunk::<16>().copied().map_or(0, u128::from_be_bytes),
    };
    let mut into = Into { place, draft, request, refused: None };
    let deployed = template.deploy(&parameters, &scope, &mut into);
    if let Some((id, refused)) = into.refused {
        let inner = refused.body.as_ref().and_then(|body| body.get("error")).cloned().unwrap_or_default();
        let message = format!(
            "At least one resource deployment operation failed, and nothing was changed: {}",
            inner.get("message").and_then(Json::as_str).unwrap_or_default()
        );
        let mut reply = answer::error(400, "DeploymentFailed", message, Some(&id));
        if let Some(error) = reply.body.as_mut().and_then(|body| body.get_mut("error")?.as_object_mut()) {
            error.insert("details".to_owned(), json!([inner]));
        }
        return Err(reply);
    }
    let deployed = deployed.map_err(invalid)?;
    let id_of = |id: &ResourceId| json!({ "id": id.to_string() });
    let properties = json!({
        "mode": "Incremental",
        "provisioningState": "Succeeded",
        "timestamp": request.now,
        "duration": "PT0S",
        "parameters": parameters,
        "outputs": deployed.outputs,
        "outputResources": deployed.resources.iter().map(id_of).collect::<Vec<_>>(),
        // Types that nothing here has, which Azure would have made.
        "skippedResources": deployed.skipped.iter().map(id_of).collect::<Vec<_>>(),
        "dependencies": [],
        "providers": [],
        "error": null,
    });
    Ok((properties, deployed))
}

/// Where a deployment puts its resources.
struct Into<'d, 's, 'r> {
    place: &'d Place,
    draft: &'d mut Draft<'s>,
    request: &'d Request<'r>,
    /// The first that was not taken, and what was answered.
    refused: Option<(String, Reply)>,
}

impl Target for Into<'_, '_, '_> {
    fn put(&mut self, resource: &Planned) -> Result<Option<Json>, TemplateError> {
        if Kind::of(&resource.id.kind).is_none() || resource.id.resource_group.is_none() {
            return Ok(None);
        }
        match resources::put(self.place, self.draft, &resource.id, resource.body.clone(), self.request) {
            Ok(reply) => Ok(reply.body),
            Err(reply) => {
                let error = reply.body.as_ref().and_then(|body| body.get("error"));
                let text = |member: &str| error.and_then(|it| it.get(member)?.as_str()).unwrap_or_default().to_owned();
                let (target, message) = (text("target"), text("message"));
                self.refused = Some((resource.id.to_string(), reply));
                Err(TemplateError::new(target, message, "correct the template, or the parameter that it comes from"))
            }
        }
    }

    fn get(&self, id: &ResourceId) -> Option<Json> {
        Some(resources::whole(Kind::of(&id.kind)?, self.draft.get(&key_of(id))?))
    }

    fn list(&self, id: &ResourceId, function: &str) -> Option<Json> {
        let [key1, key2] = self.draft.get(&key_of(id))?.keys.clone().filter(|_| function == "listkeys")?;
        Some(json!({ "key1": key1, "key2": key2 }))
    }
}

/// What a deployment would change.
fn changes(before: &Draft<'_>, after: &Draft<'_>, deployed: &Deployed) -> Vec<Json> {
    let whole =
        |draft: &Draft<'_>, id: &ResourceId| Some(resources::whole(Kind::of(&id.kind)?, draft.get(&key_of(id))?));
    let mut changes = Vec::new();
    for id in &deployed.resources {
        let (before, after) = (whole(before, id), whole(after, id));
        let kind = match &before {
            None => "Create",
            Some(_) if before == after => "NoChange",
            Some(_) => "Modify",
        };
        let mut change = json!({ "resourceId": id.to_string(), "changeType": kind, "before": before, "after": after });
        if let (Some(before), Some(after), "Modify") = (before, after, kind) {
            let member = |name: &str| {
                let (before, after) = (before.get(name), after.get(name));
                let change = json!({ "path": name, "propertyChangeType": "Modify", "before": before, "after": after });
                (before != after).then_some(change)
            };
            let delta: Vec<_> =
                ["location", "tags", "sku", "identity", "properties"].into_iter().filter_map(member).collect();
            if let Some(change) = change.as_object_mut() {
                change.insert("delta".to_owned(), Json::from(delta));
            }
        }
        changes.push(change);
    }
    let skipped = |id: &ResourceId| json!({ "resourceId": id.to_string(), "changeType": "Unsupported" });
    changes.extend(deployed.skipped.iter().map(skipped));
    changes
}

fn operations(stored: &Stored) -> Vec<Json> {
    let made = stored.body.get("properties").and_then(|it| it.get("outputResources")).and_then(Json::as_array);
    let one = |(at, made): (usize, &Json)| {
        let id = made.get("id").and_then(Json::as_str).and_then(|id| ResourceId::parse(id).ok())?;
        Some(json!({
            "id": format!("{}/operations/{at:016X}", stored.id),
            "operationId": format!("{at:016X}"),
            "properties": {
                "provisioningOperation": "Create",
                "provisioningState": "Succeeded",
                "statusCode": "OK",
                "targetResource": { "id": id.to_string(), "resourceType": id.kind, "resourceName": id.name() },
            },
        }))
    };
    made.into_iter().flatten().enumerate().filter_map(one).collect()
}

fn forget_oldest(draft: &mut Draft<'_>, prefix: &str) {
    let all = draft.below(prefix);
    if all.len() > REMEMBERED
        && let Some((oldest, _)) = all.into_iter().min_by_key(|(_, stored)| stored.made)
    {
        draft.remove(&oldest);
    }
}
