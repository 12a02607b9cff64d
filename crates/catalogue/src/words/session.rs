//! Group G: publishing, subscribing, and everything after.

super::words! {
    G01 "the QoS is above the broker's maximum"
        "publish with QoS 1 or 0"
        ["QoS not supported", "QosNotSupported", "DISCONNECT 0x9B", "PUBLISH QoS 2 is not supported"]
        [],
    G02 "the broker retains nothing"
        "clear RETAIN in the message"
        ["Retain not supported", "RetainNotSupported", "DISCONNECT 0x9A"]
        [],
    G03 "the packet has more bytes than the broker's maximum"
        "send smaller messages"
        ["Packet too large", "PacketTooLarge", "DISCONNECT 0x95", "OutgoingPacketTooLarge", "Payload size limit exceeded",
         "message too large", "exceeds max size"]
        [],
    G04 "a wildcard stands where the standard has none: # must be last, and both must fill a level"
        "correct the filter"
        ["Topic Filter invalid", "TopicFilterInvalid", "SUBACK 0x8F", "DISCONNECT 0x81", "Invalid subscription filter",
         "Invalid subscription topic", "Invalid filter", "InvalidTopicFilter"]
        [],
    G05 "topic names have no wildcards and are not empty"
        "correct the topic name"
        ["Topic Name invalid", "TopicNameInvalid", "DISCONNECT 0x90", "DISCONNECT 0x82", "Invalid publish topic", "Publish topic cannot contain wildcards",
         "InvalidTopicName"]
        [],
    G06 "the alias is 0 or above the maximum that the broker gave in CONNACK"
        "use aliases up to the broker's maximum"
        ["Topic Alias invalid", "TopicAliasInvalid", "DISCONNECT 0x94"]
        [],
    G07 "no permission of the client covers the topic; under MQTT 3.1.1 the broker cannot say so"
        "give the client the permission to publish to the topic"
        ["PUBACK 0x87", "PUBACK…Not authorized", "Denied PUBLISH", "publish denied", "PUBREC 0x87"]
        [],
    G08 "no permission covers the filter; many brokers grant it in SUBACK all the same and deliver nothing"
        "give the client the permission to subscribe to the filter"
        ["SUBACK 0x87", "SUBACK 0x80", "Denied SUBSCRIBE", "subscribe denied", "All subscription requests were denied", "SUBACK…Not authorized"]
        [],
    G09 "a broker has one connection for an identifier, and each new one ends the other"
        "give every client its own identifier"
        ["already connected, closing old connection", "Session taken over", "SessionTakenOver", "DISCONNECT 0x8E", "400027", "DuplicateDevice",
         "Duplicate client", "DUPLICATE_CLIENTID", "connection taken over"]
        [],
    G10 "the broker heard nothing for one and a half keep-alive intervals"
        "let the client send PINGREQ in time; look for blocked threads and sleeping devices"
        ["Keep Alive timeout", "KeepAliveTimeout", "DISCONNECT 0x8D", "exceeded timeout, disconnecting", "keepalive timeout",
         "MQTT_KEEP_ALIVE_TIMEOUT", "PingRespTimeout"]
        [],
    G11 "its expiry passed, or its queue overflowed, and the broker dropped it with all that was waiting"
        "connect again before the session expires, subscribe again when session present is 0, and keep up with deliveries"
        ["session present 0", "session_present=0", "Session present: false", "SessionOverflow", "session expired", "SessionUnsafe"]
        [],
    G12 "the broker sends no more until the client acknowledges what it has"
        "acknowledge messages as they are handled"
        ["Receive Maximum exceeded", "ReceiveMaximumExceeded", "DISCONNECT 0x93", "in-flight window full", "too many unacknowledged"]
        [],
    G13 "more messages, bytes or sessions than the service allows in this time"
        "slow down, spread the load over more connections, or raise the quota"
        ["Quota exceeded", "QuotaExceeded", "Message rate too high", "MessageRateTooHigh", "DISCONNECT 0x96", "DISCONNECT 0x97",
         "429001", "ThrottlingException", "THROTTLED", "rate limit"]
        [],
    G14 "the certificate ran out during the connection, and the service checks it again"
        "renew in good time and connect again with the new certificate"
        ["ClientAuthenticationError", "certificate expired while connected", "Maximum connect time", "DISCONNECT 0xA0"]
        [],
    G15 "times that the peer compares, in tokens and certificates, are off by minutes or more"
        "set the clock by a time service"
        ["401003", "IoTHubUnauthorized", "clock skew", "ExpiredToken", "token is expired", "clock drift", "System clock"]
        [],
    G16 "the service's log gives the reason by a name of its own"
        "look the name up: ClientError and ClientAuthorizationError are this client's, ServerError the service's, ConnectionLost the network's"
        ["ClientAuthorizationError", "ClientInitiatedDisconnect", "ServerInitiatedDisconnect", "ClientError",
         "ServerError", "ConnectionLost"]
        ["disconnectionReason"],
}
