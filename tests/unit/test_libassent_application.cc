// libassent's application role against a scripted daemon, and the C++ wrapper.
#include <unistd.h>

#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "assent/assent.hpp"
#include "libassent_support.h"

namespace assent::test {
namespace {

// Notes every callback as a line.
struct App {
    std::vector<std::string> lines;
    std::vector<uint64_t> asks, queries, snapshots;
    int fd = -1;
    bool detached = false;

    static App& of(void* context) { return *static_cast<App*>(context); }
    void note(const std::string& line) { lines.push_back(line); }
    size_t count(const std::string& line) const { return size_t(std::count(lines.begin(), lines.end(), line)); }

    static assent_model_v1_data_t model(const std::string& path) {
        assent_model_v1_data_t m = model_for(path);
        m.max_pending = 9;
        m.prepare = [](assent_handle_t, const assent_entry_t* e, void* c) {
            of(c).note("prepare " + std::to_string(e->index) + " " +
                       std::string(static_cast<const char*>(e->data), e->length));
            of(c).asks.push_back(e->ask);
        };
        m.confirm = [](assent_handle_t, const assent_entry_t* e, void* c) {
            of(c).note("confirm " + std::to_string(e->index));
        };
        m.cancel = [](assent_handle_t, uint64_t index, const char* reason, void* c) {
            of(c).note("cancel " + std::to_string(index) + " " + reason);
        };
        m.withdraw = [](assent_handle_t, uint64_t from, void* c) { of(c).note("withdraw " + std::to_string(from)); };
        m.query = [](assent_handle_t, uint64_t query, const void* data, size_t length, void* c) {
            of(c).note("query " + std::string(static_cast<const char*>(data), length));
            of(c).queries.push_back(query);
        };
        m.role = [](assent_handle_t, int master, uint64_t, void* c) { of(c).note(master ? "master" : "follower"); };
        m.application = [](assent_handle_t, const assent_application_state_t* s, void* c) {
            static const char* names[] = {"detached", "attached", "refused"};
            if (s->state != ASSENT_DETACHED || !of(c).detached)
                of(c).note(std::string(names[s->state]) + " " + s->reason);
            of(c).detached = s->state == ASSENT_DETACHED;
        };
        m.snapshot_save = [](assent_handle_t, uint64_t snapshot, int fd, void* c) {
            of(c).note("save");
            of(c).snapshots.push_back(snapshot);
            of(c).fd = fd;
        };
        m.snapshot_load = [](assent_handle_t, uint64_t snapshot, int fd, uint64_t length, uint64_t index,
                             const assent_cluster_id_t* cluster, void* c) {
            std::string data(length, '\0');
            EXPECT_EQ(::read(fd, data.data(), length), ssize_t(length));
            of(c).note("load " + data + " " + std::to_string(index) + " " + std::to_string(cluster->high));
            of(c).snapshots.push_back(snapshot);
        };
        m.digest = [](assent_handle_t, uint64_t index, void* c) { of(c).note("digest " + std::to_string(index)); };
        return m;
    }
};

class LibassentApplication : public ::testing::Test {
  protected:
    void SetUp() override {
        daemon.start();
        const std::string path = daemon.path();
        assent_model_v1_data_t m = App::model(path);
        m.spool = "/tmp";
        ASSERT_EQ(assent_model_initialize(&handle, ASSENT_MODEL_V1, &m, &app), CS_OK) << assent_error_detail();
    }
    void TearDown() override { EXPECT_EQ(assent_finalize(handle), CS_OK); }
    Peer attach(uint64_t applied = 0, uint64_t next = 1) {
        const assent_cluster_id_t cluster{7, 7};
        EXPECT_EQ(assent_application_attach(handle, "jobs", applied, applied ? &cluster : nullptr), CS_OK);
        Peer peer = daemon.application(handle);
        peer.attached(pb::DONE, next);
        return peer;
    }
    // The session is lost, and there is another one.
    Peer again(Peer& peer, uint64_t next) {
        peer.close();
        Peer other = daemon.application(handle);
        other.attached(pb::DONE, next);
        return other;
    }
    static void ask_to_save(Peer& peer, uint64_t id) {
        peer.say([id](auto& m) {
            m.mutable_snapshot_save()->set_id(id);
            m.mutable_snapshot_save()->set_chunk_bytes(10);
            m.mutable_snapshot_save()->set_window_bytes(20);
        });
    }
    void wait_for(const std::string& line, size_t times = 1) {
        EXPECT_TRUE(until(handle, [&] { return app.count(line) >= times; })) << line;
    }

    ScriptedDaemon daemon;
    App app;
    assent_handle_t handle = 0;
};

TEST_F(LibassentApplication, VerdictsAnswersAndResults) {
    Peer peer = attach(10, 11);
    EXPECT_EQ(daemon.greeting.group(), "");
    EXPECT_EQ(daemon.attach.group(), "jobs");
    EXPECT_EQ(daemon.attach.applied(), 10u);
    EXPECT_EQ(daemon.attach.durable(), 10u);
    EXPECT_EQ(daemon.attach.cluster_low(), 7u);
    EXPECT_EQ(daemon.attach.max_pending(), 9u);
    EXPECT_TRUE(daemon.attach.snapshots());
    EXPECT_TRUE(daemon.attach.digests());
    peer.prepare(11, 1, "a");
    peer.prepare(12, 2, "b");
    wait_for("prepare 12 b");
    EXPECT_EQ(assent_reject(handle, app.asks[1], "no"), CS_OK);
    EXPECT_EQ(assent_reject(handle, app.asks[1], "no"), CS_ERR_NOT_EXIST) << "answered";
    EXPECT_EQ(assent_accept(handle, app.asks[0]), CS_OK);
    pb::FromApplication said = peer.said(handle);
    EXPECT_EQ(said.reject().index(), 12u);
    EXPECT_EQ(said.reject().ask(), 2u);
    EXPECT_EQ(said.reject().reason(), "no");
    said = peer.said(handle);
    EXPECT_EQ(said.accept().index(), 11u);
    EXPECT_EQ(said.accept().ask(), 1u);
    peer.confirm(11);
    peer.cancel(12, "nobody wants it");
    wait_for("cancel 12 nobody wants it");
    EXPECT_EQ(assent_applied(handle, 13, 13, nullptr, 0), CS_ERR_INVALID_PARAM) << "was never given";
    EXPECT_EQ(assent_applied(handle, 11, 12, nullptr, 0), CS_ERR_INVALID_PARAM) << "durable above applied";
    EXPECT_EQ(assent_applied(handle, 11, 10, "r", 1), CS_OK);
    said = peer.said(handle);
    EXPECT_EQ(said.applied().index(), 11u);
    EXPECT_EQ(said.applied().durable(), 10u);
    EXPECT_EQ(said.applied().result(), "r");
    EXPECT_EQ(assent_applied(handle, 11, 11, nullptr, 0), CS_OK);
    EXPECT_EQ(assent_applied(handle, 11, 10, nullptr, 0), CS_ERR_INVALID_PARAM) << "durable goes back";
    EXPECT_EQ(assent_applied(handle, 10, 10, nullptr, 0), CS_ERR_INVALID_PARAM);
    said = peer.said(handle);
    EXPECT_EQ(said.applied().durable(), 11u);
    EXPECT_EQ(said.applied().result(), "") << "that more is durable is no other result";
    const std::string huge((1u << 20) + 1, 'x');
    EXPECT_EQ(assent_applied(handle, 12, 11, huge.data(), huge.size()), CS_ERR_TOO_BIG);
}

TEST_F(LibassentApplication, AnotherThreadAnswersWhileThisOneDispatches) {
    Peer peer = attach();
    for (uint64_t i = 1; i <= 9; ++i) peer.prepare(i, i, "x");
    wait_for("prepare 9 x");
    std::thread accepts([this, asks = app.asks] {
        for (const uint64_t ask : asks) EXPECT_EQ(assent_accept(handle, ask), CS_OK);
    });
    for (uint64_t i = 1; i <= 9; ++i) EXPECT_EQ(peer.said(handle).accept().index(), i);
    accepts.join();
    for (uint64_t i = 1; i <= 9; ++i) peer.confirm(i);
    wait_for("confirm 9");
    std::thread applies([this] {
        for (uint64_t i = 1; i <= 9; ++i) EXPECT_EQ(assent_applied(handle, i, i, "r", 1), CS_OK);
    });
    uint64_t applied = 0;
    while (applied < 9) applied = peer.said(handle).applied().index();
    applies.join();
}

TEST_F(LibassentApplication, ALostSessionWithdrawsWhatWasPrepared) {
    Peer peer = attach();
    peer.prepare(1, 1);
    peer.prepare(2, 2);
    peer.say([](auto& m) { m.mutable_role()->set_master(true); });
    wait_for("master");
    EXPECT_EQ(assent_accept(handle, app.asks[0]), CS_OK);
    Peer other = again(peer, 1);
    wait_for("withdraw 1");
    wait_for("follower");
    EXPECT_EQ(assent_accept(handle, app.asks[1]), CS_ERR_NOT_EXIST);
    EXPECT_TRUE(other.silent(handle));
    other.prepare(1, 1);
    wait_for("prepare 1 data", 2);
    EXPECT_EQ(assent_accept(handle, app.asks[2]), CS_OK);
    EXPECT_EQ(other.said(handle).accept().index(), 1u);
}

TEST_F(LibassentApplication, AVerdictIsGivenOnceOverSessions) {
    Peer peer = attach();
    for (uint64_t i = 1; i <= 3; ++i) peer.confirm(i);
    wait_for("confirm 3");
    EXPECT_EQ(assent_applied(handle, 1, 1, nullptr, 0), CS_OK);
    Peer other = again(peer, 2);
    EXPECT_EQ(daemon.attach.applied(), 1u);
    // 3 is in hand, and this session has not given it yet: saying so now would break it.
    EXPECT_EQ(assent_applied(handle, 3, 2, "r", 1), CS_OK);
    EXPECT_TRUE(other.silent(handle));
    other.confirm(2);
    other.confirm(3);
    other.confirm(4);
    wait_for("confirm 4");
    const pb::FromApplication said = other.said(handle);
    EXPECT_EQ(said.applied().index(), 3u);
    EXPECT_EQ(said.applied().result(), "r");
    EXPECT_EQ(app.count("confirm 2"), 1u);
    EXPECT_EQ(app.count("confirm 3"), 1u);
    // What was said while there was no session is in the next Attach.
    other.close();
    until(handle, [&] { return app.detached; });
    EXPECT_EQ(assent_applied(handle, 4, 3, nullptr, 0), CS_OK);
    (void)daemon.application(handle);
    EXPECT_EQ(daemon.attach.applied(), 4u);
    EXPECT_EQ(daemon.attach.durable(), 3u);
}

TEST_F(LibassentApplication, WhatALostSessionLeftInTheQueueIsNotGiven) {
    Peer peer = attach();
    wait_for("attached ");
    peer.confirm(1);
    peer.confirm(2);
    EXPECT_EQ(assent_dispatch(handle, CS_DISPATCH_ONE), CS_OK);
    EXPECT_EQ(app.lines.back(), "confirm 1");
    peer.close();
    // The rest is in the library's queue, and its session is lost before its turn.
    Peer other;
    int fd = -1;
    ASSERT_EQ(assent_fd_get(handle, &fd), CS_OK);
    other = daemon.application(handle);
    EXPECT_EQ(app.count("confirm 2") + daemon.attach.applied(), app.count("confirm 2"));
    other.attached(pb::DONE, 1);
    other.confirm(1);
    other.confirm(2);
    wait_for("confirm 2");
    EXPECT_EQ(app.count("confirm 1"), 1u);
    EXPECT_EQ(app.count("confirm 2"), 1u);
}

TEST_F(LibassentApplication, WithdrawMakesAsksStale) {
    Peer peer = attach();
    peer.prepare(1, 1);
    peer.prepare(2, 2, "old");
    peer.withdraw(2);
    peer.prepare(2, 3, "new");
    peer.withdraw(9);
    wait_for("prepare 2 new");
    EXPECT_EQ(app.count("withdraw 2"), 1u);
    dispatch_all(handle);
    EXPECT_EQ(app.count("withdraw 9"), 0u) << "nothing was prepared there";
    EXPECT_EQ(assent_accept(handle, app.asks[1]), CS_ERR_NOT_EXIST);
    EXPECT_EQ(assent_accept(handle, app.asks[2]), CS_OK);
    EXPECT_EQ(peer.said(handle).accept().ask(), 3u);
    peer.confirm(1);
    wait_for("confirm 1");
    EXPECT_EQ(assent_accept(handle, app.asks[0]), CS_ERR_NOT_EXIST) << "decided";
}

TEST_F(LibassentApplication, RefusedBusyAndSentAway) {
    EXPECT_EQ(assent_accept(handle, 1), CS_ERR_NOT_EXIST);
    EXPECT_EQ(assent_applied(handle, 0, 0, nullptr, 0), CS_ERR_BAD_OPERATION);
    EXPECT_EQ(assent_application_attach(handle, nullptr, 5, nullptr), CS_ERR_INVALID_PARAM);
    EXPECT_EQ(assent_application_attach(handle, nullptr, 0, nullptr), CS_OK);
    EXPECT_EQ(assent_application_attach(handle, nullptr, 0, nullptr), CS_ERR_EXIST);
    Peer peer = daemon.application(handle);
    EXPECT_EQ(daemon.attach.group(), "kv");
    peer.attached(pb::BUSY, 0, "another one is attached");
    peer = daemon.application(handle);
    EXPECT_GE(app.count("detached another one is attached"), 1u);
    peer.attached(pb::DONE, 1);
    wait_for("attached ");
    peer.say([](auto& m) { m.mutable_detach()->set_code(pb::BUSY); });
    peer = daemon.application(handle);
    peer.attached(pb::DONE, 1);
    peer.prepare(1, 1);
    wait_for("prepare 1 data");
    peer.say([](auto& m) {
        m.mutable_detach()->set_code(pb::BAD_REQUEST);
        m.mutable_detach()->set_reason("answered what was never asked");
    });
    wait_for("refused answered what was never asked");
    EXPECT_EQ(app.count("withdraw 1"), 1u);
    EXPECT_TRUE(peer.closed(handle));
    EXPECT_EQ(assent_application_attach(handle, nullptr, 0, nullptr), CS_OK);
    peer = daemon.application(handle);
    peer.attached(pb::BAD_CONFIGURATION, 0, "another cluster's store");
    wait_for("refused another cluster's store");
    EXPECT_EQ(assent_application_detach(handle), CS_OK);
    EXPECT_EQ(assent_application_detach(handle), CS_ERR_NOT_EXIST);
}

TEST_F(LibassentApplication, DetachSaysSo) {
    Peer peer = attach();
    wait_for("attached ");
    peer.confirm(1);
    EXPECT_EQ(assent_application_detach(handle), CS_OK);
    EXPECT_TRUE(peer.said(handle).has_detach());
    dispatch_all(handle);
    EXPECT_EQ(app.count("confirm 1"), 0u);
}

TEST_F(LibassentApplication, PingProvesThatCallbacksAreCalled) {
    Peer peer = attach();
    wait_for("attached ");
    peer.say([](auto& m) { m.mutable_ping()->set_id(5); });
    assent_reply_t* reply = nullptr;
    // A blocking call reads and writes, but works on nothing of the application's.
    EXPECT_EQ(assent_read_wait(handle, ASSENT_READ_LOCAL, 0, "q", 1, 50, &reply), CS_ERR_TIMEOUT);
    assent_reply_free(reply);
    EXPECT_TRUE(peer.silent(0));
    EXPECT_EQ(peer.said(handle).pong().id(), 5u);
}

TEST_F(LibassentApplication, Queries) {
    Peer peer = attach();
    for (uint64_t id : {21, 22}) {
        peer.say([id](auto& m) {
            m.mutable_query()->set_id(id);
            m.mutable_query()->set_data("q" + std::to_string(id));
        });
    }
    wait_for("query q22");
    EXPECT_EQ(assent_answer(handle, app.queries[1], nullptr, "answer", 6), CS_OK);
    EXPECT_EQ(assent_answer(handle, app.queries[1], nullptr, "answer", 6), CS_ERR_NOT_EXIST);
    pb::FromApplication said = peer.said(handle);
    EXPECT_EQ(said.answer().id(), 22u);
    EXPECT_EQ(said.answer().data(), "answer");
    EXPECT_EQ(assent_answer(handle, app.queries[0], "no such table", nullptr, 0), CS_OK);
    said = peer.said(handle);
    EXPECT_EQ(said.answer().code(), pb::BAD_REQUEST);
    EXPECT_EQ(said.answer().reason(), "no such table");
}

TEST_F(LibassentApplication, ASnapshotIsSavedInsideItsWindow) {
    Peer peer = attach();
    ask_to_save(peer, 1);
    wait_for("save");
    ask_to_save(peer, 2);
    EXPECT_EQ(peer.said(handle).snapshot_end().code(), pb::BUSY);
    const std::string state = "0123456789abcdefghijABCDE";
    ASSERT_EQ(::write(app.fd, state.data(), state.size()), ssize_t(state.size()));
    EXPECT_EQ(assent_snapshot_saved(handle, app.snapshots[0], 33, nullptr), CS_OK);
    std::string came;
    for (int i = 0; i < 2; ++i) came += peer.said(handle).snapshot_chunk().data();
    EXPECT_EQ(came.size(), 20u);
    EXPECT_TRUE(peer.silent(handle)) << "the window is full";
    peer.say([](auto& m) {
        m.mutable_snapshot_taken()->set_id(1);
        m.mutable_snapshot_taken()->set_bytes(10);
    });
    const pb::FromApplication last = peer.said(handle);
    EXPECT_EQ(last.snapshot_chunk().offset(), 20u);
    EXPECT_EQ(came + last.snapshot_chunk().data(), state);
    const pb::FromApplication end = peer.said(handle);
    EXPECT_EQ(end.snapshot_end().code(), pb::DONE);
    EXPECT_EQ(end.snapshot_end().index(), 33u);
    EXPECT_EQ(end.snapshot_end().bytes(), 25u);
    ask_to_save(peer, 3);
    wait_for("save", 2);
    EXPECT_EQ(assent_snapshot_saved(handle, app.snapshots[1], 0, "disk full"), CS_OK);
    EXPECT_EQ(peer.said(handle).snapshot_end().reason(), "disk full");
    ask_to_save(peer, 4);
    wait_for("save", 3);
    Peer other = again(peer, 1);
    wait_for("attached ", 2);
    EXPECT_EQ(assent_snapshot_saved(handle, app.snapshots[2], 1, nullptr), CS_ERR_NOT_EXIST);
}

// As when the application was busy for longer than whoever asked would wait. More than the window would wait for ever.
TEST_F(LibassentApplication, ASnapshotGivenUpBeforeItBeganIsNotSaved) {
    Peer peer = attach();
    const auto give_up = [&](uint64_t id) { peer.say([id](auto& m) { m.mutable_snapshot_abort()->set_id(id); }); };
    wait_for("attached ");
    ask_to_save(peer, 1);
    give_up(1);
    ask_to_save(peer, 2);
    give_up(2);
    ask_to_save(peer, 3);
    wait_for("save");
    EXPECT_EQ(app.count("save"), 1u);
    EXPECT_EQ(assent_snapshot_saved(handle, app.snapshots.at(0), 1, nullptr), CS_OK);
    const pb::FromApplication said = peer.said(handle);
    EXPECT_EQ(said.snapshot_end().id(), 3u);
    EXPECT_EQ(said.snapshot_end().code(), pb::DONE);
}

class LibassentLoad : public LibassentApplication {
  protected:
    static void load(Peer& peer, uint64_t id, const std::string& data, uint64_t bytes) {
        peer.say([&](auto& m) {
            m.mutable_snapshot_load()->set_id(id);
            m.mutable_snapshot_load()->set_index(50);
            m.mutable_snapshot_load()->set_bytes(bytes);
            m.mutable_snapshot_load()->set_window_bytes(1024);
            m.mutable_snapshot_load()->set_cluster_high(9);
        });
        peer.say([&](auto& m) {
            m.mutable_snapshot_chunk()->set_id(id);
            m.mutable_snapshot_chunk()->set_data(data);
        });
        peer.say([&](auto& m) { m.mutable_snapshot_end()->set_id(id); });
    }
};

TEST_F(LibassentLoad, AWholeOneReplacesTheState) {
    Peer peer = attach();
    load(peer, 1, "state", 5);
    EXPECT_EQ(peer.said(handle).snapshot_taken().bytes(), 5u);
    wait_for("load state 50 9");
    EXPECT_EQ(assent_snapshot_loaded(handle, app.snapshots[0], nullptr), CS_OK);
    EXPECT_TRUE(peer.said(handle).has_snapshot_loaded());
    peer.confirm(50);  // is in the state already
    peer.confirm(51);
    wait_for("confirm 51");
    EXPECT_EQ(app.count("confirm 50"), 0u);
    EXPECT_EQ(assent_snapshot_loaded(handle, app.snapshots[0], nullptr), CS_ERR_NOT_EXIST);
}

TEST_F(LibassentLoad, HalfAOneIsNeverShown) {
    Peer peer = attach();
    load(peer, 1, "sta", 5);
    const pb::FromApplication said = peer.said(handle);
    EXPECT_TRUE(said.has_snapshot_loaded());
    EXPECT_EQ(said.snapshot_loaded().code(), pb::OTHER_ERROR);
    load(peer, 2, "state", 5);
    EXPECT_TRUE(peer.said(handle).has_snapshot_taken());
    wait_for("load state 50 9");
    EXPECT_EQ(assent_snapshot_loaded(handle, app.snapshots[0], "disk full"), CS_OK);
    EXPECT_EQ(peer.said(handle).snapshot_loaded().reason(), "disk full");
    peer.confirm(1);
    wait_for("confirm 1");
}

TEST_F(LibassentLoad, ASessionLostMeanwhileDoesNotAttachWithHalfAState) {
    Peer peer = attach();
    load(peer, 1, "state", 5);
    wait_for("load state 50 9");
    peer.close();
    until(handle, [&] { return app.detached; });
    EXPECT_EQ(assent_snapshot_loaded(handle, app.snapshots[0], nullptr), CS_OK);
    (void)daemon.application(handle);
    EXPECT_EQ(daemon.attach.applied(), 50u);
    EXPECT_EQ(daemon.attach.durable(), 50u);
    EXPECT_EQ(daemon.attach.cluster_high(), 9u);
}

TEST_F(LibassentApplication, DigestsAndTheCluster) {
    Peer peer = attach();
    peer.confirm(1);
    peer.say([](auto& m) { m.mutable_digest()->set_index(1); });
    wait_for("digest 1");
    EXPECT_EQ(assent_digest(handle, 2, 5), CS_ERR_NOT_EXIST);
    EXPECT_EQ(assent_digest(handle, 1, 5), CS_OK);
    EXPECT_EQ(peer.said(handle).digest().value(), 5u);
    peer.say([](auto& m) { m.mutable_joined()->set_cluster_high(12); });
    Peer other = again(peer, 2);
    EXPECT_EQ(daemon.attach.cluster_high(), 12u);
    other.reply(1, pb::DONE);  // not an application's
    EXPECT_TRUE(other.closed(handle));
}

TEST_F(LibassentApplication, CallsThatAreRefused) {
    EXPECT_EQ(assent_applied(handle, 1, 1, nullptr, 0), CS_ERR_BAD_OPERATION);
    EXPECT_EQ(assent_application_detach(handle), CS_ERR_NOT_EXIST);
    EXPECT_EQ(assent_application_attach(handle, "", 0, nullptr), CS_ERR_INVALID_PARAM);
    EXPECT_EQ(assent_application_attach(handle, nullptr, 1, nullptr), CS_ERR_INVALID_PARAM) << "of which cluster?";
    Peer peer = attach();
    EXPECT_EQ(assent_application_attach(handle, nullptr, 0, nullptr), CS_ERR_EXIST);
    peer.confirm(1);
    wait_for("confirm 1");
    EXPECT_EQ(assent_applied(handle, 2, 0, nullptr, 0), CS_ERR_INVALID_PARAM) << "it was not given";
    EXPECT_EQ(assent_applied(handle, 1, 2, nullptr, 0), CS_ERR_INVALID_PARAM);
    EXPECT_EQ(assent_applied(handle, 1, 1, nullptr, 1), CS_ERR_INVALID_PARAM);
    const std::string big((1 << 20) + 1, 'x');
    EXPECT_EQ(assent_applied(handle, 1, 1, big.data(), big.size()), CS_ERR_TOO_BIG);
    EXPECT_EQ(assent_applied(handle, 1, 1, big.data(), big.size() - 1), CS_OK);
    EXPECT_EQ(assent_applied(handle, 0, 0, nullptr, 0), CS_ERR_INVALID_PARAM) << "it goes back";

    const std::string address = "localhost:5408";
    const assent_model_v1_data_t remote = App::model(address);
    assent_handle_t other = 0;
    ASSERT_EQ(assent_model_initialize(&other, ASSENT_MODEL_V1, &remote, &app), CS_OK);
    EXPECT_EQ(assent_application_attach(other, nullptr, 0, nullptr), CS_ERR_NOT_SUPPORTED);
    EXPECT_NE(std::string(assent_error_detail()).find("unix socket"), std::string::npos);
    EXPECT_EQ(assent_finalize(other), CS_OK);
}

// C has no exceptions, but a callback may be written in C++.
TEST_F(LibassentApplication, WhatACallbackThrowsEndsInTheLibrary) {
    const std::string path = daemon.path();
    assent_model_v1_data_t m = App::model(path);
    m.confirm = [](assent_handle_t, const assent_entry_t*, void*) { throw 42; };
    assent_handle_t throws = 0;
    ASSERT_EQ(assent_model_initialize(&throws, ASSENT_MODEL_V1, &m, &app), CS_OK);
    ASSERT_EQ(assent_application_attach(throws, nullptr, 0, nullptr), CS_OK);
    Peer peer = daemon.application(throws);
    peer.attached(pb::DONE);
    peer.confirm(1);
    peer.confirm(2);
    cs_error_t error = CS_OK;
    for (const auto end = Clock::now() + kEnough; error == CS_OK && Clock::now() < end;)
        error = assent_dispatch(throws, CS_DISPATCH_ONE);
    EXPECT_EQ(error, CS_ERR_LIBRARY);
    assent_state_t state{};
    state.size = sizeof state;
    EXPECT_EQ(assent_state_get(throws, &state), CS_OK);
    EXPECT_EQ(state.delivered, 1u) << "nothing is given after it";
    EXPECT_EQ(assent_finalize(throws), CS_OK);
}

// ---- assent.hpp

// An application in C++: it applies what it can.
struct InCpp {
    explicit InCpp(const std::string& path) {
        assent_model_v1_data_t options{};
        options.address = path.c_str();
        Callbacks callbacks;
        callbacks.prepare = [this](const assent_entry_t& entry) { handle->accept(entry.ask); };
        callbacks.confirm = [this](const assent_entry_t& entry) {
            if (bytes_of(entry) == "bad") throw std::runtime_error("what a callback throws");
            indexes.push_back(entry.index);
            handle->applied(entry.index, entry.index, "done");
        };
        callbacks.query = [this](uint64_t query, std::string_view data) { handle->answer(query, data); };
        handle.emplace(std::move(callbacks), options);
        handle->attach(0, {});
    }
    std::optional<Handle> handle;
    std::vector<uint64_t> indexes;
};

// Not even the BLOCKING one goes on, and what follows a confirm that failed is not given: that would leave a gap in the store.
TEST(LibassentHpp, AnExceptionEndsTheHandleAndComesOutOfDispatch) {
    for (const auto flags : {CS_DISPATCH_ALL, CS_DISPATCH_ONE, CS_DISPATCH_BLOCKING}) {
        ScriptedDaemon daemon;
        daemon.start();
        InCpp app(daemon.path());
        Handle& handle = *app.handle;
        Peer peer = daemon.application(handle.get());
        peer.attached(pb::DONE);
        peer.confirm(1);
        peer.confirm(2, "bad");
        peer.confirm(3);
        std::string thrown;
        for (const auto end = Clock::now() + kEnough; thrown.empty() && Clock::now() < end;) {
            try {
                handle.dispatch(flags);
            } catch (const std::runtime_error& e) {
                thrown = e.what();
            }
        }
        EXPECT_EQ(thrown, "what a callback throws");
        EXPECT_EQ(app.indexes, std::vector<uint64_t>{1});
        EXPECT_EQ(peer.said(0).applied().index(), 1u);
        EXPECT_TRUE(peer.closed(0)) << "as if it had died";
        EXPECT_THROW(handle.dispatch(), Exception);
        EXPECT_THROW(handle.applied(2, 2), Exception);
        handle.finalize();
    }
}

TEST(LibassentHpp, HandlesAreMoved) {
    ScriptedDaemon daemon;
    daemon.start();
    InCpp app(daemon.path());
    EXPECT_THROW(app.handle->applied(99, 99), Exception);
    EXPECT_FALSE(app.handle->accept(4711));
    Handle moved = std::move(*app.handle);
    EXPECT_GE(moved.fd(), 0);
    EXPECT_THROW(app.handle->fd(), Exception);
    EXPECT_THROW(app.handle->dispatch(), Exception);
    EXPECT_THROW(app.handle->write("x", [](const assent_reply_t&) {}), Exception);
    moved = Handle();
    EXPECT_GE(moved.fd(), 0);
}

TEST(LibassentHpp, CompletionsThatAreNeverCalledEndWithTheHandle) {
    const auto kept = std::make_shared<int>(0);
    {
        ScriptedDaemon daemon;
        daemon.start();
        const std::string path = daemon.path();
        assent_model_v1_data_t options{};
        options.address = path.c_str();
        options.max_outstanding = 1;
        Handle handle({}, options);
        EXPECT_TRUE(handle.write("x", [kept](const assent_reply_t&) {}));
        EXPECT_FALSE(handle.write("x", [kept](const assent_reply_t&) {}));
        EXPECT_EQ(kept.use_count(), 2);
    }
    EXPECT_EQ(kept.use_count(), 1);
}

TEST(LibassentHpp, AnswersAreKept) {
    ScriptedDaemon daemon;
    daemon.start();
    const std::string path = daemon.path();
    assent_model_v1_data_t options{};
    options.address = path.c_str();
    Handle handle({}, options);
    Peer peer = daemon.client(handle.get(), 11);
    Answer answer;
    ASSERT_TRUE(handle.write("data", [&](const assent_reply_t& r) { answer = Answer(r); }));
    peer.reply(peer.request(handle.get()).id(), pb::DONE, "", 5, "result");
    until(handle.get(), [&] { return answer.index != 0; });
    EXPECT_TRUE(answer);
    EXPECT_EQ(answer.data, "result");
    EXPECT_EQ(handle.state().outstanding, 0u);
    EXPECT_EQ(handle.write_wait("x", 50).outcome, ASSENT_UNKNOWN);
    EXPECT_THROW(handle.write_wait("x", 3'600'001), Exception);
    EXPECT_FALSE(handle.dispatch(CS_DISPATCH_ONE_NONBLOCKING));
}

}  // namespace
}  // namespace assent::test
