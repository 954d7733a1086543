// Whatever decodes as an entry encodes again, to bytes that decode to the same.
#include "core/assert.h"
#include "fuzz/heap_bound.h"
#include "fuzz/same.h"
#include "wire/entry_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace assent;
    const auto entry = [&] {
        const fuzz::HeapBound bound((8u << 10) + 64 * size, fuzz::HeapBound::Blocks::small);
        return wire::decode_entry({reinterpret_cast<const char*>(data), size});
    }();
    if (!entry) return 0;
    ASSENT_ASSERT((*entry)->index && (*entry)->data.size() <= size);
    std::string once, twice;
    wire::encode_entry(**entry, once);
    const auto again = wire::decode_entry(once);
    ASSENT_ASSERT(again && fuzz::same(*again, *entry));
    wire::encode_entry(**again, twice);
    ASSENT_ASSERT(once == twice);
    return 0;
}
