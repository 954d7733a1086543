// The histogram, CPU times and reports of assent-bench.
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "bench/report.h"

namespace assent::bench {
namespace {

TEST(Histogram, Empty) {
    Histogram h;
    EXPECT_EQ(h.percentile(50), 0u);
    EXPECT_EQ(h.max(), 0u);
    EXPECT_EQ(h.mean(), 0);
}

TEST(Histogram, SmallValuesAreExact) {
    Histogram h;
    for (uint64_t v = 1; v <= 100; v++) h.record(v);
    EXPECT_EQ(h.count(), 100u);
    EXPECT_EQ(h.percentile(50), 50u);
    EXPECT_EQ(h.percentile(99), 99u);
    EXPECT_EQ(h.percentile(99.9), 100u);
    EXPECT_EQ(h.percentile(0), 1u);
    EXPECT_EQ(h.max(), 100u);
    EXPECT_DOUBLE_EQ(h.mean(), 50.5);
}

TEST(Histogram, EveryValueIsKeptToOnePercent) {
    for (uint64_t v = 1; v < uint64_t{1} << 47; v += v / 3 + 1) {
        Histogram h;
        h.record(v);
        h.record(uint64_t{1} << 47);
        EXPECT_GE(h.percentile(50), v);
        EXPECT_LE(static_cast<double>(h.percentile(50)), static_cast<double>(v) * 1.01);
    }
}

TEST(Histogram, HugeValuesAreBounded) {
    Histogram h;
    h.record(~uint64_t{0});
    EXPECT_EQ(h.max(), uint64_t{1} << 47);
    EXPECT_EQ(h.percentile(100), uint64_t{1} << 47);
}

TEST(Histogram, Add) {
    Histogram a, b;
    for (uint64_t v = 1; v <= 50; v++) a.record(v);
    for (uint64_t v = 51; v <= 100; v++) b.record(v);
    a.add(b);
    EXPECT_EQ(a.count(), 100u);
    EXPECT_EQ(a.percentile(75), 75u);
    EXPECT_EQ(a.max(), 100u);
}

TEST(Cpu, StatLine) {
    auto p = parse_stat("4711 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 150 0 0 20 0 1 0 99", 100);
    ASSERT_TRUE(p);
    EXPECT_EQ(p->pid, 4711);
    EXPECT_EQ(p->name, "a) b (c");
    EXPECT_DOUBLE_EQ(p->seconds, 4.0);
    for (const char* bad : {"", "4711", "4711 (a", ") 1 (", "4711 (a) S 1 2", "x (a) S 1 2 3 4 5 6 7 8 9 10 1 1"}) {
        EXPECT_FALSE(parse_stat(bad, 100)) << bad;
    }
}

TEST(Cpu, OwnProcess) {
    auto p = cpu_of(::getpid());
    ASSERT_TRUE(p);
    EXPECT_EQ(p->pid, ::getpid());
    EXPECT_FALSE(cpu_of(-1));
    EXPECT_GE(own_cpu_seconds(), 0);
}

TEST(BenchOptions, Forms) {
    Parsed p = parse_options({"mix", "-n", "256", "-s", "/a", "-s", "b:1", "--ratio", "0.1", "--pid", "1", "2"});
    ASSERT_TRUE(p.go_on) << p.text;
    EXPECT_EQ(p.options.operation, Operation::mix);
    EXPECT_EQ(p.options.outstanding, 256u);
    EXPECT_EQ(p.options.connections, 8u);
    EXPECT_EQ(p.options.daemons, (std::vector<std::string>{"/a", "b:1"}));
    EXPECT_EQ(p.options.pids, (std::vector<pid_t>{1, 2}));
    EXPECT_TRUE(p.options.load);
    p = parse_options({"-s", "/a", "get", "-n", "3", "--no-load"});
    ASSERT_TRUE(p.go_on) << p.text;
    EXPECT_EQ(p.options.operation, Operation::get);
    EXPECT_EQ(p.options.connections, 3u);
    EXPECT_FALSE(p.options.load);
    EXPECT_EQ(parse_options({"drop"}).exit_code, 64);
    EXPECT_EQ(parse_options({"put", "-n", "0"}).exit_code, 64);
    EXPECT_EQ(parse_options({"--help"}).exit_code, 0);
}

TEST(BenchReport, TextAndJson) {
    Report r;
    r.options.operation = Operation::mix;
    r.measured.seconds = 2;
    r.measured.puts.done = 100;
    r.measured.gets.done = 300;
    for (int i = 0; i < 100; i++) r.measured.puts.latency.record(1'000'000);
    r.measured.errors = {{112, 3}, {4242, 1}};
    r.measured.first_error = "why";
    r.cpu = {{11, "assentd", 0.5}, {12, "assentd", 0.3}};
    std::string text = report_text(r);
    EXPECT_EQ(text.rfind("mix: 200 operations/s;", 0), 0u) << text;
    for (const char* part : {"3 UNKNOWN (112)", "1 4242 (4242)", "why", "0.80 s, 200.00 s per 100,000 operations"}) {
        EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
    }
    auto json = nlohmann::json::parse(report_json(r));
    EXPECT_EQ(json["schema"], 1);
    EXPECT_EQ(json["per_second"], 200);
    EXPECT_EQ(json["errors"]["112"], 3);
    EXPECT_NEAR(json["puts"]["latency_us"]["p99_9"].get<double>(), 1000, 10);
    EXPECT_EQ(json["cpu"].size(), 2u);
}

}  // namespace
}  // namespace assent::bench
