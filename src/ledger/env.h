// Files and syncs as the ledger needs them. Tests and the simulator put memory with faults in their place
// (memory_env.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/failure.h"

namespace assent::ledger {

// Nothing: it was done. Else what went wrong, naming the file.
using Trouble = std::optional<Error>;

// One file; closed with the object. read_at may be called by several threads, the rest by one.
class File {
  public:
    virtual ~File() = default;
    // Fewer bytes than asked for only at the file's end.
    virtual Result<size_t> read_at(uint64_t offset, char* to, size_t size) = 0;
    // All of it or an error (then any part may have been written). Grows the file if need be.
    virtual Trouble write_at(uint64_t offset, std::string_view bytes) = 0;
    // fdatasync. After an error nothing is known about any earlier write, and a second try proves nothing.
    virtual Trouble sync() = 0;
    virtual Result<uint64_t> size() = 0;
    // After a sync: later reads come from the disk, not from pages that a failed sync left behind in the cache.
    virtual Trouble forget_cache() = 0;
};

class Env {
  public:
    // read: must exist, is not written. write: must exist. create: is made, or emptied; mode 0640.
    enum class Access { read, write, create };
    // Held as long as it lives.
    class Lock {
      public:
        virtual ~Lock() = default;
    };

    virtual ~Env() = default;
    virtual Result<std::unique_ptr<File>> open(const std::string& path, Access access) = 0;
    // Names in the folder, in any order.
    virtual Result<std::vector<std::string>> list(const std::string& dir) = 0;
    virtual Trouble rename(const std::string& from, const std::string& to) = 0;
    virtual Trouble unlink(const std::string& path) = 0;
    // Names made, changed and removed in the folder so far are on the disk after it.
    virtual Trouble sync_dir(const std::string& dir) = 0;
    // Against a second process. Error if somebody else holds it.
    virtual Result<std::unique_ptr<Lock>> lock(const std::string& dir) = 0;
};

// The machine's own files. Any thread.
Env& posix_env();

}  // namespace assent::ledger
