//! One set-up or more for every entry of the catalogue that can be made here, and healthy ones.
//!
//! A [`Fixture`] says which entry is the true cause and makes a [`Case`]: files, a server that goes wrong, or the text
//! of another program. [`Case::examine`] lets the doctor look at it.

use std::any::Any;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use gridmq_doctor::{Options, Scheme, Target};
use gridmq_tls::Trust;
use gridmq_tls::catalogue::Id;
use tempfile::TempDir;

use crate::pki::{Entity, Pki};

mod access;
mod certificates;
mod client;
mod connect;
mod examine;
mod explain;
mod files;
mod healthy;
mod network;
mod server;

pub use examine::{Outcome, check, examine, normalised};
pub use healthy::healthy;

/// What a fixture needs besides this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// The `openssl` program and Python.
    OpenSsl,
    /// The broker `mosquitto`.
    Mosquitto,
    /// The module of SoftHSM.
    SoftHsm,
}

/// How the doctor is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Files alone, offline.
    Files,
    /// A server.
    Connect,
    /// The text of another program.
    Explain,
}

/// A set-up with a known cause.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Fixture {
    /// The true cause; `None` in a healthy set-up.
    pub id: Option<Id>,
    /// Its name, such as `a19_key_of_another_type`: unique.
    pub name: &'static str,
    /// What it needs.
    pub needs: Needs,
    make: fn(&Lab) -> Case,
}

impl fmt::Debug for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixture").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

impl Fixture {
    const fn new(id: Id, name: &'static str, make: fn(&Lab) -> Case) -> Self {
        Self { id: Some(id), name, needs: Needs::Nothing, make }
    }

    const fn with(id: Id, name: &'static str, needs: Needs, make: fn(&Lab) -> Case) -> Self {
        Self { id: Some(id), name, needs, make }
    }

    const fn healthy(name: &'static str, make: fn(&Lab) -> Case) -> Self {
        Self { id: None, name, needs: Needs::Nothing, make }
    }

    /// Sets it up. Servers need a runtime with more than one thread.
    pub fn set_up(&self) -> (Lab, Case) {
        let lab = Lab::new();
        let case = (self.make)(&lab);
        (lab, case)
    }
}

/// Every fixture with a cause, in the order of the catalogue's groups.
#[must_use]
pub fn all() -> Vec<Fixture> {
    [
        files::FIXTURES,
        certificates::FIXTURES,
        network::FIXTURES,
        server::FIXTURES,
        client::FIXTURES,
        connect::FIXTURES,
        access::FIXTURES,
        explain::FIXTURES,
    ]
    .concat()
}

/// The fixture of this name.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn named(name: &str) -> Fixture {
    let all = all().into_iter().chain(healthy());
    let found = all.into_iter().find(|fixture| fixture.name == name);
    found.unwrap_or_else(|| panic!("there is no fixture {name}"))
}

/// Certificates and a directory to set things up in.
#[derive(Debug)]
pub struct Lab {
    /// The authorities and a client and a server of theirs.
    pub pki: Pki,
    directory: TempDir,
}

impl Lab {
    fn new() -> Self {
        Self { pki: Pki::default(), directory: tempfile::tempdir().expect("a directory") }
    }

    /// Its directory.
    #[must_use]
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// Writes a file that others may read.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        self.file_with_mode(name, content, 0o644)
    }

    /// Writes a file that only its owner may read.
    pub fn secret(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        self.file_with_mode(name, content, 0o600)
    }

    fn file_with_mode(&self, name: &str, content: impl AsRef<[u8]>, mode: u32) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("a mode");
        path
    }

    /// A case of files: a certificate file and a key file.
    pub fn pair(&self, certificate: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Case {
        let (cert, key) = (self.file("client.pem", certificate), self.secret("client.key", key));
        Case { cert: Some(cert), key: Some(key), ..Case::default() }
    }

    /// A case of files: this client with its chain and key.
    pub fn pair_of(&self, client: &Entity) -> Case {
        self.pair(client.chain_pem(), client.key_pem())
    }

    /// A case of files: a PKCS#12 file.
    pub fn pkcs12(&self, content: &[u8], passphrase: Option<&str>) -> Case {
        let path = self.secret("client.p12", content);
        Case { pkcs12: Some(path), passphrase: passphrase.map(str::to_owned), ..Case::default() }
    }

    /// A case of a server that is called `localhost`, over TLS, with trust in [`Pki::root`].
    pub fn mqtts(&self, address: SocketAddr) -> Case {
        let mut case = Case::to(Target::new(Scheme::Mqtts, "localhost", address.port()));
        case.options.trust = Some(self.trust(&self.pki.root.pem()));
        case
    }

    /// A case of a server without TLS.
    pub fn mqtt(&self, address: SocketAddr) -> Case {
        Case::to(Target::new(Scheme::Mqtt, "localhost", address.port()))
    }

    /// Trust in these authorities alone.
    #[must_use]
    pub fn trust(&self, authorities_pem: &str) -> Trust {
        Trust::only_pem(authorities_pem.as_bytes()).expect("trust")
    }
}

/// What the doctor is given.
#[derive(Debug, Default)]
#[must_use]
pub struct Case {
    /// The server; without one, only files or a text are examined.
    pub target: Option<Target>,
    /// How the server is examined.
    pub options: Options,
    /// The text of another program.
    pub text: Option<String>,
    /// The certificate file.
    pub cert: Option<PathBuf>,
    /// The key file.
    pub key: Option<PathBuf>,
    /// The PKCS#12 file.
    pub pkcs12: Option<PathBuf>,
    /// The file of trusted authorities.
    pub cafile: Option<PathBuf>,
    /// The passphrase of the key or the PKCS#12 file.
    pub passphrase: Option<String>,
    /// The thumbprint that is registered at the service.
    pub thumbprint: Option<String>,
    /// The certificate that was used before.
    pub previous: Option<PathBuf>,
    /// The profile's name.
    pub profile: Option<&'static str>,
    /// What must live as long as the case.
    guards: Guards,
}

#[derive(Default)]
struct Guards(Vec<Box<dyn Any + Send + Sync>>);

impl fmt::Debug for Guards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guards").field(&self.0.len()).finish()
    }
}

impl Case {
    /// A case of this server.
    pub fn to(target: Target) -> Self {
        let mut options = Options::default();
        // Short: the peers are on this machine. A busy one must still make it.
        options.deadline = Duration::from_secs(20);
        options.patience = Duration::from_millis(1500);
        options.client_id = Some("device1-session".to_owned());
        Self { target: Some(target), options, ..Self::default() }
    }

    /// A text of another program.
    pub fn text(text: &str) -> Self {
        Self { text: Some(text.to_owned()), ..Self::default() }
    }

    /// With this identity.
    pub fn identity(mut self, client: &Entity) -> Self {
        self.options.identity = Some(client.identity());
        self
    }

    /// With this identity, which sends its own certificate alone.
    pub fn leaf_only(mut self, client: &Entity) -> Self {
        self.options.identity = Some(client.identity_with(&client.pem()));
        self
    }

    /// With trust in these authorities alone.
    pub fn trusting(mut self, authorities_pem: &str) -> Self {
        self.options.trust = Some(Trust::only_pem(authorities_pem.as_bytes()).expect("trust"));
        self
    }

    /// With this user name.
    pub fn username(mut self, name: &str) -> Self {
        self.options.username = Some(name.to_owned());
        self
    }

    /// At this service.
    pub fn profile(mut self, name: &'static str) -> Self {
        self.options.profile = gridmq_doctor::profile::Profile::by_name(name).cloned();
        self.profile = Some(name);
        self
    }

    /// Publishes to and receives from this topic.
    pub fn probing(mut self, topic: &str) -> Self {
        self.options.probe_topic = Some(topic.to_owned());
        self
    }

    /// With what `change` makes of the options.
    pub fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }

    /// With this host in place of `localhost`.
    pub fn host(mut self, host: &str) -> Self {
        let target = self.target.take().expect("a server");
        self.target = Some(Target::new(target.scheme, host, target.port));
        self
    }

    /// Keeps this until the case is over.
    pub fn keeping(mut self, guard: impl Any + Send + Sync) -> Self {
        self.guards.0.push(Box::new(guard));
        self
    }

    /// What the doctor is asked for.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match (&self.target, &self.text) {
            (Some(_), _) => Kind::Connect,
            (None, Some(_)) => Kind::Explain,
            (None, None) => Kind::Files,
        }
    }
}
