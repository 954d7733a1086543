#include "ctl/encoding.h"

#include <charconv>
#include <cstdio>

namespace assent::ctl {
namespace {

// Length of the well-formed UTF-8 sequence that `bytes` begin with; 0: none.
size_t sequence_length(std::string_view bytes) {
    auto at = [&bytes](size_t i) { return i < bytes.size() ? static_cast<uint8_t>(bytes[i]) : 0; };
    auto follows = [&at](size_t i, uint8_t low, uint8_t high) { return at(i) >= low && at(i) <= high; };
    uint8_t first = at(0);
    if (bytes.empty()) return 0;
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first <= 0xdf) return follows(1, 0x80, 0xbf) ? 2 : 0;
    if (first >= 0xe0 && first <= 0xef) {
        uint8_t low = first == 0xe0 ? 0xa0 : 0x80;
        uint8_t high = first == 0xed ? 0x9f : 0xbf;
        return follows(1, low, high) && follows(2, 0x80, 0xbf) ? 3 : 0;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        uint8_t low = first == 0xf0 ? 0x90 : 0x80;
        uint8_t high = first == 0xf4 ? 0x8f : 0xbf;
        return follows(1, low, high) && follows(2, 0x80, 0xbf) && follows(3, 0x80, 0xbf) ? 4 : 0;
    }
    return 0;
}

std::string hex_escape(char byte) {
    char text[8];
    std::snprintf(text, sizeof text, "\\x%02x", static_cast<unsigned>(static_cast<uint8_t>(byte)));
    return text;
}

bool is_c1_control(std::string_view sequence) {
    return sequence.size() == 2 && sequence[0] == '\xc2' && static_cast<uint8_t>(sequence[1]) < 0xa0;
}

}  // namespace

bool is_utf8(std::string_view bytes) {
    while (!bytes.empty()) {
        size_t length = sequence_length(bytes);
        if (length == 0) return false;
        bytes.remove_prefix(length);
    }
    return true;
}

std::string base64(std::string_view bytes) {
    static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (size_t i = 0; i < bytes.size(); i += 3) {
        uint32_t group = 0;
        size_t here = std::min<size_t>(3, bytes.size() - i);
        for (size_t k = 0; k < 3; k++) group = group << 8 | (k < here ? static_cast<uint8_t>(bytes[i + k]) : 0);
        for (size_t k = 0; k < 4; k++) text += k <= here ? kDigits[group >> (18 - 6 * k) & 63] : '=';
    }
    return text;
}

void add_bytes(Json& object, const std::string& name, std::string_view bytes) {
    if (is_utf8(bytes)) {
        object[name] = bytes;
    } else {
        object[name + "_b64"] = base64(bytes);
    }
}

std::string one_line(std::string_view bytes) {
    std::string text;
    while (!bytes.empty()) {
        size_t length = sequence_length(bytes);
        std::string_view sequence = bytes.substr(0, length ? length : 1);
        char c = sequence[0];
        if (c == '\\') {
            text += "\\\\";
        } else if (c == '\n') {
            text += "\\n";
        } else if (c == '\t') {
            text += "\\t";
        } else if (length == 0 || static_cast<uint8_t>(c) < 0x20 || c == 0x7f || is_c1_control(sequence)) {
            for (char byte : sequence) text += hex_escape(byte);
        } else {
            text += sequence;
        }
        bytes.remove_prefix(sequence.size());
    }
    return text;
}

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string text_of(const Client& client) {
    char text[48];
    std::snprintf(text, sizeof text, "%llu-%016llx", static_cast<unsigned long long>(client.birth),
                  static_cast<unsigned long long>(client.random));
    return text;
}

std::optional<Client> client_of(std::string_view text) {
    size_t dash = text.find('-');
    if (dash == std::string_view::npos || text.size() - dash - 1 != 16) return std::nullopt;
    auto number = [](std::string_view digits, int base, uint64_t& value) {
        auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
        return error == std::errc() && end == digits.data() + digits.size();
    };
    Client client;
    if (!number(text.substr(0, dash), 10, client.birth)) return std::nullopt;
    if (!number(text.substr(dash + 1), 16, client.random)) return std::nullopt;
    return client;
}

}  // namespace assent::ctl
