use tokio::io::AsyncReadExt as _;

use super::*;

#[tokio::test]
async fn a_message_that_was_read_holds_no_memory() {
    let io = tokio::io::join(&b"\x82\x04read"[..], tokio::io::sink());
    let mut stream = Stream::new(Box::new(io), Vec::new(), 1024);
    let mut part = [0; 3];
    stream.read_exact(&mut part).await.unwrap();
    assert_eq!(stream.incoming, "d");
    stream.read_exact(&mut part[..1]).await.unwrap();
    // One that holds a block points into it.
    assert_eq!(stream.incoming.as_ptr(), Bytes::new().as_ptr());
}
