//! Which sessions a topic matched, remembered while the index stays as it is.
//!
//! Most publishers repeat a few topics. The index's version is part of what is remembered, so a route is never older
//! than the index that a look-up would have read. Topics that match a group are not remembered: whose turn it is
//! changes with each message.

use std::rc::Rc;
use std::sync::Arc;

use gridmq_proto::session::server::Subscription;

use crate::directory::Slot;

/// Topics that a worker remembers; each has one place, which the next topic of that place takes.
const PLACES: usize = 1024;
/// Sessions that all remembered routes name together, at most: 2 MiB of memory.
const HELD: usize = 64 * 1024;
/// Sessions that one of them names at most.
const LONGEST: usize = HELD / 4;
/// Bytes of the longest topic that is remembered.
const TOPIC: usize = 256;

/// The sessions that a topic matched, and how.
#[derive(Debug)]
pub(super) struct Route {
    topic: Box<str>,
    pub(super) targets: Vec<(Arc<Slot>, Subscription)>,
    /// Several filters matched: a session may be in it more than once.
    pub(super) overlaps: bool,
}

/// A topic's place, with the hash of the one that was there last.
#[derive(Debug, Default)]
struct Place {
    hash: u64,
    version: u64,
    route: Option<Rc<Route>>,
}

/// What is known of a topic.
#[derive(Debug)]
pub(super) enum Known {
    /// Where it goes.
    Route(Rc<Route>),
    /// It was asked for before, so it is worth remembering.
    Seen,
    /// Nothing.
    New,
}

/// See the module. It allocates nothing before the first topic.
#[derive(Debug, Default)]
pub(super) struct Routes {
    places: Vec<Place>,
    held: usize,
}

impl Routes {
    /// What is known of the topic in that version of the index.
    pub(super) fn find(&mut self, topic: &str, version: u64) -> Known {
        if topic.len() > TOPIC {
            return Known::New;
        }
        if self.places.is_empty() {
            self.places.resize_with(PLACES, Place::default);
        }
        let hash = hash(topic);
        let Some(place) = place(&mut self.places, hash) else { return Known::New };
        if place.hash == hash && place.version == version {
            return match &place.route {
                Some(route) if *route.topic == *topic => Known::Route(Rc::clone(route)),
                Some(_) => Known::New,
                None => Known::Seen,
            };
        }
        (place.hash, place.version) = (hash, version);
        if let Some(route) = place.route.take() {
            self.held -= route.targets.len();
        }
        Known::New
    }

    /// Remembers where the topic goes that was found to be [`Known::Seen`] in that version.
    pub(super) fn keep(&mut self, topic: &str, version: u64, targets: Vec<(Arc<Slot>, Subscription)>, overlaps: bool) {
        if targets.len() > LONGEST {
            return;
        }
        if self.held + targets.len() > HELD {
            self.places.iter_mut().for_each(|place| *place = Place::default());
            self.held = 0;
        }
        let hash = hash(topic);
        let Some(place) = place(&mut self.places, hash) else { return };
        self.held += targets.len();
        let route = Some(Rc::new(Route { topic: topic.into(), targets, overlaps }));
        let before = std::mem::replace(place, Place { hash, version, route });
        self.held -= before.route.map_or(0, |route| route.targets.len());
    }
}

fn place(places: &mut [Place], hash: u64) -> Option<&mut Place> {
    places.get_mut((hash >> 32) as usize % PLACES)
}

/// Two topics of one place cost each other the place and nothing else, so it needs no key.
fn hash(topic: &str) -> u64 {
    let step = |state: u64, word: u64| (state.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let (words, rest) = topic.as_bytes().as_chunks::<8>();
    let state = words.iter().fold(topic.len() as u64, |state, &word| step(state, u64::from_le_bytes(word)));
    rest.iter().fold(state, |state, &byte| step(state, u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use gridmq_namespace::profile::SessionLimits;
    use gridmq_store::NamespaceId;

    use super::*;
    use crate::directory::{Claim, Directory, SessionKey};

    fn route(routes: &mut Routes, topic: &str, version: u64) -> Option<usize> {
        match routes.find(topic, version) {
            Known::Route(route) => Some(route.targets.len()),
            Known::Seen | Known::New => None,
        }
    }

    #[test]
    fn a_topic_is_worth_remembering_the_second_time_and_only_in_its_version() {
        let mut routes = Routes::default();
        assert!(matches!(routes.find("a/b", 1), Known::New));
        assert!(matches!(routes.find("a/b", 1), Known::Seen));
        routes.keep("a/b", 1, Vec::new(), false);
        assert_eq!(route(&mut routes, "a/b", 1), Some(0));
        assert_eq!(route(&mut routes, "a/c", 1), None);
        assert!(matches!(routes.find("a/b", 2), Known::New), "the index has changed");
        assert!(matches!(routes.find("a/b", 2), Known::Seen));
        let long = "x".repeat(TOPIC + 1);
        assert!(matches!(routes.find(&long, 1), Known::New));
        assert!(matches!(routes.find(&long, 1), Known::New));
    }

    #[test]
    fn what_is_held_is_bounded() {
        let key = SessionKey { namespace: NamespaceId::DEFAULT, client_id: "me".into() };
        let Claim::New(slot) = Directory::new().claim(key, "me", &SessionLimits::OPEN, 0) else { panic!("it is new") };
        let mut routes = Routes::default();
        for round in 0..PLACES * 2 {
            let topic = format!("topic/{round}");
            let _ = routes.find(&topic, 1);
            routes.keep(&topic, 1, vec![(Arc::clone(&slot), Subscription::default()); 1000], false);
            let held: usize = routes.places.iter().filter_map(|place| Some(place.route.as_ref()?.targets.len())).sum();
            assert_eq!(held, routes.held);
            assert!(held <= HELD);
        }
        let _ = routes.find("long", 1);
        routes.keep("long", 1, vec![(Arc::clone(&slot), Subscription::default()); LONGEST + 1], false);
        assert_eq!(route(&mut routes, "long", 1), None);
        assert_eq!(Arc::strong_count(&slot) - 1, routes.held);
    }
}
