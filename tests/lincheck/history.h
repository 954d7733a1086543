// What clients did to a key-value store and what they were told: one Operation a request, in any order.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace assent::lincheck {

enum class OpKind : uint8_t { put, get, del, cas };

enum class Outcome : uint8_t {
    confirmed,  // it took effect, once, between its call and its return; a get was answered
    unknown,    // it may take effect, once, at any time after its call, or never
    cancelled,  // it never takes effect
};

struct Operation {
    uint64_t client = 0;  // for people
    OpKind kind = OpKind::get;
    std::string key;
    std::optional<std::string> value;      // put; cas: what it sets, none: it deletes
    std::optional<std::string> old_value;  // cas: what it compares with, none: no such key
    int64_t invoked_us = 0;
    int64_t returned_us = 0;  // confirmed ones
    Outcome outcome = Outcome::unknown;

    // What confirmed ones were told. get: `found` always. del: was there such a key? cas: `swapped`, and if it failed,
    // what the key was. What is left open was not told, and may have been anything.
    std::optional<bool> found;
    std::optional<std::string> result;  // where found is true: the value (not of a del)
    std::optional<bool> swapped;
};

using History = std::vector<Operation>;

}  // namespace assent::lincheck
