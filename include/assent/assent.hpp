// assent.hpp: libassent for C++, header only. Handles close themselves, callbacks are std::functions, errors are exceptions,
// and no exception ever crosses the C library: one that a callback throws finalizes the handle, so that nothing is called
// after it, and comes out of dispatch(). An application begins anew then, from what its store has.
// Contract, errors, threads and ownership are those of assent.h, function for function.
#ifndef ASSENT_ASSENT_HPP
#define ASSENT_ASSENT_HPP

#include <assent/assent.h>

#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace assent {

class Exception : public std::runtime_error {
  public:
    Exception(cs_error_t error, const std::string& what) : std::runtime_error(what), error_(error) {}
    cs_error_t error() const { return error_; }

  private:
    cs_error_t error_;
};

inline void check(cs_error_t error) {
    if (error != CS_OK) throw Exception(error, assent_error_detail());
}

// A reply that was kept.
struct Answer {
    assent_outcome_t outcome = ASSENT_NOT_DONE;
    cs_error_t error = CS_OK;
    int code = 0;
    uint64_t index = 0;
    uint64_t epoch = 0;
    assent_write_id_t id{};
    std::string data;
    std::string reason;

    Answer() = default;
    explicit Answer(const assent_reply_t& r)
        : outcome(r.outcome), error(r.error), code(r.code), index(r.index), epoch(r.epoch), id(r.id),
          data(static_cast<const char*>(r.data ? r.data : ""), r.length), reason(r.reason) {}
    explicit operator bool() const { return error == CS_OK; }
};

inline std::string_view bytes_of(const assent_entry_t& entry) {
    return {static_cast<const char*>(entry.data ? entry.data : ""), entry.length};
}

// What an application and a client are told; leave out what is not of interest. Called in dispatch().
struct Callbacks {
    std::function<void(bool connected, const std::string& reason)> connection;
    std::function<void()> writable;
    std::function<void(const assent_entry_t&)> prepare;
    std::function<void(const assent_entry_t&)> confirm;
    std::function<void(uint64_t index, const std::string& reason)> cancel;
    std::function<void(uint64_t from)> withdraw;
    std::function<void(uint64_t query, std::string_view data)> query;
    std::function<void(bool master, uint64_t epoch)> role;
    std::function<void(const assent_application_state_t&)> application;
    std::function<void(uint64_t snapshot, int fd)> snapshot_save;
    std::function<void(uint64_t snapshot, int fd, uint64_t length, uint64_t index, const assent_cluster_id_t&)>
        snapshot_load;
    std::function<void(uint64_t index)> digest;
};

class Handle {
  public:
    using Done = std::function<void(const assent_reply_t&)>;

    // `options`: the fields of assent_model_v1_data_t before its callbacks; those are set here.
    explicit Handle(Callbacks callbacks = {}, assent_model_v1_data_t options = {})
        : inner_(std::make_unique<Inner>(std::move(callbacks))) {
        options.model = ASSENT_MODEL_V1;
        options.size = sizeof options;
        connect(options);
        check(assent_model_initialize(&handle_, ASSENT_MODEL_V1, &options, inner_.get()));
    }
    Handle(Handle&& other) noexcept : handle_(std::exchange(other.handle_, 0)), inner_(std::move(other.inner_)) {}
    Handle& operator=(Handle&& other) noexcept {
        if (this != &other) {
            finalize();
            handle_ = std::exchange(other.handle_, 0);
            inner_ = std::move(other.inner_);
        }
        return *this;
    }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    // Not while another thread dispatches it.
    ~Handle() { finalize(); }

    assent_handle_t get() const { return handle_; }
    int fd() const {
        int fd = -1;
        check(assent_fd_get(handle_, &fd));
        return fd;
    }
    // False: CS_DISPATCH_ONE_NONBLOCKING found nothing. Throws what a callback threw: the handle is finalized then.
    bool dispatch(cs_dispatch_flags_t flags = CS_DISPATCH_ALL) {
        const cs_error_t error = assent_dispatch(handle_, flags);
        if (inner_ && inner_->thrown) std::rethrow_exception(std::exchange(inner_->thrown, nullptr));
        if (error == CS_ERR_TRY_AGAIN) return false;
        check(error);
        return true;
    }
    // Ends it, also from a callback.
    void finalize() noexcept {
        if (handle_) (void)assent_finalize(std::exchange(handle_, 0));
    }
    assent_state_t state() const {
        assent_state_t state{};
        state.size = sizeof state;
        check(assent_state_get(handle_, &state));
        return state;
    }

    // ---- client. False: the queue is full (CS_ERR_TRY_AGAIN), and `writable` will be called.
    bool write(std::string_view data, Done done = nullptr, uint32_t timeout_ms = 0) {
        return submit(std::move(done), [&](assent_reply_fn_t fn, void* user) {
            return assent_write(handle_, data.data(), data.size(), timeout_ms, fn, user);
        });
    }
    bool read(std::string_view query, Done done, assent_read_level_t level = ASSENT_READ_MASTER, uint64_t index = 0,
              uint32_t timeout_ms = 0) {
        return submit(std::move(done), [&](assent_reply_fn_t fn, void* user) {
            return assent_read(handle_, level, index, query.data(), query.size(), timeout_ms, fn, user);
        });
    }
    // Waiting. An outcome other than done is no exception: look at the answer.
    Answer write_wait(std::string_view data, uint32_t timeout_ms = 0) {
        return wait(
            [&](assent_reply_t** r) { return assent_write_wait(handle_, data.data(), data.size(), timeout_ms, r); });
    }
    Answer read_wait(std::string_view query, assent_read_level_t level = ASSENT_READ_MASTER, uint64_t index = 0,
                     uint32_t timeout_ms = 0) {
        return wait([&](assent_reply_t** r) {
            return assent_read_wait(handle_, level, index, query.data(), query.size(), timeout_ms, r);
        });
    }
    Answer outcome_wait(const assent_write_id_t& id, uint32_t timeout_ms = 0) {
        return wait([&](assent_reply_t** r) { return assent_outcome_wait(handle_, &id, timeout_ms, r); });
    }

    // ---- application. False: CS_ERR_NOT_EXIST, nobody waits for this answer any more.
    void attach(uint64_t applied, const assent_cluster_id_t& cluster, const char* group = nullptr) {
        check(assent_application_attach(handle_, group, applied, &cluster));
    }
    void detach() { check(assent_application_detach(handle_)); }
    bool accept(uint64_t ask) { return answered(assent_accept(handle_, ask)); }
    bool reject(uint64_t ask, const std::string& reason) {
        return answered(assent_reject(handle_, ask, reason.c_str()));
    }
    void applied(uint64_t index, uint64_t durable, std::string_view result = {}) {
        check(assent_applied(handle_, index, durable, result.data(), result.size()));
    }
    bool answer(uint64_t query, std::string_view data) {
        return answered(assent_answer(handle_, query, nullptr, data.data(), data.size()));
    }
    bool cannot_answer(uint64_t query, const std::string& error) {
        return answered(assent_answer(handle_, query, error.c_str(), nullptr, 0));
    }
    bool snapshot_saved(uint64_t snapshot, uint64_t index, const char* error = nullptr) {
        return answered(assent_snapshot_saved(handle_, snapshot, index, error));
    }
    bool snapshot_loaded(uint64_t snapshot, const char* error = nullptr) {
        return answered(assent_snapshot_loaded(handle_, snapshot, error));
    }
    bool digest(uint64_t index, uint64_t value) { return answered(assent_digest(handle_, index, value)); }

  private:
    struct Inner;
    struct Completion {
        Inner* inner;
        Done done;
    };
    struct Inner {
        explicit Inner(Callbacks c) : callbacks(std::move(c)) {}
        Callbacks callbacks;
        std::exception_ptr thrown;
        std::mutex mutex;
        std::unordered_map<Completion*, std::unique_ptr<Completion>> waiting;  // completions of requests without reply

        Completion* add(Done done) {
            std::unique_ptr<Completion> completion(new Completion{this, std::move(done)});
            Completion* const name = completion.get();
            const std::lock_guard<std::mutex> lock(mutex);
            waiting.emplace(name, std::move(completion));
            return name;
        }
        std::unique_ptr<Completion> take(Completion* name) noexcept {
            const std::lock_guard<std::mutex> lock(mutex);
            const auto found = waiting.find(name);
            std::unique_ptr<Completion> completion = std::move(found->second);
            waiting.erase(found);
            return completion;
        }
    };

    template <typename Fn> static void run(assent_handle_t handle, Inner* inner, Fn&& fn) noexcept {
        try {
            fn();
        } catch (...) {
            inner->thrown = std::current_exception();
            (void)assent_finalize(handle);
        }
    }
    static bool answered(cs_error_t error) {
        if (error == CS_ERR_NOT_EXIST) return false;
        check(error);
        return true;
    }
    template <typename Call> bool submit(Done done, Call&& call) {
        Completion* const completion = done && inner_ ? inner_->add(std::move(done)) : nullptr;
        const cs_error_t error = call(completion ? &completed : nullptr, completion);
        if (error == CS_OK) return true;
        if (completion) (void)inner_->take(completion);
        if (error == CS_ERR_TRY_AGAIN) return false;
        check(error);
        return true;
    }
    static void completed(assent_handle_t handle, const assent_reply_t* reply, void* user) {
        Completion* const name = static_cast<Completion*>(user);
        const std::unique_ptr<Completion> completion = name->inner->take(name);
        run(handle, completion->inner, [&] { completion->done(*reply); });
    }
    template <typename Call> static Answer wait(Call&& call) {
        assent_reply_t* raw = nullptr;
        const cs_error_t error = call(&raw);
        const std::unique_ptr<assent_reply_t, void (*)(assent_reply_t*)> reply(raw, assent_reply_free);
        if (!reply) check(error);
        return Answer(*reply);
    }

    void connect(assent_model_v1_data_t& m) const {
        const Callbacks& c = inner_->callbacks;
        m.connection = nullptr, m.writable = nullptr, m.prepare = nullptr, m.confirm = nullptr, m.cancel = nullptr;
        m.withdraw = nullptr, m.query = nullptr, m.role = nullptr, m.application = nullptr, m.digest = nullptr;
        m.snapshot_save = nullptr, m.snapshot_load = nullptr;
        if (c.connection)
            m.connection = [](assent_handle_t handle, int connected, const char* reason, void* context) {
                run(handle, at(context), [&] { at(context)->callbacks.connection(connected != 0, reason); });
            };
        if (c.writable)
            m.writable = [](assent_handle_t handle, void* context) {
                run(handle, at(context), [&] { at(context)->callbacks.writable(); });
            };
        if (c.prepare)
            m.prepare = [](assent_handle_t handle, const assent_entry_t* entry, void* context) {
                run(handle, at(context), [&] { at(context)->callbacks.prepare(*entry); });
            };
        if (c.confirm)
            m.confirm = [](assent_handle_t handle, const assent_entry_t* entry, void* context) {
                run(handle, at(context), [&] { at(context)->callbacks.confirm(*entry); });
            };
        if (c.cancel)
            m.cancel = [](assent_handle_t handle, uint64_t index, const char* reason, void* context) {
                run(handle, at(context), [&] { at(context)->callbacks.cancel(index, reason); });
            };
        if (c.withdraw)
            m.withdraw = [](assent_handle_t handle, uint64_t from, void* context) {
                run(handle, at(context), [&] { at(context)->callbacks.withdraw(from); });
            };
        if (c.query)
            m.query = [](assent_handle_t handle, uint64_t query, const void* data, size_t length, void* context) {
                run(handle, at(context), [&] {
                    at(context)->callbacks.query(query, {static_cast<const char*>(data ? data : ""), length});
                });
            };
        if (c.role)
            m.role = [](assent_handle_t handle, int master, uint64_t epoch, void* context) {
                run(handle, at(context), [&] { at(context)->callbacks.role(master != 0, epoch); });
            };
        if (c.application)
            m.application = [](assent_handle_t handle, const assent_application_state_t* state, void* context) {
                run(handle, at(context), [&] { at(context)->callbacks.application(*state); });
            };
        if (c.snapshot_save)
            m.snapshot_save = [](assent_handle_t handle, uint64_t snapshot, int fd, void* context) {
                run(handle, at(context), [&] { at(context)->callbacks.snapshot_save(snapshot, fd); });
            };
        if (c.snapshot_load)
            m.snapshot_load = [](assent_handle_t handle, uint64_t snapshot, int fd, uint64_t length, uint64_t index,
                                 const assent_cluster_id_t* cluster, void* context) {
                run(handle, at(context),
                    [&] { at(context)->callbacks.snapshot_load(snapshot, fd, length, index, *cluster); });
            };
        if (c.digest)
            m.digest = [](assent_handle_t handle, uint64_t index, void* context) {
                run(handle, at(context), [&] { at(context)->callbacks.digest(index); });
            };
    }
    static Inner* at(void* context) { return static_cast<Inner*>(context); }

    assent_handle_t handle_ = 0;
    std::unique_ptr<Inner> inner_;
};

}  // namespace assent

#endif
