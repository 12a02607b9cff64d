//! One line for each step.

use serde_json::json;

use crate::error::Outcome;
use crate::output::{self, Style};

/// Says each step as it is done, and counts those that did not come out as they should.
#[derive(Debug)]
pub(in crate::commands::quickstart) struct Report {
    json: bool,
    steps: usize,
    failures: usize,
}

impl Report {
    pub(in crate::commands::quickstart) const fn new(json: bool) -> Self {
        Self { json, steps: 0, failures: 0 }
    }

    pub(in crate::commands::quickstart) fn step(&mut self, good: bool, title: &str, seen: &str) -> Outcome {
        self.steps += 1;
        self.failures += usize::from(!good);
        if self.json {
            return output::json(&json!({ "step": title, "ok": good, "seen": seen }));
        }
        output::line(&Style::stdout().mark(good, &output::visible(&format!("{title}: {seen}"))))
    }

    pub(in crate::commands::quickstart) const fn failures(&self) -> usize {
        self.failures
    }

    /// The last line.
    pub(in crate::commands::quickstart) fn conclude(&self) -> Outcome {
        let Self { json, steps, failures } = *self;
        if json {
            return output::json(&json!({ "steps": steps, "failures": failures }));
        }
        let style = Style::stdout();
        output::line(&match failures {
            0 => style.mark(true, &format!("all {steps} steps came out as they should")),
            _ => style.mark(false, &format!("{failures} of {steps} steps did not come out as they should")),
        })
    }
}
