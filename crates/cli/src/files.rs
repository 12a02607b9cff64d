//! Reading with a limit, and writing several files so that each is there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

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

#[derive(Debug)]
struct NewFile {
    path: PathBuf,
    content: Vec<u8>,
    secret: bool,
}

/// What to do with a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// Leave everything as it is, and say so.
    Refuse,
    /// Put the new file in its place.
    Replace,
}

impl NewFiles {
    /// A file that everybody may read.
    pub(crate) fn add(&mut self, path: PathBuf, content: impl Into<Vec<u8>>) {
        self.files.push(NewFile { path, content: content.into(), secret: false });
    }

    /// A file that only its owner may read.
    pub(crate) fn add_secret(&mut self, path: PathBuf, content: impl Into<Vec<u8>>) {
        self.files.push(NewFile { path, content: content.into(), secret: true });
    }

    /// Writes every file beside its place first, and only when that succeeded for all, moves them there.
    pub(crate) fn write(self, existing: Existing) -> Outcome {
        if existing == Existing::Refuse {
            let there: Vec<_> =
                self.files.iter().filter(|file| file.path.exists()).map(|file| shown(&file.path)).collect();
            if !there.is_empty() {
                return Err(already_there(&there.join(", ")));
            }
        }
        let mut written = Vec::with_capacity(self.files.len());
        for file in &self.files {
            match write_beside(file) {
                Ok(temporary) => written.push((temporary, &file.path)),
                Err(error) => {
                    discard(&written);
                    let place = shown(&file.path);
                    return Err(Failure::failed(format!("cannot write {place}: {}", reason(&error))));
                }
            }
        }
        for (at, (temporary, path)) in written.iter().enumerate() {
            if let Err(error) = place(temporary, path, existing) {
                discard(written.get(at..).unwrap_or_default());
                return Err(match error.kind() {
                    io::ErrorKind::AlreadyExists => already_there(&shown(path)),
                    _ => Failure::failed(format!("cannot write {}: {}", shown(path), reason(&error))),
                });
            }
        }
        Ok(())
    }
}

fn already_there(paths: &str) -> Failure {
    Failure::failed(format!("already there and left alone: {paths}; name another directory, or add --force"))
}

fn write_beside(file: &NewFile) -> io::Result<PathBuf> {
    let mut name = file.path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".new-{}", std::process::id()));
    let temporary = file.path.with_file_name(name);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, if file.secret { 0o600 } else { 0o644 });
    #[cfg(not(unix))]
    let _ = file.secret;
    let mut out = options.open(&temporary)?;
    let result = out.write_all(&file.content).and_then(|()| out.sync_all());
    if let Err(error) = result {
        drop(fs::remove_file(&temporary));
        return Err(error);
    }
    Ok(temporary)
}

/// Moves a finished file to its place; a link, unlike a rename, never replaces what came there meanwhile.
fn place(temporary: &Path, path: &Path, existing: Existing) -> io::Result<()> {
    if existing == Existing::Refuse {
        match fs::hard_link(temporary, path) {
            Ok(()) => return fs::remove_file(temporary),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
            // Not every file system has links.
            Err(_) => {}
        }
    }
    fs::rename(temporary, path)
}

fn discard(written: &[(PathBuf, &PathBuf)]) {
    for (temporary, _) in written {
        drop(fs::remove_file(temporary));
    }
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
    fn a_file_beyond_the_limit_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5, "file").unwrap(), b"12345");
        read(&path, 4, "file").unwrap_err();
    }
}
