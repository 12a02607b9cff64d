//! Why settings cannot be used.

use std::io;
use std::path::{Path, PathBuf};

use gridmq_tls::identity::IdentityError;
use gridmq_tls::trust::TrustError;

/// Why settings cannot be used. Values are never part of it: they may be secrets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvError {
    /// A file cannot be read.
    #[error("{} cannot be read: {error}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// A file is larger than such files are.
    #[error("{} is larger than {limit} bytes: check the path", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// How large it may be.
        limit: u64,
    },
    /// A file is not UTF-8.
    #[error("{} is not UTF-8 text (byte {at}): save it as UTF-8", path.display())]
    NotText {
        /// Which.
        path: PathBuf,
        /// How many bytes before it are.
        at: usize,
    },
    /// A line is not of the form `KEY=value`.
    #[error("{}, line {line}: expected KEY=value", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Its number, from 1.
        line: usize,
    },
    /// A value is not what its name asks for.
    #[error("{}{name} must be {expected}", place(file.as_ref()))]
    Value {
        /// The file and the number of the line, from 1, if it was read from one.
        file: Option<(PathBuf, usize)>,
        /// The name.
        name: String,
        /// What it has to be.
        expected: &'static str,
    },
    /// A name that there is not.
    #[error("{}{name} is not a setting: use one of {known}", place(file.as_ref()))]
    Unknown {
        /// The file and the number of the line, from 1, if it was read from one.
        file: Option<(PathBuf, usize)>,
        /// The name.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// A connection string has a part without `=`.
    #[error("part {part} of the connection string has no '=': write Name=value;Name=value")]
    Part {
        /// Its number, from 1.
        part: usize,
    },
    /// A part of a connection string has a name that there is not. It is not repeated: it may be what follows a `;` in
    /// a password.
    #[error("part {part} of the connection string is no setting: use one of {known}, and no ';' in a value")]
    UnknownPart {
        /// Its number, from 1.
        part: usize,
        /// The names that there are.
        known: String,
    },
    /// A connection string says the same thing twice.
    #[error("the connection string has {name} twice: leave one out")]
    Twice {
        /// What.
        name: String,
    },
    /// There is no server.
    #[error("no server is named: set MQTT_HOST_NAME (HostName in a connection string)")]
    NoHost,
    /// A password and a file with one.
    #[error("a password and a password file are given: leave one out")]
    TwoPasswords,
    /// The password's file begins with an empty line, or is empty.
    #[error("{} has an empty first line, where the password is expected", path.display())]
    EmptyPassword {
        /// The file.
        path: PathBuf,
    },
    /// A file for TLS, and no TLS.
    #[error("{name} is given, and MQTT_USE_TLS is false: leave one of them out")]
    WithoutTls {
        /// Which, by its variable.
        name: &'static str,
    },
    /// A key without a certificate.
    #[error("a key is given without a certificate: set MQTT_CERT_FILE too")]
    KeyAlone,
    /// Certificate and key cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The authorities cannot be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

fn place(file: Option<&(PathBuf, usize)>) -> String {
    file.map(|(path, line)| format!("{}, line {line}: ", path.display())).unwrap_or_default()
}

impl EnvError {
    pub(super) fn value(name: &str, expected: &'static str) -> Self {
        Self::Value { file: None, name: name.to_owned(), expected }
    }

    pub(super) fn at(self, path: &Path, line: usize) -> Self {
        let file = Some((path.to_owned(), line));
        match self {
            Self::Value { name, expected, .. } => Self::Value { file, name, expected },
            Self::Unknown { name, known, .. } => Self::Unknown { file, name, known },
            other => other,
        }
    }
}
