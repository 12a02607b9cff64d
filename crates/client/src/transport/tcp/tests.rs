use std::collections::HashMap;
use std::io::ErrorKind;
use std::sync::Arc;

use tokio::time::{sleep, sleep_until};

use super::*;
use crate::Client;
use crate::transport::AddressFamily;

/// What becomes of an address, and after how long.
type Fate = (Duration, Result<(), ErrorKind>);

const NEVER: Duration = Duration::from_secs(1_000_000);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn address(last: u8) -> SocketAddr {
    ([10, 0, 0, last], 1).into()
}

/// An opener after a script; it notes when each address was tried.
fn scripted(fates: &[(u8, Fate)]) -> (impl Fn(SocketAddr) -> Opening + use<>, Tried) {
    let fates: HashMap<_, _> = fates.iter().map(|(last, fate)| (address(*last), *fate)).collect();
    let tried = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (notes, begun) = (Arc::clone(&tried), Instant::now());
    let open = move |address| {
        notes.lock().unwrap().push((address, begun.elapsed()));
        let (after, outcome) = fates[&address];
        Box::pin(async move {
            sleep(after).await;
            outcome.map(|()| address).map_err(io::Error::from)
        }) as Opening
    };
    (open, tried)
}

/// Which addresses were tried, and when.
type Tried = Arc<std::sync::Mutex<Vec<(SocketAddr, Duration)>>>;
type Opening = Pin<Box<dyn Future<Output = io::Result<SocketAddr>> + Send>>;

#[tokio::test(start_paused = true)]
async fn a_silent_address_gets_company_after_the_attempt_delay() {
    let (open, tried) = scripted(&[(1, (NEVER, Ok(()))), (2, (NEVER, Ok(()))), (3, (ms(10), Ok(())))]);
    let begun = Instant::now();
    let mut attempts = Vec::new();
    let won = race(vec![address(1), address(2), address(3)], &mut attempts, open).await.unwrap();
    assert_eq!((won.1, begun.elapsed()), (address(3), ms(510)));
    let expected = [(address(1), ms(0)), (address(2), ms(250)), (address(3), ms(500))];
    assert_eq!(*tried.lock().unwrap(), expected);
    assert!(attempts.iter().all(|attempt| attempt.error.is_none()));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_begins_the_next_attempt_at_once_and_the_delay_anew() {
    let refused = Err(ErrorKind::ConnectionRefused);
    let (open, tried) = scripted(&[(1, (ms(100), refused)), (2, (NEVER, Ok(()))), (3, (ms(5), Ok(())))]);
    let mut attempts = Vec::new();
    let won = race(vec![address(1), address(2), address(3)], &mut attempts, open).await.unwrap();
    assert_eq!(won.1, address(3));
    assert_eq!(*tried.lock().unwrap(), [(address(1), ms(0)), (address(2), ms(100)), (address(3), ms(350))]);
    assert_eq!(attempts[0].error.as_ref().unwrap().kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test(start_paused = true)]
async fn a_slow_first_address_still_wins_if_it_answers_first() {
    let (open, tried) = scripted(&[(1, (ms(300), Ok(()))), (2, (ms(100), Ok(())))]);
    let won = race(vec![address(1), address(2)], &mut Vec::new(), open).await.unwrap();
    assert_eq!((won.1, tried.lock().unwrap().len()), (address(1), 2));
}

#[tokio::test(start_paused = true)]
async fn when_all_refuse_each_is_told() {
    let refused = Err(ErrorKind::ConnectionRefused);
    let (open, _) = scripted(&[(1, (ms(1), refused)), (2, (ms(400), refused))]);
    let mut attempts = Vec::new();
    assert!(race(vec![address(1), address(2)], &mut attempts, open).await.is_none());
    assert!(attempts.len() == 2 && attempts.iter().all(|attempt| attempt.error.is_some()));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_is_over_name_and_tcp_and_the_stage_is_told() {
    let plan = Client::builder("mqtt://host").connect_timeout(ms(1_000)).planned();
    let way = || Way { plan: &plan, address: &plan.addresses[0], deadline: Instant::now() + ms(1_000) };
    let (open, _) = scripted(&[(1, (NEVER, Ok(())))]);
    let begun = Instant::now();
    let stalled = async {
        sleep_until(begun + NEVER).await;
        Ok(vec![address(1)])
    };
    let error = dial_with(way(), stalled, &open).await.unwrap_err();
    assert_eq!((error.stage(), begun.elapsed()), (Stage::Name, ms(1_000)));

    let begun = Instant::now();
    let slow = async {
        sleep(ms(900)).await;
        Ok(vec![address(1)])
    };
    let error = dial_with(way(), slow, &open).await.unwrap_err();
    assert_eq!((error.stage(), begun.elapsed()), (Stage::Tcp, ms(1_000)));
    let ConnectErrorKind::Timeout { attempts, .. } = error.kind() else { panic!("{error}") };
    assert_eq!(attempts.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_family_that_the_name_lacks_is_named() {
    let plan = Client::builder("mqtt://host").address_family(AddressFamily::V6).planned();
    let way = Way { plan: &plan, address: &plan.addresses[0], deadline: Instant::now() + ms(1_000) };
    let (open, tried) = scripted(&[]);
    let error = dial_with(way, async { Ok(vec![address(1)]) }, &open).await.unwrap_err();
    assert!(matches!(error.kind(), ConnectErrorKind::NoAddressOfFamily { found } if found == &[address(1)]), "{error}");
    assert!(tried.lock().unwrap().is_empty());
    let error = dial_with(way, async { Ok(Vec::new()) }, &open).await.unwrap_err();
    assert!(matches!(error.kind(), ConnectErrorKind::NoAddress), "{error}");
}
