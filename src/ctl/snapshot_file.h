// The file of a snapshot (doc/snapshot-format.md): a header, then the application's state as it is.
#pragma once

#include <cstdint>
#include <string>

#include "base/failure.h"
#include "base/fd.h"

namespace assent::ctl {

struct SnapshotHeader {
    uint64_t cluster_high = 0;
    uint64_t cluster_low = 0;
    uint64_t index = 0;  // the state has everything up to here
    uint64_t bytes = 0;  // of the state
    uint32_t checksum = 0;
    std::string group;
};

constexpr size_t kMaxGroupName = 255;

std::string encode(const SnapshotHeader& header);
// Where the state begins in the file.
inline size_t encoded_bytes(const std::string& group) { return 60 + group.size(); }

// Written under a temporary name beside the real one; gone with this object unless finish() came to its end.
class SnapshotWriter {
  public:
    SnapshotWriter(std::string path, const std::string& group);
    ~SnapshotWriter();
    SnapshotWriter(const SnapshotWriter&) = delete;
    SnapshotWriter& operator=(const SnapshotWriter&) = delete;

    // Empty or why not, a sentence.
    std::string open();
    std::string append(const std::string& data);
    // Syncs, and gives the file its name.
    std::string finish(uint64_t cluster_high, uint64_t cluster_low, uint64_t index);
    const SnapshotHeader& header() const { return header_; }

  private:
    std::string failed(const char* what) const;

    const std::string path_;
    std::string temporary_;
    SnapshotHeader header_;
    Fd file_;
    bool named_ = false;
};

class SnapshotReader {
  public:
    // Reads all of it once: what open() takes is whole.
    Result<SnapshotHeader> open(const std::string& path);
    // Of the state, from `offset` on; shorter than `size` at its end alone.
    Result<std::string> read(uint64_t offset, size_t size) const;

  private:
    Fd file_;
    uint64_t begin_ = 0;
};

}  // namespace assent::ctl
