// Files in memory that lose what was not synced: for tests and the simulator. All chance comes from a seed.
//
// What a power loss may do: of each unsynced write any of its sectors (of the file's 512-byte grid) is there or not; of
// the unsynced names in a folder any change is there or not. A sync that failed leaves what it should have written
// readable until forget_cache(), and no later sync brings it to the disk, as with Linux.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <mutex>
#include <set>

#include "ledger/env.h"

namespace assent::ledger {

// Any thread.
class FaultEnv : public Env {
  public:
    enum class Op { open, write, sync, rename, unlink, sync_dir };
    static constexpr size_t kOps = 6;
    enum class Loss {
        everything,  // that was not synced
        some,        // by chance
        holes,       // any sectors, of each write some
        nothing,     // the process died, the machine did not
    };

    explicit FaultEnv(uint64_t seed = 1);
    ~FaultEnv() override;

    Result<std::unique_ptr<File>> open(const std::string& path, Access access) override;
    Result<std::vector<std::string>> list(const std::string& dir) override;
    Trouble rename(const std::string& from, const std::string& to) override;
    Trouble unlink(const std::string& path) override;
    Trouble sync_dir(const std::string& dir) override;
    Result<std::unique_ptr<Lock>> lock(const std::string& dir) override;

    // The power is cut. Files opened before are dead, locks are free; what an observer could not have lost is there.
    void crash(Loss loss = Loss::some);
    // The nth operation of this kind from now on fails (1: the next), once; of a write, chance says what was written.
    void fail(Op op, uint64_t nth = 1);
    // Nothing of that kind is to fail any more.
    void fail_nothing();
    // Files can grow by so many bytes together, then the disk is full.
    void set_room(uint64_t bytes);
    // Called before each operation, with the path: a test counts, or throws itself out. Empty: none.
    void on_operation(std::function<void(Op, const std::string&)> hook);

    // The disk's contents, by their path; all durable at once. For tests that damage them.
    std::string contents(const std::string& path) const;
    void set_contents(const std::string& path, const std::string& bytes);
    void flip_bit(const std::string& path, uint64_t offset, unsigned bit);
    bool exists(const std::string& path) const;
    uint64_t operations(Op op) const;
    // Operations that were made to fail, or found the disk full.
    uint64_t failed() const;

    // What a disk does by itself to a file in use. `seen`: at once, else only when the cache is dropped or lost.
    void damage(const std::string& path, uint64_t offset, std::string_view bytes, bool seen);
    // Reading this sector fails, until it is written.
    void lose_sector(const std::string& path, uint64_t offset, bool seen);
    // What a power loss that takes everything unsynced would leave.
    std::map<std::string, std::string> durable() const;
    // Every file is gone.
    void wipe();

  private:
    struct Inode;
    class MemoryFile;
    class MemoryLock;
    struct NameChange {
        std::string from;  // removed, unless empty
        std::string to;    // names the inode then, unless empty
        std::shared_ptr<Inode> inode;
    };

    uint64_t chance();
    bool fails(Op op, const std::string& path);  // counts; false: goes on
    uint64_t take_room(uint64_t bytes);          // how many of them there is room for
    void apply_write(Inode& inode, uint64_t offset, const std::string& bytes, Loss loss);
    static void apply_change(std::map<std::string, std::shared_ptr<Inode>>& names, const NameChange& change);

    mutable std::mutex mutex_;
    uint64_t seed_;
    uint64_t generation_ = 0;                                // crashes so far
    std::map<std::string, std::shared_ptr<Inode>> names_;    // as processes see them
    std::map<std::string, std::shared_ptr<Inode>> durable_;  // as the disk has them
    std::vector<NameChange> changes_;                        // from the second to the first
    std::set<std::string> locks_;
    std::array<uint64_t, kOps> failing_{};  // 0: does not fail
    std::array<uint64_t, kOps> counts_{};
    uint64_t failed_ = 0;
    uint64_t room_ = UINT64_MAX;
    std::function<void(Op, const std::string&)> hook_;
};

}  // namespace assent::ledger
