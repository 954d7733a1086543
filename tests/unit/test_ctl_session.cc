// What assentctl repeats, and what it says in the end: never "nothing was done" of a write that may have been taken.
#include "ctl_support.h"

namespace assent::ctl {
namespace {

struct CtlSession : ::testing::Test {
    FakeChannel channel;
    Session session{channel, "kv", channel.in(5)};
};

TEST_F(CtlSession, ConfirmedWrite) {
    channel.will(pb::DONE, "", 12, "result");
    WriteResult w = session.write("data");
    EXPECT_EQ(w.code, Exit::done);
    EXPECT_EQ(w.index, 12u);
    EXPECT_EQ(w.epoch, 3u);
    EXPECT_EQ(w.result, "result");
    EXPECT_EQ(text_of(*w.client), "12-89abcdef01234567");
    EXPECT_EQ(w.sequence, 1u);
    const pb::Request& sent = channel.requests.at(0);
    EXPECT_EQ(sent.group(), "kv");
    EXPECT_EQ(sent.write().data(), "data");
    EXPECT_EQ(sent.first_unanswered(), 1u);
    EXPECT_LT(sent.deadline_ms(), 5000u);  // the daemon's answer has to come in time
    EXPECT_GE(sent.deadline_ms(), 4900u);
}

TEST_F(CtlSession, RepeatsKeepClientAndSequence) {
    channel.will(pb::BUSY);
    channel.will(pb::NO_MASTER);
    channel.will(pb::UNKNOWN);
    channel.answers.push_back([this](const pb::Request&) {
        channel.identity = Client{99, 1};  // another session by now
        pb::Reply reply;
        reply.set_code(pb::UNKNOWN);
        return reply;
    });
    channel.will(pb::DONE, "", 13);
    WriteResult w = session.write("data");
    EXPECT_EQ(w.code, Exit::done);
    ASSERT_EQ(channel.requests.size(), 5u);
    for (const pb::Request& r : channel.requests) {
        EXPECT_EQ(r.client().birth(), 12u);
        EXPECT_EQ(r.client().random(), 0x89abcdef01234567u);
        EXPECT_EQ(r.sequence(), 1u);
    }
    EXPECT_LT(channel.requests[4].deadline_ms(), channel.requests[0].deadline_ms());
}

TEST_F(CtlSession, SilenceAfterSendingIsUnknown) {
    WriteResult w = session.write("data");
    EXPECT_EQ(w.code, Exit::unknown);
    EXPECT_TRUE(w.client);
    EXPECT_EQ(w.sequence, 1u);
    EXPECT_EQ(channel.requests.size(), 1u);
}

TEST_F(CtlSession, DoubtStaysWhateverComesLater) {
    for (pb::Code later : {pb::BUSY, pb::NO_MASTER, pb::NO_MAJORITY, pb::TIMED_OUT, pb::NOT_REACHABLE,
                           pb::NOT_PERMITTED, pb::BAD_REQUEST, pb::OTHER_ERROR}) {
        FakeChannel fake;
        Session s(fake, "kv", fake.in(5));
        fake.will(pb::UNKNOWN, "connection lost");
        fake.will(later, "later");
        fake.repeat_last = true;
        EXPECT_EQ(s.write("data").code, Exit::unknown) << later;
    }
}

TEST_F(CtlSession, DoubtEndsWithADefiniteAnswer) {
    channel.will(pb::UNKNOWN);
    channel.will(pb::CANCELLED, "refused by the applications", 14);
    EXPECT_EQ(session.write("data").code, Exit::cancelled);
}

TEST_F(CtlSession, DaemonGoneAfterSendingIsUnknown) {
    channel.problems = {std::nullopt, Problem{Exit::unreachable, "no such file"}, Problem{Exit::timed_out, "hangs"}};
    channel.will(pb::UNKNOWN, "connection lost");
    EXPECT_EQ(session.write("data").code, Exit::unknown);
    EXPECT_EQ(channel.opened, 3);
}

TEST_F(CtlSession, NoDaemonIsSaidAtOnce) {
    TimePoint began = channel.time;
    channel.problems = {Problem{Exit::unreachable, "no such file"}};
    WriteResult w = session.write("data");
    EXPECT_EQ(w.code, Exit::unreachable);
    EXPECT_EQ(w.reason, "no such file");
    EXPECT_FALSE(w.client);
    EXPECT_EQ(channel.time, began);
}

TEST_F(CtlSession, SilenceBeforeSendingIsTimedOut) {
    channel.problems = {Problem{Exit::timed_out, "no hello"}};
    EXPECT_EQ(session.write("data").code, Exit::timed_out);
}

TEST_F(CtlSession, BusyUntilTheEndIsBusy) {
    channel.will(pb::BUSY, "too much is undecided");
    channel.repeat_last = true;
    WriteResult w = session.write("data");
    EXPECT_EQ(w.code, Exit::busy);
    EXPECT_EQ(w.reason, "too much is undecided");
    EXPECT_LT(channel.time, channel.in(5));
    EXPECT_GT(channel.requests.size(), 10u);
}

TEST_F(CtlSession, WhatADaemonSaidIsKeptWhenItGoes) {
    channel.problems = {std::nullopt, Problem{Exit::unreachable, "no such file"}, Problem{Exit::timed_out, "hangs"}};
    channel.will(pb::NO_MASTER, "no master known");
    ReadResult r = session.ask({});
    EXPECT_EQ(r.code, Exit::no_master);
    EXPECT_EQ(r.reason, "no master known");
}

TEST_F(CtlSession, DefiniteRefusalsAreNotRepeated) {
    for (pb::Code code : {pb::NO_MAJORITY, pb::BAD_REQUEST, pb::NOT_PERMITTED, pb::TIMED_OUT, pb::OTHER_ERROR}) {
        FakeChannel fake;
        Session s(fake, "kv", fake.in(5));
        fake.will(code, "why");
        EXPECT_EQ(s.write("data").code, exit_of(code));
        EXPECT_EQ(fake.requests.size(), 1u);
    }
}

TEST_F(CtlSession, AsksForAClientIdWhenTheHelloHasNone) {
    channel.identity.reset();
    channel.answers.push_back([](const pb::Request& request) {
        EXPECT_TRUE(request.has_identity());
        pb::Reply reply;
        reply.mutable_client()->set_birth(7);
        reply.mutable_client()->set_random(8);
        return reply;
    });
    channel.will(pb::DONE, "", 12);
    WriteResult w = session.write("data");
    EXPECT_EQ(w.code, Exit::done);
    EXPECT_EQ(*w.client, (Client{7, 8}));
    EXPECT_EQ(channel.requests.at(1).client().random(), 8u);
}

TEST_F(CtlSession, SilenceWithReadsIsTimedOut) {
    pb::Request request;
    request.mutable_read();
    EXPECT_EQ(session.ask(request).code, Exit::timed_out);
}

TEST_F(CtlSession, UnknownOutcomeIsAnAnswer) {
    pb::Request request;
    request.mutable_outcome();
    channel.will(pb::UNKNOWN, "too old");
    EXPECT_EQ(session.ask(request).code, Exit::unknown);
    EXPECT_EQ(channel.requests.size(), 1u);
}

TEST_F(CtlSession, MastershipIsNotMovedTwice) {
    pb::Request request;
    request.mutable_move_master();
    channel.will(pb::NOT_REACHABLE, "connection lost");
    EXPECT_EQ(session.ask(request).code, Exit::unreachable);
    EXPECT_EQ(channel.requests.size(), 1u);
}

}  // namespace
}  // namespace assent::ctl
