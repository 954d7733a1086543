#include "ctl/snapshot_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/crc32c.h"

namespace assent::ctl {

namespace {

constexpr std::string_view kMagic = "ASNTSNAP";
constexpr uint32_t kVersion = 1;
constexpr size_t kFixed = 56;  // before the group's name
constexpr size_t kPiece = 1 << 20;

void put(std::string& to, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) to.push_back(char(value >> (8 * i)));
}

uint64_t get(std::string_view from, size_t at, int bytes) {
    uint64_t value = 0;
    for (int i = 0; i < bytes; ++i) value |= uint64_t(uint8_t(from[at + size_t(i)])) << (8 * i);
    return value;
}

bool write_all(int fd, std::string_view bytes, uint64_t offset) {
    while (!bytes.empty()) {
        const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), off_t(offset));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        bytes.remove_prefix(size_t(n));
        offset += uint64_t(n);
    }
    return true;
}

std::string folder_of(const std::string& path) {
    const size_t slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

Result<std::string> read_at(int fd, uint64_t offset, size_t size) {
    std::string bytes(size, '\0');
    size_t got = 0;
    while (got < size) {
        const ssize_t n = ::pread(fd, bytes.data() + got, size - got, off_t(offset + got));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return Error{std::strerror(errno)};
        if (n == 0) break;
        got += size_t(n);
    }
    bytes.resize(got);
    return bytes;
}

Result<SnapshotHeader> decode(std::string_view bytes) {
    if (bytes.size() < kFixed + 4 || bytes.substr(0, kMagic.size()) != kMagic) return Error{"it is no snapshot"};
    if (get(bytes, 8, 4) != kVersion)
        return Error{"it is of version " + std::to_string(get(bytes, 8, 4)) + ", which this assentctl does not know"};
    const uint64_t name = get(bytes, 52, 4);
    if (name > kMaxGroupName || get(bytes, 12, 4) != kFixed + name + 4 || bytes.size() < kFixed + name + 4)
        return Error{"its header is damaged"};
    if (crc32c(bytes.substr(0, kFixed + name)) != get(bytes, kFixed + name, 4)) return Error{"its header is damaged"};
    SnapshotHeader header;
    header.cluster_high = get(bytes, 16, 8);
    header.cluster_low = get(bytes, 24, 8);
    header.index = get(bytes, 32, 8);
    header.bytes = get(bytes, 40, 8);
    header.checksum = uint32_t(get(bytes, 48, 4));
    header.group = bytes.substr(kFixed, name);
    return header;
}

}  // namespace

std::string encode(const SnapshotHeader& header) {
    std::string bytes(kMagic);
    put(bytes, kVersion, 4);
    put(bytes, encoded_bytes(header.group), 4);
    put(bytes, header.cluster_high, 8);
    put(bytes, header.cluster_low, 8);
    put(bytes, header.index, 8);
    put(bytes, header.bytes, 8);
    put(bytes, header.checksum, 4);
    put(bytes, header.group.size(), 4);
    bytes += header.group;
    put(bytes, crc32c(bytes), 4);
    return bytes;
}

// ---- writing

SnapshotWriter::SnapshotWriter(std::string path, const std::string& group) : path_(std::move(path)) {
    header_.group = group;
}

SnapshotWriter::~SnapshotWriter() {
    if (file_ && !named_) ::unlink(temporary_.c_str());
}

std::string SnapshotWriter::failed(const char* what) const {
    return std::string(what) + " " + temporary_ + ": " + std::strerror(errno);
}

std::string SnapshotWriter::open() {
    temporary_ = path_ + ".XXXXXX";
    file_ = Fd(::mkostemp(temporary_.data(), O_CLOEXEC));
    return file_ ? std::string() : failed("cannot make");
}

std::string SnapshotWriter::append(const std::string& data) {
    if (!write_all(file_.get(), data, encoded_bytes(header_.group) + header_.bytes)) return failed("cannot write");
    header_.checksum = crc32c(data, header_.checksum);
    header_.bytes += data.size();
    return {};
}

std::string SnapshotWriter::finish(uint64_t cluster_high, uint64_t cluster_low, uint64_t index) {
    header_.cluster_high = cluster_high;
    header_.cluster_low = cluster_low;
    header_.index = index;
    if (!write_all(file_.get(), encode(header_), 0) || ::fsync(file_.get()) != 0) return failed("cannot write");
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) return failed("cannot rename");
    named_ = true;
    const Fd folder(::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder || ::fsync(folder.get()) != 0)
        return "cannot sync the folder of " + path_ + ": " + std::strerror(errno);
    return {};
}

// ---- reading

Result<SnapshotHeader> SnapshotReader::open(const std::string& path) {
    file_ = Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file_) return Error{path + ": " + std::strerror(errno)};
    auto head = read_at(file_.get(), 0, kFixed + kMaxGroupName + 4);
    if (!head) return Error{path + ": " + head.error()};
    auto header = decode(*head);
    if (!header) return Error{path + ": " + header.error()};
    begin_ = encoded_bytes(header->group);
    struct stat status {};
    if (::fstat(file_.get(), &status) != 0) return Error{path + ": " + std::strerror(errno)};
    if (uint64_t(status.st_size) != begin_ + header->bytes)
        return Error{path + ": it has " + std::to_string(status.st_size) + " bytes, and should have " +
                     std::to_string(begin_ + header->bytes)};
    uint32_t checksum = 0;
    for (uint64_t at = 0; at < header->bytes; at += kPiece) {
        auto piece = read(at, kPiece);
        if (!piece) return Error{path + ": " + piece.error()};
        checksum = crc32c(*piece, checksum);
    }
    if (checksum != header->checksum) return Error{path + ": its checksum is wrong: it is damaged"};
    return header;
}

Result<std::string> SnapshotReader::read(uint64_t offset, size_t size) const {
    return read_at(file_.get(), begin_ + offset, size);
}

}  // namespace assent::ctl
