//! Random steps of a dozen clients against a broker with four workers, compared with a naive model.
//!
//! Each test walks its own fixed seed; `GRIDMQ_SEED` has all of them walk that one instead. A failure names the seed
//! and the step. Some of the brokers keep nothing, some store at once, and some when their writer comes to it: clients
//! see no difference.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "model/driver.rs"]
mod driver;
#[path = "model/reference.rs"]
mod reference;

use driver::Driver;
use gridmq_store::{MemoryEngine, Options, Store};

const STEPS: usize = 2500;

async fn walk(seed: u64, store: Store) {
    let seed = std::env::var("GRIDMQ_SEED").map_or(seed, |text| text.parse().expect("GRIDMQ_SEED is a number"));
    println!("GRIDMQ_SEED={seed}");
    let mut driver = Driver::new(seed, store).await;
    for step in 0..STEPS {
        driver.step(step).await;
    }
    driver.finish().await;
}

#[tokio::test]
async fn steps_of_seed_1() {
    walk(1, Store::memory()).await;
}

#[tokio::test]
async fn steps_of_seed_2() {
    walk(2, Store::immediate(MemoryEngine::new())).await;
}

#[tokio::test]
async fn steps_of_seed_3() {
    walk(3, Store::open(MemoryEngine::new(), Options::default()).unwrap()).await;
}

#[tokio::test]
async fn steps_of_seed_4() {
    walk(4, Store::open(MemoryEngine::new(), Options::default()).unwrap()).await;
}
