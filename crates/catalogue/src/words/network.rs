//! Group C: the network.

super::words! {
    C01 "no name server knows the name, or none answers"
        "check the host name's spelling and this machine's name servers"
        ["Lookup error", "gaierror", "[Errno -2] Name or service not known", "ENOTFOUND", "UnknownHostException", "EAI_AGAIN",
         "failed to lookup address information", "No such host is known", "Temporary failure in name resolution",
         "nodename nor servname provided", "no such host", "Could not resolve host", "Name or service not known"]
        [],
    C02 "the machine answers that nothing listens on this port"
        "check the port and that the broker runs; MQTT over TLS is usually on 8883"
        ["Connection refused (os error 111)", "ECONNREFUSED", "os error 111", "[Errno 111]", "actively refused it",
         "java.net.ConnectException", "WSAECONNREFUSED", "os error 10061"]
        ["Connection refused"],
    C03 "nothing comes back from the port: a firewall on the way drops the packets"
        "let the port out, or use MQTT over WebSocket on 443 where the broker has it"
        ["ETIMEDOUT", "connect timed out", "Connection timed out", "os error 110", "[Errno 110]", "i/o timeout", "os error 10060",
         "did not properly respond after a period of time"]
        ["timed out"],
    C04 "the name has addresses of two families and packets of one of them get lost, so a client that tries one after the other waits"
        "repair the route of that family, remove its address from the name, or connect by the other family"
        ["NetworkTimeout", "Network is unreachable", "ENETUNREACH", "os error 101", "EHOSTUNREACH", "No route to host", "os error 113"]
        [],
    C05 "small packets pass and full ones vanish: a link on the way takes smaller packets and its message about that is filtered"
        "let ICMP `fragmentation needed` pass, clamp the MSS on the router, or lower this machine's MTU"
        ["fragmentation needed", "path MTU", "Frag needed and DF set", "TCP_MAXSEG", "hangs after ClientHello"]
        [],
    C06 "the server ends the connection after the first message: it misses the server name, does not know it, does not let this address in, or has nothing behind it"
        "check the host name and port, send the server name (SNI), and look at address filters and the server's log"
        ["UNEXPECTED_EOF_WHILE_READING", "unexpected eof while reading", "0A000126", "Remote host terminated the handshake",
         "disconnected before secure TLS connection was established", "Received an unexpected EOF or 0 bytes",
         "EOF occurred in violation of protocol", "tls handshake eof", "SSLEOFError", "SSLHandshakeException: Remote host",
         "EOF during handshake", "no peer certificate available"]
        ["unexpected end of file", "UnexpectedEof", "reason: closed", "Broken pipe", "EPIPE"],
    C07 "the port answers MQTT without TLS, and resets a connection that begins with something else"
        "use mqtt:// for this port, or the port for TLS, usually 8883"
        ["os error 104", "write:errno=104", "read:errno=104", "[Errno 104]", "WSAECONNRESET", "os error 10054",
         "forcibly closed by the remote host"]
        ["ECONNRESET", "Connection reset by peer", "Connection reset"],
    C08 "what answers on the port is no TLS server but something like a web or an SSH server"
        "check the port; MQTT over TLS is usually on 8883"
        ["wrong version number", "WRONG_VERSION_NUMBER", "0A00010B", "1408F10B", "Unsupported or unrecognized SSL message",
         "received corrupt message of type InvalidContentType", "InvalidContentType", "first record does not look like a TLS handshake",
         "EPROTO…wrong version", "Cannot determine the frame size", "http request", "HTTP_REQUEST", "packet length too long",
         "The handshake failed due to an unexpected packet format", "HTTP/1.1 400", "SSH-2.0-"]
        [],
    C09 "the port waits for TLS and drops a client that begins with MQTT"
        "use mqtts:// or switch TLS on in the client"
        ["plain MQTT on a TLS port", "The plain HTTP request was sent to HTTPS port"]
        ["The connection was lost", "Connection Lost"],
    C10 "a slow device, security module or token needs longer for its signature than the server waits"
        "raise the server's handshake timeout, or use P-256 instead of RSA"
        ["ssl_handshake_timeout", "handshake_timeout", "tls handshake timeout", "TLS handshake timed out", "{shutdown,timeout}"]
        [],
    C11 "a proxy opens TLS connections and shows its own certificate; mutual TLS cannot pass through it"
        "ask for an exception for this host; trusting the proxy's CA is not enough where the broker wants a client certificate"
        ["Zscaler", "Netskope", "Fortinet_CA", "FortiGate CA", "Palo Alto…CA", "Cisco Umbrella", "Blue Coat", "Sophos SSL CA",
         "mitmproxy", "Kaspersky…Personal Root", "TLS-inspecting proxy", "TLS interception"]
        [],
    C12 "the network answers in the server's place until somebody logs in"
        "log in to the network by a browser, or use another network"
        ["captive portal", "captive.apple.com", "hotspot login", "Network Authentication Required", "511 Network"]
        [],
    C13 "a NAT, firewall or load balancer forgets connections on which nothing passes for a while"
        "set a shorter keep-alive: 60 seconds"
        ["idle timeout", "drops at 240 s", "IdleTimeout", "idle connection"]
        [],
    C14 "from here the name leads to an address of the wrong side: a public one where only the private is let in, or the reverse"
        "use the name server that knows the private zone, or let this address in"
        ["IpForbidden", "private endpoint", "privatelink", "IP address is not allowed", "403002"]
        [],
    C15 "it has accepted the connection and begun, and then nothing more comes"
        "look whether the server is overloaded or stuck, and whether a firewall drops what follows"
        ["Read timed out", "Resource temporarily unavailable (os error 11)", "handshake unfinished", "SocketTimeoutException: Read",
         "The handshake operation timed out"]
        [],
}
