//! What can be done with a resource besides: its keys, and what an event subscription tells.

use base64ct::{Base64, Encoding};
use serde_json::{Value as Json, json};

use super::answer::{self, Reply};
use super::draft::Draft;
use super::kind::Kind;
use super::stored::{Stored, key_of};
use super::{Method, Request, object};
use crate::template::ResourceId;

/// Two keys of 32 bytes each.
pub(super) fn two(request: &Request<'_>) -> Result<[String; 2], Reply> {
    let random = (request.random)().ok_or_else(none)?;
    let (first, second) = random.split_at(32);
    Ok([Base64::encode_string(first), Base64::encode_string(second)])
}

/// Without random bytes there are no keys.
pub(super) fn none() -> Reply {
    answer::error(503, "ServiceUnavailable", "The system has no random bytes.", None)
}

pub(super) fn answer(
    draft: &mut Draft<'_>,
    id: &ResourceId,
    action: &str,
    request: &Request<'_>,
) -> Result<Reply, Reply> {
    if request.method != Method::Post {
        return Err(answer::wrong_method("POST, which actions have"));
    }
    let key = key_of(id);
    let Some(stored) = draft.get(&key).cloned() else { return Err(answer::not_found(id)) };
    let kind = Kind::of(&id.kind);
    let is = |name: &str| action.eq_ignore_ascii_case(name);
    let shown = |stored: &Stored| {
        let [key1, key2] = stored.keys.clone().unwrap_or_default();
        Reply::new(200, json!({ "key1": key1, "key2": key2 }))
    };
    if kind.is_some_and(Kind::has_keys) && is("listKeys") {
        return Ok(shown(&stored));
    }
    if kind.is_some_and(Kind::has_keys) && is("regenerateKey") {
        let body = object(request)?;
        let which = body.get("keyName").and_then(Json::as_str).unwrap_or_default();
        let mut stored = stored;
        let [first, second] = two(request)?;
        let keys = stored.keys.get_or_insert_with(|| [first.clone(), second.clone()]);
        match keys {
            [key1, _] if which.eq_ignore_ascii_case("key1") => *key1 = first,
            [_, key2] if which.eq_ignore_ascii_case("key2") => *key2 = first,
            _ => {
                let message = format!("The value of 'keyName' is not valid: found '{which}', expected key1 or key2.");
                return Err(answer::invalid(&[("keyName".to_owned(), message)]));
            }
        }
        stored.etag = draft.next_etag();
        let reply = shown(&stored);
        draft.put(key, stored);
        return Ok(reply);
    }
    let push = stored.body.get("properties").and_then(|it| it.pointer("/deliveryConfiguration/push/destination"));
    if kind == Some(Kind::EventSubscription) && is("getFullUrl") {
        let url = push.and_then(|it| it.pointer("/properties/endpointUrl")).cloned().unwrap_or_default();
        return Ok(Reply::new(200, json!({ "endpointUrl": url })));
    }
    if kind == Some(Kind::EventSubscription) && is("getDeliveryAttributes") {
        let all = push.and_then(|it| it.pointer("/properties/deliveryAttributeMappings")).cloned();
        return Ok(Reply::new(200, json!({ "value": all.unwrap_or_else(|| json!([])) })));
    }
    let known = match kind {
        Some(Kind::EventSubscription) => "getDeliveryAttributes and getFullUrl",
        Some(kind) if kind.has_keys() => "listKeys and regenerateKey",
        _ => "none",
    };
    let message = format!("'{action}' is no action of {}; its actions: {known}.", id.kind);
    Err(answer::error(404, "InvalidResourceType", message, None))
}
