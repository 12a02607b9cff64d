//! Lists: paged, and filtered by name.

use serde_json::{Value as Json, json};

use super::answer::{self, Reply};
use super::draft::Draft;
use super::filter::{Field, Filter};
use super::kind::Kind;
use super::path::{Within, parameter};
use super::stored::{Stored, key_of};
use super::{Method, Request, resources};
use crate::template::ResourceId;

/// Resources of a page, unless `$top` says another number up to [`MOST`].
const PAGE: usize = 20;
const MOST: usize = 100;

pub(super) fn answer(draft: &Draft<'_>, within: &Within, kind: Kind, request: &Request<'_>) -> Result<Reply, Reply> {
    if request.method != Method::Get {
        return Err(answer::wrong_method("GET, which lists have"));
    }
    if let Within::Parent(parent) = within
        && draft.get(&key_of(parent)).is_none()
    {
        return Err(answer::parent_not_found(parent));
    }
    let all = found(draft, within, Some(kind));
    page(&all.into_iter().map(|(_, stored)| (kind, stored)).collect::<Vec<_>>(), request)
}

/// The resources there, of one kind or of all.
pub(super) fn found<'d>(draft: &'d Draft<'_>, within: &Within, wanted: Option<Kind>) -> Vec<(Kind, &'d Stored)> {
    let prefix = match within {
        Within::Subscription(subscription) => format!("/subscriptions/{subscription}/"),
        Within::ResourceGroup(subscription, group) => format!("/subscriptions/{subscription}/resourceGroups/{group}/"),
        Within::Parent(id) => format!("{id}/"),
    };
    let kind = |stored: &Stored| Kind::of(&ResourceId::parse(&stored.id).ok()?.kind);
    let all = draft.below(&prefix.to_lowercase()).into_iter();
    all.filter_map(|(_, stored)| Some((kind(stored)?, stored)))
        .filter(|(kind, _)| wanted.is_none_or(|wanted| wanted == *kind))
        .collect()
}

fn meets(filter: &Filter, kind: Kind, stored: &Stored) -> bool {
    let group = ResourceId::parse(&stored.id).ok().and_then(|id| id.resource_group).unwrap_or_default();
    filter.takes(&|field| match field {
        Field::Name => stored.name(),
        Field::ResourceGroup => &group,
        Field::ResourceType => kind.type_name(),
    })
}

/// One page of them, with a link to the next.
pub(super) fn page(all: &[(Kind, &Stored)], request: &Request<'_>) -> Result<Reply, Reply> {
    let wrong = |target: &str, expected: &str| {
        answer::invalid(&[(target.to_owned(), format!("The value of '{target}' is not valid: expected {expected}."))])
    };
    let given = |name: &str| parameter(request.query, name);
    let top = match given("$top").map(|top| top.parse::<usize>()) {
        None => PAGE,
        Some(Ok(top)) if (1..=MOST).contains(&top) => top,
        Some(_) => return Err(wrong("$top", "1 to 100")),
    };
    let filter = match given("$filter").filter(|filter| !filter.is_empty()) {
        None => None,
        Some(text) => Some(Filter::parse(&text).map_err(|why| wrong("$filter", &why))?),
    };
    // A name, not a number: what is made or removed meanwhile moves nobody.
    let after = given("$skipToken").map(|token| token.to_lowercase());
    let mut rest = all
        .iter()
        .filter(|(kind, stored)| filter.as_ref().is_none_or(|filter| meets(filter, *kind, stored)))
        .filter(|(_, stored)| after.as_ref().is_none_or(|after| stored.id.to_lowercase() > *after));
    let shown: Vec<_> = rest.by_ref().take(top).collect();
    let value: Vec<Json> = shown.iter().map(|(kind, stored)| resources::whole(*kind, stored)).collect();
    let mut body = json!({ "value": value });
    if rest.next().is_some()
        && let Some((_, last)) = shown.last()
        && let Some(body) = body.as_object_mut()
    {
        let kept = request.query.split('&').filter(|pair| {
            let name = pair.split('=').next().unwrap_or_default().to_lowercase();
            !pair.is_empty() && name != "$skiptoken" && name != "%24skiptoken"
        });
        let token = percent_encoding::utf8_percent_encode(&last.id, percent_encoding::NON_ALPHANUMERIC).to_string();
        let query: Vec<_> = kept.map(str::to_owned).chain([format!("$skipToken={token}")]).collect();
        let link = format!("{}{}?{}", request.base, request.path, query.join("&"));
        body.insert("nextLink".to_owned(), Json::from(link));
    }
    Ok(Reply::new(200, body))
}
