//! Subscriptions, resource groups, providers: as much of them as the tools ask for.

use serde_json::{Map, Value as Json, json};

use super::answer::{self, Reply};
use super::draft::Draft;
use super::kind::{Kind, PROVIDER};
use super::path::Around;
use super::stored::Stored;
use super::{Method, Place, Request, list, object};

/// Versions that tools are told of; any other is taken too.
const VERSIONS: &[&str] = &[
    "2025-02-15",
    "2025-07-15-preview",
    "2024-12-15-preview",
    "2024-06-01-preview",
    "2023-12-15-preview",
    "2023-06-01-preview",
    "2022-10-15-preview",
];

pub(super) fn answer(
    place: &Place,
    draft: &mut Draft<'_>,
    around: &Around,
    request: &Request<'_>,
) -> Result<Reply, Reply> {
    if let Around::ResourceGroup(subscription, name) = around {
        return group(place, draft, subscription, name, request);
    }
    let registers = matches!(around, Around::Provider { register: true, .. });
    match request.method {
        Method::Post if registers => {}
        Method::Get if !registers => {}
        _ => return Err(answer::wrong_method(if registers { "POST" } else { "GET, which this has" })),
    }
    let list = |value: Vec<Json>| Reply::new(200, json!({ "value": value }));
    Ok(match around {
        Around::Tenants => list(vec![json!({
            "id": format!("/tenants/{}", place.tenant_id),
            "tenantId": place.tenant_id,
            "displayName": "GridMQ",
            "tenantCategory": "Home",
        })]),
        Around::Subscriptions => list(vec![subscription(place, &place.subscription_id)]),
        Around::Subscription(id) => Reply::new(200, subscription(place, id)),
        Around::Locations(id) => list(vec![json!({
            "id": format!("/subscriptions/{id}/locations/{}", place.location),
            "name": place.location,
            "displayName": place.location,
            "regionalDisplayName": place.location,
        })]),
        Around::Providers(id) => list(vec![provider(place, id)]),
        Around::Provider { subscription, name, .. } if name.eq_ignore_ascii_case(PROVIDER) => {
            Reply::new(200, provider(place, subscription))
        }
        // Quickstarts register others too, which stand for nothing here.
        Around::Provider { subscription, name, .. } => {
            let id = format!("/subscriptions/{subscription}/providers/{name}");
            let body = json!({ "id": id, "namespace": name, "registrationState": "Registered", "resourceTypes": [] });
            Reply::new(200, body)
        }
        Around::ResourceGroups(id) => {
            let prefix = format!("/subscriptions/{id}/resourcegroups/").to_lowercase();
            let groups = draft.below(&prefix).into_iter();
            let groups = groups.filter(|(key, _)| key.strip_prefix(&*prefix).is_some_and(|name| !name.contains('/')));
            list(groups.map(|(_, stored)| shown_group(stored)).collect())
        }
        Around::Resources(within) => {
            // As ARM lists them: parts of others are not among them.
            let all = list::found(draft, within, Some(Kind::Namespace));
            return list::page(&all, request);
        }
        Around::ResourceGroup(..) => Reply::empty(404),
    })
}

fn subscription(place: &Place, id: &str) -> Json {
    json!({
        "id": format!("/subscriptions/{id}"),
        "subscriptionId": id,
        "tenantId": place.tenant_id,
        "displayName": "GridMQ",
        "state": "Enabled",
        "subscriptionPolicies": { "locationPlacementId": "", "quotaId": "", "spendingLimit": "Off" },
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
    })
}

fn provider(place: &Place, subscription: &str) -> Json {
    let kind = |kind: Kind| {
        let name = kind.type_name().split_once('/').map_or("", |(_, name)| name);
        json!({ "resourceType": name, "locations": [place.location], "apiVersions": VERSIONS })
    };
    json!({
        "id": format!("/subscriptions/{subscription}/providers/{PROVIDER}"),
        "namespace": PROVIDER,
        "registrationState": "Registered",
        "registrationPolicy": "RegistrationRequired",
        "resourceTypes": Kind::ALL.map(kind),
    })
}

/// Any resource group can be asked for and written into, as if it had been made; what is made of it lasts.
fn group(
    place: &Place,
    draft: &mut Draft<'_>,
    subscription: &str,
    name: &str,
    request: &Request<'_>,
) -> Result<Reply, Reply> {
    let id = format!("/subscriptions/{subscription}/resourceGroups/{name}");
    let key = id.to_lowercase();
    let known = draft.get(&key).cloned();
    let mut body = Map::new();
    body.insert("location".to_owned(), Json::from(place.location.as_str()));
    let assumed = Stored { id: id.clone(), body: body.clone(), etag: 0, made: 0, keys: None };
    match request.method {
        Method::Get => Ok(Reply::new(200, shown_group(known.as_ref().unwrap_or(&assumed)))),
        Method::Head => Ok(Reply::empty(204)),
        Method::Put | Method::Patch => {
            if request.method == Method::Patch {
                body = known.as_ref().map_or(body, |known| known.body.clone());
            }
            for (member, value) in object(request)? {
                if matches!(&*member, "location" | "tags" | "managedBy") {
                    body.insert(member, value);
                }
            }
            let etag = draft.next_etag();
            let made = known.as_ref().map_or(etag, |known| known.made);
            let stored =
                Stored { id: known.as_ref().map_or(id, |known| known.id.clone()), body, etag, made, keys: None };
            let reply = Reply::new(if known.is_some() { 200 } else { 201 }, shown_group(&stored));
            draft.put(key, stored);
            Ok(reply)
        }
        Method::Delete => {
            draft.remove(&key);
            Ok(Reply::empty(200))
        }
        Method::Post => Err(answer::wrong_method("GET, PUT, PATCH and DELETE, which resource groups have")),
    }
}

fn shown_group(stored: &Stored) -> Json {
    let mut body = Map::new();
    body.insert("id".to_owned(), Json::from(stored.id.as_str()));
    body.insert("name".to_owned(), Json::from(stored.name()));
    body.insert("type".to_owned(), Json::from("Microsoft.Resources/resourceGroups"));
    body.extend(stored.body.clone());
    body.insert("properties".to_owned(), json!({ "provisioningState": "Succeeded" }));
    Json::Object(body)
}
