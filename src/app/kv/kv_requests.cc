#include "app/kv/kv_requests.h"

#include <climits>

#include "proto/kv.pb.h"

namespace assent::kv {

namespace {

Error not_ours(const char* what) {
    return Error{std::string("the daemon's answer is not ") + what +
                 " of the kv application: is the group's application kv, and this program as new as the daemon?"};
}

template <typename Message> bool parse(std::string_view bytes, Message& message) {
    return bytes.size() <= INT_MAX && message.ParseFromArray(bytes.data(), int(bytes.size()));
}

}  // namespace

std::string encode_put(std::string_view key, std::string_view value) {
    pb::KvWrite write;
    write.mutable_put()->set_key(key.data(), key.size());
    write.mutable_put()->set_value(value.data(), value.size());
    return write.SerializeAsString();
}

std::string encode_del(std::string_view key) {
    pb::KvWrite write;
    write.mutable_del()->set_key(key.data(), key.size());
    return write.SerializeAsString();
}

std::string encode_cas(std::string_view key, std::optional<std::string_view> old_value,
                       std::optional<std::string_view> new_value) {
    pb::KvWrite write;
    pb::KvCas& cas = *write.mutable_cas();
    cas.set_key(key.data(), key.size());
    if (old_value) cas.set_old_value(old_value->data(), old_value->size());
    if (new_value) cas.set_new_value(new_value->data(), new_value->size());
    return write.SerializeAsString();
}

std::string encode_get(std::string_view key) {
    pb::KvQuery query;
    query.mutable_get()->set_key(key.data(), key.size());
    return query.SerializeAsString();
}

std::string encode_scan(std::string_view prefix, uint32_t limit, std::optional<std::string_view> start_after) {
    pb::KvQuery query;
    pb::KvScan& scan = *query.mutable_scan();
    scan.set_prefix(prefix.data(), prefix.size());
    scan.set_limit(limit);
    if (start_after) scan.set_start_after(start_after->data(), start_after->size());
    return query.SerializeAsString();
}

Result<WriteResult> decode_result(std::string_view result) {
    pb::KvResult parsed;
    if (!parse(result, parsed)) return not_ours("a result");
    WriteResult out;
    switch (parsed.status()) {
        case pb::KV_OK: return out;
        case pb::KV_NOT_FOUND: out.found = false; return out;
        case pb::KV_COMPARE_FAILED:
            out.done = false;
            if (parsed.has_current()) out.current = std::move(*parsed.mutable_current());
            return out;
        default: return not_ours("a result");
    }
}

Result<GetAnswer> decode_get(std::string_view answer) {
    pb::KvAnswer parsed;
    if (!parse(answer, parsed)) return not_ours("an answer");
    GetAnswer out;
    out.index = Index(parsed.index());
    switch (parsed.status()) {
        case pb::KV_OK: out.value = std::move(*parsed.mutable_value()); return out;
        case pb::KV_NOT_FOUND: return out;
        default: return not_ours("an answer");
    }
}

Result<ScanAnswer> decode_scan(std::string_view answer) {
    pb::KvAnswer parsed;
    if (!parse(answer, parsed) || parsed.status() != pb::KV_OK) return not_ours("an answer");
    ScanAnswer out;
    out.index = Index(parsed.index());
    out.more = parsed.more();
    out.entries.reserve(size_t(parsed.entries_size()));
    for (pb::KvPair& pair : *parsed.mutable_entries()) {
        out.entries.emplace_back(std::move(*pair.mutable_key()), std::move(*pair.mutable_value()));
    }
    return out;
}

}  // namespace assent::kv
