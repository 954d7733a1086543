#include "ctl/commands.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/kv/kv_requests.h"
#include "ctl/status_text.h"

namespace assent::ctl {
namespace {

constexpr uint32_t kScanPage = 1000;
constexpr size_t kShownBytes = 60;

pb::ReadLevel level_of(const Options& options) { return options.local ? pb::LEVEL_LOCAL : pb::LEVEL_MASTER; }

std::string shown(const std::string& bytes) {
    std::string line = one_line(bytes.substr(0, kShownBytes));
    return "\"" + line + (bytes.size() > kShownBytes ? "…" : "") + "\"";
}

pb::Request read_request(const Options& options, const std::string& query) {
    pb::Request request;
    request.mutable_read()->set_query(query);
    request.mutable_read()->set_level(level_of(options));
    return request;
}

// What a failed comparison found, as a reason.
std::string found_instead(const Options& options, const std::optional<std::string>& current) {
    std::string key = shown(options.key);
    if (!current) return "there is no key " + key;
    if (options.create) return "the key " + key + " exists, it is " + shown(*current);
    return fmt::format("the key {} is {}, not {}", key, shown(*current), shown(options.old_value));
}

Printed run_cas(const Options& options, Session& session) {
    std::optional<std::string_view> before, after;
    if (!options.create) before = options.old_value;
    if (!options.remove) after = options.value;
    WriteResult result = session.write(kv::encode_cas(options.key, before, after));
    if (result.code != Exit::done) return print_write(result, options);
    auto answer = kv::decode_result(result.result);
    if (!answer) {
        result.code = Exit::unknown;
        result.reason = answer.error();
        return print_write(result, options);
    }
    if (answer->done) return print_write(result, options);
    result.code = Exit::compare_failed;
    result.reason = found_instead(options, answer->current);
    Printed printed = print_write(result, options);
    if (options.form == Form::json) {
        Json json = write_json(result);
        if (answer->current) {
            add_bytes(json, "current", *answer->current);
        } else {
            json["current"] = nullptr;
        }
        printed.out = dump(json) + "\n";
    }
    return printed;
}

Printed run_get(const Options& options, Session& session) {
    ReadResult read = session.ask(read_request(options, kv::encode_get(options.key)));
    if (read.code != Exit::done) return print_failure(read.code, read.reason, options);
    auto answer = kv::decode_get(read.reply.result());
    if (!answer) return print_failure(Exit::error, answer.error(), options);
    if (!answer->value) return print_failure(Exit::no_such_key, shown(options.key), options);
    return print_get(*answer->value, answer->index.value, options);
}

// Page by page; each page is as new as the level says, the whole is as new as the first page.
Printed run_scan(const Options& options, Session& session) {
    Scanned scanned;
    std::optional<std::string> last;
    for (bool more = true; more;) {
        uint64_t left = options.limit ? options.limit - scanned.entries.size() : kScanPage;
        auto limit = static_cast<uint32_t>(std::min<uint64_t>(left, kScanPage));
        ReadResult read = session.ask(read_request(options, kv::encode_scan(options.key, limit, last)));
        if (read.code != Exit::done) return print_failure(read.code, read.reason, options);
        auto answer = kv::decode_scan(read.reply.result());
        if (!answer) return print_failure(Exit::error, answer.error(), options);
        if (!last) scanned.index = answer->index.value;
        more = answer->more && !answer->entries.empty();
        for (auto& entry : answer->entries) scanned.entries.push_back(std::move(entry));
        if (!scanned.entries.empty()) last = scanned.entries.back().first;
        if (options.limit && scanned.entries.size() >= options.limit) more = false;
    }
    return print_scan(scanned, options);
}

Printed run_outcome(const Options& options, Session& session) {
    auto client = client_of(options.client);
    if (!client) {
        std::string reason = shown(options.client) + " is no client id; one looks like 12-89abcdef01234567";
        return print_failure(Exit::usage, reason, options);
    }
    pb::Request request;
    request.mutable_outcome()->mutable_client()->set_birth(client->birth);
    request.mutable_outcome()->mutable_client()->set_random(client->random);
    request.mutable_outcome()->set_sequence(options.sequence);
    ReadResult read = session.ask(request);
    WriteResult result{read.code, read.reply.index(), read.reply.epoch(), client, options.sequence, read.reason, ""};
    return print_write(result, options);
}

Printed run_move(const Options& options, Session& session) {
    pb::Request request;
    request.mutable_move_master()->set_node(options.node);
    ReadResult read = session.ask(request);
    if (read.code != Exit::done) return print_failure(read.code, read.reason, options);
    if (options.form == Form::json) return {Exit::done, dump(Json{{"schema", 1}, {"outcome", "done"}}) + "\n", ""};
    std::string to = options.node ? fmt::format(" to node {}", options.node) : "";
    return {Exit::done, fmt::format("done: mastership handed over{}\n", to), ""};
}

// The daemon's JSON for status and members.
Printed run_json(const Options& options, Context& context, Session& session) {
    pb::Request request;
    if (options.verb == Verb::members) {
        request.mutable_members();
    } else {
        request.mutable_status();
    }
    ReadResult read = session.ask(request);
    if (read.code != Exit::done) return print_failure(read.code, read.reason, options);
    if (options.verb == Verb::members) return print_members(read.reply.json(), options);
    if (options.verb == Verb::master) return print_master(read.reply.json(), options);
    return print_status(read.reply.json(), options, context.colors);
}

Printed run_opaque(const Options& options, const std::string& input, Session& session) {
    if (options.verb == Verb::read) {
        ReadResult read = session.ask(read_request(options, input));
        if (read.code != Exit::done) return print_failure(read.code, read.reason, options);
        return {Exit::done, read.reply.result(), ""};
    }
    WriteResult result = session.write(input);
    if (result.code == Exit::done && options.form == Form::text) return {Exit::done, result.result, ""};
    Printed printed = print_write(result, options);
    if (options.form == Form::json) {
        Json json = write_json(result);
        add_bytes(json, "result", result.result);
        printed.out = dump(json) + "\n";
    }
    return printed;
}

bool wants_input(const Options& options) {
    switch (options.verb) {
        case Verb::write:
        case Verb::read: return true;
        case Verb::put: return options.value == "-";
        case Verb::cas: return options.value == "-" || options.old_value == "-";
        default: return false;
    }
}

}  // namespace

Printed run(const Options& given, Context& context) {
    Options options = given;
    std::string input;
    if (wants_input(options)) {
        auto read = context.read_input();
        if (auto* problem = std::get_if<Problem>(&read)) {
            bool is_write = options.verb != Verb::read;
            if (!is_write) return print_failure(problem->code, problem->reason, options);
            return print_write(WriteResult{problem->code, 0, 0, {}, 0, problem->reason, ""}, options);
        }
        input = std::move(std::get<std::string>(read));
        if (options.value == "-") options.value = input;
        if (options.old_value == "-") options.old_value = input;
    }
    Session session(context.channel, options.group, context.deadline);
    switch (options.verb) {
        case Verb::put: return print_write(session.write(kv::encode_put(options.key, options.value)), options);
        case Verb::del: return print_write(session.write(kv::encode_del(options.key)), options);
        case Verb::cas: return run_cas(options, session);
        case Verb::get: return run_get(options, session);
        case Verb::scan: return run_scan(options, session);
        case Verb::outcome: return run_outcome(options, session);
        case Verb::move_master: return run_move(options, session);
        case Verb::status:
        case Verb::master:
        case Verb::members: return run_json(options, context, session);
        case Verb::write:
        case Verb::read: return run_opaque(options, input, session);
        case Verb::watch:  // with sessions of their own: run_watch(), run_snapshot()
        case Verb::snapshot_save:
        case Verb::snapshot_restore:
        case Verb::snapshot_inspect: break;
    }
    return print_failure(Exit::usage, "", options);
}

}  // namespace assent::ctl
