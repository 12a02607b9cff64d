//! Random steps of a dozen clients against a broker with four workers, compared with a naive model.
//!
//! Each test walks its own fixed seed; `GRIDMQ_SEED` has all of them walk that one instead. A failure names the seed
//! and the step.
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

const STEPS: usize = 2500;

async fn walk(seed: u64) {
    let seed = std::env::var("GRIDMQ_SEED").map_or(seed, |text| text.parse().expect("GRIDMQ_SEED is a number"));
    println!("GRIDMQ_SEED={seed}");
    let mut driver = Driver::new(seed).await;
    for step in 0..STEPS {
        driver.step(step).await;
    }
    driver.finish().await;
}

#[tokio::test]
async fn steps_of_seed_1() {
    walk(1).await;
}

#[tokio::test]
async fn steps_of_seed_2() {
    walk(2).await;
}

#[tokio::test]
async fn steps_of_seed_3() {
    walk(3).await;
}

#[tokio::test]
async fn steps_of_seed_4() {
    walk(4).await;
}
