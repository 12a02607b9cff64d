//! One direction: takes messages from one broker, gives them to the other, and acknowledges them when that has them.

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use gridmq_client::error::PublishError;
use gridmq_client::{Client, Filter, Message, MessageProperties, Messages, Published, Subscription, Ticket};
use gridmq_proto::{QoS, TopicName};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::bridge::WINDOW;
use crate::fate::{self, Fate, Loss};
use crate::mapping::Mapping;
use crate::status::{Counters, FlowCounters};

/// How long a SUBSCRIBE may take, and how long until the next one after it has failed.
const SUBSCRIBE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(10));
/// How long what is on its way may take when the bridge stops.
const LEAVING: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Out,
    Inward,
}

/// One direction of a bridge.
pub(crate) struct Carrier {
    pub(crate) name: Arc<str>,
    pub(crate) direction: Direction,
    pub(crate) from: Client,
    pub(crate) to: Client,
    pub(crate) filters: Vec<Filter>,
    pub(crate) mappings: Vec<Mapping>,
    /// Those of the other direction.
    pub(crate) other_way: Vec<Mapping>,
    /// Whether the other broker understands properties.
    pub(crate) properties: bool,
    pub(crate) counters: Arc<Counters>,
    pub(crate) stop: watch::Receiver<bool>,
}

/// A message on its way.
struct Letter {
    /// As it came, with its acknowledgement.
    message: Message,
    topic: TopicName,
    qos: QoS,
    retain: bool,
    attempt: u32,
    /// When it came.
    since: Instant,
}

struct Sent {
    letter: Letter,
    ticket: Ticket,
}

type Subscribing = Pin<Box<dyn Future<Output = Option<Subscription>> + Send>>;

/// The client that a message was to go through has ended, or the bridge is to stop.
struct Over;

impl Carrier {
    fn counters(&self) -> &FlowCounters {
        match self.direction {
            Direction::Out => &self.counters.out,
            Direction::Inward => &self.counters.inward,
        }
    }

    /// Carries until the bridge stops. `subscription`: the one that is made already; `rest` has what none names. The answer is to be dropped when its client
    /// has left: before, that would give the subscription up.
    pub(crate) async fn run(self, mut subscription: Option<Subscription>, mut rest: Messages) -> Option<Subscription> {
        let mut stop = self.stop.clone();
        let mut sent: VecDeque<Sent> = VecDeque::new();
        let mut subscribing = if subscription.is_none() { self.subscribe(Duration::ZERO) } else { None };
        loop {
            let room = sent.len() < usize::from(WINDOW);
            let message = tokio::select! {
                biased;
                () = asked(&mut stop) => break,
                outcome = first(&mut sent), if !sent.is_empty() => {
                    if self.settle(&mut sent, outcome).await.is_err() { break }
                    continue;
                }
                made = made(&mut subscribing), if subscribing.is_some() => {
                    subscribing = if made.is_none() { self.subscribe(SUBSCRIBE.1) } else { None };
                    subscription = made;
                    continue;
                }
                message = next(&mut subscription), if subscription.is_some() && room => {
                    if message.is_none() {
                        subscription = None;
                        subscribing = self.subscribe(SUBSCRIBE.1);
                    }
                    message
                }
                message = rest.next(), if room => match message {
                    Some(message) => Some(message),
                    None => break,
                },
            };
            if let Some(letter) = message.and_then(|message| self.address(message))
                && self.send(letter, &mut sent, false).await.is_err()
            {
                break;
            }
        }
        let _ = timeout(LEAVING, async {
            while !sent.is_empty() && first(&mut sent).await.is_ok() {
                self.arrived(sent.pop_front());
            }
        })
        .await;
        subscription
    }

    /// Subscribes when there is a connection; nothing where nothing is to come.
    fn subscribe(&self, after: Duration) -> Option<Subscribing> {
        if self.filters.is_empty() {
            return None;
        }
        let (client, filters, name, direction) =
            (self.from.clone(), self.filters.clone(), Arc::clone(&self.name), self.direction);
        Some(Box::pin(async move {
            sleep(after).await;
            client.connected().await.ok()?;
            match client.subscribe_all(filters).manual_ack().or_fewer().timeout(SUBSCRIBE.0).await {
                Ok(subscription) => {
                    for refused in subscription.refused() {
                        tracing::warn!(
                            bridge = &*name, ?direction, filter = %refused.filter, reason = %refused.reason,
                            "the broker refuses a subscription: nothing comes from there until it is allowed and the bridge starts again"
                        );
                    }
                    Some(subscription)
                }
                Err(error) => {
                    tracing::warn!(bridge = &*name, ?direction, %error, "cannot subscribe, and tries again");
                    None
                }
            }
        }))
    }

    /// Finds out where a message is to go. What no mapping names is acknowledged and forgotten.
    fn address(&self, mut message: Message) -> Option<Letter> {
        let found = self.mappings.iter().find_map(|mapping| {
            let topic = match self.direction {
                Direction::Out => mapping.to_remote(message.topic()),
                Direction::Inward => mapping.to_local(message.topic()),
            };
            topic.map(|topic| (topic, mapping.qos()))
        });
        let Some((topic, qos)) = found else {
            self.counters.add(&self.counters().unmapped);
            message.ack();
            return None;
        };
        let (qos, retain) = (message.qos().min(qos), message.retain());
        Some(Letter { message, topic, qos, retain, attempt: 1, since: Instant::now() })
    }

    /// Hands a message to the other broker's client, and notes that it is on its way.
    async fn send(&self, mut letter: Letter, sent: &mut VecDeque<Sent>, first: bool) -> Result<(), Over> {
        loop {
            let Some(properties) = self.properties_of(&letter) else {
                self.lost(letter, Loss::Expired, None);
                return Ok(());
            };
            let request = self.to.publish(letter.topic.clone(), letter.message.payload().clone());
            let request = request.qos(letter.qos).retain(letter.retain).properties(properties);
            match request.enqueue().await {
                Ok(ticket) if first => sent.push_front(Sent { letter, ticket }),
                Ok(ticket) => sent.push_back(Sent { letter, ticket }),
                Err(error) => match self.again(letter, error).await? {
                    Some(changed) => {
                        letter = changed;
                        continue;
                    }
                    None => return Ok(()),
                },
            }
            return Ok(());
        }
    }

    /// What became of the first message that is on its way.
    async fn settle(&self, sent: &mut VecDeque<Sent>, outcome: Result<Published, PublishError>) -> Result<(), Over> {
        let front = sent.pop_front();
        let Err(error) = outcome else {
            self.arrived(front);
            return Ok(());
        };
        let Some(Sent { letter, .. }) = front else { return Ok(()) };
        match self.again(letter, error).await? {
            Some(letter) => self.send(letter, sent, true).await,
            None => Ok(()),
        }
    }

    fn arrived(&self, sent: Option<Sent>) {
        if let Some(mut sent) = sent {
            sent.letter.message.ack();
            self.counters.add(&self.counters().forwarded);
        }
    }

    /// Whether and how to try again; waits until then.
    async fn again(&self, mut letter: Letter, error: PublishError) -> Result<Option<Letter>, Over> {
        let fate = match fate::of(&error, letter.attempt) {
            // Its connection has ended, not its client.
            Fate::Over if letter.qos == QoS::AtMostOnce && self.to.disconnected().is_none() => {
                Fate::Lost(Loss::Offline)
            }
            fate => fate,
        };
        match fate {
            Fate::Again(wait) => {
                self.counters.add(&self.counters().retried);
                if letter.attempt.is_power_of_two() {
                    let (bridge, direction, attempt) = (&*self.name, self.direction, letter.attempt);
                    tracing::warn!(bridge, ?direction, attempt, ?wait, %error, "a message is not taken now, and waits");
                }
                letter.attempt = letter.attempt.saturating_add(1);
                let mut stop = self.stop.clone();
                tokio::select! {
                    () = sleep(wait) => {}
                    () = asked(&mut stop) => return Err(Over),
                }
            }
            Fate::Unretained if letter.retain => letter.retain = false,
            Fate::At(qos) if qos < letter.qos => letter.qos = qos,
            Fate::Unretained | Fate::At(_) => {
                self.lost(letter, Loss::Refused, Some(&error));
                return Ok(None);
            }
            Fate::Lost(loss) => {
                self.lost(letter, loss, Some(&error));
                return Ok(None);
            }
            Fate::Over => return Err(Over),
        }
        Ok(Some(letter))
    }

    /// Gives a message up.
    fn lost(&self, mut letter: Letter, loss: Loss, error: Option<&PublishError>) {
        letter.message.ack();
        let counters = self.counters();
        let counter = match loss {
            Loss::TooLarge => &counters.too_large,
            Loss::Refused => &counters.refused,
            Loss::Expired => &counters.expired,
            Loss::Offline => &counters.offline,
        };
        let count = self.counters.add(counter);
        // A line for each would fill the log as fast as messages come.
        if count.is_power_of_two() && loss != Loss::Offline {
            let (bridge, direction) = (&*self.name, self.direction);
            let (topic, qos) = (letter.topic.as_str(), letter.qos as u8);
            let why = error.map(ToString::to_string).unwrap_or_else(|| "its expiry was over".to_owned());
            tracing::warn!(bridge, ?direction, topic, qos, why, count, "messages are given up");
        }
    }

    /// The properties as they are on the other side, with what is left of the expiry; `None`: nothing is left.
    fn properties_of(&self, letter: &Letter) -> Option<MessageProperties> {
        let given = letter.message.properties();
        let gone = letter.since.elapsed().as_secs();
        let left = match given.message_expiry_interval {
            Some(seconds) => Some(u32::try_from(u64::from(seconds).checked_sub(gone).filter(|&left| left > 0)?).ok()?),
            None => None,
        };
        if !self.properties {
            return Some(MessageProperties::default());
        }
        let mut properties = given.clone();
        properties.message_expiry_interval = left;
        if let Some(topic) = &given.response_topic {
            properties.response_topic = Some(self.response_topic(topic));
        }
        Some(properties)
    }

    /// A response comes back by the other direction: its topic is called there what that direction calls it.
    fn response_topic(&self, topic: &TopicName) -> TopicName {
        let translated = self.other_way.iter().find_map(|mapping| match self.direction {
            Direction::Out => mapping.to_remote(topic),
            Direction::Inward => mapping.to_local(topic),
        });
        translated.unwrap_or_else(|| topic.clone())
    }
}

/// Waits until the bridge is to stop: it is told to, or nobody is left who could tell it.
async fn asked(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|&stop| stop).await;
}

async fn first(sent: &mut VecDeque<Sent>) -> Result<Published, PublishError> {
    match sent.front_mut() {
        Some(sent) => (&mut sent.ticket).await,
        None => pending().await,
    }
}

async fn made(subscribing: &mut Option<Subscribing>) -> Option<Subscription> {
    match subscribing {
        Some(subscribing) => subscribing.await,
        None => pending().await,
    }
}

async fn next(subscription: &mut Option<Subscription>) -> Option<Message> {
    match subscription {
        Some(subscription) => subscription.next().await,
        None => pending().await,
    }
}
