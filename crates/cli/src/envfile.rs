//! Connection settings in the form of Microsoft's MQTT samples: `KEY=value` lines in a `.env` file.

use std::path::{Path, PathBuf};

use crate::error::Failure;
use crate::files;

const MAX_BYTES: u64 = 64 * 1024;

/// What such a file says. What it does not say is `None`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct EnvFile {
    pub(crate) host: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) use_tls: Option<bool>,
    pub(crate) clean_session: Option<bool>,
    pub(crate) keep_alive: Option<u16>,
    pub(crate) client_id: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) cert_file: Option<PathBuf>,
    pub(crate) key_file: Option<PathBuf>,
    pub(crate) key_file_password: Option<String>,
}

impl EnvFile {
    /// Reads a file. Relative paths in it start at its directory.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = files::read_text(path, MAX_BYTES, "the env file")?;
        let base = path.parent().unwrap_or_else(|| Path::new(""));
        Self::parse(&text, base).map_err(|problem| Failure::failed(format!("{}, {problem}", files::shown(path))))
    }

    fn parse(text: &str, base: &Path) -> Result<Self, String> {
        let mut settings = Self::default();
        for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let line_number = number + 1;
            let line = line.strip_prefix("export ").unwrap_or(line);
            let Some((key, value)) = line.split_once('=') else {
                return Err(format!("line {line_number}: expected KEY=value"));
            };
            settings
                .set(key.trim(), unquoted(value.trim()), base)
                .map_err(|expected| format!("line {line_number}: {} must be {expected}", key.trim()))?;
        }
        Ok(settings)
    }

    fn set(&mut self, key: &str, value: &str, base: &Path) -> Result<(), &'static str> {
        // The samples write an empty value for what is not used.
        if value.is_empty() {
            return Ok(());
        }
        let text = || Some(value.to_owned());
        let file = || Some(base.join(value));
        match key {
            "MQTT_HOST_NAME" => self.host = text(),
            "MQTT_TCP_PORT" => self.port = Some(value.parse().map_err(|_| "a port number from 0 to 65535")?),
            "MQTT_USE_TLS" => self.use_tls = Some(boolean(value)?),
            "MQTT_CLEAN_SESSION" => self.clean_session = Some(boolean(value)?),
            "MQTT_KEEP_ALIVE_IN_SECONDS" => {
                self.keep_alive = Some(value.parse().map_err(|_| "a number of seconds from 0 to 65535")?);
            }
            "MQTT_CLIENT_ID" => self.client_id = text(),
            "MQTT_USERNAME" => self.username = text(),
            "MQTT_PASSWORD" => self.password = text(),
            "MQTT_CA_FILE" => self.ca_file = file(),
            "MQTT_CERT_FILE" => self.cert_file = file(),
            "MQTT_KEY_FILE" => self.key_file = file(),
            "MQTT_KEY_FILE_PASSWORD" => self.key_file_password = text(),
            // A name of ours that nobody reads is a slip; other programs' settings may stand in the same file.
            _ if key.starts_with("MQTT_") => {
                return Err("one of MQTT_HOST_NAME, MQTT_TCP_PORT, MQTT_USE_TLS, MQTT_CLEAN_SESSION, \
                    MQTT_KEEP_ALIVE_IN_SECONDS, MQTT_CLIENT_ID, MQTT_USERNAME, MQTT_PASSWORD, MQTT_CA_FILE, \
                    MQTT_CERT_FILE, MQTT_KEY_FILE, MQTT_KEY_FILE_PASSWORD");
            }
            _ => {}
        }
        Ok(())
    }
}

fn boolean(value: &str) -> Result<bool, &'static str> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err("true or false"),
    }
}

fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|value| value.strip_suffix(quote)) {
            return inner;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<EnvFile, String> {
        EnvFile::parse(text, Path::new("/scenario"))
    }

    #[test]
    fn a_file_of_the_samples_is_read() {
        let text = "\u{feff}# vehicle01\r\nMQTT_HOST_NAME=\"example.ts.eventgrid.azure.net\"\r\nMQTT_TCP_PORT=8883\r\n\
            MQTT_USERNAME=vehicle01\nexport MQTT_CLIENT_ID='vehicle01'\nMQTT_CERT_FILE=vehicle01.pem\n\
            MQTT_KEY_FILE=/keys/vehicle01.key\nMQTT_KEY_FILE_PASSWORD=\nMQTT_CLEAN_SESSION=False\n\
            MQTT_PASSWORD=a=b\nAZURE_TENANT_ID=x\n";
        let expected = EnvFile {
            host: Some("example.ts.eventgrid.azure.net".to_owned()),
            port: Some(8883),
            clean_session: Some(false),
            client_id: Some("vehicle01".to_owned()),
            username: Some("vehicle01".to_owned()),
            password: Some("a=b".to_owned()),
            cert_file: Some("/scenario/vehicle01.pem".into()),
            key_file: Some("/keys/vehicle01.key".into()),
            ..EnvFile::default()
        };
        assert_eq!(parse(text), Ok(expected));
    }

    #[test]
    fn slips_are_named_by_line() {
        for (text, line) in [
            ("MQTT_HOST_NAME", 1),
            ("\nMQTT_TCP_PORT=70000", 2),
            ("MQTT_USE_TLS=yes", 1),
            ("# x\n\nMQTT_KEEP_ALIVE_IN_SECONDS=-1", 3),
            ("MQTT_HOSTNAME=a", 1),
        ] {
            let problem = parse(text).unwrap_err();
            assert!(problem.starts_with(&format!("line {line}:")), "{problem}");
        }
    }
}
