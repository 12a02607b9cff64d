"""One role of a scenario of Microsoft's MqttApplicationSamples, played with paho-mqtt as its Python code plays it:
topics, payloads, properties and MQTT version are the samples'. Lines of text on standard output say what happened."""

import argparse
import datetime
import json
import sys
import threading
import uuid

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

POSITIONS = "vehicles/+/position"
REQUEST = "vehicles/vehicle03/command/unlock/request"
RESPONSE = "vehicles/vehicle03/command/unlock/response"
ALERT = "vehicles/weather/alert"


def say(*words):
    print(*words, flush=True)


def properties(**values):
    made = Properties(PacketTypes.PUBLISH)
    for name, value in values.items():
        setattr(made, name, value)
    return made


class Role:
    def __init__(self, wanted, version, subscribes=None, qos=0, expiry=None):
        self.wanted, self.expiry = wanted, expiry
        self.ready, self.answered = threading.Event(), threading.Event()
        self.subscribes, self.qos = subscribes, qos
        # Before version 5 the library takes the word for a clean session here.
        clean = {} if version == mqtt.MQTTv5 else {"clean_session": True}
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id=wanted.client_id, protocol=version, **clean
        )
        self.client.on_connect = self.on_connect
        self.client.on_subscribe = self.on_subscribe
        self.client.on_message = lambda _client, _data, message: self.on_message(message)

    def start(self):
        if self.expiry is None:
            self.client.connect(self.wanted.host, self.wanted.port)
        else:
            session = Properties(PacketTypes.CONNECT)
            session.SessionExpiryInterval = self.expiry
            self.client.connect(self.wanted.host, self.wanted.port, clean_start=False, properties=session)
        self.client.loop_start()
        if not self.ready.wait(self.wanted.timeout):
            raise TimeoutError("not connected and subscribed in time")
        say("ready")

    def on_connect(self, client, _data, flags, reason, _properties):
        if reason.is_failure:
            say("refused", reason)
        elif self.subscribes is None:
            self.ready.set()
        else:
            say("resumed" if flags.session_present else "new")
            client.subscribe(self.subscribes, qos=self.qos)

    def on_subscribe(self, _client, _data, _mid, reasons, _properties):
        if any(reason.is_failure for reason in reasons):
            say("refused", *reasons)
        self.ready.set()

    def on_message(self, message):
        say("message", message.topic, message.payload.decode())

    def publish(self, topic, payload, qos, made=None):
        sent = self.client.publish(topic, payload, qos=qos, properties=made)
        sent.wait_for_publish(self.wanted.timeout)


class Receiver(Role):
    def on_message(self, message):
        asked = message.properties
        say("request", message.topic, getattr(asked, "ContentType", "-"), len(message.payload), message.payload.hex())
        made = properties(CorrelationData=asked.CorrelationData)
        made.UserProperty = ("Succeed", "True")
        # Not waited for: this is the thread that would see the acknowledgement.
        self.client.publish(asked.ResponseTopic, "placeholder", qos=1, properties=made)


class Invoker(Role):
    def on_message(self, message):
        self.response = message
        self.answered.set()

    def invoke(self):
        correlation = str(uuid.uuid4()).encode()
        made = properties(CorrelationData=correlation, ResponseTopic=RESPONSE)
        made.UserProperty = ("When", str(datetime.datetime.now(datetime.timezone.utc)))
        made.UserProperty = ("RequestedFrom", self.wanted.client_id)
        self.publish(REQUEST, "placeholder", 1, made)
        if not self.answered.wait(self.wanted.timeout):
            raise TimeoutError("no response")
        answer = self.response.properties
        if answer.CorrelationData != correlation:
            raise ValueError("another correlation")
        say("response", self.response.payload.hex(), getattr(answer, "ContentType", "-"), json.dumps(answer.UserProperty))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("role")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--client-id", required=True)
    parser.add_argument("--timeout", type=float, default=30)
    wanted = parser.parse_args()
    match wanted.role:
        case "telemetry-producer":
            role = Role(wanted, mqtt.MQTTv311)
        case "telemetry-consumer":
            role = Role(wanted, mqtt.MQTTv311, POSITIONS)
        case "command-invoker":
            role = Invoker(wanted, mqtt.MQTTv5, RESPONSE, 1)
        case "command-receiver":
            role = Receiver(wanted, mqtt.MQTTv5, REQUEST, 1)
        case "alert-sender":
            role = Role(wanted, mqtt.MQTTv5)
        case "alert-receiver":
            role = Role(wanted, mqtt.MQTTv5, ALERT, 1, expiry=3600)
        case other:
            raise ValueError(f"unknown role {other}")
    role.start()
    match wanted.role:
        case "telemetry-producer":
            for number in range(3):
                position = f'"type":"Point", "coordinates":[{number}.5,47.25]'
                role.publish(f"vehicles/{wanted.client_id}/position", position, 0)
        case "command-invoker":
            role.invoke()
        case "alert-sender":
            alert = {"type": 0, "alert": "Heavy Rain", "time": "2024-06-25T12:00:00Z"}
            role.publish(ALERT, json.dumps(alert), 1, properties(MessageExpiryInterval=300))
        case _:
            # Until the end of the input.
            sys.stdin.read()
    role.client.disconnect()
    role.client.loop_stop()


main()
