/* What the C clients share: the options, the commands and the events that README.md describes. */
#ifndef LINES_H
#define LINES_H

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    const char *host, *transport, *ca, *cert, *key, *username, *client_id, *will_topic, *will_file, *out_dir;
    int port, v5, resume, expiry, keep_alive, will_qos, will_retain, timeout;
} options;

typedef struct {
    char *bytes;
    int length;
} payload;

static options wanted = {.transport = "tls", .keep_alive = 30, .timeout = 30, .expiry = -1};
static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER, lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
/* Answers that the library has told so far. */
static int answers;

static void say(const char *format, ...) {
    va_list values;
    pthread_mutex_lock(&output);
    va_start(values, format);
    vprintf(format, values);
    va_end(values);
    putchar('\n');
    fflush(stdout);
    pthread_mutex_unlock(&output);
}

static void die(const char *what, int code) {
    say("{\"event\": \"error\", \"kind\": \"%s\", \"text\": \"code %d\"}", what, code);
    _exit(1);
}

static void answered(void) {
    pthread_mutex_lock(&lock);
    answers++;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

/* Commands go one by one, so there is one answer to wait for. */
static void wait_for_answer(int before) {
    pthread_mutex_lock(&lock);
    while (answers == before) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static payload read_file(const char *name) {
    FILE *file = fopen(name, "rb");
    if (!file) die("file", 1);
    fseek(file, 0, SEEK_END);
    payload read = {.length = (int)ftell(file)};
    rewind(file);
    read.bytes = malloc((size_t)read.length + 1);
    if (!read.bytes || fread(read.bytes, 1, (size_t)read.length, file) != (size_t)read.length) die("file", 2);
    fclose(file);
    return read;
}

static void say_message(const char *topic, int qos, int retain, int dup, const void *bytes, int length) {
    static int received;
    char name[512];
    snprintf(name, sizeof name, "%s/%s-%d-%d", wanted.out_dir, wanted.client_id, (int)getpid(), ++received);
    FILE *file = fopen(name, "wb");
    if (!file || fwrite(bytes, 1, (size_t)length, file) != (size_t)length || fclose(file)) die("file", 3);
    say("{\"event\": \"message\", \"topic\": \"%s\", \"qos\": %d, \"retain\": %s, \"dup\": %s, \"bytes\": %d, \"file\": \"%s\"}",
        topic, qos, retain ? "true" : "false", dup ? "true" : "false", length, name);
}

static void say_connected(int session_present) {
    say("{\"event\": \"connected\", \"reason\": 0, \"session_present\": %s, \"tls\": null}",
        session_present ? "true" : "false");
}

static int encrypted(void) { return !strcmp(wanted.transport, "tls") || !strcmp(wanted.transport, "wss"); }

static void read_options(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        if (!strcmp(name, "--resume")) { wanted.resume = 1; continue; }
        if (!strcmp(name, "--will-retain")) { wanted.will_retain = 1; continue; }
        if (++i >= argc) die(name, 2);
        const char *value = argv[i];
        struct { const char *name, **text; int *number; } all[] = {
            {"--host", &wanted.host, 0}, {"--transport", &wanted.transport, 0}, {"--ca", &wanted.ca, 0},
            {"--cert", &wanted.cert, 0}, {"--key", &wanted.key, 0}, {"--username", &wanted.username, 0},
            {"--client-id", &wanted.client_id, 0}, {"--will-topic", &wanted.will_topic, 0},
            {"--will-file", &wanted.will_file, 0}, {"--out-dir", &wanted.out_dir, 0}, {"--port", 0, &wanted.port},
            {"--version", 0, &wanted.v5}, {"--session-expiry", 0, &wanted.expiry},
            {"--keep-alive", 0, &wanted.keep_alive}, {"--will-qos", 0, &wanted.will_qos},
            {"--timeout", 0, &wanted.timeout}};
        int known = 0;
        for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
            if (strcmp(name, all[k].name)) continue;
            known = 1;
            if (all[k].text) *all[k].text = value;
            else *all[k].number = atoi(value);
        }
        if (!known) die(name, 2);
    }
    wanted.v5 = wanted.v5 == 5;
}

/* The value of a field of a command, without quotes; the tests write no escapes. Empty if it is not there. */
static const char *field(const char *line, const char *name, char *value, size_t room) {
    char key[64];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = strstr(line, key);
    size_t length = 0;
    if (at) {
        at += strlen(key);
        int quoted = *at == '"';
        at += quoted;
        length = strcspn(at, quoted ? "\"" : ",}\n");
        if (length >= room) die(name, 3);
        memcpy(value, at, length);
    }
    value[length] = 0;
    return value;
}

/* What a client does with its library; publish, subscribe and unsubscribe come back once the answer was told. */
static void publish(const char *topic, payload content, int qos, int retain);
static void subscribe(const char *filter, int qos);
static void unsubscribe(const char *filter);

static void obey(void) {
    static char line[4096];
    while (fgets(line, sizeof line, stdin)) {
        char what[32], topic[512], filter[512], file[1024], qos[8], retain[8];
        field(line, "do", what, sizeof what);
        field(line, "topic", topic, sizeof topic);
        field(line, "filter", filter, sizeof filter);
        field(line, "file", file, sizeof file);
        field(line, "qos", qos, sizeof qos);
        field(line, "retain", retain, sizeof retain);
        if (!strcmp(what, "publish")) {
            payload content = read_file(file);
            publish(topic, content, atoi(qos), !strcmp(retain, "true"));
            free(content.bytes);
        } else if (!strcmp(what, "subscribe")) subscribe(filter, atoi(qos));
        else if (!strcmp(what, "unsubscribe")) unsubscribe(filter);
        /* The kernel closes the connection; no DISCONNECT is sent, so the will is due. */
        else if (!strcmp(what, "drop")) _exit(0);
        else die(what, 4);
    }
}

#endif
