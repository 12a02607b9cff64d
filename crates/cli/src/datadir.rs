//! The directory that holds a broker's state: one process at a time, in a format that is known.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::error::{Failure, Outcome};
use crate::files::{Existing, NewFiles, make_directory, read_text, reason, shown};

/// The format of what is in the directory. Raised when a newer program writes what an older one cannot read.
const FORMAT: u32 = 1;

/// A state directory that this process holds.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    /// Locked as long as it is open.
    _lock: File,
}

impl DataDir {
    /// The default: `gridmq` in the user's state directory.
    pub(crate) fn default_path() -> Result<PathBuf, Failure> {
        state_home(std::env::var_os("XDG_STATE_HOME").map(PathBuf::from), std::env::home_dir()).ok_or_else(|| {
            Failure::usage(
                "neither XDG_STATE_HOME nor a home directory is known: name the state directory by --data-dir",
            )
        })
    }

    /// Makes the directory if need be, and takes it for this process.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        make_directory(path)?;
        let lock = lock(path)?;
        check_format(path)?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// A relative XDG_STATE_HOME counts as unset, as the XDG Base Directory Specification says.
fn state_home(xdg: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    xdg.filter(|path| path.is_absolute())
        .or_else(|| home.filter(|path| path.is_absolute()).map(|home| home.join(".local/state")))
        .map(|state| state.join("gridmq"))
}

fn lock(dir: &Path) -> Result<File, Failure> {
    let path = dir.join("lock");
    let failed = |error| Failure::failed(format!("cannot use the state directory {}: {}", shown(dir), reason(&error)));
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::Error(error)) => return Err(failed(error)),
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Only for the message; without it the sentence is less exact.
            drop(file.take(20).read_to_string(&mut holder));
            let holder = match holder.trim().parse::<u32>() {
                Ok(pid) => format!("process {pid}"),
                Err(_) => "another process".to_owned(),
            };
            let dir = shown(dir);
            return Err(Failure::failed(format!(
                "the state directory {dir} is in use by {holder}: stop that, or name another directory by --data-dir"
            )));
        }
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(failed)?;
    Ok(file)
}

fn check_format(dir: &Path) -> Outcome {
    let path = dir.join("format");
    if !fs::exists(&path).map_err(|error| Failure::failed(format!("{}: {}", shown(&path), reason(&error))))? {
        let mut files = NewFiles::default();
        files.add(path, format!("{FORMAT}\n"));
        return files.write(Existing::Replace);
    }
    let text = read_text(&path, 64, "the state's format")?;
    match text.trim().parse::<u32>() {
        Ok(FORMAT) => Ok(()),
        Ok(other) => Err(Failure::failed(format!(
            "the state in {} has format {other} and this program knows format {FORMAT}: use the program that wrote \
             it, or name another directory by --data-dir",
            shown(dir)
        ))),
        Err(_) => Err(Failure::failed(format!(
            "{} holds no format number, so this is no state directory: name another one by --data-dir",
            shown(&path)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_held_by_one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/state");
        let held = DataDir::open(&path).unwrap();
        assert_eq!(held.path(), path);
        DataDir::open(&path).unwrap_err();
        drop(held);
        DataDir::open(&path).unwrap();
    }

    #[test]
    fn an_unknown_format_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["2\n", "x", ""] {
            fs::write(dir.path().join("format"), text).unwrap();
            DataDir::open(dir.path()).unwrap_err();
            assert_eq!(fs::read_to_string(dir.path().join("format")).unwrap(), text);
        }
    }

    #[test]
    fn the_default_follows_xdg() {
        let path = |xdg: Option<&str>, home: Option<&str>| state_home(xdg.map(PathBuf::from), home.map(PathBuf::from));
        assert_eq!(path(Some("/state"), Some("/home/a")), Some("/state/gridmq".into()));
        assert_eq!(path(Some("relative"), Some("/home/a")), Some("/home/a/.local/state/gridmq".into()));
        assert_eq!(path(None, None), None);
    }
}
