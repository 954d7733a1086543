#include "ledger/memory_env.h"

#include <algorithm>

namespace assent::ledger {
namespace {

constexpr uint64_t kSector = 512;

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

void put(std::string& to, uint64_t offset, std::string_view bytes) {
    if (to.size() < offset + bytes.size()) to.resize(offset + bytes.size(), '\0');
    std::copy(bytes.begin(), bytes.end(), to.begin() + std::ptrdiff_t(offset));
}

}  // namespace

struct FaultEnv::Inode {
    std::string cached;                                      // as processes see it
    std::string durable;                                     // as the disk has it
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
        const std::string& from = inode_->cached;
        if (offset >= from.size()) return size_t(0);
        return from.copy(to, size, offset);
    }

    Trouble write_at(uint64_t offset, std::string_view bytes) override {
        const std::lock_guard guard(env_.mutex_);
        if (dead() || !writable_) return gone();
        if (env_.fails(Op::write, path_)) {
            const std::string part(bytes.substr(0, env_.chance() % (bytes.size() + 1)));
            write(offset, part);
            return Error{"cannot write " + path_ + ": made to fail"};
        }
        write(offset, std::string(bytes));
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
        return uint64_t(inode_->cached.size());
    }

    Trouble forget_cache() override {
        const std::lock_guard guard(env_.mutex_);
        if (dead()) return gone();
        inode_->cached = inode_->durable;
        for (const auto& [offset, bytes] : inode_->unsynced) put(inode_->cached, offset, bytes);
        return {};
    }

  private:
    bool dead() const { return generation_ != env_.generation_; }
    Error gone() const { return Error{"cannot use " + path_ + ": it was opened before the crash, or to be read only"}; }
    void write(uint64_t offset, std::string bytes) {
        if (bytes.empty()) return;
        put(inode_->cached, offset, bytes);
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
    ++counts_[op];
    if (hook_) hook_(op, path);
    const auto it = failing_.find(op);
    if (it == failing_.end() || --it->second > 0) return false;
    failing_.erase(it);
    return true;
}

// To the disk: all of it, or (some) the sectors that chance says.
void FaultEnv::apply_write(Inode& inode, uint64_t offset, const std::string& bytes, Loss loss) {
    if (loss == Loss::everything) return;
    if (loss == Loss::nothing) return put(inode.durable, offset, bytes);
    const uint64_t mode = chance() % 4;  // none, all, a prefix, any sectors
    if (mode == 0) return;
    if (mode == 1) return put(inode.durable, offset, bytes);
    const uint64_t prefix = chance() % (bytes.size() + 1);
    for (uint64_t at = 0; at < bytes.size();) {
        const uint64_t size = std::min<uint64_t>(kSector - (offset + at) % kSector, bytes.size() - at);
        const bool there = mode == 2 ? at + size <= prefix : chance() % 2 == 0;
        if (there) put(inode.durable, offset + at, std::string_view(bytes).substr(at, size));
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
        if (loss == Loss::some && chance() % 2 == 0) apply_change(durable_, change);
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
    failing_[op] = nth;
}

void FaultEnv::on_operation(std::function<void(Op, const std::string&)> hook) {
    const std::lock_guard guard(mutex_);
    hook_ = std::move(hook);
}

std::string FaultEnv::contents(const std::string& path) const {
    const std::lock_guard guard(mutex_);
    const auto it = names_.find(path);
    return it == names_.end() ? std::string() : it->second->cached;
}

void FaultEnv::set_contents(const std::string& path, const std::string& bytes) {
    const std::lock_guard guard(mutex_);
    auto inode = std::make_shared<Inode>();
    inode->cached = inode->durable = bytes;
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
    const auto it = counts_.find(op);
    return it == counts_.end() ? 0 : it->second;
}

}  // namespace assent::ledger
