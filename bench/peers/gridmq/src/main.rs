//! gridmq-client under measurement.

use std::collections::VecDeque;
use std::error::Error;
use std::future::{Future, IntoFuture, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gridmq_client::{Client, Options, QoS, Version};
use gridmq_tls::{Identity, Trust};
use peer_harness::{Arguments, Latencies, Measure, RATE, Scenario, TOPIC, stamp};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let args = Arguments::read();
    runtime.block_on(run(args))
}

async fn run(args: Arguments) -> Result<()> {
    let qos = QoS::from_u8(args.qos).ok_or("there is no such QoS")?;
    match args.scenario {
        Scenario::Publish => publish(&args, qos).await,
        Scenario::Receive => receive(&args, qos).await,
        Scenario::Latency => latency(&args, qos).await,
        Scenario::Connect => connect(&args).await,
    }
}

/// Read once: what a program would keep between connections.
struct Given {
    trust: Option<Trust>,
    identity: Option<Identity>,
}

impl Given {
    fn of(args: &Arguments) -> Result<Self> {
        let trust = args.ca.as_deref().map(Trust::only_pem).transpose()?;
        let identity = args.identity.as_ref().map(|(cert, key)| Identity::from_pem(cert, key)).transpose()?;
        Ok(Self { trust, identity })
    }

    fn options(&self, args: &Arguments) -> Options {
        let scheme = if self.trust.is_some() { "mqtts" } else { "mqtt" };
        let mut options = Client::builder(&format!("{scheme}://localhost:{}", args.port))
            .client_id(args.client_id())
            .version(if args.mqtt == 4 { Version::V3_1_1 } else { Version::V5 });
        if let Some(trust) = &self.trust {
            options = options.trust(trust.clone());
        }
        if let Some(identity) = &self.identity {
            options = options.identity(identity.clone());
        }
        if let Some(user) = &args.user {
            options = options.username(user.as_str());
        }
        options
    }
}

async fn client(args: &Arguments) -> Result<Client> {
    Ok(Given::of(args)?.options(args).connect().await?)
}

async fn publish(args: &Arguments, qos: QoS) -> Result<()> {
    let client = client(args).await?;
    let payload = Bytes::from(args.payload());
    let measure = Measure::start();
    let (mut begun, mut done, mut failed) = (0, 0, None);
    let mut under_way: VecDeque<Pin<Box<dyn Future<Output = _> + Send>>> = VecDeque::with_capacity(args.window);
    // Acknowledgements come in the order of the messages: the oldest future tells when there is room.
    poll_fn(|cx| {
        loop {
            while begun < args.count && begun - done < args.window {
                begun += 1;
                let mut future = client.publish(TOPIC, payload.clone()).qos(qos).into_future();
                match future.as_mut().poll(cx) {
                    Poll::Ready(outcome) => {
                        done += 1;
                        failed = failed.take().or(outcome.err());
                    }
                    Poll::Pending => under_way.push_back(future),
                }
            }
            match under_way.front_mut().map(|oldest| oldest.as_mut().poll(cx)) {
                Some(Poll::Ready(outcome)) => {
                    done += 1;
                    failed = failed.take().or(outcome.err());
                    under_way.pop_front();
                }
                Some(Poll::Pending) => return Poll::Pending,
                None if begun == args.count => return Poll::Ready(()),
                None => {}
            }
        }
    })
    .await;
    if qos == QoS::AtMostOnce {
        client.publish(TOPIC, "end").qos(QoS::AtLeastOnce).await?;
    }
    if let Some(error) = failed {
        return Err(error.into());
    }
    measure.finish(env!("CLIENT_VERSION"), args, &[]);
    client.disconnect().await?;
    Ok(())
}

async fn receive(args: &Arguments, qos: QoS) -> Result<()> {
    let client = client(args).await?;
    let measure = Measure::start();
    let mut messages = client.subscribe(TOPIC, qos).buffer(args.count).await?;
    for _ in 0..args.count {
        messages.next().await.ok_or("the stream ended")?;
    }
    measure.finish(env!("CLIENT_VERSION"), args, &[("dropped", messages.dropped() as f64)]);
    client.disconnect().await?;
    Ok(())
}

async fn latency(args: &Arguments, qos: QoS) -> Result<()> {
    let client = client(args).await?;
    let mut messages = client.subscribe(TOPIC, qos).await?;
    let mut latencies = Latencies::default();
    let (mut payload, count) = (args.payload(), args.count);
    let start = Instant::now();
    let measure = Measure::start();
    let sender = client.clone();
    let sending = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / RATE);
        for _ in 0..count {
            ticks.tick().await;
            stamp(&mut payload, start);
            sender.publish(TOPIC, payload.clone()).qos(qos).await?;
        }
        Ok::<_, gridmq_client::PublishError>(())
    });
    while latencies.len() < count {
        let message = messages.next().await.ok_or("the stream ended")?;
        latencies.arrived(start, message.payload());
    }
    sending.await??;
    measure.finish(env!("CLIENT_VERSION"), args, &latencies.summary());
    client.disconnect().await?;
    Ok(())
}

async fn connect(args: &Arguments) -> Result<()> {
    let given = Given::of(args)?;
    let measure = Measure::start();
    for _ in 0..args.count {
        given.options(args).connect().await?.disconnect().await?;
    }
    measure.finish(env!("CLIENT_VERSION"), args, &[]);
    Ok(())
}
