//! One thread that takes connections and deals them to the workers in turn.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::error::TrySendError;

use crate::directory::WorkerId;
use crate::listener::{Listener, Security};
use crate::mailbox::{Accepted, Batch, Mail};
use crate::shared::Shared;

/// Connections that wait in the kernel to be taken.
const BACKLOG: i32 = 4096;

/// Binds a listener; answers the socket and the address that it got.
pub(crate) fn bind(listener: &Listener) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(listener.address), Type::STREAM, Some(Protocol::TCP))?;
    // A restarted broker must not wait for connections of its predecessor to leave TIME_WAIT.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    if listener.address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&listener.address.into())?;
    socket.listen(BACKLOG)?;
    let socket = TcpListener::from(socket);
    let address = socket.local_addr()?;
    Ok((socket, address))
}

/// Takes connections until shutdown.
pub(crate) fn run(runtime: &Runtime, sockets: Vec<(TcpListener, Security)>, shared: Arc<Shared>) {
    let next = Arc::new(AtomicUsize::new(0));
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for (socket, security) in sockets {
            tasks.spawn(listen(socket, security, Arc::clone(&next), Arc::clone(&shared)));
        }
        while tasks.join_next().await.is_some() {}
    });
}

async fn listen(socket: TcpListener, security: Security, next: Arc<AtomicUsize>, shared: Arc<Shared>) {
    let mut shutdown = shared.shutdown.clone();
    let follow = async {
        if let Security::Tls(cell) = &security {
            cell.follow().await;
        }
        std::future::pending::<()>().await;
    };
    tokio::pin!(follow);
    let socket = match tokio::net::TcpListener::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => {
            tracing::error!(%error, "cannot watch a listening socket");
            return;
        }
    };
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            () = &mut follow => continue,
            _ = shutdown.wait_for(|&stop| stop) => return,
        };
        match accepted {
            Ok((stream, from)) => deal(stream, from, &security, &next, &shared).await,
            Err(error) => {
                // Out of descriptors, as a rule: others must go before another can come.
                tracing::warn!(%error, "cannot take a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn deal(
    stream: tokio::net::TcpStream,
    from: SocketAddr,
    security: &Security,
    next: &AtomicUsize,
    shared: &Arc<Shared>,
) {
    if shared.connections.load(Ordering::Relaxed) >= shared.limits.connections {
        shared.counters.connections_refused.one();
        tracing::warn!(%from, limit = shared.limits.connections, "connection closed: there are as many as there may be");
        return;
    }
    let Ok(stream) = stream.into_std() else { return };
    shared.connections.fetch_add(1, Ordering::Relaxed);
    shared.counters.connections_accepted.one();
    let turn = next.fetch_add(1, Ordering::Relaxed) % shared.inboxes.len().max(1);
    let Some(inbox) = shared.inboxes.get(turn) else { return };
    let mail = vec![Mail::Accepted(Box::new(Accepted { stream, from, security: security.clone() }))];
    match inbox.try_send(Batch { from: WorkerId::MAX, mail }) {
        Ok(()) => {}
        // That worker is gone, and the connection with it.
        Err(TrySendError::Closed(_)) => {
            shared.connections.fetch_sub(1, Ordering::Relaxed);
        }
        // The worker is behind: leave further connections in the kernel's backlog until it has caught up.
        Err(TrySendError::Full(batch)) => {
            if inbox.send(batch).await.is_err() {
                shared.connections.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}
