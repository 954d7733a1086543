// Whole verbs of assentctl: what is sent, what is printed, with which exit code.
#include <fcntl.h>
#include <unistd.h>

#include "app/kv/kv_requests.h"
#include "base/fd.h"
#include "ctl/commands.h"
#include "ctl/watch.h"
#include "ctl_support.h"
#include "proto/kv.pb.h"

namespace assent::ctl {
namespace {

struct CtlCommands : ::testing::Test {
    FakeChannel channel;
    std::string input;

    Printed run(std::vector<std::string> arguments) {
        Parsed parsed = parse_options(std::move(arguments));
        EXPECT_TRUE(parsed.go_on) << parsed.text;
        Context context{channel, channel.in(5), false, [this] { return std::variant<std::string, Problem>(input); }};
        return ctl::run(parsed.options, context);
    }
    pb::KvWrite written() {
        pb::KvWrite write;
        EXPECT_TRUE(write.ParseFromString(channel.requests.back().write().data()));
        return write;
    }
    void will_answer(const pb::KvAnswer& answer) { channel.will(pb::DONE, "", 0, answer.SerializeAsString()); }
};

TEST_F(CtlCommands, Put) {
    channel.will(pb::DONE, "", 12);
    Printed p = run({"put", "k", "v"});
    EXPECT_EQ(p.out, "done: index 12, epoch 3\n");
    EXPECT_EQ(written().put().key(), "k");
    EXPECT_EQ(written().put().value(), "v");
}

TEST_F(CtlCommands, PutFromStandardInput) {
    input = std::string("a\0-\n", 4);
    channel.will(pb::DONE, "", 12);
    EXPECT_EQ(run({"put", "k", "-"}).code, Exit::done);
    EXPECT_EQ(written().put().value(), input);
}

TEST_F(CtlCommands, GetFoundAndNot) {
    pb::KvAnswer answer;
    answer.set_value("v");
    answer.set_index(7);
    will_answer(answer);
    EXPECT_EQ(run({"get", "k"}).out, "v\n");
    EXPECT_EQ(channel.requests.back().read().level(), pb::LEVEL_MASTER);
    answer.Clear();
    answer.set_status(pb::KV_NOT_FOUND);
    will_answer(answer);
    Printed p = run({"-o", "json", "get", "k", "--level", "local"});
    EXPECT_EQ(channel.requests.back().read().level(), pb::LEVEL_LOCAL);
    EXPECT_EQ(static_cast<int>(p.code), 105);
    EXPECT_EQ(p.out, "");
    EXPECT_EQ(p.err, "assentctl: no such key: \"k\"\n");
}

TEST_F(CtlCommands, ScanGoesOnPageByPage) {
    pb::KvAnswer page;
    page.set_index(7);
    page.set_more(true);
    page.add_entries()->set_key("a");
    will_answer(page);
    page.clear_entries();
    page.set_index(9);
    page.set_more(false);
    page.add_entries()->set_key("b");
    will_answer(page);
    Json json = Json::parse(run({"-o", "json", "scan", "x", "--limit", "5"}).out);
    EXPECT_EQ(json["index"], 7);
    EXPECT_EQ(json["entries"].size(), 2u);
    pb::KvQuery query;
    ASSERT_TRUE(query.ParseFromString(channel.requests.at(1).read().query()));
    EXPECT_EQ(query.scan().prefix(), "x");
    EXPECT_EQ(query.scan().start_after(), "a");
    EXPECT_EQ(query.scan().limit(), 4u);
}

TEST_F(CtlCommands, CasDoneAndFailed) {
    channel.will(pb::DONE, "", 12);
    EXPECT_EQ(run({"cas", "k", "1", "2"}).code, Exit::done);
    EXPECT_EQ(written().cas().old_value(), "1");
    EXPECT_EQ(written().cas().new_value(), "2");
    pb::KvResult failed;
    failed.set_status(pb::KV_COMPARE_FAILED);
    failed.set_current("3");
    channel.will(pb::DONE, "", 13, failed.SerializeAsString());
    Printed p = run({"-o", "json", "cas", "--create", "k", "2"});
    EXPECT_FALSE(written().cas().has_old_value());
    EXPECT_EQ(static_cast<int>(p.code), 108);
    Json json = Json::parse(p.out);
    EXPECT_EQ(json["outcome"], "refused");
    EXPECT_EQ(json["index"], 13);
    EXPECT_EQ(json["current"], "3");
    EXPECT_NE(p.err.find("the key \"k\" exists, it is \"3\""), std::string::npos) << p.err;
    channel.will(pb::DONE, "", 14);
    EXPECT_EQ(run({"cas", "--delete", "k", "3"}).code, Exit::done);
    EXPECT_FALSE(written().cas().has_new_value());
}

TEST_F(CtlCommands, Outcome) {
    channel.will(pb::DONE, "", 12);
    Printed p = run({"outcome", "12-89abcdef01234567", "4"});
    EXPECT_EQ(p.out, "confirmed: index 12, epoch 3\n");
    EXPECT_EQ(channel.requests.back().outcome().client().random(), 0x89abcdef01234567u);
    EXPECT_EQ(channel.requests.back().outcome().sequence(), 4u);
    channel.will(pb::CANCELLED, "its place was filled");
    EXPECT_EQ(static_cast<int>(run({"outcome", "12-89abcdef01234567", "4"}).code), 109);
    channel.will(pb::UNKNOWN, "too old");
    p = run({"-o", "json", "outcome", "12-89abcdef01234567", "4"});
    EXPECT_EQ(static_cast<int>(p.code), 112);
    EXPECT_EQ(Json::parse(p.out)["sequence"], 4);
    EXPECT_EQ(static_cast<int>(run({"outcome", "nonsense", "4"}).code), 64);
}

TEST_F(CtlCommands, MoveMaster) {
    channel.will(pb::DONE);
    EXPECT_EQ(run({"master", "move", "3"}).out, "done: mastership handed over to node 3\n");
    EXPECT_EQ(channel.requests.back().move_master().node(), 3u);
    channel.will(pb::OTHER_ERROR, "that node cannot take it");
    EXPECT_EQ(run({"master", "move"}).code, Exit::error);
}

TEST_F(CtlCommands, OpaqueWriteAndRead) {
    input = "any bytes";
    channel.will(pb::DONE, "", 12, "its result");
    EXPECT_EQ(run({"write"}).out, "its result");
    EXPECT_EQ(channel.requests.back().write().data(), input);
    channel.will(pb::DONE, "", 12, "its answer");
    EXPECT_EQ(run({"read"}).out, "its answer");
    EXPECT_EQ(channel.requests.back().read().query(), input);
}

TEST_F(CtlCommands, AnotherApplicationsAnswerIsNoKey) {
    channel.will(pb::DONE, "", 0, "\xff\xff");
    EXPECT_EQ(run({"get", "k"}).code, Exit::error);
    channel.will(pb::DONE, "", 12, "\xff\xff");
    EXPECT_EQ(run({"cas", "k", "1", "2"}).code, Exit::unknown);
}

// ---- watch

std::string watched(const std::string& data, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "watch");
    const Parsed parsed = parse_options(std::move(arguments));
    EXPECT_TRUE(parsed.go_on) << parsed.text;
    pb::WatchedWrite write;
    write.set_index(12);
    write.set_data(data);
    return watched_line(write, parsed.options);
}

TEST(CtlWatch, OneLineForEachWrite) {
    EXPECT_EQ(watched(kv::encode_put("app/a", "1\t2"), {}), "12\tput\tapp/a\t1\\t2\n");
    EXPECT_EQ(watched(kv::encode_del("a"), {}), "12\tdel\ta\n");
    EXPECT_EQ(watched(kv::encode_cas("a", "1", "2"), {}), "12\tcas\ta\t1\t2\n");
    EXPECT_EQ(watched(kv::encode_cas("a", "1", {}), {"-o", "json"}),
              "{\"schema\":1,\"index\":12,\"write\":\"cas\",\"key\":\"a\",\"old\":\"1\",\"value\":null}\n");
}

TEST(CtlWatch, APrefixAndOtherApplications) {
    EXPECT_EQ(watched(kv::encode_put("app/a", "1"), {"app/b"}), "");
    EXPECT_EQ(watched(kv::encode_put("app", "1"), {"app/"}), "");
    EXPECT_NE(watched(kv::encode_put("app/b", "1"), {"app/b"}), "");
    EXPECT_EQ(watched("insert", {"a"}), "");
    EXPECT_EQ(watched("insert", {}), "12\tinsert\n");
    EXPECT_EQ(watched("\xff", {"--raw", "-o", "json"}), "{\"schema\":1,\"index\":12,\"data_b64\":\"/w==\"}\n");
}

TEST(CtlWatch, Options) {
    Parsed parsed = parse_options({"-t", "3", "watch", "--from", "7", "--limit", "2", "app/"});
    ASSERT_TRUE(parsed.go_on) << parsed.text;
    EXPECT_EQ(parsed.options.verb, Verb::watch);
    EXPECT_TRUE(parsed.options.seconds_given);
    EXPECT_EQ(parsed.options.from, 7u);
    EXPECT_EQ(parsed.options.limit, 2u);
    EXPECT_FALSE(parse_options({"watch"}).options.seconds_given);
    EXPECT_EQ(parse_options({"watch", "--from", "0"}).exit_code, 64);
}

TEST(CtlInput, EndLimitAndTime) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    Fd in(ends[0]), out(ends[1]);
    ASSERT_EQ(::write(out.get(), "abc", 3), 3);
    auto late = read_all(in.get(), Clock::now(), 100);
    EXPECT_EQ(std::get<Problem>(late).code, Exit::timed_out);
    auto large = read_all(in.get(), Clock::now() + std::chrono::seconds(10), 2);
    EXPECT_EQ(std::get<Problem>(large).code, Exit::bad_data);
    ASSERT_EQ(::write(out.get(), "abc", 3), 3);
    out.reset();
    EXPECT_EQ(std::get<std::string>(read_all(in.get(), Clock::now() + std::chrono::seconds(10), 3)), "abc");
}

}  // namespace
}  // namespace assent::ctl
