//! CONNECT up to the decision: challenges, work on other threads, the rules, the hooks.
//!
//! ```text
//!  CONNECT ─▶ exchange? ── AUTH ⇄ AUTH ──┐
//!               │ no                     ▼
//!               └─▶ prepare? ─ work ─▶ rules ─▶ hooks ─▶ hooks that answer later ─▶ the session
//! ```

use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use gridmq_namespace::gate::{Admission, ConnectRequest, Credentials, Exchange, Proof, Refusal, RefusalKind, Step};
use gridmq_proto::ReasonCode;
use gridmq_proto::packet::{Auth, Connect};
use gridmq_proto::session::Verdict;
use gridmq_proto::session::server::{AuthDecision, ConnectDecision};
use gridmq_proto::time::Now;

use super::connect::{bounded, refusal};
use super::policy::proof_end;
use super::{Conn, ConnKey, Worker};
use crate::hooks;
use crate::hooks::{Caller, Connecting, Welcome};
use crate::peer::PeerAddress;

/// A client that is on its way in.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) connect: Box<Connect>,
    exchange: Option<Challenge>,
    proof: Option<Proof>,
    /// Authentication Data for the CONNACK.
    pub(super) data: Option<Bytes>,
    pub(super) welcome: Welcome,
}

/// Enhanced authentication under way.
#[derive(Debug)]
pub(super) struct Challenge {
    exchange: Box<dyn Exchange>,
    steps: usize,
}

/// What came of one step.
enum Stepped {
    Continue(Option<Bytes>),
    Proven(Proof, Option<Bytes>),
    Refused(Verdict),
}

impl Challenge {
    fn step(&mut self, data: Option<&[u8]>, now: Now, maximum: usize) -> Stepped {
        self.steps += 1;
        match self.exchange.step(data, now.wall) {
            Step::Continue { .. } if self.steps >= maximum => Stepped::Refused(refusal(
                ReasonCode::NotAuthorized,
                format!("the authentication took more than {maximum} steps: begin again"),
            )),
            Step::Continue { data } => Stepped::Continue(data.map(Bytes::from)),
            Step::Proven { proof, data } => Stepped::Proven(proof, data.map(Bytes::from)),
            Step::Refused(refusal) => Stepped::Refused(verdict(&refusal)),
        }
    }
}

fn verdict(refusal: &Refusal) -> Verdict {
    Verdict { words: Some(bounded(refusal.to_string())), ..Verdict::from(refusal.reason) }
}

fn request<'a>(conn: &'a Conn, connect: &'a Connect, proof: Option<&'a Proof>) -> ConnectRequest<'a> {
    ConnectRequest {
        username: connect.username.as_deref(),
        password: connect.password.as_deref(),
        authentication_method: connect.properties.authentication_method.as_deref(),
        authentication_data: connect.properties.authentication_data.as_deref(),
        proof,
        source: conn.from.ip(),
        presented: conn.presented.as_ref(),
        vouched: conn.vouched.as_deref(),
        ..ConnectRequest::new(&connect.client_id, conn.transport)
    }
}

impl Worker {
    pub(super) fn on_connect(&mut self, now: Now, key: ConnKey, connect: Box<Connect>) {
        let Some(conn) = self.conns.get_mut(key.place).filter(|conn| conn.id == key.id) else { return };
        conn.maximum_packet_size = connect.properties.maximum_packet_size.map(u32::from);
        if conn.from == PeerAddress::Program {
            return self.welcome_program(now, key, connect);
        }
        if self.shared.insiders.keep(&connect.client_id) {
            let words = format!("the client identifier '{}' is this broker's own: use another one", connect.client_id);
            return self.refuse(now, key, refusal(ReasonCode::ClientIdentifierNotValid, words));
        }
        let gate = conn.realm.gate.load_full();
        let exchange = gate.exchange(&request(conn, &connect, None));
        let exchange = exchange.map(|exchange| Challenge { exchange, steps: 0 });
        let data = connect.properties.authentication_data.clone();
        let arrival = Arrival { connect, exchange, proof: None, data: None, welcome: Welcome::default() };
        if arrival.exchange.is_some() {
            self.challenge(now, key, Box::new(arrival), data);
        } else {
            self.prepare(now, key, Box::new(arrival));
        }
    }

    /// Lets the program itself in.
    fn welcome_program(&mut self, now: Now, key: ConnKey, connect: Box<Connect>) {
        let Some(conn) = self.conns.get(key.place).filter(|conn| conn.id == key.id) else { return };
        let admission = conn.realm.gate.load().admit_program(connect.client_id.clone());
        let credentials = Credentials::from(&request(conn, &connect, None));
        let arrival = Arrival { connect, exchange: None, proof: None, data: None, welcome: Welcome::default() };
        self.let_in(now, key, arrival, admission, credentials);
    }

    /// The next step of enhanced authentication before the CONNACK.
    fn challenge(&mut self, now: Now, key: ConnKey, mut arrival: Box<Arrival>, data: Option<Bytes>) {
        let maximum = self.shared.limits.authentication_steps;
        let Some(challenge) = &mut arrival.exchange else { return };
        match challenge.step(data.as_deref(), now, maximum) {
            Stepped::Continue(data) => {
                if let Some(conn) = self.conn(key) {
                    conn.arrival = Some(arrival);
                    conn.machine.decide_connect(now, ConnectDecision::Continue { data });
                }
            }
            Stepped::Proven(proof, data) => {
                arrival.exchange = None;
                arrival.proof = Some(proof);
                arrival.data = data;
                self.judge_connect(now, key, arrival);
            }
            Stepped::Refused(verdict) => self.refuse(now, key, verdict),
        }
    }

    /// Has done on another thread what the rules want done first.
    fn prepare(&mut self, now: Now, key: ConnKey, mut arrival: Box<Arrival>) {
        let Some(conn) = self.conns.get(key.place).filter(|conn| conn.id == key.id) else { return };
        let gate = conn.realm.gate.load_full();
        let Some(work) = gate.prepare(&request(conn, &arrival.connect, None), now.wall) else {
            return self.judge_connect(now, key, arrival);
        };
        let (Some(place), Some(computing)) = (self.place(), self.shared.computing.enter()) else {
            let words = "too many clients wait to be judged: connect again later".to_owned();
            return self.refuse(now, key, refusal(ReasonCode::ServerBusy, words));
        };
        self.ponder(key, place, computing.run(work), move |worker, now, proof| {
            // Without the outcome the rules refuse, in their own words.
            arrival.proof = proof.flatten();
            worker.judge_connect(now, key, arrival);
        });
    }

    fn judge_connect(&mut self, now: Now, key: ConnKey, arrival: Box<Arrival>) {
        let Some(conn) = self.conns.get(key.place).filter(|conn| conn.id == key.id) else { return };
        let gate = conn.realm.gate.load_full();
        let request = request(conn, &arrival.connect, arrival.proof.as_ref());
        let admission = match gate.admit(&request, now.wall) {
            Ok(admission) => admission,
            Err(refusal) => return self.refuse(now, key, verdict(&refusal)),
        };
        let credentials = Credentials::from(&request);
        if self.shared.hooks.connect.is_empty() && self.shared.hooks.connect_later.is_empty() {
            return self.let_in(now, key, *arrival, admission, credentials);
        }
        self.ask_hooks(now, key, arrival, admission, credentials);
    }

    fn ask_hooks(
        &mut self,
        now: Now,
        key: ConnKey,
        mut arrival: Box<Arrival>,
        admission: Admission,
        credentials: Credentials,
    ) {
        let Some(conn) = self.conns.get(key.place).filter(|conn| conn.id == key.id) else { return };
        let caller = Caller {
            connection: Some(key.id),
            client_id: arrival.connect.client_id.clone(),
            principal: Arc::clone(admission.principal()),
            version: arrival.connect.version,
        };
        let source = conn.from.ip();
        let connecting = Arc::new(Connecting::new(caller, source, &arrival.connect, conn.presented.as_ref()));
        let shared = Arc::clone(&self.shared);
        for hook in &shared.hooks.connect {
            match hook.connect(&connecting) {
                hooks::ConnectDecision::Admit(welcome) => arrival.welcome.add(welcome),
                hooks::ConnectDecision::Refuse(refused) => return self.refuse(now, key, refused.into()),
            }
        }
        let later: Vec<_> = shared.hooks.connect_later.iter().filter_map(|hook| hook.connect(&connecting)).collect();
        if later.is_empty() {
            return self.let_in(now, key, *arrival, admission, credentials);
        }
        let Some(place) = self.place() else {
            let words = "too many clients wait to be judged: connect again later".to_owned();
            return self.refuse(now, key, refusal(ReasonCode::ServerBusy, words));
        };
        let all = async move {
            let mut welcome = Welcome::default();
            for decision in later {
                match decision.await {
                    hooks::ConnectDecision::Admit(more) => welcome.add(more),
                    hooks::ConnectDecision::Refuse(refused) => return Err(refused),
                }
            }
            Ok(welcome)
        };
        self.ponder(key, place, all, move |worker, now, decision| match decision {
            Some(Ok(welcome)) => {
                arrival.welcome.add(welcome);
                worker.let_in(now, key, *arrival, admission, credentials);
            }
            Some(Err(refused)) => worker.refuse(now, key, refused.into()),
            None => {
                let words = "the decision took too long: connect again later".to_owned();
                worker.refuse(now, key, refusal(ReasonCode::ServerUnavailable, words));
            }
        });
    }

    fn let_in(&mut self, now: Now, key: ConnKey, arrival: Arrival, admission: Admission, credentials: Credentials) {
        if let Err(verdict) = self.try_enter(now, key, arrival, admission, credentials) {
            self.refuse(now, key, verdict);
        }
    }

    pub(super) fn on_auth(&mut self, now: Now, key: ConnKey, auth: &Auth) {
        let data = auth.properties.authentication_data.clone();
        let Some(conn) = self.conn(key) else { return };
        if conn.machine.is_connected() {
            return self.authenticate_again(now, key, auth, data);
        }
        match conn.arrival.take() {
            Some(arrival) => self.challenge(now, key, arrival, data),
            // The machine takes an AUTH only after a Continue, which leaves one.
            None => self.refuse(now, key, ReasonCode::BadAuthenticationMethod.into()),
        }
    }

    /// A step of re-authentication (MQTT 5.0 §4.12.1).
    fn authenticate_again(&mut self, now: Now, key: ConnKey, auth: &Auth, data: Option<Bytes>) {
        let maximum = self.shared.limits.authentication_steps;
        let Some(conn) = self.conns.get_mut(key.place).filter(|conn| conn.id == key.id) else { return };
        let Some(client) = &mut conn.client else { return };
        let gate = conn.realm.gate.load_full();
        let method = auth.properties.authentication_method.as_deref();
        if auth.reason == ReasonCode::ReAuthenticate {
            let request = ConnectRequest {
                username: client.credentials.username.as_deref(),
                authentication_method: method,
                authentication_data: data.as_deref(),
                source: conn.from.ip(),
                presented: client.credentials.presented.as_ref(),
                ..ConnectRequest::new(&client.slot.key.client_id, conn.transport)
            };
            conn.challenge = gate.exchange(&request).map(|exchange| Box::new(Challenge { exchange, steps: 0 }));
        }
        let stepped = match &mut conn.challenge {
            Some(challenge) => challenge.step(data.as_deref(), now, maximum),
            None => {
                let method = method.unwrap_or_default().to_owned();
                Stepped::Refused(verdict(&RefusalKind::UnsupportedAuthenticationMethod { method }.into()))
            }
        };
        let decision = match stepped {
            Stepped::Continue(data) => AuthDecision::Continue { data },
            Stepped::Refused(verdict) => AuthDecision::Refuse(verdict),
            Stepped::Proven(proof, data) => {
                match gate.reauthenticate(&client.admission, &client.credentials, &proof, now.wall) {
                    Ok(admission) => {
                        conn.proof_ends = proof_end(now, &admission);
                        client.admission = admission;
                        AuthDecision::Accept { data }
                    }
                    Err(refusal) => AuthDecision::Refuse(verdict(&refusal)),
                }
            }
        };
        if !matches!(decision, AuthDecision::Continue { .. }) {
            conn.challenge = None;
        }
        let renewed = matches!(decision, AuthDecision::Accept { .. })
            .then(|| (client.slot.id, client.admission.clone(), client.credentials.clone()));
        if let AuthDecision::Refuse(verdict) = &decision {
            let client_id: &str = &client.slot.key.client_id;
            let why = verdict.words.clone().unwrap_or_else(|| ByteString::from(verdict.reason.to_string()));
            tracing::info!(client_id, why = &*why, "client did not authenticate again");
        }
        conn.machine.decide_auth(now, decision);
        if let Some((slot, admission, credentials)) = renewed {
            conn.cache = gridmq_namespace::gate::DecisionCache::new();
            if let Some(local) = self.locals.get_mut(&slot) {
                local.admitted = Some((admission, credentials));
                // Its subscriptions are judged by what it may do now.
                local.judged = None;
                self.rejudge.push_back(slot);
                self.clerk.notify_one();
            }
        }
    }
}
