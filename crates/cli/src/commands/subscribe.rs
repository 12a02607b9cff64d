//! `gridmq sub`: prints messages.

use std::future::poll_fn;
use std::num::NonZeroU64;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use base64ct::{Base64, Encoding};
use clap::Args;
use futures_core::Stream;
use gridmq_client::{Client, Message, SubscribeError, Subscription};
use gridmq_proto::{QoS, SubscriptionFilter};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::publish::qos;
use crate::connection::{Options, Prepared, Run, connect};
use crate::error::{Failure, Outcome};
use crate::log;
use crate::output::Style;
use crate::property::{Packet, Property};
use crate::signal::Stop;

const HELP: &str = r"Examples. While gridmq quickstart runs in this directory:
  gridmq sub -h localhost -p 8883 -t contosotopics/topic1 -q 1 \
    --cafile gridmq-quickstart/root-ca.pem \
    --cert gridmq-quickstart/client2-authn-ID.pem \
    --key gridmq-quickstart/client2-authn-ID.key \
    -u client2-authn-ID -i client2-session1

While gridmq serve --plain 1883 runs:
  gridmq sub -h localhost -p 1883 -t 'a/#' -v";

/// Subscribe and print messages
///
/// Options are named as those of mosquitto_sub. Each payload is printed as it is, followed by a line feed. Ends at
/// Ctrl-C, or as -C and -W say.
#[derive(Debug, Args)]
#[command(
    disable_help_flag = true,
    disable_version_flag = true,
    version,
    after_help = HELP
)]
pub(crate) struct Arguments {
    /// A topic filter, with + and # as wildcards; may be repeated
    #[arg(short = 't', long = "topic", value_name = "FILTER", required = true)]
    filters: Vec<String>,
    /// The highest quality of service wanted: 0, 1 or 2
    #[arg(short = 'q', long, value_name = "QOS", default_value = "0", value_parser = qos)]
    qos: QoS,
    /// End with exit code 0 after this many messages
    #[arg(short = 'C', long, value_name = "COUNT", value_parser = count)]
    count: Option<NonZeroU64>,
    /// End with exit code 1 after this many seconds
    #[arg(short = 'W', long, value_name = "SECONDS", value_parser = seconds)]
    wait: Option<u32>,
    /// Print the topic before each payload
    #[arg(short = 'v', long)]
    verbose: bool,
    #[command(flatten)]
    log: log::LogOptions,
    /// A line of JSON for each message: its payload as text, or as payload_base64 if it is none
    #[arg(long, conflicts_with = "verbose")]
    json: bool,
    #[command(flatten)]
    connection: Options,
}

pub(crate) async fn run(arguments: Arguments) -> Outcome {
    let Arguments { filters, qos, count, wait, verbose, log, json, connection } = arguments;
    log.start()?;
    let filters = filters.iter().map(|text| filter(text)).collect::<Result<Vec<_>, _>>()?;
    let Prepared { builder, properties } = connection.prepare(Packet::Subscribe, Run::Long)?;
    let mut stop = Stop::listen()?;
    let deadline = async {
        match wait {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds.into())).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(deadline);
    let late = || Failure::failed(format!("time is up: {} s have passed (-W)", wait.unwrap_or_default()));

    let client = tokio::select! {
        client = connect(builder) => client?,
        () = &mut deadline => return Err(late()),
        () = stop.asked() => return Err(Failure::failed("interrupted before the connection was made")),
    };
    let form = if json {
        Form::Json
    } else if verbose {
        Form::TopicAndPayload
    } else {
        Form::Payload
    };
    // They outlive the connection: one that is dropped earlier is given up, and a session may be left to be resumed.
    let mut subscriptions = Vec::with_capacity(filters.len());
    let outcome = tokio::select! {
        outcome = async {
            subscribe(&client, filters, qos, &properties, &mut subscriptions).await?;
            receive(&client, &mut subscriptions, count, form).await
        } => outcome,
        () = &mut deadline => Err(late()),
        () = stop.asked() => Ok(()),
    };
    let left = client.disconnect().await;
    outcome?;
    Ok(left?)
}

fn seconds(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "expected whole seconds".to_owned())
}

fn count(text: &str) -> Result<NonZeroU64, String> {
    text.parse().map_err(|_| "expected a whole number of messages, 1 or more".to_owned())
}

fn filter(text: &str) -> Result<SubscriptionFilter, Failure> {
    SubscriptionFilter::try_from(text)
        .map_err(|error| Failure::usage(format!("the topic filter {text:?} cannot be subscribed to: {error}")))
}

async fn subscribe(
    client: &Client,
    filters: Vec<SubscriptionFilter>,
    qos: QoS,
    properties: &[Property],
    subscriptions: &mut Vec<Subscription>,
) -> Outcome {
    let mut refused = Vec::new();
    for filter in filters {
        let shown = format!("the topic filter {filter}");
        let mut request = client.subscribe(filter, qos);
        for property in properties {
            request = match property {
                Property::SubscriptionIdentifier(id) => request.identifier(*id),
                Property::User(key, value) => request.user_property(key.as_str(), value.as_str()),
                // The others were assigned to other packets.
                _ => request,
            };
        }
        match request.await {
            Ok(subscription) => subscriptions.push(subscription),
            Err(error @ SubscribeError::Refused { .. }) => refused.push(format!("{shown}: {error}")),
            Err(error) => return Err(Failure::failed(error).during(shown)),
        }
    }
    if subscriptions.is_empty() {
        return Err(Failure::failed(refused.join("\n")));
    }
    for refused in refused {
        Style::stderr().warning(&format!("{refused}; going on with the others"));
    }
    Ok(())
}

async fn receive(
    client: &Client,
    subscriptions: &mut [Subscription],
    count: Option<NonZeroU64>,
    form: Form,
) -> Outcome {
    let mut out = tokio::io::stdout();
    let mut left = count.map(NonZeroU64::get);
    while left != Some(0) {
        let (at, message) = next(subscriptions).await;
        let Some(message) = message else {
            return Err(match client.disconnected() {
                Some(cause) => Failure::failed(cause),
                None => Failure::failed("the connection ended"),
            });
        };
        if !is_first(subscriptions, at, &message) {
            continue;
        }
        let printed = async {
            out.write_all(&form.print(&message)).await?;
            out.flush().await
        };
        printed.await.map_err(|error| Failure::output(&error))?;
        left = left.map(|left| left - 1);
    }
    Ok(())
}

/// The next message and whose it is; nothing when one has ended, which they all do together.
async fn next(subscriptions: &mut [Subscription]) -> (usize, Option<Message>) {
    poll_fn(|context| {
        for (at, subscription) in subscriptions.iter_mut().enumerate() {
            if let Poll::Ready(message) = Pin::new(subscription).poll_next(context) {
                return Poll::Ready((at, message));
            }
        }
        Poll::Pending
    })
    .await
}

/// Whether this subscription is the first that gets the message: every packet goes to all that match, and is to be
/// printed once. An identifier, where there is one, is the same for all.
fn is_first(subscriptions: &[Subscription], at: usize, message: &Message) -> bool {
    let identified = !message.subscription_identifiers().is_empty();
    let had = |earlier: &Subscription| earlier.filters().iter().any(|had| had.filter.filter().matches(message.topic()));
    subscriptions.iter().take(at).all(|earlier| !identified && !had(earlier))
}

#[derive(Debug, Clone, Copy)]
enum Form {
    Payload,
    TopicAndPayload,
    Json,
}

impl Form {
    fn print(self, message: &Message) -> Vec<u8> {
        let mut line = match self {
            Self::Payload => message.payload().to_vec(),
            Self::TopicAndPayload => {
                let mut line = format!("{} ", message.topic()).into_bytes();
                line.extend_from_slice(message.payload());
                line
            }
            Self::Json => document(message).to_string().into_bytes(),
        };
        line.push(b'\n');
        line
    }
}

fn document(message: &Message) -> Value {
    let mut document = json!({
        "topic": message.topic().as_str(),
        "qos": message.qos() as u8,
        "retain": message.retain(),
    });
    match std::str::from_utf8(message.payload()) {
        Ok(text) => document["payload"] = text.into(),
        Err(_) => document["payload_base64"] = Base64::encode_string(message.payload()).into(),
    }
    let properties = message.properties();
    if !properties.is_empty() {
        document["properties"] = json!({
            "payloadFormatIndicator": properties.payload_format_indicator,
            "messageExpiryInterval": properties.message_expiry_interval,
            "contentType": properties.content_type.as_deref(),
            "responseTopic": properties.response_topic.as_ref().map(gridmq_proto::TopicName::as_str),
            "correlationDataBase64": properties.correlation_data.as_deref().map(Base64::encode_string),
            "userProperties": properties.user_properties.iter()
                .map(|(key, value)| json!([key.to_string(), value.to_string()])).collect::<Vec<_>>(),
        });
    }
    document
}
