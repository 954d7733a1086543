// Whatever decodes as an entry encodes again, to bytes that decode to the same.
#include <cstdlib>

#include "wire/entry_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace assent;
    const auto entry = wire::decode_entry({reinterpret_cast<const char*>(data), size});
    if (!entry) return 0;
    std::string once, twice;
    wire::encode_entry(**entry, once);
    const auto again = wire::decode_entry(once);
    if (!again) std::abort();
    wire::encode_entry(**again, twice);
    if (once != twice) std::abort();
    return 0;
}
