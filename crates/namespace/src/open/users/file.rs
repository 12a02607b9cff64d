//! The text of a file of users.

use std::collections::HashMap;
use std::fmt;

use super::{HashError, PasswordHash};

/// Bytes of the largest file of users that is read.
pub const MAX_USERS_BYTES: usize = 32 * 1024 * 1024;
/// The most users that a file may name.
pub const MAX_USERS: usize = 100_000;
/// How many wrong lines are named at once.
const MAX_PROBLEMS: usize = 20;

/// A file of users: one line `name:hash` for each, the hash as [`PasswordHash`] reads it. Empty lines, and lines that
/// begin with `#`, are kept as they are. A file has at most 32 MiB and 100,000 users.
#[derive(Debug, Clone, Default)]
pub struct UsersFile {
    lines: Vec<Line>,
}

#[derive(Debug, Clone)]
enum Line {
    Other(String),
    User(UserName, PasswordHash),
}

/// The name of a user: 1 to 255 bytes without `:`, control characters, white space at its ends and `#` at its start.
/// `anonymous` names nobody, for it stands for those without a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UserName(String);

impl UserName {
    /// Bytes of the longest name.
    pub const MAX_BYTES: usize = 255;

    /// Reads a name.
    ///
    /// # Errors
    /// When it cannot stand in a file of users.
    pub fn new(name: &str) -> Result<Self, UsersProblemKind> {
        let wrong = name.is_empty()
            || name.len() > Self::MAX_BYTES
            || name.starts_with('#')
            || name.trim() != name
            || name.contains(|c: char| c == ':' || c.is_control());
        if wrong {
            return Err(UsersProblemKind::Name);
        }
        if name == crate::open::ANONYMOUS {
            return Err(UsersProblemKind::Reserved);
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A line of a file of users that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {kind}")]
#[non_exhaustive]
pub struct UsersProblem {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong.
    pub kind: UsersProblemKind,
}

/// What is wrong with a line of a file of users.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UsersProblemKind {
    /// No `:`.
    #[error("there is no ':' between a name and a hash; write 'name:hash', or '#' before a comment")]
    NoColon,
    /// No name for a user.
    #[error(
        "a user's name has 1 to 255 bytes, no ':' or control character, no white space at its ends and no '#' at its \
         start; choose another"
    )]
    Name,
    /// `anonymous`.
    #[error("'anonymous' stands for those without a name; choose another")]
    Reserved,
    /// The hash.
    #[error("{0}")]
    Hash(#[from] HashError),
    /// A name that stands in an earlier line.
    #[error("the user stands in line {first} already; remove one of the two")]
    Duplicate {
        /// The number of that line.
        first: usize,
    },
    /// More than [`MAX_USERS`].
    #[error("there are more than {MAX_USERS} users; remove some")]
    TooMany,
    /// More than [`MAX_USERS_BYTES`].
    #[error("the file is larger than {MAX_USERS_BYTES} bytes; check that it is the file of users")]
    TooLarge,
}

impl UsersFile {
    /// Reads a file of users.
    ///
    /// # Errors
    /// Every line that is wrong, up to 20, with its number and what to do.
    pub fn parse(text: &str) -> Result<Self, Vec<UsersProblem>> {
        if text.len() > MAX_USERS_BYTES {
            return Err(vec![UsersProblem { line: 1, kind: UsersProblemKind::TooLarge }]);
        }
        let mut file = Self::default();
        let mut seen: HashMap<UserName, usize> = HashMap::new();
        let mut problems = Vec::new();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (at, line) in text.lines().enumerate() {
            let number = at + 1;
            match read_line(line) {
                Ok(Line::User(name, hash)) => {
                    if let Some(first) = seen.get(&name) {
                        let kind = UsersProblemKind::Duplicate { first: *first };
                        problems.push(UsersProblem { line: number, kind });
                    } else if seen.len() == MAX_USERS {
                        problems.push(UsersProblem { line: number, kind: UsersProblemKind::TooMany });
                        break;
                    } else {
                        seen.insert(name.clone(), number);
                    }
                    file.lines.push(Line::User(name, hash));
                }
                Ok(other) => file.lines.push(other),
                Err(kind) => problems.push(UsersProblem { line: number, kind }),
            }
            if problems.len() == MAX_PROBLEMS {
                break;
            }
        }
        if problems.is_empty() { Ok(file) } else { Err(problems) }
    }

    /// The users in the order of the file.
    pub fn users(&self) -> impl Iterator<Item = (&str, &PasswordHash)> {
        self.lines.iter().filter_map(|line| match line {
            Line::User(name, hash) => Some((name.as_str(), hash)),
            Line::Other(_) => None,
        })
    }

    /// Adds a user, or gives one that is there another hash. `true`: it was there.
    ///
    /// # Errors
    /// When there are as many as there may be.
    pub fn set(&mut self, name: UserName, hash: PasswordHash) -> Result<bool, UsersProblemKind> {
        let mut count = 0;
        for line in &mut self.lines {
            if let Line::User(there, old) = line {
                if *there == name {
                    *old = hash;
                    return Ok(true);
                }
                count += 1;
            }
        }
        if count >= MAX_USERS {
            return Err(UsersProblemKind::TooMany);
        }
        self.lines.push(Line::User(name, hash));
        Ok(false)
    }

    /// Removes a user. `false`: there was none of that name.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.lines.len();
        self.lines.retain(|line| !matches!(line, Line::User(there, _) if there.as_str() == name));
        self.lines.len() != before
    }
}

impl fmt::Display for UsersFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            match line {
                Line::Other(text) => writeln!(f, "{text}")?,
                Line::User(name, hash) => writeln!(f, "{}:{}", name.as_str(), hash.as_str())?,
            }
        }
        Ok(())
    }
}

fn read_line(line: &str) -> Result<Line, UsersProblemKind> {
    let text = line.trim();
    if text.is_empty() || text.starts_with('#') {
        return Ok(Line::Other(line.to_owned()));
    }
    let (name, hash) = text.split_once(':').ok_or(UsersProblemKind::NoColon)?;
    Ok(Line::User(UserName::new(name)?, hash.parse()?))
}
