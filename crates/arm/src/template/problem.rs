//! What is wrong with a template, or with what is given to it.

use std::fmt;

/// Why a template cannot be used, or a deployment fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub struct TemplateError {
    /// The JSON path, such as `resources[2].properties.query`; empty for the whole.
    pub path: String,
    /// What is wrong there.
    pub problem: String,
    /// What to do.
    pub cure: String,
}

impl TemplateError {
    /// What is wrong where, and what to do.
    pub fn new(path: impl Into<String>, problem: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { path: path.into(), problem: problem.into(), cure: cure.into() }
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{}; {}", self.problem, self.cure)
    }
}

/// A [`TemplateError`] whose place is known to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) problem: String,
    pub(super) cure: String,
}

impl Problem {
    pub(super) fn new(problem: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { problem: problem.into(), cure: cure.into() }
    }

    pub(super) fn at(self, path: impl Into<String>) -> TemplateError {
        TemplateError { path: path.into(), problem: self.problem, cure: self.cure }
    }
}

/// The nearest of `known` to what was written, if one is near.
pub(super) fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_ascii_lowercase();
    let distance = |other: &str| strsim::osa_distance(&written, &other.to_ascii_lowercase());
    let nearest = known.into_iter().map(|other| (distance(other), other)).min_by_key(|(distance, _)| *distance);
    nearest.filter(|(distance, other)| *distance <= 1 + other.len() / 5).map(|(_, other)| other)
}

/// Why an expression gives no value: something in it, or something that it refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    Here(Problem),
    Elsewhere(TemplateError),
}

impl Failure {
    pub(super) fn at(self, path: impl fmt::Display) -> TemplateError {
        match self {
            Self::Here(problem) => problem.at(path.to_string()),
            Self::Elsewhere(error) => error,
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Here(problem)
    }
}

impl From<TemplateError> for Failure {
    fn from(error: TemplateError) -> Self {
        Self::Elsewhere(error)
    }
}
