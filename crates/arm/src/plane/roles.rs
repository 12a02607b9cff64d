//! Role definitions, and assignments of them (`Microsoft.Authorization`). They are kept; no decision looks at them yet.

use serde_json::{Map, Value as Json, json};

use super::answer::{self, Reply};
use super::draft::Draft;
use super::path::{Role, parameter};
use super::stored::Stored;
use super::{Method, Request, object};

const ASSIGNMENTS: &str = "Microsoft.Authorization/roleAssignments";
const DEFINITIONS: &str = "Microsoft.Authorization/roleDefinitions";

/// Event Grid's data roles: the identifiers are the same in every tenant.
const ROLES: &[(&str, &str, &str)] = &[
    ("d5a91429-5739-47e2-a06b-3470a27159e7", "EventGrid Data Sender", "Microsoft.EventGrid/events/send/action"),
    ("78cbd9e7-9798-4e2e-9b5a-547d9ebb31fb", "EventGrid Data Receiver", "Microsoft.EventGrid/events/receive/action"),
    ("1d8c3fe3-8864-474b-8749-01e3783e8157", "EventGrid Data Contributor", "Microsoft.EventGrid/events/*"),
    (
        "a12b0b94-b317-4dcd-84a8-502ce99884c6",
        "EventGrid TopicSpaces Publisher",
        "Microsoft.EventGrid/topicSpaces/publish/action",
    ),
    (
        "4b0f2fd7-60b4-4eca-896f-4435034f8bf5",
        "EventGrid TopicSpaces Subscriber",
        "Microsoft.EventGrid/topicSpaces/subscribe/action",
    ),
];

pub(super) fn answer(draft: &mut Draft<'_>, role: &Role, request: &Request<'_>) -> Result<Reply, Reply> {
    match role {
        Role::Definitions { scope, name } => definitions(scope, name.as_deref(), request),
        Role::Assignments { scope, name: None } => list(draft, scope, request),
        Role::Assignments { scope, name: Some(name) } => assignment(draft, scope, name, request),
    }
}

fn definitions(scope: &str, name: Option<&str>, request: &Request<'_>) -> Result<Reply, Reply> {
    if request.method != Method::Get {
        return Err(answer::wrong_method("GET: roles are those of Event Grid"));
    }
    let shown = |(id, role, action): &(&str, &str, &str)| {
        json!({
            "id": format!("{scope}/providers/{DEFINITIONS}/{id}"),
            "name": id,
            "type": DEFINITIONS,
            "properties": {
                "roleName": role,
                "type": "BuiltInRole",
                "description": "",
                "assignableScopes": ["/"],
                "permissions": [{ "actions": [], "notActions": [], "dataActions": [action], "notDataActions": [] }],
            },
        })
    };
    if let Some(name) = name {
        let found = ROLES.iter().find(|(id, ..)| id.eq_ignore_ascii_case(name));
        let absent = || answer::error(404, "RoleDefinitionDoesNotExist", format!("There is no role '{name}'."), None);
        return found.map(|role| Reply::new(200, shown(role))).ok_or_else(absent);
    }
    // `az role assignment create` looks a role up by its name.
    let wanted = parameter(request.query, "$filter").and_then(|filter| quoted(&filter, "roleName"));
    let taken = |(_, role, _): &&(&str, &str, &str)| wanted.as_ref().is_none_or(|it| it.eq_ignore_ascii_case(role));
    Ok(Reply::new(200, json!({ "value": ROLES.iter().filter(taken).map(shown).collect::<Vec<_>>() })))
}

/// The text of `member eq 'text'` somewhere in a filter.
fn quoted(filter: &str, member: &str) -> Option<String> {
    let at = filter.to_ascii_lowercase().find(&format!("{} eq '", member.to_ascii_lowercase()))?;
    let rest = filter.get(at..)?.split_once('\'')?.1;
    rest.split_once('\'').map(|(text, _)| text.to_owned())
}

fn key(scope: &str, name: &str) -> String {
    format!("{scope}/providers/{ASSIGNMENTS}/{name}").to_lowercase()
}

fn shown(stored: &Stored) -> Json {
    let mut body = stored.body.clone();
    body.insert("id".to_owned(), Json::from(stored.id.as_str()));
    body.insert("name".to_owned(), Json::from(stored.name()));
    body.insert("type".to_owned(), Json::from(ASSIGNMENTS));
    Json::Object(body)
}

/// Assignments at a scope, above it and below it; `$filter` may name the principal, or `atScope()`.
fn list(draft: &Draft<'_>, scope: &str, request: &Request<'_>) -> Result<Reply, Reply> {
    if request.method != Method::Get {
        return Err(answer::wrong_method("GET, which lists have"));
    }
    let filter = parameter(request.query, "$filter").unwrap_or_default();
    let principal = quoted(&filter, "principalId").or_else(|| quoted(&filter.replace("assignedTo(", "x eq "), "x"));
    let at_scope = filter.to_ascii_lowercase().contains("atscope()");
    let here = scope.to_lowercase();
    let marker = format!("/providers/{ASSIGNMENTS}/").to_lowercase();
    let mut all = Vec::new();
    for (key, stored) in draft.below("") {
        let Some((of, _)) = key.rsplit_once(&marker) else { continue };
        let above = here == of || here.starts_with(&format!("{of}/"));
        let below = of.starts_with(&format!("{here}/"));
        let given = stored.body.get("properties").and_then(|it| it.get("principalId")).and_then(Json::as_str);
        let is_of = principal.as_deref().is_none_or(|it| given.is_some_and(|given| given.eq_ignore_ascii_case(it)));
        if is_of && (above || (below && !at_scope)) {
            all.push(shown(stored));
        }
    }
    Ok(Reply::new(200, json!({ "value": all })))
}

fn assignment(draft: &mut Draft<'_>, scope: &str, name: &str, request: &Request<'_>) -> Result<Reply, Reply> {
    let key = key(scope, name);
    let known = draft.get(&key).cloned();
    let absent = || {
        let message = format!("The role assignment '{name}' is not found.");
        answer::error(404, "RoleAssignmentNotFound", message, None)
    };
    match request.method {
        Method::Get => known.map(|stored| Reply::new(200, shown(&stored))).ok_or_else(absent),
        Method::Head => known.map(|_| Reply::empty(204)).ok_or_else(absent),
        Method::Delete => {
            let Some(known) = known else { return Ok(Reply::empty(204)) };
            draft.remove(&key);
            Ok(Reply::new(200, shown(&known)))
        }
        Method::Put => {
            let body = object(request)?;
            let given = |member: &str| body.get("properties").and_then(|it| it.get(member)).and_then(Json::as_str);
            let mut problems = Vec::new();
            let mut wrong = |member: &str, expected: &str| {
                let found = given(member).map_or_else(|| "nothing".to_owned(), |found| format!("'{found}'"));
                let message = format!("The value of '{member}' is not valid: found {found}, expected {expected}.");
                problems.push((format!("properties.{member}"), message));
            };
            let role = given("roleDefinitionId").and_then(|id| id.rsplit('/').next());
            let role = role.and_then(|id| ROLES.iter().find(|(known, ..)| known.eq_ignore_ascii_case(id)));
            if role.is_none() {
                wrong("roleDefinitionId", "the id of one of Event Grid's data roles");
            }
            if given("principalId").is_none_or(str::is_empty) {
                wrong("principalId", "the object id of a principal");
            }
            if !is_guid(name) {
                let message = format!("The role assignment's name is not valid: found '{name}', expected a GUID.");
                problems.push(("name".to_owned(), message));
            }
            let (Some((role, ..)), true) = (role, problems.is_empty()) else { return Err(answer::invalid(&problems)) };
            if known.is_some() {
                let message = "The role assignment already exists.";
                return Err(answer::error(409, "RoleAssignmentExists", message, None));
            }
            let mut properties = body.get("properties").and_then(Json::as_object).cloned().unwrap_or_default();
            properties
                .insert("roleDefinitionId".to_owned(), Json::from(format!("{scope}/providers/{DEFINITIONS}/{role}")));
            properties.insert("scope".to_owned(), Json::from(scope));
            properties.entry("principalType").or_insert_with(|| Json::from("ServicePrincipal"));
            let mut body = Map::new();
            body.insert("properties".to_owned(), Json::Object(properties));
            let etag = draft.next_etag();
            let id = format!("{scope}/providers/{ASSIGNMENTS}/{name}");
            let stored = Stored { id, body, etag, made: etag, keys: None };
            let reply = Reply::new(201, shown(&stored));
            draft.put(key, stored);
            Ok(reply)
        }
        Method::Patch | Method::Post => {
            Err(answer::wrong_method("GET, HEAD, PUT and DELETE, which role assignments have"))
        }
    }
}

fn is_guid(text: &str) -> bool {
    uuid::Uuid::try_parse(text).is_ok_and(|_| text.len() == 36)
}
