//! One resource: read, made, changed, removed.

use gridmq_namespace::Resources;
use gridmq_namespace::document::{LoadError, ResourceProblem};
use gridmq_namespace::limits::{self, Limit};
use gridmq_namespace::resource::{ALL_CLIENTS, CaCertificate, Client, Namespace};
use serde_json::{Map, Value as Json, json};

use super::answer::{self, Reply};
use super::draft::Draft;
use super::kind::Kind;
use super::stored::{Stored, key_of};
use super::{Method, Place, Request, keys, object, topics};
use crate::template::ResourceId;

/// Members that are nobody's to write: what a GET answered can be sent back with a PUT.
const READ_ONLY: &[&str] = &["/properties/provisioningState", "/properties/privateEndpointConnections"];
const READ_ONLY_OF_NAMESPACES: &[&str] = &[
    "/properties/topicSpacesConfiguration/hostname",
    "/properties/topicsConfiguration/hostname",
    "/identity/principalId",
    "/identity/tenantId",
];
const READ_ONLY_OF_CERTIFICATES: &[&str] = &["/properties/issueTimeInUtc", "/properties/expiryTimeInUtc"];

pub(super) fn answer(
    place: &Place,
    draft: &mut Draft<'_>,
    id: &ResourceId,
    request: &Request<'_>,
) -> Result<Reply, Reply> {
    let Some(kind) = Kind::of(&id.kind) else { return Err(answer::unknown_path(request.path)) };
    let key = key_of(id);
    let known = draft.get(&key);
    match request.method {
        Method::Get => known.map(|stored| shown(kind, stored)).ok_or_else(|| absent(draft, id)),
        Method::Head => known.map(|_| Reply::empty(204)).ok_or_else(|| absent(draft, id)),
        Method::Put => {
            allowed(known, request)?;
            put(place, draft, id, object(request)?, request)
        }
        Method::Patch if kind.is_patched() => {
            let Some(known) = known else { return Err(absent(draft, id)) };
            allowed(Some(known), request)?;
            let mut body = known.body.clone();
            merge(&mut body, object(request)?);
            put(place, draft, id, body, request)
        }
        Method::Delete => {
            // What is not there any more is gone, as ARM has it.
            let Some(known) = known else { return Ok(Reply::empty(204)) };
            allowed(Some(known), request)?;
            free(draft, kind, id)?;
            draft.remove(&key);
            Ok(Reply::empty(200))
        }
        Method::Patch | Method::Post => {
            let patch = if kind.is_patched() { ", PATCH" } else { "" };
            Err(answer::wrong_method(&format!("GET, PUT{patch} and DELETE, which {} has", kind.type_name())))
        }
    }
}

/// What a GET answers.
pub(super) fn shown(kind: Kind, stored: &Stored) -> Reply {
    Reply::new(200, whole(kind, stored)).tagged(&stored.etag.to_string())
}

/// A resource with all that the control plane says of it.
pub(super) fn whole(kind: Kind, stored: &Stored) -> Json {
    let mut body = Map::new();
    body.insert("id".to_owned(), Json::from(stored.id.as_str()));
    body.insert("name".to_owned(), Json::from(stored.name()));
    body.insert("type".to_owned(), Json::from(kind.type_name()));
    body.insert("systemData".to_owned(), Json::Null);
    body.extend(stored.body.clone());
    let mut body = Json::Object(body);
    assign(kind, &mut body);
    body
}

/// Puts in what the control plane assigns.
fn assign(kind: Kind, body: &mut Json) {
    let named = body.clone();
    let Some(properties) = body.pointer_mut("/properties").and_then(Json::as_object_mut) else { return };
    properties.insert("provisioningState".to_owned(), Json::from("Succeeded"));
    match kind {
        Kind::Namespace => {
            let Ok(namespace) = serde_json::from_value::<Namespace>(named) else { return };
            for (part, hostname) in [
                ("topicSpacesConfiguration", namespace.mqtt_hostname()),
                ("topicsConfiguration", namespace.http_hostname()),
            ] {
                let part = properties.entry(part).or_insert_with(|| json!({}));
                if let Some(part) = part.as_object_mut() {
                    part.insert("hostname".to_owned(), Json::from(hostname));
                }
            }
        }
        Kind::Client => {
            if let Ok(client) = serde_json::from_value::<Client>(named) {
                let name = client.authentication_name().to_owned();
                properties.entry("authenticationName").or_insert_with(|| Json::from(name));
            }
        }
        Kind::CaCertificate => {
            let validity = serde_json::from_value::<CaCertificate>(named).ok().and_then(|it| it.validity());
            if let Some((from, to)) = validity {
                properties.insert("issueTimeInUtc".to_owned(), Json::from(from));
                properties.insert("expiryTimeInUtc".to_owned(), Json::from(to));
            }
        }
        _ => {}
    }
}

fn absent(draft: &Draft<'_>, id: &ResourceId) -> Reply {
    match id.parent().filter(|parent| draft.get(&key_of(parent)).is_none()) {
        Some(parent) => answer::parent_not_found(&parent),
        None => answer::not_found(id),
    }
}

/// Whether the conditions of a request are met.
fn allowed(known: Option<&Stored>, request: &Request<'_>) -> Result<(), Reply> {
    let etag = known.map(|stored| stored.etag.to_string());
    let has = |tags: &str| match tags.trim() {
        "*" => etag.is_some(),
        tags => {
            tags.split(',').any(|tag| Some(tag.trim().trim_start_matches("W/").trim_matches('"')) == etag.as_deref())
        }
    };
    let met = request.if_match.is_none_or(has) && request.if_none_match.is_none_or(|tags| !has(tags));
    if met { Ok(()) } else { Err(answer::precondition(etag.as_deref())) }
}

/// Makes or replaces a resource.
pub(super) fn put(
    place: &Place,
    draft: &mut Draft<'_>,
    id: &ResourceId,
    body: Map<String, Json>,
    request: &Request<'_>,
) -> Result<Reply, Reply> {
    let Some(kind) = Kind::of(&id.kind) else { return Err(answer::unknown_path(request.path)) };
    if let Some(parent) = id.parent().filter(|parent| draft.get(&key_of(parent)).is_none()) {
        return Err(answer::parent_not_found(&parent));
    }
    let key = key_of(id);
    let known = draft.get(&key);
    // The first spelling stays.
    let shown_id = known.map_or_else(|| id.to_string(), |known| known.id.clone());
    let (made, keys) = (known.map(|known| known.made), known.and_then(|known| known.keys.clone()));
    let name = shown_id.rsplit_once('/').map_or("", |(_, name)| name).to_owned();
    let mut body = envelope(place, kind, &name, body)?;
    match kind.list() {
        _ if kind == Kind::Namespace => namespace(draft, id, &name, &mut body)?,
        Some(list) => part(draft, kind, list, id, &name, &mut body)?,
        None => topics::check(kind, &name, &mut body).map_err(|problems| answer::invalid(&problems))?,
    }
    let etag = draft.next_etag();
    let keys = match keys {
        None if kind.has_keys() => Some(keys::two(request)?),
        keys => keys,
    };
    let stored = Stored { id: shown_id, body, etag, made: made.unwrap_or(etag), keys };
    let status = if made.is_some() { 200 } else { kind.made() };
    let reply = Reply { status, ..shown(kind, &stored) };
    draft.put(key, stored);
    Ok(reply)
}

/// A body without what is nobody's to write.
fn envelope(place: &Place, kind: Kind, name: &str, body: Map<String, Json>) -> Result<Map<String, Json>, Reply> {
    if let Some(other) = body.get("name").filter(|it| !it.as_str().is_none_or(|it| it.eq_ignore_ascii_case(name))) {
        let message = format!("The resource name '{other}' in the body is not that in the path, '{name}'.");
        return Err(answer::error(400, "MismatchingResourceName", message, Some("name")));
    }
    let mut body = Json::Object(body);
    let more: &[&str] = match kind {
        Kind::Namespace => READ_ONLY_OF_NAMESPACES,
        Kind::CaCertificate => READ_ONLY_OF_CERTIFICATES,
        _ => &[],
    };
    for path in READ_ONLY.iter().chain(more) {
        let Some((parent, member)) = path.rsplit_once('/') else { continue };
        if let Some(parent) = body.pointer_mut(parent).and_then(Json::as_object_mut) {
            parent.remove(member);
        }
    }
    let Json::Object(mut body) = body else { return Ok(Map::new()) };
    for member in ["id", "name", "type", "systemData", "apiVersion"] {
        body.remove(member);
    }
    if kind == Kind::Namespace {
        body.entry("location").or_insert_with(|| Json::from(place.location.as_str()));
    } else {
        // `az resource create` gives parts of a namespace one too.
        body.remove("location");
    }
    if body.get("properties").is_none_or(Json::is_null) {
        body.insert("properties".to_owned(), json!({}));
    }
    Ok(body)
}

/// Checks a namespace, and that its parts still have room in it.
fn namespace(draft: &Draft<'_>, id: &ResourceId, name: &str, body: &mut Map<String, Json>) -> Result<(), Reply> {
    let checked = document(json!({ "namespace": named(body, name) }), "namespace")?;
    for kind in Kind::ALL {
        if let Some(list) = kind.list() {
            room(draft, kind, list, id, checked.namespace.throughput_units(), 0)?;
        }
    }
    *body = canonical(&checked.namespace);
    Ok(())
}

/// Checks a part of a namespace, with what it refers to.
fn part(
    draft: &Draft<'_>,
    kind: Kind,
    list: &str,
    id: &ResourceId,
    name: &str,
    body: &mut Map<String, Json>,
) -> Result<(), Reply> {
    let Some(parent) = id.parent() else { return Err(answer::not_found(id)) };
    let Some(namespace) = draft.get(&key_of(&parent)) else { return Err(answer::parent_not_found(&parent)) };
    let mut whole = Map::new();
    whole.insert("namespace".to_owned(), namespace.named());
    if kind == Kind::PermissionBinding {
        for (list, member) in [("clientGroups", "clientGroupName"), ("topicSpaces", "topicSpaceName")] {
            let wanted =
                body.get("properties").and_then(|it| it.get(member)).and_then(Json::as_str).unwrap_or_default();
            let found = draft.get(&format!("{}/{list}/{wanted}", key_of(&parent)).to_lowercase());
            whole.insert(list.to_owned(), Json::from_iter(found.map(Stored::named)));
        }
    }
    whole.insert(list.to_owned(), json!([named(body, name)]));
    let checked = document(Json::Object(whole), &format!("{list}[0]"))?;
    if draft.get(&key_of(id)).is_none() {
        room(draft, kind, list, &parent, checked.namespace.throughput_units(), 1)?;
    }
    if let Some(client) = checked.clients.first() {
        alone(draft, &parent, id, client.authentication_name())?;
    }
    *body = match kind {
        Kind::Client => checked.clients.first().map(canonical),
        Kind::ClientGroup => checked.client_groups.first().map(canonical),
        Kind::TopicSpace => checked.topic_spaces.first().map(canonical),
        Kind::PermissionBinding => checked.permission_bindings.first().map(canonical),
        Kind::CaCertificate => checked.ca_certificates.first().map(canonical),
        Kind::Namespace | Kind::Topic | Kind::EventSubscription => None,
    }
    .unwrap_or_default();
    Ok(())
}

fn named(body: &Map<String, Json>, name: &str) -> Json {
    let mut body = body.clone();
    body.insert("name".to_owned(), Json::from(name));
    Json::Object(body)
}

/// As the types of the namespace write it: enumerations in their documented case.
fn canonical(resource: &impl serde::Serialize) -> Map<String, Json> {
    let Ok(Json::Object(mut body)) = serde_json::to_value(resource) else { return Map::new() };
    body.remove("name");
    body
}

/// Reads a document of a namespace; what is wrong is told of `whose` members.
fn document(document: Json, whose: &str) -> Result<Resources, Reply> {
    let member = |path: &str| {
        let below = path.strip_prefix(whose).unwrap_or(path);
        below.trim_start_matches('.').to_owned()
    };
    Resources::from_json(&document.to_string()).map_err(|error| match error {
        LoadError::Shape { path, problem, .. } => {
            let target = member(&path);
            answer::invalid(&[(target.clone(), format!("The value of '{target}' is not valid: {problem}."))])
        }
        LoadError::Invalid { problems } => {
            let told = |problem: ResourceProblem| {
                let target = member(&problem.path);
                let ResourceProblem { found, expected, .. } = problem;
                let message = format!("The value of '{target}' is not valid: found {found}, expected {expected}.");
                (target, message)
            };
            answer::invalid(&problems.into_iter().map(told).collect::<Vec<_>>())
        }
        other => answer::bad_content(&other.to_string()),
    })
}

/// Whether a namespace has room for `more` parts of that kind.
fn room(draft: &Draft<'_>, kind: Kind, list: &str, namespace: &ResourceId, units: u32, more: u64) -> Result<(), Reply> {
    let limit: Limit = match kind {
        Kind::Client => limits::CLIENTS,
        Kind::ClientGroup => limits::CLIENT_GROUPS,
        Kind::TopicSpace => limits::TOPIC_SPACES,
        Kind::PermissionBinding => limits::PERMISSION_BINDINGS,
        Kind::CaCertificate => limits::CA_CERTIFICATES,
        Kind::Namespace | Kind::Topic | Kind::EventSubscription => return Ok(()),
    };
    let there = draft.count(&format!("{}/{}", key_of(namespace), list.to_lowercase())) as u64;
    let most = limit.maximum_for(units);
    if there + more <= most {
        return Ok(());
    }
    let message = format!(
        "The namespace has {there} {}, and may have {most} with {units} throughput units ({}).",
        limit.name, limit.source
    );
    Err(answer::error(400, "QuotaExceeded", message, None))
}

/// Whether no other client has that authentication name.
fn alone(draft: &Draft<'_>, namespace: &ResourceId, id: &ResourceId, name: &str) -> Result<(), Reply> {
    let list = format!("{}/clients", key_of(namespace));
    let Some(other) = draft.named(&list, name).filter(|other| *other != key_of(id)) else { return Ok(()) };
    let target = "properties.authenticationName";
    let whose = draft.get(other).map_or("", Stored::name);
    let message = format!("The value of '{target}' is not valid: the client '{whose}' has '{name}' already.");
    Err(answer::invalid(&[(target.to_owned(), message)]))
}

/// Whether a resource may go: no permission binding needs it.
fn free(draft: &Draft<'_>, kind: Kind, id: &ResourceId) -> Result<(), Reply> {
    let member = match kind {
        Kind::ClientGroup => "clientGroupName",
        Kind::TopicSpace => "topicSpaceName",
        _ => return Ok(()),
    };
    let (Some(parent), Some(name)) = (id.parent(), id.names.last()) else { return Ok(()) };
    let bindings = draft.below(&format!("{}/permissionbindings/", key_of(&parent))).into_iter();
    let mut needing = bindings.filter(|(_, stored)| {
        let wanted = stored.body.get("properties").and_then(|it| it.get(member)).and_then(Json::as_str);
        wanted.is_some_and(|wanted| wanted != ALL_CLIENTS && wanted.eq_ignore_ascii_case(name))
    });
    let Some((_, binding)) = needing.next() else { return Ok(()) };
    let message = format!("The permission binding '{}' refers to '{name}': delete it first.", binding.name());
    Err(answer::error(409, "Conflict", message, None))
}

/// RFC 7396.
fn merge(into: &mut Map<String, Json>, patch: Map<String, Json>) {
    for (member, value) in patch {
        match (value, into.get_mut(&member)) {
            (Json::Null, _) => {
                into.remove(&member);
            }
            (Json::Object(patch), Some(Json::Object(into))) => merge(into, patch),
            (value, _) => {
                into.insert(member, value);
            }
        }
    }
}
