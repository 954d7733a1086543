// Bytes from another node, as they come and with a right checksum put before them (else the fuzzer never gets past it).
#include <cstdlib>

#include "base/crc32c.h"
#include "wire/message_codec.h"

namespace {

using namespace assent;

void try_decode(std::string_view bytes) {
    const auto envelope = wire::decode_message(bytes);
    if (!envelope) return;
    const std::string once = wire::encode_message(envelope->group, envelope->header, envelope->message);
    const auto again = wire::decode_message(once);
    if (!again || wire::encode_message(again->group, again->header, again->message) != once) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    try_decode(bytes);
    std::string checked = "ASN1";
    const uint32_t sum = crc32c(bytes);
    for (int i = 0; i < 4; ++i) checked.push_back(char(sum >> (8 * i)));
    try_decode(checked.append(bytes));
    return 0;
}
