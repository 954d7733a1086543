#include "lib/snapshots.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace assent::lib {

namespace {

constexpr uint64_t kMostChunk = 1u << 20;

std::string error_text(const std::string& what) { return what + ": " + std::strerror(errno); }

}  // namespace

Result<int> Snapshots::open_file() const {
    const int fd = ::open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0) return fd;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT) return Error{error_text("no file in " + folder_)};
    std::string name = folder_ + "/assent-XXXXXX";
    const int named = ::mkostemp(name.data(), O_CLOEXEC);
    if (named < 0) return Error{error_text("no file in " + folder_)};
    ::unlink(name.c_str());
    return named;
}

// ---- saving

int Snapshots::begin_save(uint64_t token, const pb::ToApplication::SnapshotSave& save) {
    if (save.id() <= aborted_) return -1;
    std::string reason;
    pb::Code code = pb::BUSY;
    if (save_) {
        reason = "the application is saving another snapshot";
    } else if (Result<int> file = open_file(); file) {
        save_ = Save();
        save_->id = save.id();
        save_->token = token;
        save_->chunk = std::clamp<uint64_t>(save.chunk_bytes(), 1, kMostChunk);
        save_->window = std::max<uint64_t>(save.window_bytes(), save_->chunk);
        save_->file = Fd(*file);
        return *file;
    } else {
        reason = file.error();
        code = pb::OTHER_ERROR;
    }
    pb::FromApplication from;
    from.mutable_snapshot_end()->set_id(save.id());
    from.mutable_snapshot_end()->set_code(code);
    from.mutable_snapshot_end()->set_reason(reason);
    push_(std::move(from));
    return -1;
}

void Snapshots::end_save(pb::Code code, const std::string& reason) {
    pb::FromApplication from;
    pb::SnapshotEnd& end = *from.mutable_snapshot_end();
    end.set_id(save_->id);
    end.set_code(code);
    end.set_reason(reason);
    end.set_index(save_->index);
    end.set_bytes(save_->sent);
    save_.reset();
    push_(std::move(from));
}

bool Snapshots::saved(uint64_t token, uint64_t index, const char* error) {
    if (!save_ || save_->token != token || save_->sending) return false;
    if (!save_->current) {
        save_.reset();
        return false;
    }
    struct stat status {};
    save_->index = index;
    if (error) {
        end_save(pb::OTHER_ERROR, error);
    } else if (::fstat(save_->file.get(), &status) != 0) {
        end_save(pb::OTHER_ERROR, error_text("fstat of the snapshot"));
    } else {
        save_->length = uint64_t(status.st_size);
        save_->sending = true;
    }
    return true;
}

void Snapshots::taken(const pb::SnapshotTaken& taken) {
    if (save_ && save_->id == taken.id()) save_->taken = std::min(std::max(save_->taken, taken.bytes()), save_->sent);
}

// The application may still be writing: its file lives until it says that it is done. One that waits for its turn is not
// begun.
void Snapshots::abort(uint64_t id) {
    if (!save_ || save_->id != id) {
        aborted_ = std::max(aborted_, id);
        return;
    }
    if (save_->sending)
        save_.reset();
    else
        save_->current = false;
}

void Snapshots::send(size_t room) {
    while (sending() && save_->sent < save_->length && room > 0) {
        const uint64_t open = save_->window - std::min(save_->window, save_->sent - save_->taken);
        const uint64_t size = std::min({save_->chunk, open, save_->length - save_->sent});
        if (size == 0) return;
        pb::FromApplication from;
        pb::SnapshotChunk& chunk = *from.mutable_snapshot_chunk();
        chunk.set_id(save_->id);
        chunk.set_offset(save_->sent);
        chunk.mutable_data()->resize(size);
        const ssize_t n = ::pread(save_->file.get(), chunk.mutable_data()->data(), size, off_t(save_->sent));
        if (n <= 0)
            return end_save(pb::OTHER_ERROR, n < 0 ? error_text("reading the snapshot") : "the snapshot shrank");
        chunk.mutable_data()->resize(size_t(n));
        save_->sent += uint64_t(n);
        room -= std::min(room, size_t(n));
        push_(std::move(from));
    }
    if (sending() && save_->sent >= save_->length) end_save(pb::DONE, "");
}

// ---- loading

void Snapshots::begin_load(uint64_t token, const pb::ToApplication::SnapshotLoad& load) {
    if (load_ && load_->given) {
        pb::FromApplication from;
        from.mutable_snapshot_loaded()->set_id(load.id());
        from.mutable_snapshot_loaded()->set_code(pb::BUSY);
        from.mutable_snapshot_loaded()->set_reason("the application is loading another snapshot");
        return push_(std::move(from));
    }
    load_ = Load();
    load_->id = load.id();
    load_->token = token;
    load_->index = load.index();
    load_->bytes = load.bytes();
    load_->window = load.window_bytes();
    load_->cluster = {load.cluster_high(), load.cluster_low()};
    Result<int> file = open_file();
    if (!file) return refuse_load(file.error());
    load_->file = Fd(*file);
}

void Snapshots::refuse_load(const std::string& reason) {
    pb::FromApplication from;
    from.mutable_snapshot_loaded()->set_id(load_->id);
    from.mutable_snapshot_loaded()->set_code(pb::OTHER_ERROR);
    from.mutable_snapshot_loaded()->set_reason(reason);
    load_.reset();
    push_(std::move(from));
}

void Snapshots::chunk(const pb::SnapshotChunk& chunk) {
    if (!load_ || load_->id != chunk.id() || load_->given) return;
    const std::string& data = chunk.data();
    if (chunk.offset() != load_->got || data.size() > load_->bytes - load_->got)
        return refuse_load("a chunk of the snapshot is out of order, or longer than was announced");
    for (size_t done = 0; done < data.size();) {
        const ssize_t n = ::pwrite(load_->file.get(), data.data() + done, data.size() - done, off_t(load_->got));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return refuse_load(error_text("keeping the snapshot in " + folder_));
        done += size_t(n);
        load_->got += uint64_t(n);
    }
    if (load_->got - load_->said < load_->window / 4 && load_->got < load_->bytes) return;
    load_->said = load_->got;
    pb::FromApplication from;
    from.mutable_snapshot_taken()->set_id(load_->id);
    from.mutable_snapshot_taken()->set_bytes(load_->got);
    push_(std::move(from));
}

Snapshots::Load* Snapshots::end(const pb::SnapshotEnd& end) {
    if (!load_ || load_->id != end.id() || load_->given) return nullptr;
    if (end.code() != pb::DONE) {
        load_.reset();
        return nullptr;
    }
    if (std::exchange(load_->whole, true)) return nullptr;
    if (load_->got != load_->bytes || (end.bytes() != 0 && end.bytes() != load_->got)) {
        refuse_load("the snapshot has " + std::to_string(load_->got) + " bytes, and " + std::to_string(load_->bytes) +
                    " were announced");
        return nullptr;
    }
    return &*load_;
}

Snapshots::Load* Snapshots::give(uint64_t token) {
    if (!load_ || load_->token != token) return nullptr;
    load_->given = true;
    ::lseek(load_->file.get(), 0, SEEK_SET);
    return &*load_;
}

std::optional<Snapshots::Load> Snapshots::loaded(uint64_t token, const char* error) {
    if (!load_ || load_->token != token || !load_->given) return std::nullopt;
    std::optional<Load> load = std::move(load_);
    load_.reset();
    if (!load->current) return load;
    pb::FromApplication from;
    from.mutable_snapshot_loaded()->set_id(load->id);
    if (error) {
        from.mutable_snapshot_loaded()->set_code(pb::OTHER_ERROR);
        from.mutable_snapshot_loaded()->set_reason(error);
    }
    push_(std::move(from));
    return load;
}

void Snapshots::lost() {
    if (save_) abort(save_->id);
    aborted_ = 0;
    if (load_ && load_->given)
        load_->current = false;
    else
        load_.reset();
}

}  // namespace assent::lib
