/*
 * jobqueue: a replicated queue of jobs, the shortest attached application that is correct. assent_tutorial(7) explains it.
 *
 *   jobqueue [-s SOCKET] [-g GROUP] serve FILE     the application of this node; its store is FILE
 *   jobqueue [-s SOCKET] [-g GROUP] add TEXT       puts a job into the queue, prints its number
 *   jobqueue [-s SOCKET] [-g GROUP] take WORKER    takes the oldest free job, prints its number and text
 *   jobqueue [-s SOCKET] [-g GROUP] done NUMBER
 *   jobqueue [-s SOCKET] [-g GROUP] list           every job: number, worker or -, text
 *
 * The store is a list of the confirmed writes; the jobs in memory are what comes of doing them in order.
 */
#include <assent/assent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct job {
    uint64_t number; /* the index of the write that added it: the same on every node */
    char worker[32]; /* empty: free */
    char text[200];
    struct job *next;
};

/* The file begins with this; then records of an index, a length and as many bytes. */
struct head {
    char magic[8];
    assent_cluster_id_t cluster;
};
struct record {
    uint64_t index;
    uint64_t length;
};

static struct job *jobs; /* oldest first */
static assent_handle_t handle;
static const char *path;
static int file = -1;
static off_t end;        /* of the last whole record */
static struct head head = {"jobs 1", {0, 0}};
static uint64_t applied, durable; /* last index in memory and in the file; of it on the disk */

static void die(const char *what) {
    fprintf(stderr, "jobqueue: %s: %s\n", what, errno ? strerror(errno) : assent_error_detail());
    exit(1);
}

/* ---- The jobs: the same writes in the same order give the same jobs and the same results everywhere. ---- */

static int understood(const char *write) {
    return strncmp(write, "add ", 4) == 0 || strncmp(write, "take ", 5) == 0 || strncmp(write, "done ", 5) == 0;
}

static void apply(uint64_t index, const char *write, char *result, size_t size) {
    const char *what = strchr(write, ' ') + 1;
    struct job **at = &jobs, *job;
    result[0] = 0;
    if (write[0] == 'a') {
        while (*at) at = &(*at)->next;
        if (!(job = calloc(1, sizeof *job))) die("no memory");
        job->number = index;
        snprintf(job->text, sizeof job->text, "%s", what);
        *at = job;
        snprintf(result, size, "%llu", (unsigned long long)index);
    } else if (write[0] == 't') {
        for (job = jobs; job && job->worker[0]; job = job->next) {}
        if (!job) return; /* nothing free: an empty result */
        snprintf(job->worker, sizeof job->worker, "%s", what);
        snprintf(result, size, "%llu %s", (unsigned long long)job->number, job->text);
    } else {
        while (*at && (*at)->number != strtoull(what, NULL, 10)) at = &(*at)->next;
        if (!(job = *at)) return; /* done already */
        *at = job->next;
        free(job);
        snprintf(result, size, "done");
    }
}

/* ---- The store ---- */

static void sync_store(void) {
    if (durable == applied) return;
    if (fdatasync(file) != 0) die(path); /* what the disk has is not known any more: start again from it */
    durable = applied;
    if (assent_applied(handle, applied, durable, NULL, 0) != CS_OK) die("assent_applied");
}

static void append(uint64_t index, const void *data, size_t length) {
    const struct record record = {index, length};
    if (pwrite(file, &record, sizeof record, end) != (ssize_t)sizeof record ||
        pwrite(file, data, length, end + (off_t)sizeof record) != (ssize_t)length)
        die(path);
    end += (off_t)(sizeof record + length);
}

static void set_cluster(assent_cluster_id_t cluster) {
    if (memcmp(&cluster, &head.cluster, sizeof cluster) == 0) return;
    head.cluster = cluster;
    if (pwrite(file, &head, sizeof head, 0) != (ssize_t)sizeof head || fdatasync(file) != 0) die(path);
}

/* The name of a file is in its folder, which has a sync of its own. */
static void sync_folder(void) {
    char name[4096];
    int folder;
    snprintf(name, sizeof name, "%s", path);
    if ((folder = open(dirname(name), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 || fsync(folder) != 0) die(path);
    close(folder);
}

/* Does what the file says. What a crash left of the last record, a half of it or zeros, is cut off: it was never said to be
   durable. */
static void load_store(void) {
    char text[256], result[256];
    struct record record;
    struct head found;
    jobs = NULL;
    end = sizeof head;
    applied = 0;
    if ((file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644)) < 0) die(path);
    if (pread(file, &found, sizeof found, 0) != (ssize_t)sizeof found) { /* a new one */
        if (pwrite(file, &head, sizeof head, 0) != (ssize_t)sizeof head) die(path);
    } else if (memcmp(found.magic, head.magic, sizeof head.magic) != 0) {
        fprintf(stderr, "jobqueue: %s is no store of jobs\n", path);
        exit(1);
    } else {
        head = found;
    }
    while (pread(file, &record, sizeof record, end) == (ssize_t)sizeof record && record.index > applied &&
           record.length < sizeof text &&
           pread(file, text, record.length, end + (off_t)sizeof record) == (ssize_t)record.length) {
        text[record.length] = 0;
        if (strlen(text) != record.length || !understood(text)) break;
        apply(record.index, text, result, sizeof result);
        applied = record.index;
        end += (off_t)(sizeof record + record.length);
    }
    if (ftruncate(file, end) != 0 || fsync(file) != 0) die(path);
    sync_folder();
    durable = applied;
}

/* ---- What the library asks ---- */

static void on_prepare(assent_handle_t h, const assent_entry_t *entry, void *context) {
    char text[256];
    (void)context;
    snprintf(text, sizeof text, "%.*s", (int)entry->length, (const char *)entry->data);
    if (entry->length >= sizeof text)
        assent_reject(h, entry->ask, "longer than 255 bytes");
    else if (strlen(text) != entry->length || !understood(text))
        assent_reject(h, entry->ask, "neither 'add TEXT' nor 'take WORKER' nor 'done NUMBER'");
    else
        assent_accept(h, entry->ask);
}

static void on_confirm(assent_handle_t h, const assent_entry_t *entry, void *context) {
    char text[256], result[256];
    (void)context;
    snprintf(text, sizeof text, "%.*s", (int)entry->length, (const char *)entry->data);
    append(entry->index, text, strlen(text));
    apply(entry->index, text, result, sizeof result);
    applied = entry->index;
    if (assent_applied(h, applied, durable, result, strlen(result)) != CS_OK) die("assent_applied");
}

static void on_query(assent_handle_t h, uint64_t query, const void *data, size_t length, void *context) {
    static char list[1 << 20];
    size_t used = 0;
    const struct job *job;
    (void)data, (void)length, (void)context;
    for (job = jobs; job && used < sizeof list - 300; job = job->next)
        used += (size_t)snprintf(list + used, sizeof list - used, "%llu %s %s\n", (unsigned long long)job->number,
                                 job->worker[0] ? job->worker : "-", job->text);
    assent_answer(h, query, NULL, list, used);
}

static void on_application(assent_handle_t h, const assent_application_state_t *state, void *context) {
    (void)h, (void)context;
    if (state->state == ASSENT_ATTACHED) set_cluster(state->cluster);
    fprintf(stderr, "jobqueue: %s %s\n",
            state->state == ASSENT_ATTACHED ? "attached" : state->state == ASSENT_REFUSED ? "refused:" : "detached:",
            state->reason);
    if (state->state == ASSENT_REFUSED) exit(1);
}

static int copy(int from, int to) {
    char block[65536];
    ssize_t n;
    while ((n = read(from, block, sizeof block)) > 0) {
        if (write(to, block, (size_t)n) != n) return 0;
    }
    return n == 0;
}

static void on_snapshot_save(assent_handle_t h, uint64_t snapshot, int fd, void *context) {
    (void)context;
    lseek(file, 0, SEEK_SET);
    assent_snapshot_saved(h, snapshot, applied, copy(file, fd) ? NULL : strerror(errno));
}

/* Another node's store becomes ours: a new file first, then the name, so that a crash leaves one of the two. */
static void on_snapshot_load(assent_handle_t h, uint64_t snapshot, int fd, uint64_t length, uint64_t index,
                             const assent_cluster_id_t *cluster, void *context) {
    char name[4096];
    int to;
    (void)length, (void)context;
    snprintf(name, sizeof name, "%s.new", path);
    if ((to = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) < 0 || !copy(fd, to) || fsync(to) != 0 ||
        rename(name, path) != 0)
        die(name);
    close(to);
    close(file);
    while (jobs) {
        struct job *job = jobs;
        jobs = job->next;
        free(job);
    }
    load_store();
    set_cluster(*cluster);
    applied = durable = index;
    assent_snapshot_loaded(h, snapshot, NULL);
}

static void serve(assent_model_v1_data_t *model) {
    struct pollfd p = {-1, POLLIN, 0};
    load_store();
    model->prepare = on_prepare;
    model->confirm = on_confirm;
    model->query = on_query;
    model->application = on_application;
    model->snapshot_save = on_snapshot_save;
    model->snapshot_load = on_snapshot_load;
    if (assent_model_initialize(&handle, ASSENT_MODEL_V1, model, NULL) != CS_OK ||
        assent_application_attach(handle, NULL, applied, &head.cluster) != CS_OK || assent_fd_get(handle, &p.fd) != CS_OK)
        die("libassent");
    for (;;) { /* everything that came meanwhile shares one fdatasync */
        if (poll(&p, 1, -1) < 0 && errno != EINTR) die("poll");
        if (assent_dispatch(handle, CS_DISPATCH_ALL) != CS_OK) die("assent_dispatch");
        sync_store();
    }
}

/* ---- The client ---- */

static int ask(const assent_model_v1_data_t *model, const char *verb, const char *what) {
    char text[256];
    assent_reply_t *reply = NULL;
    cs_error_t error;
    if (snprintf(text, sizeof text, "%s %s", verb, what) >= (int)sizeof text) return 64;
    error = assent_model_initialize(&handle, ASSENT_MODEL_V1, model, NULL);
    if (error == CS_OK && strcmp(verb, "list") == 0)
        error = assent_read_wait(handle, ASSENT_READ_MASTER, 0, text, strlen(text), 0, &reply);
    else if (error == CS_OK)
        error = assent_write_wait(handle, text, strlen(text), 0, &reply);
    if (error == CS_OK)
        printf("%.*s%s", (int)reply->length, reply->length ? (const char *)reply->data : "",
               strcmp(verb, "list") == 0 ? "" : "\n");
    else
        fprintf(stderr, "jobqueue: %s\n", reply ? reply->reason : assent_error_detail());
    return error == CS_OK ? 0 : reply ? reply->code : 1;
}

int main(int argc, char **argv) {
    assent_model_v1_data_t model = {.model = ASSENT_MODEL_V1, .size = sizeof model, .group = "jobs", .program = "jobqueue"};
    const char *verb;
    int option;
    while ((option = getopt(argc, argv, "s:g:")) != -1) {
        if (option == 's')
            model.address = optarg;
        else if (option == 'g')
            model.group = optarg;
        else
            return 64;
    }
    verb = optind < argc ? argv[optind] : "";
    path = optind + 1 < argc ? argv[optind + 1] : "";
    if (strcmp(verb, "serve") == 0 && *path) serve(&model);
    if (strcmp(verb, "list") == 0 || (*path && (strcmp(verb, "add") == 0 || strcmp(verb, "take") == 0 || strcmp(verb, "done") == 0)))
        return ask(&model, verb, path);
    fprintf(stderr, "usage: jobqueue [-s SOCKET] [-g GROUP] serve FILE | add TEXT | take WORKER | done NUMBER | list\n");
    return 64;
}
