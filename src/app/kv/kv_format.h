// Keys of the kv store in RocksDB, see doc/kv-format.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace assent::kv {

constexpr std::string_view kDataPrefix = "k:";
constexpr std::string_view kResultPrefix = "r:";
constexpr std::string_view kFormatKey = "m:format";
constexpr std::string_view kAppliedKey = "m:applied";
constexpr std::string_view kClusterKey = "m:cluster";
constexpr std::string_view kForgottenKey = "m:forgotten";
constexpr uint64_t kFormat = 1;

// Numbers are 8 bytes, big-endian, so that their order is the keys' order.
inline void put_number(uint64_t value, std::string& out) {
    for (int shift = 56; shift >= 0; shift -= 8) out.push_back(char(value >> shift));
}

inline std::string number_bytes(uint64_t value) {
    std::string out;
    put_number(value, out);
    return out;
}

inline std::optional<uint64_t> read_number(std::string_view bytes) {
    if (bytes.size() != 8) return {};
    uint64_t value = 0;
    for (char c : bytes) value = value << 8 | uint8_t(c);
    return value;
}

inline std::string result_key(uint64_t index) {
    std::string key(kResultPrefix);
    put_number(index, key);
    return key;
}

// The first key after all that begin with `prefix`, which has a byte below 0xff.
inline std::string prefix_end(std::string prefix) {
    while (uint8_t(prefix.back()) == 0xff) prefix.pop_back();
    ++prefix.back();
    return prefix;
}

}  // namespace assent::kv
