//! The bridge as a client of the broker in its process.

use std::io;
use std::time::Duration;

use gridmq_broker::Control;
use gridmq_client::{Client, ConnectError, Decision, Dialer, Dialing, Options, QueueOptions, Reconnect, Target};
use gridmq_proto::TopicFilter;

/// What the client identifiers of bridges begin with, in the broker in their process.
pub const CLIENT_ID_PREFIX: &str = "$bridge/";

/// Between two attempts to reach the broker in this process: the first wait, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// Sessions that are looked at in one go.
const PAGE: usize = 1000;

#[derive(Debug)]
struct Inside(Control);

impl Dialer for Inside {
    fn dial<'a>(&'a self, _: Target<'a>) -> Dialing<'a> {
        Box::pin(async move {
            let stream = self.0.dial().await.map_err(io::Error::other)?;
            Ok(Box::new(stream) as _)
        })
    }
}

/// Starts the client. Its session outlives it.
pub(crate) fn start(control: Control, client_id: &str, window: u16) -> Result<Client, ConnectError> {
    let reconnect = Reconnect::new().first_wait(WAITS.0).longest_wait(WAITS.1).judge(|_| Decision::retry());
    Options::new("mqtt://program")
        .dialer(std::sync::Arc::new(Inside(control)))
        .client_id(client_id)
        .clean_start(false)
        .session_expiry(Duration::from_secs(u32::MAX.into()))
        .keep_alive(Duration::ZERO)
        .receive_maximum(window)
        .maximum_packet_size(u32::MAX)
        .queue(QueueOptions::new().messages(2 * usize::from(window)).bytes(usize::MAX))
        .reconnect(reconnect)
        .start()
}

/// Takes subscriptions away that an earlier configuration made.
pub(crate) async fn forget_other_filters(control: &Control, client_id: &str, wanted: &[&TopicFilter]) {
    let Some(session) = control.session(client_id).await else { return };
    for (filter, _) in session.subscriptions {
        if !wanted.contains(&filter.filter()) {
            tracing::info!(client_id, %filter, "the bridge no longer carries this");
            control.unsubscribe(client_id, filter).await;
        }
    }
}

/// Ends the sessions of bridges that are no longer there, with what they hold: of those whose names are not among
/// `names`. To be called once, after the broker's start: what waits for a bridge that never comes would fill its queue.
/// Answers how many.
pub async fn discard_others(control: &Control, names: &[&str]) -> usize {
    let mut discarded = 0;
    let mut cursor = None;
    loop {
        let page = control.sessions(cursor.take(), PAGE).await;
        for session in page.sessions {
            let Some(name) = session.client_id.strip_prefix(CLIENT_ID_PREFIX) else { continue };
            if !names.contains(&name) && control.discard(&session.client_id).await {
                discarded += 1;
                let messages = session.queued_messages;
                tracing::warn!(bridge = name, messages, "there is no such bridge any more: its session has ended");
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            return discarded;
        }
    }
}
