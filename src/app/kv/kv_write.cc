#include "app/kv/kv_write.h"

#include "wire/scan.h"

namespace assent::kv {

namespace {

Error malformed(const char* detail) {
    return Error{std::string("this is not a write of the kv application: ") + detail};
}

constexpr const char* kBrokenOff = "it is broken off or damaged";
constexpr const char* kUnknownField = "it has a field that this version does not know";
constexpr const char* kTwice = "a field stands in it twice";

// Field 1 is the key; 2 and 3 are `second` and `third`, null where the operation has none.
Result<bool> decode_fields(std::string_view body, std::string_view& key, std::optional<std::string_view>* second,
                           std::optional<std::string_view>* third) {
    wire::Scanner scan(body);
    std::optional<std::string_view> found;
    std::optional<std::string_view>* fields[] = {&found, second, third};
    while (scan.next()) {
        if (scan.field() > 3 || !scan.is_bytes() || !fields[scan.field() - 1]) return malformed(kUnknownField);
        std::optional<std::string_view>& field = *fields[scan.field() - 1];
        if (field) return malformed(kTwice);
        field = scan.value();
    }
    if (!scan.ok()) return malformed(kBrokenOff);
    key = found.value_or(std::string_view());
    return true;
}

Result<bool> decode_body(std::string_view body, Write& write) {
    switch (write.kind) {
        case WriteKind::put: {
            auto done = decode_fields(body, write.key, &write.value, nullptr);
            if (!write.value) write.value = std::string_view();
            return done;
        }
        case WriteKind::del: return decode_fields(body, write.key, nullptr, nullptr);
        case WriteKind::cas: return decode_fields(body, write.key, &write.old_value, &write.value);
    }
    return malformed(kUnknownField);
}

}  // namespace

std::string key_error(std::string_view key) {
    if (key.empty()) return "the key is empty: a key has 1 to 4096 bytes";
    if (key.size() <= kMaxKeyBytes) return {};
    return "the key has " + std::to_string(key.size()) + " bytes: a key has 1 to 4096 bytes";
}

Result<Write> decode_write(std::string_view request) {
    Write write;
    wire::Scanner scan(request);
    if (!scan.next()) return malformed(scan.ok() ? "it is empty" : kBrokenOff);
    if (scan.field() > 3 || !scan.is_bytes()) return malformed(kUnknownField);
    write.kind = WriteKind(scan.field() - 1);
    const std::string_view body = scan.value();
    if (scan.next()) return malformed("it has more than one operation");
    if (!scan.ok()) return malformed(kBrokenOff);
    if (auto done = decode_body(body, write); !done) return Error{done.error()};
    if (std::string error = key_error(write.key); !error.empty()) return Error{error};
    return write;
}

}  // namespace assent::kv
