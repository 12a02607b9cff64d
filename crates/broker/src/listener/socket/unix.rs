//! Unix sockets and their files.

use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Type};

use super::BACKLOG;
use crate::listener::UnixSocket;

/// A Unix socket that listens.
#[derive(Debug)]
pub(crate) struct BoundUnix {
    socket: UnixListener,
    file: SocketFile,
}

impl BoundUnix {
    pub(super) fn into_parts(self) -> (UnixListener, SocketFile) {
        (self.socket, self.file)
    }
}

/// The file of a socket, which goes with it, unless somebody has put another in its place.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    id: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|id| id == self.id) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    std::fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

pub(super) fn bind(address: &UnixSocket) -> io::Result<BoundUnix> {
    clear(&address.path)?;
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(&address.path)?)?;
    let file = SocketFile { path: address.path.clone(), id: identity(&address.path)? };
    // Nobody can connect before it listens.
    std::fs::set_permissions(&address.path, std::fs::Permissions::from_mode(address.mode))?;
    socket.listen(BACKLOG)?;
    Ok(BoundUnix { socket: socket.into(), file })
}

/// Removes a socket that is left over.
fn clear(path: &Path) -> io::Result<()> {
    let file = match std::fs::symlink_metadata(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !file.file_type().is_socket() {
        let why = "a file that is no socket is there: remove it, or choose another path";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
    }
    let probe = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Who listens and is behind must not hold up the start.
    probe.set_nonblocking(true)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path),
        // Its queue is full, or it is somebody else's: it is in use.
        Err(_) => Err(io::ErrorKind::AddrInUse.into()),
    }
}
