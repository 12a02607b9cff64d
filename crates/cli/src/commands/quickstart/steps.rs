//! What the device does, and four connections that have to be refused.

mod report;
mod words;

use std::time::Duration;

use gridmq_client::{Client, ConnectError, Options, Reconnect};
use gridmq_namespace::gate::RefusalKind;
use gridmq_proto::{QoS, ReasonCode};
use gridmq_tls::{Identity, TlsVersion, Trust, VerifyError};

use super::material::Material;
use super::{CLIENT_1, SESSION_1, TOPIC};
use crate::error::{Failure, Outcome};
pub(super) use report::Report;
pub(super) use words::{Watched, Words};

/// How long a message may take here.
const PATIENCE: Duration = Duration::from_secs(5);
const GREETING: &str = "hello world!";
const FORBIDDEN: &str = "contosotopics/other";
/// The client's resource name: the commonest thing to confuse its authentication name with.
const WRONG_NAME: &str = "client1";

/// The broker to try.
pub(super) struct Target<'a> {
    pub(super) port: u16,
    pub(super) material: &'a Material,
    pub(super) words: &'a Words,
}

impl Target<'_> {
    /// A connection as the device makes it, but for who it is.
    fn device(&self, session: &str, username: &str) -> Result<Options, Failure> {
        Ok(Client::builder(&format!("mqtts://localhost:{}", self.port))
            .reconnect(Reconnect::never())
            .trust(Trust::only_pem(self.material.root_pem.as_bytes())?)
            .client_id(session)
            .username(username)
            .connect_timeout(PATIENCE)
            .request_timeout(PATIENCE))
    }

    fn client_1(&self) -> Identity {
        self.material.client_1.clone()
    }
}

/// Every step in turn. A step that does not come out as it should is reported, not returned.
pub(super) async fn all(target: &Target<'_>, report: &mut Report) -> Outcome {
    for version in [TlsVersion::V1_3, TlsVersion::V1_2] {
        conversation(target, report, version).await?;
    }
    let nobody = target.device(SESSION_1, CLIENT_1)?;
    let no_certificate = |why: &RefusalKind| matches!(why, RefusalKind::NoCertificate);
    refused(target, report, "no certificate", nobody, no_certificate).await?;
    let stranger = target.device(SESSION_1, CLIENT_1)?.identity(target.material.stranger.clone());
    let unknown_ca = |why: &RefusalKind| matches!(why, RefusalKind::Certificate(VerifyError::UnknownIssuer { .. }));
    refused(target, report, "certificate of a stranger's CA", stranger, unknown_ca).await?;
    let wrong_name = target.device(SESSION_1, WRONG_NAME)?.identity(target.client_1());
    let other_name =
        |why: &RefusalKind| matches!(why, RefusalKind::UnknownClient { .. } | RefusalKind::NameMismatch { .. });
    refused(target, report, &format!("wrong username {WRONG_NAME}"), wrong_name, other_name).await?;
    forbidden(target, report).await
}

/// Connects over one version of TLS, subscribes, publishes, receives and leaves.
async fn conversation(target: &Target<'_>, report: &mut Report, version: TlsVersion) -> Outcome {
    let builder = target.device(SESSION_1, CLIENT_1)?.identity(target.client_1()).tls_versions(version);
    let title = format!("connect over {version}");
    let client = match builder.connect().await {
        Ok(client) => client,
        Err(error) => return report.step(false, &title, &error.to_string()),
    };
    let (good, seen) = match client.info().as_ref().and_then(|info| info.tls.as_ref()) {
        Some(tls) => (
            tls.version == version && tls.sent_chain.len() == 2,
            format!(
                "{SESSION_1} is connected as {CLIENT_1} by {}, {}; it sent {}; CONNACK {}",
                tls.version,
                tls.cipher,
                tls.sent_chain.join(" issued by "),
                named(ReasonCode::Success)
            ),
        ),
        None => (false, "the connection is not encrypted".to_owned()),
    };
    report.step(good, &title, &seen)?;
    exchange(&client, report).await?;
    match client.disconnect().await {
        Ok(()) => report.step(true, "disconnect", "the session ended in order"),
        Err(error) => report.step(false, "disconnect", &error.to_string()),
    }
}

async fn exchange(client: &Client, report: &mut Report) -> Outcome {
    let mut subscription = match client.subscribe(TOPIC, QoS::AtLeastOnce).await {
        Ok(subscription) => subscription,
        Err(error) => return report.step(false, "subscribe", &error.to_string()),
    };
    let granted = subscription.granted();
    report.step(true, "subscribe", &format!("{TOPIC}: SUBACK grants QoS {}", granted as u8))?;
    match client.publish(TOPIC, GREETING).qos(QoS::AtLeastOnce).await {
        Ok(published) => {
            let seen = format!("{GREETING:?} to {TOPIC} with QoS 1: PUBACK {}", named(published.reason));
            report.step(!published.reason.is_failure(), "publish", &seen)?;
        }
        Err(error) => return report.step(false, "publish", &error.to_string()),
    }
    match tokio::time::timeout(PATIENCE, subscription.next()).await {
        Ok(Some(message)) => {
            let text = String::from_utf8_lossy(message.payload()).into_owned();
            let good = text == GREETING && message.topic().as_str() == TOPIC;
            report.step(good, "receive", &format!("{text:?} from {} with QoS {}", message.topic(), message.qos() as u8))
        }
        Ok(None) => report.step(false, "receive", "the connection ended before the message came"),
        Err(_) => report.step(false, "receive", &format!("no message within {} s", PATIENCE.as_secs())),
    }
}

/// A connection that has to be answered with CONNACK 0x87, and for that reason.
async fn refused(
    target: &Target<'_>,
    report: &mut Report,
    what: &str,
    builder: Options,
    reason: fn(&RefusalKind) -> bool,
) -> Outcome {
    let title = format!("refused: {what}");
    target.words.forget();
    match builder.connect().await {
        Ok(client) => {
            drop(client.disconnect().await);
            report.step(false, &title, "it was let in")
        }
        Err(error) => {
            let answered = error.reason() == Some(ReasonCode::NotAuthorized);
            let seen =
                if answered { format!("CONNACK {}", named(ReasonCode::NotAuthorized)) } else { words_of(&error) };
            let good = answered && target.words.refused_for(reason);
            let seen = if answered && !good { format!("for another reason: {seen}") } else { seen };
            report.step(good, &title, &target.words.after(&seen))
        }
    }
}

/// A topic that no topic space names has to be answered with PUBACK 0x87.
async fn forbidden(target: &Target<'_>, report: &mut Report) -> Outcome {
    let title = format!("refused: topic {FORBIDDEN}, in no topic space");
    let client = match target.device(SESSION_1, CLIENT_1)?.identity(target.client_1()).connect().await {
        Ok(client) => client,
        Err(error) => return report.step(false, &title, &words_of(&error)),
    };
    target.words.forget();
    match client.publish(FORBIDDEN, GREETING).qos(QoS::AtLeastOnce).await {
        Ok(published) => report.step(false, &title, &format!("PUBACK {}", named(published.reason)))?,
        Err(error) => {
            let good = error.reason() == Some(ReasonCode::NotAuthorized);
            let seen = if good { format!("PUBACK {}", named(ReasonCode::NotAuthorized)) } else { error.to_string() };
            report.step(good, &title, &target.words.after(&seen))?;
        }
    }
    drop(client.disconnect().await);
    Ok(())
}

fn words_of(error: &ConnectError) -> String {
    error.to_string()
}

/// A reason code by name and number.
fn named(reason: ReasonCode) -> String {
    format!("0x{:02X} {}", reason.as_u8(), reason.name())
}
