//! What can be wrong with a document.

use std::fmt;

/// One thing that is wrong with a resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: found {found}, expected {expected}")]
#[non_exhaustive]
pub struct ResourceProblem {
    /// The JSON path of the member, such as `clients[2].properties.attributes.floor`.
    pub path: String,
    /// What rule is broken.
    pub kind: ProblemKind,
    /// What stands there, shortened.
    pub found: String,
    /// What is accepted.
    pub expected: String,
}

/// What rule a resource breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProblemKind {
    /// A name has other characters or another length than names of that kind have.
    Name,
    /// A required member is absent.
    Missing,
    /// A member stands where it has no meaning.
    Superfluous,
    /// A number, size or count is outside its documented limits.
    Limit,
    /// Another resource has that name already.
    Duplicate,
    /// The resource that is referred to does not exist.
    Reference,
    /// A client group's query cannot be read.
    Query,
    /// A topic template cannot be read.
    Template,
    /// A thumbprint is none.
    Thumbprint,
    /// A certificate cannot be read.
    Certificate,
    /// A member's name nearly is a known one, so that what it was to set is not set.
    Misspelt,
}

/// Why a document was not loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadError {
    /// There is no text.
    Empty,
    /// The text is not JSON.
    Syntax {
        /// Counted from 1.
        line: usize,
        /// Counted from 1; 0 at the end of a line.
        column: usize,
        /// What is wrong there.
        problem: String,
    },
    /// The text is JSON of another shape.
    Shape {
        /// The JSON path of what has the wrong shape.
        path: String,
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// What was found and what was expected.
        problem: String,
    },
    /// The resources break rules of a namespace.
    Invalid {
        /// Each of them, at most 100.
        problems: Vec<ResourceProblem>,
    },
}

impl std::error::Error for LoadError {}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the text is empty; expected a JSON object with `namespace` and its resources"),
            Self::Syntax { line, column, problem } => {
                write!(f, "line {line}, column {column}: this is not JSON: {problem}")
            }
            Self::Shape { path, line, column, problem } => {
                write!(f, "{path} (line {line}, column {column}): {problem}")
            }
            Self::Invalid { problems } => {
                for (at, problem) in problems.iter().enumerate() {
                    if at > 0 {
                        f.write_str("\n")?;
                    }
                    write!(f, "{problem}")?;
                }
                Ok(())
            }
        }
    }
}

/// The path of the outermost value.
const WHOLE: &str = "the document";

impl LoadError {
    /// The error of a document that is an array.
    pub(super) fn array() -> Self {
        let problem = "invalid type: sequence, expected an object".to_owned();
        Self::Shape { path: WHOLE.to_owned(), line: 1, column: 1, problem }
    }
}

/// The error of a document that is JSON up to here.
pub(super) fn from_serde(error: &serde_path_to_error::Error<serde_json::Error>) -> LoadError {
    let inner = error.inner();
    if !inner.is_data() {
        return syntax(inner);
    }
    let path = error.path().to_string();
    let path = if path == "." { WHOLE.to_owned() } else { path };
    LoadError::Shape { path, line: inner.line(), column: inner.column(), problem: message(inner) }
}

/// The error of a text that is not JSON.
pub(super) fn syntax(error: &serde_json::Error) -> LoadError {
    LoadError::Syntax { line: error.line(), column: error.column(), problem: message(error) }
}

/// The words of an error without its position, which is shown apart.
fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&position).unwrap_or(&text).to_owned()
}
