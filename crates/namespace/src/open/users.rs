//! Users and their passwords.

mod file;
mod hash;

pub use file::{MAX_USERS, MAX_USERS_BYTES, UserName, UsersFile, UsersProblem, UsersProblemKind};
pub use hash::{HashError, PasswordHash};

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// The users of a broker, with the hashes of their passwords. Immutable: a change makes new ones.
#[derive(Clone)]
pub struct Users {
    by_name: HashMap<Arc<str>, Arc<User>>,
    /// An unknown name is compared with the hash of one of these.
    decoys: Vec<PasswordHash>,
    hasher: RandomState,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) name: Arc<str>,
    pub(crate) hash: PasswordHash,
}

impl Users {
    /// Reads a file of users; see [`UsersFile`] for its form.
    ///
    /// # Errors
    /// Every line that is wrong, up to 20, with its number and what to do.
    pub fn parse(text: &str) -> Result<Self, Vec<UsersProblem>> {
        UsersFile::parse(text).map(|file| Self::new(&file))
    }

    /// The users of a file.
    #[must_use]
    pub fn new(file: &UsersFile) -> Self {
        let mut decoys: Vec<_> = file.users().map(|(_, hash)| hash.clone()).collect();
        if decoys.is_empty() {
            decoys.push(PasswordHash::decoy());
        }
        let user = |(name, hash): (&str, &PasswordHash)| {
            let name: Arc<str> = name.into();
            (Arc::clone(&name), Arc::new(User { name, hash: hash.clone() }))
        };
        Self { by_name: file.users().map(user).collect(), decoys, hasher: RandomState::new() }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there is none, so that nobody can give a password that is right.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Whether there is a user of that name; cases differ.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// Whether it is the user's password. This takes tens of milliseconds and megabytes by intention, for a name that
    /// nobody has as well: never call it on a thread that others wait for.
    #[must_use]
    pub fn verify(&self, name: &str, password: &[u8]) -> bool {
        self.candidate(name).verify(password).is_some()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Arc<User>> {
        self.by_name.get(name)
    }

    /// What a password is compared with.
    pub(crate) fn candidate(&self, name: &str) -> Candidate {
        if let Some(user) = self.by_name.get(name) {
            return Candidate { hash: user.hash.clone(), user: Some(Arc::clone(user)) };
        }
        // An unknown name costs what a known one could: users' hashes may differ in their cost.
        let count = u64::try_from(self.decoys.len()).unwrap_or(u64::MAX).max(1);
        let at = usize::try_from(self.hasher.hash_one(name) % count).unwrap_or_default();
        Candidate { hash: self.decoys.get(at).map_or_else(PasswordHash::decoy, PasswordHash::clone), user: None }
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// What a password is compared with: a user's hash, or another one's where nobody has the name.
#[derive(Debug)]
pub(crate) struct Candidate {
    hash: PasswordHash,
    user: Option<Arc<User>>,
}

impl Candidate {
    /// The user whose password it is.
    pub(crate) fn verify(self, password: &[u8]) -> Option<Arc<User>> {
        let right = self.hash.verify(password);
        self.user.filter(|_| right)
    }
}

#[cfg(test)]
mod tests;
