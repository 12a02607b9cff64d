//! Bad days by a seed: one fault after the other, with quiet times between.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Cut, Faults, Pieces, Proxy, Random, Way};

/// What a storm does at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "tests name each")]
pub enum Blow {
    /// Every connection is cut.
    Cut(Cut),
    /// Nothing passes for a time, either way.
    Stall,
    /// Nothing passes up to the server for a time.
    StallUp,
    /// Nothing passes down to the client for a time.
    StallDown,
    /// What passes is late for a time.
    Delay,
    /// What passes is split for a time.
    Split(Pieces),
    /// New connections are reset, and those that are there cut, for a time.
    Outage,
}

/// How bad it is.
#[derive(Debug, Clone)]
#[allow(clippy::exhaustive_structs, reason = "tests set fields")]
pub struct StormSettings {
    /// What happens, each as often as it stands here.
    pub blows: Vec<Blow>,
    /// How long it is quiet between two.
    pub quiet: RangeInclusive<Duration>,
    /// How long one lasts that lasts.
    pub lasts: RangeInclusive<Duration>,
    /// How late things are while they are late.
    pub delay: RangeInclusive<Duration>,
}

impl Default for StormSettings {
    fn default() -> Self {
        let millis = |low, high| Duration::from_millis(low)..=Duration::from_millis(high);
        Self {
            blows: vec![
                Blow::Cut(Cut::Fin),
                Blow::Cut(Cut::Reset),
                Blow::Stall,
                Blow::StallUp,
                Blow::StallDown,
                Blow::Delay,
                Blow::Split(Pieces::Halves),
                Blow::Split(Pieces::Bytes),
                Blow::Outage,
            ],
            quiet: millis(20, 200),
            lasts: millis(20, 300),
            delay: millis(1, 30),
        }
    }
}

/// The faults of one seed, in order: the same seed, the same storm.
#[derive(Debug)]
pub struct Storm {
    settings: StormSettings,
    random: Random,
    /// What it has done so far, to say when a test fails.
    pub journal: Vec<Blow>,
}

impl Storm {
    /// A storm that has not begun.
    #[must_use]
    pub fn new(seed: u64, settings: StormSettings) -> Self {
        Self { settings, random: Random::new(seed, 0), journal: Vec::new() }
    }

    /// What comes next: how long it is quiet, what happens, and how long that lasts.
    fn draw(&mut self) -> Option<(Duration, Blow, Duration)> {
        let quiet = self.random.within(&self.settings.quiet);
        let index = self.random.next() as usize % self.settings.blows.len().max(1);
        let blow = *self.settings.blows.get(index)?;
        self.journal.push(blow);
        Some((quiet, blow, self.random.within(&self.settings.lasts)))
    }

    /// Blows until dropped. What it leaves behind is the proxy's state of that moment: [`Proxy::calm`] ends it.
    pub async fn blow(&mut self, proxy: &Proxy) {
        while let Some((quiet, blow, lasts)) = self.draw() {
            tokio::time::sleep(quiet).await;
            let stalled = Way { stalled: true, ..Way::default() };
            match blow {
                Blow::Cut(how) => {
                    proxy.cut(how);
                    continue;
                }
                Blow::Stall => proxy.set(Faults::silence()),
                Blow::StallUp => proxy.set(Faults { up: stalled, ..Faults::default() }),
                Blow::StallDown => proxy.set(Faults { down: stalled, ..Faults::default() }),
                Blow::Delay => {
                    proxy.set(Faults::both(&Way { delay: self.settings.delay.clone(), ..Way::default() }));
                }
                Blow::Split(pieces) => proxy.set(Faults::both(&Way { pieces, ..Way::default() })),
                Blow::Outage => {
                    proxy.set(Faults { closed: true, ..Faults::default() });
                    proxy.cut(Cut::Reset);
                }
            }
            tokio::time::sleep(lasts).await;
            proxy.calm();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_is_the_same_storm() {
        let storm = |seed| {
            let mut storm = Storm::new(seed, StormSettings::default());
            (0..40).map_while(|_| storm.draw()).collect::<Vec<_>>()
        };
        assert_eq!(storm(7), storm(7));
        assert_ne!(storm(7), storm(8));
        let kinds = storm(7).iter().map(|(_, blow, _)| format!("{blow:?}")).collect::<std::collections::BTreeSet<_>>();
        assert!(kinds.len() > 5, "{kinds:?}");
    }
}
