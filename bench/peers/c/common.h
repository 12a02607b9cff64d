/* The command line, the clock and the line of results: see harness/src/lib.rs. */
#ifndef COMMON_H
#define COMMON_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define TOPIC "bench/topic"
#define RATE 1000

typedef struct {
    const char *scenario, *ca, *cert, *key, *user;
    int port, mqtt, qos, size, count, window, nodelay;
    char client_id[32];
    char *payload;
} arguments;

static void die(const char *what, int code) {
    fprintf(stderr, "%s: %d\n", what, code);
    exit(1);
}

static arguments read_arguments(int argc, char **argv) {
    arguments a = {.scenario = argc > 1 ? argv[1] : "", .port = 1883, .mqtt = 5, .size = 16, .count = 1, .window = 100};
    for (int i = 2; i < argc; i++) {
        if (!strcmp(argv[i], "--nodelay")) {
            a.nodelay = 1;
            continue;
        }
        if (i + 1 >= argc) die(argv[i], 2);
        const char *name = argv[i], *value = argv[++i];
        if (!strcmp(name, "--port")) a.port = atoi(value);
        else if (!strcmp(name, "--mqtt")) a.mqtt = atoi(value);
        else if (!strcmp(name, "--qos")) a.qos = atoi(value);
        else if (!strcmp(name, "--size")) a.size = atoi(value) < 8 ? 8 : atoi(value);
        else if (!strcmp(name, "--count")) a.count = atoi(value);
        else if (!strcmp(name, "--window")) a.window = atoi(value);
        else if (!strcmp(name, "--ca")) a.ca = value;
        else if (!strcmp(name, "--cert")) a.cert = value;
        else if (!strcmp(name, "--key")) a.key = value;
        else if (!strcmp(name, "--user")) a.user = value;
        else die(name, 2);
    }
    snprintf(a.client_id, sizeof a.client_id, "bench-%d", (int)getpid());
    a.payload = malloc((size_t)a.size);
    if (!a.payload) die("no memory for the payload", 1);
    memset(a.payload, 'x', (size_t)a.size);
    return a;
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t cpu_us(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000u +
           (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static long high_water(void) {
    char line[256];
    long kib = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status)) sscanf(line, "VmHWM: %ld", &kib);
    if (status) fclose(status);
    return kib;
}

static uint64_t start_ns, start_cpu;

static void measure(void) {
    start_cpu = cpu_us();
    start_ns = now_ns();
}

static uint32_t *latencies;
static volatile int arrived;

static int by_size(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Takes the round-trip time of a message from the stamp in front of it, in tenths of a microsecond. */
static void take(const void *payload, int count) {
    uint64_t sent;
    memcpy(&sent, payload, sizeof sent);
    if (arrived < count) latencies[arrived] = (uint32_t)((now_ns() - sent) / 100);
}

static void finish(const arguments *a, const char *version) {
    double seconds = (double)(now_ns() - start_ns) / 1e9;
    uint64_t cpu = cpu_us() - start_cpu;
    printf("{\"version\":\"%s\",\"count\":%d,\"seconds\":%.6f,\"cpu_us\":%llu,\"hwm_kib\":%ld", version, a->count,
           seconds, (unsigned long long)cpu, high_water());
    if (!strcmp(a->scenario, "latency")) {
        qsort(latencies, (size_t)a->count, sizeof *latencies, by_size);
        printf(",\"p50_us\":%.1f,\"p99_us\":%.1f", latencies[a->count / 2] / 10.0,
               latencies[(int)(a->count * 0.99)] / 10.0);
    }
    printf("}\n");
    fflush(stdout);
}

/* Sleeps until the time of message `number` of the latency scenario. */
static void pace(int number) {
    uint64_t due = start_ns + (uint64_t)number * (1000000000u / RATE), now = now_ns();
    if (due > now) {
        struct timespec t = {(time_t)((due - now) / 1000000000u), (long)((due - now) % 1000000000u)};
        nanosleep(&t, NULL);
    }
}

#endif
