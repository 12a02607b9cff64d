//! `gridmq users`: the file of users of a broker without a namespace.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use gridmq_namespace::open::{MAX_USERS_BYTES, PasswordHash, UserName, Users, UsersFile};
use gridmq_tls::convert::Salt;
use gridmq_tls::passphrase::{Passphrase, PassphraseSource};
use zeroize::Zeroizing;

use crate::error::{Failure, Outcome};
use crate::files::{self, Existing, NewFiles};
use crate::output;

/// Keep the file of users of a broker without a namespace
///
/// The file has one line NAME:HASH for each user and no passwords: the hashes are Argon2id's (19 MiB, two passes).
/// Give it to gridmq serve as --users; a running broker reads it again on SIGHUP.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    echo secret > device1.secret\n  \
    gridmq users add users device1 --password-file device1.secret\n  \
    gridmq users verify users device1 --password-file device1.secret\n  \
    gridmq users list users\n  \
    gridmq users remove users device1")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a user, or give one another password
    Add {
        #[command(flatten)]
        user: User,
        #[command(flatten)]
        password: PasswordOptions,
    },
    /// Remove a user
    Remove {
        #[command(flatten)]
        user: User,
    },
    /// Print the names of the users, a line each
    List {
        /// The file of users
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Say whether a password is the user's: exit code 0 if it is, 1 if not
    Verify {
        #[command(flatten)]
        user: User,
        #[command(flatten)]
        password: PasswordOptions,
    },
}

#[derive(Debug, Args)]
struct User {
    /// The file of users; add makes it, for its owner alone, if it is not there
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The user's name
    #[arg(value_name = "NAME")]
    name: String,
}

/// Without either, a person at the terminal is asked.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct PasswordOptions {
    /// The password is the first line of this file
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// The password is the first line of standard input
    #[arg(long)]
    password_stdin: bool,
}

pub(crate) fn run(arguments: Arguments) -> Outcome {
    match arguments.command {
        Command::Add { user, password } => add(&user, &password),
        Command::Remove { user } => remove(&user),
        Command::List { file } => {
            let users = read(&file)?;
            users.users().try_for_each(|(name, _)| output::line(name))
        }
        Command::Verify { user, password } => verify(&user, &password),
    }
}

fn add(user: &User, password: &PasswordOptions) -> Outcome {
    let name = UserName::new(&user.name)?;
    let password = password.read(&user.name, true)?;
    let hash = PasswordHash::new(password.expose().as_bytes(), salt()?)?;
    let _lock = lock(&user.file);
    let mut users = if user.file.exists() { read(&user.file)? } else { UsersFile::default() };
    let there = users.set(name, hash)?;
    write(&user.file, &users)?;
    let done = if there { "has another password" } else { "is added" };
    output::line(&format!("{} {done} in {}", user.name, files::shown(&user.file)))
}

fn remove(user: &User) -> Outcome {
    let _lock = lock(&user.file);
    let mut users = read(&user.file)?;
    if !users.remove(&user.name) {
        return Err(no_such_user(user));
    }
    write(&user.file, &users)?;
    output::line(&format!("{} is removed from {}", user.name, files::shown(&user.file)))
}

fn verify(user: &User, password: &PasswordOptions) -> Outcome {
    let users = Users::new(&read(&user.file)?);
    if !users.contains(&user.name) {
        return Err(no_such_user(user));
    }
    let password = password.read(&user.name, false)?;
    if users.verify(&user.name, password.expose().as_bytes()) {
        output::line(&format!("it is the password of {}", user.name))
    } else {
        Err(Failure::failed(format!(
            "it is not the password of {}: set another with gridmq users add {} {}",
            user.name,
            user.file.display(),
            user.name
        )))
    }
}

fn no_such_user(user: &User) -> Failure {
    Failure::failed(format!(
        "{} has no user {:?}: see gridmq users list {}",
        files::shown(&user.file),
        user.name,
        user.file.display()
    ))
}

impl PasswordOptions {
    fn read(&self, name: &str, new: bool) -> Result<Passphrase, Failure> {
        let what = format!("user {name}");
        let password = if let Some(path) = &self.password_file {
            PassphraseSource::file(path).read(&what)?
        } else if self.password_stdin {
            Some(first_line(io::stdin().lock())?)
        } else if io::stdin().is_terminal() {
            Some(ask(&what, new)?)
        } else {
            return Err(Failure::usage(format!(
                "there is no password for {what}: add --password-file FILE or --password-stdin, or call this at a \
                 terminal"
            )));
        };
        password
            .filter(|password| !password.expose().is_empty())
            .ok_or_else(|| Failure::failed(format!("the password for {what} is empty: choose one")))
    }
}

fn ask(what: &str, twice: bool) -> Result<Passphrase, Failure> {
    let password = Zeroizing::new(rpassword::prompt_password(format!("Password for {what}: "))?);
    if twice && *Zeroizing::new(rpassword::prompt_password("The same again: ")?) != *password {
        return Err(Failure::failed("the two passwords are not the same: try again"));
    }
    Ok(Passphrase::new(password.as_str()))
}

fn first_line(input: impl Read) -> Result<Passphrase, Failure> {
    let limit = gridmq_tls::passphrase::MAX_PASSPHRASE_BYTES;
    let mut text = Zeroizing::new(String::new());
    input.take(limit + 1).read_to_string(&mut text)?;
    let line = text.lines().next().unwrap_or_default();
    if u64::try_from(line.len()).unwrap_or(u64::MAX) > limit {
        return Err(Failure::failed(format!("the password is longer than {limit} bytes: choose a shorter one")));
    }
    Ok(Passphrase::new(line))
}

/// Reads a file of users.
pub(crate) fn read(path: &Path) -> Result<UsersFile, Failure> {
    let limit = u64::try_from(MAX_USERS_BYTES).unwrap_or(u64::MAX);
    let text = files::read_text(path, limit, "the file of users")?;
    UsersFile::parse(&text).map_err(|problems| files::problems(path, &problems))
}

/// Puts the new file in the place of the old one, whose owner and group keep it: the broker may be another user than
/// whoever changes the file.
fn write(path: &Path, users: &UsersFile) -> Outcome {
    #[cfg(unix)]
    let former = std::fs::metadata(path).ok();
    let mut new = NewFiles::default();
    new.add_secret(path.to_owned(), users.to_string());
    new.write(Existing::Replace)?;
    #[cfg(unix)]
    if let Some(former) = former {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        // Whoever may not give a file away has none of another owner's to begin with.
        drop(std::os::unix::fs::chown(path, Some(former.uid()), Some(former.gid())));
        drop(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600 | former.mode() & 0o040)));
    }
    Ok(())
}

/// Two that change files of one directory at once wait for each other, where the system has such locks.
fn lock(path: &Path) -> Option<File> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    File::open(directory).ok().filter(|directory| directory.lock().is_ok())
}

fn salt() -> Result<[u8; 16], Failure> {
    Ok(Salt::random()?.salt())
}
