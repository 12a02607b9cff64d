//! Work that a decision needs and that is too long for the thread that decides.

use std::any::Any;
use std::fmt;

/// CPU work that [`Rules::admit`](super::Rules::admit) needs done first, such as hashing a password. The broker does
/// it on another thread and gives the outcome to `admit` in [`ConnectRequest::proof`](super::ConnectRequest::proof).
///
/// ```
/// use gridmq_namespace::gate::{Computation, ConnectRequest, Transport};
///
/// struct Sum(u32);
/// let proof = Computation::new(|| Sum((1..=100).sum())).run();
/// let request = ConnectRequest { proof: Some(&proof), ..ConnectRequest::new("c", Transport::Tls) };
/// assert_eq!(request.proof.and_then(|proof| proof.get::<Sum>()).map(|sum| sum.0), Some(5050));
/// ```
pub struct Computation(Box<dyn FnOnce() -> Proof + Send>);

impl Computation {
    /// Work whose outcome becomes the proof. It owns what it needs, secrets in a type that wipes them.
    pub fn new<T: Any + Send + Sync>(work: impl FnOnce() -> T + Send + 'static) -> Self {
        Self(Box::new(|| Proof::new(work())))
    }

    /// Does it, on the thread that calls.
    #[must_use]
    pub fn run(self) -> Proof {
        (self.0)()
    }
}

impl fmt::Debug for Computation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Computation")
    }
}

/// What a [`Computation`] or an [`Exchange`](super::Exchange) found out, of a type that only its rules know. It is
/// never shown.
pub struct Proof(Box<dyn Any + Send + Sync>);

impl Proof {
    /// Wraps a value.
    pub fn new<T: Any + Send + Sync>(value: T) -> Self {
        Self(Box::new(value))
    }

    /// The value, if it is of that type.
    #[must_use]
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proof(…)")
    }
}
