//! What handles tell the driver without waiting: bounded by what there is to tell about.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use gridmq_proto::Version;
use gridmq_proto::session::{Judgement, PublishToken};

use crate::profile::Profile;
use crate::queue::Queue;

/// Names one filter of one subscription of this program.
pub(crate) type SubscriptionKey = u64;

/// Completions are as many as messages may be unacknowledged, the rest as many as there are subscriptions.
#[derive(Debug)]
pub(crate) struct Inbox {
    contents: Mutex<Contents>,
    /// What acknowledgements may say.
    profile: Profile,
    version: Version,
}

#[derive(Debug, Default)]
struct Contents {
    news: News,
    waker: Option<Waker>,
    /// Nobody reads any more.
    closed: bool,
}

/// What has been told since the last look.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Messages that the application has judged.
    pub(crate) completions: Vec<(PublishToken, Judgement)>,
    /// Messages that the application has let go of without a judgement.
    pub(crate) abandoned: Vec<PublishToken>,
    /// Subscriptions whose handle was dropped.
    pub(crate) dropped: Vec<SubscriptionKey>,
    /// Where messages go from now on that match no subscription.
    pub(crate) catch_all: Option<Arc<Queue>>,
    /// The wait before the next attempt is over.
    pub(crate) hurry: bool,
}

impl Inbox {
    pub(crate) fn new(profile: Profile, version: Version) -> Self {
        Self { contents: Mutex::default(), profile, version }
    }

    pub(crate) const fn version(&self) -> Version {
        self.version
    }

    pub(crate) const fn profile(&self) -> Profile {
        self.profile
    }

    pub(crate) fn complete(&self, token: PublishToken, judgement: Judgement) {
        self.tell(|news| news.completions.push((token, judgement)));
    }

    pub(crate) fn abandoned(&self, token: PublishToken) {
        self.tell(|news| news.abandoned.push(token));
    }

    pub(crate) fn complete_all(&self, completions: Vec<(PublishToken, Judgement)>) {
        self.tell(|news| news.completions.extend(completions));
    }

    pub(crate) fn dropped(&self, keys: impl IntoIterator<Item = SubscriptionKey>) {
        self.tell(|news| news.dropped.extend(keys));
    }

    pub(crate) fn catch_all(&self, queue: &Arc<Queue>) {
        let mut earlier = None;
        if !self.tell(|news| earlier = news.catch_all.replace(Arc::clone(queue))) {
            queue.close();
        }
        if let Some(earlier) = earlier {
            earlier.close();
        }
    }

    /// The client is not to wait before its next attempt to connect.
    pub(crate) fn hurry(&self) {
        self.tell(|news| news.hurry = true);
    }

    /// `false`: nobody listens any more.
    fn tell(&self, what: impl FnOnce(&mut News)) -> bool {
        let waker = {
            let mut contents = self.lock();
            if contents.closed {
                return false;
            }
            what(&mut contents.news);
            contents.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// Nobody will read any more.
    pub(crate) fn close(&self) {
        let News { catch_all, .. } = {
            let mut contents = self.lock();
            contents.closed = true;
            std::mem::take(&mut contents.news)
        };
        if let Some(queue) = catch_all {
            queue.close();
        }
    }

    /// Takes the news; the next wakes `cx`.
    pub(crate) fn take(&self, cx: &Context<'_>) -> News {
        let mut contents = self.lock();
        remember(&mut contents.waker, cx);
        std::mem::take(&mut contents.news)
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has the task of `cx` woken next; one that is noted already need not be noted again.
pub(crate) fn remember(waker: &mut Option<Waker>, cx: &Context<'_>) {
    match waker {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *waker = Some(cx.waker().clone()),
    }
}
