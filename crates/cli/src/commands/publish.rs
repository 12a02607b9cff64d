//! `gridmq pub`: publishes messages.

use std::path::PathBuf;

use bytes::Bytes;
use clap::{ArgGroup, Args};
use gridmq_client::error::PingError;
use gridmq_client::{Client, DisconnectCause};
use gridmq_proto::{MessageProperties, QoS, TopicName};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::connection::{Options, Prepared, Run, connect};
use crate::error::{Failure, Outcome};
use crate::files;
use crate::property::{Packet, Property};
use crate::signal::Stop;
use crate::{log, output};

/// The largest message that MQTT can carry, less its topic.
const MAX_MESSAGE: u64 = 268_435_455;

const HELP: &str = r"Examples. While gridmq quickstart runs in this directory:
  gridmq pub -h localhost -p 8883 -t contosotopics/topic1 -q 1 \
    --cafile gridmq-quickstart/root-ca.pem \
    --cert gridmq-quickstart/client1-authn-ID.pem \
    --key gridmq-quickstart/client1-authn-ID.key \
    -u client1-authn-ID -i client1-session1 -m 'hello world!'

While gridmq serve --plain 1883 runs:
  gridmq pub -h localhost -p 1883 -t a/topic -m hello";

/// Publish messages
///
/// Options are named as those of mosquitto_pub. A message of QoS 1 or 2 is done when the broker has answered.
#[derive(Debug, Args)]
#[command(disable_help_flag = true, disable_version_flag = true, version,
    group(ArgGroup::new("source").required(true).args(["message", "file", "lines", "stdin", "null"])),
    after_help = HELP)]
pub(crate) struct Arguments {
    /// The topic, without wildcards
    #[arg(short = 't', long, value_name = "TOPIC")]
    topic: String,
    /// Publish this text
    #[arg(short = 'm', long, value_name = "TEXT", allow_hyphen_values = true)]
    message: Option<String>,
    /// Publish what is in this file
    #[arg(short = 'f', long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Publish every line of standard input
    #[arg(short = 'l', long = "stdin-line")]
    lines: bool,
    /// Publish standard input as one message
    #[arg(short = 's', long = "stdin-file")]
    stdin: bool,
    /// Publish a message without content
    #[arg(short = 'n', long = "null-message")]
    null: bool,
    /// Quality of service: 0 at most once, 1 at least once, 2 exactly once
    #[arg(short = 'q', long, value_name = "QOS", default_value = "0", value_parser = qos)]
    qos: QoS,
    /// Have the broker keep it for those who subscribe later
    #[arg(short = 'r', long)]
    retain: bool,
    #[command(flatten)]
    log: log::LogOptions,
    /// Say what the broker answered, a line of JSON for each message
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Options,
}

/// Reads `-q`.
pub(in crate::commands) fn qos(text: &str) -> Result<QoS, String> {
    match text {
        "0" => Ok(QoS::AtMostOnce),
        "1" => Ok(QoS::AtLeastOnce),
        "2" => Ok(QoS::ExactlyOnce),
        _ => Err("expected 0, 1 or 2".to_owned()),
    }
}

/// What every message has in common.
struct Envelope {
    topic: TopicName,
    qos: QoS,
    retain: bool,
    properties: MessageProperties,
    json: bool,
}

enum Source {
    One(Bytes),
    Lines,
    Stdin,
}

pub(crate) async fn run(arguments: Arguments) -> Outcome {
    let Arguments { topic, message, file, lines, stdin, null: _, qos, retain, log, json, connection } = arguments;
    log.start()?;
    let topic = TopicName::try_from(topic.as_str())
        .map_err(|error| Failure::usage(format!("the topic {topic:?} cannot be published to: {error}")))?;
    let source = match (message, &file) {
        (Some(text), _) => Source::One(text.into()),
        (None, Some(path)) => Source::One(files::read(path, MAX_MESSAGE, "the message file")?.into()),
        (None, None) if lines => Source::Lines,
        (None, None) if stdin => Source::Stdin,
        (None, None) => Source::One(Bytes::new()),
    };
    let Prepared { builder, properties } =
        connection.prepare(Packet::Publish, if lines { Run::Long } else { Run::Short })?;
    let envelope = Envelope { topic, qos, retain, properties: message_properties(properties)?, json };
    let mut stop = Stop::listen()?;
    let client = tokio::select! {
        client = connect(builder) => client?,
        () = stop.asked() => return Err(Failure::failed("interrupted before the connection was made")),
    };
    let outcome = tokio::select! {
        outcome = async {
            publish_all(&client, source, &envelope).await?;
            if qos == QoS::AtMostOnce { not_refused(&client).await } else { Ok(()) }
        } => outcome,
        () = stop.asked() => Err(Failure::failed("interrupted before everything was published")),
    };
    let left = client.disconnect().await;
    outcome?;
    Ok(left?)
}

/// Nothing acknowledges a message of QoS 0: one that was refused shows only in that the broker ends the connection.
async fn not_refused(client: &Client) -> Outcome {
    let ended = |cause: DisconnectCause| Err(Failure::failed(cause).during("a message of QoS 0 may be lost"));
    match client.ping().await {
        Err(PingError::Disconnected(cause)) => return ended(cause),
        // It does not answer, which is not an answer to the message either.
        Err(error) => tracing::warn!(%error, "the broker may not have read everything"),
        Ok(()) => {}
    }
    client.disconnected().map_or(Ok(()), ended)
}

async fn publish_all(client: &Client, source: Source, envelope: &Envelope) -> Outcome {
    let unreadable = |error: std::io::Error| Failure::failed(format!("standard input cannot be read: {error}"));
    match source {
        Source::One(payload) => publish(client, payload, envelope).await,
        Source::Stdin => {
            let mut payload = Vec::new();
            tokio::io::stdin().take(MAX_MESSAGE).read_to_end(&mut payload).await.map_err(unreadable)?;
            publish(client, payload.into(), envelope).await
        }
        Source::Lines => {
            let mut input = BufReader::new(tokio::io::stdin());
            loop {
                let mut line = Vec::new();
                if input.read_until(b'\n', &mut line).await.map_err(unreadable)? == 0 {
                    return Ok(());
                }
                if line.last() == Some(&b'\n') {
                    line.pop();
                }
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                publish(client, line.into(), envelope).await?;
            }
        }
    }
}

async fn publish(client: &Client, payload: Bytes, envelope: &Envelope) -> Outcome {
    let bytes = payload.len();
    let published = client
        .publish(envelope.topic.clone(), payload)
        .qos(envelope.qos)
        .retain(envelope.retain)
        .properties(envelope.properties.clone())
        .await?;
    if envelope.json {
        let acknowledged = envelope.qos != QoS::AtMostOnce;
        let mut said = serde_json::json!({
            "topic": envelope.topic.as_str(),
            "qos": envelope.qos as u8,
            "retain": envelope.retain,
            "bytes": bytes,
            "acknowledged": acknowledged,
        });
        if acknowledged {
            said["reason"] = published.reason.name().into();
            said["reasonCode"] = published.reason.as_u8().into();
        }
        return output::json(&said);
    }
    Ok(())
}

fn message_properties(given: Vec<Property>) -> Result<MessageProperties, Failure> {
    let mut properties = MessageProperties::default();
    for property in given {
        match property {
            Property::ContentType(text) => properties.content_type = Some(text.into()),
            Property::ResponseTopic(topic) => {
                let topic = TopicName::try_from(topic.as_str())
                    .map_err(|error| Failure::usage(format!("the response topic {topic:?}: {error}")))?;
                properties.response_topic = Some(topic);
            }
            Property::CorrelationData(data) => properties.correlation_data = Some(data.into()),
            Property::MessageExpiryInterval(time) => {
                properties.message_expiry_interval = Some(u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
            }
            Property::PayloadFormatIndicator(text) => properties.payload_format_indicator = Some(text),
            Property::User(key, value) => properties.user_properties.push((key.into(), value.into())),
            // The others were assigned to other packets.
            _ => {}
        }
    }
    Ok(properties)
}
