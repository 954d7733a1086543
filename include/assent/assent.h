/*
 * libassent: confirmed, durable writes of replicated applications, through the assentd of this host.
 *
 * A handle has two roles, and one program may use both:
 *   client       asks any group's master to write and to read: assent_write, assent_read, assent_watch
 *   application  is the replicated program itself, one process a node: assent_application_attach
 *
 * Habits, as in libcpg:
 *   A handle is a number. assent_fd_get gives a descriptor to poll for reading; assent_dispatch calls the callbacks, and
 *   nothing else does. The descriptor is the same for the handle's life: when the daemon is started again, the library
 *   connects again inside assent_dispatch (20 ms to 1 s apart), sends again what was outstanding under the same request
 *   ids, and attaches again. Nobody has to make a new handle.
 *
 * Units: times are milliseconds, sizes are bytes, texts are UTF-8 and end in a zero byte.
 * Ownership: what is passed in is copied before the call returns. What a callback gets is valid until it returns.
 * Threads: any thread may call any function at any time, except that one thread at a time dispatches a handle. Callbacks run
 *   in the thread that dispatches, one after the other, with no lock of the library held: they may call everything but
 *   assent_dispatch, and assent_finalize too. After fork() a child uses none of its parent's handles.
 * Errors: cs_error_t of corosync/corotypes.h, where success is CS_OK, which is 1. CS_ERR_BAD_HANDLE (no such handle, or
 *   finalized) can come from every function and is not repeated below. assent_error_detail() has a sentence on the error.
 *   cs_strerror() is in libcorosync_common.
 * Memory: no function needs more than 16 KiB of stack. Everything that waits in the library is bounded.
 */
#ifndef ASSENT_ASSENT_H
#define ASSENT_ASSENT_H

#include <corosync/corotypes.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

typedef uint64_t assent_handle_t;

/* Which cluster a store belongs to. Both zero: none yet. */
typedef struct {
    uint64_t high;
    uint64_t low;
} assent_cluster_id_t;

/* Names a write for ever, in any process and on any node. All zero: it was never sent. */
typedef struct {
    uint64_t birth;
    uint64_t random;
    uint64_t sequence;
} assent_write_id_t;

/* ---- What became of a request ---- */

typedef enum {
    ASSENT_ANSWERED = 0,  /* a read was answered */
    ASSENT_CONFIRMED = 1, /* the write took effect, everywhere, for ever */
    ASSENT_CANCELLED = 2, /* it will never take effect: `reason` is the applications' */
    ASSENT_UNKNOWN = 3,   /* it may take effect later, or not: assent_outcome finds out */
    ASSENT_NOT_DONE = 4   /* surely nothing was done: it may be written again as a new write */
} assent_outcome_t;

typedef struct {
    uint32_t size; /* of this struct in the library that made it; fields are only added at its end */
    assent_outcome_t outcome;
    cs_error_t error; /* CS_OK, or why not: each function lists its own */
    int32_t code;     /* the same in the exit codes of assentctl(8), which tell more apart: 0, 69, 106, 109, 112 ... */
    uint64_t index;   /* of the write, or the applied index at which a read was answered; 0: none */
    uint64_t epoch;   /* of the write */
    assent_write_id_t id; /* of the write */
    const void* data;     /* the application's result or answer; NULL if length is 0 */
    size_t length;
    const char* reason; /* a sentence for people; never NULL */
} assent_reply_t;

typedef void (*assent_reply_fn_t)(assent_handle_t handle, const assent_reply_t* reply, void* user);

/* ---- Callbacks of a handle. `context` is that of the handle. All may be NULL, if nothing is said. ---- */

typedef struct {
    uint64_t index;
    uint64_t epoch;
    uint64_t ask; /* prepare: for assent_accept and assent_reject. confirm: 0 */
    const void* data;
    size_t length;
} assent_entry_t;

typedef enum {
    ASSENT_DETACHED = 0, /* not (any more), for the reason told: the library attaches again */
    ASSENT_ATTACHED = 1, /* verdicts come from `next` on */
    ASSENT_REFUSED = 2   /* a person has to do something (the reason says what); attach again, or end */
} assent_attachment_t;

typedef struct {
    uint32_t size;
    assent_attachment_t state;
    int32_t code; /* exit code of assentctl(8) that names the cause of ASSENT_DETACHED and ASSENT_REFUSED */
    const char* reason;
    assent_cluster_id_t
        cluster;   /* keep it in the store, beside the data; zero: not known yet, comes with another call */
    uint64_t next; /* first index that a verdict will come for */
} assent_application_state_t;

typedef enum { ASSENT_MODEL_V1 = 1 } assent_model_t;

typedef struct {
    assent_model_t model; /* ASSENT_MODEL_V1 */
    uint32_t size;        /* sizeof(assent_model_v1_data_t): fields a caller does not know are as if 0 */
    uint32_t flags;       /* 0 */

    /* Where and who. NULL and 0 stand for what is in brackets. */
    const char* address;       /* path of the daemon's socket, HOST:PORT or [IPv6]:PORT [/run/assent/assentd.sock] */
    const char* group;         /* of both roles [kv] */
    const char* program;       /* for logs and status, at most 64 bytes [the program's name] */
    uint32_t timeout_ms;       /* of requests that name none [5000] */
    uint32_t max_outstanding;  /* requests without reply, at most 4096 [1024] */
    uint32_t max_queued_bytes; /* of requests without reply, at least 64 KiB [16 MiB] */
    uint32_t max_pending;      /* writes prepared and neither applied, cancelled nor withdrawn; 1: one at a time
                                  [the daemon's own limit] */
    const char* spool;         /* folder for snapshots on their way [$TMPDIR, or /var/tmp] */

    /* The client session to the daemon came up (connected 1), or is down (0, with the reason). */
    void (*connection)(assent_handle_t handle, int connected, const char* reason, void* context);
    /* A submit was refused with CS_ERR_TRY_AGAIN; now half of the queue is free again. */
    void (*writable)(assent_handle_t handle, void* context);

    /* The application's. An attached handle must have prepare, confirm and query. */

    /* Can this write be applied, once everything before it is? Answer now or later, from any thread, by assent_accept or
       assent_reject. */
    void (*prepare)(assent_handle_t handle, const assent_entry_t* entry, void* context);
    /* It takes effect: apply it, then call assent_applied, now or later. Comes in index order, once each, also for writes that
       were never prepared here, or that were rejected here. */
    void (*confirm)(assent_handle_t handle, const assent_entry_t* entry, void* context);
    /* It will never take effect. Comes in order with confirm. Nothing is owed. */
    void (*cancel)(assent_handle_t handle, uint64_t index, const char* reason, void* context);
    /* Forget what was prepared from this index on. No verdict: the same may come again, or something else at that index. */
    void (*withdraw)(assent_handle_t handle, uint64_t from, void* context);
    /* A client reads. Answer now or later by assent_answer. */
    void (*query)(assent_handle_t handle, uint64_t query, const void* data, size_t length, void* context);
    /* This node's daemon is (1) or is no longer (0) the group's master. For information: nothing depends on it. */
    void (*role)(assent_handle_t handle, int master, uint64_t epoch, void* context);
    /* The attachment changed. */
    void (*application)(assent_handle_t handle, const assent_application_state_t* state, void* context);
    /* Write the state as it is into the empty file `fd`, then call assent_snapshot_saved, now or later. The library closes
       fd afterwards. NULL (either of the two): this application has no snapshots. */
    void (*snapshot_save)(assent_handle_t handle, uint64_t snapshot, int fd, void* context);
    /* Replace the whole state by what is in the file `fd` (`length` bytes, read from its beginning) and make it durable
       with `index` as its applied index and `cluster`, then call assent_snapshot_loaded. The file is whole: what did not
       come to its end is never shown. No verdict comes before the answer. */
    void (*snapshot_load)(assent_handle_t handle, uint64_t snapshot, int fd, uint64_t length, uint64_t index,
                          const assent_cluster_id_t* cluster, void* context);
    /* Call assent_digest with a number made of the whole state as it is after `index`, which was the last verdict. NULL:
       replicas are not compared. */
    void (*digest)(assent_handle_t handle, uint64_t index, void* context);
} assent_model_v1_data_t;

/* ---- The handle ---- */

/* A handle without callbacks, for the client role. NULL: the defaults of assent_model_v1_data_t.
   Does not wait for the daemon: that may come later, and go, and come back.
   CS_ERR_INVALID_PARAM  handle is NULL, or a text cannot be meant
   CS_ERR_NO_RESOURCES   the process has no file descriptors left (a handle needs six, and one a connection)
   CS_ERR_NO_MEMORY */
cs_error_t assent_initialize(assent_handle_t* handle, const char* address, const char* group);

/* A handle with callbacks. `data` is copied.
   CS_ERR_INVALID_PARAM  as above; a number out of its range; an unknown model or size; a flag this library does not know
   CS_ERR_NO_RESOURCES, CS_ERR_NO_MEMORY as above */
cs_error_t assent_model_initialize(assent_handle_t* handle, assent_model_t model, const assent_model_v1_data_t* data,
                                   void* context);

/* Ends the handle: no callback begins after it, requests without reply get none, blocking calls in other threads return
   CS_ERR_BAD_HANDLE. Writes that were submitted may still take effect. The descriptor is closed. Never blocks. An attached
   application is detached; what it had in hand comes again with its next attach. In a callback it ends as if the process had
   died: a write that it could not deal with three times counts as rejected. */
cs_error_t assent_finalize(assent_handle_t handle);

/* The descriptor to poll for POLLIN: readable means that assent_dispatch has something to do, maybe without any callback.
   Never read from it, never close it.
   CS_ERR_INVALID_PARAM  fd is NULL */
cs_error_t assent_fd_get(assent_handle_t handle, int* fd);

/* Does the work of the library and calls callbacks.
   CS_DISPATCH_ALL              all that are due; returns without waiting. A busy handle does not hold it for ever
   CS_DISPATCH_ONE              waits until there is one, and calls it
   CS_DISPATCH_ONE_NONBLOCKING  calls one, or returns CS_ERR_TRY_AGAIN
   CS_DISPATCH_BLOCKING         goes on until the handle is finalized, in a callback (then CS_OK) or by another thread
   CS_ERR_TRY_AGAIN      ONE_NONBLOCKING: no callback is due
   CS_ERR_BUSY           another thread dispatches this handle, or a callback does
   CS_ERR_BAD_HANDLE     finalized, also meanwhile by another thread
   CS_ERR_INVALID_PARAM  no such flag
   CS_ERR_LIBRARY        a callback written in C++ threw; what came after it is still due
   CS_ERR_NO_MEMORY      something may be lost: finalize the handle */
cs_error_t assent_dispatch(assent_handle_t handle, cs_dispatch_flags_t flags);

/* The pointer that callbacks get.  CS_ERR_INVALID_PARAM  context is NULL (get) */
cs_error_t assent_context_get(assent_handle_t handle, void** context);
cs_error_t assent_context_set(assent_handle_t handle, void* context);

typedef struct {
    uint32_t size;        /* in: sizeof(assent_state_t); so much is filled in */
    uint32_t connected;   /* 1: the client session is up */
    uint32_t attached;    /* an assent_attachment_t */
    uint32_t master;      /* 1: attached, and this node is the master */
    uint32_t node;        /* corosync's id of the daemon's node; 0: not known yet */
    uint32_t outstanding; /* requests without reply */
    uint32_t max_outstanding;
    uint32_t queued_bytes; /* of those requests */
    uint32_t max_queued_bytes;
    uint32_t max_request_bytes;  /* largest write or query that is taken */
    assent_cluster_id_t cluster; /* of the group; zero: not known yet */
    uint64_t delivered;          /* application: last index whose verdict was given to a callback */
    uint64_t applied;            /* application: last index of assent_applied */
    uint64_t connects;           /* client sessions so far */
} assent_state_t;

/* How things are, for flow control and for people.  CS_ERR_INVALID_PARAM  state is NULL, or size too small */
cs_error_t assent_state_get(assent_handle_t handle, assent_state_t* state);

/* One sentence on the last error that a function of this library returned in this thread: what happened, and what to do.
   Never NULL; valid until the thread's next call. */
const char* assent_error_detail(void);

/* "0.1.0": of the library that is loaded. */
const char* assent_version(void);

/* ---- Client ---- */

/* Asks for a write. The library sends it, also over a restart of the daemon or a change of master, always under the same
   id, so that it takes effect once at most. `done` is called once, in assent_dispatch, at the latest soon after the
   deadline; NULL: nobody wants to know. timeout_ms 0: the handle's.
   Writes outstanding together may be confirmed in any order; one that depends on another is written after its reply.
   Returns:
   CS_OK                 taken whole; `done` will tell
   CS_ERR_TRY_AGAIN      the queue is full, nothing was taken: go on when the callback `writable` comes
   CS_ERR_TOO_BIG        longer than max_request_bytes of assent_state_get
   CS_ERR_INVALID_PARAM  data is NULL and length is not 0; timeout_ms above one hour
   CS_ERR_NO_MEMORY      nothing was taken
   reply->outcome and reply->error:
   ASSENT_CONFIRMED  CS_OK; CS_ERR_NOT_EXIST: confirmed at reply->index, but the application's result is not known (any more)
   ASSENT_CANCELLED  CS_ERR_FAILED_OPERATION: a majority of the applications cannot take it; the reason is theirs
   ASSENT_UNKNOWN    CS_ERR_TIMEOUT: the time was over while some master may have had it. Ask with assent_outcome
   ASSENT_NOT_DONE   CS_ERR_TIMEOUT: over before it was sent, or nobody could take it (code: 69 daemon not reachable, 75
                     busy, 106 no majority, 114 no master, 124 other)
                     CS_ERR_INVALID_PARAM: the application or the daemon does not understand it (code 65, 64)
                     CS_ERR_ACCESS: not permitted (code 77)
                     CS_ERR_LIBRARY: another failure of the daemon (code 1) */
cs_error_t assent_write(assent_handle_t handle, const void* data, size_t length, uint32_t timeout_ms,
                        assent_reply_fn_t done, void* user);

/* The same, waiting for the reply. May be called beside a thread that dispatches, and inside callbacks (but inside one of the
   application's it keeps the application from answering: then its own group may wait for it in vain, up to the deadline).
   If the queue is full, waits for room. *reply (unless NULL is passed) is set whenever the outcome is known, and is to be
   freed by assent_reply_free; else it is NULL.
   Returns reply->error, or, with nothing done: CS_ERR_TRY_AGAIN (the queue stayed full until the deadline), CS_ERR_TOO_BIG,
   CS_ERR_INVALID_PARAM, CS_ERR_NO_MEMORY, CS_ERR_NO_RESOURCES (no file descriptor left). CS_ERR_BAD_HANDLE when the handle was
   finalized meanwhile: the outcome is unknown then. */
cs_error_t assent_write_wait(assent_handle_t handle, const void* data, size_t length, uint32_t timeout_ms,
                             assent_reply_t** reply);

typedef enum {
    ASSENT_READ_MASTER = 0,       /* sees every write confirmed before the read began */
    ASSENT_READ_LOCAL = 1,        /* this node's applied state, whatever its age; no majority is needed */
    ASSENT_READ_APPLIED_AFTER = 2 /* local, once `index` is applied here */
} assent_read_level_t;

/* Asks the application. `index` is for ASSENT_READ_APPLIED_AFTER alone. Returns as assent_write. reply->outcome is
   ASSENT_ANSWERED, or ASSENT_NOT_DONE with reply->error:
   CS_ERR_TIMEOUT        not answered in time; code tells why (69, 75, 106, 114, 124)
   CS_ERR_INVALID_PARAM  the application does not understand the query (code 65, 64)
   CS_ERR_ACCESS         not permitted (code 77)
   CS_ERR_LIBRARY        another failure of the daemon (code 1) */
cs_error_t assent_read(assent_handle_t handle, assent_read_level_t level, uint64_t index, const void* query,
                       size_t length, uint32_t timeout_ms, assent_reply_fn_t done, void* user);
cs_error_t assent_read_wait(assent_handle_t handle, assent_read_level_t level, uint64_t index, const void* query,
                            size_t length, uint32_t timeout_ms, assent_reply_t** reply);

/* What became of a write, of this handle or of any other? Asked for a write that nobody has and that could still be taken, the
   master sees to it that it never will be: so the answer is final unless it is ASSENT_UNKNOWN. reply->outcome:
   ASSENT_CONFIRMED, ASSENT_CANCELLED  as of assent_write
   ASSENT_UNKNOWN   CS_ERR_TIMEOUT (code 112): not decided yet, or older than what is remembered
   ASSENT_NOT_DONE  the question could not be answered, with the errors of assent_read; it says nothing of the write */
cs_error_t assent_outcome(assent_handle_t handle, const assent_write_id_t* id, uint32_t timeout_ms,
                          assent_reply_fn_t done, void* user);
cs_error_t assent_outcome_wait(assent_handle_t handle, const assent_write_id_t* id, uint32_t timeout_ms,
                               assent_reply_t** reply);

/* Frees what a blocking call gave. NULL is allowed. */
void assent_reply_free(assent_reply_t* reply);

typedef enum {
    ASSENT_WATCH_WRITE = 1, /* a confirmed write */
    ASSENT_WATCH_UPTO = 2,  /* everything confirmed up to `index` was shown */
    ASSENT_WATCH_ENDED = 3  /* the last one: `error` and `reason` tell why */
} assent_watch_event_t;

typedef struct {
    uint32_t size;
    assent_watch_event_t event;
    uint64_t index;
    uint64_t epoch;
    assent_write_id_t id; /* of the write */
    const void* data;
    size_t length;
    cs_error_t error; /* ASSENT_WATCH_ENDED */
    int32_t code;
    const char* reason;
} assent_watched_t;

typedef void (*assent_watch_fn_t)(assent_handle_t handle, const assent_watched_t* watched, void* user);

/* Shows every confirmed write from an index on, in index order, each once and none left out, over restarts of the daemon
   too; then those that come. from 0: from now on. *watch names it for assent_unwatch.
   CS_ERR_INVALID_PARAM  a pointer is NULL
   CS_ERR_TRY_AGAIN      the handle has 64 watches
   CS_ERR_NO_MEMORY
   ASSENT_WATCH_ENDED has error CS_ERR_NOT_EXIST (code 105) when the ledger does not go back to `from`: read the state, and
   watch from its index on; CS_ERR_INVALID_PARAM (64, 65), CS_ERR_ACCESS (77) and CS_ERR_LIBRARY (others) as of assent_read. */
cs_error_t assent_watch(assent_handle_t handle, uint64_t from, assent_watch_fn_t watched, void* user, uint64_t* watch);

/* Ends a watch: its callback is not called any more.  CS_ERR_NOT_EXIST  there is none of this name (any more) */
cs_error_t assent_unwatch(assent_handle_t handle, uint64_t watch);

/* ---- Application ---- */

/* Becomes the application of the group on this node, and stays it until assent_finalize or assent_application_detach.
   `group` NULL: the handle's. `applied`: everything up to here is in the store and will be after a power loss; 0: the store
   is empty. `cluster`: what the callback `application` once told, from the store; NULL or zero: the store is empty.
   Needs the unix socket of the daemon.
   CS_OK                 the callback `application` tells when it is attached
   CS_ERR_INVALID_PARAM  the handle has no prepare, confirm or query callback, or applied is not 0 without a cluster
   CS_ERR_NOT_SUPPORTED  the handle's address is not a unix socket
   CS_ERR_EXIST          the handle is attached already
   CS_ERR_NO_MEMORY */
cs_error_t assent_application_attach(assent_handle_t handle, const char* group, uint64_t applied,
                                     const assent_cluster_id_t* cluster);

/* Ends it in good order. No callback of the application's begins after it.
   CS_ERR_NOT_EXIST  not attached */
cs_error_t assent_application_detach(assent_handle_t handle);

/* Answers a prepare. AN ACCEPT STANDS FOR EVER, over restarts: it promises that this write can be applied once everything
   before it is. So it depends on the data alone, not on the hour or the machine.
   CS_ERR_NOT_EXIST  not asked any more: answered, withdrawn or decided meanwhile, or the daemon is gone. Nothing is to be done */
cs_error_t assent_accept(assent_handle_t handle, uint64_t ask);

/* As assent_accept. `reason` (NULL: none; at most 1024 bytes are sent) reaches the client if the write is cancelled. A reject
   is no verdict: if a majority accepts, confirm comes here too. An undecided write is asked for again after a while. */
cs_error_t assent_reject(assent_handle_t handle, uint64_t ask, const char* reason);

/* Everything up to `index` is applied; everything up to `durable` of it will be after a power loss (it may lag, and it is what
   is passed to assent_application_attach after a restart). `result` is of the write at `index`, for its client, the same on
   every node. One call may stand for many confirms: the results of those before are empty then.
   CS_ERR_INVALID_PARAM  index is above the last verdict that was given to a callback, or below an earlier call; or durable is
                         above index or goes back
   CS_ERR_TOO_BIG        the result is longer than 1 MiB
   CS_ERR_BAD_OPERATION  not attached by assent_application_attach
   CS_ERR_NO_MEMORY      not said: call again */
cs_error_t assent_applied(assent_handle_t handle, uint64_t index, uint64_t durable, const void* result, size_t length);

/* Answers a query; with `error` other than NULL (a sentence) it cannot be answered.
   CS_ERR_NOT_EXIST  nobody waits for it any more
   CS_ERR_TOO_BIG    longer than 1 MiB: answer with an error, or with less
   CS_ERR_NO_MEMORY  not said: call again */
cs_error_t assent_answer(assent_handle_t handle, uint64_t query, const char* error, const void* data, size_t length);

/* Answers snapshot_save: the file has the whole state at the applied index `index`; with `error` other than NULL it has not.
   The library sends the file from its beginning and closes it.
   CS_ERR_NOT_EXIST  nobody waits for it any more: the daemon is gone, or gave it up. The file is closed too */
cs_error_t assent_snapshot_saved(assent_handle_t handle, uint64_t snapshot, uint64_t index, const char* error);

/* Answers snapshot_load: the state is replaced and durable; with `error` other than NULL it is as it was before. The library
   attaches with what is said here, also when the daemon went away meanwhile. The file is closed.
   CS_ERR_NOT_EXIST  there is no such snapshot (any more) */
cs_error_t assent_snapshot_loaded(assent_handle_t handle, uint64_t snapshot, const char* error);

/* Answers digest.  CS_ERR_NOT_EXIST  not asked (any more) */
cs_error_t assent_digest(assent_handle_t handle, uint64_t index, uint64_t value);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
