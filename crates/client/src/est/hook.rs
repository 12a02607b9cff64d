//! A command that is run after a renewal.

use std::ffi::OsString;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use gridmq_tls::Identity;
use gridmq_tls::time::Utc;
use tokio::process::Command;
use tokio::time::timeout;

use super::files::PairFiles;

const TIMEOUT: Duration = Duration::from_secs(60);

/// A program with its arguments, never given to a shell.
///
/// It finds `GRIDMQ_CERT` and `GRIDMQ_KEY` (paths, where there are files) and `GRIDMQ_NOT_AFTER` (RFC 3339) in its
/// environment, nothing on its standard input, and its standard output goes nowhere. On Unix it is a process group of
/// its own, which is killed as a whole when its time is over or its run is given up. Whether it succeeds changes nothing
/// about the renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Hook {
    program: OsString,
    arguments: Vec<OsString>,
    timeout: Duration,
}

/// Why a hook did not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HookError {
    /// It could not be started.
    #[error("the hook {} cannot be started: {source}", .program.display())]
    Start {
        /// The program.
        program: OsString,
        /// What the system said.
        source: io::Error,
    },
    /// It ended without success.
    #[error("the hook {} ended with {status}", .program.display())]
    Failed {
        /// The program.
        program: OsString,
        /// How it ended.
        status: ExitStatus,
    },
    /// It took too long and was killed, with what it had started.
    #[error("the hook {} was killed after {} s", .program.display(), .after.as_secs_f32())]
    Timeout {
        /// The program.
        program: OsString,
        /// How long it had.
        after: Duration,
    },
}

impl Hook {
    /// Runs this program.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self { program: program.into(), arguments: Vec::new(), timeout: TIMEOUT }
    }

    /// With one argument more.
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// How long it may take before it is killed; 60 seconds unless set.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs it for this identity and waits for its end.
    ///
    /// # Errors
    /// When it cannot be started, fails, or takes too long.
    pub async fn run(&self, identity: &Identity, files: Option<&PairFiles>) -> Result<(), HookError> {
        let program = || self.program.clone();
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env("GRIDMQ_NOT_AFTER", Utc(identity.not_after()).rfc3339())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        if let Some(files) = files {
            command.env("GRIDMQ_CERT", files.certificate()).env("GRIDMQ_KEY", files.key());
        }
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn().map_err(|source| HookError::Start { program: program(), source })?;
        let mut group = Group(child.id());
        let ended = timeout(self.timeout, child.wait()).await;
        if ended.is_ok() {
            // Its number may be another's from now on.
            group.0 = None;
        }
        match ended {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(HookError::Failed { program: program(), status }),
            Ok(Err(source)) => Err(HookError::Start { program: program(), source }),
            Err(_) => Err(HookError::Timeout { program: program(), after: self.timeout }),
        }
    }
}

/// What a hook started, killed when this is dropped. Absent: it has ended.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        {
            let leader = self.0.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
            if let Some(leader) = leader {
                // Nobody may be left to be killed.
                let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
            }
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;

    use gridmq_tls::issue::{CertificateAuthority, Validity};

    use super::*;

    fn identity() -> Identity {
        let authority = CertificateAuthority::new_root("Root", Validity::new(0, 4_000_000_000)).unwrap();
        let issued = authority.issue_client("device1", Validity::new(0, 4_000_000_000)).unwrap();
        Identity::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes()).unwrap()
    }

    #[tokio::test]
    async fn arguments_are_not_for_a_shell_and_the_environment_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let script = r#"printf '%s\n' "$1" "$GRIDMQ_CERT" "$GRIDMQ_KEY" "$GRIDMQ_NOT_AFTER" > "$0""#;
        let told = dir.path().join("told");
        let hook = Hook::new("/bin/sh").argument("-c").argument(script).argument(&told).argument("; $(exit 1) `x`");
        hook.run(&identity(), Some(&PairFiles::new("c.pem", "c.key"))).await.unwrap();
        assert_eq!(fs::read_to_string(told).unwrap(), "; $(exit 1) `x`\nc.pem\nc.key\n2096-10-02T07:06:40Z\n");
    }

    #[tokio::test]
    async fn what_a_hook_started_is_killed_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let late = dir.path().join("late");
        // The shell waits for another process, which would write later.
        let script = r#"(sleep 2; echo late > "$0") & wait"#;
        let hook = Hook::new("/bin/sh").argument("-c").argument(script).argument(&late);
        let ended = hook.clone().timeout(Duration::from_millis(300)).run(&identity(), None).await;
        assert!(matches!(ended, Err(HookError::Timeout { .. })), "{ended:?}");
        // Given up by its owner.
        assert!(timeout(Duration::from_millis(300), hook.run(&identity(), None)).await.is_err());
        tokio::time::sleep(Duration::from_millis(2500)).await;
        assert!(!late.exists());
    }
}
