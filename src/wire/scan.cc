#include "wire/scan.h"

namespace assent::wire {

namespace {
enum WireType : uint32_t { varint_type = 0, fixed64_type = 1, bytes_type = 2, fixed32_type = 5 };
}

void put_varint(uint64_t value, std::string& out) {
    for (; value >= 0x80; value >>= 7) out.push_back(char(value | 0x80));
    out.push_back(char(value));
}

size_t varint_size(uint64_t value) {
    size_t size = 1;
    for (; value >= 0x80; value >>= 7) ++size;
    return size;
}

bool Scanner::varint(uint64_t& value) {
    value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (at_ == bytes_.size()) return fail();
        const auto byte = uint8_t(bytes_[at_++]);
        value |= uint64_t(byte & 0x7f) << shift;
        if (byte < 0x80) return true;
    }
    return fail();
}

bool Scanner::skip(uint64_t size) {
    if (size > bytes_.size() - at_) return fail();
    at_ += size;
    return true;
}

bool Scanner::next() {
    if (!ok_ || at_ == bytes_.size()) return false;
    begin_ = at_;
    uint64_t tag = 0;
    if (!varint(tag)) return false;
    if (tag > UINT32_MAX || tag >> 3 == 0) return fail();
    field_ = uint32_t(tag) >> 3;
    const uint32_t type = tag & 7;
    is_bytes_ = type == bytes_type;
    uint64_t size = 0;
    switch (type) {
        case varint_type: return varint(size);
        case fixed64_type: return skip(8);
        case fixed32_type: return skip(4);
        case bytes_type:
            if (!varint(size) || !skip(size)) return false;
            value_ = bytes_.substr(at_ - size, size);
            return true;
        default: return fail();  // groups: not in proto3
    }
}

}  // namespace assent::wire
