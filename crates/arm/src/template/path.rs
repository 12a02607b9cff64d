//! Where something stands in a template.

use std::fmt;

/// A JSON path, written out only where it is shown.
#[derive(Debug, Clone, Copy)]
pub(super) enum Path<'a> {
    Start(&'a str),
    Member(&'a Self, &'a str),
    Item(&'a Self, usize),
}

impl<'a> Path<'a> {
    pub(super) const fn member(&'a self, name: &'a str) -> Self {
        Path::Member(self, name)
    }

    pub(super) const fn item(&'a self, at: usize) -> Self {
        Path::Item(self, at)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(name) => f.write_str(name),
            Self::Member(Self::Start(""), name) => f.write_str(name),
            Self::Member(parent, name) => write!(f, "{parent}.{name}"),
            Self::Item(parent, at) => write!(f, "{parent}[{at}]"),
        }
    }
}
