//! A vehicle that can be unlocked: the command scenario of Microsoft's MqttApplicationSamples.
//!
//! `command_server [--env-file vehicle03.env]`
use gridmq_client::rpc::{Failure, Reply, Request, Responder};
use gridmq_client::{Options, TopicTemplate};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = options()?.connect().await?;
    let me = client.info().map(|info| info.client_id.clone()).unwrap_or_default();
    let requests = TopicTemplate::parse("vehicles/{vehicle}/command/unlock/request")?.with("vehicle", &me)?;
    let responses = TopicTemplate::parse("vehicles/{vehicle}/command/{command}/response")?.with("vehicle", &me)?;
    let responder = Responder::new(&client, &requests).answers_within(responses.filter().clone()).await?;
    println!("listening to {requests}");
    responder.serve(unlock).await;
    client.disconnected().map_or(Ok(()), |cause| Err(cause.to_string().into()))
}

/// Answers `UnlockResponse { bool succeed = 1; string errorDetail = 2; }`.
async fn unlock(request: Request) -> Result<Reply, Failure> {
    println!("unlock: {} bytes", request.payload().len());
    if request.payload().is_empty() {
        return Err(Failure::new("the request is empty").status(400));
    }
    Ok(Reply::new(vec![0x08, 1]).content_type("application/protobuf"))
}

/// The options of a `.env` file in the form of the samples, or of the environment.
fn options() -> Result<Options, Box<dyn std::error::Error>> {
    Ok(match std::env::args().skip_while(|arg| arg != "--env-file").nth(1) {
        Some(file) => Options::from_env_file(file)?,
        None => Options::from_env()?,
    })
}
