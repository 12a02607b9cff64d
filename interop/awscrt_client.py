"""AWS's CRT client under the control of a test: README.md beside this file describes options, commands and events."""

import argparse
import concurrent.futures
import json
import os
import sys
import threading

from awscrt import io, mqtt, mqtt5

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


def content(file):
    with open(file, "rb") as source:
        return source.read()


class Common:
    """What both of its clients have in common; every wait ends with the timeout."""

    def __init__(self, wanted):
        self.wanted = wanted
        self.received = 0
        self.tls = None
        if wanted.transport in ("tls", "wss"):
            context = io.TlsContextOptions.create_client_with_mtls_from_path(wanted.cert, wanted.key)
            context.override_default_trust_store_from_path(ca_filepath=wanted.ca)
            self.tls = io.ClientTlsContext(context)
        self.websocket = wanted.transport in ("ws", "wss")

    def message(self, topic, payload, qos, retain, dup):
        self.received += 1
        file = os.path.join(self.wanted.out_dir, f"{self.wanted.client_id}-{os.getpid()}-{self.received}")
        with open(file, "wb") as out:
            out.write(payload or b"")
        say(
            "message", topic=topic, qos=int(qos), retain=bool(retain), dup=bool(dup), bytes=len(payload or b""), file=file
        )


class V3(Common):
    def connect(self):
        wanted = self.wanted
        will = None
        if wanted.will_topic:
            will = mqtt.Will(wanted.will_topic, mqtt.QoS(wanted.will_qos), content(wanted.will_file), wanted.will_retain)
        self.client = mqtt.Connection(
            mqtt.Client(tls_ctx=self.tls),
            wanted.host,
            wanted.port,
            wanted.client_id,
            clean_session=not wanted.resume,
            keep_alive_secs=wanted.keep_alive,
            username=wanted.username,
            will=will,
            use_websockets=self.websocket,
            websocket_handshake_transform=(lambda transform_args, **_: transform_args.set_done()) if self.websocket else None,
            disable_metrics=True,
            on_connection_interrupted=lambda connection, error, **_: say("disconnected", reason=0, by="other"),
        )
        self.client.on_message(lambda topic, payload, dup, qos, retain, **_: self.message(topic, payload, qos, retain, dup))
        answer = self.client.connect().result(wanted.timeout)
        say("connected", reason=0, session_present=answer["session_present"], tls=None)

    def publish(self, topic, file, qos=0, retain=False):
        self.client.publish(topic, content(file), mqtt.QoS(qos), retain)[0].result(self.wanted.timeout)
        say("published", reason=0)

    def subscribe(self, filter, qos=0):
        answer = self.client.subscribe(filter, mqtt.QoS(qos))[0].result(self.wanted.timeout)
        say("subscribed", reasons=[int(answer["qos"])])

    def unsubscribe(self, filter):
        self.client.unsubscribe(filter)[0].result(self.wanted.timeout)
        say("unsubscribed", reasons=[])

    def disconnect(self):
        self.client.disconnect().result(self.wanted.timeout)


class V5(Common):
    def connect(self):
        wanted = self.wanted
        will = None
        if wanted.will_topic:
            will = mqtt5.PublishPacket(
                topic=wanted.will_topic,
                qos=mqtt5.QoS(wanted.will_qos),
                payload=content(wanted.will_file),
                retain=wanted.will_retain,
            )
        behaviour = mqtt5.ClientSessionBehaviorType
        self.admitted = concurrent.futures.Future()
        self.stopped = concurrent.futures.Future()
        self.client = mqtt5.Client(
            mqtt5.ClientOptions(
                host_name=wanted.host,
                port=wanted.port,
                tls_ctx=self.tls,
                connect_options=mqtt5.ConnectPacket(
                    client_id=wanted.client_id,
                    keep_alive_interval_sec=wanted.keep_alive,
                    username=wanted.username,
                    session_expiry_interval_sec=wanted.session_expiry,
                    will=will,
                ),
                session_behavior=behaviour.REJOIN_ALWAYS if wanted.resume else behaviour.CLEAN,
                websocket_handshake_transform=(lambda transform_args: transform_args.set_done()) if self.websocket else None,
                on_publish_callback_fn=self.on_publish,
                on_lifecycle_event_connection_success_fn=lambda data: self.admitted.set_result(data.connack_packet),
                on_lifecycle_event_connection_failure_fn=lambda data: self.admitted.set_exception(data.exception),
                on_lifecycle_event_stopped_fn=lambda data: self.stopped.set_result(None),
                disable_metrics=True,
            )
        )
        self.client.start()
        connack = self.admitted.result(wanted.timeout)
        say("connected", reason=int(connack.reason_code), session_present=connack.session_present, tls=None)

    def on_publish(self, data):
        packet = data.publish_packet
        self.message(packet.topic, packet.payload, packet.qos, packet.retain, False)

    def publish(self, topic, file, qos=0, retain=False):
        packet = mqtt5.PublishPacket(topic=topic, payload=content(file), qos=mqtt5.QoS(qos), retain=retain)
        answer = self.client.publish(packet).result(self.wanted.timeout)
        say("published", reason=int(answer.puback.reason_code or 0))

    def subscribe(self, filter, qos=0):
        packet = mqtt5.SubscribePacket([mqtt5.Subscription(filter, mqtt5.QoS(qos))])
        answer = self.client.subscribe(packet).result(self.wanted.timeout)
        say("subscribed", reasons=[int(reason) for reason in answer.reason_codes])

    def unsubscribe(self, filter):
        answer = self.client.unsubscribe(mqtt5.UnsubscribePacket([filter])).result(self.wanted.timeout)
        say("unsubscribed", reasons=[int(reason) for reason in answer.reason_codes])

    def disconnect(self):
        self.client.stop(mqtt5.DisconnectPacket(reason_code=mqtt5.DisconnectReasonCode.NORMAL_DISCONNECTION))
        self.stopped.result(self.wanted.timeout)


def main():
    wanted = options()
    client = (V5 if wanted.version == "5" else V3)(wanted)
    try:
        client.connect()
        for line in sys.stdin:
            command = json.loads(line)
            what = command.pop("do")
            if what == "drop":
                # The kernel closes the connection; no DISCONNECT is sent, so the will is due.
                os._exit(0)
            if what not in ("publish", "subscribe", "unsubscribe"):
                raise ValueError(f"unknown command {what}")
            getattr(client, what)(**command)
        client.disconnect()
        return 0
    except Exception as error:
        say("error", kind=type(error).__name__, text=str(error))
        return 1


sys.exit(main())
