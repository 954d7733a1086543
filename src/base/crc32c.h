// CRC32C (Castagnoli), by the processor's instruction where it has one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace assent {

// Goes on from `seed`, the value for what came before (0 at the start): crc32c(ab) == crc32c(b, crc32c(a)).
uint32_t crc32c(const void* data, size_t size, uint32_t seed = 0);
inline uint32_t crc32c(std::string_view bytes, uint32_t seed = 0) { return crc32c(bytes.data(), bytes.size(), seed); }

}  // namespace assent
