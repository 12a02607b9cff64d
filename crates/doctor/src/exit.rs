//! The exit codes of `gridmq doctor`: one a stage, so that scripts can branch.

use gridmq_tls::catalogue::Stage;

use crate::report::{Report, Status};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Exit {
    /// Everything that was tried works.
    Fine,
    /// Everything works, there are warnings, and warnings were to count.
    Warnings,
    /// The command line makes no sense.
    Usage,
    /// A file is wrong.
    Files,
    /// The name cannot be looked up.
    Name,
    /// TCP does not connect.
    Tcp,
    /// TLS does not begin.
    Hello,
    /// The server's certificate is not accepted.
    Server,
    /// The client's certificate is not accepted.
    Client,
    /// CONNECT is refused.
    Connect,
    /// Publishing or subscribing is refused.
    Access,
    /// The time for the whole run was over before a cause was found.
    Timeout,
    /// The doctor itself failed.
    Internal,
    /// The connection was made and did not last.
    Session,
}

impl Exit {
    /// Every one, in the order of the codes.
    pub const ALL: &'static [Self] = &[
        Self::Fine,
        Self::Warnings,
        Self::Usage,
        Self::Files,
        Self::Name,
        Self::Tcp,
        Self::Hello,
        Self::Server,
        Self::Client,
        Self::Connect,
        Self::Access,
        Self::Timeout,
        Self::Internal,
        Self::Session,
    ];

    /// The exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Warnings => 1,
            Self::Usage => 2,
            Self::Files => 10,
            Self::Name => 12,
            Self::Tcp => 13,
            Self::Hello => 14,
            Self::Server => 15,
            Self::Client => 16,
            Self::Connect => 17,
            Self::Access => 18,
            Self::Timeout => 19,
            Self::Internal => 20,
            Self::Session => 21,
        }
    }

    /// What it means, in a few words.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Fine => "no stage failed",
            Self::Warnings => "no stage failed, there are warnings, and --strict was given",
            Self::Usage => "wrong usage",
            Self::Files => "stage files failed",
            Self::Name => "stage name failed",
            Self::Tcp => "stage tcp failed",
            Self::Hello => "stage hello failed",
            Self::Server => "stage server failed",
            Self::Client => "stage client failed",
            Self::Connect => "stage connect failed",
            Self::Access => "stage access failed",
            Self::Timeout => "the time for the whole run was over and no stage had failed",
            Self::Internal => "the doctor itself failed",
            Self::Session => "stage session failed",
        }
    }

    /// How a report makes the command end. The first stage that failed decides.
    #[must_use]
    pub fn of(report: &Report, strict: bool) -> Self {
        if let Some(failed) = report.failed_stage() {
            return match failed.stage {
                Stage::Files => Self::Files,
                Stage::Name => Self::Name,
                Stage::Tcp => Self::Tcp,
                Stage::Hello => Self::Hello,
                Stage::Server => Self::Server,
                Stage::Client => Self::Client,
                Stage::Connect => Self::Connect,
                Stage::Access => Self::Access,
                Stage::Session => Self::Session,
                _ => Self::Internal,
            };
        }
        if report.timed_out {
            Self::Timeout
        } else if strict && report.stages.iter().any(|stage| stage.status == Status::Warning) {
            Self::Warnings
        } else {
            Self::Fine
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_in_order() {
        assert!(Exit::ALL.windows(2).all(|pair| pair[0].code() < pair[1].code()));
    }
}
