//! `gridmq backup` and `gridmq restore`: a broker's state as one file, and back.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter};
use std::path::{Path, PathBuf};

use clap::Args;
use gridmq_store::{Durability, Store};

use crate::datadir::DataDir;
use crate::error::{Failure, Outcome};
use crate::files::{reason, shown};
use crate::output;

/// Write a broker's state into one file
///
/// Sessions, their subscriptions and queued messages, and retained messages. The broker has to be stopped; its
/// configuration, namespace and certificates are files of yours and not in it.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  gridmq backup --data-dir state --out state.backup")]
pub(crate) struct Backup {
    /// The directory for state [default: gridmq in XDG_STATE_HOME or ~/.local/state]
    #[arg(long, value_name = "DIR", env = "GRIDMQ_DATA_DIR", hide_env_values = true)]
    data_dir: Option<PathBuf>,
    /// The new file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Make a broker's state from a backup
///
/// The state directory must have no store. It gets one only when the backup proves to be whole.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  gridmq restore --data-dir state state.backup")]
pub(crate) struct Restore {
    /// The directory for state [default: gridmq in XDG_STATE_HOME or ~/.local/state]
    #[arg(long, value_name = "DIR", env = "GRIDMQ_DATA_DIR", hide_env_values = true)]
    data_dir: Option<PathBuf>,
    /// What gridmq backup wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(crate) fn backup(arguments: &Backup) -> Outcome {
    let path = arguments.data_dir.clone().map_or_else(DataDir::default_path, Ok)?;
    if !path.join("store").is_file() {
        return Err(Failure::failed(format!(
            "{} holds no store: name the directory that gridmq serve logs as data_dir",
            shown(&path)
        )));
    }
    let out = &arguments.out;
    let failed = |error: io::Error| Failure::failed(format!("{}: {}", shown(out), reason(&error)));
    if out.try_exists().map_err(failed)? {
        return Err(Failure::failed(format!("{} exists: name another file", shown(out))));
    }
    let dir = DataDir::open(&path)?;
    let store = Store::open_directory(dir.path(), Durability::Fsync, <_>::default()).map_err(Failure::failed)?;
    let Some(store) = store else { return Ok(()) };
    let part = with_suffix(out);
    let written = write(&store, &part).and_then(|rows| {
        fs::rename(&part, out).map_err(failed)?;
        Ok(rows)
    });
    if written.is_err() {
        drop(fs::remove_file(&part));
    }
    output::line(&format!("{} rows are in {}", written?, shown(out)))
}

fn with_suffix(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// Readable to its owner only (on Unix): there are payloads in it.
fn write(store: &Store, part: &Path) -> Result<u64, Failure> {
    let failed = |error: io::Error| Failure::failed(format!("{}: {}", shown(part), reason(&error)));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = BufWriter::new(options.open(part).map_err(failed)?);
    let rows = store.backup(&mut file).map_err(Failure::failed)?;
    let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    Ok(rows)
}

pub(crate) fn restore(arguments: &Restore) -> Outcome {
    let file = &arguments.file;
    let from = File::open(file).map_err(|error| Failure::failed(format!("{}: {}", shown(file), reason(&error))))?;
    let path = arguments.data_dir.clone().map_or_else(DataDir::default_path, Ok)?;
    let dir = DataDir::open(&path)?;
    let rows = Store::restore_directory(dir.path(), BufReader::new(from))
        .map_err(|error| Failure::failed(error).during(shown(file)))?;
    output::line(&format!("{rows} rows are in {}", shown(dir.path())))
}
