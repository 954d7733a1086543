#include "bench/report.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace assent::bench {
namespace {

using Json = nlohmann::ordered_json;

const char* name_of(Operation operation) {
    switch (operation) {
        case Operation::put: return "put";
        case Operation::get: return "get";
        case Operation::mix: return "mix";
    }
    return "";
}

// To three digits after the point: more would say more than is known.
double rounded(double value) { return std::round(value * 1000) / 1000; }

double microseconds(uint64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1000; }

double total_cpu(const Report& r) {
    double seconds = 0;
    for (const ProcessCpu& process : r.cpu) seconds += process.seconds;
    return seconds;
}

uint64_t operations(const Report& r) { return r.measured.puts.done + r.measured.gets.done; }

double per_100k(double seconds, uint64_t count) { return count ? seconds * 100'000 / static_cast<double>(count) : 0; }

std::string tally_text(const char* name, const Tally& tally, double seconds) {
    const Histogram& l = tally.latency;
    std::string text = fmt::format("{:<5} {:.0f}/s, {} in {:.2f} s\n", name, static_cast<double>(tally.done) / seconds,
                                   tally.done, seconds);
    if (l.count() == 0) return text;
    return text +
           fmt::format("      latency us: p50 {:.0f}  p90 {:.0f}  p99 {:.0f}  p99.9 {:.0f}  max {:.0f}  mean {:.0f}\n",
                       microseconds(l.percentile(50)), microseconds(l.percentile(90)), microseconds(l.percentile(99)),
                       microseconds(l.percentile(99.9)), microseconds(l.max()), l.mean() / 1000);
}

std::string error_name(int code) {
    return pb::Code_IsValid(code) ? pb::Code_Name(static_cast<pb::Code>(code)) : std::to_string(code);
}

std::string errors_text(const Measured& m) {
    if (m.errors.empty() && m.reconnects == 0) return "errors: none\n";
    std::string text = "errors:";
    for (const auto& [code, count] : m.errors) text += fmt::format(" {} {} ({}),", count, error_name(code), code);
    text += fmt::format(" {} reconnects\n", m.reconnects);
    if (!m.first_error.empty()) text += "      the first: " + m.first_error + "\n";
    return text;
}

Json tally_json(const Tally& tally, double seconds) {
    const Histogram& l = tally.latency;
    Json json{{"count", tally.done}, {"per_second", rounded(static_cast<double>(tally.done) / seconds)}};
    json["latency_us"] = {{"p50", microseconds(l.percentile(50))}, {"p90", microseconds(l.percentile(90))},
                          {"p99", microseconds(l.percentile(99))}, {"p99_9", microseconds(l.percentile(99.9))},
                          {"max", microseconds(l.max())},          {"mean", rounded(l.mean() / 1000)}};
    return json;
}

}  // namespace

std::string report_text(const Report& r) {
    const Options& o = r.options;
    const Measured& m = r.measured;
    std::string text =
        fmt::format("{}: {:.0f} operations/s; {} outstanding on {} connections, values of {} B, {} keys\n",
                    name_of(o.operation), static_cast<double>(operations(r)) / m.seconds, o.outstanding, o.connections,
                    o.value_size, o.keys);
    if (o.operation != Operation::get) text += tally_text("puts", m.puts, m.seconds);
    if (o.operation != Operation::put) text += tally_text("gets", m.gets, m.seconds);
    text += errors_text(m);
    for (const ProcessCpu& p : r.cpu) text += fmt::format("cpu   {} (pid {}): {:.2f} s\n", p.name, p.pid, p.seconds);
    if (!r.cpu.empty()) {
        text += fmt::format("cpu   all of them: {:.2f} s, {:.2f} s per 100,000 operations\n", total_cpu(r),
                            per_100k(total_cpu(r), operations(r)));
    }
    text += fmt::format("cpu   this program: {:.2f} s\n", m.own_cpu);
    return text;
}

std::string report_json(const Report& r) {
    const Options& o = r.options;
    const Measured& m = r.measured;
    Json json{{"schema", 1}, {"operation", name_of(o.operation)}, {"seconds", rounded(m.seconds)}};
    json["outstanding"] = o.outstanding;
    json["connections"] = o.connections;
    json["value_size"] = o.value_size;
    json["keys"] = o.keys;
    json["level"] = o.local ? "local" : "master";
    json["operations"] = operations(r);
    json["per_second"] = rounded(static_cast<double>(operations(r)) / m.seconds);
    if (o.operation != Operation::get) json["puts"] = tally_json(m.puts, m.seconds);
    if (o.operation != Operation::put) json["gets"] = tally_json(m.gets, m.seconds);
    json["errors"] = Json::object();
    for (const auto& [code, count] : m.errors) json["errors"][std::to_string(code)] = count;
    json["first_error"] = m.first_error;
    json["reconnects"] = m.reconnects;
    json["cpu"] = Json::array();
    for (const ProcessCpu& p : r.cpu)
        json["cpu"].push_back({{"pid", p.pid}, {"name", p.name}, {"seconds", rounded(p.seconds)}});
    json["cpu_seconds"] = rounded(total_cpu(r));
    json["cpu_seconds_per_100k"] = rounded(per_100k(total_cpu(r), operations(r)));
    json["client_cpu_seconds"] = rounded(m.own_cpu);
    return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace assent::bench
