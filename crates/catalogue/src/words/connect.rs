//! Group F: CONNECT and CONNACK.

super::words! {
    F01 "the broker speaks other versions of MQTT than the one that was asked for"
        "ask for 3.1.1 or 5.0, whichever the broker speaks"
        ["unacceptable protocol version", "UnsupportedProtocolVersion", "Unsupported Protocol Version", "RefusedProtocolVersion",
         "UnacceptableProtocolVersion", "incorrect protocol version", "CONNACK 0x84", "ConnectionRefusedUnacceptableProtocolVersion"]
        [],
    F02 "the broker takes no empty identifier in this case, or not this one"
        "give a client identifier that the broker's rules allow"
        ["identifier rejected", "Client Identifier not valid", "BadClientId", "ClientIdentifierNotValid", "RefusedIdentifierRejected",
         "CONNACK 0x85", "ConnectionRefusedIdentifierRejected", "client identifier is not valid"]
        [],
    F03 "the broker does not accept this user name or its password"
        "check user name and password with the broker's operator"
        ["bad user name or password", "Bad username or password", "BadUserNameOrPassword", "BadUserNamePassword", "CONNACK 0x86",
         "RefusedBadUsernameOrPassword", "ConnectionRefusedBadUsernameOrPassword", "bad username/password"]
        [],
    F04 "the broker knows who this is, or needs not know, and does not let it in"
        "have the client registered, enabled and allowed to connect under this name and identifier"
        ["not authorised", "not authorized", "NotAuthorized", "CONNACK 0x87", "RefusedNotAuthorized", "ConnectionRefusedNotAuthorized",
         "Banned"]
        [],
    F05 "the will asks to be retained, and the broker retains nothing"
        "clear the will's RETAIN flag"
        ["CONNACK 0x9A", "will retain is not supported", "will with retain"]
        [],
    F06 "the will's QoS is above the broker's maximum"
        "give the will QoS 1 or 0"
        ["CONNACK 0x9B", "will QoS is not supported", "will with QoS 2"]
        [],
    F07 "the broker allows a shorter interval only; MQTT 5.0 clients are told, others are not and get disconnected"
        "set a keep-alive within the broker's maximum"
        ["Server Keep Alive", "ServerKeepAlive", "keep-alive is too long"]
        [],
    F08 "the broker ends the connection when CONNECT has user properties"
        "remove the user properties from CONNECT"
        ["user properties in CONNECT", "user properties on CONNECT", "CONNECT user properties"]
        [],
    F09 "the first packet was no CONNECT, or a second one came"
        "let the client send CONNECT first and once"
        ["Protocol error: CONNECT", "second CONNECT", "CONNACK 0x82", "expected CONNECT", "PUBLISH before CONNECT"]
        [],
    F10 "the broker cannot serve this client now, or says that another server should"
        "wait, with growing intervals, and follow the server reference if there is one"
        ["server unavailable", "ServerUnavailable", "Server busy", "ServerBusy", "UseAnotherServer", "Use another server", "ServerMoved",
         "Server moved", "ConnectionRateExceeded", "Connection rate exceeded", "CONNACK 0x88", "CONNACK 0x89", "CONNACK 0x9F",
         "CONNACK 0x9C", "CONNACK 0x9D", "RefusedServerUnavailable", "broker unavailable"]
        [],
    F11 "the broker wants an authentication method with its own exchange of packets"
        "configure the method that the broker wants, or another kind of login"
        ["Extended authentication handler is not yet supported", "BadAuthenticationMethod", "Bad authentication method", "CONNACK 0x8C",
         "AUTH 0x18", "AUTH 0x19", "Continue authentication", "extended authentication", "Re-authenticate"]
        [],
    F12 "CONNECT was sent and nothing came back: no MQTT broker, one that expects WebSocket, or one that is stuck"
        "check the port; if it is for WebSocket, use wss://"
        ["connack timeout", "Timed out waiting for a response from the server", "Timed out as no activity from the broker",
         "MqttTimeout(CONNACK)", "no CONNACK"]
        [],
    F13 "the credentials are right; this name has as many sessions as it may have"
        "end another session of this name, or raise the limit"
        ["session limit reached", "maximumClientSessionsPerAuthenticationName", "CONNACK 0x97", "too many sessions"]
        [],
    F14 "bytes came back that are no CONNACK"
        "check the port: something else answers there"
        ["CONNACK expected", "Received an unexpected packet…CONNACK", "Malformed packet", "first packet is not CONNACK", "not a CONNACK",
         "Invalid header flag bits", "InvalidPacketType"]
        [],
}
