//! The texts that settings stand in.

use std::path::Path;
use std::time::Duration;

use zeroize::Zeroizing;

use super::{EnvError, Settings};

/// What a setting is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Host,
    Port,
    UseTls,
    Clean,
    KeepAlive,
    SessionExpiry,
    ConnectionTimeout,
    ClientId,
    Username,
    Password,
    PasswordFile,
    CaFile,
    CaPath,
    CertFile,
    Private,
    PrivatePassphrase,
}

/// Names in the environment and in connection strings.
const NAMES: [(&str, &str, Key); 18] = [
    ("MQTT_HOST_NAME", "HostName", Key::Host),
    ("MQTT_TCP_PORT", "TcpPort", Key::Port),
    ("MQTT_USE_TLS", "UseTls", Key::UseTls),
    ("MQTT_CLEAN_SESSION", "CleanSession", Key::Clean),
    ("MQTT_CLEAN_START", "CleanStart", Key::Clean),
    ("MQTT_KEEP_ALIVE_IN_SECONDS", "KeepAliveInSeconds", Key::KeepAlive),
    ("MQTT_KEEP_ALIVE", "KeepAlive", Key::KeepAlive),
    ("MQTT_SESSION_EXPIRY", "SessionExpiry", Key::SessionExpiry),
    ("MQTT_CONNECTION_TIMEOUT", "ConnectionTimeout", Key::ConnectionTimeout),
    ("MQTT_CLIENT_ID", "ClientId", Key::ClientId),
    ("MQTT_USERNAME", "Username", Key::Username),
    ("MQTT_PASSWORD", "Password", Key::Password),
    ("MQTT_PASSWORD_FILE", "PasswordFile", Key::PasswordFile),
    ("MQTT_CA_FILE", "CaFile", Key::CaFile),
    ("MQTT_CA_PATH", "CaPath", Key::CaPath),
    ("MQTT_CERT_FILE", "CertFile", Key::CertFile),
    ("MQTT_KEY_FILE", "KeyFile", Key::Private),
    ("MQTT_KEY_FILE_PASSWORD", "KeyFilePassword", Key::PrivatePassphrase),
];

impl Key {
    pub(super) fn of_variable(name: &str) -> Option<Self> {
        NAMES.iter().find(|(variable, ..)| *variable == name).map(|(.., key)| *key)
    }

    fn of_part(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, part, _)| part.eq_ignore_ascii_case(name)).map(|(.., key)| *key)
    }
}

/// What is wrong with a text, before it is known where the text came from.
pub(super) enum Slip {
    Line(usize),
    Other(usize, EnvError),
}

impl Slip {
    pub(super) fn in_file(self, path: &Path) -> EnvError {
        match self {
            Self::Line(line) => EnvError::Line { path: path.to_owned(), line },
            Self::Other(line, error) => error.at(path, line),
        }
    }
}

/// `KEY=value` lines.
pub(super) fn lines(text: &str, base: &Path) -> Result<Settings, Slip> {
    let mut settings = Settings::default();
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let number = number + 1;
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=').ok_or(Slip::Line(number))?;
        let (name, value) = (name.trim(), unquoted(value.trim()));
        match Key::of_variable(name) {
            Some(key) => settings
                .set(key, value, base)
                .map_err(|expected| Slip::Other(number, EnvError::value(name, expected)))?,
            // A name of ours that nobody reads is a slip; other programs' settings may stand in the same file.
            None if name.starts_with("MQTT_") && !value.is_empty() => {
                let known = NAMES.map(|(variable, ..)| variable).join(", ");
                return Err(Slip::Other(number, EnvError::Unknown { file: None, name: name.to_owned(), known }));
            }
            None => {}
        }
    }
    Ok(settings)
}

/// `Name=value;Name=value`.
pub(super) fn connection_string(text: &str) -> Result<Settings, EnvError> {
    let mut settings = Settings::default();
    let mut seen = Vec::new();
    let parts = text.split(';').map(str::trim).enumerate().filter(|(_, part)| !part.is_empty());
    for (number, part) in parts {
        let (name, value) = part.split_once('=').ok_or(EnvError::Part { part: number + 1 })?;
        let (name, value) = (name.trim(), value.trim());
        let Some(key) = Key::of_part(name) else {
            let known = NAMES.map(|(_, part, _)| part).join(", ");
            return Err(EnvError::UnknownPart { part: number + 1, known });
        };
        if seen.contains(&key) {
            return Err(EnvError::Twice { name: name.to_owned() });
        }
        seen.push(key);
        settings.set(key, value, Path::new("")).map_err(|expected| EnvError::value(name, expected))?;
    }
    Ok(settings)
}

impl Settings {
    pub(super) fn set(&mut self, key: Key, value: &str, base: &Path) -> Result<(), &'static str> {
        // The samples write an empty value for what is not used.
        if value.is_empty() {
            return Ok(());
        }
        let text = || Some(value.to_owned());
        let secret = || Some(Zeroizing::new(value.to_owned()));
        let file = || Some(base.join(value));
        match key {
            Key::Host => self.host = text(),
            Key::Port => {
                let port = value.parse().ok().filter(|&port| port != 0);
                self.port = Some(port.ok_or("a port number from 1 to 65535")?);
            }
            Key::UseTls => self.use_tls = Some(boolean(value)?),
            Key::Clean => self.clean_session = Some(boolean(value)?),
            Key::KeepAlive => {
                let seconds = time(value).map(|time| time.as_secs()).and_then(|seconds| u16::try_from(seconds).ok());
                self.keep_alive = Some(seconds.ok_or("a number of seconds from 0 to 65535")?);
            }
            Key::SessionExpiry => self.session_expiry = Some(time(value).ok_or(TIME)?),
            Key::ConnectionTimeout => self.connection_timeout = Some(time(value).ok_or(TIME)?),
            Key::ClientId => self.client_id = text(),
            Key::Username => self.username = text(),
            Key::Password => self.password = secret(),
            Key::PasswordFile => self.password_file = file(),
            Key::CaFile => self.ca_file = file(),
            Key::CaPath => self.ca_path = file(),
            Key::CertFile => self.cert_file = file(),
            Key::Private => self.key_file = file(),
            Key::PrivatePassphrase => self.key_file_password = secret(),
        }
        Ok(())
    }
}

const TIME: &str = "a number of seconds, or a duration such as PT1H30M";

fn boolean(value: &str) -> Result<bool, &'static str> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err("true or false"),
    }
}

/// Seconds, or an ISO 8601 duration of weeks, days, hours, minutes and whole seconds.
fn time(text: &str) -> Option<Duration> {
    let Some(duration) = text.strip_prefix('P') else { return text.parse().ok().map(Duration::from_secs) };
    let (date, clock) = duration.split_once('T').map_or((duration, None), |(date, clock)| (date, Some(clock)));
    if duration.is_empty() || clock.is_some_and(str::is_empty) {
        return None;
    }
    let days = units(date, &[('W', 7 * 24 * 60 * 60), ('D', 24 * 60 * 60)])?;
    let seconds = units(clock.unwrap_or_default(), &[('H', 60 * 60), ('M', 60), ('S', 1)])?;
    days.checked_add(seconds).map(Duration::from_secs)
}

/// Numbers with units, the larger before the smaller.
fn units(mut text: &str, mut units: &[(char, u64)]) -> Option<u64> {
    let mut total = 0_u64;
    while !text.is_empty() {
        let end = text.find(|character: char| !character.is_ascii_digit())?;
        let (number, rest) = text.split_at_checked(end)?;
        let unit = rest.chars().next()?;
        let at = units.iter().position(|(name, _)| *name == unit)?;
        let (_, seconds) = units.get(at)?;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(*seconds)?)?;
        units = units.get(at + 1..)?;
        text = rest.strip_prefix(unit)?;
    }
    Some(total)
}

fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|value| value.strip_suffix(quote)) {
            return inner;
        }
    }
    value
}
