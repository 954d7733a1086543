// The kv application's readers of foreign bytes. What the strict reader takes, protobuf must read in the same way.
#include <cstdlib>

#include "app/kv/kv_requests.h"
#include "app/kv/kv_write.h"
#include "core/assert.h"
#include "proto/kv.pb.h"

namespace {

using namespace assent;

void same(bool present, const std::string& value, std::optional<std::string_view> read) {
    ASSENT_ASSERT(present == read.has_value());
    ASSENT_ASSERT(!present || value == *read);
}

void check_write(std::string_view bytes) {
    const auto write = kv::decode_write(bytes);
    if (!write) {
        ASSENT_ASSERT(!write.error().empty());
        return;
    }
    ASSENT_ASSERT(kv::key_error(write->key).empty());
    pb::KvWrite parsed;
    ASSENT_ASSERT(parsed.ParseFromArray(bytes.data(), int(bytes.size())));
    switch (write->kind) {
        case kv::WriteKind::put:
            ASSENT_ASSERT(parsed.has_put() && parsed.put().key() == write->key);
            same(true, parsed.put().value(), write->value);
            return;
        case kv::WriteKind::del: ASSENT_ASSERT(parsed.has_del() && parsed.del().key() == write->key); return;
        case kv::WriteKind::cas:
            ASSENT_ASSERT(parsed.has_cas() && parsed.cas().key() == write->key);
            same(parsed.cas().has_old_value(), parsed.cas().old_value(), write->old_value);
            same(parsed.cas().has_new_value(), parsed.cas().new_value(), write->value);
            return;
    }
}

void check_answers(std::string_view bytes) {
    const auto result = kv::decode_result(bytes);
    ASSENT_ASSERT(!result || result->done || !result->current || result->current->size() <= bytes.size());
    const auto got = kv::decode_get(bytes);
    ASSENT_ASSERT(!got || !got->value || got->value->size() <= bytes.size());
    const auto scanned = kv::decode_scan(bytes);
    ASSENT_ASSERT(!scanned || scanned->entries.size() <= bytes.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    check_write(bytes);
    check_answers(bytes);
    return 0;
}
