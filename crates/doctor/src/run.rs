//! Runs the stages in order under one deadline.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use gridmq_tls::Id;
use gridmq_tls::catalogue::Stage;
use gridmq_tls::probe::How;

use crate::profile::Profile;
use crate::report::{CertificateSummary, Report, StageReport, Status};
use crate::stage::{self, Context, Route, skipped};
use crate::target::{Options, Scheme, Target};

/// What happens while a run goes on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Progress {
    /// A stage begins.
    Started(Stage),
    /// A step of a stage that may take a while, in a few words.
    Step(Stage, String),
    /// A stage is complete. A later stage may add a finding to an earlier one; the report has the last word.
    Ended(StageReport),
}

/// Examines the target.
///
/// It ends by [`Options::deadline`] whatever the peer does.
pub async fn run(target: &Target, options: &Options) -> Report {
    run_with(target, options, |_| ()).await
}

/// As [`run`], telling what happens.
pub async fn run_with(target: &Target, options: &Options, mut progress: impl FnMut(Progress) + Send) -> Report {
    let now = options.now.unwrap_or_else(system_time);
    let profile = options.profile.clone().unwrap_or_else(|| Profile::for_host(&target.host).clone());
    let mut report = Report {
        target: target.to_string(),
        profile: profile.name.clone(),
        started: system_time(),
        stages: Vec::new(),
        client_certificates: Vec::new(),
        server_certificates: Vec::new(),
        timed_out: false,
    };
    if let Some(identity) = &options.identity {
        report.client_certificates = identity.chain().iter().map(CertificateSummary::of).collect();
    }
    let cx = Context::new(target, options, &profile, now, &mut progress);
    if let Some(files) = &options.files {
        cx.tell(Progress::Ended(files.clone()));
        report.stages.push(files.clone());
    }
    // Each exchange has its own limit; this one only backs them up, and keeps what was found by then.
    let all = cx.left();
    report.timed_out = stage::within(all, Box::pin(stages(&cx, &mut report))).await.is_none();
    if report.timed_out {
        let running = STAGES.iter().find(|stage| report.stages.iter().all(|done| done.stage != **stage));
        if let Some(running) = running {
            let mut ended = StageReport::new(*running);
            let why = format!("the run's deadline of {} s passed in this stage", options.deadline.as_secs());
            let fix = "look why the peer is so slow, or give the run more time";
            ended.found(cx.error(slow(*running), target.to_string(), why, fix));
            report.stages.push(ended);
        }
    }
    for stage in STAGES {
        if report.stages.iter().all(|done| done.stage != stage) {
            report.stages.push(skipped(stage, "not reached"));
        }
    }
    report
}

/// The stages of the network, in order. The session is only watched when asked for.
const STAGES: [Stage; 7] =
    [Stage::Name, Stage::Tcp, Stage::Hello, Stage::Server, Stage::Client, Stage::Connect, Stage::Access];

/// What a stage that does not end is called.
const fn slow(stage: Stage) -> Id {
    match stage {
        Stage::Name => Id::C01,
        Stage::Tcp => Id::C03,
        Stage::Connect => Id::F12,
        _ => Id::C15,
    }
}

fn system_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_secs()).unwrap_or_default()
}

/// Notes a complete stage; false when it failed, so that there is no way on.
fn done(cx: &Context<'_>, report: &mut Report, mut ended: StageReport, begun: Instant) -> bool {
    ended.took = begun.elapsed();
    cx.tell(Progress::Ended(ended.clone()));
    let failed = ended.status == Status::Failed;
    report.stages.push(ended);
    !failed
}

async fn stages(cx: &Context<'_>, report: &mut Report) {
    let begun = start(cx, Stage::Name);
    let (ended, addresses) = stage::name::run(cx).await;
    if !done(cx, report, ended, begun) {
        return;
    }
    let begun = start(cx, Stage::Tcp);
    let (ended, route) = stage::tcp::run(cx, &addresses).await;
    done(cx, report, ended, begun);
    let Some(route) = route else { return };
    let Ok(shaken) = Box::pin(tls(cx, report, route)).await else { return };
    match cx.target.scheme {
        Scheme::Mqtt | Scheme::Mqtts => Box::pin(mqtt(cx, report, route, shaken)).await,
        Scheme::Ws | Scheme::Wss => {
            report.stages.push(skipped(Stage::Connect, "MQTT over WebSocket is not examined"));
            report.stages.push(skipped(Stage::Access, "MQTT over WebSocket is not examined"));
        }
        Scheme::Https => {
            report.stages.push(skipped(Stage::Connect, "not an MQTT server"));
            report.stages.push(skipped(Stage::Access, "not an MQTT server"));
        }
    }
}

fn start(cx: &Context<'_>, stage: Stage) -> Instant {
    cx.tell(Progress::Started(stage));
    Instant::now()
}

/// Hello, server and client. `Err`: there is no way on.
async fn tls(cx: &Context<'_>, report: &mut Report, route: Route) -> Result<Option<stage::shake::Shaken>, NoWayOn> {
    if !cx.target.scheme.is_tls() {
        for stage in [Stage::Hello, Stage::Server, Stage::Client] {
            report.stages.push(skipped(stage, "without TLS"));
        }
        return Ok(None);
    }
    let begun = start(cx, Stage::Hello);
    let (ended, shaken) = stage::hello::run(cx, route).await;
    done(cx, report, ended, begun);
    let shaken = shaken.ok_or(NoWayOn)?;

    let begun = start(cx, Stage::Server);
    let (ended, chain) = stage::server::run(cx, &shaken);
    report.server_certificates = chain.iter().take(16).map(CertificateSummary::of).collect();
    let trusted = done(cx, report, ended, begun);

    if shaken.seen.end.as_ref().is_some_and(|end| end.how == How::TooLarge) {
        return Err(NoWayOn);
    }
    let begun = start(cx, Stage::Client);
    let ended = stage::client::run(cx, route, &shaken).await;
    let accepted = done(cx, report, ended, begun);
    if !trusted || !accepted {
        // Credentials are not shown to a server that nobody vouches for.
        return Err(NoWayOn);
    }
    Ok(Some(shaken))
}

/// The stages after this one make no sense.
struct NoWayOn;

async fn mqtt(cx: &Context<'_>, report: &mut Report, route: Route, shaken: Option<stage::shake::Shaken>) {
    let begun = start(cx, Stage::Connect);
    let connected = stage::connect::run(cx, route, shaken).await;
    if let Some(late) = connected.client
        && let Some(client) = report.stages.iter_mut().find(|stage| stage.stage == Stage::Client)
    {
        // What was a remark before is the cause now.
        client.findings.retain(|finding| finding.id != late.id);
        client.found(late);
    }
    done(cx, report, connected.report, begun);
    let Some(mut session) = connected.session else { return };
    let begun = start(cx, Stage::Access);
    let ended = stage::access::run(cx, route, &mut session).await;
    done(cx, report, ended, begun);
    if !cx.options.observe.is_zero() {
        let begun = start(cx, Stage::Session);
        let ended = stage::observe::run(cx, &mut session).await;
        done(cx, report, ended, begun);
    }
    session.mqtt.leave().await;
}
