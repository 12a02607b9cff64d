//! Where a client's secret lies.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::BoxFuture;
use super::token::read_text;
use crate::error::{AuthError, AuthErrorKind};

const MAX_SECRET: usize = 64 * 1024;

type Asks = dyn Fn() -> BoxFuture<'static, Result<Zeroizing<String>, AuthError>> + Send + Sync;

/// A secret, or where it lies; looked up anew at each use, so that it can be changed. Never shown.
///
/// ```
/// use gridmq_client::auth::Secret;
///
/// for secret in [Secret::file("/run/secrets/broker"), Secret::variable("BROKER_SECRET")] {
///     println!("{secret:?}, which is not shown");
/// }
/// ```
#[derive(Clone)]
pub struct Secret(Inner);

#[derive(Clone)]
enum Inner {
    Text(Arc<Zeroizing<String>>),
    File(PathBuf),
    Variable(OsString),
    Function(Arc<Asks>),
}

impl Secret {
    /// This one.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self(Inner::Text(Arc::new(Zeroizing::new(text.into()))))
    }

    /// In that file, without the blanks around it; 64 KiB at most.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Inner::File(path.into()))
    }

    /// In that variable of the environment.
    #[must_use]
    pub fn variable(name: impl Into<OsString>) -> Self {
        Self(Inner::Variable(name.into()))
    }

    /// What that function gives.
    pub fn from_fn<F, Fut>(function: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String, AuthError>> + Send + 'static,
    {
        Self(Inner::Function(Arc::new(move || {
            let secret = function();
            Box::pin(async { secret.await.map(Zeroizing::new) })
        })))
    }

    pub(super) async fn read(&self) -> Result<Zeroizing<String>, AuthError> {
        match &self.0 {
            Inner::Text(text) => Ok(Zeroizing::clone(text)),
            Inner::File(path) => read_text("the secret's file", path, MAX_SECRET).await,
            Inner::Variable(name) => {
                let fail = |kind| AuthError::new(format!("the variable {} for a secret", name.display()), kind);
                let value = std::env::var_os(name).ok_or_else(|| fail(AuthErrorKind::Variable))?;
                value.into_string().map(Zeroizing::new).map_err(|_| fail(AuthErrorKind::NotText))
            }
            Inner::Function(function) => function().await,
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Inner::Text(_) => f.write_str("Secret(not shown)"),
            Inner::File(path) => f.debug_tuple("Secret::file").field(path).finish(),
            Inner::Variable(name) => f.debug_tuple("Secret::variable").field(name).finish(),
            Inner::Function(_) => f.write_str("Secret::from_fn"),
        }
    }
}
