use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Mutex;

use tempfile::TempDir;

use super::super::tests::{NOW, authority};
use super::*;
use crate::issue::{CertificateAuthority, IssuedCertificate, Validity};

const SOON: Duration = Duration::from_secs(20);

/// A directory with a pair of files, and the authority that issues what goes there.
struct Place {
    directory: TempDir,
    authority: CertificateAuthority,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Place {
    fn new() -> Self {
        let (directory, authority) = (tempfile::tempdir().unwrap(), authority());
        Self { directory, authority, events: Arc::default() }
    }

    fn issue(&self, name: &str) -> IssuedCertificate {
        self.authority.issue_client(name, Validity::days(NOW, 7)).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, directory: &str, issued: &IssuedCertificate) {
        fs::write(self.path(directory).join("tls.crt"), issued.chain_pem()).unwrap();
        fs::write(self.path(directory).join("tls.key"), issued.key_pem()).unwrap();
    }

    fn watch(&self) -> WatchedFiles {
        let events = Arc::clone(&self.events);
        WatchedFiles::pem(&self.path("tls.crt"), &self.path("tls.key"))
            .clock(|| NOW + 60)
            // Only the events of the system are to be relied on here.
            .settings(Settings { poll: Duration::from_secs(3600), ..Settings::default() })
            .on_event(move |event| events.lock().unwrap().push(event.clone()))
            .start()
            .unwrap()
    }

    /// Waits for the reason why a generation stayed.
    async fn kept(&self, generation: u64) -> String {
        tokio::time::timeout(SOON, async {
            loop {
                let last = self.events.lock().unwrap().last().cloned();
                if let Some(Event::Kept { generation: kept, why }) = last {
                    assert_eq!(kept, generation);
                    return why;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .unwrap()
    }
}

async fn next(files: &WatchedFiles, after: u64) -> String {
    let generation = tokio::time::timeout(SOON, files.changed(after)).await.unwrap();
    assert_eq!(generation.number, after + 1);
    generation.identity.subject()
}

/// Time for the watch to be set up and the load behind it to be done.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(600)).await;
}

#[tokio::test]
async fn files_replaced_by_rename_and_in_place_are_new_generations() {
    let place = Place::new();
    place.write("", &place.issue("one"));
    let files = place.watch();
    settle().await;
    assert_eq!((files.current().number, files.status().reloads), (1, 0));
    fs::create_dir(place.path("new")).unwrap();
    place.write("new", &place.issue("two"));
    for name in ["tls.key", "tls.crt"] {
        fs::rename(place.path("new").join(name), place.path(name)).unwrap();
    }
    assert_eq!(next(&files, 1).await, "CN=two");
    place.write("", &place.issue("three"));
    assert_eq!(next(&files, 2).await, "CN=three");
    let status = files.status();
    assert_eq!((status.generation, status.reloads, status.failures, &status.last_error), (3, 2, 0, &None));
    assert!(
        matches!(&place.events.lock().unwrap()[..], [Event::Replaced { generation: 2, .. }, Event::Replaced { generation: 3, subject, .. }] if subject == "CN=three")
    );
}

#[tokio::test]
async fn every_swap_of_a_kubernetes_volume_is_seen() {
    let place = Place::new();
    for (version, name) in [("..1", "one"), ("..2", "two"), ("..3", "three")] {
        fs::create_dir(place.path(version)).unwrap();
        place.write(version, &place.issue(name));
    }
    symlink("..1", place.path("..data")).unwrap();
    for name in ["tls.crt", "tls.key"] {
        symlink(format!("..data/{name}"), place.path(name)).unwrap();
    }
    let files = place.watch();
    settle().await;
    for (after, old, version, name) in [(1, "..1", "..2", "CN=two"), (2, "..2", "..3", "CN=three")] {
        symlink(version, place.path("..data_tmp")).unwrap();
        fs::rename(place.path("..data_tmp"), place.path("..data")).unwrap();
        fs::remove_dir_all(place.path(old)).unwrap();
        assert_eq!(next(&files, after).await, name);
    }
    assert_eq!(files.status().failures, 0);
}

#[tokio::test]
async fn half_a_pair_is_not_used_and_not_complained_about() {
    let place = Place::new();
    place.write("", &place.issue("one"));
    let files = place.watch();
    settle().await;
    let two = place.issue("two");
    fs::write(place.path("tls.crt"), two.chain_pem()).unwrap();
    settle().await;
    assert_eq!(files.current().number, 1);
    fs::write(place.path("tls.key"), two.key_pem()).unwrap();
    assert_eq!(next(&files, 1).await, "CN=two");
    assert_eq!(files.status().failures, 0);
}

#[tokio::test]
async fn a_bad_file_leaves_the_old_identity_and_says_why() {
    let place = Place::new();
    place.write("", &place.issue("one"));
    let files = place.watch();
    settle().await;
    fs::write(place.path("tls.crt"), "no certificate").unwrap();
    assert!(!place.kept(1).await.is_empty());
    let status = files.status();
    assert_eq!((status.generation, status.failures), (1, 1));
    assert!(status.last_error.is_some());
    assert_eq!(files.current().identity.subject(), "CN=one");
    place.write("", &place.issue("two"));
    assert_eq!(next(&files, 1).await, "CN=two");
    assert_eq!(files.status().last_error, None);
}

#[tokio::test]
async fn a_certificate_that_is_over_or_for_servers_only_is_not_used() {
    let place = Place::new();
    place.write("", &place.issue("one"));
    let files = place.watch();
    settle().await;
    place.write("", &place.authority.issue_client("over", Validity::days(NOW - 10 * 86_400, 5)).unwrap());
    let over = place.kept(1).await;
    place.events.lock().unwrap().clear();
    place.write("", &place.authority.issue_server(["localhost"], Validity::days(NOW, 7)).unwrap());
    let for_servers = place.kept(1).await;
    assert_ne!(over, for_servers);
    assert!(for_servers.contains("clientAuth"), "{for_servers}");
    assert_eq!(files.current().number, 1);
}

#[tokio::test]
async fn files_that_vanish_and_come_back_are_found_again() {
    let place = Place::new();
    place.write("", &place.issue("one"));
    let files = place.watch();
    settle().await;
    for name in ["tls.crt", "tls.key"] {
        fs::remove_file(place.path(name)).unwrap();
    }
    place.kept(1).await;
    place.write("", &place.issue("two"));
    assert_eq!(next(&files, 1).await, "CN=two");
}

#[tokio::test]
async fn a_reload_reads_at_once_and_the_task_ends_with_its_handles() {
    let place = Place::new();
    place.write("", &place.issue("one"));
    let files = place.watch();
    let task = files.0.task.clone();
    settle().await;
    place.write("", &place.issue("two"));
    files.clone().reload();
    assert_eq!(next(&files, 1).await, "CN=two");
    drop(files);
    tokio::time::timeout(SOON, async {
        while !task.is_finished() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn files_that_cannot_be_loaded_do_not_start() {
    let place = Place::new();
    let started = WatchedFiles::pem(&place.path("tls.crt"), &place.path("tls.key")).start();
    assert!(matches!(started, Err(IdentityError::File(_))));
}
