//! No TLS in this build: addresses that want it are refused.

use super::checks::Judge;
use crate::address::{Address, NEEDS_TLS};
use crate::error::{AddressError, ConnectError, ConnectErrorKind};
use crate::profile::Profile;
use crate::secure::Tls;

#[derive(Debug, Clone, Default)]
pub(super) struct TlsOptions {}

impl TlsOptions {
    pub(super) const fn rotates(&self) -> bool {
        false
    }

    pub(super) fn plan(&self, judge: &Judge, addresses: &[Address], _: Profile) -> Result<Option<Tls>, ConnectError> {
        if addresses.iter().any(|address| address.tls) {
            let error = AddressError::NotInThisBuild { scheme: "mqtts".to_owned(), needs: NEEDS_TLS };
            return Err(judge.fail(ConnectErrorKind::Address(error)));
        }
        Ok(None)
    }
}
