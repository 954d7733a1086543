#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "base/failure.h"
#include "daemon/config.h"

namespace assent {
namespace {

using Section = std::map<std::string, std::string>;

// The text of the failure, or "" if there is none.
std::string failure(const std::function<void()>& call) {
    try {
        call();
    } catch (const Failure& f) {
        EXPECT_EQ(f.exit_code(), 78);
        return f.what();
    }
    return "";
}

std::string problem(const Section& section) {
    return failure([&] { parse_config(section); });
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(DaemonConfig, WithoutASectionThereIsOneGroupWithTheDefaults) {
    const DaemonConfig c = parse_config({});
    ASSERT_EQ(c.groups.size(), 1u);
    EXPECT_EQ(c.groups[0].name, "kv");
    EXPECT_EQ(c.groups[0].application, ApplicationKind::kv);
    EXPECT_EQ(c.port, 5407);
    EXPECT_EQ(c.client_port, 0);
    EXPECT_EQ(c.lease_ms, 300);
    EXPECT_EQ(c.heartbeat_ms, 100);
    EXPECT_EQ(c.master_timeout_ms, 1000);
    EXPECT_EQ(c.request_timeout_ms, 5000);
    EXPECT_EQ(c.max_write_bytes, 1u << 20);
    EXPECT_EQ(c.ledger_segment_bytes, 64u << 20);
    EXPECT_EQ(c.ack_path, AckPath::automatic);
    EXPECT_TRUE(c.warnings.empty());
}

TEST(DaemonConfig, EveryKeyIsTaken) {
    const DaemonConfig c = parse_config({{"groups", "kv\t jobs-2"},
                                         {"port", "6000"},
                                         {"listen", "fd00::7"},
                                         {"client_port", "6001"},
                                         {"lease_ms", "400"},
                                         {"heartbeat_ms", "50"},
                                         {"master_timeout_ms", "2000"},
                                         {"request_timeout_ms", "700"},
                                         {"max_write_bytes", "64k"},
                                         {"ledger_segment_bytes", "16M"},
                                         {"ledger_retain_bytes", "32M"},
                                         {"ledger_quota_bytes", "1G"},
                                         {"tls", "off"},
                                         {"ack_path", "cpg"},
                                         {"kv.priority", "3"},
                                         {"jobs-2.application", "kv"},
                                         {"jobs-2.user", "jobsd"}});
    ASSERT_EQ(c.groups.size(), 2u);
    EXPECT_EQ(c.groups[0].priority, 3u);
    EXPECT_EQ(c.groups[1].name, "jobs-2");
    EXPECT_EQ(c.groups[1].user, "jobsd");
    EXPECT_EQ(c.port, 6000);
    EXPECT_EQ(c.listen, "fd00::7");
    EXPECT_EQ(c.client_port, 6001);
    EXPECT_EQ(c.lease_ms, 400);
    EXPECT_EQ(c.heartbeat_ms, 50);
    EXPECT_EQ(c.master_timeout_ms, 2000);
    EXPECT_EQ(c.request_timeout_ms, 700);
    EXPECT_EQ(c.max_write_bytes, 64u << 10);
    EXPECT_EQ(c.ledger_segment_bytes, 16u << 20);
    EXPECT_EQ(c.ledger_retain_bytes, 32u << 20);
    EXPECT_EQ(c.ledger_quota_bytes, 1u << 30);
    EXPECT_EQ(c.ack_path, AckPath::cpg);
}

TEST(DaemonConfig, AnUnknownKeyIsNamedWithTheNearestKnownOne) {
    EXPECT_TRUE(has(problem({{"prot", "1"}}), "\"assent.prot\"; did you mean port?"));
    EXPECT_TRUE(has(problem({{"kv.aplication", "kv"}}), "\"assent.kv.aplication\"; did you mean application?"));
    EXPECT_TRUE(has(problem({{"ack_timeout", "1"}}), "\"assent.ack_timeout\""));
    EXPECT_FALSE(has(problem({{"something_else", "1"}}), "did you mean"));
    EXPECT_TRUE(has(problem({{"side_channel.port", "1"}}), "\"assent.side_channel.port\""));
}

TEST(DaemonConfig, ValuesOutsideTheirRangeAreNamedWithIt) {
    const std::pair<const char*, const char*> bad[] = {
        {"port", "0"},
        {"port", "65536"},
        {"port", "-1"},
        {"port", "5407 "},
        {"port", ""},
        {"port", "0x10"},
        {"client_port", "70000"},
        {"lease_ms", "60001"},
        {"lease_ms", "1.5"},
        {"heartbeat_ms", "9"},
        {"master_timeout_ms", "99"},
        {"request_timeout_ms", "99999999999999999999"},
        {"max_write_bytes", "2049k"},
        {"max_write_bytes", "M"},
        {"max_write_bytes", "18446744073709551615G"},
        {"ledger_segment_bytes", "1k"},
        {"ledger_retain_bytes", "0"},
        {"ledger_quota_bytes", "1M"},
        {"listen", "ring0"},
        {"listen", ""},
        {"ack_path", "tcp"},
        {"groups", ""},
        {"groups", "kv kv"},
        {"groups", "KV"},
        {"groups", "../etc"},
        {"groups", "version"},
        {"groups", "1kv"},
        {"kv.priority", "1001"},
        {"kv.user", "a b"},
    };
    for (const auto& [key, value] : bad)
        EXPECT_TRUE(has(problem({{key, value}}), std::string("assent.") + key + ":")) << key << "=" << value;
    EXPECT_TRUE(has(problem({{"port", "70000"}}), "a number from 1 to 65535"));
    EXPECT_TRUE(has(problem({{"port", "5407 # the port"}}), "a comment needs a line of its own"));
    EXPECT_TRUE(has(problem({{"groups", "a b c d e f g h i j k l m n o p q"}}), "1 to 16"));
    EXPECT_TRUE(has(problem({{"groups", "port"}}), "key of its own"));
}

TEST(DaemonConfig, WhatThisBuildHasNotIsSaidSo) {
    EXPECT_TRUE(has(problem({{"kv.application", "atached"}}), "kv, or attached"));
    EXPECT_TRUE(has(problem({{"tls", "psk"}}), "no TLS yet"));
}

TEST(DaemonConfig, ValuesThatContradictEachOtherAreNamed) {
    EXPECT_TRUE(has(problem({{"lease_ms", "1000"}}), "must be above assent.lease_ms (1000)"));
    EXPECT_TRUE(has(problem({{"lease_ms", "150"}}), "at least twice assent.heartbeat_ms"));
    EXPECT_EQ(problem({{"lease_ms", "0"}}), "");
    EXPECT_TRUE(has(problem({{"heartbeat_ms", "600"}, {"lease_ms", "0"}}), "assent.master_timeout_ms (1000)"));
    EXPECT_TRUE(has(problem({{"client_port", "5407"}}), "are the same"));
    EXPECT_TRUE(has(problem({{"ledger_segment_bytes", "1M"}}), "at least twice assent.max_write_bytes"));
    EXPECT_TRUE(has(problem({{"ledger_quota_bytes", "256M"}}), "two segments"));
}

TEST(DaemonConfig, AllProblemsAreToldTogetherAndTheirNumberIsBounded) {
    const std::string text = problem({{"port", "x"}, {"lease_ms", "y"}, {"kv.z", "1"}});
    EXPECT_TRUE(has(text, "assent.port"));
    EXPECT_TRUE(has(text, "assent.lease_ms"));
    EXPECT_TRUE(has(text, "assent.kv.z"));
    Section many;
    for (int i = 0; i < 1000; ++i) many["x" + std::to_string(i)] = std::string(10'000, 'y');
    EXPECT_LT(problem(many).size(), 4096u);
}

TEST(DaemonConfig, ASectionOfAGroupThatIsNotListedIsAWarning) {
    const DaemonConfig c = parse_config({{"groups", "kv"}, {"jobs.application", "attached"}, {"jobs.user", "x"}});
    ASSERT_EQ(c.warnings.size(), 1u);
    EXPECT_TRUE(has(c.warnings[0], "jobs is not in assent.groups"));
    EXPECT_EQ(c.groups.size(), 1u);
}

TEST(ConfFile, TakesTheSectionAndNothingElse) {
    const Section s = parse_corosync_conf(
        "# first\n"
        "totem {\n\tversion: 2\n}\n"
        "assent{\r\n"
        "    groups:  kv jobs \t\n"
        "    # listen: 1.2.3.4\n"
        "    listen: fd00::7\n"
        "    kv: {\n"
        "        application: kv\n"
        "    }\n"
        "}\n"
        "quorum {\n provider: corosync_votequorum\n}\n"
        "assent {\n port: 6000\n}");
    EXPECT_EQ(s, (Section{{"groups", "kv jobs"}, {"listen", "fd00::7"}, {"kv.application", "kv"}, {"port", "6000"}}));
    EXPECT_TRUE(parse_corosync_conf("").empty());
    EXPECT_TRUE(parse_corosync_conf("assent {\n}\n").empty());
}

// The same texts are refused by corosync -t 3.1.7.
TEST(ConfFile, RefusesWhatCorosyncRefusesWithTheLine) {
    const std::pair<std::string, const char*> bad[] = {
        {"assent {\n port: 1\n} # x\n", "line 3: nothing else may stand beside"},
        {"assent { port: 1\n}\n", "line 1: nothing may follow"},
        {"assent {\n port\n}\n", "line 2: neither"},
        {"{\n port: 1\n}\n", "line 1: a section without a name"},
        {"assent {\n port: 1\n", "line 2: the section \"assent\" is not closed"},
        {"}\n", "line 1: \"}\" without a section"},
        {"assent {\n a b: c\n}\n", "line 2: a key has letters"},
        {"assent {\n # " + std::string(600, 'x') + "\n}\n", "line 2: longer than"},
        {"assent {\n kv {\n } }\n", "line 3: nothing else"},
    };
    for (const auto& [text, expected] : bad) {
        const std::string what = failure([&, t = text] { parse_corosync_conf(t); });
        EXPECT_TRUE(has(what, expected)) << what;
    }
}

TEST(ConfFile, DepthAndLengthsAreBounded) {
    std::string deep;
    for (int i = 0; i < 100'000; ++i) deep += "a {\n";
    EXPECT_NE(failure([&] { parse_corosync_conf(deep); }), "");
    std::string long_path;
    for (int i = 0; i < 10; ++i) long_path += std::string(60, 'a') + " {\n";
    EXPECT_TRUE(has(failure([&] { parse_corosync_conf(long_path); }), "too long"));
    EXPECT_TRUE(has(failure([&] { parse_corosync_conf(std::string(5u << 20, '\n')); }), "larger than"));
}

}  // namespace
}  // namespace assent
