//! Tokens, and where they come from.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use zeroize::Zeroizing;

use super::BoxFuture;
use super::user::wiped;
use crate::error::{AuthError, AuthErrorKind};

/// The longest token that is taken, in bytes: it travels in a property of that length (MQTT 5.0 §1.5.6).
pub(crate) const MAX_TOKEN: usize = 64 * 1024 - 1;

/// A text that proves who one is, such as a JSON Web Token. Its memory is overwritten when it goes; it is never shown.
#[derive(Clone)]
pub struct Token {
    text: Zeroizing<String>,
    expires_at: Option<SystemTime>,
}

impl Token {
    /// A token of which nobody has said when it runs out.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: Zeroizing::new(text.into()), expires_at: None }
    }

    /// It runs out then.
    #[must_use]
    pub const fn expires_at(mut self, at: SystemTime) -> Self {
        self.expires_at = Some(at);
        self
    }

    /// The token itself: a secret.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// When it runs out, if its source has said so.
    #[must_use]
    pub const fn expiry(&self) -> Option<SystemTime> {
        self.expires_at
    }

    pub(crate) fn into_bytes(mut self) -> Bytes {
        wiped(Zeroizing::new(std::mem::take(&mut *self.text).into_bytes()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("text", &format_args!("({} bytes, not shown)", self.text.len()))
            .field("expires_at", &self.expires_at)
            .finish()
    }
}

/// Where tokens come from. It is asked at every connect, and again before a token runs out.
pub trait TokenSource: fmt::Debug + Send + Sync {
    /// A token that is valid for as long as possible.
    ///
    /// # Errors
    /// Why there is none. At a connect, the attempt fails with it; while connected, the client asks again until the
    /// token in use has run out.
    fn token(&self) -> BoxFuture<'_, Result<Token, AuthError>>;
}

/// Tokens from a function.
///
/// ```
/// use gridmq_client::auth::{FnToken, Token};
///
/// let source = FnToken::new(|| async { Ok(Token::new("ask for it here")) });
/// # drop(source);
/// ```
pub struct FnToken<F>(F);

impl<F, Fut> FnToken<F>
where
    F: Fn() -> Fut + Send + Sync,
    Fut: Future<Output = Result<Token, AuthError>> + Send + 'static,
{
    /// Calls that function for each token.
    pub const fn new(function: F) -> Self {
        Self(function)
    }
}

impl<F> fmt::Debug for FnToken<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FnToken")
    }
}

impl<F, Fut> TokenSource for FnToken<F>
where
    F: Fn() -> Fut + Send + Sync,
    Fut: Future<Output = Result<Token, AuthError>> + Send + 'static,
{
    fn token(&self) -> BoxFuture<'_, Result<Token, AuthError>> {
        Box::pin((self.0)())
    }
}

/// A token in a file that something else keeps up to date, such as a Kubernetes service account's. It is read anew each
/// time; blanks around it are left out; 64 KiB at most are taken.
///
/// ```
/// use gridmq_client::auth::{FileToken, JwtAuthenticator};
///
/// let authenticator = JwtAuthenticator::custom(FileToken::new("/var/run/secrets/tokens/broker"));
/// # drop(authenticator);
/// ```
#[derive(Debug, Clone)]
pub struct FileToken {
    path: PathBuf,
}

impl FileToken {
    /// The token in that file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

impl TokenSource for FileToken {
    fn token(&self) -> BoxFuture<'_, Result<Token, AuthError>> {
        Box::pin(async {
            let text = read_text("the token file", &self.path, MAX_TOKEN).await?;
            Ok(Token { text, expires_at: None })
        })
    }
}

/// The text in a small file that holds a secret, without blanks around it.
pub(crate) async fn read_text(what: &str, path: &Path, limit: usize) -> Result<Zeroizing<String>, AuthError> {
    let from = format!("{what} {}", path.display());
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || read(&path, limit)).await;
    read.unwrap_or_else(|_| Err(AuthErrorKind::File(io::ErrorKind::Interrupted.into())))
        .map_err(|kind| AuthError::new(from, kind))
}

/// Opens a file, and nothing that would keep its reader waiting: a pipe that nobody writes to blocks whoever opens it.
pub(crate) fn regular(path: &Path) -> io::Result<File> {
    if std::fs::metadata(path)?.is_file() {
        File::open(path)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"))
    }
}

fn read(path: &Path, limit: usize) -> Result<Zeroizing<String>, AuthErrorKind> {
    let file = regular(path).map_err(AuthErrorKind::File)?;
    // All at once, so that no shorter copy stays behind in memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit + 2));
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(AuthErrorKind::File)?;
    if bytes.len() > limit {
        return Err(AuthErrorKind::TooLarge { limit });
    }
    match std::str::from_utf8(&bytes).map(str::trim) {
        Ok("") => Err(AuthErrorKind::Empty),
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(AuthErrorKind::NotText),
    }
}
