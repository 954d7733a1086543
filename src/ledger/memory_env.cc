#include "ledger/memory_env.h"

#include <algorithm>

namespace assent::ledger {
namespace {

constexpr uint64_t kSector = 512;

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

// A file's bytes, and the sectors of it (by their first byte) that cannot be read.
struct Bytes {
    std::string at;
    std::set<uint64_t> lost;

    void put(uint64_t offset, std::string_view bytes) {
        if (at.size() < offset + bytes.size()) at.resize(offset + bytes.size(), '\0');
        std::copy(bytes.begin(), bytes.end(), at.begin() + std::ptrdiff_t(offset));
        if (lost.empty()) return;
        const uint64_t end = offset + bytes.size();
        std::erase_if(lost, [&](uint64_t sector) { return sector >= offset && sector + kSector <= end; });
    }
};

}  // namespace

struct FaultEnv::Inode {
    Bytes cached;                                            // as processes see it
    Bytes durable;                                           // as the disk has it
    std::vector<std::pair<uint64_t, std::string>> unsynced;  // writes, in order
};

class FaultEnv::MemoryFile : public File {
  public:
    MemoryFile(FaultEnv& env, std::shared_ptr<Inode> inode, std::string path, bool writable)
        : env_(env), inode_(std::move(inode)), path_(std::move(path)), generation_(env.generation_),
          writable_(writable) {}

    Result<size_t> read_at(uint64_t offset, char* to, size_t size) override {
        const std::lock_guard guard(env_.mutex_);
        if (dead()) return gone();
        const Bytes& from = inode_->cached;
        if (offset >= from.at.size()) return size_t(0);
        const auto lost = from.lost.lower_bound(offset / kSector * kSector);
        if (lost != from.lost.end() && *lost < offset + size) {
            return Error{"cannot read at offset " + std::to_string(*lost) + " of " + path_ + ": Input/output error"};
        }
        return from.at.copy(to, size, offset);
    }

    Trouble write_at(uint64_t offset, std::string_view bytes) override {
        const std::lock_guard guard(env_.mutex_);
        if (dead() || !writable_) return gone();
        if (env_.fails(Op::write, path_)) {
            const std::string part(bytes.substr(0, env_.chance() % (bytes.size() + 1)));
            write(offset, part);
            return Error{"cannot write " + path_ + ": made to fail"};
        }
        const uint64_t size = inode_->cached.at.size();
        const uint64_t growth = offset + bytes.size() > size ? offset + bytes.size() - size : 0;
        const uint64_t room = env_.take_room(growth);
        write(offset, std::string(bytes.substr(0, bytes.size() - std::min<uint64_t>(growth - room, bytes.size()))));
        if (room < growth) return Error{"cannot write " + path_ + ": No space left on device"};
        return {};
    }

    Trouble sync() override {
        const std::lock_guard guard(env_.mutex_);
        if (dead()) return gone();
        const bool failed = env_.fails(Op::sync, path_);
        for (const auto& [offset, bytes] : inode_->unsynced) {
            env_.apply_write(*inode_, offset, bytes, failed ? Loss::some : Loss::nothing);
        }
        inode_->unsynced.clear();
        if (failed) return Error{"cannot sync " + path_ + ": made to fail"};
        return {};
    }

    Result<uint64_t> size() override {
        const std::lock_guard guard(env_.mutex_);
        if (dead()) return gone();
        return uint64_t(inode_->cached.at.size());
    }

    Trouble forget_cache() override {
        const std::lock_guard guard(env_.mutex_);
        if (dead()) return gone();
        inode_->cached = inode_->durable;
        for (const auto& [offset, bytes] : inode_->unsynced) inode_->cached.put(offset, bytes);
        return {};
    }

  private:
    bool dead() const { return generation_ != env_.generation_; }
    Error gone() const { return Error{"cannot use " + path_ + ": it was opened before the crash, or to be read only"}; }
    void write(uint64_t offset, std::string bytes) {
        if (bytes.empty()) return;
        inode_->cached.put(offset, bytes);
        inode_->unsynced.emplace_back(offset, std::move(bytes));
    }

    FaultEnv& env_;
    std::shared_ptr<Inode> inode_;
    std::string path_;
    uint64_t generation_;
    bool writable_;
};

class FaultEnv::MemoryLock : public Lock {
  public:
    MemoryLock(FaultEnv& env, std::string dir) : env_(env), dir_(std::move(dir)), generation_(env.generation_) {}
    ~MemoryLock() override {
        const std::lock_guard guard(env_.mutex_);
        if (generation_ == env_.generation_) env_.locks_.erase(dir_);
    }

  private:
    FaultEnv& env_;
    std::string dir_;
    uint64_t generation_;
};

FaultEnv::FaultEnv(uint64_t seed) : seed_(seed) {}
FaultEnv::~FaultEnv() = default;

// splitmix64
uint64_t FaultEnv::chance() {
    uint64_t z = (seed_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

bool FaultEnv::fails(Op op, const std::string& path) {
    ++counts_[size_t(op)];
    if (hook_) hook_(op, path);
    uint64_t& failing = failing_[size_t(op)];
    if (failing == 0 || --failing > 0) return false;
    ++failed_;
    return true;
}

uint64_t FaultEnv::take_room(uint64_t bytes) {
    const uint64_t taken = std::min(bytes, room_);
    if (taken < bytes) ++failed_;
    if (room_ != UINT64_MAX) room_ -= taken;
    return taken;
}

// To the disk: all of it, or (some) the sectors that chance says.
void FaultEnv::apply_write(Inode& inode, uint64_t offset, const std::string& bytes, Loss loss) {
    if (loss == Loss::everything) return;
    if (loss == Loss::nothing) return inode.durable.put(offset, bytes);
    const uint64_t mode = loss == Loss::holes ? 3 : chance() % 4;  // none, all, a prefix, any sectors
    if (mode == 0) return;
    if (mode == 1) return inode.durable.put(offset, bytes);
    const uint64_t prefix = chance() % (bytes.size() + 1);
    for (uint64_t at = 0; at < bytes.size();) {
        const uint64_t size = std::min<uint64_t>(kSector - (offset + at) % kSector, bytes.size() - at);
        const bool there = mode == 2 ? at + size <= prefix : chance() % 2 == 0;
        if (there) inode.durable.put(offset + at, std::string_view(bytes).substr(at, size));
        at += size;
    }
}

void FaultEnv::apply_change(std::map<std::string, std::shared_ptr<Inode>>& names, const NameChange& change) {
    if (!change.from.empty()) names.erase(change.from);
    if (!change.to.empty()) names[change.to] = change.inode;
}

Result<std::unique_ptr<File>> FaultEnv::open(const std::string& path, Access access) {
    const std::lock_guard guard(mutex_);
    if (fails(Op::open, path)) return Error{"cannot open " + path + ": made to fail"};
    auto it = names_.find(path);
    if (it == names_.end()) {
        if (access != Access::create) return Error{"cannot open " + path + ": No such file or directory"};
        if (take_room(1) == 0) return Error{"cannot open " + path + ": No space left on device"};
        const NameChange made{"", path, std::make_shared<Inode>()};
        apply_change(names_, made);
        changes_.push_back(made);
        it = names_.find(path);
    } else if (access == Access::create) {
        // Emptied: modelled as a new file, so that a crash may bring the old contents back.
        it->second = std::make_shared<Inode>();
        changes_.push_back({path, path, it->second});
    }
    return std::unique_ptr<File>(std::make_unique<MemoryFile>(*this, it->second, path, access != Access::read));
}

Result<std::vector<std::string>> FaultEnv::list(const std::string& dir) {
    const std::lock_guard guard(mutex_);
    std::vector<std::string> names;
    for (const auto& [path, inode] : names_) {
        if (folder_of(path) == dir) names.push_back(path.substr(dir.size() + 1));
    }
    return names;
}

Trouble FaultEnv::rename(const std::string& from, const std::string& to) {
    const std::lock_guard guard(mutex_);
    if (fails(Op::rename, from)) return Error{"cannot rename " + from + ": made to fail"};
    const auto it = names_.find(from);
    if (it == names_.end()) return Error{"cannot rename " + from + ": No such file or directory"};
    const NameChange change{from, to, it->second};
    apply_change(names_, change);
    changes_.push_back(change);
    return {};
}

Trouble FaultEnv::unlink(const std::string& path) {
    const std::lock_guard guard(mutex_);
    if (fails(Op::unlink, path)) return Error{"cannot remove " + path + ": made to fail"};
    if (names_.erase(path) == 0) return Error{"cannot remove " + path + ": No such file or directory"};
    changes_.push_back({path, "", nullptr});
    return {};
}

Trouble FaultEnv::sync_dir(const std::string& dir) {
    const std::lock_guard guard(mutex_);
    if (fails(Op::sync_dir, dir)) return Error{"cannot sync the folder " + dir + ": made to fail"};
    std::erase_if(changes_, [&](const NameChange& change) {
        if (folder_of(change.to.empty() ? change.from : change.to) != dir) return false;
        apply_change(durable_, change);
        return true;
    });
    return {};
}

Result<std::unique_ptr<Env::Lock>> FaultEnv::lock(const std::string& dir) {
    const std::lock_guard guard(mutex_);
    if (!locks_.insert(dir).second) return Error{"the folder " + dir + " is in use by another process"};
    return std::unique_ptr<Lock>(std::make_unique<MemoryLock>(*this, dir));
}

void FaultEnv::crash(Loss loss) {
    const std::lock_guard guard(mutex_);
    ++generation_;
    locks_.clear();
    if (loss == Loss::nothing) return;
    for (const NameChange& change : changes_) {
        if (loss != Loss::everything && chance() % 2 == 0) apply_change(durable_, change);
    }
    changes_.clear();
    // An inode may have several names after a crash in the middle of a rename: each only once.
    std::set<Inode*> seen;
    for (const auto& [path, inode] : durable_) {
        if (!seen.insert(inode.get()).second) continue;
        for (const auto& [offset, bytes] : inode->unsynced) apply_write(*inode, offset, bytes, loss);
        inode->unsynced.clear();
        inode->cached = inode->durable;
    }
    names_ = durable_;
}

void FaultEnv::fail(Op op, uint64_t nth) {
    const std::lock_guard guard(mutex_);
    failing_[size_t(op)] = nth;
}

void FaultEnv::fail_nothing() {
    const std::lock_guard guard(mutex_);
    failing_ = {};
}

void FaultEnv::set_room(uint64_t bytes) {
    const std::lock_guard guard(mutex_);
    room_ = bytes;
}

void FaultEnv::on_operation(std::function<void(Op, const std::string&)> hook) {
    const std::lock_guard guard(mutex_);
    hook_ = std::move(hook);
}

std::string FaultEnv::contents(const std::string& path) const {
    const std::lock_guard guard(mutex_);
    const auto it = names_.find(path);
    return it == names_.end() ? std::string() : it->second->cached.at;
}

void FaultEnv::set_contents(const std::string& path, const std::string& bytes) {
    const std::lock_guard guard(mutex_);
    auto inode = std::make_shared<Inode>();
    inode->cached.at = inode->durable.at = bytes;
    names_[path] = durable_[path] = inode;
}

void FaultEnv::flip_bit(const std::string& path, uint64_t offset, unsigned bit) {
    std::string bytes = contents(path);
    bytes.at(offset) = char(bytes.at(offset) ^ (1 << bit));
    set_contents(path, bytes);
}

bool FaultEnv::exists(const std::string& path) const {
    const std::lock_guard guard(mutex_);
    return names_.contains(path);
}

uint64_t FaultEnv::operations(Op op) const {
    const std::lock_guard guard(mutex_);
    return counts_[size_t(op)];
}

uint64_t FaultEnv::failed() const {
    const std::lock_guard guard(mutex_);
    return failed_;
}

void FaultEnv::damage(const std::string& path, uint64_t offset, std::string_view bytes, bool seen) {
    const std::lock_guard guard(mutex_);
    Inode& inode = *durable_.at(path);
    inode.durable.put(offset, bytes);
    if (seen) inode.cached.put(offset, bytes);
}

void FaultEnv::lose_sector(const std::string& path, uint64_t offset, bool seen) {
    const std::lock_guard guard(mutex_);
    Inode& inode = *durable_.at(path);
    inode.durable.lost.insert(offset / kSector * kSector);
    if (seen) inode.cached.lost.insert(offset / kSector * kSector);
}

std::map<std::string, std::string> FaultEnv::durable() const {
    const std::lock_guard guard(mutex_);
    std::map<std::string, std::string> files;
    for (const auto& [path, inode] : durable_) files.emplace(path, inode->durable.at);
    return files;
}

void FaultEnv::wipe() {
    const std::lock_guard guard(mutex_);
    ++generation_;
    locks_.clear();
    names_.clear();
    durable_.clear();
    changes_.clear();
}

}  // namespace assent::ledger
