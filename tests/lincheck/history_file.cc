#include "history_file.h"

#include <nlohmann/json.hpp>

namespace assent::lincheck {
namespace {

using Json = nlohmann::json;

// Of an operation; throws Failure for what is not as it must be.
class Fields {
  public:
    explicit Fields(const std::string& line) : json_(Json::parse(line, nullptr, false)) {
        if (!json_.is_object()) throw Failure("it is not a JSON object");
    }

    template <typename T> T required(const char* name) const {
        auto value = optional<T>(name);
        if (!value) throw Failure(std::string("\"") + name + "\" is missing");
        return *value;
    }
    // null counts as not there.
    template <typename T> std::optional<T> optional(const char* name) const {
        const auto it = json_.find(name);
        if (it == json_.end() || it->is_null()) return {};
        const bool fits = std::is_same_v<T, std::string> ? it->is_string()
                          : std::is_same_v<T, bool>      ? it->is_boolean()
                                                         : it->is_number_integer();
        if (!fits) throw Failure(std::string("\"") + name + "\" has another type than it must have");
        return it->get<T>();
    }

  private:
    Json json_;
};

template <typename T>
T one_of(const Fields& fields, const char* name, std::initializer_list<std::pair<const char*, T>> words) {
    const auto word = fields.required<std::string>(name);
    for (const auto& [known, value] : words) {
        if (word == known) return value;
    }
    throw Failure(std::string("\"") + name + "\" is \"" + word + "\", which is none of its words");
}

Operation read_operation(const Fields& fields) {
    Operation o;
    o.client = fields.required<uint64_t>("client");
    o.kind = one_of<OpKind>(fields, "op",
                            {{"put", OpKind::put}, {"get", OpKind::get}, {"del", OpKind::del}, {"cas", OpKind::cas}});
    o.key = fields.required<std::string>("key");
    o.value = fields.optional<std::string>("value");
    o.old_value = fields.optional<std::string>("old");
    o.invoked_us = fields.required<int64_t>("invoked_us");
    o.outcome = one_of<Outcome>(fields, "outcome",
                                {{"confirmed", Outcome::confirmed},
                                 {"unknown", Outcome::unknown},
                                 {"cancelled", Outcome::cancelled},
                                 {"failed", Outcome::cancelled}});
    if (o.outcome == Outcome::confirmed) o.returned_us = fields.required<int64_t>("returned_us");
    o.found = fields.optional<bool>("found");
    o.result = fields.optional<std::string>("result");
    o.swapped = fields.optional<bool>("swapped");
    if (o.result && !o.found) o.found = true;
    return o;
}

void check(const Operation& o) {
    if (o.kind == OpKind::put && !o.value) throw Failure("a put needs a \"value\"");
    if (o.outcome != Outcome::confirmed) return;
    if (o.returned_us < o.invoked_us) throw Failure("it returned before it was invoked");
    if (o.kind == OpKind::get && !o.found) throw Failure("a confirmed get needs \"found\" or \"result\"");
    if (o.kind != OpKind::del && o.found && *o.found != o.result.has_value())
        throw Failure("\"found\" and \"result\" contradict each other");
}

}  // namespace

Result<bool> read_history(std::istream& in, const std::string& name, History& history) {
    std::string line;
    for (size_t number = 1; std::getline(in, line); ++number) {
        if (line.empty()) continue;
        try {
            Operation o = read_operation(Fields(line));
            check(o);
            history.push_back(std::move(o));
        } catch (const Failure& failure) {
            return Error{name + ", line " + std::to_string(number) + ": " + failure.what()};
        }
    }
    if (in.bad()) return Error{name + " cannot be read"};
    return true;
}

}  // namespace assent::lincheck
