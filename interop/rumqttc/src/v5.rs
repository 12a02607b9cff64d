//! Its client for MQTT 5.0, which has types of its own.

use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{LastWill, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, Event, Incoming, MqttOptions};
use serde_json::{Value, json};
use tokio::io::{BufReader, Lines, Stdin};

use crate::{Failure, Options, content, next_command, say, say_message};

fn qos(number: Option<u64>) -> QoS {
    match number {
        Some(1) => QoS::AtLeastOnce,
        Some(2) => QoS::ExactlyOnce,
        _ => QoS::AtMostOnce,
    }
}

fn connect_options(options: &Options) -> MqttOptions {
    let (host, port) = options.address();
    let mut mqtt = MqttOptions::new(options.text("client-id"), host, port);
    mqtt.set_transport(options.transport());
    mqtt.set_keep_alive(options.keep_alive());
    mqtt.set_clean_start(options.get("resume").is_none());
    mqtt.set_max_packet_size(Some(2_000_000));
    mqtt.set_session_expiry_interval(options.number("session-expiry"));
    if let Some(name) = options.get("username") {
        mqtt.set_credentials(name, "");
    }
    if let Some(topic) = options.get("will-topic") {
        let payload = content(options.text("will-file"));
        let retain = options.get("will-retain").is_some();
        mqtt.set_last_will(LastWill::new(topic, payload, qos(options.number("will-qos")), retain, None));
    }
    mqtt
}

pub async fn run(options: &Options, mut lines: Lines<BufReader<Stdin>>) -> Result<(), Failure> {
    let (client, mut events) = AsyncClient::new(connect_options(options), 16);
    let (mut admitted, mut leaving, mut received) = (false, false, 0);
    loop {
        tokio::select! {
            event = events.poll() => match event {
                Ok(Event::Incoming(packet)) => match packet {
                    Incoming::ConnAck(connack) => {
                        admitted = true;
                        let present = connack.session_present;
                        say("connected", json!({"reason": 0, "session_present": present, "tls": null}));
                    }
                    Incoming::Publish(publish) => {
                        received += 1;
                        let flags = [publish.qos as u8, publish.retain.into(), publish.dup.into()];
                        let topic = std::str::from_utf8(&publish.topic)?;
                        say_message(options, received, topic, &publish.payload, flags);
                    }
                    // A refusal ends the run with an error of the event loop.
                    Incoming::PubAck(_) | Incoming::PubComp(_) => say("published", json!({"reason": 0})),
                    Incoming::SubAck(suback) => {
                        let reason = |code: &SubscribeReasonCode| match code {
                            SubscribeReasonCode::Success(qos) => *qos as u8,
                            _ => 0x80,
                        };
                        let reasons: Vec<u8> = suback.return_codes.iter().map(reason).collect();
                        say("subscribed", json!({"reasons": reasons}));
                    }
                    Incoming::UnsubAck(_) => say("unsubscribed", json!({"reasons": []})),
                    _ => {}
                },
                Ok(Event::Outgoing(Outgoing::Publish(0))) => say("published", json!({"reason": 0})),
                Ok(Event::Outgoing(Outgoing::Disconnect)) => leaving = true,
                Ok(Event::Outgoing(_)) => {}
                Err(_) if leaving => return Ok(()),
                Err(error) if admitted => {
                    say("disconnected", json!({"reason": 0, "by": "other", "text": error.to_string()}));
                    return Err(error.into());
                }
                Err(error) => return Err(error.into()),
            },
            command = next_command(&mut lines), if admitted && !leaving => match command? {
                Some(command) => obey(&client, &command).await?,
                None => {
                    leaving = true;
                    client.disconnect().await?;
                }
            },
        }
    }
}

async fn obey(client: &AsyncClient, command: &Value) -> Result<(), Failure> {
    let text = |name: &str| command[name].as_str().unwrap_or_default();
    let qos = qos(command["qos"].as_u64());
    match text("do") {
        "publish" => {
            let retain = command["retain"].as_bool().unwrap_or_default();
            client.publish(text("topic"), qos, retain, content(text("file"))).await?;
        }
        "subscribe" => client.subscribe(text("filter"), qos).await?,
        "unsubscribe" => client.unsubscribe(text("filter")).await?,
        // The kernel closes the connection; no DISCONNECT is sent, so the will is due.
        "drop" => std::process::exit(0),
        other => return Err(format!("unknown command {other}").into()),
    }
    Ok(())
}
