//! How each broker is told what to do: everybody may do everything on this machine, queues are as long as they can be.

use std::path::Path;
use std::process::Command;

use super::peers::Peer;
use crate::shell::{Context, Result};

/// Where a broker lives for one cell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// Empty, and its own.
    pub(super) dir: &'a Path,
    /// Of the quickstart.
    pub(super) certificates: &'a Path,
    pub(super) plain: u16,
    pub(super) tls: u16,
    /// For what else it listens on.
    pub(super) other: u16,
    /// Where it can be chosen.
    pub(super) nodelay: bool,
    /// Limits as they are shipped.
    pub(super) shipped: bool,
}

/// The command that starts it.
pub(super) fn command(peer: Peer, program: &Path, place: &Place<'_>) -> Result<Command> {
    let mut command = Command::new(program);
    command.current_dir(place.dir);
    let write = |name: &str, text: String| {
        let file = place.dir.join(name);
        std::fs::write(&file, text).context(format_args!("cannot write {}", file.display())).map(|()| file)
    };
    match peer {
        Peer::Gridmq => drop(command.args(["serve", "--config"]).arg(write("gridmq.toml", gridmq(place))?)),
        Peer::Relay => drop(command.args(["bench", "relay", "--listen", &format!("127.0.0.1:{}", place.plain)])),
        Peer::Mosquitto => drop(command.arg("-c").arg(write("mosquitto.conf", mosquitto(place))?)),
        Peer::Nats => drop(command.arg("-c").arg(write("nats.conf", nats(place))?)),
        Peer::Rumqttd => drop(command.args(["-q", "-c"]).arg(write("rumqttd.toml", rumqttd(place))?)),
        Peer::Rmqttd => drop(command.arg("-f").arg(write("rmqttd.toml", rmqttd(place))?)),
    }
    Ok(command)
}

/// The peers keep nothing on disk here, so neither does ours, but where shipped defaults are what is measured.
fn gridmq(place: &Place<'_>) -> String {
    let (dir, certificates) = (place.dir.display(), place.certificates.display());
    let durability = if place.shipped { "" } else { "durability = 'memory'\n" };
    format!(
        "plain = ['127.0.0.1:{plain}']\nlisten = ['127.0.0.1:{tls}']\n\
         cert = '{certificates}/server.pem'\nkey = '{certificates}/server.key'\nlog = 'error'\n\
         [open]\nanonymous = true\nclient-ca = '{certificates}/root-ca.pem'\n\
         [limits]\nconnections = 30000\n[store]\ndirectory = '{dir}/data'\n{durability}",
        plain = place.plain,
        tls = place.tls,
    )
}

fn mosquitto(place: &Place<'_>) -> String {
    let certificates = place.certificates.display();
    let limits = if place.shipped { "" } else { "max_inflight_messages 0\nmax_queued_messages 0\n" };
    format!(
        "allow_anonymous true\npersistence false\nsys_interval 0\nset_tcp_nodelay {nodelay}\n{limits}\
         max_connections -1\nlog_type error\nuser root\n\
         listener {plain} 127.0.0.1\n\
         listener {tls} 127.0.0.1\ncafile {certificates}/root-ca.pem\ncertfile {certificates}/server.pem\n\
         keyfile {certificates}/server.key\nrequire_certificate true\n",
        nodelay = place.nodelay,
        plain = place.plain,
        tls = place.tls,
    )
}

fn nats(place: &Place<'_>) -> String {
    let dir = place.dir.display();
    let pending = if place.shipped { "" } else { ", max_ack_pending: 1000" };
    format!(
        "server_name: bench\nlisten: \"127.0.0.1:{other}\"\nmax_connections: 30000\n\
         jetstream {{ store_dir: \"{dir}/jetstream\", max_mem: 1G, max_file: 4G }}\n\
         mqtt {{ listen: \"127.0.0.1:{plain}\"{pending} }}\n",
        other = place.other,
        plain = place.plain,
    )
}

fn rumqttd(place: &Place<'_>) -> String {
    let certificates = place.certificates.display();
    let listener = |name: &str, port: u16, tls: &str| {
        format!(
            "[v4.{name}]\nname = '{name}'\nlisten = '127.0.0.1:{port}'\nnext_connection_delay_ms = 0\n\
             [v4.{name}.connections]\nconnection_timeout_ms = 60000\nmax_payload_size = 1048576\n\
             max_inflight_count = 1000\n{tls}"
        )
    };
    let tls = format!(
        "[v4.tls.tls]\ncapath = '{certificates}/root-ca.pem'\ncertpath = '{certificates}/server.pem'\n\
         keypath = '{certificates}/server.key'\n"
    );
    format!(
        "id = 0\n[router]\nid = 0\nmax_connections = 20000\nmax_outgoing_packet_count = 200\n\
         max_segment_size = 104857600\nmax_segment_count = 10\n{}{}",
        listener("plain", place.plain, ""),
        listener("tls", place.tls, &tls),
    )
}

fn rmqttd(place: &Place<'_>) -> String {
    let (dir, certificates) = (place.dir.display(), place.certificates.display());
    let limits = if place.shipped {
        ""
    } else {
        "max_inflight = 1000\nmax_mqueue_len = 1000000\nmqueue_rate_limit = '4000000000,1s'\n"
    };
    let common = format!(
        "allow_anonymous = true\nnodelay = {}\nmax_connections = 30000\nmax_handshaking_limit = 20000\n\
         message_retry_interval = '0s'\nmax_packet_size = '1MB'\n{limits}",
        place.nodelay
    );
    format!(
        "log.to = 'off'\nlog.dir = '{dir}/log'\nrpc.server_addr = '127.0.0.1:{other}'\n\
         plugins.dir = '{dir}/plugins'\nplugins.default_startups = []\n\
         plugins.disabled_default_startups = ['rmqtt-acl', 'rmqtt-counter', 'rmqtt-http-api']\n\
         [listener.tcp.external]\naddr = '127.0.0.1:{plain}'\n{common}\
         [listener.tls.external]\naddr = '127.0.0.1:{tls}'\ncross_certificate = true\n\
         cert = '{certificates}/server.pem'\nkey = '{certificates}/server.key'\n\
         client_ca_certs = '{certificates}/root-ca.pem'\n{common}",
        other = place.other,
        plain = place.plain,
        tls = place.tls,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_names_its_ports_and_leaves_shipped_limits_alone() {
        let (dir, certificates) = (Path::new("/d"), Path::new("/c"));
        let place =
            Place { dir, certificates, plain: 11_111, tls: 22_222, other: 33_333, nodelay: true, shipped: false };
        let shipped = Place { shipped: true, ..place };
        for make in [gridmq, mosquitto, nats, rumqttd, rmqttd] {
            assert!(make(&place).contains("127.0.0.1:11111") || make(&place).contains("11111 127.0.0.1"));
        }
        for make in [gridmq, mosquitto, rmqttd] {
            assert!(make(&place).len() > make(&shipped).len(), "limits are raised, unless they are measured");
        }
    }
}
