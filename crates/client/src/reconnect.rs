//! Whether and when to come back, and as whom.

mod table;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use self::table::Row;
use crate::auth::User;
use crate::error::{ConnectError, DisconnectCause};

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
const STEADY: Duration = Duration::from_secs(10);
const REDIRECTS: u8 = 4;

/// Whether and when the client comes back by itself.
///
/// ```
/// use std::time::Duration;
/// use gridmq_client::{Client, Decision, Failure, Reconnect, ReasonCode};
///
/// let policy = Reconnect::new().first_wait(Duration::from_millis(200)).longest_wait(Duration::from_secs(20)).judge(
///     |failure: &Failure<'_>| match failure.reason() {
///         // The operator adds clients while they are already trying.
///         Some(ReasonCode::NotAuthorized) => Decision::retry().after(Duration::from_secs(300)),
///         _ => Decision::by_table(),
///     },
/// );
/// let options = Client::builder("mqtts://localhost").reconnect(policy);
/// ```
///
/// # When
/// The wait before an attempt is any time up to a bound (full jitter); the bound begins at 1 s and doubles with each
/// failed round over all servers, up to 60 s. It begins anew after a connection that has lasted for 10 s.
///
/// # Whether
/// | what happened | by the table |
/// |---|---|
/// | name, TCP, proxy, TLS failed; the time was up; the connection was lost or closed; no answer to PINGREQ | retry |
/// | TLS: one side does not accept the other's certificate, name, version or protocol | retry, with the longest wait |
/// | CONNACK or DISCONNECT with 0x80, 0x83, 0x88, 0x89, 0x8B, 0x8D, 0x93, 0x96, 0x97, 0x9F, 0xA0, or DISCONNECT 0x00 | retry |
/// | 0x9C or 0x9D with a server reference, where that is followed | retry there |
/// | any other code: not authorized, bad user name or password, banned, taken over, protocol error … | final |
/// | the server closed the WebSocket with 1000, 1001, 1011 to 1014 or no code; the upgrade got HTTP 408, 425, 429 or 5xx | retry |
/// | any other HTTP status or WebSocket code, or frames that are not MQTT's, or too long | final |
/// | an option that cannot work; the server broke the protocol; the proxy wants other credentials | final |
///
/// [`Options::connect`](crate::Options::connect) itself gives up after one failed round over all servers, whatever
/// failed: who waits for it hears at once of a certificate that is not accepted. A client that is up, or was begun by
/// [`Options::start`](crate::Options::start), does not end for that: a certificate that has run out, an authority that
/// is not known yet and a wrong clock are put right at the server, in the trust's files or by the certificate's provider
/// without anybody near the device. Nobody does it within a second, so the bound of the wait is the longest from the
/// first attempt on, unless a certificate has not been tried yet; a new one from
/// [`Options::credentials`](crate::Options::credentials) is tried at once. [`judge`](Self::judge) makes it final:
///
/// ```
/// use gridmq_client::error::ConnectErrorKind;
/// use gridmq_client::{Decision, FailureKind, Reconnect};
///
/// let policy = Reconnect::new().judge(|failure| match failure.kind {
///     FailureKind::Attempt(error) if matches!(error.kind(), ConnectErrorKind::Tls(_)) => Decision::stop(),
///     _ => Decision::by_table(),
/// });
/// # drop(policy);
/// ```
#[derive(Clone)]
#[must_use]
pub struct Reconnect {
    pub(crate) enabled: bool,
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
    pub(crate) steady: Duration,
    pub(crate) attempts: Option<u32>,
    pub(crate) redirects: u8,
    judge: Option<Judge>,
}

type Judge = Arc<dyn Fn(&Failure<'_>) -> Decision + Send + Sync>;

impl Default for Reconnect {
    fn default() -> Self {
        Self::new()
    }
}

impl Reconnect {
    /// Comes back until told to stop.
    pub const fn new() -> Self {
        Self {
            enabled: true,
            first: FIRST,
            longest: LONGEST,
            steady: STEADY,
            attempts: None,
            redirects: 0,
            judge: None,
        }
    }

    /// Ends with the connection. A client with [`Options::credentials`](crate::Options::credentials) still moves from
    /// one certificate to the next.
    pub const fn never() -> Self {
        let mut policy = Self::new();
        policy.enabled = false;
        policy
    }

    /// The bound of the wait after the first failure; 1 s when not called.
    pub const fn first_wait(mut self, wait: Duration) -> Self {
        self.first = wait;
        self
    }

    /// The bound that the waits grow to; 60 s when not called.
    pub const fn longest_wait(mut self, wait: Duration) -> Self {
        self.longest = wait;
        self
    }

    /// How long a connection has to last for the waits to begin anew after it; 10 s when not called.
    pub const fn steady_after(mut self, time: Duration) -> Self {
        self.steady = time;
        self
    }

    /// Gives up after so many failed rounds over all servers in one absence; never when not called.
    pub const fn attempts(mut self, rounds: u32) -> Self {
        self.attempts = Some(rounds);
        self
    }

    /// Goes where the server sends it (CONNACK and DISCONNECT 0x9C and 0x9D with a server reference, MQTT 5.0 §4.11), up
    /// to four times in a row: a failure of another kind, or a connection that lasts for
    /// [`steady_after`](Self::steady_after), begins a new row. The other server is reached in the same way, with the
    /// same user name and password, tokens and WebSocket header fields. Not followed when not called: whoever answers
    /// decides where the credentials go. Never followed from a Unix socket or a stream of the caller's own, which do not
    /// say how another server is reached.
    pub const fn follow_server_reference(mut self) -> Self {
        self.redirects = REDIRECTS;
        self
    }

    /// Overrules the table: called once for each failure, on the client's task; it must not block.
    pub fn judge(mut self, judge: impl Fn(&Failure<'_>) -> Decision + Send + Sync + 'static) -> Self {
        self.judge = Some(Arc::new(judge));
        self
    }

    /// What to do about it.
    pub(crate) fn decide(&self, failure: &Failure<'_>) -> Verdict {
        let decision = self.judge.as_ref().map_or_else(Decision::by_table, |judge| judge(failure));
        let row = match decision.kind {
            Kind::Table => table::row(failure),
            Kind::Retry => Row::Retry,
            Kind::Final => Row::Final,
        };
        Verdict {
            retries: row != Row::Final,
            slow: row == Row::Slowly,
            stops: decision.kind == Kind::Final,
            after: decision.after,
            user: decision.user,
        }
    }
}

impl fmt::Debug for Reconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconnect")
            .field("enabled", &self.enabled)
            .field("first", &self.first)
            .field("longest", &self.longest)
            .finish_non_exhaustive()
    }
}

/// A connection that was not made, or was lost.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Failure<'a> {
    /// What happened.
    pub kind: FailureKind<'a>,
    /// Failed rounds of this absence, this one counted.
    pub attempts: u32,
}

/// What happened.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum FailureKind<'a> {
    /// An attempt failed.
    Attempt(&'a ConnectError),
    /// A connection ended that was up.
    Lost(&'a DisconnectCause),
}

impl Failure<'_> {
    /// The server's reason code, if it gave one.
    #[must_use]
    pub fn reason(&self) -> Option<gridmq_proto::ReasonCode> {
        match self.kind {
            FailureKind::Attempt(error) => error.reason(),
            FailureKind::Lost(cause) => cause.reason(),
        }
    }
}

/// What to do about a [`Failure`].
///
/// ```
/// use std::time::Duration;
///
/// use gridmq_client::{Decision, ReasonCode, Reconnect};
///
/// let policy = Reconnect::new().judge(|failure| match failure.reason() {
///     Some(ReasonCode::ServerBusy) => Decision::retry().after(Duration::from_secs(60)),
///     Some(ReasonCode::Banned) => Decision::stop(),
///     _ => Decision::by_table(),
/// });
/// ```
#[derive(Clone)]
#[must_use]
pub struct Decision {
    kind: Kind,
    after: Option<Duration>,
    user: Option<User>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Table,
    Retry,
    Final,
}

impl Decision {
    /// As [`Reconnect`]'s table says.
    pub const fn by_table() -> Self {
        Self { kind: Kind::Table, after: None, user: None }
    }

    /// Try again.
    pub const fn retry() -> Self {
        Self { kind: Kind::Retry, after: None, user: None }
    }

    /// Give up: the client ends with this failure.
    pub const fn stop() -> Self {
        Self { kind: Kind::Final, after: None, user: None }
    }

    /// Not before this time has passed, and then at once, instead of after the usual wait.
    pub const fn after(mut self, wait: Duration) -> Self {
        self.after = Some(wait);
        self
    }

    /// With this user name and password from now on, in place of those of the options and of their provider.
    pub fn with_user(mut self, user: User) -> Self {
        self.user = Some(user);
        self
    }
}

impl fmt::Debug for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decision").field("kind", &self.kind).field("after", &self.after).finish_non_exhaustive()
    }
}

/// A judgement that is made.
pub(crate) struct Verdict {
    pub(crate) retries: bool,
    /// The longest wait from the first attempt on.
    pub(crate) slow: bool,
    /// The application has said so: not even where the server sends us.
    pub(crate) stops: bool,
    pub(crate) after: Option<Duration>,
    pub(crate) user: Option<User>,
}
