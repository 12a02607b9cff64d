/* paho's C client (MQTTAsync) under the control of a test: README.md describes options, commands and events. */
#include "lines.h"

#include <MQTTAsync.h>

static MQTTAsync client;

static void on_connect(void *context, MQTTAsync_successData *data) {
    (void)context;
    say_connected(data->alt.connect.sessionPresent);
    answered();
}
static void on_connect5(void *context, MQTTAsync_successData5 *data) {
    (void)context;
    say_connected(data->alt.connect.sessionPresent);
    answered();
}
static void on_refused(void *context, MQTTAsync_failureData *data) { (void)context, die("connect", data ? data->code : -1); }
static void on_refused5(void *context, MQTTAsync_failureData5 *data) {
    (void)context;
    if (data && data->reasonCode >= 0x80) {
        say("{\"event\": \"refused\", \"reason\": %d}", data->reasonCode);
        _exit(1);
    }
    die("connect", data ? data->code : -1);
}
static void on_sent(void *context, MQTTAsync_successData *data) {
    (void)context, (void)data;
    say("{\"event\": \"published\", \"reason\": 0}");
    answered();
}
static void on_sent5(void *context, MQTTAsync_successData5 *data) {
    (void)context;
    say("{\"event\": \"published\", \"reason\": %d}", data ? data->reasonCode : 0);
    answered();
}
static void on_subscribed(void *context, MQTTAsync_successData *data) {
    (void)context;
    say("{\"event\": \"subscribed\", \"reasons\": [%d]}", data->alt.qos);
    answered();
}
static void on_subscribed5(void *context, MQTTAsync_successData5 *data) {
    (void)context;
    say("{\"event\": \"subscribed\", \"reasons\": [%d]}", data->reasonCode);
    answered();
}
static void on_unsubscribed(void *context, MQTTAsync_successData *data) {
    (void)context, (void)data;
    say("{\"event\": \"unsubscribed\", \"reasons\": []}");
    answered();
}
static void on_unsubscribed5(void *context, MQTTAsync_successData5 *data) {
    (void)context;
    say("{\"event\": \"unsubscribed\", \"reasons\": [%d]}", data->reasonCode);
    answered();
}
static void on_left(void *context, MQTTAsync_successData *data) { (void)context, (void)data, answered(); }
static void on_left5(void *context, MQTTAsync_successData5 *data) { (void)context, (void)data, answered(); }
static void on_failure(void *context, MQTTAsync_failureData *data) { (void)context, die("failure", data ? data->code : -1); }
static void on_failure5(void *context, MQTTAsync_failureData5 *data) {
    (void)context, die("failure", data ? data->reasonCode ? (int)data->reasonCode : data->code : -1);
}

static int on_message(void *context, char *topic, int length, MQTTAsync_message *message) {
    (void)context, (void)length;
    say_message(topic, message->qos, message->retained, message->dup, message->payload, message->payloadlen);
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    return 1;
}
static void on_lost(void *context, char *cause) {
    (void)context, (void)cause;
    say("{\"event\": \"disconnected\", \"reason\": 0, \"by\": \"other\"}");
}
static void on_disconnected(void *context, MQTTProperties *properties, enum MQTTReasonCodes reason) {
    (void)context, (void)properties;
    say("{\"event\": \"disconnected\", \"reason\": %d, \"by\": \"server\"}", reason);
}

static MQTTAsync_responseOptions replies(MQTTAsync_onSuccess *success, MQTTAsync_onSuccess5 *success5) {
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    if (wanted.v5) {
        options.onSuccess5 = success5;
        options.onFailure5 = on_failure5;
    } else {
        options.onSuccess = success;
        options.onFailure = on_failure;
    }
    return options;
}

static void publish(const char *topic, payload content, int qos, int retain) {
    MQTTAsync_responseOptions options = replies(on_sent, on_sent5);
    int before = answers, code = MQTTAsync_send(client, topic, content.length, content.bytes, qos, retain, &options);
    if (code) die("send", code);
    wait_for_answer(before);
}
static void subscribe(const char *filter, int qos) {
    MQTTAsync_responseOptions options = replies(on_subscribed, on_subscribed5);
    int before = answers, code = MQTTAsync_subscribe(client, filter, qos, &options);
    if (code) die("subscribe", code);
    wait_for_answer(before);
}
static void unsubscribe(const char *filter) {
    MQTTAsync_responseOptions options = replies(on_unsubscribed, on_unsubscribed5);
    int before = answers, code = MQTTAsync_unsubscribe(client, filter, &options);
    if (code) die("unsubscribe", code);
    wait_for_answer(before);
}

static void make_client(void) {
    const char *scheme = !strcmp(wanted.transport, "tls") ? "ssl" : wanted.transport;
    const char *path = strncmp(wanted.transport, "ws", 2) ? "" : "/mqtt";
    char address[256];
    snprintf(address, sizeof address, "%s://%s:%d%s", scheme, wanted.host, wanted.port, path);
    MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer5;
    create.MQTTVersion = wanted.v5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
    int code = MQTTAsync_createWithOptions(&client, address, wanted.client_id, MQTTCLIENT_PERSISTENCE_NONE, NULL, &create);
    if (code) die("create", code);
    MQTTAsync_setCallbacks(client, NULL, on_lost, on_message, NULL);
    MQTTAsync_setDisconnected(client, NULL, on_disconnected);
}

static void connect_client(void) {
    MQTTAsync_connectOptions v5 = MQTTAsync_connectOptions_initializer5, v3 = MQTTAsync_connectOptions_initializer;
    MQTTAsync_connectOptions ws5 = MQTTAsync_connectOptions_initializer5_ws, ws3 = MQTTAsync_connectOptions_initializer_ws;
    int websocket = !strncmp(wanted.transport, "ws", 2);
    MQTTAsync_connectOptions options = wanted.v5 ? (websocket ? ws5 : v5) : (websocket ? ws3 : v3);
    MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
    MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
    MQTTProperties properties = MQTTProperties_initializer;
    options.keepAliveInterval = wanted.keep_alive;
    options.connectTimeout = wanted.timeout;
    options.username = wanted.username;
    if (wanted.v5) {
        options.cleanstart = !wanted.resume;
        options.onSuccess5 = on_connect5;
        options.onFailure5 = on_refused5;
        if (wanted.expiry >= 0) {
            MQTTProperty expiry = {.identifier = MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL, .value.integer4 = (unsigned)wanted.expiry};
            MQTTProperties_add(&properties, &expiry);
            options.connectProperties = &properties;
        }
    } else {
        options.cleansession = !wanted.resume;
        options.onSuccess = on_connect;
        options.onFailure = on_refused;
    }
    if (wanted.will_topic) {
        payload content = read_file(wanted.will_file);
        will.topicName = wanted.will_topic;
        will.payload.len = content.length;
        will.payload.data = content.bytes;
        will.qos = wanted.will_qos;
        will.retained = wanted.will_retain;
        options.will = &will;
    }
    if (encrypted()) {
        tls.trustStore = wanted.ca;
        tls.keyStore = wanted.cert;
        tls.privateKey = wanted.key;
        tls.verify = 1;
        options.ssl = &tls;
    }
    int before = answers, code = MQTTAsync_connect(client, &options);
    if (code) die("connect", code);
    wait_for_answer(before);
}

int main(int argc, char **argv) {
    read_options(argc, argv);
    make_client();
    connect_client();
    obey();
    MQTTAsync_disconnectOptions v5 = MQTTAsync_disconnectOptions_initializer5, v3 = MQTTAsync_disconnectOptions_initializer;
    MQTTAsync_disconnectOptions options = wanted.v5 ? v5 : v3;
    if (wanted.v5) options.onSuccess5 = on_left5;
    else options.onSuccess = on_left;
    options.timeout = 1000;
    int before = answers;
    if (!MQTTAsync_disconnect(client, &options)) wait_for_answer(before);
    MQTTAsync_destroy(&client);
    return 0;
}
