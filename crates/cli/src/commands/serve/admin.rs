//! The admin listener, on a thread of its own: it answers while what is stored is taken up, and however busy clients
//! keep the rest.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use gridmq_http::admin::Admin;
use gridmq_http::{HttpServer, Router};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use crate::config::Address;
use crate::error::Failure;
use crate::{output, utc};

/// What tells of the broker, once that has started.
pub(super) fn describe() -> Admin {
    Admin::new(env!("CARGO_PKG_VERSION"), Arc::new(utc::now))
}

/// What listens, until it is stopped.
pub(super) struct Running {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
    ended: oneshot::Receiver<()>,
}

/// Listens where `[admin]` says; nothing without.
pub(super) async fn start(listen: Option<&[Address]>, admin: &Admin) -> Result<Running, Failure> {
    let (stop, mut stopped) = watch::channel(false);
    let (done, ended) = oneshot::channel();
    let addresses: Vec<_> = listen.unwrap_or_default().iter().flat_map(Address::addresses).copied().collect();
    if addresses.is_empty() {
        return Ok(Running { stop, thread: None, ended });
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let router = admin.router(Router::new());
    let (bound, is_bound) = oneshot::channel();
    let serve = move || {
        runtime.block_on(async {
            let servers = match bind(&addresses).await {
                Ok(servers) => servers,
                // Whoever started this waits for it.
                Err(failure) => return drop(bound.send(Err(failure))),
            };
            let mut tasks = JoinSet::new();
            for server in servers {
                let mut stopped = stopped.clone();
                tasks.spawn(server.serve(router.clone(), async move {
                    let _ = stopped.wait_for(|stopped| *stopped).await;
                }));
            }
            let _ = bound.send(Ok(()));
            let _ = stopped.wait_for(|stopped| *stopped).await;
            while tasks.join_next().await.is_some() {}
        });
        let _ = done.send(());
    };
    let thread = std::thread::Builder::new().name("gridmq-admin".to_owned()).spawn(serve)?;
    is_bound.await.map_err(|_| Failure::failed("the admin listener ended"))??;
    Ok(Running { stop, thread: Some(thread), ended })
}

async fn bind(addresses: &[SocketAddr]) -> Result<Vec<HttpServer>, Failure> {
    let mut servers = Vec::new();
    for address in addresses {
        let server = HttpServer::bind_plain(*address).await;
        let server = server.map_err(|error| Failure::failed(format!("cannot listen on {address} (admin): {error}")))?;
        output::line(&format!("listening on {} (admin)", server.address()?))?;
        servers.push(server);
    }
    Ok(servers)
}

impl Running {
    /// Stops, and lets requests finish.
    pub(super) async fn stop(mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = (&mut self.ended).await;
            let _ = thread.join();
        }
    }
}
