// A snapshot on its way between a client and the application that is attached: passed on as it comes, and nothing is kept of
// it. One at a time. Loop's thread only.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "core/types.h"
#include "proto/client.pb.h"

namespace assent::attached {

// To the client.
struct SnapshotHooks {
    std::function<void(uint64_t session, uint64_t request, const pb::ServerFrame&)> more;
    std::function<void(uint64_t session, const pb::Reply&)> reply;
};

class Snapshots {
  public:
    static constexpr uint32_t kChunkBytes = 256 << 10;
    static constexpr uint32_t kWindowBytes = 1 << 20;
    using SendFn = std::function<void(pb::ToApplication)>;
    struct Client {
        uint64_t session = 0;
        uint64_t request = 0;
        int64_t deadline_us = 0;
    };
    struct Restore {
        Index index;
        uint64_t bytes = 0;
        ClusterId cluster;
    };

    explicit Snapshots(SnapshotHooks hooks) : hooks_(std::move(hooks)) {}

    bool busy() const { return phase_ != Phase::none; }
    // A restore waits for an application, or for it to have applied what it was given.
    const Restore* waits() const { return phase_ == Phase::waiting ? &restore_ : nullptr; }
    // The application's state is being replaced: nothing else is to be done with it.
    bool loading() const { return phase_ == Phase::loading || phase_ == Phase::loaded; }

    // ---- the client's wishes; none is busy()
    void save(const Client& client, SendFn to_application);
    void restore(const Client& client, const Restore& restore);
    void begin_load(SendFn to_application);
    void refuse(const Client& client, pb::Code code, const std::string& reason);

    // ---- from the client
    void from_client(uint64_t session, const pb::ClientFrame& frame);
    void client_gone(uint64_t session);

    // ---- from the application. Not empty: it broke the protocol; a clause for people.
    std::string chunk(const pb::SnapshotChunk& chunk);
    std::string end(const pb::SnapshotEnd& end, Index given);
    std::string taken(const pb::SnapshotTaken& taken);
    enum class Loaded : uint8_t { stale, broken, failed, done };
    // done: the host goes on from waiting()'s index, and then says finished().
    Loaded loaded(const pb::FromApplication::SnapshotLoaded& loaded);
    const Restore& what() const { return restore_; }
    void finished(pb::Code code, const std::string& reason);
    void application_gone();

    void tick(int64_t now_us);

  private:
    enum class Phase : uint8_t {
        none,
        saving,
        waiting,  // to begin a load
        loading,  // chunks come
        loaded,   // the application has all, and works on it
    };

    void from_client(const pb::SnapshotChunk& chunk);
    void give_up(pb::Code code, const std::string& reason);
    void reply(pb::Code code, const std::string& reason, Index index = Index());
    void tell_taken(uint64_t bytes);
    void all_sent();

    const SnapshotHooks hooks_;
    Phase phase_ = Phase::none;
    std::optional<Client> client_;  // none: it is gone, and the application still loads
    Restore restore_;
    SendFn to_application_;
    uint64_t id_ = 0;     // towards the application
    uint64_t got_ = 0;    // bytes
    uint64_t taken_ = 0;  // of them
};

}  // namespace assent::attached
