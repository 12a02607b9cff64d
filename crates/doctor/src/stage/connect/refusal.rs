//! From a broker's refusal to its cause.

use gridmq_proto::packet::ConnAckProperties;
use gridmq_proto::{QoS, ReasonCode};
use gridmq_tls::first_bytes::FirstBytes;
use gridmq_tls::{Certificate, Finding, Id, Severity};

use super::{Context, mqtt, tame};
use crate::profile::Profile;

/// The user name as it is shown: it is no secret, but it may be long.
fn shown(text: &str) -> String {
    format!("{:?}", tame(text))
}

fn about(cx: &Context<'_>) -> String {
    cx.target.to_string()
}

/// CONNACK, or DISCONNECT in its place, with a reason.
///
/// `asked`: the server asked for a client certificate.
pub(super) fn refused(cx: &Context<'_>, reason: ReasonCode, told: Option<&str>, asked: bool) -> Finding {
    let finding = match told.and_then(named) {
        Some(id) => {
            let leaf = cx.options.identity.as_ref().and_then(|identity| identity.chain().first());
            let about = leaf.map_or_else(|| about(cx), |leaf| tame(&leaf.subject().to_string()));
            cx.error(id, about, id.why(), id.fix())
        }
        None => by_reason(cx, reason, told, asked),
    };
    let finding = finding.seen(format!("reason {reason}"));
    match told {
        Some(told) => finding.seen(format!("the broker says: {told}")),
        None => finding,
    }
}

/// The entry that a broker of this project names at the end of what it says, as `[E02 client-issuer-unknown]`.
fn named(told: &str) -> Option<Id> {
    let inside = told.strip_suffix(']')?.rsplit_once('[')?.1;
    let (code, name) = inside.split_once(' ')?;
    let id: Id = code.parse().ok()?;
    (id.name() == name && code.starts_with(['B', 'E', 'F'])).then_some(id)
}

fn by_reason(cx: &Context<'_>, reason: ReasonCode, told: Option<&str>, asked: bool) -> Finding {
    use ReasonCode as R;
    let error = |id, why: &str, fix: &str| cx.error(id, about(cx), why, fix);
    match reason {
        R::UnsupportedProtocolVersion => {
            error(Id::F01, "the broker does not speak this version of MQTT", "use a version that the broker speaks")
        }
        R::ClientIdentifierNotValid => client_id(cx),
        R::BadUserNameOrPassword => credentials(cx, true, told, asked),
        R::NotAuthorized => credentials(cx, false, told, asked),
        R::Banned => error(
            Id::F04,
            "the broker has shut this client out",
            "ask the operator; too many failed attempts may also lead to this",
        ),
        R::BadAuthenticationMethod => extended_authentication(cx, Some(reason)),
        R::QuotaExceeded => exhausted(cx),
        R::RetainNotSupported => will_retain(cx),
        R::QosNotSupported => will_qos(cx, None),
        R::PacketTooLarge => {
            error(Id::G03, "CONNECT is larger than the broker takes", "shorten the will, the user name or the password")
        }
        R::TopicNameInvalid => error(Id::G05, "the will's topic is not accepted", "use another topic for the will"),
        R::MalformedPacket | R::ProtocolError | R::ImplementationSpecificError => {
            if cx.options.wants.connect_user_properties {
                user_properties(cx, Severity::Error)
            } else {
                error(
                    Id::F09,
                    "the broker finds a packet out of order or malformed",
                    "look into the broker's log; a proxy may have put something before CONNECT",
                )
            }
        }
        R::UseAnotherServer | R::ServerMoved => error(
            Id::F10,
            "the broker sends this client to another server",
            "connect to the server that the broker names, or ask the operator for it",
        ),
        _ => error(
            Id::F10,
            "the broker is unavailable or busy",
            "try again later and with growing pauses; if it lasts, ask the operator",
        ),
    }
}

fn client_id(cx: &Context<'_>) -> Finding {
    if cx.options.client_id.as_deref() == Some("") {
        let why = "the broker assigns no client identifiers, and none was given";
        return cx.error(Id::F02, about(cx), why, "give the client an identifier of its own");
    }
    let why = "the broker refuses the client identifier";
    let fix = "use letters and digits only, and the form that the broker's rules want";
    let finding = cx.error(Id::F02, about(cx), why, fix);
    if cx.options.take_over || cx.options.client_id.is_none() {
        finding
    } else {
        finding.seen("the probe used the identifier with -doctor-… appended; --take-over uses the real one")
    }
}

/// Every name that a broker can find in a certificate, by field.
fn names_of(leaf: &Certificate) -> Vec<(&'static str, String)> {
    let san = leaf.alternative_names();
    let mut names: Vec<(&'static str, String)> = Vec::new();
    names.extend(leaf.subject().common_name().map(|name| ("subject", name.to_owned())));
    names.extend(san.dns.iter().map(|name| ("dns", name.clone())));
    names.extend(san.uri.iter().map(|name| ("uri", name.clone())));
    names.extend(san.ip.iter().map(|address| ("ip", address.to_string())));
    names.extend(san.email.iter().map(|name| ("email", name.clone())));
    names
}

/// Which of the profile's fields the first name of the certificate is in.
fn first_source(profile: &Profile, leaf: &Certificate) -> Option<(&'static str, String)> {
    let names = names_of(leaf);
    let order = profile.names.certificate_order.iter();
    order.filter_map(|wanted| names.iter().find(|(field, _)| wanted.to_lowercase().contains(field))).next().cloned()
}

/// The broker does not accept who this is.
fn credentials(cx: &Context<'_>, by_password: bool, told: Option<&str>, asked: bool) -> Finding {
    let leaf = cx.options.identity.as_ref().and_then(|identity| identity.chain().first());
    let username = cx.username();
    // A password that is refused is a cause of its own; without one, the certificate is what is missing.
    let says = |words: &str| told.is_some_and(|told| told.to_ascii_lowercase().contains(words));
    if cx.options.identity.is_none() && asked && (cx.options.password.is_none() || says("certificate")) {
        let why = "the server asked for a client certificate, got none, and then refused CONNECT";
        let fix = "give the client its certificate and key (--cert, --key), and check that both are loaded";
        return cx.error(Id::E01, about(cx), why, fix);
    }
    if leaf.is_some() && username.is_none() && (cx.profile.names.username_required || says("no user name")) {
        let why = "the broker wants a user name beside the certificate, and got none";
        let fix = "give the client's name as user name (-u), or have the broker take it from the certificate";
        return cx.error(Id::F03, about(cx), why, fix);
    }
    if let Some(leaf) = leaf {
        let names = names_of(leaf);
        let subject = tame(&leaf.subject().to_string());
        if names.is_empty() {
            let why = "the broker takes the client's name from the certificate, which has neither CN nor SAN";
            return cx.error(Id::E10, subject, why, "issue the certificate anew with a common name or SAN");
        }
        let list = || names.iter().take(5).map(|(field, name)| format!("{field} {}", shown(name))).collect::<Vec<_>>();
        if let Some(name) = username.filter(|_| cx.options.password.is_none()) {
            if !names.iter().any(|(_, known)| known == name) {
                let why =
                    format!("the user name {} is not in the certificate, which has {}", shown(name), list().join(", "));
                let fix = "use a name of the certificate as user name, or issue one with this name";
                return cx.error(Id::B06, subject, why, fix);
            }
            if let Some((field, first)) = first_source(cx.profile, leaf).filter(|(_, first)| first != name) {
                let why = format!("the service reads {field} first, which says {}, not {}", shown(&first), shown(name));
                let fix = "use that name, or change the order of the name sources";
                return cx.error(Id::B07, subject, why, fix);
            }
        }
    }
    if by_password || leaf.is_none() {
        let why = match (username, &cx.options.password) {
            (None, _) => "the broker wants a user name and got none".to_owned(),
            (Some(name), None) => {
                format!("the broker does not accept the user name {} without a password", shown(name))
            }
            (Some(name), Some(_)) => {
                format!("the broker does not accept the user name {} or its password", shown(name))
            }
        };
        return cx.error(
            Id::F03,
            about(cx),
            why,
            "check user name and password, and that the user exists and is enabled",
        );
    }
    let why = "the broker knows the certificate's issuer or does not ask, and does not let this client in";
    let fix = "register and enable the client under the certificate's name, with its CA or thumbprint, and check that \
               the session is not owned by another name";
    cx.error(Id::F04, about(cx), why, fix)
}

fn exhausted(cx: &Context<'_>) -> Finding {
    let one = cx.profile.mqtt.sessions_per_name == Some(1) && !cx.options.take_over;
    let why = "the credentials are accepted, and the limit of sessions is reached";
    let fix = if one {
        "nothing, if the application's own session takes the place; --take-over connects in its stead"
    } else {
        "keep client identifiers constant, let old sessions expire, or raise the limit of sessions per name"
    };
    cx.finding(Id::F13, if one { Severity::Warning } else { Severity::Error }, about(cx), why, fix)
}

fn will_retain(cx: &Context<'_>) -> Finding {
    let why = "the will is retained, and the broker keeps no retained messages";
    cx.error(Id::F05, about(cx), why, "clear the will's retain flag")
}

fn will_qos(cx: &Context<'_>, most: Option<QoS>) -> Finding {
    let most = most.map_or_else(String::new, |qos| format!(": {} at most", mqtt::level(qos)));
    let why = format!("the broker takes no will of this QoS{most}");
    cx.error(Id::F06, about(cx), why, "lower the will's QoS")
}

fn user_properties(cx: &Context<'_>, severity: Severity) -> Finding {
    let why = "the broker refuses user properties in CONNECT";
    cx.finding(Id::F08, severity, about(cx), why, "send user properties with each PUBLISH instead")
}

/// What the stated limits, or the profile's, forbid.
pub(super) fn by_limits(cx: &Context<'_>, limits: &ConnAckProperties) -> Vec<Finding> {
    let wants = &cx.options.wants;
    let known = &cx.profile.mqtt;
    let mut findings = Vec::new();
    if let Some(will) = &wants.will {
        if will.retain && limits.retain_available.map_or(!known.retain, |retain| !retain) {
            findings.push(will_retain(cx));
        }
        let most = limits.maximum_qos.or_else(|| QoS::from_u8(known.maximum_qos)).unwrap_or(QoS::ExactlyOnce);
        if will.qos > most {
            findings.push(will_qos(cx, Some(most)));
        }
    }
    if wants.connect_user_properties && !known.connect_user_properties {
        findings.push(user_properties(cx, Severity::Error));
    }
    let asked = wants.keep_alive.unwrap_or(60);
    let most = limits.server_keep_alive.or(known.maximum_keep_alive);
    if let Some(most) = most.filter(|most| *most > 0 && (asked == 0 || asked > *most) && wants.keep_alive.is_some()) {
        let v3 = !cx.options.version.is_v5();
        let why = if v3 {
            format!(
                "the broker wants a keep-alive of {most} s at most and cannot say so before MQTT 5.0; {asked} s is set"
            )
        } else {
            format!("the broker wants a keep-alive of {most} s at most; {asked} s is set")
        };
        let severity = if v3 { Severity::Error } else { Severity::Warning };
        let fix = format!("set the keep-alive to {most} s or less");
        findings.push(cx.finding(Id::F07, severity, about(cx), why, fix));
    }
    if cx.options.client_id.as_deref() == Some("") && !known.assigned_client_id {
        let why = "this service assigns no client identifiers, and none was given";
        findings.push(cx.error(Id::F02, about(cx), why, "give the client an identifier of its own"));
    }
    findings
}

pub(super) fn wants_tls(cx: &Context<'_>) -> Finding {
    let why = format!("port {} wants TLS, and the connection is made without", cx.target.port);
    cx.error(Id::C09, about(cx), why, "use mqtts:// in the URL, or turn TLS on in the client")
}

pub(super) fn extended_authentication(cx: &Context<'_>, reason: Option<ReasonCode>) -> Finding {
    let why = match reason {
        None => "the broker begins extended authentication, which the client did not offer",
        Some(_) => "the broker wants another method of extended authentication",
    };
    cx.error(Id::F11, about(cx), why, "configure the method that the broker wants, or certificates or passwords there")
}

pub(super) fn silence(cx: &Context<'_>) -> Finding {
    let why = "the broker does not answer CONNECT";
    let fix = match cx.target.port {
        80 | 443 | 8080 | 8083 | 8084 | 9001 => "this port usually speaks WebSocket or HTTP: use wss:// or port 8883",
        _ => "check that an MQTT broker and not another service is behind this port, and look into its log",
    };
    cx.error(Id::F12, about(cx), why, fix)
}

pub(super) fn web_server(cx: &Context<'_>, status: &str) -> Finding {
    let why = "a web server answers on this port, not an MQTT broker";
    let fix = "use the port where the broker speaks MQTT, usually 8883; for MQTT over WebSocket give wss:// in the URL";
    cx.error(Id::F14, about(cx), why, fix).seen(format!("it answers an HTTP request: {}", tame(status)))
}

pub(super) fn ended(cx: &Context<'_>) -> Finding {
    let why = "the broker closes the connection on CONNECT and gives no reason";
    if cx.profile.name.starts_with("aws") {
        let fix = "check that the certificate is active and has a policy that allows iot:Connect for this client id";
        return cx.error(Id::E16, about(cx), why, fix);
    }
    if cx.options.deep && cx.options.wants.connect_user_properties {
        return user_properties(cx, Severity::Error);
    }
    let fix = "look into the broker's log; wrong credentials, a forbidden client id or another protocol all look so";
    cx.error(Id::F12, about(cx), why, fix)
}

pub(super) fn strange(cx: &Context<'_>, detail: &str, first: FirstBytes) -> Finding {
    let why = match first {
        FirstBytes::Unknown | FirstBytes::Nothing | FirstBytes::Mqtt => {
            "the answer to CONNECT is not a valid CONNACK".to_owned()
        }
        other => format!("the answer to CONNECT is {other}, not MQTT"),
    };
    cx.error(Id::F14, about(cx), why, "use the port where the broker speaks MQTT").seen(tame(detail))
}
