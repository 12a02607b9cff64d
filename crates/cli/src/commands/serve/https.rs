//! What is served over HTTP beside the broker, with the broker's certificate.

use std::net::SocketAddr;
use std::sync::Arc;

use gridmq_http::{HttpServer, Router};
use gridmq_tls::credentials::WatchedFiles;
use gridmq_tls::{CredentialProvider, Identity, ServerConfig};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::error::{Failure, Outcome};
use crate::output;

/// What listens, until it is stopped.
pub(super) struct Running {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Default for Running {
    fn default() -> Self {
        Self { stop: watch::Sender::new(false), tasks: JoinSet::new() }
    }
}

impl Running {
    /// Listens there; with TLS if there is a certificate. `kind`: what it is, for people.
    pub(super) async fn serve(
        &mut self,
        address: SocketAddr,
        certificate: Option<&Arc<WatchedFiles>>,
        kind: &'static str,
        router: Router,
    ) -> Outcome {
        let failed = |error| Failure::failed(format!("cannot listen on {address} ({kind}): {error}"));
        let http = match certificate {
            Some(certificate) => HttpServer::bind(address, config(certificate.current().identity.clone())?).await,
            None => HttpServer::bind_plain(address).await,
        };
        let http = http.map_err(failed)?;
        output::line(&format!("listening on {} ({kind})", http.address()?))?;
        if let (Some(configuration), Some(certificate)) = (http.configuration(), certificate) {
            let number = certificate.current().number;
            self.tasks.spawn(follow(Arc::clone(certificate), number, configuration, self.stop.subscribe(), kind));
        }
        let mut stopped = self.stop.subscribe();
        self.tasks.spawn(http.serve(router, async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
        }));
        Ok(())
    }

    /// Stops, and lets requests finish.
    pub(super) async fn stop(mut self) {
        let _ = self.stop.send(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

fn config(identity: Identity) -> Result<ServerConfig, gridmq_tls::client::ConfigError> {
    ServerConfig::builder().identity(identity).alpn(["http/1.1"]).build()
}

/// Gives each generation of the server's certificate to connections that are yet to come.
async fn follow(
    certificate: Arc<WatchedFiles>,
    mut number: u64,
    configuration: watch::Sender<ServerConfig>,
    mut stopped: watch::Receiver<bool>,
    kind: &'static str,
) {
    loop {
        let next = tokio::select! {
            next = certificate.changed(number) => next,
            _ = stopped.wait_for(|stopped| *stopped) => return,
        };
        number = next.number;
        match config(next.identity.clone()) {
            Ok(config) => drop(configuration.send_replace(config)),
            Err(error) => tracing::warn!(%error, "the listener for {kind} keeps its old certificate"),
        }
    }
}
