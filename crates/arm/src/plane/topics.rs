//! The rules that topics and their event subscriptions obey. They are kept, and nothing is delivered yet.

use serde_json::{Map, Value as Json, json};

use super::kind::Kind;

/// What is wrong: a member, and why.
type Problems = Vec<(String, String)>;

const SCHEMA: &str = "CloudEventSchemaV1_0";
/// Filters of a subscription, and values of all of them.
const FILTERS: usize = 25;
/// Characters of a value that is compared.
const VALUE: usize = 512;
const WEEK: u64 = 7 * 24 * 3600;

const OPERATORS: &[&str] = &[
    "NumberIn",
    "NumberNotIn",
    "NumberLessThan",
    "NumberGreaterThan",
    "NumberLessThanOrEquals",
    "NumberGreaterThanOrEquals",
    "NumberInRange",
    "NumberNotInRange",
    "BoolEquals",
    "StringIn",
    "StringNotIn",
    "StringBeginsWith",
    "StringEndsWith",
    "StringContains",
    "StringNotBeginsWith",
    "StringNotEndsWith",
    "StringNotContains",
    "IsNullOrUndefined",
    "IsNotNull",
];

const DESTINATIONS: &[&str] = &[
    "WebHook",
    "EventHub",
    "StorageQueue",
    "HybridConnection",
    "ServiceBusQueue",
    "ServiceBusTopic",
    "AzureFunction",
    "MonitorAlert",
    "NamespaceTopic",
    "PartnerDestination",
];

/// Checks a topic or a subscription, and puts in what it leaves out.
pub(super) fn check(kind: Kind, name: &str, body: &mut Map<String, Json>) -> Result<(), Problems> {
    let mut found = Found(Vec::new());
    let accepted = (3..=50).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if !accepted {
        found.add("name", &Json::from(name), "3 to 50 letters, digits and hyphens");
    }
    let properties = body.entry("properties").or_insert_with(|| json!({}));
    let Some(properties) = properties.as_object_mut() else {
        return Err(vec![(
            "properties".to_owned(),
            "The value of 'properties' is not valid: expected an object.".into(),
        )]);
    };
    // ARM takes null for nothing.
    properties.retain(|_, value| !value.is_null());
    if kind == Kind::Topic {
        topic(&mut found, properties)
    } else {
        subscription(&mut found, properties)
    }
    if found.0.is_empty() { Ok(()) } else { Err(found.0) }
}

struct Found(Problems);

impl Found {
    fn add(&mut self, target: &str, value: &Json, expected: &str) {
        let shown: String = value.to_string().chars().take(64).collect();
        let message = format!("The value of '{target}' is not valid: found {shown}, expected {expected}.");
        self.0.push((target.to_owned(), message));
    }

    fn missing(&mut self, target: &str, expected: &str) {
        let message = format!("The value of '{target}' is not valid: found nothing, expected {expected}.");
        self.0.push((target.to_owned(), message));
    }

    /// One of these words, which is then written as it is here.
    fn word(&mut self, target: &str, value: &mut Json, words: &[&str]) {
        let known = words.iter().find(|word| value.as_str().is_some_and(|value| value.eq_ignore_ascii_case(word)));
        match known {
            Some(word) => *value = Json::from(*word),
            None => self.add(target, value, &format!("one of {}", words.join(", "))),
        }
    }

    fn number(&mut self, target: &str, value: Option<&Json>, least: u64, most: u64) {
        if let Some(value) = value.filter(|value| !value.is_null())
            && !value.as_u64().is_some_and(|value| (least..=most).contains(&value))
        {
            self.add(target, value, &format!("a whole number from {least} to {most}"));
        }
    }
}

fn topic(found: &mut Found, properties: &mut Map<String, Json>) {
    for (member, word) in [("publisherType", "Custom"), ("inputSchema", SCHEMA)] {
        let value = properties.entry(member).or_insert_with(|| Json::from(word));
        found.word(&format!("properties.{member}"), value, &[word]);
    }
    let days = properties.entry("eventRetentionInDays").or_insert_with(|| Json::from(1));
    found.number("properties.eventRetentionInDays", Some(days), 1, 7);
}

fn subscription(found: &mut Found, properties: &mut Map<String, Json>) {
    let schema = properties.entry("eventDeliverySchema").or_insert_with(|| Json::from(SCHEMA));
    found.word("properties.eventDeliverySchema", schema, &[SCHEMA]);
    const DELIVERY: &str = "properties.deliveryConfiguration";
    match properties.get_mut("deliveryConfiguration").map(|delivery| delivery.as_object_mut()) {
        Some(Some(delivery)) => self::delivery(found, DELIVERY, delivery),
        Some(None) => found.missing(DELIVERY, "an object"),
        None => found.missing(DELIVERY, "deliveryMode Queue with queue, or Push with push"),
    }
    if let Some(filters) = properties.get_mut("filtersConfiguration") {
        self::filters(found, filters);
    }
}

fn delivery(found: &mut Found, path: &str, delivery: &mut Map<String, Json>) {
    delivery.retain(|_, value| !value.is_null());
    let mode = delivery.entry("deliveryMode").or_insert_with(|| Json::from("Queue"));
    found.word(&format!("{path}.deliveryMode"), mode, &["Queue", "Push"]);
    let pushes = mode.as_str() == Some("Push");
    if !pushes {
        let queue = delivery.entry("queue").or_insert_with(|| json!({}));
        let path = format!("{path}.queue");
        let Some(queue) = queue.as_object_mut() else { return found.missing(&path, "an object") };
        queue.entry("receiveLockDurationInSeconds").or_insert_with(|| Json::from(60));
        found.number(
            &format!("{path}.receiveLockDurationInSeconds"),
            queue.get("receiveLockDurationInSeconds"),
            60,
            300,
        );
        return attempts(found, &path, queue);
    }
    let path = format!("{path}.push");
    let Some(push) = delivery.get_mut("push").and_then(Json::as_object_mut) else {
        return found.missing(&path, "an object with destination");
    };
    attempts(found, &path, push);
    let with_identity = push.contains_key("deliveryWithResourceIdentity");
    let (target, destination) = match with_identity {
        true => (
            format!("{path}.deliveryWithResourceIdentity.destination"),
            push.get_mut("deliveryWithResourceIdentity").and_then(|it| it.get_mut("destination")),
        ),
        false => (format!("{path}.destination"), push.get_mut("destination")),
    };
    let Some(destination) = destination.and_then(Json::as_object_mut) else {
        return found.missing(&target, "an object with endpointType and properties");
    };
    let kind = destination.entry("endpointType").or_insert(Json::Null);
    found.word(&format!("{target}.endpointType"), kind, DESTINATIONS);
    if kind.as_str() == Some("WebHook") {
        let url = destination.get("properties").and_then(|it| it.get("endpointUrl")).cloned().unwrap_or_default();
        if !url.as_str().is_some_and(|url| url.starts_with("https://") || url.starts_with("http://")) {
            found.add(&format!("{target}.properties.endpointUrl"), &url, "a URL of http or https");
        }
    }
}

/// What both ways of delivery have.
fn attempts(found: &mut Found, path: &str, delivery: &mut Map<String, Json>) {
    delivery.entry("maxDeliveryCount").or_insert_with(|| Json::from(10));
    found.number(&format!("{path}.maxDeliveryCount"), delivery.get("maxDeliveryCount"), 1, 10);
    delivery.entry("eventTimeToLive").or_insert_with(|| Json::from("P7D"));
    let time = delivery.get("eventTimeToLive").cloned().unwrap_or_default();
    if !time.as_str().and_then(seconds).is_some_and(|seconds| (60..=WEEK).contains(&seconds)) {
        found.add(&format!("{path}.eventTimeToLive"), &time, "a duration of ISO 8601 from PT1M to P7D");
    }
}

fn filters(found: &mut Found, filters: &mut Json) {
    const PATH: &str = "properties.filtersConfiguration";
    let Some(filters) = filters.as_object_mut() else { return found.missing(PATH, "an object") };
    let Some(all) = filters.get_mut("filters").filter(|all| !all.is_null()) else { return };
    let path = format!("{PATH}.filters");
    let Some(all) = all.as_array_mut() else { return found.add(&path, all, "a list") };
    if all.len() > FILTERS {
        found.add(&path, &Json::from(all.len()), "at most 25 filters");
    }
    let mut values = 0;
    for (at, filter) in all.iter_mut().enumerate() {
        let path = format!("{path}[{at}]");
        let Some(filter) = filter.as_object_mut() else {
            found.missing(&path, "an object with operatorType, key and values");
            continue;
        };
        found.word(&format!("{path}.operatorType"), filter.entry("operatorType").or_insert(Json::Null), OPERATORS);
        if filter.get("key").and_then(Json::as_str).is_none_or(str::is_empty) {
            found.missing(&format!("{path}.key"), "an attribute of the event, or data.member");
        }
        let given = filter.get("values").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        values += given.len();
        if given.iter().any(|value| value.as_str().is_some_and(|value| value.chars().count() > VALUE)) {
            found.missing(&format!("{path}.values"), "values of at most 512 characters");
        }
    }
    if values > FILTERS {
        found.add(&path, &Json::from(values), "at most 25 values in all filters together");
    }
}

/// The seconds of a duration of ISO 8601 in weeks, days, hours, minutes and seconds.
fn seconds(text: &str) -> Option<u64> {
    let (days, time) = text.strip_prefix('P')?.split_once('T').map_or((text.strip_prefix('P')?, ""), |parts| parts);
    if days.is_empty() && time.is_empty() {
        return None;
    }
    let mut total: u64 = 0;
    for (part, units) in [(days, &[('W', WEEK), ('D', 24 * 3600)][..]), (time, &[('H', 3600), ('M', 60), ('S', 1)][..])]
    {
        let mut rest = part;
        let mut units = units.iter();
        while !rest.is_empty() {
            let end = rest.find(|c: char| !c.is_ascii_digit())?;
            let (number, unit) = rest.split_at_checked(end)?;
            let mut letters = unit.chars();
            let letter = letters.next()?;
            // Each unit at most once, the larger first.
            let (_, factor) = units.find(|(name, _)| *name == letter)?;
            total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(*factor)?)?;
            rest = letters.as_str();
        }
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn durations_are_those_of_iso_8601() {
        for (text, expected) in [("PT1M", 60), ("P7D", 604_800), ("P1DT2H3M4S", 93_784), ("P1W", 604_800)] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for wrong in ["", "P", "PT", "1D", "P1", "PT1D", "P1M", "PT1M1H", "P-1D", "P99999999999999999999D", "pt1m"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
