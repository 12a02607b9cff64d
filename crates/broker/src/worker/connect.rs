//! CONNECT: who is it, may it come in, which session does it get.

use std::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use gridmq_namespace::Gate;
use gridmq_namespace::gate::{Admission, Credentials, DecisionCache};
use gridmq_namespace::profile::{self, ConnectionLimits, SessionLimits};
use gridmq_proto::packet::Connect;
use gridmq_proto::session::server::{Accepted, Config, ConnectDecision, Session};
use gridmq_proto::session::{QueueLimits, Verdict, server};
use gridmq_proto::time::Now;
use gridmq_proto::{ReasonCode, Version};
use gridmq_tls::{Certificate, PresentedPeer};

use super::admission::Arrival;
use super::policy::proof_end;
use super::takeover::{Waiting, overtaken};
use super::{Client, ConnKey, Local, State, Worker};
use crate::directory::{Claim, FIRST_EPOCH, SessionKey, Slot};
use crate::events::Event;
use crate::hooks::SessionEnd;
use crate::listener::Door;
use crate::observer::Occurrence;
use crate::shared::Shared;
use crate::sys;
use crate::tables::{SessionRow, WillRow};

/// Lengths of client identifiers and topics are the codec's matter; this is the rules'.
pub(super) fn machine_config(
    said: &ConnectionLimits,
    decision_timeout: Duration,
    connect_timeout: Duration,
    door: &Door,
) -> Config {
    let maximum_packet_size = said.maximum_packet_size.min(door.maximum_packet_size());
    Config {
        connect_timeout,
        decision_timeout,
        limits: server::Limits {
            maximum_qos: said.maximum_qos,
            receive_maximum: NonZeroU16::new(said.receive_maximum).unwrap_or(NonZeroU16::MIN),
            maximum_packet_size: NonZeroU32::new(maximum_packet_size).unwrap_or(NonZeroU32::MIN),
            topic_alias_maximum: said.topic_alias_maximum,
            outbound_topic_aliases: said.outbound_topic_aliases,
            retain_available: said.retain_available,
            subscription_identifiers_available: said.subscription_identifiers_available,
            shared_subscription_available: said.shared_subscription_available,
            keep_alive_maximum: said.maximum_keep_alive.and_then(NonZeroU16::new),
            outbound_window: NonZeroU16::new(said.outbound_window).unwrap_or(NonZeroU16::MIN),
            ..server::Limits::default()
        },
    }
}

/// What the rules allow a session to keep.
pub(crate) fn queue_limits(limits: &profile::QueueLimits) -> QueueLimits {
    QueueLimits {
        messages: usize::try_from(limits.messages).unwrap_or(usize::MAX),
        bytes: usize::try_from(limits.bytes).unwrap_or(usize::MAX),
    }
}

/// Seconds that the session outlives its connection.
fn expiry_interval(connect: &Connect, limits: &SessionLimits) -> u32 {
    let maximum = u32::try_from(limits.maximum_expiry.as_secs()).unwrap_or(u32::MAX);
    match connect.version {
        Version::V5 => connect.properties.session_expiry_interval.unwrap_or(0).min(maximum),
        Version::V3_1 | Version::V3_1_1 if connect.clean_start => 0,
        Version::V3_1 | Version::V3_1_1 => maximum,
    }
}

impl Worker {
    pub(super) fn refuse(&mut self, now: Now, key: ConnKey, verdict: Verdict) {
        self.shared.counters.refusals.count(&format!("0x{:02X}", verdict.reason.as_u8()));
        if let Some(conn) = self.conn(key) {
            let from = conn.from;
            let why = verdict.words.clone().unwrap_or_else(|| ByteString::from(verdict.reason.to_string()));
            tracing::info!(%from, reason = %verdict.reason, why = &*why, "client refused");
            let reason = verdict.reason;
            conn.machine.decide_connect(now, ConnectDecision::Refuse(verdict));
            self.shared.observe(&Occurrence::Refused { from, why: &why });
            self.shared.events.tell(|| Event::Refused {
                from: from.to_string(),
                reason: Some(reason),
                why: why.to_string(),
            });
        }
    }

    /// Gives a client that may come in its session.
    pub(super) fn try_enter(
        &mut self,
        now: Now,
        key: ConnKey,
        arrival: Arrival,
        admission: Admission,
        credentials: Credentials,
    ) -> Result<(), Verdict> {
        let Arrival { connect, data, welcome, .. } = arrival;
        let connect = &*connect;
        let Some(conn) = self.conns.get(key.place).filter(|conn| conn.id == key.id) else { return Ok(()) };
        let realm = Arc::clone(&conn.realm);
        let gate = realm.gate.load();
        check_will(&self.shared, &gate, &admission, connect)?;
        let assigned_client_id = connect.client_id.is_empty();
        let client_id = match (assigned_client_id, welcome.assigned_client_id) {
            (false, _) => own(&connect.client_id),
            (true, chosen) => {
                let made = assign(connect)?;
                chosen.filter(|chosen| !chosen.is_empty()).unwrap_or(made)
            }
        };
        let limits = gate.session_limits();
        if expiry_interval(connect, &limits) != 0 && !self.shared.volatile && self.shared.store_state.is_down() {
            return Err(refusal(ReasonCode::QuotaExceeded, self.shared.store_state.words().to_owned()));
        }
        let session_key = SessionKey { namespace: realm.id, client_id };
        let waiting = Waiting {
            key,
            clean_start: connect.clean_start,
            assigned_client_id,
            expiry_interval: expiry_interval(connect, &limits),
            queue_limits: queue_limits(&self.shared.insiders.queue(&session_key.client_id, &limits)),
            authentication_data: data,
            welcome: server::Welcome {
                reason_string: welcome.words,
                user_properties: welcome.user_properties,
                response_information: welcome.response_information,
            },
            admission,
            credentials,
        };
        self.enter(now, session_key, waiting)
    }

    /// Claims the session for a client that may come in.
    fn enter(&mut self, now: Now, session_key: SessionKey, waiting: Waiting) -> Result<(), Verdict> {
        let limits = self.shared.realm.gate.load().session_limits();
        let name = waiting.admission.principal().authentication_name().clone();
        let client_id = session_key.client_id.clone();
        match self.shared.directory.claim(session_key, &name, &limits, self.id) {
            Claim::NotOwner => Err(refusal(
                ReasonCode::NotAuthorized,
                format!(
                    "the session '{client_id}' belongs to another authentication name than '{name}': use another client identifier"
                ),
            )),
            Claim::TooMany(maximum) => Err(refusal(
                ReasonCode::QuotaExceeded,
                format!(
                    "'{name}' has {maximum} session(s), online or not, which is the namespace's maximum: end one, or raise maximumClientSessionsPerAuthenticationName"
                ),
            )),
            Claim::New(slot) => {
                self.shared.counters.sessions.one();
                self.shared.events.tell(|| Event::SessionCreated { client_id: client_id.clone() });
                let session = Session::new(client_id, waiting.queue_limits);
                self.locals.insert(slot.id, Local::new(Arc::clone(&slot), State::Away));
                self.accept(now, &slot, waiting, session, false);
                Ok(())
            }
            Claim::Held { slot, from, epoch } => {
                self.shared.counters.takeovers.one();
                if slot.is_online() {
                    self.shared.events.tell(|| Event::TakenOver { client_id: client_id.clone() });
                }
                self.take_over(now, slot, from, epoch, waiting);
                Ok(())
            }
        }
    }

    /// Lets a client in with its session. `found`: the session existed before.
    pub(super) fn accept(&mut self, now: Now, slot: &Arc<Slot>, waiting: Waiting, session: Session, found: bool) {
        let Waiting {
            key,
            clean_start,
            assigned_client_id,
            expiry_interval,
            queue_limits,
            authentication_data,
            welcome,
            admission,
            credentials,
        } = waiting;
        // A session that was not to outlive its last connection has ended with it.
        let resumed = found && !clean_start && session.expiry_interval() != 0;
        let mut session = session;
        if found && !resumed {
            let successor = session.successor();
            self.discard(now, slot, session);
            self.tell_session_ended(slot, SessionEnd::Replaced);
            self.shared.events.tell(|| Event::SessionCreated { client_id: slot.key.client_id.clone() });
            session = successor;
            if let Some(local) = self.locals.get_mut(&slot.id) {
                local.scans.clear();
            }
        }
        session.set_queue_limits(queue_limits);
        if resumed && let Some(local) = self.locals.get_mut(&slot.id) {
            // The client is back before its will's delay was over [MQTT-3.1.3-9].
            local.will = None;
        }
        let accepted = Accepted {
            session,
            session_present: resumed,
            expiry_interval,
            assigned_client_id,
            authentication_data,
            welcome,
        };
        let name = admission.principal().authentication_name().to_owned();
        let mut unwanted = Some(ConnectDecision::Accept(Box::new(accepted)));
        if let Some(conn) = self.conn(key) {
            unwanted = unwanted.and_then(|decision| conn.machine.decide_connect(now, decision));
        }
        if let Some(decision) = unwanted {
            // The client has gone while its session was on its way.
            if let ConnectDecision::Accept(accepted) = decision {
                self.settle(now, slot.id, accepted.session);
            }
            return;
        }
        let Some(local) = self.locals.get_mut(&slot.id) else { return };
        local.state = State::Online(key);
        local.expires = None;
        local.overflowed = false;
        local.ending = None;
        local.admitted = Some((admission.clone(), credentials.clone()));
        slot.set_online(true);
        self.shared.counters.clients_connected.one();
        if expiry_interval != 0 {
            let row = || SessionRow { owner: name.to_string(), disconnected_at: None };
            self.journal.draft.write_session_row(slot, row);
        }
        let will = self.conns.get(key.place).and_then(|conn| conn.machine.will()).filter(|_| expiry_interval != 0);
        let will = will.filter(|will| will.delay_interval != 0);
        let will_stored = will.is_some() && !self.shared.volatile;
        if will_stored || resumed {
            // In the place of the one that its client cancels by coming back.
            self.journal.draft.write_will(slot, || will.map(|will| WillRow { will: will.clone(), due: None }));
        }
        let gate = self.shared.realm.gate.load();
        let maximum = gate.connection_limits().maximum_packet_size;
        if !resumed {
            local.judged = Some(admission.generation());
        }
        if local.judged != Some(gate.generation()) {
            // Its subscriptions were made under other rules.
            self.rejudge.push_back(slot.id);
            self.clerk.notify_one();
        }
        let Some(conn) = self.conn(key) else { return };
        conn.decoder.set_max_packet_size(maximum.min(conn.door.maximum_packet_size()));
        conn.cache = DecisionCache::new();
        conn.awaiting = None;
        conn.proof_ends = proof_end(now, &admission);
        conn.client = Some(Client { slot: Arc::clone(slot), admission, credentials, since: now.wall, will_stored });
        let from = conn.from;
        let unadmitted = std::mem::take(&mut conn.unadmitted);
        self.release_unadmitted(unadmitted);
        self.wake(key);
        let client_id: &str = &slot.key.client_id;
        let shared = Arc::clone(&self.shared);
        let certificate = self.conn(key).and_then(|conn| conn.presented.as_ref()).map(PresentedPeer::leaf);
        tracing::info!(
            %from,
            client_id,
            authentication_name = %name,
            session_present = resumed,
            certificate = certificate.map(Certificate::thumbprint_sha256),
            "client connected"
        );
        shared.observe(&Occurrence::Connected {
            connection: key.id,
            from,
            client_id,
            authentication_name: &name,
            session_present: resumed,
            certificate,
        });
        let version = self.conn(key).map_or(Version::V5, |conn| conn.machine.version());
        shared.events.tell(|| Event::Connected {
            connection: key.id,
            client_id: slot.key.client_id.clone(),
            authentication_name: name,
            from: from.to_string(),
            version,
            session_present: resumed,
        });
    }

    /// Moves the session of a client that connects again to its new connection.
    fn take_over(&mut self, now: Now, slot: Arc<Slot>, from: u16, epoch: u64, waiting: Waiting) {
        if waiting.clean_start {
            // What was published before is not its successor's.
            self.send_rest(now);
        }
        if from != self.id {
            return self.ask_for(now, slot, from, epoch, waiting);
        }
        let Some(local) = self.locals.get_mut(&slot.id) else {
            // Released in the same breath by this worker: there is nothing to go on with.
            let session = Session::new(slot.key.client_id.clone(), waiting.queue_limits);
            self.locals.insert(slot.id, Local { epoch, ..Local::new(Arc::clone(&slot), State::Away) });
            return self.accept(now, &slot, waiting, session, false);
        };
        local.epoch = epoch;
        match std::mem::replace(&mut local.state, State::Away) {
            State::Offline(session) => {
                let session = self.will_of_taken_over(now, &slot, waiting.clean_start, *session);
                self.accept(now, &slot, waiting, session, true);
            }
            State::Online(old) => {
                local.state = State::Online(old);
                match self.kick(now, old, &slot) {
                    Some(session) => {
                        let session = self.will_of_taken_over(now, &slot, waiting.clean_start, session);
                        self.accept(now, &slot, waiting, session, true);
                    }
                    None => {
                        // Its connection had ended for another reason, and the session with it.
                        let key = waiting.key;
                        if let Err(verdict) = self.enter(now, slot.key.clone(), waiting) {
                            self.refuse(now, key, verdict);
                        }
                    }
                }
            }
            State::Arriving(mut arriving) => {
                let key = waiting.key;
                let old = arriving.waiting.replace(waiting);
                local.state = State::Arriving(arriving);
                if let Some(conn) = self.conn(key) {
                    conn.awaiting = Some(slot.id);
                }
                if let Some(old) = old {
                    self.refuse(now, old.key, overtaken());
                    self.wake(old.key);
                }
            }
            State::Away => {
                let session = Session::new(slot.key.client_id.clone(), waiting.queue_limits);
                self.accept(now, &slot, waiting, session, false);
            }
        }
    }
}

impl Local {
    pub(super) const fn new(slot: Arc<Slot>, state: State) -> Self {
        Self {
            slot,
            state,
            epoch: FIRST_EPOCH,
            incarnation: 0,
            leaving: Vec::new(),
            will: None,
            alarm: None,
            overflowed: false,
            ending: None,
            judged: None,
            expires: None,
            scans: Vec::new(),
            admitted: None,
        }
    }
}

pub(super) fn refusal(reason: ReasonCode, words: String) -> Verdict {
    Verdict { words: Some(bounded(words)), ..Verdict::from(reason) }
}

/// Words for a client at most; a topic can be longer than a packet's reason string may be.
const WORDS: usize = 1024;

pub(super) fn bounded(mut words: String) -> ByteString {
    if words.len() > WORDS {
        words.truncate(words.floor_char_boundary(WORDS));
        words.push('…');
    }
    words.into()
}

/// A will that may not be published would fail when nobody is there to be told.
fn check_will(shared: &Shared, gate: &Gate, admission: &Admission, connect: &Connect) -> Result<(), Verdict> {
    let Some(will) = &connect.will else { return Ok(()) };
    if sys::is_own(shared, will.message.topic.as_str()) {
        let words = "the will may not be published: topics under $SYS/ are the broker's own".to_owned();
        return Err(refusal(ReasonCode::NotAuthorized, words));
    }
    let mut cache = DecisionCache::with_capacity(0);
    match gate.publish(admission, &mut cache, &will.message.topic, ()) {
        Ok(_allowed) => Ok(()),
        Err(denied) => Err(refusal(denied.reason, format!("the will may not be published: {denied}"))),
    }
}

/// A copy of its own: a slice would keep the whole read buffer of the CONNECT.
fn own(client_id: &ByteString) -> ByteString {
    ByteString::from(client_id.to_string())
}

/// A client identifier for a client that sent none [MQTT-3.1.3-6].
fn assign(connect: &Connect) -> Result<ByteString, Verdict> {
    if !connect.version.is_v5() && !connect.clean_start {
        return Err(refusal(
            ReasonCode::ClientIdentifierNotValid,
            "an empty client identifier needs Clean Session [MQTT-3.1.3-8]".to_owned(),
        ));
    }
    let random = std::hash::RandomState::new();
    let high = std::hash::BuildHasher::hash_one(&random, 0u8);
    let low = std::hash::BuildHasher::hash_one(&random, 1u8);
    Ok(ByteString::from(format!("gridmq-{high:016x}{low:016x}")))
}
