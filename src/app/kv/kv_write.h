// Reads a write of the kv application (KvWrite of proto/kv.proto) without copying it.
#pragma once

#include <optional>
#include <string_view>

#include "base/failure.h"

namespace assent::kv {

constexpr size_t kMaxKeyBytes = 4096;

enum class WriteKind : uint8_t { put, del, cas };

// The views point into what was decoded.
struct Write {
    WriteKind kind = WriteKind::put;
    std::string_view key;                       // 1 to kMaxKeyBytes
    std::optional<std::string_view> value;      // put: always; cas: the new value; none: delete
    std::optional<std::string_view> old_value;  // cas; none: the key must not exist
};

// Strict where protobuf is lenient: unknown fields and repeated ones are errors, for a write that two versions read
// differently would make their states differ. The error is a sentence for the client. Any thread.
Result<Write> decode_write(std::string_view request);

// Why no key can be like this; empty: it can.
std::string key_error(std::string_view key);

}  // namespace assent::kv
