"""paho-mqtt under the control of a test: options say how to connect, lines of JSON on standard input say what to do,
lines of JSON on standard output say what happened. README.md beside this file describes both."""

import argparse
import json
import os
import ssl
import sys
import threading

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

TLS_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
OUTPUT = threading.Lock()


def say(event, **fields):
    with OUTPUT:
        print(json.dumps({"event": event, **fields}), flush=True)


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--transport", choices=["tcp", "tls", "ws", "wss"], default="tls")
    parser.add_argument("--ca")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--tls", choices=TLS_VERSIONS)
    parser.add_argument("--username")
    parser.add_argument("--client-id", required=True)
    parser.add_argument("--version", choices=["3", "5"], required=True)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--session-expiry", type=int)
    parser.add_argument("--keep-alive", type=int, default=30)
    parser.add_argument("--will-topic")
    parser.add_argument("--will-file")
    parser.add_argument("--will-qos", type=int, default=0)
    parser.add_argument("--will-retain", action="store_true")
    parser.add_argument("--out-dir", required=True)
    parser.add_argument("--timeout", type=float, default=30)
    return parser.parse_args()


def number(reason):
    """The number of a reason, which is an int in 3.1.1 and an object in 5.0."""
    return getattr(reason, "value", reason)


class Session:
    def __init__(self, wanted):
        self.wanted = wanted
        self.v5 = wanted.version == "5"
        self.received = 0
        self.acknowledged = {}
        self.answered = threading.Event()
        self.admitted = False
        protocol = mqtt.MQTTv5 if self.v5 else mqtt.MQTTv311
        clean = {} if self.v5 else {"clean_session": not wanted.resume}
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=wanted.client_id,
            protocol=protocol,
            reconnect_on_failure=False,
            transport="websockets" if wanted.transport in ("ws", "wss") else "tcp",
            **clean,
        )
        self.client.on_connect = self.on_connect
        self.client.on_disconnect = self.on_disconnect
        self.client.on_message = self.on_message
        self.client.on_publish = self.on_publish
        self.client.on_subscribe = self.on_subscribe
        self.client.on_unsubscribe = self.on_unsubscribe

    def connect(self):
        wanted = self.wanted
        if wanted.transport in ("tls", "wss"):
            context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=wanted.ca)
            if wanted.cert:
                context.load_cert_chain(wanted.cert, wanted.key)
            if wanted.tls:
                context.minimum_version = context.maximum_version = TLS_VERSIONS[wanted.tls]
            self.client.tls_set_context(context)
        if wanted.username is not None:
            self.client.username_pw_set(wanted.username)
        if wanted.will_topic:
            with open(wanted.will_file, "rb") as file:
                self.client.will_set(wanted.will_topic, file.read(), wanted.will_qos, wanted.will_retain)
        extra = {}
        if self.v5:
            extra["clean_start"] = not wanted.resume
            if wanted.session_expiry is not None:
                extra["properties"] = Properties(PacketTypes.CONNECT)
                extra["properties"].SessionExpiryInterval = wanted.session_expiry
        self.client.connect(wanted.host, wanted.port, wanted.keep_alive, **extra)
        self.client.loop_start()
        if not self.answered.wait(wanted.timeout):
            raise TimeoutError("no CONNACK")
        return self.admitted

    def on_connect(self, _client, _data, flags, reason, _properties):
        self.admitted = not reason.is_failure
        if self.admitted:
            # Its WebSocket keeps the socket to itself.
            cipher = getattr(self.client.socket(), "cipher", lambda: (None, None))()
            say("connected", reason=number(reason), session_present=flags.session_present, tls=cipher[1], cipher=cipher[0])
        else:
            say("refused", reason=number(reason))
        self.answered.set()

    def on_disconnect(self, _client, _data, flags, reason, _properties):
        by = "server" if flags.is_disconnect_packet_from_server else "other"
        say("disconnected", reason=number(reason), by=by)
        self.answered.set()

    def on_message(self, _client, _data, message):
        self.received += 1
        file = os.path.join(self.wanted.out_dir, f"{self.wanted.client_id}-{os.getpid()}-{self.received}")
        with open(file, "wb") as out:
            out.write(message.payload)
        say(
            "message",
            topic=message.topic,
            qos=message.qos,
            retain=bool(message.retain),
            dup=bool(message.dup),
            bytes=len(message.payload),
            file=file,
        )

    def on_publish(self, _client, _data, mid, reason, _properties):
        self.acknowledged[mid] = number(reason)

    def on_subscribe(self, _client, _data, _mid, reasons, _properties):
        say("subscribed", reasons=[number(reason) for reason in reasons])

    def on_unsubscribe(self, _client, _data, _mid, reasons, _properties):
        say("unsubscribed", reasons=[number(reason) for reason in reasons])

    def publish(self, topic, file, qos=0, retain=False):
        with open(file, "rb") as payload:
            sent = self.client.publish(topic, payload.read(), qos, retain)
        sent.wait_for_publish(self.wanted.timeout)
        if not sent.is_published():
            raise TimeoutError(f"no acknowledgement of {file}")
        say("published", reason=self.acknowledged.pop(sent.mid, 0))

    def subscribe(self, filter, qos=0, no_local=False, retain_as_published=False, retain_handling=0):
        if self.v5:
            wishes = SubscribeOptions(qos, no_local, retain_as_published, retain_handling)
            self.client.subscribe(filter, options=wishes)
        else:
            self.client.subscribe(filter, qos)

    def unsubscribe(self, filter):
        self.client.unsubscribe(filter)

    def obey(self, command):
        match command.pop("do"):
            case "publish":
                self.publish(**command)
            case "subscribe":
                self.subscribe(**command)
            case "unsubscribe":
                self.unsubscribe(**command)
            case "drop":
                # The kernel closes the connection; no DISCONNECT is sent, so the will is due.
                os._exit(0)
            case other:
                raise ValueError(f"unknown command {other}")


def main():
    session = Session(options())
    try:
        if not session.connect():
            return 1
        for line in sys.stdin:
            session.obey(json.loads(line))
        session.client.disconnect()
        session.client.loop_stop()
        return 0
    except Exception as error:
        say("error", kind=type(error).__name__, text=str(error))
        return 1


sys.exit(main())
