//! One connection: two directions, and the order that ends both.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;

use super::{Counters, Cut, Faults, Orders, Pieces, Random, Way, reset};

/// Bytes of one read.
const READ: usize = 16 * 1024;
/// Between two pieces, so that they leave in packets of their own.
const BREATH: Duration = Duration::from_micros(200);
/// After an end in order: how long what the other side still sends is read, so that the end is no reset.
const LINGER: Duration = Duration::from_millis(100);

/// Which direction.
#[derive(Debug, Clone, Copy)]
enum To {
    Server,
    Client,
}

impl To {
    const fn way(self, faults: &Faults) -> &Way {
        match self {
            Self::Server => &faults.up,
            Self::Client => &faults.down,
        }
    }

    const fn counter(self, counters: &Counters) -> &AtomicU64 {
        match self {
            Self::Server => &counters.up,
            Self::Client => &counters.down,
        }
    }
}

/// Forwards until one of the two ends it, or the proxy does.
pub(super) async fn connection(
    mut client: TcpStream,
    target: SocketAddr,
    mut random: Random,
    orders: watch::Receiver<Orders>,
    counters: &Counters,
) {
    let cuts = orders.borrow().cuts;
    let Ok(mut server) = TcpStream::connect(target).await else {
        return reset(&client);
    };
    // Pieces are to stay pieces; without it they only may.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let other = Random::new(random.next(), 2);
    let end = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let up = Pump { to: To::Server, orders: orders.clone(), random, passed: 0, counters };
        let down = Pump { to: To::Client, orders: orders.clone(), random: other, passed: 0, counters };
        tokio::select! {
            biased;
            how = ordered(orders, cuts) => End::Cut(how),
            end = both(up.run(from_client, to_server), down.run(from_server, to_client)) => end,
        }
    };
    if matches!(end, End::Cut(_)) {
        counters.cut.fetch_add(1, Ordering::Relaxed);
    }
    match end {
        End::Cut(Cut::Fin) => finish(&mut client, &mut server).await,
        End::Cut(Cut::Reset) | End::Failed => {
            reset(&client);
            reset(&server);
        }
        End::Finished => {}
    }
}

/// How a direction, and then a connection, ended.
#[derive(Debug)]
enum End {
    /// The sender said that it has no more.
    Finished,
    /// A socket failed.
    Failed,
    Cut(Cut),
}

/// A direction that has finished leaves the other its time.
async fn both(up: impl Future<Output = End>, down: impl Future<Output = End>) -> End {
    let (mut up, mut down) = (std::pin::pin!(up), std::pin::pin!(down));
    tokio::select! {
        end = &mut up => if matches!(end, End::Finished) { down.await } else { end },
        end = &mut down => if matches!(end, End::Finished) { up.await } else { end },
    }
}

/// Waits for the order to cut.
async fn ordered(mut orders: watch::Receiver<Orders>, before: u64) -> Cut {
    match orders.wait_for(|orders| orders.cuts != before).await {
        Ok(orders) => orders.cut.unwrap_or(Cut::Reset),
        // The proxy has gone.
        Err(_) => Cut::Reset,
    }
}

/// Ends both sides in order: nothing that arrives in the meantime makes a reset of it.
async fn finish(client: &mut TcpStream, server: &mut TcpStream) {
    let drained = async {
        let _ = (client.shutdown().await, server.shutdown().await);
        let (mut one, mut two) = (vec![0; READ], vec![0; READ]);
        let _ = tokio::join!(drain(client, &mut one), drain(server, &mut two));
    };
    let _ = tokio::time::timeout(LINGER, drained).await;
}

async fn drain(stream: &mut TcpStream, into: &mut [u8]) -> io::Result<()> {
    while stream.read(into).await? != 0 {}
    Ok(())
}

/// One direction.
#[derive(Debug)]
struct Pump<'a> {
    to: To,
    orders: watch::Receiver<Orders>,
    random: Random,
    passed: u64,
    counters: &'a Counters,
}

impl Pump<'_> {
    async fn run(mut self, mut from: ReadHalf<'_>, mut into: WriteHalf<'_>) -> End {
        let mut buffer = vec![0; READ];
        loop {
            let way = self.open().await;
            let room = match way.limit {
                Some((limit, how)) if self.passed >= limit => return End::Cut(how),
                Some((limit, _)) => usize::try_from(limit - self.passed).unwrap_or(READ).min(READ),
                None => READ,
            };
            let Some(space) = buffer.get_mut(..room) else { return End::Failed };
            let count = tokio::select! {
                biased;
                // Another order may not want this read.
                _ = self.orders.changed() => continue,
                read = from.read(space) => match read {
                    Ok(0) => {
                        let _ = into.shutdown().await;
                        return End::Finished;
                    }
                    Ok(count) => count,
                    Err(_) => return End::Failed,
                },
            };
            let delay = self.random.within(&way.delay);
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            // What was read before a stall waits for its end too.
            let way = self.open().await;
            let Some(bytes) = buffer.get(..count) else { return End::Failed };
            if self.pass(&mut into, bytes, way.pieces).await.is_err() {
                return End::Failed;
            }
        }
    }

    /// What holds now, once anything may pass.
    async fn open(&mut self) -> Way {
        loop {
            let way = self.to.way(&self.orders.borrow_and_update().faults).clone();
            if !way.stalled {
                return way;
            }
            if self.orders.changed().await.is_err() {
                pending::<()>().await;
            }
        }
    }

    async fn pass(&mut self, into: &mut WriteHalf<'_>, bytes: &[u8], pieces: Pieces) -> io::Result<()> {
        let size = match pieces {
            Pieces::Whole => bytes.len(),
            Pieces::Halves => bytes.len().div_ceil(2),
            Pieces::Bytes => 1,
        };
        for (index, piece) in bytes.chunks(size.max(1)).enumerate() {
            if index != 0 {
                // A long run of single bytes is no reason to sleep at each of them.
                if pieces == Pieces::Halves || index % 64 == 0 {
                    tokio::time::sleep(BREATH).await;
                } else {
                    tokio::task::yield_now().await;
                }
            }
            into.write_all(piece).await?;
            self.passed += piece.len() as u64;
            self.to.counter(self.counters).fetch_add(piece.len() as u64, Ordering::Relaxed);
        }
        Ok(())
    }
}
