/*
 * The attached application that tests/cluster/bench measures with: takes every write, and keeps nothing or a log of its own.
 *
 *   assent-test-bench-application SOCKET GROUP [FILE]
 *
 * With FILE each write is appended to it, and everything that came meanwhile shares one fdatasync, as in examples/jobqueue.c.
 * On SIGUSR1 it prints what it saw since the last one, in JSON: writes, rounds of dispatching that brought any, syncs, and
 * the time from the question whether a write can be applied (prepare) to its verdict (confirm).
 */
#include <assent/assent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum { MOST_SAMPLES = 1 << 22, IN_HAND = 1 << 14 };

static assent_handle_t handle;
static int file = -1;
static uint64_t applied, durable;
static uint64_t writes, rounds, syncs;
static int64_t asked[IN_HAND]; /* when, by index; more than a daemon gives at a time */
static uint32_t *samples;      /* microseconds */
static size_t sampled;

static void die(const char *what) {
    fprintf(stderr, "bench application: %s: %s\n", what, assent_error_detail());
    exit(1);
}

static int64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static void on_prepare(assent_handle_t h, const assent_entry_t *entry, void *context) {
    (void)context;
    asked[entry->index % IN_HAND] = now_us();
    assent_accept(h, entry->ask);
}

static void on_confirm(assent_handle_t h, const assent_entry_t *entry, void *context) {
    int64_t *since = &asked[entry->index % IN_HAND];
    (void)context;
    if (file >= 0 && write(file, entry->data, entry->length) != (ssize_t)entry->length) die("write");
    if (*since && sampled < MOST_SAMPLES) samples[sampled++] = (uint32_t)(now_us() - *since);
    *since = 0;
    ++writes;
    applied = entry->index;
    if (file < 0) durable = applied;
    if (assent_applied(h, applied, durable, "done", 4) != CS_OK) die("assent_applied");
}

static void on_query(assent_handle_t h, uint64_t query, const void *data, size_t length, void *context) {
    (void)data, (void)length, (void)context;
    assent_answer(h, query, NULL, NULL, 0);
}

static void sync_store(void) {
    if (file < 0 || durable == applied) return;
    if (fdatasync(file) != 0) die("fdatasync");
    ++syncs;
    durable = applied;
    if (assent_applied(handle, applied, durable, NULL, 0) != CS_OK) die("assent_applied");
}

static int by_size(const void *a, const void *b) {
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void report(void) {
    qsort(samples, sampled, sizeof *samples, by_size);
    printf("{\"writes\": %llu, \"rounds\": %llu, \"syncs\": %llu, \"prepare_to_confirm_us\": {\"p50\": %u, \"p99\": %u}}\n",
           (unsigned long long)writes, (unsigned long long)rounds, (unsigned long long)syncs,
           sampled ? samples[sampled / 2] : 0, sampled ? samples[sampled * 99 / 100] : 0);
    fflush(stdout);
    writes = rounds = syncs = sampled = 0;
}

int main(int argc, char **argv) {
    assent_model_v1_data_t model = {.model = ASSENT_MODEL_V1, .size = sizeof model, .program = "bench application",
                                    .prepare = on_prepare, .confirm = on_confirm, .query = on_query};
    struct pollfd p[2] = {{-1, POLLIN, 0}, {-1, POLLIN, 0}};
    struct signalfd_siginfo signal;
    sigset_t set;
    if (argc < 3 || !(samples = calloc(MOST_SAMPLES, sizeof *samples))) return 64;
    model.address = argv[1];
    model.group = argv[2];
    if (argc > 3 && (file = open(argv[3], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) < 0) die(argv[3]);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    p[1].fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (assent_model_initialize(&handle, ASSENT_MODEL_V1, &model, NULL) != CS_OK ||
        assent_application_attach(handle, NULL, 0, NULL) != CS_OK || assent_fd_get(handle, &p[0].fd) != CS_OK)
        die("libassent");
    while (poll(p, 2, -1) > 0) {
        const uint64_t before = writes;
        if (p[1].revents && read(p[1].fd, &signal, sizeof signal) == sizeof signal) report();
        if (assent_dispatch(handle, CS_DISPATCH_ALL) != CS_OK) die("assent_dispatch");
        rounds += writes != before;
        sync_store();
    }
    return 1;
}
