//! rumqttc under measurement, in both its versions.

use std::error::Error;
use std::time::{Duration, Instant};

use bytes::Bytes;
use peer_harness::{Arguments, Latencies, Measure, RATE, Scenario, TOPIC, stamp};
use rumqttc::{NetworkOptions, TlsConfiguration, Transport};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const VERSION: &str = env!("CLIENT_VERSION");

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let args = Arguments::read();
    runtime.block_on(async {
        match args.mqtt {
            4 => v4::run(&args).await,
            _ => v5::run(&args).await,
        }
    })
}

fn transport(args: &Arguments) -> Option<Transport> {
    let ca = args.ca.clone()?;
    let client_auth = args.identity.clone();
    Some(Transport::tls_with_config(TlsConfiguration::Simple { ca, alpn: None, client_auth }))
}

fn network(args: &Arguments) -> NetworkOptions {
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(args.nodelay);
    network
}

/// Its versions are two modules with the same names.
macro_rules! scenarios {
    () => {
        fn qos(args: &Arguments) -> QoS {
            match args.qos {
                0 => QoS::AtMostOnce,
                1 => QoS::AtLeastOnce,
                _ => QoS::ExactlyOnce,
            }
        }

        pub async fn run(args: &Arguments) -> Result<()> {
            match args.scenario {
                Scenario::Publish => publish(args).await,
                Scenario::Receive => receive(args).await,
                Scenario::Latency => latency(args).await,
                Scenario::Connect => connect(args).await,
            }
        }

        async fn connected(args: &Arguments) -> Result<(AsyncClient, EventLoop)> {
            let (client, mut events) = open(args);
            while !matches!(events.poll().await?, Event::Incoming(Packet::ConnAck(_))) {}
            Ok((client, events))
        }

        async fn leave(client: AsyncClient, mut events: EventLoop) -> Result<()> {
            client.disconnect().await?;
            while !matches!(events.poll().await, Err(_) | Ok(Event::Outgoing(Outgoing::Disconnect))) {}
            Ok(())
        }

        async fn publish(args: &Arguments) -> Result<()> {
            let (client, mut events) = connected(args).await?;
            let (count, level) = (args.count, qos(args));
            let payload = Bytes::from(args.payload());
            let measure = Measure::start();
            let sending = tokio::spawn(async move {
                for _ in 0..count {
                    send(&client, level, payload.clone()).await?;
                }
                if level == QoS::AtMostOnce {
                    send(&client, QoS::AtLeastOnce, Bytes::from_static(b"end")).await?;
                }
                Ok::<_, rumqttc_error::ClientError>(client)
            });
            let mut left = if args.qos == 0 { 1 } else { count };
            while left > 0 {
                match events.poll().await? {
                    Event::Incoming(Packet::PubAck(_) | Packet::PubComp(_)) => left -= 1,
                    _ => {}
                }
            }
            measure.finish(VERSION, args, &[]);
            leave(sending.await??, events).await
        }

        async fn receive(args: &Arguments) -> Result<()> {
            let (client, mut events) = connected(args).await?;
            let measure = Measure::start();
            client.subscribe(TOPIC, qos(args)).await?;
            let mut left = args.count;
            while left > 0 {
                if let Event::Incoming(Packet::Publish(_)) = events.poll().await? {
                    left -= 1;
                }
            }
            measure.finish(VERSION, args, &[]);
            leave(client, events).await
        }

        async fn latency(args: &Arguments) -> Result<()> {
            let (client, mut events) = connected(args).await?;
            client.subscribe(TOPIC, qos(args)).await?;
            while !matches!(events.poll().await?, Event::Incoming(Packet::SubAck(_))) {}
            let mut latencies = Latencies::default();
            let (mut payload, count, level) = (args.payload(), args.count, qos(args));
            let start = Instant::now();
            let measure = Measure::start();
            let sending = tokio::spawn(async move {
                let mut ticks = tokio::time::interval(Duration::from_secs(1) / RATE);
                for _ in 0..count {
                    ticks.tick().await;
                    stamp(&mut payload, start);
                    send(&client, level, Bytes::from(payload.clone())).await?;
                }
                Ok::<_, rumqttc_error::ClientError>(client)
            });
            while latencies.len() < count {
                if let Event::Incoming(Packet::Publish(publish)) = events.poll().await? {
                    latencies.arrived(start, &publish.payload);
                }
            }
            measure.finish(VERSION, args, &latencies.summary());
            leave(sending.await??, events).await
        }

        async fn connect(args: &Arguments) -> Result<()> {
            let measure = Measure::start();
            for _ in 0..args.count {
                let (client, events) = connected(args).await?;
                leave(client, events).await?;
            }
            measure.finish(VERSION, args, &[]);
            Ok(())
        }

        async fn send(
            client: &AsyncClient,
            level: QoS,
            payload: Bytes,
        ) -> std::result::Result<(), rumqttc_error::ClientError> {
            client.publish(TOPIC, level, false, payload).await
        }
    };
}

mod v4 {
    use rumqttc::{self as rumqttc_error, AsyncClient, Event, EventLoop, MqttOptions, Outgoing, Packet, QoS};

    use super::*;

    fn open(args: &Arguments) -> (AsyncClient, EventLoop) {
        let mut options = MqttOptions::new(args.client_id(), "localhost", args.port);
        options.set_inflight(args.window as u16).set_max_packet_size(1 << 20, 1 << 20);
        if let Some(transport) = transport(args) {
            options.set_transport(transport);
        }
        if let Some(user) = &args.user {
            options.set_credentials(user, "");
        }
        let (client, mut events) = AsyncClient::new(options, args.window);
        events.set_network_options(network(args));
        (client, events)
    }

    scenarios!();
}

mod v5 {
    use rumqttc::Outgoing;
    use rumqttc::v5::mqttbytes::QoS;
    use rumqttc::v5::mqttbytes::v5::Packet;
    use rumqttc::v5::{self as rumqttc_error, AsyncClient, Event, EventLoop, MqttOptions};

    use super::*;

    fn open(args: &Arguments) -> (AsyncClient, EventLoop) {
        let mut options = MqttOptions::new(args.client_id(), "localhost", args.port);
        options.set_outgoing_inflight_upper_limit(args.window as u16).set_max_packet_size(Some(1 << 20));
        options.set_network_options(network(args));
        if let Some(transport) = transport(args) {
            options.set_transport(transport);
        }
        if let Some(user) = &args.user {
            options.set_credentials(user, "");
        }
        AsyncClient::new(options, args.window)
    }

    scenarios!();
}
