//! The MQTT broker of Azure Event Grid namespaces.

use super::BadAddress;
use crate::address::{Address, Carrier, WSS_PORT};
use crate::profile::{Consequence, Limit, LimitValue, Rule, Service};

const SUPPORT: &str = "Event Grid: MQTT support";
const TLS: &str = "Event Grid: TLS";
const LIMITS: &str = "Event Grid: quotas and limits";
const LIFE_CYCLE: &str = "Event Grid: life-cycle event schema";
const RETAIN: &str = "Event Grid: retained messages";
const SHARED: &str = "Event Grid: shared subscriptions";
const NAMESPACE: &str = "Azure Resource Manager: namespaces, topicSpacesConfiguration";

/// What the MQTT broker of an Event Grid namespace limits.
pub static EVENT_GRID: &[Limit] = {
    use Consequence::{LeftOut, LeftToServer, RefusedAtBuild, RefusedAtCall, Split};
    use LimitValue::{Number, Text};
    &[
        Limit::new(
            Rule::Host,
            Text("NAME.REGION-1.ts.eventgrid.azure.net, or a domain of one's own"),
            RefusedAtBuild,
            NAMESPACE,
        ),
        Limit::new(Rule::Port, Text("8883; 443 for wss, path /mqtt"), RefusedAtBuild, SUPPORT),
        Limit::new(Rule::Tls, Text("required, 1.2 or 1.3"), RefusedAtBuild, TLS),
        Limit::new(Rule::Version, Text("3.1.1 or 5.0"), RefusedAtBuild, SUPPORT),
        Limit::new(Rule::ClientId, Number(128), RefusedAtBuild, LIFE_CYCLE),
        Limit::new(
            Rule::Username,
            Text("required, unless the namespace has alternative name sources"),
            RefusedAtBuild,
            SUPPORT,
        ),
        Limit::new(Rule::KeepAliveMaximum, Number(1160), RefusedAtBuild, LIMITS),
        Limit::new(Rule::Qos, Number(1), RefusedAtCall, SUPPORT),
        Limit::new(Rule::WillDelay, Number(300), RefusedAtBuild, SUPPORT),
        Limit::new(Rule::SessionExpiry, Text("28800, or what the namespace says"), LeftToServer, NAMESPACE),
        Limit::new(Rule::ConnectUserProperties, Number(0), RefusedAtBuild, SUPPORT),
        Limit::new(Rule::SubscribeUserProperties, Number(0), RefusedAtCall, SUPPORT),
        Limit::new(Rule::DisconnectUserProperties, Number(0), LeftOut, SUPPORT),
        Limit::new(Rule::AckUserProperties, Number(0), RefusedAtCall, SUPPORT),
        Limit::new(Rule::AuthUserProperties, Number(0), RefusedAtCall, SUPPORT),
        Limit::new(Rule::FailingAck, Number(0), RefusedAtCall, SUPPORT),
        Limit::new(Rule::SubscriptionIdentifiers, Number(0), RefusedAtCall, SUPPORT),
        Limit::new(Rule::SharedSubscriptionsV3, Number(0), RefusedAtCall, SHARED),
        Limit::new(Rule::Packet, Number(512 * 1024), RefusedAtCall, SUPPORT),
        Limit::new(Rule::RetainedPayload, Number(64 * 1024), RefusedAtCall, RETAIN),
        Limit::new(Rule::Topic, Number(256), RefusedAtCall, LIMITS),
        Limit::new(Rule::TopicLevels, Number(15), RefusedAtCall, LIMITS),
        Limit::new(Rule::ResponseTopic, Number(256), RefusedAtCall, LIMITS),
        Limit::new(Rule::CorrelationData, Number(256), RefusedAtCall, LIMITS),
        Limit::new(Rule::ContentType, Number(256), RefusedAtCall, LIMITS),
        Limit::new(Rule::UserProperties, Number(32 * 1024), RefusedAtCall, LIMITS),
        Limit::new(Rule::AuthenticationData, Number(8 * 1024), RefusedAtCall, LIMITS),
        Limit::new(Rule::FiltersPerSubscribe, Number(10), Split, LIMITS),
    ]
};

pub(crate) static SERVICE: Service = Service::new("Event Grid", None, EVENT_GRID);

const MQTT_PORT: u16 = 8883;
/// Where MQTT over WebSocket is.
const PATH: &str = "/mqtt";

/// Where the names of namespaces end, in every cloud.
const DOMAIN: &str = ".eventgrid.azure.";

/// Whether the host is one of Event Grid's own names.
#[cfg(feature = "tls")]
pub(crate) fn is_event_grid(host: &str) -> bool {
    host.to_ascii_lowercase().contains(DOMAIN)
}

/// Checks scheme, host name, port and path. Domains of one's own are anybody's guess.
/// `path`: in place of the address's, with WebSocket.
pub(crate) fn check(address: &Address, path: Option<&str>) -> Result<(), BadAddress> {
    if !address.tls {
        let problem = "Event Grid takes TLS only: begin it with mqtts:// or wss://, or with nothing".to_owned();
        return Err(BadAddress::new(Rule::Tls, problem));
    }
    let host = address.host.to_ascii_lowercase();
    let Some(at) = host.find(DOMAIN) else { return Ok(()) };
    let (name, domain) = host.split_at_checked(at).unwrap_or((&host, ""));
    if name != "ts" && !name.ends_with(".ts") {
        let problem = format!(
            "{host} is the namespace's name for HTTP; its name for MQTT is {name}.ts{domain} (the property \
             topicSpacesConfiguration.hostname)"
        );
        return Err(BadAddress::new(Rule::Host, problem));
    }
    let labels = name.split('.').filter(|label| !label.is_empty()).count();
    if labels < 3 {
        let problem = format!(
            "{host} names no namespace: write NAME.REGION-1.ts{domain}, as the property \
             topicSpacesConfiguration.hostname has it"
        );
        return Err(BadAddress::new(Rule::Host, problem));
    }
    let path = match &address.carrier {
        Carrier::WebSocket { path: own } => path.unwrap_or(own).split('?').next(),
        Carrier::Tcp | Carrier::Unix => None,
    };
    let problem = match (path, address.port) {
        (None, MQTT_PORT) | (Some(PATH), WSS_PORT) => return Ok(()),
        (None, WSS_PORT) => format!(
            "Event Grid speaks MQTT over WebSocket on port {WSS_PORT}: write wss://{host}{PATH} (with the crate's \
             feature websocket), or mqtts://{host}"
        ),
        (None, port) => {
            format!("Event Grid does not listen on port {port}: write mqtts://{host}, or wss://{host}{PATH}")
        }
        // The query is not shown: it may hold a token.
        (Some(_), WSS_PORT) => {
            format!("Event Grid has MQTT over WebSocket at the path {PATH} only: write wss://{host}{PATH}")
        }
        (Some(_), port) => format!(
            "Event Grid has WebSocket on port {WSS_PORT}, not on {port}: write wss://{host}{PATH}, or mqtts://{host}"
        ),
    };
    Err(BadAddress::new(Rule::Port, problem))
}
