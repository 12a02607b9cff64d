use std::sync::Mutex;
use std::time::UNIX_EPOCH;

use gridmq_proto::time::Wall;

use super::*;

const HOUR: u64 = 3600;
/// The wall clock when the tests' monotonic one begins.
const EPOCH: u64 = 1_700_000_000;

fn now(secs: u64) -> Now {
    Now { monotonic: Monotonic::from_micros(secs * 1_000_000), wall: Wall::from_millis((EPOCH + secs) * 1000) }
}

fn at(secs: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(EPOCH + secs)
}

fn until(secs: u64) -> Grant {
    Grant::new(format!("until {secs}")).expires_at(at(secs))
}

type Script<T> = Mutex<Vec<Option<Result<T, AuthError>>>>;

/// Gives what its test has written down, in order; `None` never comes.
#[derive(Debug, Default)]
struct Scripted {
    begins: Script<Grant>,
    answers: Script<Grant>,
    finishes: Script<()>,
    heard: Mutex<Vec<Challenge>>,
}

async fn next<T>(script: &Script<T>) -> Result<T, AuthError> {
    let step = script.lock().unwrap().remove(0);
    match step {
        Some(result) => result,
        None => std::future::pending().await,
    }
}

impl Authenticator for Scripted {
    fn method(&self) -> &str {
        "SCRIPT"
    }

    fn begin(&self) -> BoxFuture<'_, Result<Grant, AuthError>> {
        Box::pin(next(&self.begins))
    }

    fn answer(&self, challenge: Challenge) -> BoxFuture<'_, Result<Grant, AuthError>> {
        self.heard.lock().unwrap().push(challenge);
        Box::pin(next(&self.answers))
    }

    fn finish(&self, last: Challenge) -> BoxFuture<'_, Result<(), AuthError>> {
        self.heard.lock().unwrap().push(last);
        if self.finishes.lock().unwrap().is_empty() {
            return Box::pin(async { Ok(()) });
        }
        Box::pin(next(&self.finishes))
    }
}

fn oops() -> AuthError {
    AuthError::other("the test", "nothing today")
}

struct Bench {
    script: Arc<Scripted>,
    exchange: Exchange,
    time: u64,
}

impl Bench {
    fn new(first: Grant) -> Self {
        let script = Arc::new(Scripted::default());
        let (exchange, _) =
            Exchange::begun(Arc::clone(&script) as Arc<dyn Authenticator>, first, Profile::default(), now(0)).unwrap();
        Self { script, exchange, time: 0 }
    }

    /// With a first grant that holds for that many seconds.
    fn up(secs: u64) -> Self {
        let mut bench = Self::new(until(secs));
        bench.exchange.on_connack(&ConnAckProperties::default());
        assert!(matches!(bench.poll(), Some(Act::Established { again: false })));
        bench
    }

    fn begins(&self, step: Option<Result<Grant, AuthError>>) {
        self.script.begins.lock().unwrap().push(step);
    }

    fn answers(&self, step: Option<Result<Grant, AuthError>>) {
        self.script.answers.lock().unwrap().push(step);
    }

    fn poll(&mut self) -> Option<Act> {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        match self.exchange.poll(&mut cx, now(self.time), 0.0) {
            Poll::Ready(act) => Some(act),
            Poll::Pending => None,
        }
    }

    /// Lets time pass until there is something to do.
    fn wait(&mut self) -> Option<Act> {
        loop {
            if let Some(act) = self.poll() {
                return Some(act);
            }
            let at = self.exchange.deadline()?;
            assert!(at > now(self.time).monotonic, "a deadline in the past is a busy loop");
            self.time = at.as_micros().div_ceil(1_000_000);
        }
    }

    fn hear(&mut self, reason: ReasonCode) {
        let properties = AuthProperties { authentication_data: Some("said".into()), ..AuthProperties::default() };
        self.exchange.on_auth(Auth { reason, properties });
    }
}

/// A source whose data are as good as gone does not make the client ask without pause.
#[test]
fn data_of_next_to_no_life_are_not_renewed_without_pause() {
    for secs in [1, 12] {
        let mut bench = Bench::up(secs);
        for round in 1..4 {
            let before = bench.time;
            bench.begins(Some(Ok(until(bench.time + 10 + secs))));
            assert!(matches!(bench.wait(), Some(Act::Send(_))), "{secs} s, round {round}");
            assert!(bench.time >= before + 10, "{secs} s: after {} s", bench.time - before);
            bench.hear(ReasonCode::Success);
            assert!(matches!(bench.wait(), Some(Act::Established { again: true })));
        }
    }
}

fn sent(act: Option<Act>) -> (ReasonCode, String) {
    let Some(Act::Send(auth)) = act else { panic!("{act:?}") };
    assert_eq!(auth.properties.authentication_method.as_deref(), Some("SCRIPT"));
    let data = auth.properties.authentication_data.unwrap_or_default();
    (auth.reason, String::from_utf8(data.to_vec()).unwrap())
}

fn failed(act: Option<Act>) -> AuthError {
    let Some(Act::Failed(error)) = act else { panic!("{act:?}") };
    error
}

fn retrying(act: Option<Act>) -> (AuthError, Option<u64>) {
    let Some(Act::Retrying { error, retry_in }) = act else { panic!("{act:?}") };
    (error, retry_in.map(|after| after.as_secs()))
}

#[test]
fn what_runs_out_is_shown_anew_before_and_again_after_that() {
    let mut bench = Bench::up(HOUR);
    for round in 1..4 {
        bench.begins(Some(Ok(until((round + 1) * HOUR))));
        assert_eq!(sent(bench.wait()), (ReasonCode::ReAuthenticate, format!("until {}", (round + 1) * HOUR)));
        let left = round * HOUR - bench.time;
        // A tenth of the hour, or of the rest that was left when the newer one was accepted.
        assert!((360..=500).contains(&left), "{left}");
        assert!(bench.poll().is_none());
        bench.hear(ReasonCode::Success);
        assert!(matches!(bench.poll(), Some(Act::Established { again: true })));
    }
}

#[test]
fn without_an_end_nothing_is_shown_again() {
    let mut bench = Bench::new(Grant::new("for ever"));
    bench.exchange.on_connack(&ConnAckProperties::default());
    assert!(matches!(bench.wait(), Some(Act::Established { again: false })));
    assert!(bench.wait().is_none());
    assert_eq!(bench.exchange.deadline(), None);
}

#[test]
fn steps_of_the_greeting_are_answered_and_the_end_is_looked_at() {
    let mut bench = Bench::new(Grant::empty());
    for step in 0..3 {
        bench.answers(Some(Ok(Grant::new(format!("step {step}")))));
        bench.hear(ReasonCode::ContinueAuthentication);
        assert_eq!(sent(bench.poll()), (ReasonCode::ContinueAuthentication, format!("step {step}")));
        assert!(bench.poll().is_none());
    }
    bench.script.finishes.lock().unwrap().push(Some(Err(AuthError::permanent("the test", "another server"))));
    let end = ConnAckProperties { authentication_data: Some("signature".into()), ..ConnAckProperties::default() };
    bench.exchange.on_connack(&end);
    assert!(failed(bench.poll()).is_permanent());
    let heard = bench.script.heard.lock().unwrap();
    assert_eq!(heard.len(), 4);
    assert_eq!(heard[3].reason(), ReasonCode::Success);
    assert_eq!(heard[3].data().map(|data| &data[..]), Some(&b"signature"[..]));
}

#[test]
fn steps_of_a_re_authentication_are_answered() {
    let mut bench = Bench::up(HOUR);
    bench.begins(Some(Ok(Grant::new("first"))));
    assert_eq!(sent(bench.wait()).0, ReasonCode::ReAuthenticate);
    bench.answers(Some(Ok(until(3 * HOUR))));
    bench.hear(ReasonCode::ContinueAuthentication);
    assert_eq!(sent(bench.poll()), (ReasonCode::ContinueAuthentication, format!("until {}", 3 * HOUR)));
    bench.hear(ReasonCode::Success);
    assert!(matches!(bench.poll(), Some(Act::Established { again: true })));
    bench.begins(None);
    let (error, _) = retrying(bench.wait());
    assert!(matches!(error.kind(), AuthErrorKind::Slow { .. }));
    assert!(bench.time > 2 * HOUR, "what the last step has shown counts");
}

#[test]
fn a_source_that_fails_is_asked_again_until_the_end_and_then_left_alone() {
    let mut bench = Bench::up(HOUR);
    let mut waits = Vec::new();
    loop {
        bench.begins(Some(Err(oops())));
        let (error, retry_in) = retrying(bench.wait());
        assert!(error.to_string().contains("nothing today"));
        match retry_in {
            Some(wait) => waits.push(wait),
            None => break,
        }
    }
    assert_eq!(waits[..5], [5, 10, 20, 40, 80]);
    assert!(waits.len() < 40, "{waits:?}");
    assert!((HOUR - 1..=HOUR).contains(&bench.time), "{}", bench.time);
    assert!(bench.wait().is_none(), "the server decides");
}

#[test]
fn a_source_that_recovers_is_forgiven() {
    let mut bench = Bench::up(HOUR);
    for step in [Some(Err(oops())), None, Some(Ok(until(HOUR))), Some(Ok(Grant::new("past").expires_at(at(1))))] {
        bench.begins(step);
        retrying(bench.wait());
    }
    bench.begins(Some(Ok(until(2 * HOUR))));
    assert_eq!(sent(bench.wait()), (ReasonCode::ReAuthenticate, format!("until {}", 2 * HOUR)));
    bench.hear(ReasonCode::Success);
    assert!(matches!(bench.poll(), Some(Act::Established { again: true })));
    bench.begins(Some(Err(oops())));
    assert_eq!(retrying(bench.wait()).1, Some(5), "counted anew");
}

#[test]
fn what_is_no_newer_is_not_sent_and_says_so() {
    let mut bench = Bench::up(HOUR);
    bench.begins(Some(Ok(until(HOUR))));
    assert!(matches!(retrying(bench.wait()).0.kind(), AuthErrorKind::NotNewer));
    bench.begins(Some(Ok(Grant::new("past").expires_at(at(60)))));
    assert!(matches!(retrying(bench.wait()).0.kind(), AuthErrorKind::Expired { .. }));
}

#[test]
fn what_has_run_out_is_not_shown_at_all() {
    let script = Arc::new(Scripted::default());
    let error = Exchange::begun(script, Grant::new("past").expires_at(at(0)), Profile::default(), now(60)).unwrap_err();
    assert!(matches!(error.kind(), AuthErrorKind::Expired { ago } if ago.as_secs() == 60), "{error}");
    assert!(!error.is_permanent());
}

#[test]
fn a_server_that_does_not_answer_is_left() {
    let mut bench = Bench::up(HOUR);
    bench.begins(Some(Ok(until(2 * HOUR))));
    sent(bench.wait());
    let sent_at = bench.time;
    assert!(matches!(failed(bench.wait()).kind(), AuthErrorKind::NoAnswer { .. }));
    assert_eq!(bench.time - sent_at, 30);
    assert!(bench.wait().is_none());
}

#[test]
fn endless_steps_of_a_server_end() {
    let mut bench = Bench::up(HOUR);
    bench.begins(Some(Ok(until(2 * HOUR))));
    sent(bench.wait());
    for _ in 0..29 {
        bench.time += 1;
        bench.answers(Some(Ok(Grant::empty())));
        bench.hear(ReasonCode::ContinueAuthentication);
        sent(bench.poll());
    }
    bench.time += 1;
    assert!(matches!(failed(bench.poll()).kind(), AuthErrorKind::NoAnswer { .. }));
}

#[test]
fn an_auth_out_of_turn_is_an_end_with_a_name() {
    for reason in [ReasonCode::ContinueAuthentication, ReasonCode::Success, ReasonCode::ReAuthenticate] {
        let mut bench = Bench::up(HOUR);
        bench.hear(reason);
        let error = failed(bench.poll());
        assert!(matches!(error.kind(), AuthErrorKind::OutOfTurn(said) if *said == reason), "{error}");
        assert_eq!(error.side(), crate::error::Side::Server);
        bench.hear(reason);
        assert!(bench.wait().is_none(), "once");
    }
    // A second step before the first is answered.
    let mut bench = Bench::new(Grant::empty());
    bench.answers(None);
    bench.hear(ReasonCode::ContinueAuthentication);
    bench.hear(ReasonCode::ContinueAuthentication);
    assert!(matches!(failed(bench.poll()).kind(), AuthErrorKind::OutOfTurn(_)));
}

#[test]
fn the_server_may_be_content_before_an_answer_is_ready() {
    let mut bench = Bench::new(until(HOUR));
    bench.answers(None);
    bench.hear(ReasonCode::ContinueAuthentication);
    assert!(bench.poll().is_none());
    bench.exchange.on_connack(&ConnAckProperties::default());
    assert!(matches!(bench.poll(), Some(Act::Established { again: false })));
}

#[test]
fn a_method_of_one_step_says_that_it_takes_no_challenge() {
    let source = super::super::FnToken::new(|| async { Ok(super::super::Token::new("x")) });
    let method = Arc::new(super::super::JwtAuthenticator::custom(source));
    let (exchange, data) = Exchange::begun(method, Grant::new("x"), Profile::default(), now(0)).unwrap();
    assert_eq!(data.as_deref(), Some(&b"x"[..]));
    let mut bench = Bench { script: Arc::default(), exchange, time: 0 };
    bench.hear(ReasonCode::ContinueAuthentication);
    let error = failed(bench.poll());
    assert!(matches!(error.kind(), AuthErrorKind::Challenge), "{error}");
    assert!(error.is_permanent() && error.to_string().contains("CUSTOM-JWT"), "{error}");
}

#[test]
fn what_the_server_does_not_take_is_not_sent() {
    let mut bench = Bench::new(until(HOUR));
    let maximum_packet_size = std::num::NonZeroU32::new(64);
    bench.exchange.on_connack(&ConnAckProperties { maximum_packet_size, ..ConnAckProperties::default() });
    assert!(matches!(bench.poll(), Some(Act::Established { .. })));
    bench.begins(Some(Ok(Grant::new("x".repeat(64)).expires_at(at(2 * HOUR)))));
    let (error, _) = retrying(bench.wait());
    assert!(matches!(error.kind(), AuthErrorKind::PacketTooLarge { maximum: 64, .. }), "{error}");
}

#[test]
fn a_machine_that_slept_renews_when_it_wakes() {
    let mut bench = Bench::up(HOUR);
    assert!(bench.poll().is_none());
    bench.begins(Some(Ok(until(9 * HOUR))));
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let woken = Now { monotonic: now(1).monotonic, wall: now(8 * HOUR).wall };
    assert!(matches!(bench.exchange.poll(&mut cx, woken, 0.0), Poll::Ready(Act::Send(_))));
}

#[test]
fn no_secret_is_shown() {
    let bench = Bench::up(HOUR);
    let grant = Grant::new("tell-tale");
    let auth = grant.clone().into_auth(ReasonCode::ReAuthenticate, "SCRIPT");
    let shown = format!("{grant:?} {auth:?} {:?} {:?}", Act::Send(auth.clone()), bench.exchange);
    assert!(!shown.contains("tell-tale") && shown.contains("not shown"), "{shown}");
}
