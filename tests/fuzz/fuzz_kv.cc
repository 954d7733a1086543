// The kv application's readers of foreign bytes. What the strict reader takes, protobuf must read in the same way, and our
// own writer writes again.
#include "app/kv/kv_requests.h"
#include "app/kv/kv_write.h"
#include "fuzz/heap_bound.h"
#include "proto/kv.pb.h"

namespace {

using namespace assent;

void same(bool present, const std::string& value, std::optional<std::string_view> read) {
    ASSENT_ASSERT(present == read.has_value());
    ASSENT_ASSERT(!present || value == *read);
}

void check_parsed(const kv::Write& write, const pb::KvWrite& parsed) {
    switch (write.kind) {
        case kv::WriteKind::put:
            ASSENT_ASSERT(parsed.has_put() && parsed.put().key() == write.key);
            return same(true, parsed.put().value(), write.value);
        case kv::WriteKind::del: ASSENT_ASSERT(parsed.has_del() && parsed.del().key() == write.key); return;
        case kv::WriteKind::cas:
            ASSENT_ASSERT(parsed.has_cas() && parsed.cas().key() == write.key);
            same(parsed.cas().has_old_value(), parsed.cas().old_value(), write.old_value);
            return same(parsed.cas().has_new_value(), parsed.cas().new_value(), write.value);
    }
}

std::string encoded(const kv::Write& write) {
    switch (write.kind) {
        case kv::WriteKind::put: return kv::encode_put(write.key, *write.value);
        case kv::WriteKind::del: return kv::encode_del(write.key);
        case kv::WriteKind::cas: break;
    }
    return kv::encode_cas(write.key, write.old_value, write.value);
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
    check_parsed(*write, parsed);
    const std::string again = encoded(*write);
    const auto reread = kv::decode_write(again);
    ASSENT_ASSERT(reread && reread->kind == write->kind && reread->key == write->key);
    ASSENT_ASSERT(reread->value == write->value && reread->old_value == write->old_value);
}

// A pair of two bytes becomes two strings, twice.
void check_answers(std::string_view bytes) {
    const fuzz::HeapBound bound((16u << 10) + 128 * bytes.size(), fuzz::HeapBound::Blocks::small);
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
