use gridmq_tls::issue::{CertificateAuthority, IssuedCertificate, Validity};

use super::*;

fn two() -> [IssuedCertificate; 2] {
    let validity = Validity::new(1_000, 2_000);
    let root = CertificateAuthority::new_root("Root", validity).unwrap();
    [root.issue_client("device", validity).unwrap(), root.issue_client("device", validity).unwrap()]
}

#[test]
fn both_are_replaced_and_nothing_is_left_beside_them() {
    let dir = scratch("both");
    let files = PairFiles::new(dir.join("c.pem"), dir.join("c.key"));
    for issued in &two() {
        files.replace(&issued.chain_pem(), Some(issued.key_pem())).unwrap();
        assert_eq!(files.load().unwrap().leaf_der(), issued.certificate_der());
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 2);
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(files.key()).unwrap().permissions().mode() & 0o777, 0o600);
    }
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn an_interrupted_replacement_is_completed() {
    let dir = scratch("interrupted");
    let [old, new] = two();
    let files = PairFiles::new(dir.join("c.pem"), dir.join("c.key"));
    files.replace(&old.chain_pem(), Some(old.key_pem())).unwrap();
    // The state between the two moves.
    fs::write(beside(files.certificate()), new.chain_pem()).unwrap();
    fs::write(files.key(), new.key_pem()).unwrap();
    assert_eq!(files.load().unwrap().leaf_der(), new.certificate_der());
    assert_eq!(fs::read_to_string(files.certificate()).unwrap(), new.chain_pem());
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn what_cannot_be_written_leaves_the_old_pair() {
    let dir = scratch("unwritable");
    let [old, new] = two();
    let files = PairFiles::new(dir.join("c.pem"), dir.join("c.key"));
    files.replace(&old.chain_pem(), Some(old.key_pem())).unwrap();
    // A directory in the way of the certificate's new file.
    fs::create_dir(beside(files.certificate())).unwrap();
    files.replace(&new.chain_pem(), Some(new.key_pem())).unwrap_err();
    fs::remove_dir(beside(files.certificate())).unwrap();
    // And one in the way of its place: the key has to come back.
    let blocked = PairFiles::new(dir.join("d"), files.key().to_owned());
    fs::create_dir_all(dir.join("d/x")).unwrap();
    blocked.replace(&new.chain_pem(), Some(new.key_pem())).unwrap_err();
    assert_eq!(files.load().unwrap().leaf_der(), old.certificate_der());
    fs::remove_dir_all(dir).unwrap();
}

fn scratch(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("gridmq-est-{}-{name}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    dir
}
