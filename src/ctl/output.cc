#include "ctl/output.h"

#include <fmt/format.h>

#include "ctl/status_text.h"

namespace assent::ctl {
namespace {

// "confirmed", "cancelled", "unknown", or "refused": nothing was done, for certain.
const char* outcome_word(Exit code) {
    if (code == Exit::done) return "confirmed";
    if (code == Exit::cancelled) return "cancelled";
    if (code == Exit::unknown) return "unknown";
    return "refused";
}

// For a shell: as it is if it is harmless, else in single quotes.
std::string shell_word(const std::string& word) {
    const char* harmless = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+=,";
    if (!word.empty() && word.find_first_not_of(harmless) == std::string::npos) return word;
    std::string quoted = "'";
    for (char c : word) {
        if (c == '\'') {
            quoted += "'\\''";
        } else {
            quoted += c;
        }
    }
    return quoted + "'";
}

// "assentctl", with the options that say whom to ask.
std::string same_command(const Options& options) {
    static const Options defaults;
    std::string text = "assentctl";
    if (options.socket != defaults.socket) text += " -s " + shell_word(options.socket);
    if (options.group != defaults.group) text += " -g " + shell_word(options.group);
    return text;
}

std::string advice(Exit code, const Options& options) {
    switch (code) {
        case Exit::unreachable: return "See: systemctl status assentd. For another daemon: -s SOCKET or -s HOST:PORT";
        case Exit::busy: return "Try again in a moment";
        case Exit::not_permitted: return "Be root, or a member of the unix group assent";
        case Exit::no_majority:
        case Exit::no_master: return "Who is missing: " + same_command(options) + " status";
        case Exit::timed_out:
            if (options.verb == Verb::status) return "Does assentd hang? See: systemctl status assentd";
            return "Allow more time with -t SECONDS, or see: " + same_command(options) + " status";
        case Exit::usage: return "All verbs and options: assentctl --help";
        default: return "";
    }
}

std::string sentence(const std::string& text) {
    std::string line = one_line(text);
    while (!line.empty() && (line.back() == '.' || line.back() == ' ')) line.pop_back();
    return line;
}

std::string complaint(Exit code, const std::string& reason) {
    std::string why = sentence(reason);
    if (why.empty()) return std::string("assentctl: ") + words(code);
    // The client library's reason says it all.
    if (code == Exit::unreachable) return "assentctl: " + why;
    return std::string("assentctl: ") + words(code) + ": " + why;
}

bool says(const std::string& reason, const char* what) { return reason.find(what) != std::string::npos; }

Json number_or_null(uint64_t number) { return number ? Json(number) : Json(nullptr); }

Printed print_unknown(const WriteResult& result, const Options& options) {
    Printed printed{Exit::unknown, "", complaint(Exit::unknown, result.reason) + "\n"};
    printed.err += says(result.reason, "may or may not") ? "  " : "  The write may or may not take effect later. ";
    if (result.client) {
        printed.err += fmt::format("Ask with: {} outcome {} {}\n", same_command(options), text_of(*result.client),
                                   result.sequence);
    }
    return printed;
}

Printed not_understood(const Options& options) {
    return print_failure(Exit::error, "the daemon's answer is not understood; is it of another version?", options);
}

// The daemon's JSON, or null if it is no object, or one so deep that writing it out again would use up the stack.
Json parse(const std::string& json) {
    constexpr int kMaxDepth = 64;
    bool too_deep = false;
    Json parsed = Json::parse(
        json,
        [&too_deep](int depth, Json::parse_event_t, Json&) {
            too_deep = too_deep || depth > kMaxDepth;
            return !too_deep;
        },
        false);
    return parsed.is_object() && !too_deep ? parsed : Json();
}

}  // namespace

Printed print_failure(Exit code, const std::string& reason, const Options& options, bool is_write) {
    Printed printed{code, "", complaint(code, reason) + "\n"};
    std::string next = is_write && !says(reason, "othing was done") ? "Nothing was written" : "";
    std::string hint = code == Exit::not_permitted && !reason.empty() ? "" : advice(code, options);
    if (!hint.empty()) next += (next.empty() ? "" : ". ") + hint;
    if (!next.empty()) printed.err += "  " + next + "\n";
    return printed;
}

Json write_json(const WriteResult& result) {
    Json json{{"schema", 1}, {"outcome", outcome_word(result.code)}};
    json["index"] = number_or_null(result.index);
    json["epoch"] = number_or_null(result.epoch);
    json["client"] = result.client ? Json(text_of(*result.client)) : Json(nullptr);
    json["sequence"] = number_or_null(result.sequence);
    json["reason"] = result.reason.empty() && result.code != Exit::done ? words(result.code) : result.reason;
    return json;
}

Printed print_write(const WriteResult& result, const Options& options) {
    Printed printed;
    switch (result.code) {
        case Exit::done:
            printed.out = fmt::format("{}: index {}, epoch {}\n", options.verb == Verb::outcome ? "confirmed" : "done",
                                      result.index, result.epoch);
            break;
        case Exit::unknown: printed = print_unknown(result, options); break;
        case Exit::cancelled:
            printed = {result.code, "",
                       complaint(result.code, result.reason) + "\n  It has not taken effect and never will\n"};
            break;
        default: printed = print_failure(result.code, result.reason, options, options.verb != Verb::outcome);
    }
    printed.code = result.code;
    if (options.form == Form::json) printed.out = dump(write_json(result)) + "\n";
    return printed;
}

Printed print_get(const std::string& value, uint64_t index, const Options& options) {
    if (options.raw) return {Exit::done, value, ""};
    if (options.form == Form::text) return {Exit::done, value + "\n", ""};
    Json json{{"schema", 1}};
    add_bytes(json, "key", options.key);
    add_bytes(json, "value", value);
    json["index"] = index;
    return {Exit::done, dump(json) + "\n", ""};
}

Printed print_scan(const Scanned& scanned, const Options& options) {
    Printed printed;
    if (options.form == Form::text) {
        for (const auto& [key, value] : scanned.entries) {
            printed.out += one_line(key);
            if (!options.keys_only) printed.out += "\t" + one_line(value);
            printed.out += "\n";
        }
        return printed;
    }
    Json json{{"schema", 1}, {"index", scanned.index}, {"entries", Json::array()}};
    for (const auto& [key, value] : scanned.entries) {
        Json entry = Json::object();
        add_bytes(entry, "key", key);
        if (!options.keys_only) add_bytes(entry, "value", value);
        json["entries"].push_back(std::move(entry));
    }
    printed.out = dump(json) + "\n";
    return printed;
}

Printed print_status(const std::string& json, const Options& options, bool colors) {
    Json status = parse(json);
    if (status.is_null()) return not_understood(options);
    std::string out = options.form == Form::json ? dump(status) + "\n" : status_text(status, colors);
    return {status_exit(status), out, ""};
}

Printed print_members(const std::string& json, const Options& options) {
    Json members = parse(json);
    if (members.is_null()) return not_understood(options);
    return {Exit::done, options.form == Form::json ? dump(members) + "\n" : members_text(members), ""};
}

Printed print_master(const std::string& status_json, const Options& options) {
    Json status = parse(status_json);
    if (status.is_null()) return not_understood(options);
    uint32_t master = master_of(status);
    Json reason = status.value("reason", Json());
    std::string why = reason.is_string() ? reason.get<std::string>() : "";
    Printed printed;
    if (master == 0) printed = print_failure(Exit::no_master, why, options);
    if (options.form == Form::json) {
        Json json{{"schema", 1}, {"group", status.value("group", Json())}, {"master", number_or_null(master)}};
        json["epoch"] = status.value("epoch", Json());
        json["node"] = status.value("node", Json());
        json["reason"] = why;
        printed.out = dump(json) + "\n";
    } else if (master != 0) {
        printed.out = fmt::format("node {}, epoch {}\n", master, status.value("epoch", Json()).dump());
    }
    return printed;
}

}  // namespace assent::ctl
