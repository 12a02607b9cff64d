//! Publishing several messages by one call.

use std::future::IntoFuture;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{Handed, Pending, PublishRequest, Published};
use crate::client::Client;
use crate::error::PublishError;

/// What stands for no deadline.
const LONG: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Messages to publish; await it to send them, and to hear of each.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct PublishAllRequest {
    requests: Vec<PublishRequest>,
    timeout: Option<Duration>,
}

/// A message of the batch.
enum Sent {
    /// It will not be sent.
    Failed(PublishError),
    HandedOver {
        handed: Handed,
        after: Duration,
    },
}

impl Client {
    /// Several messages to publish by one call: cheaper than a future for each, and they are handed over one after the
    /// other without waiting for the server in between. One that cannot be sent does not keep the others.
    ///
    /// The outcomes stand in the order of the messages. At QoS 1 and 2 the server gets the messages in that order; those
    /// of QoS 0 may pass the others where these have to wait.
    ///
    /// Dropped before its end, it hands no more messages over; those that were taken are sent.
    ///
    /// ```no_run
    /// use gridmq_client::{Client, QoS};
    ///
    /// # async fn run(client: Client) {
    /// let readings = ["21.5", "21.7", "21.6"];
    /// let requests = readings.map(|reading| client.publish("sensors/1", reading).qos(QoS::AtLeastOnce));
    /// for (reading, outcome) in readings.iter().zip(client.publish_all(requests).await) {
    ///     if let Err(error) = outcome {
    ///         eprintln!("{reading}: {error}");
    ///     }
    /// }
    /// # }
    /// ```
    pub fn publish_all(&self, requests: impl IntoIterator<Item = PublishRequest>) -> PublishAllRequest {
        PublishAllRequest { requests: requests.into_iter().collect(), timeout: None }
    }
}

impl PublishAllRequest {
    /// How long all of them may take, from the beginning; each message's own timeout, counted from there too, when not
    /// called.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    async fn send(self) -> Vec<Result<Published, PublishError>> {
        let Self { requests, timeout } = self;
        let begin = Instant::now();
        let mut sent = Vec::with_capacity(requests.len());
        for request in requests {
            sent.push(hand_over(request, begin, timeout).await);
        }
        let mut outcomes = Vec::with_capacity(sent.len());
        for sent in sent {
            outcomes.push(outcome(sent, begin).await);
        }
        outcomes
    }
}

fn deadline(begin: Instant, after: Duration) -> Instant {
    begin + after.min(LONG)
}

async fn hand_over(request: PublishRequest, begin: Instant, timeout: Option<Duration>) -> Sent {
    let (client, outgoing, after) = match request.prepare() {
        Ok(prepared) => prepared,
        Err(error) => return Sent::Failed(error),
    };
    let after = timeout.unwrap_or(after);
    let (mut command, handed) = Handed::new(client, outgoing, None);
    let until = deadline(begin, after);
    // Its outcome may be looked at later than that.
    command.until = Some(until);
    match timeout_at(until, handed.client.publishes().send(command)).await {
        Ok(Ok(())) => Sent::HandedOver { handed, after },
        Ok(Err(_)) => Sent::Failed(handed.unanswered()),
        Err(_) => Sent::Failed(handed.late(after)),
    }
}

async fn outcome(sent: Sent, begin: Instant) -> Result<Published, PublishError> {
    let (mut handed, after) = match sent {
        Sent::Failed(error) => return Err(error),
        Sent::HandedOver { handed, after } => (handed, after),
    };
    let until = deadline(begin, after);
    match timeout_at(until, &mut handed.answer).await {
        Ok(Ok(outcome)) => outcome,
        // The driver lets go of what it finds too late; of the others, when it ends.
        Ok(Err(_)) if Instant::now() < until || handed.client.disconnected().is_some() => Err(handed.unanswered()),
        Ok(Err(_)) | Err(_) => Err(handed.late(after)),
    }
}

impl IntoFuture for PublishAllRequest {
    type Output = Vec<Result<Published, PublishError>>;
    type IntoFuture = Pending<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
