/* libmosquitto under measurement: one thread, which publishes and runs the network loop in turn; two for latency. */
#include "common.h"

#include <mosquitto.h>
#include <mqtt_protocol.h>

static arguments args;
static volatile int connected, subscribed, acknowledged, disconnected;

static void on_connect(struct mosquitto *m, void *u, int code) {
    (void)m, (void)u;
    if (code) die("CONNACK", code);
    connected = 1;
}
static void on_disconnect(struct mosquitto *m, void *u, int code) {
    (void)m, (void)u, (void)code;
    disconnected = 1;
}
static void on_subscribe(struct mosquitto *m, void *u, int id, int n, const int *granted) {
    (void)m, (void)u, (void)id, (void)n, (void)granted;
    subscribed = 1;
}
static void on_publish(struct mosquitto *m, void *u, int id) {
    (void)m, (void)u, (void)id;
    acknowledged++;
}
static void on_message(struct mosquitto *m, void *u, const struct mosquitto_message *message) {
    (void)m, (void)u;
    if (latencies) take(message->payload, args.count);
    arrived++;
}

static struct mosquitto *make(void) {
    struct mosquitto *m = mosquitto_new(args.client_id, true, NULL);
    mosquitto_int_option(m, MOSQ_OPT_PROTOCOL_VERSION, args.mqtt == 4 ? MQTT_PROTOCOL_V311 : MQTT_PROTOCOL_V5);
    mosquitto_int_option(m, MOSQ_OPT_TCP_NODELAY, args.nodelay);
    mosquitto_max_inflight_messages_set(m, (unsigned)args.window);
    mosquitto_connect_callback_set(m, on_connect);
    mosquitto_disconnect_callback_set(m, on_disconnect);
    mosquitto_subscribe_callback_set(m, on_subscribe);
    mosquitto_publish_callback_set(m, on_publish);
    mosquitto_message_callback_set(m, on_message);
    if (args.user) mosquitto_username_pw_set(m, args.user, NULL);
    if (args.ca) mosquitto_tls_set(m, args.ca, NULL, args.cert, args.key, NULL);
    connected = disconnected = 0;
    int code = mosquitto_connect(m, "localhost", args.port, 60);
    if (code) die("connect", code);
    return m;
}

static void turn(struct mosquitto *m, int wait_ms) {
    int code = mosquitto_loop(m, wait_ms, 1);
    if (code && !disconnected) die("loop", code);
}

static void leave(struct mosquitto *m) {
    mosquitto_disconnect(m);
    while (!disconnected && mosquitto_loop(m, 100, 1) == MOSQ_ERR_SUCCESS) {
    }
    mosquitto_destroy(m);
}

static void publish_one(struct mosquitto *m, int qos) {
    int code = mosquitto_publish(m, NULL, TOPIC, args.size, args.payload, qos, false);
    if (code) die("publish", code);
}

static void publish(struct mosquitto *m) {
    int sent = 0, base = acknowledged;
    while (acknowledged - base < args.count) {
        while (sent < args.count && sent - (acknowledged - base) < args.window) {
            publish_one(m, args.qos);
            sent++;
        }
        if (acknowledged - base < args.count) turn(m, args.qos || mosquitto_want_write(m) ? 100 : 0);
    }
    if (!args.qos) {
        publish_one(m, 1);
        while (acknowledged - base < args.count + 1) turn(m, 100);
    }
}

int main(int argc, char **argv) {
    args = read_arguments(argc, argv);
    int major, minor, revision;
    char version[32];
    mosquitto_lib_init();
    mosquitto_lib_version(&major, &minor, &revision);
    snprintf(version, sizeof version, "%d.%d.%d", major, minor, revision);
    if (!strcmp(args.scenario, "connect")) {
        measure();
        for (int i = 0; i < args.count; i++) {
            struct mosquitto *m = make();
            while (!connected) turn(m, 100);
            leave(m);
        }
        finish(&args, version);
        return 0;
    }
    struct mosquitto *m = make();
    while (!connected) turn(m, 100);
    if (!strcmp(args.scenario, "publish")) {
        measure();
        publish(m);
    } else if (!strcmp(args.scenario, "receive")) {
        measure();
        mosquitto_subscribe(m, NULL, TOPIC, args.qos);
        while (arrived < args.count) turn(m, 100);
    } else {
        latencies = calloc((size_t)args.count, sizeof *latencies);
        if (!latencies) die("no memory for the times", 1);
        mosquitto_subscribe(m, NULL, TOPIC, args.qos);
        while (!subscribed) turn(m, 100);
        mosquitto_loop_start(m);
        measure();
        for (int i = 0; i < args.count; i++) {
            pace(i);
            uint64_t now = now_ns();
            memcpy(args.payload, &now, sizeof now);
            publish_one(m, args.qos);
        }
        while (arrived < args.count) usleep(1000);
    }
    finish(&args, version);
    if (latencies) _exit(0);
    leave(m);
    return 0;
}
