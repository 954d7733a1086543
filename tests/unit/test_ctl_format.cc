// The command line, bytes as text, and the forms of the output.
#include <gtest/gtest.h>

#include "ctl/encoding.h"
#include "ctl/options.h"
#include "ctl/output.h"
#include "ctl/status_text.h"

namespace assent::ctl {
namespace {

using namespace std::string_literals;

Options parsed(std::vector<std::string> arguments) {
    Parsed p = parse_options(std::move(arguments));
    EXPECT_TRUE(p.go_on) << p.text;
    return p.options;
}

TEST(CtlOptions, Defaults) {
    Options o = parsed({"status"});
    EXPECT_EQ(o.verb, Verb::status);
    EXPECT_EQ(o.socket, "/run/assent/assentd.sock");
    EXPECT_EQ(o.group, "kv");
    EXPECT_EQ(o.form, Form::text);
    EXPECT_EQ(o.seconds, 5);
}

TEST(CtlOptions, OptionsGoBeforeAndAfterTheVerb) {
    Options o = parsed({"-t", "0.5", "get", "-o", "json", "k", "--level", "local", "-g", "jobs", "--raw"});
    EXPECT_EQ(o.verb, Verb::get);
    EXPECT_EQ(o.seconds, 0.5);
    EXPECT_EQ(o.form, Form::json);
    EXPECT_EQ(o.key, "k");
    EXPECT_TRUE(o.local);
    EXPECT_EQ(o.group, "jobs");
    EXPECT_TRUE(o.raw);
}

TEST(CtlOptions, KeysAndValuesAreTakenAsTheyAre) {
    for (const char* word : {"get", "status", "", "[a,b]", "{}", "a,b", "a b", "-", "x=y", "\"q\"", "'a'", "%%"}) {
        Options o = parsed({"put", word, word});
        EXPECT_EQ(o.key, word);
        EXPECT_EQ(o.value, word);
    }
    Options o = parsed({"put", "--", "-k", "--value"});
    EXPECT_EQ(o.key, "-k");
    EXPECT_EQ(o.value, "--value");
}

TEST(CtlOptions, Cas) {
    Options o = parsed({"cas", "k", "old", "[new,1]"});
    EXPECT_EQ(o.old_value, "old");
    EXPECT_EQ(o.value, "[new,1]");
    o = parsed({"cas", "k", "--create", "new"});
    EXPECT_TRUE(o.create);
    EXPECT_EQ(o.value, "new");
    o = parsed({"cas", "k", "--delete", "old"});
    EXPECT_TRUE(o.remove);
    EXPECT_EQ(o.old_value, "old");
}

TEST(CtlOptions, Master) {
    EXPECT_EQ(parsed({"master"}).verb, Verb::master);
    EXPECT_EQ(parsed({"master", "move"}).verb, Verb::move_master);
    EXPECT_EQ(parsed({"master", "move"}).node, 0u);
    EXPECT_EQ(parsed({"master", "move", "3"}).node, 3u);
}

TEST(CtlOptions, WrongUsageIs64) {
    std::vector<std::vector<std::string>> wrong{{},
                                                {"bogus"},
                                                {"put", "k"},
                                                {"put", "a", "b", "c"},
                                                {"get"},
                                                {"get", "k", "--level", "x"},
                                                {"-t", "0", "status"},
                                                {"-t", "x", "status"},
                                                {"-o", "xml", "status"},
                                                {"cas", "k", "a"},
                                                {"cas", "k", "-", "-"},
                                                {"cas", "--create", "k", "a", "b"},
                                                {"master", "move", "0"},
                                                {"outcome", "1-2"},
                                                {"outcome", "1-2", "x"}};
    for (const auto& arguments : wrong) {
        Parsed p = parse_options(arguments);
        EXPECT_FALSE(p.go_on);
        EXPECT_EQ(p.exit_code, 64);
        EXPECT_EQ(p.text.rfind("assentctl: ", 0), 0u) << p.text;
    }
}

TEST(CtlOptions, HelpAndVersion) {
    Parsed help = parse_options({"--help"});
    EXPECT_EQ(help.exit_code, 0);
    for (const char* word : {"put", "outcome", "Exit codes", "112", "--timeout"}) {
        EXPECT_NE(help.text.find(word), std::string::npos) << word;
    }
    EXPECT_NE(parse_options({"cas", "--help"}).text.find("assentctl cas"), std::string::npos);
    EXPECT_EQ(parse_options({"--version"}).text.rfind("assentctl ", 0), 0u);
}

TEST(CtlEncoding, Utf8) {
    for (const auto& good : {""s, "a"s, "\0"s, "ä€😀"s, "\xef\xbf\xbf"s, "\xf4\x8f\xbf\xbf"s})
        EXPECT_TRUE(is_utf8(good));
    for (const auto& bad : {"\x80"s, "\xc0\x80"s, "\xc3"s, "\xed\xa0\x80"s, "\xe0\x80\x80"s, "\xf4\x90\x80\x80"s,
                            "\xff"s, "\xf0\x80\x80\x80"s, "a\xe2\x82"s}) {
        EXPECT_FALSE(is_utf8(bad)) << one_line(bad);
    }
}

TEST(CtlEncoding, Base64) {
    EXPECT_EQ(base64(""), "");
    EXPECT_EQ(base64("f"), "Zg==");
    EXPECT_EQ(base64("fo"), "Zm8=");
    EXPECT_EQ(base64("foo"), "Zm9v");
    EXPECT_EQ(base64("\xff\xfe\xfd\xfc"), "//79/A==");
}

TEST(CtlEncoding, OneLine) {
    EXPECT_EQ(one_line("ä b"), "ä b");
    EXPECT_EQ(one_line("a\tb\nc\\d\x1b[31m\x7f\xff\xc2\x9b"), "a\\tb\\nc\\\\d\\x1b[31m\\x7f\\xff\\xc2\\x9b");
}

TEST(CtlEncoding, ClientId) {
    Client client{12, 0x89abcdef01234567};
    EXPECT_EQ(text_of(client), "12-89abcdef01234567");
    EXPECT_EQ(client_of("12-89abcdef01234567"), client);
    EXPECT_EQ(text_of({0, 1}), "0-0000000000000001");
    for (const char* bad : {"", "-", "12-", "12-89abcdef0123456", "12-89abcdef012345678", "x-89abcdef01234567",
                            "-89abcdef01234567", "12-89abcdef0123456g", "+1-89abcdef01234567", "12 89abcdef01234567",
                            "99999999999999999999-89abcdef01234567"}) {
        EXPECT_FALSE(client_of(bad)) << bad;
    }
}

TEST(CtlOutput, Write) {
    Options text, json;
    text.verb = json.verb = Verb::put;
    json.form = Form::json;
    WriteResult done{Exit::done, 12, 3, Client{12, 0x89abcdef01234567}, 1, "", ""};
    Printed p = print_write(done, text);
    EXPECT_EQ(p.out, "done: index 12, epoch 3\n");
    EXPECT_EQ(p.err, "");
    EXPECT_EQ(p.code, Exit::done);
    p = print_write(done, json);
    EXPECT_EQ(p.out,
              "{\"schema\":1,\"outcome\":\"confirmed\",\"index\":12,\"epoch\":3,\"client\":\"12-89abcdef01234567\","
              "\"sequence\":1,\"reason\":\"\"}\n");

    WriteResult unknown{
        Exit::unknown, 0, 0, Client{12, 0x89abcdef01234567}, 1, "the daemon did not answer in time", ""};
    text.socket = "/tmp/a socket";
    text.group = "jobs";
    p = print_write(unknown, text);
    EXPECT_EQ(p.code, Exit::unknown);
    EXPECT_EQ(p.out, "");
    EXPECT_EQ(
        p.err,
        "assentctl: outcome unknown: the daemon did not answer in time\n  The write may or may not take effect later. "
        "Ask with: assentctl -s '/tmp/a socket' -g jobs outcome 12-89abcdef01234567 1\n");
    EXPECT_EQ(Json::parse(print_write(unknown, json).out)["outcome"], "unknown");

    WriteResult refused{Exit::no_majority, 0, 0, {}, 0, "corosync is not quorate", ""};
    p = print_write(refused, json);
    EXPECT_EQ(p.out,
              "{\"schema\":1,\"outcome\":\"refused\",\"index\":null,\"epoch\":null,\"client\":null,\"sequence\":null,"
              "\"reason\":\"corosync is not quorate\"}\n");
    EXPECT_EQ(
        p.err,
        "assentctl: no majority: corosync is not quorate\n  Nothing was written. Who is missing: assentctl status\n");
    EXPECT_EQ(static_cast<int>(p.code), 106);

    WriteResult cancelled{Exit::cancelled, 14, 3, Client{12, 1}, 1, "no space", ""};
    EXPECT_EQ(Json::parse(print_write(cancelled, json).out)["outcome"], "cancelled");
    EXPECT_EQ(static_cast<int>(print_write(cancelled, text).code), 109);
}

TEST(CtlOutput, Get) {
    Options o;
    o.key = "k";
    EXPECT_EQ(print_get("v\xff", 7, o).out, "v\xff\n");
    o.raw = true;
    EXPECT_EQ(print_get("v", 7, o).out, "v");
    o.raw = false;
    o.form = Form::json;
    EXPECT_EQ(print_get("v\"", 7, o).out, "{\"schema\":1,\"key\":\"k\",\"value\":\"v\\\"\",\"index\":7}\n");
    EXPECT_EQ(print_get("\xff", 7, o).out, "{\"schema\":1,\"key\":\"k\",\"value_b64\":\"/w==\",\"index\":7}\n");
}

TEST(CtlOutput, Scan) {
    Options o;
    Scanned scanned{9, {{"a\n", "1"}, {"b", "\xff"}}};
    EXPECT_EQ(print_scan(scanned, o).out, "a\\n\t1\nb\t\\xff\n");
    o.form = Form::json;
    EXPECT_EQ(print_scan(scanned, o).out,
              "{\"schema\":1,\"index\":9,\"entries\":[{\"key\":\"a\\n\",\"value\":\"1\"},{\"key\":\"b\",\"value_b64\":"
              "\"/w==\"}]}"
              "\n");
    EXPECT_EQ(print_scan({9, {}}, o).out, "{\"schema\":1,\"index\":9,\"entries\":[]}\n");
}

const char* const kStatus = R"({"schema":1,"group":"kv","cluster_id":"00ff","node":1,"state":"follower","reason":"",
"quorate":true,"epoch":7,"master":2,"can_write":true,"can_read":true,"view":{"ring":"1.12","members":[1,2,3]},
"index":{"first":1,"last":42,"durable":42,"stored":41,"confirmed":41,"applied":40},
"voters":[
{"node":1,"ledger_id":"a1","votes":1,"present":true,"durable":42,"accepted":42,"lag":0,"application":"healthy"},
{"node":2,"ledger_id":"a2","votes":1,"present":true,"durable":null,"accepted":null,"lag":null,"application":"healthy"}],
"observers":[],"application":{"kind":"kv","state":"healthy","applied":40},
"writes":{"confirmed":5,"cancelled":0,"unknown":1},"reads":{"master":1,"forwarded":2,"local":3}})";

TEST(CtlStatus, TextAnswersFirst) {
    Json status = Json::parse(kStatus);
    std::string text = status_text(status, false);
    EXPECT_EQ(text.rfind("can write:   yes\ncan read:    yes\nmaster:      node 2, epoch 7\n", 0), 0u) << text;
    for (const char* part :
         {"view:        nodes 1 2 3, ring 1.12", "confirmed 41", "ledger id", "this node", "master"}) {
        EXPECT_NE(text.find(part), std::string::npos) << part;
    }
    EXPECT_EQ(text.find("observers"), std::string::npos);
    status["can_write"] = false;
    status["can_read"] = false;
    status["reason"] = "corosync is not quorate";
    status["quorate"] = false;
    status["master"] = nullptr;
    EXPECT_EQ(status_text(status, false).rfind("can write:   no (corosync is not quorate)\n", 0), 0u);
    EXPECT_NE(status_text(status, true).find("\x1b[1;31mno\x1b[0m"), std::string::npos);
}

TEST(CtlStatus, ExitCodeSaysWhetherItServes) {
    Json status = Json::parse(kStatus);
    EXPECT_EQ(status_exit(status), Exit::done);
    status["can_write"] = false;
    EXPECT_EQ(status_exit(status), Exit::no_majority);
    status["master"] = nullptr;
    EXPECT_EQ(status_exit(status), Exit::no_master);
    status["quorate"] = false;
    EXPECT_EQ(status_exit(status), Exit::no_majority);
}

TEST(CtlStatus, AnyJsonCanBeShown) {
    for (const char* json :
         {"{}", R"({"voters":[1,{},null],"view":7,"index":[],"master":"x","reason":3,"epoch":{}})"}) {
        EXPECT_NE(status_text(Json::parse(json), false).find("can write:   no\n"), std::string::npos);
        members_text(Json::parse(json));
    }
    Options o;
    for (const char* json : {"", "7", "[]", "{", "null"}) EXPECT_EQ(print_status(json, o, false).code, Exit::error);
}

TEST(CtlStatus, JsonIsTheDaemons) {
    Options o;
    o.form = Form::json;
    EXPECT_EQ(print_status(kStatus, o, false).out, Json::parse(kStatus).dump() + "\n");
    EXPECT_EQ(print_master(kStatus, o).out,
              "{\"schema\":1,\"group\":\"kv\",\"master\":2,\"epoch\":7,\"node\":1,\"reason\":\"\"}\n");
    o.form = Form::text;
    EXPECT_EQ(print_master(kStatus, o).out, "node 2, epoch 7\n");
    EXPECT_EQ(print_master("{\"master\":null}", o).code, Exit::no_master);
}

}  // namespace
}  // namespace assent::ctl
