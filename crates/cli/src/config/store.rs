//! What `[store]` of `gridmq serve` is told.

use std::path::PathBuf;

use super::section::section;

section! {
    /// Where sessions, queued and retained messages are kept.
    Store {
        /// The directory; one broker's at a time. Default: gridmq in XDG_STATE_HOME or ~/.local/state. Flag: --data-dir.
        directory: Option<PathBuf> = None, example "'/var/lib/gridmq'";
    }
}
