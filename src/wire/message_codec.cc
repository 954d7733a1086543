#include "wire/message_codec.h"

#include "base/crc32c.h"
#include "wire/entry_codec.h"
#include "wire/entry_head.h"
#include "wire/message_fields.h"
#include "wire/scan.h"

namespace assent::wire {

namespace {

constexpr std::string_view kMagic = "ASN1";
constexpr size_t kPrefix = 8;           // magic and checksum
constexpr size_t kMaxHead = 1u << 20;   // everything but the entries
constexpr size_t kMaxEntries = 65'536;  // in one message
constexpr size_t kMaxGroup = 64;
constexpr uint32_t kEntriesField = pb::Envelope::kEntriesFieldNumber;
constexpr char kEntriesTag = char(kEntriesField << 3 | 2);

void put_u32(uint32_t value, char* to) {
    for (int i = 0; i < 4; ++i) to[i] = char(value >> (8 * i));
}

uint32_t get_u32(const char* from) {
    uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value |= uint32_t(uint8_t(from[i])) << (8 * i);
    return value;
}

Error malformed(const std::string& why) { return Error{"malformed message: " + why}; }

// The entries stand in the message in memory, and beside it on the wire.
std::vector<const Entry*> entries_of(const Message& message) {
    std::vector<const Entry*> entries;
    const auto add = [&](const std::vector<EntryPtr>& from) {
        for (const EntryPtr& entry : from) entries.push_back(entry.get());
    };
    if (const auto* propose = std::get_if<Propose>(&message)) add(propose->entries);
    if (const auto* served = std::get_if<Entries>(&message)) add(served->entries);
    if (const auto* request = std::get_if<VoteRequest>(&message); request && request->first_config)
        entries.push_back(request->first_config.get());
    return entries;
}

// False if a message of this kind carries no such entries.
bool give_entries(std::vector<EntryPtr> entries, Message& message) {
    if (auto* propose = std::get_if<Propose>(&message)) {
        propose->entries = std::move(entries);
        return true;
    }
    if (auto* served = std::get_if<Entries>(&message)) {
        served->entries = std::move(entries);
        return true;
    }
    if (auto* request = std::get_if<VoteRequest>(&message); request && entries.size() == 1) {
        request->first_config = std::move(entries.front());
        return request->first_config->kind == EntryKind::config;
    }
    return entries.empty();
}

// What comes before the entries; `rest` is the entries. Nothing of them has been looked at.
std::string_view split(std::string_view body, std::string_view& rest) {
    Scanner scanner(body);
    while (scanner.next() && scanner.field() != kEntriesField) continue;
    const size_t size = scanner.ok() && scanner.field() == kEntriesField ? scanner.begin() : body.size();
    rest = body.substr(size);
    return body.substr(0, size);
}

Result<std::vector<EntryPtr>> take_entries(std::string_view rest) {
    std::vector<EntryPtr> entries;
    Scanner scanner(rest);
    while (scanner.next()) {
        if (scanner.field() != kEntriesField || !scanner.is_bytes()) return malformed("something follows its entries");
        if (entries.size() == kMaxEntries) return malformed("it has more than 65536 entries");
        Result<EntryPtr> entry = decode_entry(scanner.value());
        if (!entry) return Error{entry.error()};
        entries.push_back(std::move(*entry));
    }
    if (!scanner.ok()) return malformed("it is cut off or damaged");
    return entries;
}

}  // namespace

std::string encode_message(const std::string& group, const Header& header, const Message& message) {
    std::vector<EntryHead> entries;
    size_t size = 0;
    for (const Entry* entry : entries_of(message)) {
        const size_t one = entries.emplace_back(*entry).size();
        size += 1 + varint_size(one) + one;
    }
    pb::Envelope envelope;
    envelope.set_group(group);
    fill(header, *envelope.mutable_header());
    fill(message, envelope);

    const size_t head_size = envelope.ByteSizeLong();
    std::string out;
    out.reserve(kPrefix + head_size + size);
    out += kMagic;
    out.append(4, '\0');
    envelope.AppendToString(&out);
    for (const EntryHead& entry : entries) {
        out.push_back(kEntriesTag);
        put_varint(entry.size(), out);
        entry.append_to(out);
    }
    put_u32(crc32c(std::string_view(out).substr(kPrefix)), &out[kMagic.size()]);
    return out;
}

Result<Envelope> decode_message(std::string_view bytes) {
    if (bytes.size() < kPrefix || bytes.substr(0, kMagic.size()) != kMagic)
        return malformed("it is not one of assent's");
    const std::string_view body = bytes.substr(kPrefix);
    if (crc32c(body) != get_u32(bytes.data() + kMagic.size())) return malformed("its checksum is wrong");
    std::string_view rest;
    const std::string_view head = split(body, rest);
    if (head.size() > kMaxHead) return malformed("more than 1 MiB come before its entries");

    pb::Envelope envelope;
    if (!envelope.ParseFromArray(head.data(), int(head.size()))) return malformed("it is cut off or damaged");
    const uint32_t version = envelope.header().version();
    if (version < kProtocolMin || version > kProtocolMax)
        return Error{"message of protocol version " + std::to_string(version) + ", and this daemon speaks " +
                     std::to_string(kProtocolMin) + " to " + std::to_string(kProtocolMax)};
    if (envelope.group().size() > kMaxGroup) return malformed("its group's name is longer than 64 bytes");
    Result<Message> message = message_of(envelope);
    if (!message) return Error{message.error()};
    Result<std::vector<EntryPtr>> entries = take_entries(rest);
    if (!entries) return Error{entries.error()};
    if (!give_entries(std::move(*entries), *message)) return malformed("its kind carries no such entries");
    return Envelope{std::move(*envelope.mutable_group()), header_of(envelope.header()), std::move(*message)};
}

}  // namespace assent::wire
