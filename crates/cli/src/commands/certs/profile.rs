//! What a leaf has to say for each way in which Event Grid takes a client's authentication name from it.

use std::net::IpAddr;

use clap::ValueEnum;
use gridmq_tls::issue::{LeafRequest, Usage};

use super::names;
use crate::error::Failure;

/// Where an Event Grid namespace finds the authentication name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Profile {
    /// In the subject's common name: --cn, or --name
    Subject,
    /// In a DNS name: the first --dns, or --name
    Dns,
    /// In a URI: the first --uri
    Uri,
    /// In an IP address: the first --ip, or --name
    Ip,
    /// In an e-mail address: the first --email, or --name
    Email,
    /// Nowhere: the namespace knows the certificate's thumbprint; it is signed by its own key
    Thumbprint,
}

impl Profile {
    /// The value of `validationScheme` in the client's resource.
    pub(super) const fn validation_scheme(self) -> &'static str {
        match self {
            Self::Subject => "SubjectMatchesAuthenticationName",
            Self::Dns => "DnsMatchesAuthenticationName",
            Self::Uri => "UriMatchesAuthenticationName",
            Self::Ip => "IpMatchesAuthenticationName",
            Self::Email => "EmailMatchesAuthenticationName",
            Self::Thumbprint => "ThumbprintMatch",
        }
    }

    /// A client's leaf with this common name, and the authentication name that Event Grid reads in it: the first of the names of this
    /// profile's kind that are given as options, or else `name` if it is of that kind.
    pub(super) fn request(
        self,
        name: &str,
        cn: &str,
        given: &names::Options,
    ) -> Result<(LeafRequest, String), Failure> {
        let client = LeafRequest::client(cn);
        let (option, kind, first, parsed) = match self {
            Self::Subject | Self::Thumbprint => return Ok((client, cn.to_owned())),
            Self::Dns => ("--dns", "a DNS name", given.dns.first().cloned(), names::dns_name(name).ok()),
            Self::Uri => ("--uri", "a URI", given.uri.first().cloned(), names::uri(name).ok()),
            Self::Ip => {
                let parsed = name.parse::<IpAddr>().ok().map(|address| address.to_string());
                ("--ip", "an IP address", given.ip.first().map(ToString::to_string), parsed)
            }
            Self::Email => ("--email", "an e-mail address", given.email.first().cloned(), names::email(name).ok()),
        };
        if let Some(first) = first {
            return Ok((client, first));
        }
        let found = parsed.ok_or_else(|| {
            Failure::usage(format!("this --profile takes the name from {kind}, and {name:?} is none: add {option}"))
        })?;
        let request = match self {
            Self::Dns => client.dns(&found),
            Self::Uri => client.uri(&found),
            Self::Email => client.email(&found),
            Self::Ip => found.parse().ok().into_iter().fold(client, LeafRequest::ip),
            Self::Subject | Self::Thumbprint => client,
        };
        Ok((request, found))
    }
}

/// The extended key usage, as an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Purpose {
    /// A client's: clientAuth
    Client,
    /// A server's: serverAuth
    Server,
    /// Both, as a broker needs that also connects to others
    Both,
}

impl Purpose {
    pub(super) const fn usage(self) -> Usage {
        match self {
            Self::Client => Usage::Client,
            Self::Server => Usage::Server,
            Self::Both => Usage::Both,
        }
    }
}
