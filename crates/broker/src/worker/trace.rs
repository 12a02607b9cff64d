//! What a trace shows: one line of the log for each packet, without payloads and secrets.

use gridmq_proto::session::Output;
use gridmq_proto::session::server::Event;
use gridmq_proto::time::Monotonic;

use super::Conn;
use super::session::end_words;
use crate::trace::Traces;

macro_rules! line {
    ($($parts:tt)*) => {
        tracing::info!(target: "gridmq_broker::trace", $($parts)*)
    };
}

/// Tells what the machine wants done, if somebody traces it.
pub(super) fn tell(traces: &Traces, now: Monotonic, conn: &Conn, output: &Output<Event>) {
    let client = conn.client.as_ref().map(|client| &*client.slot.key.client_id);
    let client_id = client.unwrap_or_default();
    let from = conn.from;
    match output {
        Output::Event(Event::Connect(connect)) => {
            if traces.want(now, Some(&connect.client_id), None) {
                line!(
                    client_id = &*connect.client_id,
                    %from,
                    version = ?connect.version,
                    clean_start = connect.clean_start,
                    keep_alive = connect.keep_alive,
                    "CONNECT received"
                );
            }
        }
        Output::Event(Event::Publish(inbound)) => {
            let message = &inbound.message;
            if traces.want(now, client, Some(&message.topic)) {
                line!(
                    client_id,
                    topic = %message.topic,
                    qos = inbound.qos as u8,
                    retain = inbound.retain,
                    dup = inbound.dup,
                    bytes = message.payload.len(),
                    "PUBLISH received"
                );
            }
        }
        Output::Publish(publish) => {
            let message = publish.message.message();
            if traces.want(now, client, Some(&message.topic)) {
                line!(
                    client_id,
                    topic = %message.topic,
                    qos = publish.qos as u8,
                    retain = publish.retain,
                    dup = publish.dup,
                    packet_id = publish.packet_id.map(|id| id.get()),
                    bytes = message.payload.len(),
                    "PUBLISH sent"
                );
            }
        }
        _ if !traces.want(now, client, None) => {}
        Output::Event(Event::Subscribe(subscribe)) => {
            let filters: Vec<_> = subscribe.filters.iter().map(|wanted| wanted.filter.to_string()).collect();
            line!(client_id, filters = filters.join(" "), "SUBSCRIBE received");
        }
        Output::Event(Event::Unsubscribe(unsubscribe)) => {
            let filters: Vec<_> = unsubscribe.filters.iter().map(ToString::to_string).collect();
            line!(client_id, filters = filters.join(" "), "UNSUBSCRIBE received");
        }
        Output::Event(Event::Delivered { reason, .. }) => line!(client_id, %reason, "delivery done"),
        Output::Event(Event::Ended { end, .. }) => line!(client_id, why = end_words(end), "connection ended"),
        Output::Event(_) => line!(client_id, "AUTH received"),
        Output::Send(packet) => line!(client_id, packet = %packet.packet_type(), "sent"),
        Output::Persist(..) | Output::Close(_) | Output::Timeout(_) => {}
    }
}
