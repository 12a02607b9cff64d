//! AWS IoT Core.

use super::BadAddress;
use crate::address::{Address, Carrier};
use crate::profile::{Consequence, Limit, LimitValue, Rule, Service};

const PROTOCOLS: &str = "AWS IoT Core: device communication protocols";
const DIFFERENCES: &str = "AWS IoT Core: differences from MQTT specifications";
const QUOTAS: &str = "AWS IoT Core: endpoints and quotas";

/// What AWS IoT Core limits.
pub static AWS_IOT: &[Limit] = {
    use Consequence::{RefusedAtBuild, RefusedAtCall, Split};
    use LimitValue::{Number, Text};
    &[
        Limit::new(Rule::Port, Text("8883; 443 with ALPN x-amzn-mqtt-ca or mqtt"), RefusedAtBuild, PROTOCOLS),
        Limit::new(Rule::Tls, Text("required, 1.2 or 1.3"), RefusedAtBuild, PROTOCOLS),
        Limit::new(Rule::Version, Text("3.1.1 or 5.0"), RefusedAtBuild, DIFFERENCES),
        Limit::new(Rule::ClientId, Number(128), RefusedAtBuild, QUOTAS),
        Limit::new(Rule::KeepAliveMinimum, Number(30), RefusedAtBuild, QUOTAS),
        Limit::new(Rule::KeepAliveMaximum, Number(1200), RefusedAtBuild, QUOTAS),
        Limit::new(Rule::Qos, Number(1), RefusedAtCall, DIFFERENCES),
        Limit::new(Rule::SubscriptionIdentifiers, Number(0), RefusedAtCall, DIFFERENCES),
        Limit::new(Rule::Payload, Number(128 * 1024), RefusedAtCall, QUOTAS),
        Limit::new(Rule::Topic, Number(256), RefusedAtCall, QUOTAS),
        Limit::new(Rule::TopicLevels, Number(8), RefusedAtCall, QUOTAS),
        Limit::new(Rule::FiltersPerSubscribe, Number(8), Split, QUOTAS),
    ]
};

/// Basic Ingest: `$aws/rules/NAME/` in front of a topic does not count.
pub(crate) static SERVICE: Service = Service::new("AWS IoT Core", Some(("$aws/rules/", 3)), AWS_IOT);

/// The port at which protocols are told apart by ALPN.
#[cfg(feature = "tls")]
const SHARED_PORT: u16 = 443;

/// Checks scheme and port. Endpoints can have domains of one's own, behind whatever port.
pub(crate) fn check(address: &Address) -> Result<(), BadAddress> {
    if !address.tls {
        let problem = "AWS IoT Core takes TLS only: begin it with mqtts://, or with nothing".to_owned();
        return Err(BadAddress::new(Rule::Tls, problem));
    }
    let Address { host, port, .. } = address;
    if matches!(address.carrier, Carrier::WebSocket { .. }) {
        let problem = format!(
            "WebSocket to AWS IoT Core wants requests signed by Signature Version 4, which this client does not do: \
             write mqtts://{host}, or mqtts://{host}:443"
        );
        return Err(BadAddress::new(Rule::Port, problem));
    }
    let name = host.to_ascii_lowercase();
    let is_own = name.ends_with(".amazonaws.com") || name.ends_with(".amazonaws.com.cn");
    if is_own && !matches!(port, 8883 | 443) {
        let why = if *port == 8443 { "its port 8443 is for HTTP".to_owned() } else { format!("not on port {port}") };
        let problem = format!(
            "AWS IoT Core speaks MQTT on port 8883, and on 443 by ALPN; {why}: write mqtts://{host}, or \
             mqtts://{host}:443"
        );
        return Err(BadAddress::new(Rule::Port, problem));
    }
    Ok(())
}

/// What to offer by ALPN where the application has not said: on the shared port, what a certificate or a user name
/// stand for.
#[cfg(feature = "tls")]
pub(crate) fn protocols(port: u16, has_identity: bool) -> Vec<Vec<u8>> {
    match (port, has_identity) {
        (SHARED_PORT, true) => vec![b"x-amzn-mqtt-ca".to_vec()],
        (SHARED_PORT, false) => vec![b"mqtt".to_vec()],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_told_apart_on_the_shared_port_only() {
        assert_eq!(protocols(443, true), [b"x-amzn-mqtt-ca".to_vec()]);
        assert_eq!(protocols(443, false), [b"mqtt".to_vec()]);
        assert!(protocols(8883, true).is_empty());
    }
}
