//! A vehicle that can be unlocked: the command scenario of Microsoft's MqttApplicationSamples.
//!
//! `command_server [--env-file vehicle03.env]`
use gridmq_client::rpc::{CallFailure, Reply, Request, Responder};
use gridmq_client::{Options, TopicTemplate};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let env_file = std::env::args().skip_while(|arg| arg != "--env-file").nth(1);
    let client = Options::from_env_or_file(env_file)?.connect().await?;
    let me = client.client_id();
    let requests = TopicTemplate::parse("vehicles/{vehicle}/command/unlock/request")?.with("vehicle", &me)?;
    let responses = TopicTemplate::parse("vehicles/{vehicle}/command/{command}/response")?.with("vehicle", &me)?;
    let responder = Responder::new(&client, &requests).answers_within(responses.filter().clone()).await?;
    println!("listening to {requests}");
    responder.serve(unlock).await;
    client.disconnected().map_or(Ok(()), |cause| Err(cause.to_string().into()))
}

/// Answers `UnlockResponse { bool succeed = 1; string errorDetail = 2; }`.
async fn unlock(request: Request) -> Result<Reply, CallFailure> {
    println!("unlock: {} bytes", request.payload().len());
    if request.payload().is_empty() {
        return Err(CallFailure::new("the request is empty").status(400));
    }
    Ok(Reply::new(vec![0x08, 1]).content_type("application/protobuf"))
}
