//! What `[admin]` of `gridmq serve` is told.

use super::Address;
use super::address::one_or_more;
use super::section::section;

section! {
    /// A small HTTP listener for the operator: /metrics, /livez, /readyz, and switches for traces. It has no TLS and no
    /// passwords, so leave it on this machine; elsewhere it shows metrics and health alone.
    Admin {
        /// Where it listens. Default: nowhere. Flag: --admin.
        #[serde(deserialize_with = "one_or_more")]
        listen: Option<Vec<Address>> = None, example "['127.0.0.1:9883']";
    }
}
