//! A mobile app that unlocks a vehicle: the command scenario of Microsoft's MqttApplicationSamples.
//!
//! `command_client [--env-file mobile-app.env] [vehicle03]`
use std::time::{Duration, SystemTime};

use gridmq_client::rpc::Caller;
use gridmq_client::{Options, TopicTemplate};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let env_file = std::env::args().skip_while(|arg| arg != "--env-file").nth(1);
    let vehicle = std::env::args().skip(1).find(|arg| arg.starts_with("vehicle") && !arg.ends_with(".env"));
    let vehicle = vehicle.as_deref().unwrap_or("vehicle03");
    let client = Options::from_env_or_file(env_file)?.connect().await?;
    let request = TopicTemplate::parse("vehicles/{vehicle}/command/{command}/request")?;
    let response = TopicTemplate::parse("vehicles/{vehicle}/command/{command}/response")?;
    let caller = Caller::new(&client, &request, &response).timeout(Duration::from_secs(5)).await?;
    let me = client.client_id();
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let answer = caller
        .call([("vehicle", vehicle), ("command", "unlock")], unlock_request(since_epoch.as_secs(), &me))
        .content_type("application/protobuf")
        .await?;
    // UnlockResponse { bool succeed = 1; string errorDetail = 2; }
    let unlocked = answer.payload().starts_with(&[0x08, 1]);
    println!("unlocked: {unlocked} {:?}", answer.payload());
    Ok(client.disconnect().await?)
}

/// `UnlockRequest { google.protobuf.Timestamp when = 1; string requestedFrom = 2; }`
fn unlock_request(seconds: u64, from: &str) -> Vec<u8> {
    let mut when = vec![0x08];
    varint(&mut when, seconds);
    let mut request = vec![0x0a];
    varint(&mut request, when.len() as u64);
    request.extend(when);
    request.push(0x12);
    varint(&mut request, from.len() as u64);
    request.extend(from.as_bytes());
    request
}

fn varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}
