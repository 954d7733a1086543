// Looks at protobuf bytes one field at a time, without parsing or copying them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace assent::wire {

// Appends a base-128 varint.
void put_varint(uint64_t value, std::string& out);
size_t varint_size(uint64_t value);

class Scanner {
  public:
    explicit Scanner(std::string_view bytes) : bytes_(bytes) {}

    // Goes to the next field; false at the end, or at something malformed (then ok() is false).
    bool next();
    bool ok() const { return ok_; }
    // Of the field at hand: its number, where it begins, and for a length-delimited one what it holds.
    uint32_t field() const { return field_; }
    size_t begin() const { return begin_; }
    bool is_bytes() const { return is_bytes_; }
    std::string_view value() const { return value_; }

  private:
    bool varint(uint64_t& value);
    bool skip(uint64_t size);
    bool fail() { return ok_ = false; }

    std::string_view bytes_;
    size_t at_ = 0;
    bool ok_ = true;
    uint32_t field_ = 0;
    size_t begin_ = 0;
    bool is_bytes_ = false;
    std::string_view value_;
};

}  // namespace assent::wire
