//! Options for services that are known: what they want is set, and what they refuse is said before anything is sent.
//!
//! [`Options::event_grid`](crate::Options::event_grid) and [`Options::aws_iot`](crate::Options::aws_iot) begin with
//! such a service; their limits are tables, [`EVENT_GRID`] and [`AWS_IOT`].
//!
//! ```
//! use gridmq_client::preset::{EVENT_GRID, LimitValue, Rule};
//!
//! let packet = EVENT_GRID.iter().find(|limit| limit.rule == Rule::Packet).map(|limit| limit.value);
//! assert_eq!(packet, Some(LimitValue::Number(512 * 1024)));
//! ```

mod aws_iot;
mod event_grid;

pub use crate::profile::{Consequence, Limit, LimitValue, ProfileError, Rule};
pub use aws_iot::AWS_IOT;
pub use event_grid::EVENT_GRID;

pub(crate) use aws_iot::SERVICE as AWS_IOT_SERVICE;
pub(crate) use event_grid::SERVICE as EVENT_GRID_SERVICE;
#[cfg(feature = "tls")]
pub(crate) use event_grid::is_event_grid;

use crate::address::Address;
use crate::options::Options;
use crate::profile::{Profile, Service};

/// An address that a service does not have.
#[derive(Debug)]
pub(crate) struct BadAddress {
    pub(crate) rule: Rule,
    pub(crate) problem: String,
}

impl BadAddress {
    const fn new(rule: Rule, problem: String) -> Self {
        Self { rule, problem }
    }
}

impl Options {
    /// A client of an MQTT broker in an Azure Event Grid namespace. `host` is the namespace's MQTT host name, such as
    /// `contoso.westus3-1.ts.eventgrid.azure.net`, or a domain of your own; port 8883, unless it says `wss://`, which
    /// means port 443 and the path `/mqtt`.
    ///
    /// The service wants TLS, a client identifier of its own for each session, and a user name: the client's
    /// authentication name. [`EVENT_GRID`] is what it limits; what breaks a limit fails before anything is sent, with
    /// the limit in the error. Lists of filters are split over as many SUBSCRIBE packets as they need.
    ///
    /// ```
    /// use gridmq_client::Options;
    /// use gridmq_client::error::ConnectErrorKind;
    ///
    /// let options = Options::event_grid("contoso.westus3-1.eventgrid.azure.net").client_id("one").username("device1");
    /// let error = options.check().unwrap_err();
    /// assert!(matches!(error.kind(), ConnectErrorKind::Option { option: "address", .. }));
    /// assert!(error.to_string().contains("contoso.westus3-1.ts.eventgrid.azure.net"));
    /// ```
    pub fn event_grid(host: &str) -> Self {
        Self::for_service(host, "mqtts", &EVENT_GRID_SERVICE)
    }

    /// A client of AWS IoT Core at the account's endpoint, such as `abc-ats.iot.eu-west-1.amazonaws.com`, on port 8883
    /// with a certificate. On port 443 (`host:443`) the client offers the ALPN name that the service tells protocols
    /// apart by: `x-amzn-mqtt-ca` with a certificate, `mqtt` with a user name and no certificate (custom
    /// authentication).
    ///
    /// [`AWS_IOT`] is what it limits. WebSocket with Signature Version 4 is not supported.
    ///
    /// ```
    /// use gridmq_client::Options;
    ///
    /// // Custom authentication: a user name and password on the port that is open everywhere.
    /// let aws = Options::aws_iot("abc123-ats.iot.eu-west-1.amazonaws.com:443")
    ///     .client_id("thing1")
    ///     .username("thing1?x-amz-customauthorizer-name=own")
    ///     .password("secret");
    /// # drop(aws);
    /// ```
    pub fn aws_iot(host: &str) -> Self {
        Self::for_service(host, "mqtts", &AWS_IOT_SERVICE)
    }

    /// A client of a broker without TLS, such as mosquitto on its port 1883. User name, password and messages can be
    /// read on the way.
    ///
    /// ```no_run
    /// use gridmq_client::{Options, QoS};
    ///
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = Options::plain("localhost").username("roger").password("secret").connect().await?;
    /// client.publish("a/b", "hello").qos(QoS::AtLeastOnce).await?;
    /// client.disconnect().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn plain(host: &str) -> Self {
        Self::new(&with_scheme(host, "mqtt"))
    }

    /// With [`Options::event_grid`]: the namespace finds the client authentication name in the certificate
    /// (`alternativeAuthenticationNameSources`), so that no user name is needed.
    pub const fn alternative_name_source(mut self) -> Self {
        self.named_elsewhere = true;
        self
    }

    /// Whether limits of the service are checked before anything is sent; yes with a preset. `false` leaves the
    /// judgement to the server, such as one whose limits have been raised; what the service needs stays: ALPN, and lists
    /// of filters that are split.
    pub const fn service_checks(mut self, checked: bool) -> Self {
        self.profile = self.profile.checked(checked);
        self
    }

    /// How many filters go into one SUBSCRIBE or UNSUBSCRIBE at most: longer lists are split over several packets, each
    /// with its own answer. When not called, what the preset says ([`EVENT_GRID`] 10, [`AWS_IOT`] 8); otherwise only a
    /// packet's size is a limit.
    ///
    /// ```
    /// use gridmq_client::Options;
    ///
    /// // Such as a broker with max_topic_filters_per_subscribe = 5.
    /// let options = Options::plain("localhost").filters_per_packet(5);
    /// options.check()?;
    /// assert!(options.filters_per_packet(0).check().is_err());
    /// # Ok::<(), gridmq_client::ConnectError>(())
    /// ```
    pub const fn filters_per_packet(mut self, filters: u16) -> Self {
        self.profile = self.profile.with_filters(filters);
        self
    }

    fn for_service(host: &str, scheme: &str, service: &'static Service) -> Self {
        let mut options = Self::new(&with_scheme(host, scheme));
        options.profile = Profile::of(service);
        options
    }
}

/// The address is checked as the service has them.
/// `path`: what is asked for with WebSocket in place of the address's path.
pub(crate) fn check_address(profile: Profile, address: &Address, path: Option<&str>) -> Result<(), BadAddress> {
    match profile.judge() {
        Some(service) if service.name == EVENT_GRID_SERVICE.name => event_grid::check(address, path),
        Some(service) if service.name == AWS_IOT_SERVICE.name => aws_iot::check(address),
        _ => Ok(()),
    }
}

/// What to offer by ALPN where the application has not said.
#[cfg(feature = "tls")]
pub(crate) fn protocols(profile: Profile, port: u16, has_identity: bool) -> Vec<Vec<u8>> {
    match profile.name() {
        Some(name) if name == AWS_IOT_SERVICE.name => aws_iot::protocols(port, has_identity),
        _ => Vec::new(),
    }
}

fn with_scheme(host: &str, scheme: &str) -> String {
    if host.contains("://") { host.to_owned() } else { format!("{scheme}://{host}") }
}
