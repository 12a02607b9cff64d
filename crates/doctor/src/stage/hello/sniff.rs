//! What the port speaks when it is spoken to in other ways.

use std::time::Duration;

use bytes::BytesMut;
use gridmq_proto::packet::{Connect, ConnectProperties};
use gridmq_proto::{Packet, Version, codec};
use gridmq_tls::first_bytes::FirstBytes;
use gridmq_tls::probe::raw::{self, Answer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::super::{Route, random, tcp, within};

/// How many bytes of an answer are read.
const MAX_ANSWER: usize = raw::MAX_ANSWER;

/// Says `hello` in the clear and reads until `enough`, the limit, or the end.
async fn exchange(route: Route, hello: &[u8], limit: Duration, enough: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut answer = Vec::new();
    let talk = async {
        let Ok(mut io) = tcp::open(route.address, None).await else { return };
        if io.write_all(hello).await.is_err() {
            return;
        }
        let mut chunk = vec![0; 4096];
        while answer.len() < MAX_ANSWER && !enough(&answer) {
            match io.read(&mut chunk).await {
                Ok(0) | Err(_) => return,
                Ok(length) => answer.extend(chunk.iter().take(length)),
            }
        }
    };
    let _ = within(limit, Box::pin(talk)).await;
    answer
}

/// Does the port answer an MQTT CONNECT in the clear? With a name that no client has and nothing secret.
pub(crate) async fn answers_mqtt(route: Route, limit: Duration) -> Option<FirstBytes> {
    let connect = Connect {
        version: Version::V3_1_1,
        clean_start: true,
        keep_alive: 10,
        client_id: format!("doctor-{:08x}", random() & 0xffff_ffff).into(),
        username: None,
        password: None,
        will: None,
        properties: ConnectProperties::default(),
    };
    let mut bytes = BytesMut::new();
    codec::encode(&Packet::Connect(Box::new(connect)), Version::V3_1_1, None, &mut bytes).ok()?;
    let answer = exchange(route, &bytes, limit, |answer| answer.len() >= 4).await;
    (!answer.is_empty()).then(|| FirstBytes::recognise(&answer))
}

/// What the server would choose if it were offered everything up to `maximum`.
pub(crate) async fn choice(route: Route, maximum: u16, name: Option<&str>, limit: Duration) -> Answer {
    let mut noise = [0; 32];
    for (slot, byte) in noise.iter_mut().zip([random(), random(), random(), random()].map(u64::to_be_bytes).concat()) {
        *slot = byte;
    }
    let hello = raw::client_hello(maximum, name, noise);
    let settled = |answer: Answer| !matches!(answer, Answer::Incomplete | Answer::Chosen { settled: false, .. });
    let answer = exchange(route, &hello, limit, |bytes| settled(raw::answer(bytes))).await;
    raw::answer(&answer)
}

/// Does the port answer a TLS hello?
pub(crate) async fn answers_tls(route: Route, name: Option<&str>, limit: Duration) -> bool {
    matches!(choice(route, 0x0304, name, limit).await, Answer::Chosen { .. } | Answer::Alert(_))
}
