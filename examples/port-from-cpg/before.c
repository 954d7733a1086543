/*
 * before: a replicated list of amounts on raw libcpg, written as such programs usually are.
 *
 *   before FILE                  joins the group; every line "NAME AMOUNT" of standard input is multicast to all members
 *
 * Every member appends the line to FILE. What this loses, try it: `kill -STOP` one member, send lines
 * from another, `kill -9` the stopped one and start it again. Its FILE lacks those lines for ever: corosync had handed them
 * to it, and never does so again. The sender was told CS_OK each time: "queued locally".
 */
#include <corosync/cpg.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static FILE *store;

static void die(const char *what, cs_error_t error) {
    fprintf(stderr, "before: %s: error %d\n", what, (int)error);
    exit(1);
}

static void deliver(cpg_handle_t handle, const struct cpg_name *group, uint32_t node, uint32_t pid, void *message,
                    size_t length) {
    (void)handle, (void)group, (void)node, (void)pid;
    fprintf(store, "%.*s\n", (int)length, (const char *)message);
    fflush(store);
    fsync(fileno(store)); /* durable here; of the others this says nothing */
    printf("added %.*s\n", (int)length, (const char *)message);
    fflush(stdout);
}

static void changed(cpg_handle_t handle, const struct cpg_name *group, const struct cpg_address *members, size_t count,
                    const struct cpg_address *left, size_t left_count, const struct cpg_address *joined, size_t joined_count) {
    (void)handle, (void)group, (void)members, (void)left, (void)left_count, (void)joined, (void)joined_count;
    printf("%zu members\n", count); /* one that joins should be given what it missed: nobody wrote that part */
    fflush(stdout);
}

int main(int argc, char **argv) {
    cpg_callbacks_t callbacks = {.cpg_deliver_fn = deliver, .cpg_confchg_fn = changed};
    struct cpg_name group = {.length = 8, .value = "counters"};
    struct pollfd p[2] = {{-1, POLLIN, 0}, {0, POLLIN, 0}};
    cpg_handle_t handle;
    cs_error_t error;
    char line[256];
    if (argc != 2 || !(store = fopen(argv[1], "a"))) return 64;
    setvbuf(stdin, NULL, _IONBF, 0); /* poll must know of every line */
    if ((error = cpg_initialize(&handle, &callbacks)) != CS_OK) die("cpg_initialize", error);
    if ((error = cpg_join(handle, &group)) != CS_OK) die("cpg_join", error);
    if ((error = cpg_fd_get(handle, &p[0].fd)) != CS_OK) die("cpg_fd_get", error);
    while (poll(p, 2, -1) > 0) {
        if (p[0].revents && (error = cpg_dispatch(handle, CS_DISPATCH_ALL)) != CS_OK)
            die("corosync is gone, and what was on its way with it", error);
        if (p[1].revents && fgets(line, sizeof line, stdin)) {
            struct iovec iov = {line, strcspn(line, "\n")};
            while ((error = cpg_mcast_joined(handle, CPG_TYPE_AGREED, &iov, 1)) == CS_ERR_TRY_AGAIN) usleep(1000);
            if (error != CS_OK) die("cpg_mcast_joined", error);
            printf("sent\n"); /* and nothing more is known */
            fflush(stdout);
        } else if (p[1].revents) {
            p[1].fd = -1;
        }
    }
    return 0;
}
