//! How many TLS handshakes are under way at once, and whose turn is next.
//!
//! A handshake costs a thousand times what a packet costs, and memory for as long as it lasts. So each needs a place;
//! who finds none waits in the line of its source. Sources take turns, and none has more than a share of the places. A
//! place that was held for a while must be given up as soon as that helps somebody who waits.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::peer::PeerAddress;

/// Who shares one share: an IPv4 address, or the 64-bit network of an IPv6 address; nothing is every Unix socket.
type Source = Option<IpAddr>;

fn source(peer: PeerAddress) -> Source {
    match peer.ip()? {
        IpAddr::V6(address) => Some(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into()),
        v4 @ IpAddr::V4(_) => Some(v4),
    }
}

/// The places for handshakes.
#[derive(Debug)]
pub(crate) struct Handshakes {
    places: usize,
    share: usize,
    line: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Places that are taken, by whom.
    taken: usize,
    by_source: HashMap<Source, usize>,
    /// Who waits, in order; no line is empty.
    lines: HashMap<Source, Line>,
    /// How many that are.
    waiting: usize,
    /// Sources with a line that had less than their share when they were put here.
    turns: VecDeque<Source>,
    /// Places that have to be given up when somebody waits, longest held first.
    slow: VecDeque<(Source, oneshot::Sender<()>)>,
    /// Those that were told to, and have not done so yet.
    leaving: usize,
}

/// Who waits of one source, in order.
#[derive(Debug, Default)]
struct Line {
    calls: VecDeque<oneshot::Sender<Place>>,
    /// The source is in `turns`.
    in_turn: bool,
}

/// Why there is no place. Overload, or the source's own fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LineFull;

/// A place, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    handshakes: Option<Arc<Handshakes>>,
    source: Source,
}

impl Handshakes {
    pub(crate) fn new(places: usize, share: usize, line: usize) -> Self {
        Self { places: places.max(1), share: share.max(1), line, state: Mutex::default() }
    }

    /// Waits for a place.
    pub(crate) async fn place(self: &Arc<Self>, peer: PeerAddress) -> Result<Place, LineFull> {
        let source = source(peer);
        let called = {
            let mut state = self.state.lock();
            if state.taken < self.places && state.has_share(source, self.share) {
                state.take(source);
                return Ok(Place { handshakes: Some(Arc::clone(self)), source });
            }
            if state.waiting >= self.line {
                state.forget_who_left();
            }
            if state.waiting >= self.line {
                return Err(LineFull);
            }
            let (call, called) = oneshot::channel();
            state.waiting += 1;
            state.lines.entry(source).or_default().calls.push_back(call);
            state.queue_up(source, self.share);
            state.evict(self.places);
            called
        };
        called.await.map_err(|_| LineFull)
    }

    fn give_back(self: &Arc<Self>, source: Source) {
        let mut state = self.state.lock();
        state.leave(source);
        state.queue_up(source, self.share);
        while state.taken < self.places {
            let Some((source, call)) = state.call_first(self.share) else { return };
            state.take(source);
            let place = Place { handshakes: Some(Arc::clone(self)), source };
            if let Err(mut place) = call.send(place) {
                // It must not be given back by its drop under the lock.
                place.handshakes = None;
                state.leave(source);
            }
            state.queue_up(source, self.share);
        }
    }
}

impl State {
    fn has_share(&self, source: Source, share: usize) -> bool {
        source.is_none() || self.by_source.get(&source).is_none_or(|held| *held < share)
    }

    fn take(&mut self, source: Source) {
        self.taken += 1;
        *self.by_source.entry(source).or_default() += 1;
    }

    fn leave(&mut self, source: Source) {
        self.taken = self.taken.saturating_sub(1);
        if let Some(held) = self.by_source.get_mut(&source) {
            *held -= 1;
            if *held == 0 {
                self.by_source.remove(&source);
            }
        }
    }

    /// Gives a source its turn, if it has somebody who waits and may have another place.
    fn queue_up(&mut self, source: Source, share: usize) {
        let has_share = self.has_share(source, share);
        if let Some(line) = self.lines.get_mut(&source).filter(|line| has_share && !line.in_turn) {
            line.in_turn = true;
            self.turns.push_back(source);
        }
    }

    /// Takes the source whose turn it is, and its first in line.
    fn call_first(&mut self, share: usize) -> Option<(Source, oneshot::Sender<Place>)> {
        while let Some(source) = self.turns.pop_front() {
            let has_share = self.has_share(source, share);
            let Some(line) = self.lines.get_mut(&source) else { continue };
            line.in_turn = false;
            let Some(call) = line.calls.pop_front_if(|_| has_share) else { continue };
            if line.calls.is_empty() {
                self.lines.remove(&source);
            }
            self.waiting -= 1;
            return Some((source, call));
        }
        None
    }

    fn forget_who_left(&mut self) {
        let mut waiting = 0;
        self.lines.retain(|_, line| {
            line.calls.retain(|call| !call.is_closed());
            waiting += line.calls.len();
            !line.calls.is_empty()
        });
        self.waiting = waiting;
    }

    /// Ends the slowest handshake that holds up somebody who waits.
    fn evict(&mut self, places: usize) {
        // For want of a place anybody's will do; for want of a share, one of the same source.
        let all_taken = self.taken >= places && !self.turns.is_empty();
        let helps = |holder: &Source| all_taken || self.lines.contains_key(holder);
        if self.leaving >= self.waiting {
            return;
        }
        while let Some(at) = self.slow.iter().position(|(source, end)| end.is_closed() || helps(source)) {
            let Some((_, end)) = self.slow.remove(at) else { return };
            if end.send(()).is_ok() {
                self.leaving += 1;
                return;
            }
        }
    }
}

impl Place {
    /// Ends when the place must be given up: this handshake is slow, and somebody waits.
    pub(crate) async fn wanted(&self) {
        let Some(handshakes) = &self.handshakes else { return };
        let (end, told) = oneshot::channel();
        let mut slow = Slow { handshakes, told, was_told: false };
        {
            let mut state = handshakes.state.lock();
            state.slow.push_back((self.source, end));
            state.evict(handshakes.places);
        }
        slow.was_told = (&mut slow.told).await.is_ok();
    }
}

/// A handshake that may be told to end.
struct Slow<'a> {
    handshakes: &'a Handshakes,
    told: oneshot::Receiver<()>,
    was_told: bool,
}

impl Drop for Slow<'_> {
    fn drop(&mut self) {
        self.told.close();
        if self.was_told || self.told.try_recv().is_ok() {
            self.handshakes.state.lock().leaving -= 1;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(handshakes) = self.handshakes.take() {
            handshakes.give_back(self.source);
        }
    }
}

#[cfg(test)]
mod tests;
