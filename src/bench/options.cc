#include "bench/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

#include "version.h"

namespace assent::bench {
namespace {

constexpr int kUsage = 64;
constexpr uint32_t kMaxOutstanding = 100'000;
constexpr uint32_t kMaxConnections = 1'000;
constexpr uint32_t kMaxValue = 2u << 20;
constexpr uint32_t kDefaultConnections = 8;

constexpr const char* kFooter = R"(
One thread, closed loop: N requests are outstanding at any time, each answer is followed by the next request. A
request counts if it was answered inside the window after the warm-up; its latency counts if it was also sent there.
Gets and mixes write every key once before.

Example:
  assent-bench put -n 256 -s 10.0.0.1:5408 -s 10.0.0.2:5408 --pid $(pidof assentd))";

void add_options(CLI::App& app, Options& o, std::string& level, std::string& form) {
    app.add_option("-s,--socket", o.daemons, "unix socket or HOST:PORT; give it several times for several nodes")
        ->allow_extra_args(false)
        ->type_name("SOCKET");
    app.add_option("-g,--group", o.group, "a group with the kv application")->capture_default_str()->type_name("GROUP");
    app.add_option("-n,--outstanding", o.outstanding, "requests outstanding at any time, over all connections")
        ->check(CLI::Range(1u, kMaxOutstanding))
        ->capture_default_str()
        ->type_name("N");
    app.add_option("-c,--connections", o.connections, "default: as many as outstanding, at most 8")
        ->check(CLI::Range(1u, kMaxConnections))
        ->type_name("N");
    app.add_option("-d,--duration", o.seconds, "the window that is measured")
        ->check(CLI::Range(0.1, 86400.0))
        ->capture_default_str()
        ->type_name("SECONDS");
    app.add_option("-w,--warm-up", o.warm_up, "before the window")
        ->check(CLI::Range(0.0, 3600.0))
        ->capture_default_str()
        ->type_name("SECONDS");
    app.add_option("--value-size", o.value_size, "bytes")
        ->check(CLI::Range(0u, kMaxValue))
        ->capture_default_str()
        ->type_name("BYTES");
    app.add_option("--keys", o.keys, "so many different keys, chosen at random")
        ->check(CLI::Range(1u, 100'000'000u))
        ->capture_default_str()
        ->type_name("N");
    app.add_option("--ratio", o.ratio, "share of puts in a mix")->check(CLI::Range(0.0, 1.0))->capture_default_str();
    app.add_option("--level", level, "of gets")
        ->check(CLI::IsMember({"master", "local"}).description(""))
        ->capture_default_str()
        ->type_name("master|local");
    app.add_flag("!--no-load", o.load, "do not write the keys before gets and mixes");
    app.add_option("--seed", o.seed, "of the random choices")->capture_default_str()->type_name("N");
    app.add_option("--pid", o.pids, "processes whose CPU time is told (the daemons', corosync's)")->type_name("PID");
    app.add_option("-o,--output", form, "form of the report")
        ->check(CLI::IsMember({"text", "json"}).description(""))
        ->capture_default_str()
        ->type_name("text|json");
}

}  // namespace

Parsed parse_options(std::vector<std::string> arguments) {
    Parsed parsed;
    Options& o = parsed.options;
    CLI::App app{"Measures the kv application of assent: confirmed writes and reads in a closed loop."};
    std::string operation, level = "master", form = "text";
    app.name("assent-bench");
    app.footer(kFooter);
    app.set_version_flag("--version", std::string("assent-bench " ASSENT_VERSION), "print the version");
    app.get_formatter()->column_width(34);
    app.add_option("OPERATION", operation, "put, get, or a mix of both")
        ->required()
        ->check(CLI::IsMember({"put", "get", "mix"}).description(""))
        ->type_name("put|get|mix");
    add_options(app, o, level, form);
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
    try {
        app.parse(arguments);
        parsed.go_on = true;
    } catch (const CLI::CallForHelp&) {
        parsed.text = app.help();
    } catch (const CLI::CallForVersion& version) {
        parsed.text = std::string(version.what()) + "\n";
    } catch (const CLI::ParseError& error) {
        parsed.exit_code = kUsage;
        parsed.text = std::string("assent-bench: ") + error.what() + "\n  All options: assent-bench --help\n";
    }
    static const std::map<std::string, Operation> operations{{"put", Operation::put},
                                                             {"get", Operation::get},
                                                             {"mix", Operation::mix}};
    if (auto found = operations.find(operation); found != operations.end()) o.operation = found->second;
    o.local = level == "local";
    o.json = form == "json";
    if (o.daemons.empty()) o.daemons.push_back("/run/assent/assentd.sock");
    if (o.connections == 0) o.connections = std::min(o.outstanding, kDefaultConnections);
    o.connections = std::min(o.connections, o.outstanding);
    return parsed;
}

}  // namespace assent::bench
