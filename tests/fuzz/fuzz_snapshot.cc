// A snapshot file of any bytes: what the reader takes is what the writer would have written, and all of it can be read.
// The first byte tells whether checksums are made right, so that what is behind them is reached too.
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#include "base/crc32c.h"
#include "core/assert.h"
#include "ctl/snapshot_file.h"
#include "fuzz/heap_bound.h"
#include "fuzz/input.h"

namespace {

using namespace assent;
using namespace assent::ctl;

constexpr size_t kFixed = 56;

void put(std::string& file, size_t at, uint32_t value) {
    std::string bytes;
    fuzz::put_number(value, 4, bytes);
    file.replace(at, 4, bytes);
}

// Of the state, then of the header, as far as the name's length says where they are.
void make_checksums(std::string& file) {
    if (file.size() < kFixed + 4) return;
    const size_t name = uint8_t(file[52]) | size_t(uint8_t(file[53])) << 8;
    if (file.size() < kFixed + name + 4) return;
    put(file, 48, crc32c(std::string_view(file).substr(kFixed + name + 4)));
    put(file, kFixed + name, crc32c(std::string_view(file).substr(0, kFixed + name)));
}

class File {
  public:
    File() {
        const int fd = ::mkostemp(path_.data(), O_CLOEXEC);
        ASSENT_ASSERT(fd >= 0);
        fd_ = Fd(fd);
    }
    ~File() { ::unlink(path_.c_str()); }
    const std::string& path() const { return path_; }
    void write(const std::string& bytes) const {
        ASSENT_ASSERT(::ftruncate(fd_.get(), 0) == 0);
        ASSENT_ASSERT(::pwrite(fd_.get(), bytes.data(), bytes.size(), 0) == ssize_t(bytes.size()));
    }

  private:
    std::string path_ = "/tmp/assent-fuzz-XXXXXX";
    Fd fd_;
};

void check_whole(const SnapshotReader& reader, const SnapshotHeader& header, const std::string& bytes) {
    ASSENT_ASSERT(header.group.size() <= kMaxGroupName);
    const std::string head = encode(header);
    ASSENT_ASSERT(head.size() == encoded_bytes(header.group) && bytes.size() == head.size() + header.bytes);
    ASSENT_ASSERT(bytes.compare(0, head.size(), head) == 0);
    const auto state = reader.read(0, bytes.size());
    ASSENT_ASSERT(state && *state == bytes.substr(head.size()) && crc32c(*state) == header.checksum);
    const auto half = reader.read(header.bytes / 2, bytes.size());
    ASSENT_ASSERT(half && half->size() == header.bytes - header.bytes / 2);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const File file;
    fuzz::Input input(data, size);
    const bool right = input.byte() & 1;
    std::string bytes(input.rest());
    if (right) make_checksums(bytes);
    file.write(bytes);
    const fuzz::HeapBound bound((3u << 20) + 8 * size);
    SnapshotReader reader;
    const auto header = reader.open(file.path());
    if (header)
        check_whole(reader, *header, bytes);
    else
        ASSENT_ASSERT(header.error().starts_with(file.path() + ": "));
    return 0;
}
