use std::time::{Duration, Instant};

use gridmq_doctor::{Scheme, Status, Target, run};
use gridmq_tls::catalogue::Stage;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::peers::{Manner, cause, examine, listen, options, plain, says};

#[tokio::test]
async fn a_name_that_does_not_exist_is_c01() {
    let target = Target::new(Scheme::Mqtts, "no-such-host.invalid", 8883);
    let report = run(&target, &options()).await;
    assert_eq!(cause(&report), "C01", "{report:#?}");
    assert_eq!(report.failed_stage().unwrap().stage, Stage::Name);
}

#[tokio::test]
async fn a_closed_port_is_c02() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let report = examine(Scheme::Mqtts, address, &options()).await;
    assert_eq!(cause(&report), "C02", "{report:#?}");
    assert_eq!(report.stages.iter().filter(|stage| stage.status == Status::Skipped).count(), 5);
}

#[tokio::test]
async fn ports_that_speak_something_else_are_named() {
    for (bytes, holds, id) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], false, "C08"),
        (b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n", true, "C08"),
        (b"\x20\x02\x00\x01", false, "C07"),
        (b"220 mail.example ESMTP\r\n", true, "C08"),
    ] {
        let report = examine(Scheme::Mqtts, says(bytes, holds).await, &options()).await;
        assert_eq!(cause(&report), id, "{bytes:?} {report:#?}");
    }
}

#[tokio::test]
async fn a_plain_broker_is_c07() {
    let report = examine(Scheme::Mqtts, plain(Manner::default()).await, &options()).await;
    assert_eq!(cause(&report), "C07", "{report:#?}");
}

#[tokio::test]
async fn an_end_without_a_word_is_c06() {
    let report = examine(Scheme::Mqtts, says(b"", false).await, &options()).await;
    assert_eq!(cause(&report), "C06", "{report:#?}");
}

#[tokio::test]
async fn silence_and_half_a_hello_are_c15_within_the_deadline() {
    for bytes in [&b""[..], b"\x16\x03\x03\x00\x5a\x02\x00\x00\x56\x03\x03"] {
        let mut options = options();
        options.deadline = Duration::from_secs(6);
        let begun = Instant::now();
        let report = examine(Scheme::Mqtts, says(bytes, true).await, &options).await;
        assert_eq!(cause(&report), "C15", "{report:#?}");
        assert!(begun.elapsed() < Duration::from_secs(7));
    }
}

#[tokio::test]
async fn a_trickle_ends_by_the_deadline() {
    let address = listen(|mut io| async move {
        let mut hello = vec![0x16, 3, 3, 0x40, 0];
        hello.extend([0; 4096]);
        for byte in hello {
            if io.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let mut options = options();
    options.patience = Duration::from_secs(30);
    options.deadline = Duration::from_secs(2);
    let begun = Instant::now();
    let report = examine(Scheme::Mqtts, address, &options).await;
    assert!(begun.elapsed() < Duration::from_secs(4));
    assert_eq!(cause(&report), "C15", "{report:#?}");
}

#[tokio::test]
async fn alerts_to_the_hello_are_read() {
    for (code, id) in [(70_u8, "D14"), (40, "D15"), (112, "D12"), (80, "D17"), (120, "D16")] {
        let address = listen(move |mut io| async move {
            let mut hello = [0; 4096];
            let _ = io.read(&mut hello).await;
            let _ = io.write_all(&[0x15, 3, 3, 0, 2, 2, code]).await;
        })
        .await;
        let mut options = options();
        options.alpn = vec![b"mqtt".to_vec()];
        let report = examine(Scheme::Mqtts, address, &options).await;
        assert_eq!(cause(&report), id, "{report:#?}");
    }
}

#[tokio::test]
async fn a_run_can_be_spawned() {
    let address = says(b"", false).await;
    let task = tokio::spawn(async move { examine(Scheme::Mqtt, address, &options()).await });
    assert!(task.await.unwrap().primary().is_some());
}
