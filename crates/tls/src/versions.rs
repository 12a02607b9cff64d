//! TLS versions and sets of them.

use std::fmt;

use rustls::SupportedProtocolVersion;

/// A version of TLS that this crate speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_enums, reason = "older versions are refused, newer ones do not exist")]
pub enum TlsVersion {
    /// TLS 1.2, RFC 5246.
    V1_2,
    /// TLS 1.3, RFC 8446.
    V1_3,
}

impl TlsVersion {
    /// `"TLS 1.2"` or `"TLS 1.3"`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1_2 => "TLS 1.2",
            Self::V1_3 => "TLS 1.3",
        }
    }

    #[cfg(feature = "stream")]
    pub(crate) fn from_rustls(version: rustls::ProtocolVersion) -> Option<Self> {
        match version {
            rustls::ProtocolVersion::TLSv1_2 => Some(Self::V1_2),
            rustls::ProtocolVersion::TLSv1_3 => Some(Self::V1_3),
            _ => None,
        }
    }
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of TLS versions; both by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TlsVersions {
    v1_2: bool,
    v1_3: bool,
}

impl TlsVersions {
    /// TLS 1.2 and TLS 1.3.
    pub const BOTH: Self = Self { v1_2: true, v1_3: true };

    /// One version alone.
    #[must_use]
    pub const fn only(version: TlsVersion) -> Self {
        match version {
            TlsVersion::V1_2 => Self { v1_2: true, v1_3: false },
            TlsVersion::V1_3 => Self { v1_2: false, v1_3: true },
        }
    }

    /// Is the version in the set?
    #[must_use]
    pub const fn contains(self, version: TlsVersion) -> bool {
        match version {
            TlsVersion::V1_2 => self.v1_2,
            TlsVersion::V1_3 => self.v1_3,
        }
    }

    /// Is there no version in the set? Such a set is an error when a configuration is built.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        !self.v1_2 && !self.v1_3
    }

    pub(crate) fn as_rustls(self) -> Vec<&'static SupportedProtocolVersion> {
        let mut versions = Vec::with_capacity(2);
        if self.v1_3 {
            versions.push(&rustls::version::TLS13);
        }
        if self.v1_2 {
            versions.push(&rustls::version::TLS12);
        }
        versions
    }
}

impl Default for TlsVersions {
    fn default() -> Self {
        Self::BOTH
    }
}

impl From<TlsVersion> for TlsVersions {
    fn from(version: TlsVersion) -> Self {
        Self::only(version)
    }
}

impl FromIterator<TlsVersion> for TlsVersions {
    fn from_iter<I: IntoIterator<Item = TlsVersion>>(versions: I) -> Self {
        let mut set = Self { v1_2: false, v1_3: false };
        for version in versions {
            match version {
                TlsVersion::V1_2 => set.v1_2 = true,
                TlsVersion::V1_3 => set.v1_3 = true,
            }
        }
        set
    }
}

impl fmt::Display for TlsVersions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.v1_2, self.v1_3) {
            (true, true) => "TLS 1.2 and 1.3",
            (true, false) => "TLS 1.2 only",
            (false, true) => "TLS 1.3 only",
            (false, false) => "no TLS version",
        })
    }
}
