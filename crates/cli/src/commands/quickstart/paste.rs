//! What to try next, as commands to paste.

use std::path::Path;

use super::material::Material;
use super::{CLIENT_1, CLIENT_2, SESSION_1, TOPIC};
use crate::files;

const SESSION_2: &str = "client2-session1";

/// Commands that subscribe as one client and publish as the other, and an `.env` file.
pub(super) fn commands(material: &Material, port: u16) -> String {
    let file = |name: &str| quoted(&files::shown(&material.file(name)));
    let options = |client: &str, session: &str| {
        format!(
            "-h localhost -p {port} --cafile {} --cert {} --key {} \\\n    -u {client} -i {session} -t {TOPIC} -q 1",
            file("root-ca.pem"),
            file(&format!("{client}.pem")),
            file(&format!("{client}.key")),
        )
    };
    let program = program();
    let (one, two) = (options(CLIENT_1, SESSION_1), options(CLIENT_2, SESSION_2));
    let path = |name: &str| files::shown(&material.file(name));
    let (ca, cert, key) = (path("root-ca.pem"), path(&format!("{CLIENT_1}.pem")), path(&format!("{CLIENT_1}.key")));
    format!(
        "\nServing on port {port} until you press Ctrl-C. Subscribe in a second terminal and publish in a third:\n\n\
         {program} sub {two}\n\n\
         {program} pub {one} -m 'hello world!'\n\n\
         The same with mosquitto's clients:\n\n\
         mosquitto_sub -V mqttv5 {two}\n\n\
         mosquitto_pub -V mqttv5 {one} -m 'hello world!'\n\n\
         An .env file for Microsoft's MQTT samples (and for --env-file):\n\n\
         MQTT_HOST_NAME=localhost\n\
         MQTT_TCP_PORT={port}\n\
         MQTT_USE_TLS=true\n\
         MQTT_CLEAN_SESSION=true\n\
         MQTT_KEEP_ALIVE_IN_SECONDS=30\n\
         MQTT_CLIENT_ID={SESSION_1}\n\
         MQTT_USERNAME={CLIENT_1}\n\
         MQTT_CA_FILE={ca}\n\
         MQTT_CERT_FILE={cert}\n\
         MQTT_KEY_FILE={key}\n"
    )
}

/// This program as it can be typed here: its name if the shell finds it by that, else its path.
fn program() -> String {
    let Ok(path) = std::env::current_exe() else { return "gridmq".to_owned() };
    let on_path = std::env::var_os("PATH").is_some_and(|dirs| {
        std::env::split_paths(&dirs).any(|dir| dir.is_absolute() && path.parent() == Some(dir.as_path()))
    });
    match path.file_name() {
        Some(name) if on_path => name.to_string_lossy().into_owned(),
        _ => quoted(&path.display().to_string()),
    }
}

/// The text as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+:,@%".contains(c);
    if cfg!(windows) {
        return if text.contains(' ') { format!("\"{text}\"") } else { text.to_owned() };
    }
    if !text.is_empty() && text.chars().all(plain) && Path::new(text).to_str().is_some() {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    #[cfg(unix)]
    fn paths_survive_the_shell() {
        assert_eq!(quoted("/dir/a-b.pem"), "/dir/a-b.pem");
        assert_eq!(quoted("/dir/it's here"), "'/dir/it'\\''s here'");
        assert_eq!(quoted("$HOME"), "'$HOME'");
    }
}
