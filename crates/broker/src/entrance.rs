//! From a connection that was taken to a stream of MQTT: who says it is whose, TLS, the upgrade to WebSocket.

use std::sync::Arc;

use gridmq_namespace::gate::Transport;
use gridmq_proto::time::Monotonic;
use gridmq_tls::PresentedPeer;
use gridmq_tls::stream::TlsStream;

use crate::credentials::TlsCell;
use crate::listener::{Door, Security, Socket};
use crate::mailbox::Accepted;
use crate::observer::Occurrence;
use crate::peer::PeerAddress;
use crate::shared::Shared;
use crate::stream::Stream;
use crate::{proxy, websocket};

/// Who has come.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) from: PeerAddress,
    /// When the connection was taken.
    pub(crate) at: Monotonic,
    pub(crate) door: Arc<Door>,
    pub(crate) transport: Transport,
    /// What it showed in the TLS handshake.
    pub(crate) presented: Option<PresentedPeer>,
    /// The common name of its certificate, by a proxy that is trusted with it.
    pub(crate) vouched: Option<Box<str>>,
}

/// Does all that comes before MQTT. Whoever does not get through has been closed and counted.
pub(crate) async fn receive(shared: &Shared, accepted: Accepted) -> Option<(Stream, Guest)> {
    let Accepted { stream, from, at, door } = accepted;
    let Ok(socket) = stream.watch() else { return None };
    let mut guest =
        Guest { from, at, door, transport: Transport::Plain { trusted: false }, presented: None, vouched: None };
    let door = Arc::clone(&guest.door);
    if let (Security::Plain { trust }, None, None) = (&door.security, &door.proxy, &door.websocket) {
        guest.transport = Transport::Plain { trusted: *trust && from.is_local() };
        return Some((Stream::Plain(socket), guest));
    }
    let deadline = shared.clock.instant(at.after(door.handshake_timeout(&shared.live)));
    let mut stopping = shared.shutdown.clone();
    // On the heap, so that a connection's task does not keep the room for a handshake for good.
    let steps = Box::pin(steps(shared, socket, &mut guest));
    let outcome = tokio::select! {
        outcome = tokio::time::timeout_at(deadline, steps) => outcome,
        _ = stopping.wait_for(|&stop| stop) => return None,
    };
    let why = match outcome {
        Ok(Ok(stream)) => return Some((stream, guest)),
        Ok(Err(why)) => why,
        Err(_) if matches!(door.security, Security::Tls(_)) => {
            shared.counters.handshake_failures.count("C15");
            "the TLS handshake took too long [C15 stalled]".into()
        }
        Err(_) => "what comes before MQTT took too long".into(),
    };
    refused(shared, guest.from, &why);
    None
}

async fn steps(shared: &Shared, mut socket: Socket, guest: &mut Guest) -> Result<Stream, String> {
    let door = Arc::clone(&guest.door);
    let mut trusted = guest.from.is_local();
    if let Some(config) = &door.proxy {
        let said = proxy::receive(&mut socket, config, guest.from).await.map_err(|error| error.to_string())?;
        // The proxy's own connections are its own; nobody else is where it is.
        if let Some(said) = said {
            trusted = false;
            guest.from = said.from;
            guest.vouched = said.name.map(String::into_boxed_str);
        }
    }
    match &door.security {
        Security::Plain { trust } => {
            guest.transport = Transport::Plain { trusted: *trust && trusted };
            let Some(config) = &door.websocket else { return Ok(Stream::Plain(socket)) };
            let stream = websocket::upgrade(socket, config).await.map_err(|error| error.to_string())?;
            Ok(Stream::WebSocket(Box::new(stream)))
        }
        Security::Tls(cell) => {
            guest.transport = Transport::Tls;
            let (stream, presented) = handshake(shared, cell, socket, guest.from).await?;
            guest.presented = presented;
            let Some(config) = &door.websocket else { return Ok(Stream::Tls(Box::new(stream))) };
            let stream = websocket::upgrade(stream, config).await.map_err(|error| error.to_string())?;
            Ok(Stream::SecureWebSocket(Box::new(stream)))
        }
    }
}

async fn handshake(
    shared: &Shared,
    cell: &TlsCell,
    socket: Socket,
    from: PeerAddress,
) -> Result<(TlsStream<Socket>, Option<PresentedPeer>), String> {
    shared.counters.handshakes.one();
    // Who has not begun takes no place, and hardly any memory.
    socket.readable().await.map_err(|error| error.to_string())?;
    let place = shared.handshakes.place(from).await;
    let place = place.map_err(|_| "too many TLS handshakes wait already: come back later".to_owned())?;
    let config = cell.config();
    let handshake = gridmq_tls::stream::accept_briefly(socket, &config);
    tokio::pin!(handshake);
    let outcome = tokio::select! {
        biased;
        outcome = &mut handshake => outcome,
        () = tokio::time::sleep(shared.limits.handshake_patience) => tokio::select! {
            biased;
            outcome = &mut handshake => outcome,
            () = place.wanted() => {
                shared.counters.handshake_failures.count("C15");
                return Err("the TLS handshake was slow, and others waited [C15 stalled]".to_owned());
            }
        },
    };
    let stream = outcome.map_err(|error| {
        shared.counters.handshake_failures.count(error.id().code());
        error.to_string()
    })?;
    let presented = stream.presented().cloned();
    Ok((stream, presented))
}

fn refused(shared: &Shared, from: PeerAddress, why: &str) {
    shared.counters.connections_refused.one();
    tracing::info!(%from, why, "connection refused");
    shared.observe(&Occurrence::Refused { from, why });
}
