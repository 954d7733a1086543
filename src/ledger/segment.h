// One file of the ledger, and a window to read it through.
#pragma once

#include "ledger/env.h"
#include "ledger/format.h"

namespace assent::ledger {

struct Segment {
    uint32_t number = 0;
    uint32_t use = 0;
    uint64_t capacity = 0;  // records are to stay below; only one too large for any segment goes beyond
    std::string path;
    std::shared_ptr<File> file;
};

// Reads ahead. What at() returned holds until the next call.
class Window {
  public:
    Window(File& file, size_t chunk) : file_(file), chunk_(chunk) {}
    // Fewer bytes only at the file's end.
    Result<std::string_view> at(uint64_t offset, size_t size);

  private:
    File& file_;
    size_t chunk_;
    uint64_t start_ = 0;
    std::string bytes_;
};

// A record at this offset that belongs to this use of the segment and has the right checksum. Error only if the file
// cannot be read; `found` is false if there is no such record.
struct ReadRecord {
    bool found = false;
    RecordHeader header;       // as far as `parsed`
    bool parsed = false;       // could be a record of this use by its header
    std::string_view payload;  // until the window is used again
};
Result<ReadRecord> read_record(Window& window, const Segment& segment, uint64_t offset);

// Checks the header block. Throws Failure naming the file if it is not this ledger's segment of this number.
Segment open_segment(Env& env, const std::string& dir, uint32_t number, LedgerId ledger, Env::Access access);

}  // namespace assent::ledger
