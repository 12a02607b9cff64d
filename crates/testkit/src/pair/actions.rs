//! What happens, and who does it.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use gridmq_proto::codec::{DEFAULT_MAX_CONNECT_SIZE, Decoder};
use gridmq_proto::packet::Connect;
use gridmq_proto::session::server::{Accepted, ConnectDecision, Welcome};
use gridmq_proto::session::{PublishToken, Record, Seq, client, server};
use gridmq_proto::time::{Monotonic, Now};
use gridmq_proto::{QoS, ReasonCode, Version};

use super::journal::Entry;
use super::{Driven, Pair, Side, limits};

/// Something scheduled.
#[derive(Debug)]
pub(super) enum Action {
    /// The client opens a connection.
    Connect,
    Bytes {
        to: Side,
        number: u32,
        bytes: Bytes,
    },
    /// The transport tells that it has closed.
    Close {
        at: Side,
        number: u32,
    },
    /// The store has that much.
    Durable {
        side: Side,
        life: u32,
        len: usize,
        machine: Option<(u32, Seq)>,
    },
    /// The owner is done with a message.
    Complete {
        side: Side,
        life: u32,
        token: PublishToken,
        payload: String,
        qos: QoS,
    },
    /// What the owner did with it is durable.
    Confirm {
        side: Side,
        life: u32,
        token: PublishToken,
    },
    /// A side loses its memory, once.
    Crash {
        side: Side,
    },
    Decide {
        number: u32,
        event: Box<server::Event>,
    },
}

impl Pair {
    pub(super) fn act(&mut self, action: Action) {
        let now = self.now;
        match action {
            Action::Connect => self.connect(),
            Action::Bytes { number, .. } if self.lost.contains(&number) => {}
            Action::Bytes { to: Side::Client, number, bytes } => {
                if let Some(client) = self.client.as_mut().filter(|it| it.number == number) {
                    client.incoming.extend_from_slice(&bytes);
                    self.pump_client();
                }
            }
            Action::Bytes { to: Side::Server, number, bytes } => {
                if let Some(server) = self.server(number) {
                    server.incoming.extend_from_slice(&bytes);
                    self.pump_server(number);
                }
            }
            Action::Close { at: Side::Client, number } => {
                if let Some(client) = self.client.as_mut().filter(|it| it.number == number) {
                    client.machine.handle_close();
                    self.drain_client();
                }
            }
            Action::Close { at: Side::Server, number } => {
                if let Some(server) = self.server(number) {
                    server.machine.handle_close();
                    self.drain_server(number);
                }
            }
            Action::Durable { side, life, len, machine } => self.durable(side, life, len, machine),
            Action::Complete { side, life, token, payload, qos } => {
                if self.journals[&side].life != life {
                    return;
                }
                let len = self.journal(side).write(Entry::Took(payload));
                if qos == QoS::ExactlyOnce {
                    // The machine's own record follows at once: both are durable, or neither.
                    self.complete(side, token);
                }
                let at = self.store(side, len, None);
                if qos == QoS::AtLeastOnce {
                    self.at(at, Action::Confirm { side, life, token });
                }
            }
            Action::Confirm { side, life, token } => {
                if self.journals[&side].life == life {
                    self.complete(side, token);
                }
            }
            Action::Crash { side } => {
                self.crash_at = None;
                self.crash(side);
            }
            Action::Decide { number, event } => self.decide(now, number, *event),
        }
    }

    fn complete(&mut self, side: Side, token: PublishToken) {
        let now = self.now;
        match side {
            Side::Client => {
                if let Some(client) = &mut self.client {
                    client.machine.complete(now, token, ReasonCode::Success);
                    self.pump_client();
                }
            }
            Side::Server => {
                if let Some(number) = self.connected_server() {
                    self.server(number).unwrap().machine.complete(token, ReasonCode::Success);
                    self.pump_server(number);
                } else if let Some(session) = &mut self.server_session {
                    let mut records = Vec::new();
                    session.complete_offline(token, ReasonCode::Success, |record| records.push(record));
                    self.store_offline(records);
                }
            }
        }
    }

    pub(super) fn store_offline(&mut self, records: Vec<Record>) {
        for record in records {
            let len = self.journal(Side::Server).write(Entry::Record(record));
            self.store(Side::Server, len, None);
        }
    }

    /// Has the journal made durable up to there; when that will be.
    pub(super) fn store(&mut self, side: Side, len: usize, machine: Option<(u32, Seq)>) -> Monotonic {
        let takes = self.random.within(&self.settings.storing.clone());
        let now = self.now.monotonic;
        let journal = self.journal(side);
        let at = now.after(takes).max(journal.busy_until);
        journal.busy_until = at;
        let life = journal.life;
        self.at(at, Action::Durable { side, life, len, machine });
        at
    }

    fn durable(&mut self, side: Side, life: u32, len: usize, machine: Option<(u32, Seq)>) {
        let journal = self.journal(side);
        if journal.life != life {
            return;
        }
        journal.durable = journal.durable.max(len);
        if self.crash_at.is_some_and(|(of, at, after)| of == side && after && at <= len) {
            // What was waiting for the record is said, and nobody hears the answer.
            self.after(Duration::ZERO, Action::Crash { side });
        }
        let Some((number, seq)) = machine else { return };
        match side {
            Side::Client => {
                if let Some(client) = self.client.as_mut().filter(|it| it.number == number) {
                    client.machine.persisted(seq);
                    self.pump_client();
                }
            }
            Side::Server => {
                if let Some(server) = self.server(number) {
                    server.machine.persisted(seq);
                    self.pump_server(number);
                }
            }
        }
    }

    fn connect(&mut self) {
        if self.client.as_ref().is_some_and(|it| !it.closed) {
            return;
        }
        if !self.journals[&Side::Client].is_durable() {
            // What an earlier connection wrote has to be safe before another one builds on it.
            return self.after(Duration::from_millis(1), Action::Connect);
        }
        let mut old = self.client.take();
        let session = old.as_mut().and_then(|it| it.machine.take_session()).or_else(|| self.client_session.take());
        self.connections += 1;
        let number = self.connections;
        let config = client::Config {
            connect: self.settings.connect.clone(),
            connect_timeout: Duration::from_secs(20),
            receive_maximum: self.settings.receive_maximum,
            outbound_topic_aliases: self.settings.client_aliases,
        };
        let version = config.connect.version;
        self.servers.push(Driven {
            number,
            machine: server::Connection::new(self.now, self.settings.server.clone()),
            incoming: BytesMut::new(),
            decoder: Decoder::for_server(DEFAULT_MAX_CONNECT_SIZE),
            deadline: None,
            closed: false,
        });
        self.client = Some(Driven {
            number,
            machine: client::Connection::new(
                self.now,
                config,
                session.unwrap_or_else(|| client::Session::recorded(limits())),
            ),
            incoming: BytesMut::new(),
            decoder: Decoder::for_client(version, 1 << 20),
            deadline: None,
            closed: false,
        });
        self.drain_server(number);
        self.drain_client();
    }

    fn decide(&mut self, now: Now, number: u32, event: server::Event) {
        match event {
            server::Event::Connect(connect) => {
                if self.server(number).is_none() {
                    return;
                }
                let old: Vec<_> = self.servers.iter().map(|it| it.number).filter(|&it| it != number).collect();
                for other in old {
                    let machine = &mut self.server(other).unwrap().machine;
                    machine.disconnect(ReasonCode::SessionTakenOver, None);
                    self.drain_server(other);
                }
                if !self.journals[&Side::Server].is_durable() {
                    let event = Box::new(server::Event::Connect(connect));
                    return self.after(Duration::from_millis(1), Action::Decide { number, event });
                }
                let kept = self.server_session.take().filter(|_| !connect.clean_start);
                let session_present = kept.is_some();
                let lasting = if connect.clean_start { 0 } else { u32::MAX };
                let v5 = connect.version.is_v5();
                let accepted = Accepted {
                    session: kept.unwrap_or_else(|| server::Session::new("c".into(), limits())),
                    session_present,
                    expiry_interval: if v5 { connect.properties.session_expiry_interval.unwrap_or(0) } else { lasting },
                    assigned_client_id: false,
                    authentication_data: None,
                    welcome: Welcome::default(),
                };
                let Some(server) = self.server(number) else { return };
                let unused = server.machine.decide_connect(now, ConnectDecision::Accept(Box::new(accepted)));
                if let Some(ConnectDecision::Accept(accepted)) = unused {
                    self.server_session = accepted.session_present.then_some(accepted.session);
                } else {
                    self.resumes(&connect, session_present);
                }
            }
            server::Event::Subscribe(subscribe) => {
                let reasons = subscribe.filters.iter().map(|it| ReasonCode::granted(it.options.qos)).collect();
                if let Some(server) = self.server(number) {
                    server.machine.decide_subscribe(now, reasons, None);
                }
            }
            server::Event::Unsubscribe(unsubscribe) => {
                if let Some(server) = self.server(number) {
                    server.machine.decide_unsubscribe(now, vec![ReasonCode::Success; unsubscribe.filters.len()]);
                }
            }
            _ => {}
        }
        self.pump_server(number);
    }

    /// The wires of a connection whose client is in.
    fn resumes(&mut self, connect: &Connect, present: bool) {
        let v5 = connect.version == Version::V5;
        let client_takes = connect.properties.receive_maximum.map(|it| usize::from(it.get())).filter(|_| v5);
        let server_takes = Some(usize::from(self.settings.server.limits.receive_maximum.get())).filter(|_| v5);
        self.wire(Side::Server).connect(client_takes, present);
        self.wire(Side::Client).connect(server_takes, present);
    }
}
