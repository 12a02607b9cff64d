//! Why a server did not get as far as its certificates.

use gridmq_tls::catalogue::Stage;
use gridmq_tls::first_bytes::FirstBytes;
use gridmq_tls::probe::How;
use gridmq_tls::probe::raw::{self, Answer};
use gridmq_tls::{Finding, Id, TlsVersion, TlsVersions};

use super::super::shake::{self, Shaken, Shape, shake};
use super::super::{Context, Route, ms, tame};
use super::{reached_certificates, sniff};

/// Small enough for every path.
const SMALL_MSS: u32 = 800;

/// The findings, the cause first.
pub(super) async fn explain(cx: &Context<'_>, route: Route, shaken: &Shaken) -> Vec<Finding> {
    let first = shaken.seen.first_bytes();
    let finding = match shaken.seen.end.as_ref().map(|end| end.how.clone()) {
        None => stalled(cx, route, shaken).await,
        Some(How::NotTls) => not_tls(cx, first, &shaken.seen.first),
        Some(How::Alert(alert)) => alerted(cx, route, alert.code, &alert.name).await,
        Some(How::Version) => versions(cx, route, None).await,
        Some(How::Incompatible(detail)) => ciphers(cx, route, &format!("refused here: {detail}")).await,
        Some(How::Closed | How::Reset | How::CloseNotify | How::Io(_)) => closed(cx, route, shaken).await,
        Some(How::TooLarge | How::Violation(_)) if shaken.seen.received == 0 => closed(cx, route, shaken).await,
        Some(How::Violation(detail)) => broken(cx, &detail),
        Some(other) => broken(cx, &format!("{other:?}")),
    };
    vec![finding]
}

fn about(cx: &Context<'_>) -> String {
    cx.target.to_string()
}

fn broken(cx: &Context<'_>, detail: &str) -> Finding {
    let why = "the server's handshake breaks the TLS protocol";
    let fix = "look into the server's log; a proxy or a middlebox between may also damage the handshake";
    cx.error(Id::D17, about(cx), why, fix).seen(tame(detail))
}

fn not_tls(cx: &Context<'_>, first: FirstBytes, bytes: &[u8]) -> Finding {
    let shown: String = bytes.iter().take(32).map(|byte| byte.escape_ascii().to_string()).collect();
    let port = cx.target.port;
    let finding = if first == FirstBytes::Mqtt {
        plain_mqtt(cx)
    } else {
        let what = match first {
            FirstBytes::Unknown => "something that is not TLS".to_owned(),
            known => known.to_string(),
        };
        let why = format!("port {port} answers with {what}");
        cx.error(Id::C08, about(cx), why, "use the port where the broker speaks MQTT over TLS, usually 8883")
    };
    finding.seen(format!("first bytes {shown}"))
}

fn plain_mqtt(cx: &Context<'_>) -> Finding {
    let why = format!("port {} speaks MQTT without TLS", cx.target.port);
    cx.error(Id::C07, about(cx), why, "use the broker's TLS port, usually 8883, or mqtt:// if the path is safe without")
}

/// Nothing more came: a narrow path, a plain port, or a server that stopped.
async fn stalled(cx: &Context<'_>, route: Route, shaken: &Shaken) -> Finding {
    cx.step(Stage::Hello, "no answer: trying with small packets, and in the clear");
    let limit = cx.brief();
    let small = Shape { mss: Some(SMALL_MSS), ..Shape::usual(cx) };
    let view = cx;
    let (narrow, plain) = tokio::join!(shake(view, route, small, limit), sniff::answers_mqtt(route, limit));
    let received = shaken.seen.received;
    if reached_certificates(&narrow.seen) {
        let why = "packets of full size get lost on the path and nobody says so, while small ones pass";
        let fix = "let ICMP \"fragmentation needed\" through, clamp the MSS at the router or VPN, or lower the MTU";
        return cx
            .error(Id::C05, about(cx), why, fix)
            .seen(format!("no answer within {} with the usual segment size", ms(shaken.took)))
            .seen(format!("answered in {} with segments of {SMALL_MSS} bytes", ms(narrow.took)));
    }
    if plain == Some(FirstBytes::Mqtt) {
        return plain_mqtt(cx).seen("a CONNECT in the clear is answered");
    }
    let why = if received == 0 {
        "the server takes the connection and then says nothing".to_owned()
    } else {
        format!("the server stops in the middle of the handshake, after {received} bytes")
    };
    let fix = "look whether the server is overloaded or waits for something, such as a PROXY header or its own backend";
    cx.error(Id::C15, about(cx), why, fix).seen(format!("waited {}", ms(shaken.took)))
}

/// The connection ended without a word.
async fn closed(cx: &Context<'_>, route: Route, shaken: &Shaken) -> Finding {
    cx.step(Stage::Hello, "closed without a word: trying in other ways");
    let limit = cx.brief();
    let usual = Shape::usual(cx);
    let view = cx;
    let named = view.sends_name();
    let toggled = Shape { name: !usual.name, ..usual };
    let older = Shape { versions: TlsVersions::only(TlsVersion::V1_2), ..usual };
    let bare = Shape { alpn: !usual.alpn, ..usual };
    let (name, tls12, no_alpn, plain) = tokio::join!(
        shake(view, route, toggled, limit),
        shake(view, route, older, limit),
        shake(view, route, bare, limit),
        sniff::answers_mqtt(route, limit),
    );
    let how =
        if matches!(shaken.seen.end.as_ref().map(|end| &end.how), Some(How::Reset)) { "resets" } else { "closes" };
    if plain == Some(FirstBytes::Mqtt) {
        return plain_mqtt(cx)
            .seen(format!("it {how} the connection on a TLS hello and answers a CONNECT in the clear"));
    }
    if matches!(plain, Some(FirstBytes::Http | FirstBytes::Ssh)) {
        return not_tls(cx, plain.unwrap_or(FirstBytes::Unknown), &[]);
    }
    if !named && reached_certificates(&name.seen) {
        let why = "the server closes when the server name (SNI) is not sent";
        return cx.error(Id::D13, about(cx), why, "connect by name and see that the client sends SNI");
    }
    if named && reached_certificates(&name.seen) {
        let why = format!("the server closes when it is asked for the name {}", cx.server_name());
        let fix = "check the host name; the server has no service under it";
        return cx.error(Id::D12, about(cx), why, fix).seen("without the name (SNI) it shakes hands");
    }
    if reached_certificates(&no_alpn.seen) && !shake::protocols(cx).is_empty() {
        let why = "the server closes when application protocols (ALPN) are offered";
        return cx.error(Id::D16, about(cx), why, "do not offer ALPN, or offer what the server speaks");
    }
    let why = format!("the server {how} the connection in the handshake and says nothing");
    let fix = match cx.profile.wrong_host(&cx.target.host) {
        Some(hint) => hint.to_owned(),
        None => "check the host name and that SNI is sent; otherwise a firewall, an IP filter or a load balancer \
                 without a backend may be in the way"
            .to_owned(),
    };
    let finding = cx.error(Id::C06, about(cx), why, fix);
    if reached_certificates(&tls12.seen) {
        return finding.seen("with TLS 1.2 alone it shakes hands: something on the path does not bear TLS 1.3");
    }
    finding.seen(if named { "the same without SNI" } else { "the same with SNI" }).seen("the same with TLS 1.2 alone")
}

async fn alerted(cx: &Context<'_>, route: Route, code: u8, name: &str) -> Finding {
    let seen = format!("alert {code} {name} in the handshake");
    match code {
        70 => versions(cx, route, Some(&seen)).await,
        112 => {
            let why = format!("the server does not know the name {}", cx.server_name());
            let fix = "use a name that the server has, or give it a certificate and a listener for this one";
            cx.error(Id::D12, about(cx), why, fix).seen(seen)
        }
        120 => protocols(cx, route, &seen).await,
        80 => {
            let why = "the server reports an internal error of its own";
            let fix = "look into the server's log: its key, its certificate or its backend does not work";
            cx.error(Id::D17, about(cx), why, fix).seen(seen)
        }
        40 | 71 | 47 => ciphers(cx, route, &seen).await,
        _ => {
            let why = format!("the server refuses the hello with alert {code} ({name})");
            cx.error(Id::D17, about(cx), why, "look into the server's log for the reason of this alert").seen(seen)
        }
    }
}

/// No version in common: which ones does it have?
async fn versions(cx: &Context<'_>, route: Route, seen: Option<&str>) -> Finding {
    let limit = cx.brief();
    let name = cx.sends_name().then(|| cx.server_name().to_owned());
    let (all, tls11, tls10) = tokio::join!(
        sniff::choice(route, 0x0304, name.as_deref(), limit),
        sniff::choice(route, 0x0302, name.as_deref(), limit),
        sniff::choice(route, 0x0301, name.as_deref(), limit),
    );
    let mut offered: Vec<u16> = [all, tls11, tls10]
        .into_iter()
        .filter_map(|answer| match answer {
            Answer::Chosen { version, .. } => Some(version),
            _ => None,
        })
        .collect();
    offered.sort_unstable();
    offered.dedup();
    let modern = offered.iter().any(|version| *version >= 0x0303);
    let names = offered.iter().map(|version| raw::version_name(*version)).collect::<Vec<_>>().join(" and ");
    let (why, fix) = if modern {
        (
            format!("the server speaks {names}, and only {} is offered", cx.options.tls_versions),
            "allow the server's version in the client".to_owned(),
        )
    } else if names.is_empty() {
        (
            format!("the server accepts none of the versions offered ({})", cx.options.tls_versions),
            "enable TLS 1.2 or 1.3 on the server".to_owned(),
        )
    } else {
        (
            format!("the server speaks only {names}, which is no longer safe"),
            "enable TLS 1.2 or 1.3 on the server, or update it".to_owned(),
        )
    };
    let finding = cx.error(Id::D14, about(cx), why, fix);
    seen.into_iter().fold(finding, |finding, seen| finding.seen(seen))
}

/// No cipher suite, group or scheme in common: what would it choose?
async fn ciphers(cx: &Context<'_>, route: Route, seen: &str) -> Finding {
    let limit = cx.brief();
    let name = cx.sends_name().then(|| cx.server_name().to_owned());
    let answer = sniff::choice(route, 0x0304, name.as_deref(), limit).await;
    let fix = "enable ECDHE with AES-GCM or ChaCha20-Poly1305 and one of X25519, P-256 and P-384 on the server";
    match answer {
        Answer::Chosen { version, .. } if version < 0x0303 => versions(cx, route, Some(seen)).await,
        Answer::Chosen { cipher, group, .. } => {
            let group = group.map_or_else(String::new, |group| format!(" with {}", raw::group_name(group)));
            let why = format!("the server would choose {}{group}, which is not offered here", raw::cipher_name(cipher));
            cx.error(Id::D15, about(cx), why, fix).seen(seen)
        }
        _ => {
            let why = "the server finds no cipher suite, group or signature scheme that both sides have";
            cx.error(Id::D15, about(cx), why, fix).seen(seen)
        }
    }
}

/// No application protocol in common.
async fn protocols(cx: &Context<'_>, route: Route, seen: &str) -> Finding {
    let limit = cx.brief();
    let bare = shake(cx, route, Shape { alpn: false, ..Shape::usual(cx) }, limit).await;
    let offered = shake::protocols(cx);
    let offered: Vec<_> = offered.iter().map(|protocol| tame(&String::from_utf8_lossy(protocol))).collect();
    let why = match offered.as_slice() {
        [] => "the server wants an application protocol (ALPN) and none is offered".to_owned(),
        names => format!("the server speaks none of the application protocols offered (ALPN {})", names.join(", ")),
    };
    let fix = if reached_certificates(&bare.seen) {
        "offer no ALPN: without it the server shakes hands"
    } else {
        "offer what the server speaks, such as mqtt, or x-amzn-mqtt-ca at AWS on port 443"
    };
    cx.error(Id::D16, about(cx), why, fix).seen(seen)
}
