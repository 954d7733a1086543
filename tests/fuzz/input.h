// An input of several parts, for targets that need more than one run of bytes. make_seeds puts them together by the same
// rules. Any bytes are an input: what is missing is zero or empty.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace assent::fuzz {

class Input {
  public:
    Input(const uint8_t* data, size_t size) : bytes_(reinterpret_cast<const char*>(data), size) {}

    bool empty() const { return bytes_.empty(); }
    uint64_t number(size_t width) {
        uint64_t value = 0;
        for (size_t i = 0; i < width && !bytes_.empty(); ++i) {
            value |= uint64_t(uint8_t(bytes_[0])) << (8 * i);
            bytes_.remove_prefix(1);
        }
        return value;
    }
    uint8_t byte() { return uint8_t(number(1)); }
    // Two bytes of length, and so many bytes or what there is.
    std::string_view piece() {
        const size_t size = std::min<size_t>(number(2), bytes_.size());
        const std::string_view piece = bytes_.substr(0, size);
        bytes_.remove_prefix(size);
        return piece;
    }
    std::string_view rest() { return std::exchange(bytes_, {}); }

  private:
    std::string_view bytes_;
};

inline void put_number(uint64_t value, size_t width, std::string& input) {
    for (size_t i = 0; i < width; ++i) input.push_back(char(value >> (8 * i)));
}

inline void put_piece(std::string_view piece, std::string& input) {
    put_number(piece.size(), 2, input);
    input += piece;
}

}  // namespace assent::fuzz
