/* paho's C client under measurement: MQTTAsync, with its own threads. */
#include "common.h"

#include <MQTTAsync.h>
#include <pthread.h>

static arguments args;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int connected, subscribed, acknowledged, disconnected;

static void note(int *what) {
    pthread_mutex_lock(&lock);
    ++*what;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}
static void wait_for(const int *what, int number) {
    pthread_mutex_lock(&lock);
    while (*what < number) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static void on_connect(void *c, MQTTAsync_successData *d) { (void)c, (void)d, note(&connected); }
static void on_connect5(void *c, MQTTAsync_successData5 *d) { (void)c, (void)d, note(&connected); }
static void on_subscribe(void *c, MQTTAsync_successData *d) { (void)c, (void)d, note(&subscribed); }
static void on_subscribe5(void *c, MQTTAsync_successData5 *d) { (void)c, (void)d, note(&subscribed); }
static void on_sent(void *c, MQTTAsync_successData *d) { (void)c, (void)d, note(&acknowledged); }
static void on_sent5(void *c, MQTTAsync_successData5 *d) { (void)c, (void)d, note(&acknowledged); }
static void on_left(void *c, MQTTAsync_successData *d) { (void)c, (void)d, note(&disconnected); }
static void on_left5(void *c, MQTTAsync_successData5 *d) { (void)c, (void)d, note(&disconnected); }
static void on_failure(void *c, MQTTAsync_failureData *d) { (void)c, die("failure", d ? d->code : -1); }
static void on_failure5(void *c, MQTTAsync_failureData5 *d) { (void)c, die("failure", d ? d->code : -1); }

static int arrived_now;
static int on_message(void *context, char *topic, int length, MQTTAsync_message *message) {
    (void)context, (void)length;
    if (latencies) take(message->payload, args.count);
    arrived++;
    if (arrived == args.count) note(&arrived_now);
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    return 1;
}

static MQTTAsync make(void) {
    char address[64];
    snprintf(address, sizeof address, "%s://localhost:%d", args.ca ? "ssl" : "tcp", args.port);
    MQTTAsync client;
    MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer5;
    create.MQTTVersion = args.mqtt == 4 ? MQTTVERSION_3_1_1 : MQTTVERSION_5;
    create.maxBufferedMessages = args.window * 2;
    int code = MQTTAsync_createWithOptions(&client, address, args.client_id, MQTTCLIENT_PERSISTENCE_NONE, NULL, &create);
    if (code) die("create", code);
    MQTTAsync_setCallbacks(client, NULL, NULL, on_message, NULL);
    MQTTAsync_connectOptions v5 = MQTTAsync_connectOptions_initializer5, v4 = MQTTAsync_connectOptions_initializer;
    MQTTAsync_connectOptions options = args.mqtt == 4 ? v4 : v5;
    MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
    options.maxInflight = args.window;
    options.username = args.user;
    if (args.mqtt == 4) {
        options.onSuccess = on_connect;
        options.onFailure = on_failure;
    } else {
        options.onSuccess5 = on_connect5;
        options.onFailure5 = on_failure5;
    }
    if (args.ca) {
        tls.trustStore = args.ca;
        tls.keyStore = args.cert;
        tls.privateKey = args.key;
        tls.verify = 1;
        options.ssl = &tls;
    }
    int before = connected;
    code = MQTTAsync_connect(client, &options);
    if (code) die("connect", code);
    wait_for(&connected, before + 1);
    return client;
}

static void leave(MQTTAsync client) {
    MQTTAsync_disconnectOptions v5 = MQTTAsync_disconnectOptions_initializer5,
                                v4 = MQTTAsync_disconnectOptions_initializer;
    MQTTAsync_disconnectOptions options = args.mqtt == 4 ? v4 : v5;
    if (args.mqtt == 4) options.onSuccess = on_left;
    else options.onSuccess5 = on_left5;
    int before = disconnected;
    if (!MQTTAsync_disconnect(client, &options)) wait_for(&disconnected, before + 1);
    MQTTAsync_destroy(&client);
}

static MQTTAsync_responseOptions replies(int subscribe) {
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    if (args.mqtt == 4) {
        options.onSuccess = subscribe ? on_subscribe : on_sent;
        options.onFailure = on_failure;
    } else {
        options.onSuccess5 = subscribe ? on_subscribe5 : on_sent5;
        options.onFailure5 = on_failure5;
    }
    return options;
}

static void publish_one(MQTTAsync client, int qos) {
    MQTTAsync_responseOptions options = replies(0);
    int code = MQTTAsync_send(client, TOPIC, args.size, args.payload, qos, 0, &options);
    if (code) die("send", code);
}

static void subscribe(MQTTAsync client) {
    MQTTAsync_responseOptions options = replies(1);
    int code = MQTTAsync_subscribe(client, TOPIC, args.qos, &options);
    if (code) die("subscribe", code);
}

int main(int argc, char **argv) {
    args = read_arguments(argc, argv);
    MQTTAsync_nameValue *info = MQTTAsync_getVersionInfo();
    const char *version = "unknown";
    for (; info->name; info++)
        if (!strcmp(info->name, "Version")) version = info->value;
    if (!strcmp(args.scenario, "connect")) {
        measure();
        for (int i = 0; i < args.count; i++) leave(make());
        finish(&args, version);
        return 0;
    }
    MQTTAsync client = make();
    if (!strcmp(args.scenario, "publish")) {
        measure();
        for (int sent = 0; sent < args.count; sent++) {
            wait_for(&acknowledged, sent - args.window + 1);
            publish_one(client, args.qos);
        }
        wait_for(&acknowledged, args.count);
        if (!args.qos) {
            publish_one(client, 1);
            wait_for(&acknowledged, args.count + 1);
        }
    } else if (!strcmp(args.scenario, "receive")) {
        measure();
        subscribe(client);
        wait_for(&arrived_now, 1);
    } else {
        latencies = calloc((size_t)args.count, sizeof *latencies);
        if (!latencies) die("no memory for the times", 1);
        subscribe(client);
        wait_for(&subscribed, 1);
        measure();
        for (int i = 0; i < args.count; i++) {
            pace(i);
            uint64_t now = now_ns();
            memcpy(args.payload, &now, sizeof now);
            publish_one(client, args.qos);
        }
        wait_for(&arrived_now, 1);
    }
    finish(&args, version);
    leave(client);
    return 0;
}
