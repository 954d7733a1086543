// Bytes from another node, by CPG or over the side channel, as they come and with a right checksum put before them (else
// the fuzzer never gets past it). What decodes, encodes to bytes that decode to the same.
#include "base/crc32c.h"
#include "core/assert.h"
#include "fuzz/heap_bound.h"
#include "fuzz/input.h"
#include "fuzz/same.h"
#include "wire/message_codec.h"

namespace {

using namespace assent;

// An entry of four bytes becomes an object of some hundred.
constexpr size_t kHeapPerByte = 128;

void try_decode(std::string_view bytes) {
    const auto decoded = [bytes] {
        const fuzz::HeapBound bound((16u << 10) + kHeapPerByte * bytes.size(), fuzz::HeapBound::Blocks::small);
        return wire::decode_message(bytes);
    }();
    if (!decoded) {
        ASSENT_ASSERT(!decoded.error().empty() && decoded.error().size() < 256);
        return;
    }
    const auto again = wire::decode_message(wire::encode_message(decoded->group, decoded->header, decoded->message));
    ASSENT_ASSERT(again && again->group == decoded->group);
    ASSENT_ASSERT(fuzz::same(again->header, decoded->header) && fuzz::same(again->message, decoded->message));
    ASSENT_ASSERT(name(decoded->message) != std::string());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    try_decode(bytes);
    std::string checked = "ASN1";
    fuzz::put_number(crc32c(bytes), 4, checked);
    try_decode(checked.append(bytes));
    return 0;
}
