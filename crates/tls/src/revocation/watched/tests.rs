use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicU64;

use tempfile::TempDir;

use super::*;
use crate::certificate::Certificate;
use crate::issue::{CertificateAuthority, Reason, Revocations, Validity};
use crate::verify::{Anchors, VerifyError, verify_with};
use crate::{Id, PresentedPeer};

const NOW: u64 = 1_800_000_000;
const DAY: u64 = 86_400;
/// For a disk that others keep busy, too: reading is tried eleven times before a list is given up.
const SOON: Duration = Duration::from_secs(60);

/// A directory of lists, who signs them, a clock, and a client's certificate.
struct Place {
    directory: TempDir,
    authority: CertificateAuthority,
    leaf: Certificate,
    wall: Arc<AtomicU64>,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Place {
    fn new() -> Self {
        let authority = CertificateAuthority::new_root("Root", Validity::days(NOW, 30)).unwrap();
        let issued = authority.issue_client("device", Validity::days(NOW, 7)).unwrap();
        let leaf = issued.leaf().clone();
        let directory = tempfile::tempdir().unwrap();
        Self { directory, authority, leaf, wall: Arc::new(AtomicU64::new(NOW + 60)), events: Arc::default() }
    }

    /// A list that ends so many days after the beginning.
    fn list(&self, revoked: bool, days: u32) -> Vec<u8> {
        let mut register = Revocations::default();
        if revoked {
            register.revoke(&self.leaf, NOW, Reason::KeyCompromise).unwrap();
        }
        self.authority.sign_revocations(&mut register, Validity::days(NOW, days)).unwrap().der().to_vec()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// As a job that fetches lists does it: beside, then there.
    fn replace(&self, list: &[u8]) {
        let beside = tempfile::tempdir_in(self.directory.path()).unwrap();
        fs::write(beside.path().join("new"), list).unwrap();
        fs::rename(beside.path().join("new"), self.path("ca.crl")).unwrap();
    }

    fn watch(&self, path: &Path, poll: Duration) -> Result<WatchedLists, RevocationError> {
        let (events, wall) = (Arc::clone(&self.events), Arc::clone(&self.wall));
        WatchedLists::loading(Revocation::builder(), [path])
            .clock(move || wall.load(Ordering::Relaxed))
            .settings(Settings { poll, ..Settings::default() })
            .on_event(move |event| events.lock().unwrap().push(event.clone()))
            .start()
    }

    /// Only the events of the system are to be relied on.
    fn watch_directory(&self) -> WatchedLists {
        self.watch(self.directory.path(), Duration::from_secs(3600)).unwrap()
    }

    fn judge(&self, edition: &Edition) -> Result<(), VerifyError> {
        let presented = PresentedPeer::from_der_unproven(vec![self.leaf.der().to_vec()]).unwrap();
        let anchors = Anchors::new([self.authority.certificate().clone()]).unwrap();
        let now = self.wall.load(Ordering::Relaxed);
        verify_with(&presented, &anchors, Some(&edition.revocation), now).map(|_| ()).map_err(|refusal| refusal.rule)
    }

    /// Waits for a list to be overdue.
    async fn overdue(&self) {
        tokio::time::timeout(SOON, async {
            while !self.events.lock().unwrap().iter().any(|event| matches!(event, Event::Overdue { .. })) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .unwrap();
    }

    /// Waits for the reason why an edition stayed.
    async fn kept(&self, edition: u64) -> String {
        tokio::time::timeout(SOON, async {
            loop {
                let last = self.events.lock().unwrap().last().cloned();
                if let Some(Event::Kept { edition: kept, why }) = last {
                    assert_eq!(kept, edition);
                    return why;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .unwrap()
    }
}

async fn next(lists: &WatchedLists, after: u64) -> Arc<Edition> {
    let edition = tokio::time::timeout(SOON, lists.changed(after)).await.unwrap();
    assert_eq!(edition.number, after + 1);
    edition
}

/// Time for the watch to be set up and the load behind it to be done.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(600)).await;
}

#[tokio::test]
async fn a_list_that_is_replaced_in_a_directory_or_as_a_file_is_in_force() {
    for of_file in [false, true] {
        let place = Place::new();
        place.replace(&place.list(false, 7));
        let path = if of_file { place.path("ca.crl") } else { place.directory.path().to_owned() };
        let lists = place.watch(&path, Duration::from_secs(3600)).unwrap();
        settle().await;
        assert_eq!((lists.current().number, lists.status().reloads), (1, 0));
        assert_eq!(place.judge(&lists.current()), Ok(()));
        place.replace(&place.list(true, 8));
        let edition = next(&lists, 1).await;
        assert!(matches!(place.judge(&edition), Err(VerifyError::Revoked { .. })));
        fs::write(place.path("ca.crl"), place.list(false, 9)).unwrap();
        assert_eq!(place.judge(&*next(&lists, 2).await), Ok(()));
        let status = lists.status();
        assert_eq!((status.edition, status.reloads, status.failures, &status.last_error), (3, 2, 0, &None));
        assert_eq!((status.lists.len(), status.next_update), (1, Some(NOW + 9 * DAY)));
        assert!(matches!(
            &place.events.lock().unwrap()[..],
            [
                Event::Replaced { edition: 2, lists: 1, revoked: 1, .. },
                Event::Replaced { edition: 3, revoked: 0, next_update: Some(_), .. }
            ]
        ));
    }
}

#[tokio::test]
async fn a_bad_or_overdue_list_leaves_the_old_one_and_says_why() {
    let place = Place::new();
    place.replace(&place.list(true, 7));
    let lists = place.watch_directory();
    settle().await;
    for bad in [&place.list(false, 7)[..60], &place.list(false, 0)] {
        let failures = lists.status().failures;
        place.events.lock().unwrap().clear();
        place.replace(bad);
        assert!(!place.kept(1).await.is_empty());
        let status = lists.status();
        assert!(status.failures > failures && status.last_error.is_some(), "{status:?}");
        assert_eq!((status.edition, status.lists.len(), status.reloads), (1, 1, 0));
        assert!(matches!(place.judge(&lists.current()), Err(VerifyError::Revoked { .. })));
    }
    // None at all is no reason to believe everybody.
    place.events.lock().unwrap().clear();
    fs::remove_file(place.path("ca.crl")).unwrap();
    place.kept(1).await;
    place.replace(&place.list(false, 7));
    assert_eq!(place.judge(&*next(&lists, 1).await), Ok(()));
    assert_eq!(lists.status().last_error, None);
}

#[tokio::test]
async fn the_first_lists_must_be_good() {
    let place = Place::new();
    let start = || place.watch(place.directory.path(), Duration::from_secs(60)).unwrap_err();
    assert!(matches!(start(), RevocationError::None { .. }));
    place.replace(&place.list(false, 0));
    assert_eq!(start().id(), Some(Id::B13));
    let demanding = WatchedLists::loading(Revocation::builder().ocsp(super::super::Ocsp::Required), [place.path("")]);
    assert_eq!(demanding.start().unwrap_err(), RevocationError::OcspUnsupported);
}

#[tokio::test]
async fn the_poll_finds_what_no_event_tells_and_reading_the_same_is_no_news() {
    let place = Place::new();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("list"), place.list(false, 7)).unwrap();
    // Two links: the directory in between is not watched.
    std::os::unix::fs::symlink(elsewhere.path(), place.path("far")).unwrap();
    let lists = place.watch(&place.path("far/list"), Duration::from_millis(50)).unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!((lists.current().number, lists.status().failures), (1, 0));
    fs::write(elsewhere.path().join("list"), place.list(true, 7)).unwrap();
    assert!(place.judge(&*next(&lists, 1).await).is_err());
}

#[tokio::test]
async fn a_list_that_becomes_overdue_begins_an_edition_that_refuses() {
    let place = Place::new();
    place.replace(&place.list(false, 7));
    // Two seconds before the list's end.
    let begun = Instant::now();
    let watch = WatchedLists::loading(Revocation::builder(), [place.directory.path()])
        .clock(move || NOW + 7 * DAY - 2 + begun.elapsed().as_secs())
        .settings(Settings { poll: Duration::from_secs(3600), ..Settings::default() });
    let events = Arc::clone(&place.events);
    let lists = watch.on_event(move |event| events.lock().unwrap().push(event.clone())).start().unwrap();
    let edition = next(&lists, 1).await;
    assert!(edition.overdue);
    place.wall.store(NOW + 7 * DAY, Ordering::Relaxed);
    assert!(matches!(place.judge(&edition), Err(VerifyError::ListOutdated { .. })));
    assert!(matches!(
        &place.events.lock().unwrap()[..],
        [Event::Kept { edition: 1, .. }, Event::Overdue { edition: 2, next_update }] if *next_update == NOW + 7 * DAY
    ));
    let status = lists.status();
    assert_eq!((status.edition, status.reloads), (2, 0));
    assert!(status.last_error.is_some());
    place.replace(&place.list(false, 14));
    let edition = next(&lists, 2).await;
    assert!(!edition.overdue);
    assert_eq!(place.judge(&edition), Ok(()));
}

#[tokio::test]
async fn a_request_has_the_lists_read_and_the_task_ends_with_the_last_clone() {
    let place = Place::new();
    place.replace(&place.list(false, 7));
    let lists = place.watch_directory();
    settle().await;
    place.wall.store(NOW + 8 * DAY, Ordering::Relaxed);
    lists.reload();
    // Nothing was due by the driver's clock before, so the passing is noticed now.
    place.overdue().await;
    let shared = Arc::clone(&lists.0.shared);
    drop(lists.clone());
    assert!(!lists.0.task.is_finished());
    drop(lists);
    // The task's share, and that of the system's watcher.
    tokio::time::timeout(SOON, async {
        while Arc::strong_count(&shared) > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
}
