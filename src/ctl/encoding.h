// Bytes and client ids as text.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace assent::ctl {

using Json = nlohmann::ordered_json;

// Well-formed UTF-8 as JSON demands it: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view bytes);
std::string base64(std::string_view bytes);
// `object[name]`, or `object[name + "_b64"]` if the bytes are not UTF-8.
void add_bytes(Json& object, const std::string& name, std::string_view bytes);
// On one line and harmless to a terminal: control characters, backslashes and what is not UTF-8 as \n, \t, \\, \xHH.
std::string one_line(std::string_view bytes);
// One line of JSON; never fails: what is not UTF-8 in it is replaced.
std::string dump(const Json& json);

struct Client {
    uint64_t birth = 0;
    uint64_t random = 0;
    bool operator==(const Client&) const = default;
};

// "12-89abcdef01234567": the birth index, and the random part with all its 16 digits.
std::string text_of(const Client& client);
std::optional<Client> client_of(std::string_view text);

}  // namespace assent::ctl
