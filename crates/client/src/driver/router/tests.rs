#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use gridmq_proto::packet::{SubscribeFilter, SubscribeOptions};
use gridmq_proto::{QoS, Version};

use super::*;
use crate::profile::Profile;

fn router() -> Router {
    Router::new(Arc::new(Inbox::new(Profile::default(), Version::V5)), usize::MAX)
}

fn subscribe(router: &mut Router, key: SubscriptionKey, filter: &str, identifier: Option<u32>) -> Arc<Queue> {
    let queue = Arc::new(Queue::new(Bounds::default()));
    let entry = SubscribeFilter { filter: filter.try_into().unwrap(), options: SubscribeOptions::default() };
    let identifier = identifier.and_then(SubscriptionId::new);
    router.subscribe(
        Again { filters: vec![(key, entry)], identifier, user_properties: Vec::new() },
        &queue,
        new_lookup,
    );
    queue
}

fn incoming(topic: &str, identifiers: &[u32]) -> Incoming {
    Incoming {
        token: None,
        message: gridmq_proto::Message::new(topic.try_into().unwrap(), "x".into()),
        qos: QoS::AtMostOnce,
        retain: false,
        dup: false,
        subscription_identifiers: identifiers.iter().filter_map(|&id| SubscriptionId::new(id)).collect(),
    }
}

/// What a message of one subscription among many makes it look at.
fn candidates(router: &Router, topic: &str) -> usize {
    router.lookup.as_ref().unwrap().candidates(&Message::new(incoming(topic, &[]), None)).len()
}

#[test]
fn among_ten_thousand_subscriptions_a_message_looks_at_those_it_is_for() {
    let mut router = router();
    let queues: Vec<_> =
        (0..10_000).map(|key| subscribe(&mut router, key, &format!("site/{}/device/{key}/+", key % 7), None)).collect();
    let all = subscribe(&mut router, 10_000, "site/3/#", None);
    for key in [3, 10, 9_803] {
        let topic = format!("site/3/device/{key}/temperature");
        assert_eq!(candidates(&router, &topic), 2, "{topic}");
        router.deliver(incoming(&topic, &[]));
        assert_eq!(queues[usize::try_from(key).unwrap()].len(), 1);
    }
    assert_eq!(all.len(), 3);
    assert_eq!(queues.iter().map(|queue| queue.len()).sum::<usize>(), 3);
    assert_eq!(candidates(&router, "elsewhere"), 0);
    // Dropping most of them at once goes back to looking at each.
    let dropped: Vec<_> = (1..=9_995).collect();
    let filters = router.drop_subscriptions(&dropped);
    assert_eq!((filters.len(), router.count(), router.lookup.is_none()), (9_995, 6, true));
    router.deliver(incoming("site/0/device/0/x", &[]));
    assert_eq!(queues[0].len(), 1);
}

#[test]
fn what_is_looked_up_is_what_looking_at_each_finds() {
    let filters = ["a/#", "a/+", "a/b", "+/b", "#", "$share/g/a/b", "$SYS/#", "c", "a/b/c", "+/+/c"];
    let topics = ["a", "a/b", "a/b/c", "c", "$SYS/x", "b/b", "x/y/z"];
    let mut few = router();
    let mut many = router();
    let mut streams = Vec::new();
    for (key, filter) in (0_u64..).zip(filters) {
        let identifier = [None, Some(1), Some(2)][usize::try_from(key % 3).unwrap()];
        streams.push((subscribe(&mut few, key, filter, identifier), subscribe(&mut many, key, filter, identifier)));
    }
    for key in 100..200 {
        subscribe(&mut many, key, "elsewhere", None);
    }
    assert!(few.lookup.is_none() && many.lookup.is_some());
    for round in 0..2 {
        for topic in topics {
            for identifiers in [&[][..], &[1], &[1, 2], &[3]] {
                few.deliver(incoming(topic, identifiers));
                many.deliver(incoming(topic, identifiers));
                for (filter, (one, other)) in filters.iter().zip(&streams) {
                    assert_eq!(one.len(), other.len(), "{filter} of {topic} {identifiers:?}, round {round}");
                }
            }
        }
        for key in [1, 4, 6] {
            few.lose(key);
            many.lose(key);
        }
    }
}

#[test]
fn filters_of_one_stream_get_a_message_once() {
    let mut router = router();
    let shared = Arc::new(Queue::new(Bounds::default()));
    let mut queues = vec![shared.clone()];
    for key in 0..100_u64 {
        let queue = Arc::new(Queue::new(Bounds::default()));
        for (key, filter, queue) in [(2 * key, "a/#", &queue), (2 * key + 1, "a/b", &shared)] {
            let filters = vec![(key, SubscribeFilter { filter: filter.try_into().unwrap(), options: <_>::default() })];
            router.subscribe(Again { filters, identifier: None, user_properties: Vec::new() }, queue, new_lookup);
        }
        queues.push(queue);
    }
    router.deliver(incoming("a/b", &[]));
    assert!(queues.iter().all(|queue| queue.len() == 1));
}
