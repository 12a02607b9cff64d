//! Fields of a stored value, and what can be wrong with a stored row: as every store of sessions has them.

pub(super) use gridmq_proto::session::stored::{Fault, Reader, Writer, text};
