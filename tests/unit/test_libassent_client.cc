// libassent's client role against a scripted daemon.
#include <fcntl.h>
#include <sys/resource.h>

#include <deque>
#include <thread>
#include <vector>

#include "libassent_support.h"

namespace assent::test {
namespace {

struct Got {
    assent_outcome_t outcome;
    cs_error_t error;
    int code;
    uint64_t index;
    assent_write_id_t id;
    std::string data, reason;
};

void keep(assent_handle_t, const assent_reply_t* r, void* user) {
    static_cast<std::deque<Got>*>(user)->push_back(
        {r->outcome, r->error, r->code, r->index, r->id,
         std::string(static_cast<const char*>(r->data ? r->data : ""), r->length), r->reason});
}

// While it lives, so many file descriptors can be opened.
class FewDescriptors {
  public:
    explicit FewDescriptors(int count) {
        EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
        rlimit few = before_;
        int fd = 0;
        for (int free = 0;; ++fd)
            if (::fcntl(fd, F_GETFD) < 0 && ++free > count) break;
        few.rlim_cur = rlim_t(fd);
        EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    }
    ~FewDescriptors() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0); }
    FewDescriptors(const FewDescriptors&) = delete;
    FewDescriptors& operator=(const FewDescriptors&) = delete;

  private:
    rlimit before_{};
};

class LibassentClient : public ::testing::Test {
  protected:
    void SetUp() override { daemon.start(); }
    void TearDown() override {
        if (!handle) return;
        EXPECT_EQ(assent_finalize(handle), CS_OK);
    }
    void open(std::function<void(assent_model_v1_data_t&)> change = nullptr) {
        const std::string path = daemon.path();
        assent_model_v1_data_t m = model_for(path);
        m.group = "jobs";
        if (change) change(m);
        ASSERT_EQ(assent_model_initialize(&handle, ASSENT_MODEL_V1, &m, this), CS_OK) << assent_error_detail();
    }
    void write(const std::string& data, uint32_t timeout_ms = 20'000) {
        ASSERT_EQ(assent_write(handle, data.data(), data.size(), timeout_ms, keep, &got), CS_OK)
            << assent_error_detail();
    }
    Got next() {
        until(handle, [&] { return !got.empty(); });
        if (got.empty()) return {};
        const Got g = got.front();
        got.pop_front();
        return g;
    }
    assent_state_t state() {
        assent_state_t s{};
        s.size = sizeof s;
        EXPECT_EQ(assent_state_get(handle, &s), CS_OK);
        return s;
    }

    ScriptedDaemon daemon;
    assent_handle_t handle = 0;
    std::deque<Got> got;
};

TEST_F(LibassentClient, AWriteIsConfirmedWithItsResult) {
    open();
    Peer peer = daemon.client(handle, 11);
    EXPECT_EQ(daemon.greeting.group(), "jobs");
    write("one");
    write("two");
    const pb::Request one = peer.request(handle), two = peer.request(handle);
    EXPECT_EQ(one.write().data(), "one");
    EXPECT_EQ(one.group(), "jobs");
    EXPECT_EQ(one.client().random(), 11u);
    EXPECT_EQ(one.sequence(), 1u);
    EXPECT_GT(one.deadline_ms(), 10'000u);
    EXPECT_LT(one.deadline_ms(), 20'000u);
    EXPECT_EQ(two.sequence(), 2u);
    EXPECT_EQ(two.first_unanswered(), 1u);
    peer.reply(two.id(), pb::DONE, "", 42, "result");
    const Got g = next();
    EXPECT_EQ(g.outcome, ASSENT_CONFIRMED);
    EXPECT_EQ(g.error, CS_OK);
    EXPECT_EQ(g.index, 42u);
    EXPECT_EQ(g.data, "result");
    EXPECT_EQ(g.id.random, 11u);
    EXPECT_EQ(g.id.sequence, 2u);
    peer.reply(one.id(), pb::CANCELLED, "no such account", 41);
    const Got cancelled = next();
    EXPECT_EQ(cancelled.outcome, ASSENT_CANCELLED);
    EXPECT_EQ(cancelled.error, CS_ERR_FAILED_OPERATION);
    EXPECT_EQ(cancelled.code, 109);
    EXPECT_EQ(cancelled.reason, "no such account");
    write("three");
    EXPECT_EQ(peer.request(handle).first_unanswered(), 3u);
    EXPECT_EQ(state().node, 3u);
    EXPECT_EQ(state().cluster.high, 7u);
}

TEST_F(LibassentClient, TheDaemonMayComeLaterAndTheDescriptorStays) {
    daemon.stop();
    open();
    int fd = -1, later = -1;
    ASSERT_EQ(assent_fd_get(handle, &fd), CS_OK);
    write("early");
    until(handle, [n = 0]() mutable { return ++n > 10; });
    daemon.start();
    Peer peer = daemon.client(handle, 11);
    const pb::Request request = peer.request(handle);
    EXPECT_EQ(request.write().data(), "early");
    peer.reply(request.id(), pb::DONE, "", 1);
    EXPECT_EQ(next().outcome, ASSENT_CONFIRMED);
    ASSERT_EQ(assent_fd_get(handle, &later), CS_OK);
    EXPECT_EQ(fd, later);
}

TEST_F(LibassentClient, AWriteOutstandingWhenTheDaemonDiesIsSentAgainUnderTheSameId) {
    open();
    Peer peer = daemon.client(handle, 11);
    write("one");
    write("two");
    const pb::Request before = peer.request(handle);
    (void)peer.request(handle);
    peer.close();
    peer = daemon.client(handle, 12);  // offers another client id
    const pb::Request after = peer.request(handle);
    EXPECT_EQ(after.write().data(), "one");
    EXPECT_EQ(after.client().random(), 11u);
    EXPECT_EQ(after.sequence(), before.sequence());
    EXPECT_EQ(peer.request(handle).sequence(), 2u);
    // "Nothing was done" is true of this attempt alone.
    peer.reply(after.id(), pb::BUSY, "busy");
    const pb::Request again = peer.request(handle);
    EXPECT_EQ(again.sequence(), 1u);
    EXPECT_EQ(again.client().random(), 11u);
    peer.reply(again.id(), pb::DONE, "", 9);
    EXPECT_EQ(next().outcome, ASSENT_CONFIRMED);
    write("three");
    const pb::Request three = peer.request(handle);
    EXPECT_EQ(three.client().random(), 11u) << "the old id while something under it is unanswered";
    EXPECT_EQ(three.first_unanswered(), 2u);
    EXPECT_EQ(state().connects, 2u);
}

TEST_F(LibassentClient, WhatNoDaemonTookIsSurelyNotDone) {
    daemon.stop();
    open();
    write("x", 60);
    const Got g = next();
    EXPECT_EQ(g.outcome, ASSENT_NOT_DONE);
    EXPECT_EQ(g.error, CS_ERR_TIMEOUT);
    EXPECT_EQ(g.code, 69);
    EXPECT_NE(g.reason.find("assentd"), std::string::npos) << g.reason;
}

TEST_F(LibassentClient, WithoutAReplyTheOutcomeIsUnknownAndLaterWritesGetAnotherId) {
    open();
    Peer peer = daemon.client(handle, 11);
    until(handle, [&] { return state().connected == 1; });
    write("lost", 100);
    EXPECT_EQ(peer.request(handle).sequence(), 1u);
    const Got g = next();
    EXPECT_EQ(g.outcome, ASSENT_UNKNOWN);
    EXPECT_EQ(g.error, CS_ERR_TIMEOUT);
    EXPECT_EQ(g.code, 112);
    const pb::Request identity = peer.request(handle);
    ASSERT_TRUE(identity.has_identity());
    pb::ServerFrame frame;
    frame.mutable_reply()->set_id(identity.id());
    frame.mutable_reply()->mutable_client()->set_random(99);
    peer.send(frame);
    dispatch_all(handle);
    write("next");
    const pb::Request next_write = peer.request(handle);
    EXPECT_EQ(next_write.client().random(), 99u);
    EXPECT_EQ(next_write.sequence(), 1u);
    // The other's outcome can be asked for.
    ASSERT_EQ(assent_outcome(handle, &g.id, 20'000, keep, &got), CS_OK);
    const pb::Request asked = peer.request(handle);
    EXPECT_EQ(asked.outcome().client().random(), 11u);
    EXPECT_EQ(asked.outcome().sequence(), 1u);
    peer.reply(asked.id(), pb::CANCELLED, "nobody has it", 5);
    const Got outcome = next();
    EXPECT_EQ(outcome.outcome, ASSENT_CANCELLED);
    EXPECT_EQ(outcome.id.random, 11u);
}

TEST_F(LibassentClient, NothingDoneAfterAnUnknownAttemptStaysUnknown) {
    open();
    Peer peer = daemon.client(handle, 11);
    until(handle, [&] { return state().connected == 1; });
    write("x", 300);
    const pb::Request first = peer.request(handle);
    peer.reply(first.id(), pb::UNKNOWN, "withdrawn");
    const pb::Request second = peer.request(handle);
    EXPECT_EQ(second.sequence(), 1u);
    peer.reply(second.id(), pb::NO_MASTER, "no master");
    (void)peer.receive(handle);  // the third, which is not answered, or the request for an id
    const Got g = next();
    EXPECT_EQ(g.outcome, ASSENT_UNKNOWN);
}

TEST_F(LibassentClient, ConfirmedWithoutItsResult) {
    open();
    Peer peer = daemon.client(handle, 11);
    write("x");
    peer.reply(peer.request(handle).id(), pb::UNKNOWN, "not remembered any more", 17);
    const Got g = next();
    EXPECT_EQ(g.outcome, ASSENT_CONFIRMED);
    EXPECT_EQ(g.error, CS_ERR_NOT_EXIST);
    EXPECT_EQ(g.index, 17u);
}

TEST_F(LibassentClient, RefusalsOfTheRequestItself) {
    open();
    Peer peer = daemon.client(handle, 11);
    write("x");
    peer.reply(peer.request(handle).id(), pb::BAD_REQUEST, "malformed");
    Got g = next();
    EXPECT_EQ(g.outcome, ASSENT_NOT_DONE);
    EXPECT_EQ(g.error, CS_ERR_INVALID_PARAM);
    write("y");
    peer.reply(peer.request(handle).id(), pb::NOT_PERMITTED, "no");
    EXPECT_EQ(next().error, CS_ERR_ACCESS);
    write("z");
    peer.reply(peer.request(handle).id(), pb::OTHER_ERROR, "something of a later version");
    EXPECT_EQ(next().outcome, ASSENT_UNKNOWN) << "what is not understood promises nothing";
}

TEST_F(LibassentClient, AnotherClusterEndsWhatTheOldOneMayHaveGot) {
    open();
    Peer peer = daemon.client(handle, 11);
    write("old");
    (void)peer.request(handle);
    peer.close();
    peer = daemon.client(handle, 12, 8);
    EXPECT_EQ(next().outcome, ASSENT_UNKNOWN);
    write("new");
    const pb::Request request = peer.request(handle);
    EXPECT_EQ(request.client().random(), 12u);
    EXPECT_EQ(request.sequence(), 1u);
}

TEST_F(LibassentClient, TheQueueIsBoundedAndTellsWhenThereIsRoom) {
    static int writable;
    writable = 0;
    open([](auto& m) {
        m.max_outstanding = 4;
        m.writable = [](assent_handle_t, void*) { ++writable; };
    });
    Peer peer = daemon.client(handle, 11);
    for (int i = 0; i < 4; ++i) write("x");
    EXPECT_EQ(assent_write(handle, "x", 1, 0, keep, &got), CS_ERR_TRY_AGAIN);
    EXPECT_EQ(assent_write(handle, "x", 1, 0, keep, &got), CS_ERR_TRY_AGAIN);
    EXPECT_EQ(state().outstanding, 4u);
    std::vector<uint64_t> ids;
    for (int i = 0; i < 4; ++i) ids.push_back(peer.request(handle).id());
    peer.reply(ids[0], pb::DONE, "", 1);
    (void)next();
    EXPECT_EQ(writable, 0) << "half is to be free";
    peer.reply(ids[1], pb::DONE, "", 2);
    (void)next();
    until(handle, [&] { return writable == 1; });
    peer.reply(ids[2], pb::DONE, "", 3);
    (void)next();
    EXPECT_EQ(writable, 1);
    write("x");
}

TEST_F(LibassentClient, TheQueueIsBoundedInBytes) {
    open([](auto& m) { m.max_queued_bytes = 64u << 10; });
    const std::string large(48u << 10, 'x'), huge((2u << 20) + 1, 'x'), most(2u << 20, 'x');
    write(large);
    EXPECT_EQ(assent_write(handle, large.data(), large.size(), 0, keep, &got), CS_ERR_TRY_AGAIN);
    EXPECT_EQ(assent_write(handle, huge.data(), huge.size(), 0, keep, &got), CS_ERR_TOO_BIG);
    EXPECT_EQ(state().outstanding, 1u) << "refused whole";
    Peer peer = daemon.client(handle, 11);
    peer.reply(peer.request(handle).id(), pb::DONE, "", 1);
    (void)next();
    write(most);  // alone it goes, though it is larger than the queue
    EXPECT_EQ(peer.request(handle).write().data().size(), most.size());
}

TEST_F(LibassentClient, ReadsAreAskedAgain) {
    open();
    Peer peer = daemon.client(handle, 11);
    ASSERT_EQ(assent_read(handle, ASSENT_READ_APPLIED_AFTER, 33, "q", 1, 20'000, keep, &got), CS_OK);
    const pb::Request request = peer.request(handle);
    EXPECT_EQ(request.read().level(), pb::LEVEL_APPLIED_AFTER);
    EXPECT_EQ(request.read().index(), 33u);
    peer.close();
    peer = daemon.client(handle, 12);
    peer.reply(peer.request(handle).id(), pb::NO_MASTER, "no master");
    peer.reply(peer.request(handle).id(), pb::DONE, "", 34, "answer");
    const Got g = next();
    EXPECT_EQ(g.outcome, ASSENT_ANSWERED);
    EXPECT_EQ(g.data, "answer");
    EXPECT_EQ(g.index, 34u);
    ASSERT_EQ(assent_read(handle, ASSENT_READ_MASTER, 0, "q", 1, 150, keep, &got), CS_OK);
    peer.reply(peer.request(handle).id(), pb::NO_MAJORITY, "no majority");
    const Got late = next();
    EXPECT_EQ(late.outcome, ASSENT_NOT_DONE);
    EXPECT_EQ(late.error, CS_ERR_TIMEOUT);
}

TEST_F(LibassentClient, WhatIsNoDaemonIsLeftAndTriedAgain) {
    open();
    const std::string too_long = "\xff\xff\xff\xff", garbage = net::frame_length(3) + "\xff\xff\xff";
    pb::ServerFrame unasked;
    unasked.mutable_reply()->set_id(77);
    for (const std::string& bytes :
         {too_long, garbage, net::frame_length(0), std::string("HTTP/1.1 400 Bad Request\r\n")}) {
        Peer peer = daemon.accept(handle);
        (void)peer.receive(handle);
        peer.raw(bytes);
        EXPECT_TRUE(peer.closed(handle));
    }
    Peer before_hello = daemon.accept(handle);
    (void)before_hello.receive(handle);
    before_hello.send(unasked);
    EXPECT_TRUE(before_hello.closed(handle));
    Peer peer = daemon.client(handle, 11);
    peer.send(unasked);  // a reply nobody waits for does no harm
    write("x");
    const pb::Request request = peer.request(handle);
    peer.hello(12);  // twice
    EXPECT_TRUE(peer.closed(handle));
    peer = daemon.client(handle, 13);
    peer.say([](auto& m) { m.mutable_role()->set_master(true); });  // not a client's
    EXPECT_TRUE(peer.closed(handle));
    peer = daemon.client(handle, 14);
    peer.reply(0, pb::BUSY, "too many sessions");
    EXPECT_TRUE(peer.closed(handle));
    peer = daemon.client(handle, 15);
    const pb::Request again = peer.request(handle);
    EXPECT_EQ(again.sequence(), request.sequence());
    EXPECT_EQ(again.client().random(), 11u);
}

TEST_F(LibassentClient, ARefusedSessionTellsWhyInTheReplyAndTheCallback) {
    static std::string why;
    why.clear();
    open([](auto& m) { m.connection = [](assent_handle_t, int, const char* reason, void*) { why = reason; }; });
    Peer peer = daemon.accept(handle);
    (void)peer.receive(handle);
    pb::ServerFrame frame;
    frame.mutable_hello()->set_code(pb::BAD_REQUEST);
    frame.mutable_hello()->set_reason("no group 'jobs' is configured");
    peer.send(frame);
    until(handle, [&] { return !why.empty(); });
    EXPECT_EQ(why, "no group 'jobs' is configured");
    write("x", 40);
    const Got g = next();
    EXPECT_EQ(g.outcome, ASSENT_NOT_DONE);
    EXPECT_EQ(g.reason, why);
}

TEST_F(LibassentClient, Watching) {
    struct Seen {
        std::vector<std::pair<assent_watch_event_t, uint64_t>> events;
        std::string reason;
    } seen;
    open();
    uint64_t watch = 0;
    ASSERT_EQ(assent_watch(
                  handle, 3,
                  [](assent_handle_t, const assent_watched_t* w, void* user) {
                      static_cast<Seen*>(user)->events.emplace_back(w->event, w->index);
                      static_cast<Seen*>(user)->reason = w->reason;
                  },
                  &seen, &watch),
              CS_OK);
    const auto show = [](Peer& peer, uint64_t id, std::vector<uint64_t> indexes, uint64_t upto) {
        pb::ServerFrame frame;
        frame.mutable_watched()->set_id(id);
        for (uint64_t i : indexes) frame.mutable_watched()->add_writes()->set_index(i);
        frame.mutable_watched()->set_upto(upto);
        peer.send(frame);
    };
    Peer peer = daemon.client(handle, 11);
    pb::Request request = peer.request(handle);
    EXPECT_EQ(request.watch().from(), 3u);
    show(peer, request.id(), {3, 5}, 6);
    const pb::ClientFrame taken = peer.receive(handle);
    EXPECT_EQ(taken.watch_taken().id(), request.id());
    EXPECT_EQ(taken.watch_taken().upto(), 6u);
    peer.close();
    peer = daemon.client(handle, 12);
    request = peer.request(handle);
    EXPECT_EQ(request.watch().from(), 7u) << "goes on where it was";
    show(peer, request.id(), {6, 7}, 7);
    until(handle, [&] { return seen.events.size() == 5; });
    const std::vector<std::pair<assent_watch_event_t, uint64_t>> wanted{{ASSENT_WATCH_WRITE, 3},
                                                                        {ASSENT_WATCH_WRITE, 5},
                                                                        {ASSENT_WATCH_UPTO, 6},
                                                                        {ASSENT_WATCH_WRITE, 7},
                                                                        {ASSENT_WATCH_UPTO, 7}};
    EXPECT_EQ(seen.events, wanted);
    (void)peer.receive(handle);
    peer.reply(request.id(), pb::OTHER_ERROR, "the ledger begins later");
    until(handle, [&] { return seen.events.size() == 6; });
    EXPECT_EQ(seen.events.back().first, ASSENT_WATCH_ENDED);
    EXPECT_EQ(seen.reason, "the ledger begins later");
    EXPECT_EQ(assent_unwatch(handle, watch), CS_ERR_NOT_EXIST);
}

// As assent_watch(3) lists them; all others make the library ask again.
TEST_F(LibassentClient, AWatchEndsWithTheseCodes) {
    const std::vector<std::pair<pb::Code, cs_error_t>> ends{{pb::NO_SUCH_KEY, CS_ERR_NOT_EXIST},
                                                            {pb::USAGE, CS_ERR_INVALID_PARAM},
                                                            {pb::BAD_REQUEST, CS_ERR_INVALID_PARAM},
                                                            {pb::NOT_PERMITTED, CS_ERR_ACCESS},
                                                            {pb::OTHER_ERROR, CS_ERR_LIBRARY}};
    const std::vector<pb::Code> passing{pb::DONE, pb::BUSY, pb::NO_MAJORITY, pb::NO_MASTER, pb::TIMED_OUT};
    using Ended = std::pair<int32_t, cs_error_t>;
    std::vector<Ended> seen, wanted;
    open();
    std::unique_ptr<Peer> peer;
    for (const auto& [code, error] : ends) {
        uint64_t watch = 0;
        ASSERT_EQ(assent_watch(
                      handle, 3,
                      [](assent_handle_t, const assent_watched_t* w, void* user) {
                          EXPECT_EQ(w->event, ASSENT_WATCH_ENDED);
                          static_cast<std::vector<Ended>*>(user)->emplace_back(w->code, w->error);
                      },
                      &seen, &watch),
                  CS_OK);
        if (!peer) peer = std::make_unique<Peer>(daemon.client(handle, 11));
        for (const pb::Code again : passing) peer->reply(peer->request(handle).id(), again, "not now");
        peer->reply(peer->request(handle).id(), code, "for ever");
        wanted.emplace_back(code, error);
        EXPECT_TRUE(until(handle, [&] { return seen.size() == wanted.size(); }));
    }
    EXPECT_EQ(seen, wanted);
}

// ---- dispatching

TEST_F(LibassentClient, DispatchModes) {
    open();
    Peer peer = daemon.client(handle, 11);
    EXPECT_EQ(assent_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING), CS_ERR_TRY_AGAIN);
    EXPECT_EQ(assent_dispatch(handle, cs_dispatch_flags_t(0)), CS_ERR_INVALID_PARAM);
    for (int i = 0; i < 3; ++i) write("x");
    for (int i = 0; i < 3; ++i) peer.reply(peer.request(handle).id(), pb::DONE, "", 1);
    EXPECT_EQ(assent_dispatch(handle, CS_DISPATCH_ONE), CS_OK);
    EXPECT_EQ(got.size(), 1u);
    int fd = -1;
    ASSERT_EQ(assent_fd_get(handle, &fd), CS_OK);
    pollfd p{fd, POLLIN, 0};
    EXPECT_EQ(::poll(&p, 1, 0), 1) << "readable while callbacks are due";
    EXPECT_EQ(assent_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING), CS_OK);
    EXPECT_EQ(got.size(), 2u);
    EXPECT_EQ(assent_dispatch(handle, CS_DISPATCH_ALL), CS_OK);
    EXPECT_EQ(got.size(), 3u);
    EXPECT_EQ(assent_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING), CS_ERR_TRY_AGAIN);
    EXPECT_EQ(::poll(&p, 1, 0), 0);
}

TEST_F(LibassentClient, FinalizeInACallbackEndsDispatch) {
    open();
    Peer peer = daemon.client(handle, 11);
    static int calls;
    calls = 0;
    const auto end = [](assent_handle_t h, const assent_reply_t*, void*) {
        ++calls;
        EXPECT_EQ(assent_dispatch(h, CS_DISPATCH_ALL), CS_ERR_BUSY);
        EXPECT_EQ(assent_finalize(h), CS_OK);
        EXPECT_EQ(assent_finalize(h), CS_ERR_BAD_HANDLE);
        EXPECT_EQ(assent_write(h, "x", 1, 0, nullptr, nullptr), CS_ERR_BAD_HANDLE);
    };
    for (int i = 0; i < 2; ++i) ASSERT_EQ(assent_write(handle, "x", 1, 20'000, end, nullptr), CS_OK);
    for (int i = 0; i < 2; ++i) peer.reply(peer.request(handle).id(), pb::DONE, "", 1);
    EXPECT_EQ(assent_dispatch(handle, CS_DISPATCH_BLOCKING), CS_OK);
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(assent_dispatch(handle, CS_DISPATCH_ALL), CS_ERR_BAD_HANDLE);
    EXPECT_TRUE(peer.closed(0));
    handle = 0;
}

TEST_F(LibassentClient, FinalizeByAnotherThreadWakesWhoWaits) {
    open();
    Peer peer = daemon.client(handle, 11);
    cs_error_t dispatched = CS_OK, written = CS_OK;
    std::thread dispatcher([&] { dispatched = assent_dispatch(handle, CS_DISPATCH_BLOCKING); });
    std::thread writer([&] { written = assent_write_wait(handle, "x", 1, 3'600'000, nullptr); });
    EXPECT_EQ(peer.request().write().data(), "x");
    EXPECT_EQ(assent_finalize(handle), CS_OK);
    dispatcher.join();
    writer.join();
    EXPECT_EQ(dispatched, CS_ERR_BAD_HANDLE);
    EXPECT_EQ(written, CS_ERR_BAD_HANDLE);
    handle = 0;
}

TEST_F(LibassentClient, BlockingCallsWithAndWithoutADispatcher) {
    for (const bool dispatches : {false, true}) {
        open();
        const assent_handle_t h = handle;
        std::thread dispatcher;
        if (dispatches) dispatcher = std::thread([h] { (void)assent_dispatch(h, CS_DISPATCH_BLOCKING); });
        assent_reply_t *write = nullptr, *read = nullptr;
        cs_error_t written = CS_ERR_LIBRARY, asked = CS_ERR_LIBRARY;
        std::thread caller([&] {
            written = assent_write_wait(h, "data", 4, 20'000, &write);
            asked = assent_read_wait(h, ASSENT_READ_LOCAL, 0, nullptr, 0, 20'000, &read);
        });
        Peer peer = daemon.accept();
        EXPECT_TRUE(peer.receive().has_hello());
        peer.hello(11);
        peer.reply(peer.request().id(), pb::CANCELLED, "rejected", 6);
        peer.reply(peer.request().id(), pb::DONE, "", 6, "state");
        caller.join();
        EXPECT_EQ(written, CS_ERR_FAILED_OPERATION);
        ASSERT_TRUE(write);
        EXPECT_STREQ(write->reason, "rejected");
        EXPECT_EQ(asked, CS_OK);
        ASSERT_TRUE(read);
        EXPECT_EQ(std::string(static_cast<const char*>(read->data), read->length), "state");
        assent_reply_free(write);
        assent_reply_free(read);
        EXPECT_EQ(assent_finalize(h), CS_OK);
        if (dispatches) dispatcher.join();
    }
    handle = 0;
}

TEST_F(LibassentClient, ABlockingCallEndsAtItsDeadline) {
    open([](auto& m) { m.max_outstanding = 1; });
    Peer peer = daemon.client(handle, 11);
    const auto start = Clock::now();
    assent_reply_t* reply = nullptr;
    EXPECT_EQ(assent_write_wait(handle, "x", 1, 100, &reply), CS_ERR_TIMEOUT);
    EXPECT_GE(Clock::now() - start, std::chrono::milliseconds(100));
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->outcome, ASSENT_UNKNOWN);
    assent_reply_free(reply);
    write("holds the queue");
    EXPECT_EQ(assent_write_wait(handle, "x", 1, 50, &reply), CS_ERR_TRY_AGAIN);
    EXPECT_EQ(reply, nullptr);
}

TEST_F(LibassentClient, NoDescriptorsLeft) {
#if defined(__SANITIZE_ADDRESS__)
    GTEST_SKIP() << "UBSan needs descriptors of its own to look at an object's type";
#endif
    const std::string path = daemon.path();
    const assent_model_v1_data_t m = model_for(path);
    for (int count = 0; count < 6; ++count) {
        const FewDescriptors few(count);
        EXPECT_EQ(assent_model_initialize(&handle, ASSENT_MODEL_V1, &m, nullptr), CS_ERR_NO_RESOURCES) << count;
        EXPECT_STRNE(assent_error_detail(), "");
    }
    {
        const FewDescriptors few(6);
        ASSERT_EQ(assent_model_initialize(&handle, ASSENT_MODEL_V1, &m, nullptr), CS_OK) << assent_error_detail();
        assent_reply_t* reply = nullptr;
        EXPECT_EQ(assent_write_wait(handle, "data", 4, 20'000, &reply), CS_ERR_NO_RESOURCES);
        assent_reply_free(reply);
        EXPECT_EQ(state().outstanding, 0u) << "nothing was taken";
        write("data");
        EXPECT_EQ(assent_dispatch(handle, CS_DISPATCH_ALL), CS_OK);
        EXPECT_EQ(state().connected, 0u) << "no descriptor for the connection";
    }
    // When there are some again, it goes on.
    Peer peer = daemon.accept(handle);
    EXPECT_TRUE(peer.receive(handle).has_hello());
    peer.hello(11);
    peer.reply(peer.request(handle).id(), pb::DONE, "", 6);
    EXPECT_EQ(next().outcome, ASSENT_CONFIRMED);
}

TEST_F(LibassentClient, ArgumentsAreChecked) {
    const std::string path = daemon.path();
    const std::string no_path = "nothing";
    const std::string long_path = "/" + std::string(200, 'x');
    assent_handle_t h = 0;
    assent_model_v1_data_t m{};
    const auto init = [&] { return assent_model_initialize(&h, ASSENT_MODEL_V1, &m, nullptr); };
    EXPECT_EQ(init(), CS_ERR_INVALID_PARAM);
    m = model_for(path);
    m.flags = 1;
    EXPECT_EQ(init(), CS_ERR_INVALID_PARAM);
    m = model_for(no_path);
    EXPECT_EQ(init(), CS_ERR_INVALID_PARAM);
    m = model_for(long_path);
    EXPECT_EQ(init(), CS_ERR_INVALID_PARAM);
    EXPECT_STRNE(assent_error_detail(), "");
    m = model_for(path);
    m.max_outstanding = 4'097;
    EXPECT_EQ(init(), CS_ERR_INVALID_PARAM);
    EXPECT_EQ(assent_initialize(nullptr, nullptr, nullptr), CS_ERR_INVALID_PARAM);
    // A caller of a later version: fields that this one does not know must be 0.
    struct Later {
        assent_model_v1_data_t m;
        void* more;
    } later{model_for(path), nullptr};
    later.m.size = sizeof later;
    EXPECT_EQ(assent_model_initialize(&h, ASSENT_MODEL_V1, &later.m, nullptr), CS_OK);
    EXPECT_EQ(assent_finalize(h), CS_OK);
    later.more = &later;
    EXPECT_EQ(assent_model_initialize(&h, ASSENT_MODEL_V1, &later.m, nullptr), CS_ERR_INVALID_PARAM);
    // One of an earlier version.
    m = model_for(path);
    m.size = offsetof(assent_model_v1_data_t, connection);
    ASSERT_EQ(init(), CS_OK);
    EXPECT_EQ(assent_write(h, nullptr, 1, 0, nullptr, nullptr), CS_ERR_INVALID_PARAM);
    EXPECT_EQ(assent_write(h, "x", 1, 3'600'001, nullptr, nullptr), CS_ERR_INVALID_PARAM);
    EXPECT_EQ(assent_read(h, assent_read_level_t(3), 0, "x", 1, 0, nullptr, nullptr), CS_ERR_INVALID_PARAM);
    EXPECT_EQ(assent_application_attach(h, nullptr, 0, nullptr), CS_ERR_INVALID_PARAM);
    const assent_write_id_t none{};
    EXPECT_EQ(assent_outcome(h, &none, 0, nullptr, nullptr), CS_ERR_INVALID_PARAM);
    void* context = nullptr;
    EXPECT_EQ(assent_context_set(h, &m), CS_OK);
    EXPECT_EQ(assent_context_get(h, &context), CS_OK);
    EXPECT_EQ(context, &m);
    EXPECT_EQ(assent_finalize(h), CS_OK);
    EXPECT_EQ(assent_fd_get(h, nullptr), CS_ERR_BAD_HANDLE);
    EXPECT_EQ(assent_fd_get(12345678, nullptr), CS_ERR_BAD_HANDLE);
}

}  // namespace
}  // namespace assent::test
