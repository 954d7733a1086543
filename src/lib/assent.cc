// The C interface: checks what comes in, finds the handle, and lets nothing of C++ out.
#include "assent/assent.h"

#include <cxxabi.h>
#include <errno.h>
#include <sys/un.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <shared_mutex>
#include <unordered_map>

#include "lib/handle.h"
#include "version.h"

namespace {

using assent::lib::Attached;
using assent::lib::Handle;
using assent::lib::Reply;
namespace pb = assent::pb;

constexpr uint32_t kMostTimeout = 3'600'000;
constexpr uint32_t kMostOutstanding =
    4'096;  // the daemon takes no more of one session, and remembers no more of one client
constexpr uint32_t kLeastBytes = 64u << 10;
constexpr uint32_t kMostBytes = 1u << 30;
constexpr size_t kMostName = 128;

thread_local std::string last_detail;

cs_error_t failed(cs_error_t error, std::string detail) {
    last_detail = std::move(detail);
    return error;
}

cs_error_t invalid(const char* what) { return failed(CS_ERR_INVALID_PARAM, what); }

// Handles by number. A number is never used again.
struct Table {
    std::shared_mutex mutex;
    std::unordered_map<assent_handle_t, std::shared_ptr<Handle>> handles;
    assent_handle_t last = 0;
};

Table& table() {
    static Table* t = new Table;  // outlives every thread that may still call
    return *t;
}

std::shared_ptr<Handle> find(assent_handle_t handle) {
    Table& t = table();
    const std::shared_lock<std::shared_mutex> lock(t.mutex);
    const auto it = t.handles.find(handle);
    return it == t.handles.end() ? nullptr : it->second;
}

template <typename Fn> cs_error_t guarded(Fn&& fn) {
    try {
        return fn();
    } catch (const abi::__forced_unwind&) {
        throw;  // the thread is cancelled
    } catch (const std::bad_alloc&) {
        return failed(CS_ERR_NO_MEMORY, "no memory left");
    } catch (const assent::Failure& f) {
        return failed(CS_ERR_NO_RESOURCES, f.what());
    } catch (const std::exception& e) {
        return failed(CS_ERR_LIBRARY, e.what());
    } catch (...) {
        return failed(CS_ERR_LIBRARY, "a callback threw what is no std::exception");
    }
}

const char* sentence(cs_error_t error) {
    switch (error) {
        case CS_OK: return "no error";
        case CS_ERR_BAD_HANDLE: return "there is no such handle, or it was finalized";
        case CS_ERR_TRY_AGAIN: return "there is no room, or nothing is due: try again";
        case CS_ERR_BUSY: return "the handle is being dispatched already, by another thread or by a callback's caller";
        case CS_ERR_EXIST: return "the handle is attached already";
        case CS_ERR_NOT_EXIST: return "there is nothing of this name, or it was answered, withdrawn or ended meanwhile";
        case CS_ERR_BAD_OPERATION: return "the handle is not attached";
        case CS_ERR_NOT_SUPPORTED: return "an application needs the path of the daemon's unix socket as its address";
        case CS_ERR_TOO_BIG: return "longer than what is taken";
        case CS_ERR_INVALID_PARAM: return "an argument is out of its range";
        default: return "the call failed";
    }
}

// Runs `fn` with the handle.
template <typename Fn> cs_error_t with(assent_handle_t handle, Fn&& fn) {
    return guarded([&] {
        last_detail.clear();
        const std::shared_ptr<Handle> h = find(handle);
        const cs_error_t error = h ? fn(*h) : CS_ERR_BAD_HANDLE;
        if (error != CS_OK && last_detail.empty()) last_detail = sentence(error);
        return error;
    });
}

// ---- opening

const char* or_else(const char* text, const char* other) { return text && *text ? text : other; }

const char* spool_folder(const char* wanted) {
    const char* tmp = std::getenv("TMPDIR");
    return or_else(wanted, or_else(tmp, "/var/tmp"));
}

// Fills in what stands for NULL and 0, and says what is wrong.
const char* complete(assent_model_v1_data_t& m) {
    if (m.flags != 0) return "a flag is set that this version does not know";
    m.address = or_else(m.address, "/run/assent/assentd.sock");
    m.group = or_else(m.group, "kv");
    m.program = or_else(m.program, program_invocation_short_name);
    m.spool = spool_folder(m.spool);
    if (!m.timeout_ms) m.timeout_ms = 5'000;
    if (!m.max_outstanding) m.max_outstanding = 1'024;
    if (!m.max_queued_bytes) m.max_queued_bytes = 16u << 20;
    if (std::strchr(m.address, '/')) {
        if (std::strlen(m.address) >= sizeof(sockaddr_un::sun_path)) return "the path of the socket is too long";
    } else if (const char* colon = std::strrchr(m.address, ':'); !colon || colon == m.address || !colon[1]) {
        return "the address is neither the path of a socket nor HOST:PORT";
    }
    if (std::strlen(m.group) > kMostName) return "the group's name is too long";
    if (m.timeout_ms > kMostTimeout) return "timeout_ms is above one hour";
    if (m.max_outstanding > kMostOutstanding) return "max_outstanding is above 4096";
    if (m.max_queued_bytes < kLeastBytes || m.max_queued_bytes > kMostBytes)
        return "max_queued_bytes is below 64 KiB or above 1 GiB";
    return nullptr;
}

cs_error_t open_handle(assent_handle_t* handle, assent_model_v1_data_t model, void* context) {
    if (const char* wrong = complete(model)) return invalid(wrong);
    Table& t = table();
    const std::unique_lock<std::shared_mutex> lock(t.mutex);
    const assent_handle_t number = ++t.last;
    t.handles.emplace(number, std::make_shared<Handle>(number, model, context));
    *handle = number;
    return CS_OK;
}

// ---- requests

bool fits(const void* data, size_t length) { return data || length == 0; }

cs_error_t check_request(const void* data, size_t length, uint32_t timeout_ms) {
    if (!fits(data, length)) return invalid("data is NULL, and length is not 0");
    if (timeout_ms > kMostTimeout) return invalid("timeout_ms is above one hour");
    if (length > assent::lib::kMaxRequest)
        return failed(CS_ERR_TOO_BIG, std::to_string(length) + " bytes: the daemon takes requests of at most " +
                                          std::to_string(assent::lib::kMaxRequest));
    return CS_OK;
}

pb::Request write_request(const void* data, size_t length) {
    pb::Request r;
    r.mutable_write()->set_data(data ? data : "", length);
    return r;
}

pb::Request read_request(assent_read_level_t level, uint64_t index, const void* query, size_t length) {
    pb::Request r;
    r.mutable_read()->set_query(query ? query : "", length);
    r.mutable_read()->set_level(pb::ReadLevel(level));
    r.mutable_read()->set_index(index);
    return r;
}

pb::Request outcome_request(const assent_write_id_t& id) {
    pb::Request r;
    r.mutable_outcome()->mutable_client()->set_birth(id.birth);
    r.mutable_outcome()->mutable_client()->set_random(id.random);
    r.mutable_outcome()->set_sequence(id.sequence);
    return r;
}

bool is_level(assent_read_level_t level) { return level >= ASSENT_READ_MASTER && level <= ASSENT_READ_APPLIED_AFTER; }

bool is_id(const assent_write_id_t* id) { return id && id->random != 0 && id->sequence != 0; }

// One piece of memory with all of it.
assent_reply_t* copy_of(const Reply& r) {
    auto* bytes = static_cast<char*>(std::malloc(sizeof(assent_reply_t) + r.data.size() + r.reason.size() + 1));
    if (!bytes) throw std::bad_alloc();
    auto* reply = new (bytes) assent_reply_t(assent::lib::view_of(r));
    char* at = bytes + sizeof(assent_reply_t);
    std::memcpy(at, r.data.data(), r.data.size());
    reply->data = r.data.empty() ? nullptr : at;
    at += r.data.size();
    std::memcpy(at, r.reason.c_str(), r.reason.size() + 1);
    reply->reason = at;
    return reply;
}

cs_error_t call(Handle& handle, pb::Request&& request, size_t bytes, uint32_t timeout_ms, assent_reply_t** out) {
    Reply reply;
    if (const cs_error_t error = handle.call(std::move(request), bytes, timeout_ms, reply); error != CS_OK)
        return error;
    if (out) *out = copy_of(reply);
    if (reply.error != CS_OK) last_detail = std::move(reply.reason);
    return reply.error;
}

}  // namespace

// ---- the handle

cs_error_t assent_initialize(assent_handle_t* handle, const char* address, const char* group) {
    assent_model_v1_data_t model{};
    model.model = ASSENT_MODEL_V1;
    model.size = sizeof model;
    model.address = address;
    model.group = group;
    return assent_model_initialize(handle, ASSENT_MODEL_V1, &model, nullptr);
}

cs_error_t assent_model_initialize(assent_handle_t* handle, assent_model_t model, const assent_model_v1_data_t* data,
                                   void* context) {
    return guarded([&] {
        if (!handle || !data) return invalid("handle or data is NULL");
        if (model != ASSENT_MODEL_V1 || data->model != ASSENT_MODEL_V1)
            return invalid("this version of the library knows ASSENT_MODEL_V1 alone");
        if (data->size < offsetof(assent_model_v1_data_t, connection)) return invalid("size is too small");
        assent_model_v1_data_t known{};
        std::memcpy(&known, data, std::min<size_t>(data->size, sizeof known));
        const char* rest = reinterpret_cast<const char*>(data);
        if (data->size > sizeof known &&
            std::any_of(rest + sizeof known, rest + data->size, [](char byte) { return byte != 0; }))
            return invalid("a field is set that this version of the library does not know");
        return open_handle(handle, known, context);
    });
}

cs_error_t assent_finalize(assent_handle_t handle) {
    return with(handle, [&](Handle& h) {
        {
            const std::unique_lock<std::shared_mutex> lock(table().mutex);
            if (table().handles.erase(handle) == 0) return CS_ERR_BAD_HANDLE;
        }
        h.finalize();
        return CS_OK;
    });
}

cs_error_t assent_fd_get(assent_handle_t handle, int* fd) {
    return with(handle, [&](Handle& h) {
        if (!fd) return invalid("fd is NULL");
        *fd = h.fd();
        return CS_OK;
    });
}

cs_error_t assent_dispatch(assent_handle_t handle, cs_dispatch_flags_t flags) {
    return with(handle, [&](Handle& h) {
        if (flags < CS_DISPATCH_ONE || flags > CS_DISPATCH_ONE_NONBLOCKING) return invalid("there is no such flag");
        return h.dispatch(flags);
    });
}

cs_error_t assent_context_get(assent_handle_t handle, void** context) {
    return with(handle, [&](Handle& h) {
        if (!context) return invalid("context is NULL");
        *context = h.context();
        return CS_OK;
    });
}

cs_error_t assent_context_set(assent_handle_t handle, void* context) {
    return with(handle, [&](Handle& h) {
        h.context() = context;
        return CS_OK;
    });
}

cs_error_t assent_state_get(assent_handle_t handle, assent_state_t* state) {
    return with(handle, [&](Handle& h) {
        if (!state || state->size < sizeof(uint32_t)) return invalid("state is NULL, or its size is too small");
        assent_state_t all{};
        h.state(all);
        all.size = uint32_t(std::min<size_t>(state->size, sizeof all));
        std::memcpy(state, &all, all.size);
        return CS_OK;
    });
}

const char* assent_error_detail(void) { return last_detail.c_str(); }

const char* assent_version(void) { return ASSENT_VERSION; }

// ---- client

cs_error_t assent_write(assent_handle_t handle, const void* data, size_t length, uint32_t timeout_ms,
                        assent_reply_fn_t done, void* user) {
    return with(handle, [&](Handle& h) {
        if (const cs_error_t error = check_request(data, length, timeout_ms); error != CS_OK) return error;
        return h.submit(write_request(data, length), length, timeout_ms, done, user);
    });
}

cs_error_t assent_write_wait(assent_handle_t handle, const void* data, size_t length, uint32_t timeout_ms,
                             assent_reply_t** reply) {
    if (reply) *reply = nullptr;
    return with(handle, [&](Handle& h) {
        if (const cs_error_t error = check_request(data, length, timeout_ms); error != CS_OK) return error;
        return call(h, write_request(data, length), length, timeout_ms, reply);
    });
}

cs_error_t assent_read(assent_handle_t handle, assent_read_level_t level, uint64_t index, const void* query,
                       size_t length, uint32_t timeout_ms, assent_reply_fn_t done, void* user) {
    return with(handle, [&](Handle& h) {
        if (!is_level(level)) return invalid("there is no such level");
        if (const cs_error_t error = check_request(query, length, timeout_ms); error != CS_OK) return error;
        return h.submit(read_request(level, index, query, length), length, timeout_ms, done, user);
    });
}

cs_error_t assent_read_wait(assent_handle_t handle, assent_read_level_t level, uint64_t index, const void* query,
                            size_t length, uint32_t timeout_ms, assent_reply_t** reply) {
    if (reply) *reply = nullptr;
    return with(handle, [&](Handle& h) {
        if (!is_level(level)) return invalid("there is no such level");
        if (const cs_error_t error = check_request(query, length, timeout_ms); error != CS_OK) return error;
        return call(h, read_request(level, index, query, length), length, timeout_ms, reply);
    });
}

cs_error_t assent_outcome(assent_handle_t handle, const assent_write_id_t* id, uint32_t timeout_ms,
                          assent_reply_fn_t done, void* user) {
    return with(handle, [&](Handle& h) {
        if (!is_id(id)) return invalid("id names no write");
        if (const cs_error_t error = check_request(nullptr, 0, timeout_ms); error != CS_OK) return error;
        return h.submit(outcome_request(*id), 0, timeout_ms, done, user);
    });
}

cs_error_t assent_outcome_wait(assent_handle_t handle, const assent_write_id_t* id, uint32_t timeout_ms,
                               assent_reply_t** reply) {
    if (reply) *reply = nullptr;
    return with(handle, [&](Handle& h) {
        if (!is_id(id)) return invalid("id names no write");
        if (const cs_error_t error = check_request(nullptr, 0, timeout_ms); error != CS_OK) return error;
        return call(h, outcome_request(*id), 0, timeout_ms, reply);
    });
}

void assent_reply_free(assent_reply_t* reply) { std::free(reply); }

cs_error_t assent_watch(assent_handle_t handle, uint64_t from, assent_watch_fn_t watched, void* user, uint64_t* watch) {
    return with(handle, [&](Handle& h) {
        if (!watched || !watch) return invalid("watched or watch is NULL");
        return h.watch(from, watched, user, *watch);
    });
}

cs_error_t assent_unwatch(assent_handle_t handle, uint64_t watch) {
    return with(handle, [&](Handle& h) { return h.unwatch(watch); });
}

// ---- application

cs_error_t assent_application_attach(assent_handle_t handle, const char* group, uint64_t applied,
                                     const assent_cluster_id_t* cluster) {
    return with(handle, [&](Handle& h) {
        const assent_cluster_id_t id = cluster ? *cluster : assent_cluster_id_t{};
        if (group && (!*group || std::strlen(group) > kMostName)) return invalid("group is empty or too long");
        if (applied != 0 && !id.high && !id.low)
            return invalid("a store with writes in it belongs to a cluster: say which");
        const cs_error_t error = h.attach(group, applied, id);
        return error == CS_ERR_INVALID_PARAM ? invalid("the handle has no callback prepare, confirm or query") : error;
    });
}

cs_error_t assent_application_detach(assent_handle_t handle) {
    return with(handle, [&](Handle& h) { return h.application([](Attached& a) { return a.detach(); }); });
}

cs_error_t assent_accept(assent_handle_t handle, uint64_t ask) {
    return with(handle, [&](Handle& h) { return h.application([&](Attached& a) { return a.accept(ask); }); });
}

cs_error_t assent_reject(assent_handle_t handle, uint64_t ask, const char* reason) {
    return with(handle, [&](Handle& h) { return h.application([&](Attached& a) { return a.reject(ask, reason); }); });
}

cs_error_t assent_applied(assent_handle_t handle, uint64_t index, uint64_t durable, const void* result, size_t length) {
    return with(handle, [&](Handle& h) {
        if (!fits(result, length)) return invalid("result is NULL, and length is not 0");
        return h.application([&](Attached& a) { return a.applied(index, durable, result, length); });
    });
}

cs_error_t assent_answer(assent_handle_t handle, uint64_t query, const char* error, const void* data, size_t length) {
    return with(handle, [&](Handle& h) {
        if (!fits(data, length)) return invalid("data is NULL, and length is not 0");
        return h.application([&](Attached& a) { return a.answer(query, error, data, length); });
    });
}

cs_error_t assent_snapshot_saved(assent_handle_t handle, uint64_t snapshot, uint64_t index, const char* error) {
    return with(handle, [&](Handle& h) {
        return h.application([&](Attached& a) { return a.snapshot_saved(snapshot, index, error); });
    });
}

cs_error_t assent_snapshot_loaded(assent_handle_t handle, uint64_t snapshot, const char* error) {
    return with(handle, [&](Handle& h) {
        return h.application(
            [&](Attached& a) { return a.snapshot_loaded(snapshot, error, assent::lib::Clock::now()); });
    });
}

cs_error_t assent_digest(assent_handle_t handle, uint64_t index, uint64_t value) {
    return with(handle, [&](Handle& h) { return h.application([&](Attached& a) { return a.digest(index, value); }); });
}
