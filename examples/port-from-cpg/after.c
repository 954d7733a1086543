/*
 * after: the program of before.c on libassent. assent_porting(7) goes through the differences.
 *
 *   after [-s SOCKET] [-g GROUP] FILE     the same: lines "NAME AMOUNT" from standard input, added on every node
 *
 * Stop it, kill it, kill assentd or the host: each FILE ends with the same lines, and what was answered "added" is in all.
 */
#include <assent/assent.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static FILE *store;
static assent_cluster_id_t cluster;
static uint64_t applied;

static void die(const char *what) {
    fprintf(stderr, "after: %s: %s\n", what, assent_error_detail());
    exit(1);
}

/* A line of FILE is its index and the text; the first is the cluster. What a crash left of the last one is cut off. */
static void load(const char *path) {
    char line[512], name[4096];
    long whole = 0;
    int folder;
    if (!(store = fopen(path, "a+"))) exit(64);
    rewind(store);
    while (fgets(line, sizeof line, store) && strchr(line, '\n')) {
        unsigned long long high, low;
        if (sscanf(line, "cluster %llx %llx", &high, &low) == 2)
            cluster = (assent_cluster_id_t){high, low};
        else
            applied = strtoull(line, NULL, 10);
        whole = ftell(store);
    }
    if (ftruncate(fileno(store), whole) != 0 || fsync(fileno(store)) != 0) die(path);
    snprintf(name, sizeof name, "%s", path);
    if ((folder = open(dirname(name), O_RDONLY)) < 0 || fsync(folder) != 0) die(path); /* FILE's name is in it */
    close(folder);
}

/* New: the application is asked, and what it says counts. */
static void prepare(assent_handle_t handle, const assent_entry_t *entry, void *context) {
    char text[256];
    int amount, used = 0;
    (void)context;
    snprintf(text, sizeof text, "%.*s", (int)entry->length, (const char *)entry->data);
    if (entry->length < sizeof text && !strchr(text, '\n') && sscanf(text, "%*s %d%n", &amount, &used) == 1 &&
        !text[used])
        assent_accept(handle, entry->ask);
    else
        assent_reject(handle, entry->ask, "not NAME AMOUNT");
}

/* Was: deliver. */
static void confirm(assent_handle_t handle, const assent_entry_t *entry, void *context) {
    (void)context;
    fprintf(store, "%llu %.*s\n", (unsigned long long)entry->index, (int)entry->length, (const char *)entry->data);
    if (fflush(store) != 0 || fsync(fileno(store)) != 0) exit(1); /* started again, it gets it again */
    if (assent_applied(handle, entry->index, entry->index, NULL, 0) != CS_OK) die("assent_applied");
}

static void query(assent_handle_t handle, uint64_t query, const void *data, size_t length, void *context) {
    (void)data, (void)length, (void)context;
    assent_answer(handle, query, "read FILE", NULL, 0);
}

/* Was: changed. What a node missed it gets by itself, so there is nothing to do but to remember the cluster. */
static void state(assent_handle_t handle, const assent_application_state_t *s, void *context) {
    (void)handle, (void)context;
    if (s->state == ASSENT_REFUSED) {
        fprintf(stderr, "after: %s\n", s->reason);
        exit(1);
    }
    if (s->state != ASSENT_ATTACHED || cluster.high == s->cluster.high || (!s->cluster.high && !s->cluster.low)) return;
    cluster = s->cluster;
    fprintf(store, "cluster %llx %llx\n", (unsigned long long)cluster.high, (unsigned long long)cluster.low);
    if (fflush(store) != 0 || fsync(fileno(store)) != 0) exit(1);
}

static void done(assent_handle_t handle, const assent_reply_t *reply, void *user) {
    (void)handle, (void)user;
    printf("%s %s\n", reply->outcome == ASSENT_CONFIRMED ? "added" : reply->outcome == ASSENT_UNKNOWN ? "unknown" : "refused",
           reply->reason);
    fflush(stdout);
}

int main(int argc, char **argv) {
    assent_model_v1_data_t model = {.model = ASSENT_MODEL_V1, .size = sizeof model, .group = "counters", .program = "after"};
    struct pollfd p[2] = {{-1, POLLIN, 0}, {0, POLLIN, 0}};
    assent_handle_t handle;
    cs_error_t error;
    char line[256];
    int option;
    while ((option = getopt(argc, argv, "s:g:")) != -1) {
        if (option == 's')
            model.address = optarg;
        else if (option == 'g')
            model.group = optarg;
    }
    if (argc - optind != 1) return 64;
    load(argv[optind]);
    setvbuf(stdin, NULL, _IONBF, 0); /* poll must know of every line */
    model.prepare = prepare;
    model.confirm = confirm;
    model.query = query;
    model.application = state;
    if (assent_model_initialize(&handle, ASSENT_MODEL_V1, &model, NULL) != CS_OK ||
        assent_application_attach(handle, NULL, applied, &cluster) != CS_OK || assent_fd_get(handle, &p[0].fd) != CS_OK)
        die("libassent");
    while (poll(p, 2, -1) > 0) {
        if (assent_dispatch(handle, CS_DISPATCH_ALL) != CS_OK) die("assent_dispatch");
        if (p[1].revents && fgets(line, sizeof line, stdin)) {
            /* A full queue refuses it whole, and the descriptor is readable when there is room. */
            while ((error = assent_write(handle, line, strcspn(line, "\n"), 0, done, NULL)) == CS_ERR_TRY_AGAIN)
                assent_dispatch(handle, CS_DISPATCH_ONE);
            if (error != CS_OK) die("assent_write");
        } else if (p[1].revents) {
            p[1].fd = -1;
        }
    }
    return 0;
}
