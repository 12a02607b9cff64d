//! Reports on standard output, progress on standard error.

use std::io::{self, IsTerminal, Write};

use gridmq_doctor::render::{self, Style};
use gridmq_doctor::{Progress, Report, json};

use crate::error::Outcome;
use crate::output;

/// How a report looks on standard output.
pub(super) fn style(strict: bool) -> Style {
    let out = output::Style::stdout();
    Style::plain(out.width()).coloured(out.is_coloured()).strictly(strict)
}

/// Prints a report.
pub(super) fn report(report: &Report, as_json: bool, strict: bool) -> Outcome {
    if as_json {
        output::json(&json::value_with(report, strict))
    } else {
        output::raw(render::text(report, &style(strict)).as_bytes())
    }
}

/// What is being done, on one line of a terminal that is cleared in the end.
pub(super) struct Ticker {
    width: usize,
    shown: bool,
}

impl Ticker {
    /// Shows nothing unless standard error is a terminal.
    pub(super) fn new(wanted: bool) -> Self {
        let err = output::Style::stderr();
        let width = if wanted && io::stderr().is_terminal() { err.width().saturating_sub(1) } else { 0 };
        Self { width, shown: false }
    }

    /// Shows a step.
    pub(super) fn tell(&mut self, progress: &Progress) {
        let text = match progress {
            Progress::Started(stage) => format!("{:>2} {stage} …", render::number(*stage)),
            Progress::Step(stage, step) => format!("{:>2} {stage}: {step} …", render::number(*stage)),
            _ => return,
        };
        if self.width == 0 {
            return;
        }
        let text: String = output::visible(&text).replace('\n', " ").chars().take(self.width).collect();
        // Nobody needs to be told that nobody can be told.
        drop(write!(io::stderr(), "\r\x1b[K{text}"));
        self.shown = true;
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        if self.shown {
            drop(write!(io::stderr(), "\r\x1b[K"));
        }
    }
}
