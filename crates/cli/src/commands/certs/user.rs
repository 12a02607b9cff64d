//! `gridmq certs user`.

use std::path::PathBuf;

use clap::Args;
use gridmq_http::est::Users;

use crate::connection::password;
use crate::error::Outcome;
use crate::output;

/// Print a user's line for the file of users of an EST server
///
/// The line holds no password but a salted hash of it (PBKDF2 with HMAC-SHA-512), in the form of mosquitto_passwd.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    echo secret > device1.secret\n  \
    gridmq certs user device1 --password-file device1.secret >> users")]
pub(super) struct Arguments {
    /// The user's name
    #[arg(value_name = "NAME")]
    name: String,
    /// A file whose first line is the password
    #[arg(long, value_name = "FILE")]
    password_file: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let password = password(&arguments.password_file)?;
    output::line(&Users::new_line(&arguments.name, password.as_bytes())?)
}
