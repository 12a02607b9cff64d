//! What `[arm]` of `gridmq serve` is told.

use super::Address;
use super::address::one_or_more;
use super::section::section;

section! {
    /// The control plane, Azure Resource Manager's: az, the SDKs and Bicep make the namespace and its parts, which are kept
    /// in the state directory. With cert and key it speaks HTTPS, which az needs.
    Arm {
        /// Where it listens. Default: nowhere. Flag: --arm.
        #[serde(deserialize_with = "one_or_more")]
        listen: Option<Vec<Address>> = None, example "['127.0.0.1:8443']";
        /// Whether programs on this machine may change everything without a token. Default: they need one, for which
        /// the secret in the file admin-secret of the state directory is given. Flag: --trust-local.
        trust_local: Option<bool> = None, example "false";
        /// The subscription that lists name; any other is taken too.
        subscription: String = "00000000-0000-0000-0000-000000000000".to_owned();
        /// The tenant.
        tenant: String = "00000000-0000-0000-0000-000000000000".to_owned();
        /// The region of a namespace that gives none.
        location: String = "local".to_owned();
    }
}

impl Arm {
    /// Whether there is a control plane.
    pub(crate) fn is_given(&self) -> bool {
        self.listen.as_ref().is_some_and(|listen| !listen.is_empty())
    }
}
