//! A disk in memory whose power can be cut at any place.

use std::fmt;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::Disk;

const SECTOR: usize = 512;

/// A disk in memory that remembers in which order it was written and synced, so that what a loss of power would have
/// left can be made of it afterwards. A clone is a handle on the same disk.
#[derive(Clone, Default)]
pub struct SimDisk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// What it began with, durable.
    start: Vec<u8>,
    /// What is read.
    live: Vec<u8>,
    log: Vec<Event>,
    syncs: u64,
    /// Before which sync the power goes.
    cut: Option<u64>,
    off: bool,
    /// How long it can become.
    room: Option<u64>,
    fails_to_sync: bool,
}

enum Event {
    Write { at: usize, data: Vec<u8> },
    SetLen(usize),
    Sync,
    Mark(u64),
}

/// A loss of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "chosen by tests")]
pub struct Cut {
    /// How many events of [`SimDisk::events`] came before it.
    pub after: usize,
    /// What it leaves.
    pub keep: Keep,
}

/// What a loss of power leaves of what was written and not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "chosen by tests")]
pub enum Keep {
    /// Nothing.
    Nothing,
    /// All.
    Everything,
    /// Any of the calls, chosen by the seed.
    Some(u64),
    /// Any of their sectors of 512 bytes, chosen by the seed.
    Torn(u64),
}

impl SimDisk {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One that has these bytes, durable.
    #[must_use]
    pub fn from_image(image: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(State { live: image.clone(), start: image, ..State::default() })))
    }

    /// Bounds its length; writing behind that fails with [`StorageFull`](io::ErrorKind::StorageFull).
    pub fn set_room(&self, bytes: Option<u64>) {
        self.0.lock().room = bytes;
    }

    /// Has the next sync and all later ones fail.
    pub fn fail_syncs(&self) {
        self.0.lock().fails_to_sync = true;
    }

    /// Cuts the power before that sync, the first being 0: it fails, and so does everything after it.
    pub fn power_off_before_sync(&self, number: u64) {
        self.0.lock().cut = Some(number);
    }

    /// Cuts the power now.
    pub fn power_off(&self) {
        self.0.lock().off = true;
    }

    /// How often it was synced.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.0.lock().syncs
    }

    /// Notes a number at this place of the order.
    pub fn mark(&self, number: u64) {
        self.0.lock().push(Event::Mark(number));
    }

    /// How many writes, changes of length, syncs and marks there were.
    #[must_use]
    pub fn events(&self) -> usize {
        self.0.lock().log.len()
    }

    /// The places before each sync and each mark, and the end: what happens between two of them makes no difference to
    /// what may be left.
    #[must_use]
    pub fn points(&self) -> Vec<usize> {
        let state = self.0.lock();
        let is_point = |(_, event): &(usize, &Event)| matches!(event, Event::Sync | Event::Mark(_));
        let mut points: Vec<usize> = state.log.iter().enumerate().filter(is_point).map(|(place, _)| place).collect();
        points.push(state.log.len());
        points
    }

    /// The last number that was marked before that place.
    #[must_use]
    pub fn marked(&self, after: usize) -> Option<u64> {
        let state = self.0.lock();
        let marks = state.log.iter().take(after);
        marks.rev().find_map(|event| if let Event::Mark(number) = event { Some(*number) } else { None })
    }

    /// The disk that a cut leaves.
    #[must_use]
    pub fn after(&self, cut: Cut) -> Self {
        let state = self.0.lock();
        let events = state.log.get(..cut.after).unwrap_or(&state.log);
        let synced = events.iter().rposition(|event| matches!(event, Event::Sync)).unwrap_or(0);
        let (synced, loose) = events.split_at(synced);
        let mut image = state.start.clone();
        for event in synced {
            event.apply(&mut image, Keep::Everything, &mut 0);
        }
        let mut seed = match cut.keep {
            Keep::Nothing => return Self::from_image(image),
            Keep::Everything => 1,
            // Small seeds would begin alike.
            Keep::Some(seed) | Keep::Torn(seed) => (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15),
        };
        for event in loose {
            event.apply(&mut image, cut.keep, &mut seed);
        }
        Self::from_image(image)
    }
}

impl Event {
    fn apply(&self, image: &mut Vec<u8>, keep: Keep, seed: &mut u64) {
        if matches!(keep, Keep::Some(_)) && !chance(seed) {
            return;
        }
        match self {
            Self::Write { at, data } => {
                for (number, part) in data.chunks(SECTOR).enumerate() {
                    if !matches!(keep, Keep::Torn(_)) || chance(seed) {
                        put(image, at + number * SECTOR, part);
                    }
                }
            }
            Self::SetLen(len) => {
                if !matches!(keep, Keep::Torn(_)) || chance(seed) {
                    image.resize(*len, 0);
                }
            }
            Self::Sync | Self::Mark(_) => {}
        }
    }
}

/// Either, by xorshift64*.
fn chance(state: &mut u64) -> bool {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 63 == 1
}

fn put(bytes: &mut Vec<u8>, at: usize, data: &[u8]) {
    let end = at.saturating_add(data.len());
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    if let Some(there) = bytes.get_mut(at..end) {
        there.copy_from_slice(data);
    }
}

fn off() -> io::Error {
    io::Error::other("the power is off")
}

fn size(number: u64) -> io::Result<usize> {
    usize::try_from(number).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

impl State {
    fn push(&mut self, event: Event) {
        if !self.off {
            event.apply(&mut self.live, Keep::Everything, &mut 0);
            self.log.push(event);
        }
    }

    fn usable(&self, end: u64) -> io::Result<()> {
        if self.off {
            return Err(off());
        }
        if self.room.is_some_and(|room| end > room && end > self.live.len() as u64) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl Disk for SimDisk {
    fn len(&self) -> io::Result<u64> {
        let state = self.0.lock();
        state.usable(0)?;
        Ok(state.live.len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.0.lock();
        state.usable(len)?;
        state.push(Event::SetLen(size(len)?));
        Ok(())
    }

    fn read(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.0.lock();
        state.usable(0)?;
        let at = size(at)?;
        let there = state.live.get(at..at.saturating_add(out.len())).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(there);
        Ok(())
    }

    fn write(&self, at: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock();
        state.usable(at.saturating_add(data.len() as u64))?;
        state.push(Event::Write { at: size(at)?, data: data.to_vec() });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.0.lock();
        if state.cut == Some(state.syncs) {
            state.off = true;
        }
        state.usable(0)?;
        if state.fails_to_sync {
            return Err(io::Error::other("the disk does not answer"));
        }
        state.syncs += 1;
        state.push(Event::Sync);
        Ok(())
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.lock();
        f.debug_struct("SimDisk").field("len", &state.live.len()).field("off", &state.off).finish_non_exhaustive()
    }
}
