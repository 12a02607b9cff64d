//! How a command ends when it does not succeed: one or two sentences, and an exit code.

use std::error::Error;
use std::fmt;
use std::io;
use std::process::ExitCode;

use crate::output::Style;

/// What a command returns.
pub(crate) type Outcome = Result<(), Failure>;

/// Why a command ends without success, in words for whoever typed it: what, where, and the cure.
#[derive(Debug)]
pub(crate) struct Failure {
    text: String,
    code: Code,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    /// Whoever reads our output has seen enough.
    Quiet,
    Failed,
    Usage,
    /// One of a command's own table.
    Exit(u8),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Failure {
    /// Something was refused or went wrong: exit code 1.
    pub(crate) fn failed(text: impl fmt::Display) -> Self {
        Self { text: text.to_string(), code: Code::Failed }
    }

    /// What was typed makes no sense: exit code 2.
    pub(crate) fn usage(text: impl fmt::Display) -> Self {
        Self { text: text.to_string(), code: Code::Usage }
    }

    /// Exit code 1 without further words: what there was to say is said.
    pub(crate) const fn said() -> Self {
        Self { text: String::new(), code: Code::Failed }
    }

    /// An exit code of a command's own table, without further words.
    pub(crate) const fn exit(code: u8) -> Self {
        Self { text: String::new(), code: Code::Exit(code) }
    }

    /// The same failure with an exit code of the command's own table.
    pub(crate) const fn with_code(mut self, code: u8) -> Self {
        self.code = Code::Exit(code);
        self
    }

    /// The same failure with a sentence before it.
    pub(crate) fn during(mut self, what: impl fmt::Display) -> Self {
        self.text = format!("{what}: {}", self.text);
        self
    }

    /// Standard output could not be written to.
    pub(crate) fn output(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self { text: String::new(), code: Code::Quiet }
        } else {
            Self::failed(format!("the output cannot be written: {error}"))
        }
    }

    /// Says it on standard error, and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        if !self.text.is_empty() {
            Style::stderr().error(&self.text);
        }
        match self.code {
            Code::Quiet => ExitCode::SUCCESS,
            Code::Failed => ExitCode::from(1),
            Code::Usage => ExitCode::from(2),
            Code::Exit(code) => ExitCode::from(code),
        }
    }
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::failed(error)
    }
}
