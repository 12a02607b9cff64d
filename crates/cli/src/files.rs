//! Reading with a limit, and writing several files so that each is there whole or not at all.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::error::{Failure, Outcome};

/// Reads a file of at most `limit` bytes.
pub(crate) fn read(path: &Path, limit: u64, what: &str) -> Result<Vec<u8>, Failure> {
    let failed = |error: io::Error| Failure::failed(format!("{what} {}: {}", shown(path), reason(&error)));
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(Failure::failed(format!("{what} {} is larger than {limit} bytes: check the path", shown(path))));
    }
    Ok(bytes)
}

/// Reads a text of at most `limit` bytes.
pub(crate) fn read_text(path: &Path, limit: u64, what: &str) -> Result<String, Failure> {
    String::from_utf8(read(path, limit, what)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::failed(format!("{what} {} is not UTF-8 text (byte {at}): save it as UTF-8", shown(path)))
    })
}

/// What is wrong with the lines of a file, a line each.
pub(crate) fn problems(path: &Path, problems: &[impl fmt::Display]) -> Failure {
    let shown = shown(path);
    let lines: Vec<_> = problems.iter().map(|problem| format!("{shown}: {problem}")).collect();
    Failure::failed(lines.join("\n"))
}

/// A path as people can find it.
pub(crate) fn shown(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// What the system said, and the cure.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "does not exist; check the path".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied; check who owns it and who may use it".to_owned(),
        io::ErrorKind::IsADirectory => "is a directory; name a file in it".to_owned(),
        io::ErrorKind::NotADirectory => "part of the path is a file, not a directory; check the path".to_owned(),
        io::ErrorKind::StorageFull => "the disk is full; make room and try again".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only; name another place".to_owned(),
        _ => error.to_string(),
    }
}

/// Makes a directory and those above it.
pub(crate) fn make_directory(path: &Path) -> Outcome {
    fs::create_dir_all(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure::failed(format!("{} is a file, not a directory: name another place", shown(path)))
        }
        _ => Failure::failed(format!("cannot make the directory {}: {}", shown(path), reason(&error))),
    })
}

/// Files to be written together.
#[derive(Debug, Default)]
pub(crate) struct NewFiles {
    files: Vec<NewFile>,
}

struct NewFile {
    path: PathBuf,
    /// Wiped from memory afterwards: it may be a key.
    content: Zeroizing<Vec<u8>>,
    secret: bool,
    /// It takes the place of what is there in any case.
    always: bool,
}

impl fmt::Debug for NewFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewFile").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What to do with a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// Leave everything as it is, and say so.
    Refuse,
    /// As `Refuse`, for a command that never replaces anything.
    Keep,
    /// Put the new file in its place.
    Replace,
}

impl NewFiles {
    /// A file that everybody may read.
    pub(crate) fn add(&mut self, path: PathBuf, content: impl Into<Vec<u8>>) {
        self.files.push(NewFile { path, content: Zeroizing::new(content.into()), secret: false, always: false });
    }

    /// A file that everybody may read, and that is there to be changed: its former content is replaced in any case.
    pub(crate) fn add_changing(&mut self, path: PathBuf, content: impl Into<Vec<u8>>) {
        self.files.push(NewFile { path, content: Zeroizing::new(content.into()), secret: false, always: true });
    }

    /// A file that only its owner may read.
    pub(crate) fn add_secret(&mut self, path: PathBuf, content: impl Into<Vec<u8>>) {
        self.files.push(NewFile { path, content: Zeroizing::new(content.into()), secret: true, always: false });
    }

    /// Writes every file beside its place first, and moves them there only when that succeeded for all. What goes wrong
    /// while they are moved puts back what was there before.
    pub(crate) fn write(self, existing: Existing) -> Outcome {
        self.check(existing)?;
        // Not the names of the files themselves: those may be as long as a name can be.
        let run = RandomState::new().build_hasher().finish();
        let beside =
            |at: usize, file: &NewFile, what: &str| file.path.with_file_name(format!(".gridmq-{run:016x}-{at}.{what}"));
        let mut written = Vec::with_capacity(self.files.len());
        for (at, file) in self.files.iter().enumerate() {
            let temporary = beside(at, file, "new");
            match write_beside(file, &temporary) {
                Ok(()) => written.push(temporary),
                Err(error) => {
                    discard(&written);
                    return Err(unwritable(&file.path, &error));
                }
            }
        }
        let mut placed = Vec::with_capacity(self.files.len());
        for (at, (temporary, file)) in written.iter().zip(&self.files).enumerate() {
            let path = &file.path;
            let existing = if file.always { Existing::Replace } else { existing };
            let former = keep(path, beside(at, file, "old"));
            match former.and_then(|former| {
                placed.push(Placed { path, former, done: false });
                place(temporary, path, existing)
            }) {
                Ok(()) => placed.iter_mut().last().into_iter().for_each(|last| last.done = true),
                Err(error) => {
                    undo(&placed);
                    discard(written.get(at..).unwrap_or_default());
                    return Err(match error.kind() {
                        io::ErrorKind::AlreadyExists => already_there(&shown(path), existing),
                        _ => unwritable(path, &error),
                    });
                }
            }
        }
        for former in placed.iter().filter_map(|placed| placed.former.as_ref()) {
            drop(fs::remove_file(former));
        }
        self.files.iter().for_each(|file| sync_directory(&file.path));
        Ok(())
    }

    /// What can be known to fail before anything is written.
    fn check(&self, existing: Existing) -> Outcome {
        let mut there = Vec::new();
        for (at, file) in self.files.iter().enumerate() {
            let place = shown(&file.path);
            if self.files.iter().skip(at + 1).any(|other| shown(&other.path) == place) {
                return Err(Failure::usage(format!("two files would be written to {place}: name another for one")));
            }
            // A device that takes the place of a file, or the reverse, would harm the machine.
            match fs::metadata(&file.path) {
                Ok(found) if found.is_dir() => {
                    return Err(Failure::failed(format!("{place} is a directory: name a file in it")));
                }
                Ok(found) if !found.is_file() => {
                    return Err(Failure::failed(format!("{place} is no regular file: name a file to write to")));
                }
                _ => {}
            }
            if existing != Existing::Replace && !file.always && fs::symlink_metadata(&file.path).is_ok() {
                there.push(place);
            }
        }
        if there.is_empty() { Ok(()) } else { Err(already_there(&there.join(", "), existing)) }
    }
}

fn already_there(paths: &str, existing: Existing) -> Failure {
    let force = if existing == Existing::Keep { "" } else { ", or add --force" };
    Failure::failed(format!("already there and left alone: {paths}; name another place{force}"))
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("cannot write {}: {}", shown(path), reason(error)))
}

fn write_beside(file: &NewFile, temporary: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, if file.secret { 0o600 } else { 0o644 });
    #[cfg(not(unix))]
    let _ = file.secret;
    let mut out = options.open(temporary)?;
    let result = out.write_all(&file.content).and_then(|()| out.sync_all());
    if result.is_err() {
        drop(fs::remove_file(temporary));
    }
    result
}

/// A second name for what is at `path`, until it is known that the new files are all in place.
fn keep(path: &Path, second: PathBuf) -> io::Result<Option<PathBuf>> {
    if fs::symlink_metadata(path).is_err() {
        return Ok(None);
    }
    // Not every file system has links; a copy keeps the permissions.
    fs::hard_link(path, &second).or_else(|_| fs::copy(path, &second).map(drop))?;
    Ok(Some(second))
}

/// Moves a finished file to its place; a link, unlike a rename, never replaces what came there meanwhile.
fn place(temporary: &Path, path: &Path, existing: Existing) -> io::Result<()> {
    if existing != Existing::Replace {
        match fs::hard_link(temporary, path) {
            Ok(()) => return fs::remove_file(temporary),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
            Err(_) if fs::symlink_metadata(path).is_ok() => return Err(io::ErrorKind::AlreadyExists.into()),
            // Not every file system has links.
            Err(_) => {}
        }
    }
    fs::rename(temporary, path)
}

/// A file that is being put in its place.
struct Placed<'a> {
    path: &'a Path,
    former: Option<PathBuf>,
    done: bool,
}

fn undo(placed: &[Placed<'_>]) {
    for Placed { path, former, done } in placed.iter().rev() {
        match former {
            Some(former) if *done => drop(fs::rename(former, path)),
            Some(former) => drop(fs::remove_file(former)),
            None if *done => drop(fs::remove_file(path)),
            None => {}
        }
    }
}

fn discard(written: &[PathBuf]) {
    for temporary in written {
        drop(fs::remove_file(temporary));
    }
}

/// So that the names, too, outlast a loss of power. Not every system can, and the files are whole in any case.
fn sync_directory(path: &Path) {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    drop(File::open(directory).and_then(|directory| directory.sync_all()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two(dir: &Path) -> NewFiles {
        let mut files = NewFiles::default();
        files.add(dir.join("a.pem"), "certificate");
        files.add_secret(dir.join("a.key"), "key");
        files
    }

    #[test]
    fn all_are_written_or_none() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.key"), "old").unwrap();
        two(dir.path()).write(Existing::Refuse).unwrap_err();
        let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["a.key"]);
        assert_eq!(fs::read(dir.path().join("a.key")).unwrap(), b"old");
        two(dir.path()).write(Existing::Replace).unwrap();
        assert_eq!(fs::read(dir.path().join("a.key")).unwrap(), b"key");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    #[cfg(unix)]
    fn a_key_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        two(dir.path()).write(Existing::Refuse).unwrap();
        let mode = |name| fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode("a.key"), 0o600);
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = two(dir.path());
        files.add(dir.path().join("missing/b.pem"), "x");
        files.write(Existing::Refuse).unwrap_err();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_stops_the_second_file_puts_the_first_one_back() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.pem"), "old").unwrap();
        fs::create_dir(dir.path().join("a.key")).unwrap();
        for existing in [Existing::Replace, Existing::Refuse] {
            two(dir.path()).write(existing).unwrap_err();
            assert_eq!(fs::read(dir.path().join("a.pem")).unwrap(), b"old");
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "no temporary file stays");
        }
    }

    #[test]
    fn what_is_put_back_is_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (dir.path().join("old"), dir.path().join("new"));
        fs::write(&old, "old").unwrap();
        let former = keep(&old, dir.path().join("former")).unwrap();
        assert!(keep(&new, dir.path().join("none")).unwrap().is_none());
        fs::write(dir.path().join("temporary"), "changed").unwrap();
        place(&dir.path().join("temporary"), &old, Existing::Replace).unwrap();
        fs::write(&new, "new").unwrap();
        undo(&[Placed { path: &old, former, done: true }, Placed { path: &new, former: None, done: true }]);
        assert_eq!(fs::read(&old).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn one_place_takes_one_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = two(dir.path());
        files.add(dir.path().join("./a.key"), "x");
        files.write(Existing::Replace).unwrap_err();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    #[cfg(unix)]
    fn a_device_or_a_link_is_no_place_for_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = NewFiles::default();
        files.add(PathBuf::from("/dev/null"), "x");
        files.write(Existing::Replace).unwrap_err();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        std::os::unix::fs::symlink("nowhere", dir.path().join("a.key")).unwrap();
        two(dir.path()).write(Existing::Refuse).unwrap_err();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_beyond_the_limit_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5, "file").unwrap(), b"12345");
        read(&path, 4, "file").unwrap_err();
    }
}
