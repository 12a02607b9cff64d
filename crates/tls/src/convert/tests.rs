use super::*;
use crate::issue::{CertificateAuthority, IssuedCertificate, KeyType, LeafRequest, Validity};
use crate::passphrase::{Passphrase, PassphraseSource};
use crate::{Certificate, pem};

const VALIDITY: Validity = Validity::new(1_000, 2_000);

fn authority() -> (CertificateAuthority, CertificateAuthority) {
    let root = CertificateAuthority::new_root("Root", VALIDITY).unwrap();
    let intermediate = root.intermediate("Intermediate", VALIDITY).unwrap();
    (root, intermediate)
}

fn key_of(issued: &IssuedCertificate) -> Vec<u8> {
    let contents = Contents::read(issued.key_pem().as_bytes(), None).unwrap();
    contents.keys[0].pkcs8().to_vec()
}

fn secret(text: &str) -> PassphraseSource {
    Passphrase::new(text).into()
}

#[test]
fn keys_go_under_a_passphrase_and_come_out_again() {
    let (root, _) = authority();
    for kind in [KeyType::EcdsaP256, KeyType::EcdsaP384, KeyType::Ed25519, KeyType::Rsa2048] {
        let issued = root.issue(&LeafRequest::client("device").key_type(kind), VALIDITY).unwrap();
        let key = key_of(&issued);
        let encrypted = encrypt_key(&key, "pässword", Salt::random().unwrap()).unwrap();
        assert!(encrypted.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
        let read = Contents::read(encrypted.as_bytes(), Some(&secret("pässword"))).unwrap();
        assert_eq!(read.keys[0].pkcs8(), key);
        assert!(matches!(
            Contents::read(encrypted.as_bytes(), Some(&secret("password"))),
            Err(ReadError::WrongPassphrase { .. })
        ));
        assert!(matches!(Contents::read(encrypted.as_bytes(), None), Err(ReadError::NoPassphrase { .. })));
        assert_eq!(public_key_of(&key).as_deref(), Some(issued.leaf().public_key()));
        // SEQUENCE { INTEGER 0: the first version, which every program reads.
        let version = key.windows(3).position(|window| window[..2] == [2, 1]).unwrap();
        assert_eq!(key[version + 2], 0, "{kind}");
    }
    assert!(matches!(encrypt_key(b"no key", "x", Salt::new([1; 16], [2; 16])), Err(ConvertError::BadKey(_))));
}

#[test]
fn pkcs12_holds_the_chain_and_the_key_in_both_encryptions() {
    let (root, intermediate) = authority();
    let issued = intermediate.issue_client("device", VALIDITY).unwrap();
    let key = key_of(&issued);
    let mut chain = issued.chain().to_vec();
    chain.push(root.certificate().clone());
    for encryption in [Pkcs12Encryption::Modern, Pkcs12Encryption::Compat] {
        let file = to_pkcs12(&chain, &key, "device", "secret", encryption).unwrap();
        let read = Contents::read(&file, Some(&secret("secret"))).unwrap();
        assert_eq!(read.keys.len(), 1);
        assert_eq!(read.keys[0].pkcs8(), key);
        assert_eq!(read.leaf(), Some(issued.leaf()));
        assert_eq!(read.certificates.len(), 3);
        assert!(chain.iter().all(|one| read.certificates.contains(one)));
        assert!(matches!(Contents::read(&file, Some(&secret("wrong"))), Err(ReadError::WrongPassphrase { .. })));
        assert!(matches!(Contents::read(&file, None), Err(ReadError::NoPassphrase { .. })));
    }
    let other = key_of(&root.issue_client("other", VALIDITY).unwrap());
    let write = |chain: &[Certificate], key: &[u8], name: &str| {
        to_pkcs12(chain, key, name, "secret", Pkcs12Encryption::Modern).unwrap_err()
    };
    assert!(matches!(write(&chain, &other, "device"), ConvertError::KeyMismatch { .. }));
    assert_eq!(write(&[], &key, "device"), ConvertError::NoCertificate);
    assert_eq!(write(&chain, &key, "🦀"), ConvertError::Unwritable { what: "name" });
}

#[test]
fn a_chain_in_any_order_comes_out_leaf_first() {
    let (root, intermediate) = authority();
    let issued = intermediate.issue_client("device", VALIDITY).unwrap();
    let stranger = CertificateAuthority::new_root("Stranger", VALIDITY).unwrap();
    let (leaf, above) = (issued.leaf().clone(), intermediate.certificate().clone());
    let (top, odd) = (root.certificate().clone(), stranger.certificate().clone());
    let files = [
        vec![leaf.clone(), above.clone(), top.clone(), odd.clone()],
        vec![odd.clone(), top.clone(), above.clone(), leaf.clone()],
        vec![above.clone(), leaf.clone(), above.clone(), odd.clone(), leaf.clone(), top.clone()],
    ];
    for file in files {
        let ordered = order(&file, None, false).unwrap();
        assert_eq!(ordered.chain, [leaf.clone(), above.clone()]);
        assert_eq!(ordered.root.as_ref(), Some(&top));
        assert_eq!(ordered.unrelated, std::slice::from_ref(&odd));
        assert_eq!(ordered.duplicates, file.len() - 4);
        assert_eq!(order(&file, None, true).unwrap().chain.len(), 3);
        assert_eq!(order(&file, Some(leaf.public_key()), false).unwrap().chain, ordered.chain);
        assert_eq!(order(&file, Some(above.public_key()), false).unwrap().chain, std::slice::from_ref(&above));
    }
    assert_eq!(order(&[top, above], None, false).unwrap_err(), OrderError::NoLeaf);
    let other = root.issue_client("other", VALIDITY).unwrap();
    assert_eq!(order(&[leaf], Some(other.leaf().public_key()), false).unwrap_err(), OrderError::NoneForKey);
}

/// A key in SEC1, made for this test with `openssl ecparam -name prime256v1 -genkey -noout`.
const SEC1: &str = "\
-----BEGIN EC PRIVATE KEY-----\n\
MHcCAQEEIOlfHXWDz7FgQDOZLBNtxc9V66MCz53t4KX1z9S2iX/woAoGCCqGSM49\n\
AwEHoUQDQgAEBePrrVO8uOg7Gu6AT6I+uWuz2tOBbLYOcBbjGnqgz2JRCt26CkER\n\
est8HX96Wubw40Co5u7OlC8jliTc4P3N4g==\n\
-----END EC PRIVATE KEY-----";

/// A key in PKCS#1, made for this test with `openssl genrsa -traditional 2048`.
const PKCS1: &str = "\
-----BEGIN RSA PRIVATE KEY-----\n\
MIIEogIBAAKCAQEA9jg8hdby1DL2z2JVrMPRGwScMZ48vJN36rwIkWMWJtFi3sH3\n\
mc3rB/P4cPBXjEi1SrU/VE9Mq9j3ATXn36NnXO+dXlERpSSHOANYO6CLZrN5hfJV\n\
yXF27m/01yxKQpRX3EPKi+6rrg8xajChObYDub3feGP77EGz2tCJtIgZa9i5pHlQ\n\
gsGjN8sHYan39TP29n/4K91xPCCTvDajLAAHf+XTw6IJN+Cw+4n0uK4hyFQp6CJc\n\
4EFUR0Z6YLYZVEmPn1R6yDDMZnqn/l1e7pB3nC0/MVX38bswPtHZE9D84Z1THtGp\n\
nYdYHxXpKY4A7+TKc2WzHIE8QHGrLzO8GuZ2pQIDAQABAoIBAAC6l2Od0eUrBtg4\n\
5EsShLcKcwH+Rw1+qXUQIl/lODn56SGPNQiWDjQwCWD9uPQjAteZErJqBO0BeisH\n\
bRjc9p9jHl9ONT3BbZ2nwO2eW2IdlmvXrgiQdoCmOwMqhFf6wk5iwjuWBTU+VByg\n\
OPixEBS5VVIyixYZPn+AXsrRJjO5xa64JR9HTqNwYY0B8G6NoIlIUq2j02hbYR17\n\
l5Nsbl8r1aOlLtD7sCr689FwGZ+Tvss0B7r8vTbD0u2z1peox9/1OEoXhSTmvJ7a\n\
ZHbQjmQnDlFrU487vcGzvq0V53HIqV1GU98UZek2blTowKFpXF2f586UXNbxgaHR\n\
dcZT2rECgYEA/L0k8FaR50oRBnjSDESBQ7HYYH3pryx7M27F76/zyQEVTA+TV0Xo\n\
FVuy5IQ39KV9M41p/aKesEWAKS3Vh/dkPIc6S14wa6oM9DAMZJEaLx8shIO/b8d1\n\
L8DSuM7jObHY2jP87SbkJSrGXLZZQ+OErhaLMddah0CG7zp2osvIFHECgYEA+WWO\n\
yii1Da5g9KhX/RBDYuMY8ryll7UF8OTuPwGDjhJ340kehiYelDFg6HlAFSaBSB8b\n\
M0Mps3lcYrREZErWw7ibn/4rtUAfMVeGI0eCg9VxI3xr3Bg9X6mpDK8L4RhXpccF\n\
uHlnW2iPEdzX/vppfyWQxegBBYXL7laZ9cKqj3UCgYAOggUGztFdR4Emr/TOw3fw\n\
HNtg3pl1dsYzs54lHiKOXUONtC8vCVJDN5pTR8u2fXFsbiexaY5WbAbpVjo1rdvR\n\
JaoQ/X0mEQLhWYi8lR+9qLpzeOSaVAbEEPuHpEii3TSngeh47IyYHZZ5Z/ZD0WGi\n\
ZKTk3YnSzb9xKBf7TFtV4QKBgF9E3130XO1j/p+XKz19l/BPhjk7vRoNyb4zBZvF\n\
7UY5YdjOFr3yE95SWo2Tu9oYgmxVjaNwdZ6crqD58eJKAG51t+VPR80OOJw1rgUO\n\
DRplT7nZjq5eCBviCLTSrXwIO3sVYucMYWI2t+h/73b0m5Y5eGtRbAp7COL77AZI\n\
nbT9AoGAW0J5dWC3qyZJARTsmlVW4CjZq8LQ3EMgmKHYbhgpPtUV2Hm1le2KhB0q\n\
aNyJCLGubJyrRbfhNmHm7pqoMX0XP+kRPng5Lc0O0bRHAfMjS3+Z6jQt+Re4S6Js\n\
NGEPLxLWVdI/lltY9rTMwKiiUp+8LhgeiKlSyc0xKZ1vxC11lp4=\n\
-----END RSA PRIVATE KEY-----";

#[test]
fn older_forms_of_keys_become_pkcs8() {
    for old in [SEC1, PKCS1] {
        let read = Contents::read(old.as_bytes(), None).unwrap();
        let pem = key_to_pem(read.keys[0].pkcs8());
        assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----"));
        let again = Contents::read(pem.as_bytes(), None).unwrap();
        assert_eq!(again.keys[0].pkcs8(), read.keys[0].pkcs8());
        assert!(public_key_of(read.keys[0].pkcs8()).is_some());
        let (root, _) = authority();
        root.issue_for_key(&LeafRequest::client("device"), old, VALIDITY).unwrap();
    }
    assert_eq!(to_pkcs8(b"no key"), None);
    assert_eq!(public_key_of(b"no key"), None);
}

#[test]
fn pem_comes_out_as_it_went_in() {
    let (root, _) = authority();
    let text = to_pem("CERTIFICATE", root.certificate().der());
    assert_eq!(pem::certificates(text.as_bytes()).unwrap(), [root.certificate().clone()]);
    assert!(text.lines().all(|line| line.len() <= 64));
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        let _ = Contents::read(&bytes, Some(&secret("secret")));
        let _ = to_pkcs8(&bytes);
    }
}
