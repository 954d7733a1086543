// Snapshots on their way between the daemon and the application, each through a file without a name: the application never
// sees half of one, and is never waited for.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "assent/assent.h"
#include "base/fd.h"
#include "base/failure.h"
#include "proto/client.pb.h"

namespace assent::lib {

class Snapshots {
  public:
    using Push = std::function<void(pb::FromApplication&&)>;

    Snapshots(std::string folder, Push push) : folder_(std::move(folder)), push_(std::move(push)) {}

    // ---- saving. `token` names it to the application.
    // The file to write into, or -1: it was refused, and the daemon was told why, or is not wanted any more.
    int begin_save(uint64_t token, const pb::ToApplication::SnapshotSave& save);
    bool saved(uint64_t token, uint64_t index, const char* error);
    void taken(const pb::SnapshotTaken& taken);
    void abort(uint64_t id);
    // Sends chunks as far as the window and `room` (bytes the connection shall take now) allow.
    void send(size_t room);
    bool sending() const { return save_ && save_->sending; }

    // ---- loading
    struct Load {
        uint64_t id = 0;  // the daemon's
        uint64_t token = 0;
        uint64_t index = 0;
        uint64_t bytes = 0;
        uint64_t window = 0;
        uint64_t got = 0;
        uint64_t said = 0;  // of `got`, in a SnapshotTaken
        assent_cluster_id_t cluster{};
        Fd file;
        bool whole = false;   // all of it is there, and said so
        bool given = false;   // the application works on it
        bool current = true;  // the session that it came by lives
    };
    void begin_load(uint64_t token, const pb::ToApplication::SnapshotLoad& load);
    void chunk(const pb::SnapshotChunk& chunk);
    // The one that is whole with this, or nullptr.
    Load* end(const pb::SnapshotEnd& end);
    // The application has it: nullptr if it is none any more.
    Load* give(uint64_t token);
    // Its answer: what was loaded, or nothing if it was never asked.
    std::optional<Load> loaded(uint64_t token, const char* error);
    bool given() const { return load_ && load_->given; }

    // The session is lost.
    void lost();

  private:
    struct Save {
        uint64_t id = 0;
        uint64_t token = 0;
        uint64_t index = 0;
        uint64_t chunk = 0;
        uint64_t window = 0;
        uint64_t length = 0;
        uint64_t sent = 0;
        uint64_t taken = 0;
        Fd file;
        bool sending = false;
        bool current = true;
    };

    Result<int> open_file() const;
    void end_save(pb::Code code, const std::string& reason);
    void refuse_load(const std::string& reason);

    const std::string folder_;
    const Push push_;
    std::optional<Save> save_;
    uint64_t aborted_ = 0;  // the newest save that was given up before the application began with it
    std::optional<Load> load_;
};

}  // namespace assent::lib
