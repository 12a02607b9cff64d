/* mosquitto's client library under the control of a test: README.md describes options, commands and events. */
#include "lines.h"

#include <mosquitto.h>
#include <mqtt_protocol.h>

static struct mosquitto *client;
static int leaving;

static void on_connect(struct mosquitto *m, void *data, int reason, int flags, const mosquitto_property *properties) {
    (void)m, (void)data, (void)properties;
    if (reason) {
        say("{\"event\": \"refused\", \"reason\": %d}", reason);
        _exit(1);
    }
    say_connected(flags & 1);
    answered();
}
static void on_disconnect(struct mosquitto *m, void *data, int reason, const mosquitto_property *properties) {
    (void)m, (void)data, (void)properties;
    if (!leaving) say("{\"event\": \"disconnected\", \"reason\": %d, \"by\": \"other\"}", reason);
}
static void on_publish(struct mosquitto *m, void *data, int id, int reason, const mosquitto_property *properties) {
    (void)m, (void)data, (void)id, (void)properties;
    say("{\"event\": \"published\", \"reason\": %d}", reason);
    answered();
}
static void on_subscribe(struct mosquitto *m, void *data, int id, int count, const int *granted, const mosquitto_property *properties) {
    (void)m, (void)data, (void)id, (void)properties;
    say("{\"event\": \"subscribed\", \"reasons\": [%d]}", count ? granted[0] : -1);
    answered();
}
static void on_unsubscribe(struct mosquitto *m, void *data, int id, const mosquitto_property *properties) {
    (void)m, (void)data, (void)id, (void)properties;
    say("{\"event\": \"unsubscribed\", \"reasons\": []}");
    answered();
}
static void on_message(struct mosquitto *m, void *data, const struct mosquitto_message *message, const mosquitto_property *properties) {
    (void)m, (void)data, (void)properties;
    say_message(message->topic, message->qos, message->retain, 0, message->payload, message->payloadlen);
}

static void check(const char *what, int code) {
    if (code) die(what, code);
}

static void publish(const char *topic, payload content, int qos, int retain) {
    int before = answers;
    check("publish", mosquitto_publish_v5(client, NULL, topic, content.length, content.bytes, qos, retain, NULL));
    wait_for_answer(before);
}
static void subscribe(const char *filter, int qos) {
    int before = answers;
    check("subscribe", mosquitto_subscribe_v5(client, NULL, filter, qos, 0, NULL));
    wait_for_answer(before);
}
static void unsubscribe(const char *filter) {
    int before = answers;
    check("unsubscribe", mosquitto_unsubscribe_v5(client, NULL, filter, NULL));
    wait_for_answer(before);
}

int main(int argc, char **argv) {
    read_options(argc, argv);
    mosquitto_lib_init();
    client = mosquitto_new(wanted.client_id, !wanted.resume, NULL);
    if (!client) die("new", 1);
    mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, wanted.v5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311);
    mosquitto_connect_v5_callback_set(client, on_connect);
    mosquitto_disconnect_v5_callback_set(client, on_disconnect);
    mosquitto_publish_v5_callback_set(client, on_publish);
    mosquitto_subscribe_v5_callback_set(client, on_subscribe);
    mosquitto_unsubscribe_v5_callback_set(client, on_unsubscribe);
    mosquitto_message_v5_callback_set(client, on_message);
    if (wanted.username) check("username", mosquitto_username_pw_set(client, wanted.username, NULL));
    if (wanted.will_topic) {
        payload will = read_file(wanted.will_file);
        check("will", mosquitto_will_set_v5(client, wanted.will_topic, will.length, will.bytes, wanted.will_qos, wanted.will_retain, NULL));
    }
    if (encrypted()) check("tls", mosquitto_tls_set(client, wanted.ca, NULL, wanted.cert, wanted.key, NULL));
    mosquitto_property *properties = NULL;
    if (wanted.v5 && wanted.expiry >= 0)
        mosquitto_property_add_int32(&properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL, (unsigned)wanted.expiry);
    int before = answers;
    check("connect", mosquitto_connect_bind_v5(client, wanted.host, wanted.port, wanted.keep_alive, NULL, properties));
    check("loop", mosquitto_loop_start(client));
    wait_for_answer(before);
    obey();
    leaving = 1;
    check("disconnect", mosquitto_disconnect_v5(client, 0, NULL));
    mosquitto_loop_stop(client, 0);
    mosquitto_destroy(client);
    mosquitto_lib_cleanup();
    return 0;
}
