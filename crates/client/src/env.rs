//! Options from the environment, a `.env` file or a connection string, as Microsoft's MQTT samples and session client
//! have them.
//!
//! | variable | in a connection string | what it says | without it |
//! |---|---|---|---|
//! | `MQTT_HOST_NAME` | `HostName` | the server | an error |
//! | `MQTT_TCP_PORT` | `TcpPort` | its port, 1 to 65535 | 8883 with TLS, 1883 without |
//! | `MQTT_USE_TLS` | `UseTls` | `true` or `false`, which goes with none of the files for TLS | `true` |
//! | `MQTT_CLEAN_SESSION`, `MQTT_CLEAN_START` | `CleanSession`, `CleanStart` | `true` or `false` | `true` |
//! | `MQTT_KEEP_ALIVE_IN_SECONDS`, `MQTT_KEEP_ALIVE` | `KeepAliveInSeconds`, `KeepAlive` | a time | 60 s |
//! | `MQTT_SESSION_EXPIRY` | `SessionExpiry` | a time | 5 minutes, see [`Options::session_expiry`] |
//! | `MQTT_CONNECTION_TIMEOUT` | `ConnectionTimeout` | a time | 30 s |
//! | `MQTT_CLIENT_ID` | `ClientId` | the client identifier | the server assigns one |
//! | `MQTT_USERNAME` | `Username` | the user name | none |
//! | `MQTT_PASSWORD` | `Password` | the password | none |
//! | `MQTT_PASSWORD_FILE` | `PasswordFile` | a file whose first line is the password | none |
//! | `MQTT_CA_FILE` | `CaFile` | authorities to believe, PEM or DER | the system's, with the feature `platform-verifier` |
//! | `MQTT_CA_PATH` | `CaPath` | a directory of such files | none |
//! | `MQTT_CERT_FILE` | `CertFile` | certificate and chain | none |
//! | `MQTT_KEY_FILE` | `KeyFile` | its key | it stands in the certificate's file |
//! | `MQTT_KEY_FILE_PASSWORD` | `KeyFilePassword` | the key's passphrase | none |
//!
//! A time is a number of seconds, or an ISO 8601 duration such as `PT1H30M`. An empty value is no value. Of a host of
//! Event Grid, its preset is applied.

mod error;
mod text;

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use gridmq_tls::passphrase::{Passphrase, PassphraseSource};
use gridmq_tls::source::Source;
use gridmq_tls::{IdentityLoader, Trust, TrustSource};

use zeroize::Zeroizing;

pub use error::EnvError;

use crate::auth::regular;
use crate::options::Options;
use crate::preset::is_event_grid;

/// The largest settings file and password file, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// Settings in the form of Microsoft's samples. What they do not say is `None`.
///
/// ```
/// use gridmq_client::env::Settings;
///
/// let variables = [("MQTT_HOST_NAME", "localhost"), ("MQTT_USE_TLS", "false"), ("MQTT_CLIENT_ID", "vehicle03")];
/// let options = Settings::from_vars(variables)?.into_options()?;
/// options.keep_alive(std::time::Duration::from_secs(20)).check()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// The server's host name.
    pub host: Option<String>,
    /// Its port.
    pub port: Option<u16>,
    /// Whether TLS is used.
    pub use_tls: Option<bool>,
    /// Whether an earlier session is to be forgotten.
    pub clean_session: Option<bool>,
    /// The keep-alive in seconds.
    pub keep_alive: Option<u16>,
    /// How long the session outlives the connection.
    pub session_expiry: Option<Duration>,
    /// How long connecting may take.
    pub connection_timeout: Option<Duration>,
    /// The client identifier.
    pub client_id: Option<String>,
    /// The user name. Not part of the debug output: some servers take tokens as such.
    pub username: Option<String>,
    /// The password. Not part of the debug output; its memory is overwritten when it goes.
    pub password: Option<Zeroizing<String>>,
    /// A file whose first line is the password.
    pub password_file: Option<PathBuf>,
    /// Authorities to believe.
    pub ca_file: Option<PathBuf>,
    /// A directory of files of such authorities.
    pub ca_path: Option<PathBuf>,
    /// The client's certificate and chain.
    pub cert_file: Option<PathBuf>,
    /// Its key.
    pub key_file: Option<PathBuf>,
    /// The key's passphrase. Not part of the debug output; its memory is overwritten when it goes.
    pub key_file_password: Option<Zeroizing<String>>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = |given: bool| given.then_some("(not shown)");
        f.debug_struct("Settings")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("use_tls", &self.use_tls)
            .field("clean_session", &self.clean_session)
            .field("keep_alive", &self.keep_alive)
            .field("session_expiry", &self.session_expiry)
            .field("connection_timeout", &self.connection_timeout)
            .field("client_id", &self.client_id)
            .field("username", &hidden(self.username.is_some()))
            .field("password", &hidden(self.password.is_some()))
            .field("password_file", &self.password_file)
            .field("ca_file", &self.ca_file)
            .field("ca_path", &self.ca_path)
            .field("cert_file", &self.cert_file)
            .field("key_file", &self.key_file)
            .field("key_file_password", &hidden(self.key_file_password.is_some()))
            .finish()
    }
}

impl Settings {
    /// Reads a file of `KEY=value` lines, 64 KiB at most. Relative paths in it start at its directory.
    ///
    /// # Errors
    /// If it cannot be read, and with the number of a line that cannot be used. A variable that begins with `MQTT_` and
    /// is none of those above is such a line, for it is a slip.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, EnvError> {
        let path = path.as_ref();
        let text = read_text(path)?;
        let base = path.parent().unwrap_or_else(|| Path::new(""));
        text::lines(&text, base).map_err(|slip| slip.in_file(path))
    }

    /// Takes the variables above out of `variables`, such as [`std::env::vars`]; others are somebody else's. Relative
    /// paths start at the working directory.
    ///
    /// # Errors
    /// With the name of a variable that cannot be used.
    pub fn from_vars<K, V>(variables: impl IntoIterator<Item = (K, V)>) -> Result<Self, EnvError>
    where
        K: AsRef<str>,
        V: AsRef<str>,
    {
        let mut settings = Self::default();
        for (name, value) in variables {
            let (name, value) = (name.as_ref(), value.as_ref());
            if let Some(key) = text::Key::of_variable(name) {
                settings.set(key, value, Path::new("")).map_err(|expected| EnvError::value(name, expected))?;
            }
        }
        Ok(settings)
    }

    /// Reads `HostName=…;ClientId=…`: names of the table above in any case, values up to the next `;`.
    ///
    /// # Errors
    /// With the name that cannot be used, is unknown, or stands there twice.
    pub fn from_connection_string(text: &str) -> Result<Self, EnvError> {
        text::connection_string(text)
    }

    /// Options as these settings say. Reads the files that they name.
    ///
    /// # Errors
    /// If there is no host, or a file cannot be used.
    pub fn into_options(self) -> Result<Options, EnvError> {
        let host = self.host.as_deref().ok_or(EnvError::NoHost)?;
        let tls = self.use_tls.unwrap_or(true);
        let shown = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
        let (scheme, port) = if tls { ("mqtts", 8883) } else { ("mqtt", 1883) };
        let url = format!("{scheme}://{shown}:{}", self.port.unwrap_or(port));
        let mut options = if is_event_grid(host) { Options::event_grid(&url) } else { Options::new(&url) };
        options = options.clean_start(self.clean_session.unwrap_or(true));
        if let Some(seconds) = self.keep_alive {
            options = options.keep_alive(Duration::from_secs(seconds.into()));
        }
        if let Some(expiry) = self.session_expiry {
            options = options.session_expiry(expiry);
        }
        if let Some(timeout) = self.connection_timeout {
            options = options.connect_timeout(timeout);
        }
        if let Some(password) = self.read_password()? {
            options = options.password(password.as_bytes());
        }
        if let Some(name) = self.needs_tls().filter(|_| !tls) {
            return Err(EnvError::WithoutTls { name });
        }
        if tls {
            if let Some(trust) = self.trust()? {
                options = options.trust(trust);
            }
            if let Some(loader) = self.identity()? {
                options = options.identity(loader.load()?);
            }
        }
        if let Some(id) = self.client_id {
            options = options.client_id(id);
        }
        if let Some(name) = self.username {
            options = options.username(name);
        }
        Ok(options)
    }

    /// The password, from its file if it stands there.
    ///
    /// # Errors
    /// If there are both, or the file cannot be used.
    pub fn read_password(&self) -> Result<Option<Zeroizing<String>>, EnvError> {
        match (&self.password, &self.password_file) {
            (Some(_), Some(_)) => Err(EnvError::TwoPasswords),
            (Some(password), None) => Ok(Some(password.clone())),
            (None, None) => Ok(None),
            (None, Some(path)) => match read_text(path)?.lines().next() {
                Some(line) if !line.is_empty() => Ok(Some(Zeroizing::new(line.to_owned()))),
                _ => Err(EnvError::EmptyPassword { path: path.clone() }),
            },
        }
    }

    /// What is given and has no use without TLS.
    fn needs_tls(&self) -> Option<&'static str> {
        [
            ("MQTT_CERT_FILE", self.cert_file.is_some()),
            ("MQTT_KEY_FILE", self.key_file.is_some()),
            ("MQTT_CA_FILE", self.ca_file.is_some()),
            ("MQTT_CA_PATH", self.ca_path.is_some()),
        ]
        .into_iter()
        .find_map(|(name, given)| given.then_some(name))
    }

    fn trust(&self) -> Result<Option<Trust>, EnvError> {
        let files = self.ca_file.iter().cloned().map(TrustSource::File);
        let sources: Vec<_> = files.chain(self.ca_path.iter().cloned().map(TrustSource::Directory)).collect();
        if sources.is_empty() { Ok(None) } else { Ok(Some(Trust::only_all(sources)?)) }
    }

    fn identity(&self) -> Result<Option<IdentityLoader>, EnvError> {
        let loader = match (&self.cert_file, &self.key_file) {
            (None, None) => return Ok(None),
            (None, Some(_)) => return Err(EnvError::KeyAlone),
            (Some(certificate), None) => IdentityLoader::new(Source::File(certificate.clone())),
            (Some(certificate), Some(key)) => {
                IdentityLoader::new(Source::File(certificate.clone())).key(Source::File(key.clone()))
            }
        };
        Ok(Some(match &self.key_file_password {
            Some(password) => loader.passphrase(PassphraseSource::value(Passphrase::new(password.as_str()))),
            None => loader,
        }))
    }
}

impl Options {
    /// Options from this process's environment: see [`env`](mod@crate::env).
    ///
    /// # Errors
    /// If there is no `MQTT_HOST_NAME`, or a variable or a file cannot be used.
    pub fn from_env() -> Result<Self, EnvError> {
        // What is not text is none of ours.
        let variables = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        let mut ours = Vec::new();
        for (name, value) in variables.filter(|(name, _)| text::Key::of_variable(name).is_some()) {
            let value = value.into_string().map_err(|_| EnvError::value(&name, "UTF-8 text"))?;
            ours.push((name, Zeroizing::new(value)));
        }
        let borrowed = ours.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Self::from_env_vars(borrowed)
    }

    /// As [`from_env`](Self::from_env), from these variables.
    ///
    /// ```
    /// use gridmq_client::Options;
    ///
    /// let variables = [("MQTT_HOST_NAME", "localhost"), ("MQTT_USE_TLS", "false"), ("MQTT_CLIENT_ID", "vehicle03")];
    /// Options::from_env_vars(variables)?.check()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn from_env_vars<K, V>(variables: impl IntoIterator<Item = (K, V)>) -> Result<Self, EnvError>
    where
        K: AsRef<str>,
        V: AsRef<str>,
    {
        Settings::from_vars(variables)?.into_options()
    }

    /// Options from a `.env` file: see [`Settings::from_file`].
    ///
    /// # Errors
    /// If there is no `MQTT_HOST_NAME` in it, or it or a file that it names cannot be used.
    pub fn from_env_file(path: impl AsRef<Path>) -> Result<Self, EnvError> {
        Settings::from_file(path)?.into_options()
    }

    /// Options from this `.env` file or, without one, from this process's environment: what a program does with an option
    /// such as `--env-file`.
    ///
    /// # Errors
    /// As [`from_env_file`](Self::from_env_file), and as [`from_env`](Self::from_env).
    pub fn from_env_or_file(path: Option<impl AsRef<Path>>) -> Result<Self, EnvError> {
        match path {
            Some(path) => Self::from_env_file(path),
            None => Self::from_env(),
        }
    }

    /// Options from a connection string: see [`Settings::from_connection_string`].
    ///
    /// # Errors
    /// If there is no `HostName` in it, or it or a file that it names cannot be used.
    pub fn from_connection_string(text: &str) -> Result<Self, EnvError> {
        Settings::from_connection_string(text)?.into_options()
    }
}

/// The text of a file that may hold a secret.
fn read_text(path: &Path) -> Result<Zeroizing<String>, EnvError> {
    let failed = |error: io::Error| EnvError::Read { path: path.to_owned(), error };
    // All at once, so that no shorter copy stays behind in memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES as usize + 2));
    regular(path).map_err(failed)?.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(EnvError::TooLarge { path: path.to_owned(), limit: MAX_BYTES });
    }
    let text = std::str::from_utf8(&bytes).map(|text| Zeroizing::new(text.to_owned()));
    text.map_err(|error| EnvError::NotText { path: path.to_owned(), at: error.valid_up_to() })
}

#[cfg(test)]
mod tests;
