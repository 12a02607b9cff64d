//! Presets: what a service refuses is said before anything is sent.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use std::future::IntoFuture;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gridmq_client::error::ConnectErrorKind;
use gridmq_client::preset::{AWS_IOT, EVENT_GRID, ProfileError, Rule};
use gridmq_client::{Client, Options, PublishError, QoS, ReasonCode, SubscribeError, Version, Will};
use gridmq_proto::packet::{ConnAckProperties, Packet, SubAck};
use gridmq_tls::issue::{CertificateAuthority, Validity};
use gridmq_tls::stream::TlsStream;
use gridmq_tls::{Identity, ServerConfig, Trust, TrustSource};
use support::Peer;
use tokio::net::{TcpListener, TcpStream};

const HOST: &str = "contoso.westus3-1.ts.eventgrid.azure.net";

/// Trust in nobody real, so that options are complete.
fn trust() -> Trust {
    let pin = "sha256:".to_owned() + &"00".repeat(32);
    Trust::only(TrustSource::Pin(pin.parse().unwrap())).unwrap()
}

fn grid(host: &str) -> Options {
    Options::event_grid(host).trust(trust()).client_id("session1").username("device1")
}

fn aws(host: &str) -> Options {
    Options::aws_iot(host).trust(trust()).client_id("thing1")
}

fn refused(options: &Options) -> Option<(&'static str, String)> {
    match options.check().err()?.kind() {
        ConnectErrorKind::Option { option, problem } => Some((*option, problem.clone())),
        other => panic!("{other:?}"),
    }
}

fn option(options: &Options) -> Option<&'static str> {
    refused(options).map(|(option, _)| option)
}

#[test]
fn pain_02_event_grid_is_reached_by_its_mqtt_name() {
    for good in [
        HOST,
        "contoso.westus3-1.ts.eventgrid.azure.net:8883",
        "mqtts://CONTOSO.WESTUS3-1.TS.EVENTGRID.AZURE.NET",
        "contoso.usgovvirginia-1.ts.eventgrid.azure.us",
        "mqtt.contoso.example",
        "localhost:18883",
    ] {
        assert_eq!(refused(&grid(good)), None, "{good}");
    }
    // The HTTP name gets the right one proposed.
    let (name, problem) = refused(&grid("contoso.westus3-1.eventgrid.azure.net")).unwrap();
    assert_eq!(name, "address");
    assert!(problem.contains("contoso.westus3-1.ts.eventgrid.azure.net"), "{problem}");
    for bad in [
        "westus3-1.ts.eventgrid.azure.net",
        "contoso.westus3-1.ts.eventgrid.azure.net:1883",
        "mqtt://contoso.westus3-1.ts.eventgrid.azure.net:8883",
        "mqtt://localhost",
    ] {
        assert_eq!(option(&grid(bad)), Some("address"), "{bad}");
    }
    // Also where it is not the first.
    assert_eq!(option(&grid(HOST).server("contoso.westus3-1.eventgrid.azure.net")), Some("address"));
    // Who wants to try all the same may.
    assert_eq!(option(&grid(HOST).keep_alive(Duration::ZERO).service_checks(false)), None);
}

/// Each address that is refused, and the one that is proposed in its place.
#[test]
fn event_grid_has_each_protocol_on_its_port() {
    for (address, proposed) in [
        (format!("{HOST}:443"), format!("wss://{HOST}/mqtt")),
        (format!("mqtts://{HOST}:443"), format!("wss://{HOST}/mqtt")),
        (format!("mqtts://{HOST}:8884"), format!("mqtts://{HOST},")),
        #[cfg(feature = "websocket")]
        (format!("wss://{HOST}:8883"), format!("wss://{HOST}/mqtt")),
        #[cfg(feature = "websocket")]
        (format!("wss://{HOST}/"), format!("wss://{HOST}/mqtt")),
        #[cfg(feature = "websocket")]
        (format!("wss://{HOST}/other?sig=tell-tale"), format!("wss://{HOST}/mqtt")),
    ] {
        let (name, problem) = refused(&grid(&address)).unwrap_or_else(|| panic!("{address}"));
        assert_eq!(name, "address", "{address}");
        assert!(problem.contains(&proposed) && !problem.contains("tell-tale"), "{address}: {problem}");
        assert_eq!(refused(&grid(&address).service_checks(false)), None, "{address}");
    }
    for plain in [format!("mqtt://{HOST}"), format!("mqtt://{HOST}:8883")] {
        assert_eq!(option(&grid(&plain)), Some("address"), "{plain}");
    }
    #[cfg(unix)]
    assert_eq!(option(&grid("unix:///run/grid.sock")), Some("address"));
}

#[cfg(feature = "websocket")]
#[test]
fn event_grid_has_web_socket_on_443() {
    for good in [format!("wss://{HOST}"), format!("wss://{HOST}:443/mqtt"), format!("wss://{HOST}/mqtt?a=b")] {
        assert_eq!(refused(&grid(&good)), None, "{good}");
    }
    assert_eq!(option(&grid(&format!("ws://{HOST}"))), Some("address"));
    // The path that is asked for counts, not the one in the address.
    assert_eq!(refused(&grid(&format!("wss://{HOST}/other")).websocket_path("/mqtt")), None);
    assert_eq!(option(&grid(&format!("wss://{HOST}")).websocket_path("/other")), Some("address"));
    // A domain of one's own, or a server for tests, is taken as it is.
    assert_eq!(refused(&grid("wss://localhost:9001/other")), None);
}

#[test]
fn aws_has_each_protocol_on_its_port() {
    let host = "abc-ats.iot.eu-west-1.amazonaws.com";
    for (address, proposed) in [
        (format!("{host}:8443"), format!("mqtts://{host},")),
        (format!("{host}:1884"), format!("mqtts://{host}:443")),
        (format!("{host}.cn:1884"), format!("mqtts://{host}.cn:443")),
        #[cfg(feature = "websocket")]
        (format!("wss://{host}"), format!("mqtts://{host},")),
        #[cfg(feature = "websocket")]
        ("wss://iot.contoso.example".to_owned(), "mqtts://iot.contoso.example,".to_owned()),
    ] {
        let (name, problem) = refused(&aws(&address)).unwrap_or_else(|| panic!("{address}"));
        assert_eq!(name, "address", "{address}");
        assert!(problem.contains(&proposed), "{address}: {problem}");
    }
    assert_eq!(refused(&aws("iot.contoso.example:8884")), None);
}

#[tokio::test]
async fn lists_of_filters_are_split_as_the_options_say() {
    let (near, far) = tokio::io::duplex(1 << 16);
    let options = Options::plain("memory").client_id("one").filters_per_packet(2);
    let mut server = Peer::new(far, Version::V5);
    let serve = async {
        server.accept(false, ConnAckProperties::default()).await;
        let mut sizes = Vec::new();
        for _ in 0..3 {
            let subscribe = server.subscribe().await;
            sizes.push(subscribe.filters.len());
            let (packet_id, reasons) = (subscribe.packet_id, vec![ReasonCode::GrantedQos1; subscribe.filters.len()]);
            server.send(Packet::SubAck(SubAck { packet_id, properties: <_>::default(), reasons })).await;
        }
        sizes
    };
    let subscribe = async {
        let client = options.connect_over(near).await.unwrap();
        let filters = ["a", "b", "c", "d", "e"].map(|filter| (filter, QoS::AtLeastOnce));
        drop(client.subscribe_all(filters).await.unwrap());
    };
    let (sizes, ()) = tokio::join!(serve, subscribe);
    assert_eq!(sizes, [2, 2, 1]);
    assert_eq!(option(&Options::plain("localhost").filters_per_packet(0)), Some("filters_per_packet"));
}

#[test]
fn event_grid_wants_names_and_modest_values() {
    let seconds = Duration::from_secs;
    let will = |delay| Will::new("status", "gone").delay(seconds(delay));
    for (options, expected) in [
        (grid(HOST).client_id(""), Some("client_id")),
        (grid(HOST).client_id("x".repeat(129)), Some("client_id")),
        (grid(HOST).client_id("x".repeat(128)), None),
        (Options::event_grid(HOST).trust(trust()).client_id("a"), Some("username")),
        (Options::event_grid(HOST).trust(trust()).client_id("a").alternative_name_source(), None),
        (grid(HOST).version(Version::V3_1), Some("version")),
        (grid(HOST).version(Version::V3_1_1), None),
        (grid(HOST).keep_alive(seconds(1160)), None),
        (grid(HOST).keep_alive(seconds(1161)), Some("keep_alive")),
        (grid(HOST).keep_alive(Duration::ZERO), Some("keep_alive")),
        (grid(HOST).user_property("a", "b"), Some("user_property")),
        (grid(HOST).will(will(300)), None),
        (grid(HOST).will(will(301)), Some("will")),
        (grid(HOST).will(will(0).qos(QoS::ExactlyOnce)), Some("will")),
        (grid(HOST).will(Will::new(&"t".repeat(257), "")), Some("will")),
        (grid(HOST).will(Will::new("t", "").user_property("a", "b")), None),
    ] {
        assert_eq!(option(&options), expected);
    }
}

#[test]
fn aws_wants_tls_and_modest_values() {
    let seconds = Duration::from_secs;
    let host = "abc-ats.iot.eu-west-1.amazonaws.com";
    for (options, expected) in [
        (aws(host), None),
        (aws("abc-ats.iot.eu-west-1.amazonaws.com:443"), None),
        (aws("abc-ats.iot.eu-west-1.amazonaws.com:8443"), Some("address")),
        (aws("mqtt://abc-ats.iot.eu-west-1.amazonaws.com"), Some("address")),
        (aws(host).keep_alive(seconds(29)), Some("keep_alive")),
        (aws(host).keep_alive(seconds(1201)), Some("keep_alive")),
        (aws(host).client_id(""), Some("client_id")),
        (aws(host).user_property("a", "b"), None),
        (aws(host).will(Will::new("1/2/3/4/5/6/7/8/9", "")), Some("will")),
        (aws(host).will(Will::new("t", "").qos(QoS::ExactlyOnce)), Some("will")),
    ] {
        assert_eq!(option(&options), expected);
    }
}

#[test]
fn a_plain_broker_needs_nothing_more() {
    Options::plain("localhost").check().unwrap();
    Options::plain("127.0.0.1:1884").user_property("a", "b").check().unwrap();
}

/// A client of the preset, connected over TLS to `localhost` by another address, and the server.
async fn connected(version: Version) -> (Client, Peer<TlsStream<TcpStream>>) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let validity = Validity::days(now, 2);
    let root = CertificateAuthority::new_root("Root", validity).unwrap();
    let issued = root.issue_server(["mqtt.contoso.example"], validity).unwrap();
    let identity = Identity::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes()).unwrap();
    let config = ServerConfig::builder().identity(identity).build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let serve = async {
        let (tcp, _) = listener.accept().await.unwrap();
        let (io, _) = gridmq_tls::stream::accept(tcp, &config).await.unwrap();
        let mut server = Peer::new(io, version);
        server.accept(false, ConnAckProperties::default()).await;
        server
    };
    let options = Options::event_grid(&listener.local_addr().unwrap().to_string())
        .server_name("mqtt.contoso.example")
        .trust(Trust::only_pem(root.certificate_pem().as_bytes()).unwrap())
        .version(version)
        .client_id("session1")
        .username("device1");
    let (client, server) = tokio::join!(options.connect(), serve);
    (client.unwrap(), server)
}

fn rule(error: ProfileError) -> Rule {
    assert_eq!(error.service, "Event Grid");
    error.rule
}

#[tokio::test]
async fn pain_02_requests_that_event_grid_refuses_are_not_sent() {
    let (client, mut server) = connected(Version::V5).await;
    for (request, expected) in [
        (client.publish("a", "b").qos(QoS::ExactlyOnce), Rule::Qos),
        (client.publish("a", vec![0; 512 * 1024]), Rule::Packet),
        (client.publish("a", vec![0; 65 * 1024]).retain(true), Rule::RetainedPayload),
        (client.publish("t".repeat(257), "b"), Rule::Topic),
        (client.publish("1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16", "b"), Rule::TopicLevels),
        (client.publish("a", "b").content_type("x".repeat(257)), Rule::ContentType),
        (client.publish("a", "b").correlation_data(vec![0; 257]), Rule::CorrelationData),
        (client.publish("a", "b").response_topic("r".repeat(257)), Rule::ResponseTopic),
        (client.publish("a", "b").user_property("x", "y".repeat(32 * 1024)), Rule::UserProperties),
    ] {
        match request.await.unwrap_err() {
            PublishError::Service { error, .. } => assert_eq!(rule(error), expected),
            other => panic!("{other:?}"),
        }
    }
    for (request, expected) in [
        (client.subscribe("a", QoS::ExactlyOnce), Rule::Qos),
        (client.subscribe("a", QoS::AtLeastOnce).identifier(1), Rule::SubscriptionIdentifiers),
        (client.subscribe("a", QoS::AtLeastOnce).user_property("a", "b"), Rule::SubscribeUserProperties),
        (client.subscribe("t".repeat(257), QoS::AtLeastOnce), Rule::Topic),
    ] {
        match request.await.unwrap_err() {
            SubscribeError::Service(error) => assert_eq!(rule(error), expected),
            other => panic!("{other:?}"),
        }
    }
    server.silence().await;
    // What it takes goes out, and the connection has not suffered.
    client.publish("a", "b").user_property("a", "b").await.unwrap();
    assert_eq!(server.publish().await.topic.unwrap().as_str(), "a");
    // Leaving does not fail for a user property.
    let leave = client.disconnect().reason_string("done").user_property("a", "b");
    let serve = async {
        match server.packet().await {
            Packet::Disconnect(disconnect) => {
                server.hang_up().await;
                disconnect.properties
            }
            other => panic!("{other:?}"),
        }
    };
    let (left, said) = tokio::join!(leave.into_future(), serve);
    left.unwrap();
    assert_eq!((said.reason_string.as_deref(), said.user_properties.len()), (Some("done"), 0));
}

#[tokio::test]
async fn shared_subscriptions_are_refused_on_3_1_1_where_the_service_would_disconnect() {
    let (client, mut server) = connected(Version::V3_1_1).await;
    match client.subscribe("$share/group/a", QoS::AtLeastOnce).await.unwrap_err() {
        SubscribeError::Service(error) => assert_eq!(rule(error), Rule::SharedSubscriptionsV3),
        other => panic!("{other:?}"),
    }
    server.silence().await;
}

#[test]
fn tables_are_in_the_documentation() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/presets.md")).unwrap();
    for table in [EVENT_GRID, AWS_IOT] {
        let rows: Vec<_> = table.iter().map(ToString::to_string).collect();
        assert!(page.contains(&rows.join("\n")), "docs/presets.md lacks these rows:\n{}", rows.join("\n"));
    }
}
