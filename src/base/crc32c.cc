#include "base/crc32c.h"

#include <array>
#include <cstring>

namespace assent {
namespace detail {

using Tables = std::array<std::array<uint32_t, 256>, 8>;

// tables[k][b]: the remainder of byte b followed by k zero bytes, so that eight bytes go in one step.
constexpr Tables make_tables() {
    Tables t{};
    for (uint32_t b = 0; b < 256; ++b) {
        uint32_t r = b;
        for (int bit = 0; bit < 8; ++bit) r = (r >> 1) ^ ((r & 1) ? 0x82f63b78u : 0u);
        t[0][b] = r;
    }
    for (size_t k = 1; k < 8; ++k) {
        for (size_t b = 0; b < 256; ++b) t[k][b] = (t[k - 1][b] >> 8) ^ t[0][t[k - 1][b] & 0xff];
    }
    return t;
}

constexpr Tables kTables = make_tables();

// For processors without the instruction; the tests compare the two.
uint32_t crc32c_table(const void* data, size_t size, uint32_t seed) {
    const auto* p = static_cast<const unsigned char*>(data);
    uint32_t crc = ~seed;
    for (; size >= 8; p += 8, size -= 8) {
        crc ^= uint32_t(p[0]) | uint32_t(p[1]) << 8 | uint32_t(p[2]) << 16 | uint32_t(p[3]) << 24;
        crc = kTables[7][crc & 0xff] ^ kTables[6][crc >> 8 & 0xff] ^ kTables[5][crc >> 16 & 0xff] ^
              kTables[4][crc >> 24] ^ kTables[3][p[4]] ^ kTables[2][p[5]] ^ kTables[1][p[6]] ^ kTables[0][p[7]];
    }
    for (; size > 0; ++p, --size) crc = (crc >> 8) ^ kTables[0][(crc ^ *p) & 0xff];
    return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t crc32c_sse42(const void* data, size_t size, uint32_t seed) {
    const auto* p = static_cast<const unsigned char*>(data);
    uint64_t crc = ~seed;
    for (; size >= 8; p += 8, size -= 8) {
        uint64_t word;
        std::memcpy(&word, p, sizeof word);
        crc = __builtin_ia32_crc32di(crc, word);
    }
    auto low = uint32_t(crc);
    for (; size > 0; ++p, --size) low = __builtin_ia32_crc32qi(low, *p);
    return ~low;
}
#endif

}  // namespace detail

uint32_t crc32c(const void* data, size_t size, uint32_t seed) {
#if defined(__x86_64__)
    static const bool has_instruction = __builtin_cpu_supports("sse4.2");
    if (has_instruction) return detail::crc32c_sse42(data, size, seed);
#endif
    return detail::crc32c_table(data, size, seed);
}

}  // namespace assent
