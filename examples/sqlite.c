/*
 * sqlite: SQL statements, replicated to a SQLite database on each node.
 *
 *   sqlite [-s SOCKET] [-g GROUP] serve FILE       the application of this node; FILE is its database
 *   sqlite [-s SOCKET] [-g GROUP] write SQL        any statements but transactions; what a constraint forbids is cancelled
 *   sqlite [-s SOCKET] [-g GROUP] read SQL         one SELECT, columns separated by '|'
 *
 * A write is checked by doing it in an open transaction: an error is a reject, and as every node has the same data, by every
 * application. That is why max_pending is 1: everything before it has been applied when a write is asked for.
 */
#include <assent/assent.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static assent_handle_t handle;
static const char *path;
static sqlite3 *db;     /* writes; in its transaction stands what was prepared */
static sqlite3 *reader; /* sees only what is committed */
static uint64_t open_index; /* of the write in db's transaction; 0: none is open */
static char result[64];
static int ours; /* we, not a client, begin and end transactions and write into the table assent */

static void die(const char *what, const char *why) {
    fprintf(stderr, "sqlite: %s: %s\n", what, why);
    exit(1);
}

/* ---- What is allowed: only what does the same on every node ---- */

static void differs(sqlite3_context *context, int count, sqlite3_value **values) {
    (void)count, (void)values;
    sqlite3_result_error(context, "this function is not the same on every node: let the client compute it", -1);
}

static int authorize(void *user, int action, const char *a, const char *b, const char *c, const char *d) {
    (void)user, (void)b, (void)c, (void)d;
    if (ours) return SQLITE_OK;
    if (action == SQLITE_TRANSACTION || action == SQLITE_SAVEPOINT || action == SQLITE_ATTACH || action == SQLITE_DETACH ||
        action == SQLITE_PRAGMA)
        return SQLITE_DENY;
    if (action != SQLITE_READ && action != SQLITE_SELECT && a && strcmp(a, "assent") == 0) return SQLITE_DENY;
    return SQLITE_OK;
}

/* ---- The database ---- */

static void own(const char *sql) {
    char *why = NULL;
    ours = 1;
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK) die(sql, why);
    ours = 0;
}

static uint64_t kept(const char *name) {
    sqlite3_stmt *s;
    uint64_t value = 0;
    if (sqlite3_prepare_v2(reader, "SELECT value FROM assent WHERE name = ?", -1, &s, NULL) != SQLITE_OK)
        die(path, sqlite3_errmsg(reader));
    sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    if (sqlite3_step(s) == SQLITE_ROW) value = (uint64_t)sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return value;
}

static void keep(const char *name, uint64_t value) {
    char sql[128];
    snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO assent VALUES ('%s', %lld)", name, (long long)value);
    own(sql);
}

/* The name of a file is in its folder, which has a sync of its own. */
static void sync_folder(void) {
    char name[4096];
    int folder;
    snprintf(name, sizeof name, "%s", path);
    if ((folder = open(dirname(name), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 || fsync(folder) != 0)
        die(path, "its folder cannot be synced");
    close(folder);
}

static void open_database(void) {
    static const char *const changing[] = {
        "random", "randomblob", "date", "time", "datetime", "julianday", "strftime", "unixepoch", "timediff", "current_date",
        "current_time", "current_timestamp", "changes", "total_changes", "last_insert_rowid", /* of this connection */
        "sqlite_version", "sqlite_source_id", "sqlite_compileoption_used", "sqlite_compileoption_get"};
    size_t i;
    if (sqlite3_open(path, &db) != SQLITE_OK) die(path, sqlite3_errmsg(db));
    own("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
        "CREATE TABLE IF NOT EXISTS assent (name TEXT PRIMARY KEY, value INTEGER)");
    sync_folder();
    for (i = 0; i < sizeof changing / sizeof changing[0]; ++i)
        sqlite3_create_function(db, changing[i], -1, SQLITE_UTF8, NULL, differs, NULL, NULL);
    sqlite3_set_authorizer(db, authorize, NULL);
    if (sqlite3_open_v2(path, &reader, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) die(path, sqlite3_errmsg(reader));
    sqlite3_busy_timeout(reader, 10000);
    open_index = 0;
}

static void roll_back(void) {
    if (!sqlite3_get_autocommit(db)) own("ROLLBACK");
    open_index = 0;
}

/* Does the write in a transaction, and leaves that open. NULL, or why it cannot be done. */
static const char *try_write(const assent_entry_t *entry) {
    static char why[256];
    char *sql, *error = NULL;
    int before;
    roll_back();
    if (entry->length == 0 || memchr(entry->data, 0, entry->length)) return "no SQL";
    own("BEGIN");
    before = sqlite3_total_changes(db);
    sql = strndup(entry->data, entry->length);
    sqlite3_exec(db, sql, NULL, NULL, &error);
    free(sql);
    if (error) {
        snprintf(why, sizeof why, "%s", error);
        sqlite3_free(error);
        roll_back();
        return why;
    }
    snprintf(result, sizeof result, "%d rows", sqlite3_total_changes(db) - before);
    open_index = entry->index;
    return NULL;
}

/* ---- What the library asks ---- */

static void on_prepare(assent_handle_t h, const assent_entry_t *entry, void *context) {
    const char *why = try_write(entry);
    (void)context;
    if (why)
        assent_reject(h, entry->ask, why);
    else
        assent_accept(h, entry->ask);
}

static void on_confirm(assent_handle_t h, const assent_entry_t *entry, void *context) {
    const char *why = open_index == entry->index ? NULL : try_write(entry);
    (void)context;
    /* A majority could do it, and we have the same data: this one is broken, and a person should look at it. */
    if (why) die("a confirmed write cannot be done here", why);
    keep("applied", entry->index);
    own("COMMIT");
    open_index = 0;
    if (assent_applied(h, entry->index, entry->index, result, strlen(result)) != CS_OK)
        die("assent_applied", assent_error_detail());
}

static void on_cancel(assent_handle_t h, uint64_t index, const char *reason, void *context) {
    (void)h, (void)reason, (void)context;
    if (open_index == index) roll_back();
}

static void on_withdraw(assent_handle_t h, uint64_t from, void *context) {
    (void)h, (void)context;
    if (open_index >= from) roll_back();
}

static void on_query(assent_handle_t h, uint64_t query, const void *data, size_t length, void *context) {
    static char rows[1 << 20];
    size_t used = 0;
    int code, i;
    sqlite3_stmt *s = NULL;
    (void)context;
    if (sqlite3_prepare_v2(reader, data, (int)length, &s, NULL) != SQLITE_OK || !s) {
        assent_answer(h, query, s ? "no SQL" : sqlite3_errmsg(reader), NULL, 0);
        return;
    }
    while ((code = sqlite3_step(s)) == SQLITE_ROW && used < sizeof rows) {
        for (i = 0; i < sqlite3_column_count(s) && used < sizeof rows; ++i) {
            const char *text = (const char *)sqlite3_column_text(s, i);
            used += (size_t)snprintf(rows + used, sizeof rows - used, "%s%s", i ? "|" : "", text ? text : "");
        }
        if (used < sizeof rows) used += (size_t)snprintf(rows + used, sizeof rows - used, "\n");
    }
    if (code != SQLITE_DONE)
        assent_answer(h, query, code == SQLITE_ROW ? "more than 1 MiB of rows" : sqlite3_errmsg(reader), NULL, 0);
    else
        assent_answer(h, query, NULL, rows, used);
    sqlite3_finalize(s);
}

static void on_application(assent_handle_t h, const assent_application_state_t *state, void *context) {
    (void)h, (void)context;
    fprintf(stderr, "sqlite: %s %s\n",
            state->state == ASSENT_ATTACHED ? "attached" : state->state == ASSENT_REFUSED ? "refused:" : "detached:",
            state->reason);
    if (state->state == ASSENT_REFUSED) exit(1);
    if (state->state != ASSENT_ATTACHED) return;
    roll_back();
    if (kept("high") == state->cluster.high && kept("low") == state->cluster.low) return;
    own("BEGIN");
    keep("high", state->cluster.high);
    keep("low", state->cluster.low);
    own("COMMIT");
}

/* ---- Snapshots and digests ---- */

static int copy(int from, int to) {
    char block[65536];
    ssize_t n;
    while ((n = read(from, block, sizeof block)) > 0) {
        if (write(to, block, (size_t)n) != n) return 0;
    }
    return n == 0;
}

static void on_snapshot_save(assent_handle_t h, uint64_t snapshot, int fd, void *context) {
    char name[4096];
    sqlite3 *to = NULL;
    sqlite3_backup *backup = NULL;
    int from = -1, fine;
    (void)context;
    snprintf(name, sizeof name, "%s.save", path);
    unlink(name);
    fine = sqlite3_open(name, &to) == SQLITE_OK && (backup = sqlite3_backup_init(to, "main", reader, "main")) &&
           sqlite3_backup_step(backup, -1) == SQLITE_DONE;
    if (backup) fine = sqlite3_backup_finish(backup) == SQLITE_OK && fine;
    fine = sqlite3_close(to) == SQLITE_OK && fine && (from = open(name, O_RDONLY | O_CLOEXEC)) >= 0 && copy(from, fd);
    if (from >= 0) close(from);
    unlink(name);
    assent_snapshot_saved(h, snapshot, kept("applied"), fine ? NULL : "the database cannot be copied");
}

static void on_snapshot_load(assent_handle_t h, uint64_t snapshot, int fd, uint64_t length, uint64_t index,
                             const assent_cluster_id_t *cluster, void *context) {
    char name[4096];
    int to;
    (void)length, (void)context;
    snprintf(name, sizeof name, "%s.new", path);
    if ((to = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) < 0 || !copy(fd, to) || fsync(to) != 0)
        die(name, "cannot be written");
    close(to);
    roll_back();
    sqlite3_close(reader);
    sqlite3_close(db); /* puts what is in its write-ahead log into the file */
    if (rename(name, path) != 0) die(name, "cannot be renamed");
    open_database();
    own("BEGIN");
    keep("applied", index);
    keep("high", cluster->high);
    keep("low", cluster->low);
    own("COMMIT");
    assent_snapshot_loaded(h, snapshot, NULL);
}

static uint64_t mix(uint64_t sum, const void *bytes, size_t length) {
    const unsigned char *at = bytes;
    for (; length > 0; --length) sum = (sum ^ *at++) * 0x100000001b3u;
    return sum;
}

/* Of the content, not of the file: pages may lie otherwise in another one. */
static uint64_t content(const char *sql, uint64_t sum) {
    sqlite3_stmt *s;
    int i;
    if (sqlite3_prepare_v2(reader, sql, -1, &s, NULL) != SQLITE_OK) die(sql, sqlite3_errmsg(reader));
    while (sqlite3_step(s) == SQLITE_ROW) {
        for (i = 0; i < sqlite3_column_count(s); ++i) {
            const int type = sqlite3_column_type(s, i);
            const void *value = sqlite3_column_blob(s, i);
            sum = mix(sum, &type, sizeof type);
            sum = mix(sum, value, value ? (size_t)sqlite3_column_bytes(s, i) : 0);
        }
    }
    sqlite3_finalize(s);
    return sum;
}

static void on_digest(assent_handle_t h, uint64_t index, void *context) {
    sqlite3_stmt *s;
    uint64_t sum = content("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name", 0xcbf29ce484222325u);
    (void)context;
    sqlite3_prepare_v2(reader,
                       "SELECT 'SELECT * FROM \"' || replace(name, '\"', '\"\"') || '\" ORDER BY ' || (SELECT group_concat(cid + 1) "
                       "FROM pragma_table_info(m.name)) FROM sqlite_master m WHERE type = 'table' AND name <> 'assent' "
                       "AND name NOT LIKE 'sqlite_%' ORDER BY name",
                       -1, &s, NULL);
    while (sqlite3_step(s) == SQLITE_ROW) sum = content((const char *)sqlite3_column_text(s, 0), sum);
    sqlite3_finalize(s);
    assent_digest(h, index, sum);
}

/* ---- Running ---- */

static void serve(assent_model_v1_data_t *model) {
    struct pollfd p = {-1, POLLIN, 0};
    assent_cluster_id_t cluster;
    open_database();
    cluster.high = kept("high");
    cluster.low = kept("low");
    model->max_pending = 1;
    model->prepare = on_prepare;
    model->confirm = on_confirm;
    model->cancel = on_cancel;
    model->withdraw = on_withdraw;
    model->query = on_query;
    model->application = on_application;
    model->snapshot_save = on_snapshot_save;
    model->snapshot_load = on_snapshot_load;
    model->digest = on_digest;
    if (assent_model_initialize(&handle, ASSENT_MODEL_V1, model, NULL) != CS_OK ||
        assent_application_attach(handle, NULL, kept("applied"), &cluster) != CS_OK || assent_fd_get(handle, &p.fd) != CS_OK)
        die("libassent", assent_error_detail());
    for (;;) {
        poll(&p, 1, -1);
        if (assent_dispatch(handle, CS_DISPATCH_ALL) != CS_OK) die("assent_dispatch", assent_error_detail());
    }
}

static int ask(const assent_model_v1_data_t *model, int writes, const char *sql) {
    assent_reply_t *reply = NULL;
    cs_error_t error = assent_model_initialize(&handle, ASSENT_MODEL_V1, model, NULL);
    if (error == CS_OK)
        error = writes ? assent_write_wait(handle, sql, strlen(sql), 0, &reply)
                       : assent_read_wait(handle, ASSENT_READ_MASTER, 0, sql, strlen(sql), 0, &reply);
    if (error == CS_OK)
        printf("%.*s%s", (int)reply->length, reply->length ? (const char *)reply->data : "", writes ? "\n" : "");
    else
        fprintf(stderr, "sqlite: %s\n", reply ? reply->reason : assent_error_detail());
    return error == CS_OK ? 0 : reply ? reply->code : 1;
}

int main(int argc, char **argv) {
    assent_model_v1_data_t model = {.model = ASSENT_MODEL_V1, .size = sizeof model, .group = "sql", .program = "sqlite"};
    int option;
    while ((option = getopt(argc, argv, "s:g:")) != -1) {
        if (option == 's')
            model.address = optarg;
        else if (option == 'g')
            model.group = optarg;
        else
            return 64;
    }
    if (argc - optind == 2) {
        path = argv[optind + 1];
        if (strcmp(argv[optind], "serve") == 0) serve(&model);
        if (strcmp(argv[optind], "write") == 0) return ask(&model, 1, path);
        if (strcmp(argv[optind], "read") == 0) return ask(&model, 0, path);
    }
    fprintf(stderr, "usage: sqlite [-s SOCKET] [-g GROUP] serve FILE | write SQL | read SQL\n");
    return 64;
}
