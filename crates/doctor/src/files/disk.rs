//! Files on disk: A01, A02, A04 and A35.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use gridmq_tls::file::MAX_FILE_BYTES;
use gridmq_tls::{Finding, Id, Severity};
use zeroize::Zeroizing;

/// The most of a file's names that are named in its stead.
const MAX_NEIGHBOURS: usize = 3;

/// Reads a file, or says why not.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Finding> {
    let about = path.display().to_string();
    let finding = |id: Id, why: String, fix: String| Finding::new(id, Severity::Error, about.clone(), why, fix);
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if metadata.is_dir() {
        let why = "it is a directory, not a file".to_owned();
        return Err(finding(Id::A35, why, "name the file in it".to_owned()));
    }
    if !metadata.is_file() {
        let why = "it is neither a file nor a link to one".to_owned();
        return Err(finding(Id::A35, why, Id::A35.fix().to_owned()));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    let file = std::fs::File::open(path).map_err(|error| unreadable(path, &error))?;
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_FILE_BYTES {
        let why = format!("it is larger than {MAX_FILE_BYTES} bytes, so it holds no certificate or key");
        return Err(finding(Id::A35, why, Id::A35.fix().to_owned()));
    }
    if bytes.is_empty() {
        return Err(finding(Id::A04, "the file is empty".to_owned(), Id::A04.fix().to_owned()));
    }
    Ok(bytes)
}

fn unreadable(path: &Path, error: &io::Error) -> Finding {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let about = path.display().to_string();
    match error.kind() {
        io::ErrorKind::NotFound => {
            let why = format!("there is no file {}", absolute.display());
            let mut finding = Finding::new(Id::A01, Severity::Error, about, why, Id::A01.fix());
            for near in neighbours(&absolute) {
                finding = finding.seen(format!("there is {}", near.display()));
            }
            finding
        }
        io::ErrorKind::PermissionDenied => {
            let why = format!("this user may not read it{}", owner(path));
            Finding::new(Id::A02, Severity::Error, about, why, Id::A02.fix())
        }
        _ => Finding::new(Id::A02, Severity::Error, about, format!("it cannot be read: {error}"), Id::A02.fix()),
    }
}

/// Files beside it whose names differ in case or ending only.
fn neighbours(path: &Path) -> Vec<PathBuf> {
    let stem = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().to_ascii_lowercase());
    let Some(directory) = path.parent() else { return Vec::new() };
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let wanted = stem(path);
    let mut near: Vec<PathBuf> = entries
        .take(1000)
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|other| stem(other) == wanted)
        .collect();
    near.sort();
    near.truncate(MAX_NEIGHBOURS);
    near
}

#[cfg(unix)]
fn owner(path: &Path) -> String {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).map_or_else(
        |_| String::new(),
        |data| {
            format!(": it belongs to user {} and group {}, mode {:03o}", data.uid(), data.gid(), data.mode() & 0o777)
        },
    )
}

#[cfg(not(unix))]
fn owner(_: &Path) -> String {
    String::new()
}

/// The permission bits of a file.
#[cfg(unix)]
pub(super) fn mode(path: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|data| data.mode() & 0o777)
}

/// Nothing is known of permissions here.
#[cfg(not(unix))]
pub(super) fn mode(_: &Path) -> Option<u32> {
    None
}
