#include "lincheck.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "search.h"
#include "steps.h"

namespace assent::lincheck {
namespace {

std::string quoted(const std::string& bytes) {
    constexpr size_t kMost = 40;
    std::string out = "\"";
    for (size_t i = 0; i < std::min(bytes.size(), kMost); ++i) {
        char code[8];
        const char c = bytes[i];
        if (c == '"' || c == '\\') out += '\\';
        std::snprintf(code, sizeof code, c >= ' ' && c != 0x7f ? "%c" : "\\x%02x", uint8_t(c));
        out += code;
    }
    out += '"';
    if (bytes.size() > kMost) out += " and " + std::to_string(bytes.size() - kMost) + " bytes more";
    return out;
}

std::string quoted(const std::optional<std::string>& value) { return value ? quoted(*value) : "absent"; }

std::string answer_text(const Operation& o) {
    const std::string key_was = o.found ? quoted(*o.found ? o.result : std::nullopt) : "";
    switch (o.kind) {
        case OpKind::put: return "done";
        case OpKind::get: return "was " + key_was;
        case OpKind::del: return o.found ? (*o.found ? "done, was there" : "was not there") : "done";
        case OpKind::cas:
            if (!o.swapped) return "done, swapped or not is not known";
            if (*o.swapped) return "swapped";
            return "not swapped" + (o.found ? ", was " + key_was : "");
    }
    return {};
}

std::string request_text(const Operation& o) {
    switch (o.kind) {
        case OpKind::put: return "put " + quoted(o.value);
        case OpKind::get: return "get";
        case OpKind::del: return "del";
        case OpKind::cas: return "cas " + quoted(o.old_value) + " to " + quoted(o.value);
    }
    return {};
}

std::string seconds(int64_t us) {
    char out[32];
    std::snprintf(out, sizeof out, "%12.6f", double(us) / 1e6);
    return out;
}

std::string line(const Operation& o) {
    const bool confirmed = o.outcome == Outcome::confirmed;
    return "    " + seconds(o.invoked_us) + " " + (confirmed ? seconds(o.returned_us) : "           …") + "  client " +
           std::to_string(o.client) + ": " + request_text(o) + ": " + (confirmed ? answer_text(o) : "unknown") + "\n";
}

struct Found {
    Verdict verdict;
    DeadEnd dead_end;  // of not_linearizable
};

Found search(const std::vector<Step>& steps, Unknown unknown, Budget& budget) {
    Search search(steps, unknown, budget);
    const Verdict verdict = search.run();
    return {verdict, search.dead_end()};
}

// Mostly a try of a few steps an operation finds an order. Where it does not, there is mostly none.
Found search(const Operations& operations, int64_t upto_us, Budget& budget) {
    const std::vector<Step> steps = make_steps(operations, upto_us);
    Budget few = budget.part(1000 + 10 * steps.size());
    Found found = search(steps, Unknown::once, few);
    budget.spent(few);
    if (found.verdict != Verdict::could_not_tell) return found;
    found = search(steps, Unknown::often, budget);
    if (found.verdict == Verdict::linearizable) found = search(steps, Unknown::once, budget);
    return found;
}

// The earliest return up to which there is no order. Answers that come later change nothing about it.
int64_t first_misfit(const Operations& operations, Budget& budget) {
    std::vector<int64_t> returns;
    for (const Operation* o : operations) {
        if (o->outcome == Outcome::confirmed) returns.push_back(o->returned_us);
    }
    std::sort(returns.begin(), returns.end());
    const auto at = std::partition_point(returns.begin(), returns.end() - 1, [&](int64_t upto) {
        return search(operations, upto, budget).verdict == Verdict::linearizable;
    });
    return *at;
}

std::string explain(const std::string& key, const Operations& operations, Budget& budget) {
    const int64_t upto = first_misfit(operations, budget);
    const Found found = search(operations, upto, budget);
    std::string text = "key " + quoted(key) + ": there is no order of its operations that fits all answers";
    if (found.verdict != Verdict::not_linearizable) return text + "\n";
    text += ". The first that does not fit (called, answered, by whom, what):\n";
    for (const Operation* o : operations) {
        if (o->outcome == Outcome::confirmed && o->returned_us == upto) text += line(*o);
    }
    const DeadEnd& end = found.dead_end;
    text += "  The longest order of what was answered until then ends with these (" + std::to_string(end.done) +
            " were answered):\n";
    for (const Operation* o : end.last) text += line(*o);
    text += "  The key is " + quoted(end.set_by ? end.set_by->value : std::nullopt) +
            " then, and the next must be one of these:\n";
    for (const Operation* o : end.next) text += line(*o);
    return text;
}

}  // namespace

Report check(const History& history, const Limits& limits) {
    std::map<std::string_view, Operations> keys;
    for (const Operation& o : history) keys[o.key].push_back(&o);
    Report report;
    report.keys = keys.size();
    Budget budget(limits);
    for (const auto& [key, operations] : keys) {
        const Verdict verdict = search(operations, kNeverReturns - 1, budget).verdict;
        if (verdict == Verdict::linearizable) continue;
        report.verdict = verdict;
        if (verdict == Verdict::could_not_tell) continue;
        report.steps = budget.steps();
        Budget for_text(limits);
        report.text = explain(std::string(key), operations, for_text);
        return report;
    }
    report.steps = budget.steps();
    return report;
}

}  // namespace assent::lincheck
