//! Messages that were handed over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Error;
use super::engine::{Engine, outside};
use crate::error::PublishError;
use crate::publish::Published;

/// A message that was handed over: the blocking [`crate::Ticket`]. Dropped, it changes nothing.
#[derive(Debug)]
#[must_use = "the outcome is told to whoever waits for it"]
pub struct Ticket {
    position: Option<u64>,
    /// Absent: the outcome was told.
    ticket: Option<crate::Ticket>,
    engine: Arc<Engine>,
}

impl Ticket {
    pub(super) const fn new(ticket: crate::Ticket, engine: Arc<Engine>) -> Self {
        Self { position: ticket.position(), ticket: Some(ticket), engine }
    }

    /// The place of the message in the order of all that were handed over: see [`crate::Ticket::position`].
    #[must_use]
    pub const fn position(&self) -> Option<u64> {
        self.position
    }

    /// Waits for what the server says, at most for that long; `None` if it says nothing in that time, or was heard
    /// before.
    ///
    /// # Errors
    /// As awaiting the [`crate::Ticket`].
    pub fn wait_within(&mut self, after: Duration) -> Result<Option<Published>, Error<PublishError>> {
        outside()?;
        // A time that the clock cannot express is no limit.
        let until = Instant::now().checked_add(after);
        let Some(ticket) = &mut self.ticket else { return Ok(None) };
        let Some(outcome) = self.engine.wait(ticket, until) else { return Ok(None) };
        self.ticket = None;
        outcome.map(Some).map_err(Error::Failed)
    }

    /// Waits for what the server says, however long that takes; `None` if that was heard before.
    ///
    /// # Errors
    /// As awaiting the [`crate::Ticket`].
    pub fn wait(mut self) -> Result<Option<Published>, Error<PublishError>> {
        let Some(ticket) = self.ticket.take() else { return Ok(None) };
        self.engine.run(ticket)?.map(Some).map_err(Error::Failed)
    }
}
