//! Users and passwords, in the form of mosquitto's password files.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64ct::{Base64, Encoding};

const DIGEST: pbkdf2::Algorithm = pbkdf2::PBKDF2_HMAC_SHA512;
const HASH_BYTES: usize = 64;
/// Users of one file.
const MAX_USERS: usize = 10_000;
const ADVISED_ITERATIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(209_999);
/// About ten seconds of one processor.
const MAX_ITERATIONS: u32 = 10_000_000;

/// Who may enrol by password: lines `name:$7$iterations$salt$hash`, PBKDF2 with HMAC-SHA-512, salt and hash in base64,
/// as `mosquitto_passwd` writes them. Empty lines and those that begin with `#` are passed over.
#[derive(Clone, Default)]
pub struct Users {
    entries: HashMap<String, Entry>,
}

#[derive(Clone)]
struct Entry {
    iterations: NonZeroU32,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

/// Why a password file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UsersError {
    /// A line of another form.
    #[error(
        "line {line} is not name:$7$iterations$salt$hash: make it with gridmq certs user, or mosquitto_passwd of 2.0"
    )]
    BadLine {
        /// Which, from 1.
        line: usize,
    },
    /// A name twice.
    #[error("line {line} names {user:?} again: remove one of the lines")]
    Twice {
        /// Which, from 1.
        line: usize,
        /// The name.
        user: String,
    },
    /// More than 10,000.
    #[error("there are more than {MAX_USERS} users")]
    TooMany,
    /// A name that cannot be sent by HTTP's Basic scheme (RFC 7617 §2).
    #[error("a user name must not be empty nor hold a colon or a control character")]
    BadName,
    /// The system gave no random numbers.
    #[error("the system gives no random numbers")]
    NoRandomness,
}

impl Users {
    /// Reads a file's text.
    ///
    /// # Errors
    /// The first line that cannot be used.
    pub fn read(text: &str) -> Result<Self, UsersError> {
        let mut entries = HashMap::new();
        for (number, line) in text.lines().enumerate() {
            let line_number = number + 1;
            let line = line.trim_end();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (user, entry) = entry(line).ok_or(UsersError::BadLine { line: line_number })?;
            if entries.len() == MAX_USERS {
                return Err(UsersError::TooMany);
            }
            if entries.insert(user.to_owned(), entry).is_some() {
                return Err(UsersError::Twice { line: line_number, user: user.to_owned() });
            }
        }
        Ok(Self { entries })
    }

    /// The line of one user. The salt should be 12 random octets or more; 210,000 iterations are advised for this
    /// digest.
    ///
    /// # Errors
    /// When the name cannot be used.
    pub fn line(user: &str, password: &[u8], salt: &[u8], iterations: NonZeroU32) -> Result<String, UsersError> {
        if user.is_empty() || user.starts_with('#') || user.contains(|c: char| c == ':' || c.is_control()) {
            return Err(UsersError::BadName);
        }
        let mut hash = [0; HASH_BYTES];
        pbkdf2::derive(DIGEST, iterations, salt, password, &mut hash);
        Ok(format!("{user}:$7${iterations}${}${}", Base64::encode_string(salt), Base64::encode_string(&hash)))
    }

    /// The line of one user with a random salt and 210,000 iterations.
    ///
    /// # Errors
    /// When the name cannot be used, or the system has no randomness.
    pub fn new_line(user: &str, password: &[u8]) -> Result<String, UsersError> {
        let mut salt = [0; 16];
        SystemRandom::new().fill(&mut salt).map_err(|_| UsersError::NoRandomness)?;
        Self::line(user, password, &salt, ADVISED_ITERATIONS)
    }

    /// Is there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Is this the user's password? Takes as long for a name that is not there, and the time does not depend on what
    /// is wrong.
    #[must_use]
    pub fn verify(&self, user: &str, password: &[u8]) -> bool {
        let known = self.entries.get(user);
        // Somebody else's salt and cost, so that the clock does not tell which names exist.
        let Some(entry) = known.or_else(|| self.entries.values().next()) else { return false };
        let matches = pbkdf2::verify(DIGEST, entry.iterations, &entry.salt, password, &entry.hash).is_ok();
        matches && known.is_some()
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Users({})", self.entries.len())
    }
}

fn entry(line: &str) -> Option<(&str, Entry)> {
    let (user, rest) = line.split_once(':')?;
    let mut parts = rest.strip_prefix("$7$")?.split('$');
    let (iterations, salt, hash) = (parts.next()?, parts.next()?, parts.next()?);
    let iterations = iterations.parse().ok().filter(|count| *count <= MAX_ITERATIONS).and_then(NonZeroU32::new)?;
    let (salt, hash) = (Base64::decode_vec(salt).ok()?, Base64::decode_vec(hash).ok()?);
    let complete = !user.is_empty() && parts.next().is_none() && !salt.is_empty() && hash.len() == HASH_BYTES;
    complete.then_some((user, Entry { iterations, salt, hash }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(user: &str, password: &str) -> String {
        Users::line(user, password.as_bytes(), b"twelve bytes", NonZeroU32::new(101).unwrap()).unwrap()
    }

    #[test]
    fn only_the_right_password_of_a_known_user_is_taken() {
        let users = Users::read(&format!("# devices\n\n{}\r\n{}\n", line("a", "one"), line("b", "two"))).unwrap();
        assert!(users.verify("a", b"one") && users.verify("b", b"two"));
        for (user, password) in [("a", "two"), ("b", ""), ("c", "one"), ("", ""), ("A", "one")] {
            assert!(!users.verify(user, password.as_bytes()), "{user} {password}");
        }
        assert!(!Users::default().verify("a", b"one"));
    }

    /// The hash is that of Python's `hashlib.pbkdf2_hmac("sha512", b"one", b"twelve bytes", 101)`.
    #[test]
    fn the_form_and_the_digest_are_those_of_mosquitto() {
        let expected = "a:$7$101$dHdlbHZlIGJ5dGVz$Xl+yVYNgZo1M9jRpeBThX5UykZj9y9jKgNzV5oZk47JF58skZsT5AWj+1fkKGJDp\
            y7IAHmzrOWn0yT1q0X8g2A==";
        assert_eq!(line("a", "one"), expected);
        let random = Users::new_line("a", b"one").unwrap();
        assert_ne!(random, Users::new_line("a", b"one").unwrap());
        assert!(Users::read(&random).unwrap().verify("a", b"one"));
    }

    #[test]
    fn lines_that_are_none_are_named() {
        let good = line("a", "one");
        assert_eq!(
            Users::read(&format!("{good}\n{good}")).unwrap_err(),
            UsersError::Twice { line: 2, user: "a".into() }
        );
        for bad in [
            "a",
            "a:plain",
            "a:$6$x$y",
            "a:$7$0$AAAA$AAAA",
            "a:$7$101$AAAA$AAAA",
            ":$7$1$a$b",
            "a:$7$99999999$AAAA$AAAA",
        ] {
            assert_eq!(Users::read(bad).unwrap_err(), UsersError::BadLine { line: 1 }, "{bad}");
        }
        for name in ["", "a:b", "a\n", "#a"] {
            assert_eq!(Users::line(name, b"", b"salt", NonZeroU32::MIN).unwrap_err(), UsersError::BadName);
        }
    }
}
