//! The properties of CONNECT (MQTT 5.0 §3.1.2.11).

use gridmq_proto::ByteString;

use super::Options;

impl Options {
    /// How many messages of QoS 1 and 2 may wait to be acknowledged by this client; 256 when not called. 3.1.1 servers
    /// are not told; there, reading stops.
    pub const fn receive_maximum(mut self, messages: u16) -> Self {
        self.receive_maximum = messages;
        self
    }

    /// The largest packet that this client takes, in bytes; 16 MiB when not called. 3.1.1 servers are not told; a
    /// larger packet ends the connection. This much is kept free for a packet once its length has come; a WebSocket
    /// message may be 1 MiB larger, and one that comes in several frames takes up to three times its size beside that,
    /// before CONNACK too. A smaller limit is a bound to what a server can make this client hold.
    pub const fn maximum_packet_size(mut self, bytes: u32) -> Self {
        self.maximum_packet_size = bytes;
        self
    }

    /// How many topic aliases the server may use, each for one topic that this client then keeps in memory; 16 when
    /// not called, 0 for none (MQTT 5.0 only). Messages arrive with their topics in any case.
    pub const fn topic_alias_maximum(mut self, aliases: u16) -> Self {
        self.topic_alias_maximum = Some(aliases);
        self
    }

    /// How many topics this client replaces by aliases when it publishes, as far as the server takes them; 16 when not
    /// called, 0 for none (MQTT 5.0 only).
    pub const fn outbound_topic_aliases(mut self, aliases: u16) -> Self {
        self.outbound_topic_aliases = Some(aliases);
        self
    }

    /// Asks the server for a base of response topics (MQTT 5.0 only).
    pub const fn request_response_information(mut self, wanted: bool) -> Self {
        self.properties.request_response_information = Some(wanted);
        self
    }

    /// Whether the server may send reason strings and user properties with failures; it may when not called (MQTT 5.0
    /// only).
    pub const fn request_problem_information(mut self, wanted: bool) -> Self {
        self.properties.request_problem_information = Some(wanted);
        self
    }

    /// Adds a user property to the CONNECT (MQTT 5.0 only; Event Grid refuses them).
    pub fn user_property(mut self, name: impl Into<ByteString>, value: impl Into<ByteString>) -> Self {
        self.properties.user_properties.push((name.into(), value.into()));
        self
    }
}
