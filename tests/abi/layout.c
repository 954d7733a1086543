/* Prints what a program compiled with assent.h has in it: sizes, offsets and numbers. `tests/abi/check` compares them with
   tests/abi/layout. Compiled as C99, pedantic. */
#include <assent/assent.h>
#include <stddef.h>
#include <stdio.h>

#define SIZE(type) printf("%s %u\n", #type, (unsigned)sizeof(type))
#define FIELD(type, field) printf("%s.%s %u\n", #type, #field, (unsigned)offsetof(type, field))
#define NUMBER(name) printf("%s %d\n", #name, (int)(name))

static void requests(void) {
    SIZE(assent_handle_t);
    SIZE(assent_cluster_id_t);
    SIZE(assent_write_id_t);
    FIELD(assent_write_id_t, sequence);
    SIZE(assent_reply_t);
    FIELD(assent_reply_t, outcome);
    FIELD(assent_reply_t, error);
    FIELD(assent_reply_t, code);
    FIELD(assent_reply_t, index);
    FIELD(assent_reply_t, epoch);
    FIELD(assent_reply_t, id);
    FIELD(assent_reply_t, data);
    FIELD(assent_reply_t, length);
    FIELD(assent_reply_t, reason);
    SIZE(assent_watched_t);
    FIELD(assent_watched_t, event);
    FIELD(assent_watched_t, index);
    FIELD(assent_watched_t, id);
    FIELD(assent_watched_t, data);
    FIELD(assent_watched_t, length);
    FIELD(assent_watched_t, error);
    FIELD(assent_watched_t, code);
    FIELD(assent_watched_t, reason);
    SIZE(assent_state_t);
    FIELD(assent_state_t, connected);
    FIELD(assent_state_t, max_request_bytes);
    FIELD(assent_state_t, cluster);
    FIELD(assent_state_t, connects);
}

static void model(void) {
    SIZE(assent_entry_t);
    FIELD(assent_entry_t, ask);
    FIELD(assent_entry_t, data);
    SIZE(assent_application_state_t);
    FIELD(assent_application_state_t, state);
    FIELD(assent_application_state_t, code);
    FIELD(assent_application_state_t, reason);
    FIELD(assent_application_state_t, cluster);
    FIELD(assent_application_state_t, next);
    SIZE(assent_model_v1_data_t);
    FIELD(assent_model_v1_data_t, flags);
    FIELD(assent_model_v1_data_t, address);
    FIELD(assent_model_v1_data_t, group);
    FIELD(assent_model_v1_data_t, program);
    FIELD(assent_model_v1_data_t, timeout_ms);
    FIELD(assent_model_v1_data_t, max_pending);
    FIELD(assent_model_v1_data_t, spool);
    FIELD(assent_model_v1_data_t, connection);
    FIELD(assent_model_v1_data_t, prepare);
    FIELD(assent_model_v1_data_t, snapshot_load);
    FIELD(assent_model_v1_data_t, digest);
}

int main(void) {
    requests();
    model();
    NUMBER(ASSENT_MODEL_V1);
    NUMBER(ASSENT_ANSWERED);
    NUMBER(ASSENT_CONFIRMED);
    NUMBER(ASSENT_CANCELLED);
    NUMBER(ASSENT_UNKNOWN);
    NUMBER(ASSENT_NOT_DONE);
    NUMBER(ASSENT_DETACHED);
    NUMBER(ASSENT_ATTACHED);
    NUMBER(ASSENT_REFUSED);
    NUMBER(ASSENT_READ_MASTER);
    NUMBER(ASSENT_READ_LOCAL);
    NUMBER(ASSENT_READ_APPLIED_AFTER);
    NUMBER(ASSENT_WATCH_WRITE);
    NUMBER(ASSENT_WATCH_UPTO);
    NUMBER(ASSENT_WATCH_ENDED);
    return 0;
}
