// Snapshots between a client and the application that is attached.
#include "attached_support.h"

namespace assent::test {
namespace {

class SnapshotsOnTheirWay : public AttachedBench {
  protected:
    static constexpr uint64_t kClient = 50;
    attached::Snapshots::Client client_{kClient, 7, 1'000'000'000};

    void SetUp() override {
        AttachedBench::SetUp();
        for (uint64_t i = 1; i <= 4; ++i) append(write_at(i));
    }
    static pb::Attach understands(uint64_t applied) {
        pb::Attach a = store(applied);
        a.set_snapshots(true);
        return a;
    }
    Played& attached_and_applied(uint64_t upto) {
        Played& app = attach(understands(0));
        decide(upto);
        applied(app, upto, upto);
        app.take();
        return app;
    }
    void chunk(const Played& app, uint64_t id, uint64_t offset, const std::string& data) {
        pb::FromApplication m;
        m.mutable_snapshot_chunk()->set_id(id);
        m.mutable_snapshot_chunk()->set_offset(offset);
        m.mutable_snapshot_chunk()->set_data(data);
        say(app, m);
    }
    void end(const Played& app, uint64_t id, uint64_t index, uint64_t bytes, pb::Code code = pb::DONE) {
        pb::FromApplication m;
        m.mutable_snapshot_end()->set_id(id);
        m.mutable_snapshot_end()->set_code(code);
        m.mutable_snapshot_end()->set_index(index);
        m.mutable_snapshot_end()->set_bytes(bytes);
        say(app, m);
    }
    void loaded(const Played& app, uint64_t id, pb::Code code = pb::DONE) {
        pb::FromApplication m;
        m.mutable_snapshot_loaded()->set_id(id);
        m.mutable_snapshot_loaded()->set_code(code);
        say(app, m);
    }
    void send_chunk(uint64_t offset, const std::string& data) {
        pb::ClientFrame f;
        f.mutable_snapshot_chunk()->set_id(7);
        f.mutable_snapshot_chunk()->set_offset(offset);
        f.mutable_snapshot_chunk()->set_data(data);
        host_->from_client(kClient, f);
        host_->flush();
    }
    void restore(uint64_t index, uint64_t bytes, const ClusterId& cluster = {1, 2}) {
        host_->restore_snapshot(client_, {Index(index), bytes, cluster});
        host_->flush();
    }
    pb::Code code() const { return replies_.empty() ? pb::DONE : replies_.back().code(); }
};

TEST_F(SnapshotsOnTheirWay, Saved) {
    Played& app = attached_and_applied(3);
    host_->save_snapshot(client_);
    EXPECT_EQ(app.take(), (Words{"save 1"}));
    chunk(app, 1, 0, "abc");
    chunk(app, 1, 3, "de");
    ASSERT_EQ(to_client_.size(), 2u);
    EXPECT_EQ(to_client_[1].snapshot_chunk().data(), "de");
    EXPECT_EQ(to_client_[1].snapshot_chunk().id(), 7u) << "the client's own number";
    pb::ClientFrame taken;
    taken.mutable_snapshot_taken()->set_id(7);
    taken.mutable_snapshot_taken()->set_bytes(5);
    host_->from_client(kClient, taken);
    EXPECT_EQ(app.take(), (Words{"taken 5"}));
    EXPECT_TRUE(replies_.empty());
    end(app, 1, 3, 5);
    ASSERT_EQ(replies_.size(), 1u);
    EXPECT_EQ(code(), pb::DONE);
    EXPECT_EQ(replies_[0].index(), 3u);
}

TEST_F(SnapshotsOnTheirWay, WhoSavesGoesAway) {
    Played& app = attached_and_applied(3);
    host_->save_snapshot(client_);
    host_->save_snapshot({kClient + 1, 1, 1'000'000'000});
    EXPECT_EQ(code(), pb::BUSY) << "one at a time";
    host_->client_gone(kClient);
    EXPECT_EQ(app.take(), (Words{"save 1", "abort"}));
    chunk(app, 1, 0, "late");
    EXPECT_EQ(app.detached, "");
    EXPECT_TRUE(to_client_.empty());
    host_->save_snapshot({kClient + 1, 1, 1'000'000'000});
    die(app);
    EXPECT_EQ(code(), pb::OTHER_ERROR);
    host_->save_snapshot(client_);
    EXPECT_EQ(code(), pb::BUSY) << "nobody is there";
}

TEST_F(SnapshotsOnTheirWay, MoreThanTheWindowBreaksTheProtocol) {
    Played& app = attached_and_applied(3);
    host_->save_snapshot(client_);
    const std::string piece(attached::Snapshots::kChunkBytes, 'x');
    for (uint64_t n = 0; n < 4; ++n) chunk(app, 1, n * piece.size(), piece);
    EXPECT_EQ(app.detached, "");
    chunk(app, 1, 4 * piece.size(), "x");
    EXPECT_EQ(app.detach_code, pb::BAD_REQUEST);
    EXPECT_EQ(code(), pb::OTHER_ERROR);
}

TEST_F(SnapshotsOnTheirWay, TheEndMustFit) {
    Played& app = attached_and_applied(3);
    host_->save_snapshot(client_);
    end(app, 1, 4, 0);
    EXPECT_EQ(app.detach_code, pb::BAD_REQUEST) << "it was not given index 4";
    EXPECT_EQ(code(), pb::OTHER_ERROR);
}

TEST_F(SnapshotsOnTheirWay, RestoredAndGoneOnFromThere) {
    Played& app = attached_and_applied(3);
    restore(1, 5);
    EXPECT_EQ(app.take(), (Words{"load 1"}));
    ASSERT_EQ(to_client_.size(), 1u);
    EXPECT_TRUE(to_client_[0].has_snapshot_taken()) << "it may begin";
    decide(4);
    EXPECT_EQ(app.take(), Words{}) << "no verdict in between";
    EXPECT_EQ(host_->status().state, "loading");
    send_chunk(0, "abc");
    send_chunk(3, "de");
    EXPECT_EQ(app.take(), (Words{"chunk abc", "chunk de", "end 0"}));
    loaded(app, 1);
    EXPECT_EQ(code(), pb::DONE);
    ASSERT_EQ(replies_.size(), 1u);
    EXPECT_EQ(numbers(attached_), (std::vector<uint64_t>{0, 1})) << "for the core it is a new one";
    EXPECT_EQ(app.take(), (Words{"confirm 2 write 2", "confirm 3 write 3", "confirm 4 write 4"}));
    applied(app, 4, 4);
    EXPECT_EQ(applied_.value, 4u);
}

TEST_F(SnapshotsOnTheirWay, WaitsForWhatIsInHand) {
    Played& app = attach(understands(0));
    decide(2);
    prepare({around_.ledger[2]});
    app.take();
    const uint64_t old = app.asks[3];
    restore(1, 0);
    EXPECT_EQ(app.take(), (Words{"withdraw 3"})) << "it has not applied what was confirmed";
    accept(app, 3, old);
    EXPECT_TRUE(accepted_.empty());
    applied(app, 2, 2);
    EXPECT_EQ(app.take(), (Words{"load 1", "end 0"}));
    loaded(app, 1);
    prepare({around_.ledger[2]});
    EXPECT_EQ(app.take(), (Words{"confirm 2 write 2", "prepare 3"}));
    accept(app, 3, old);
    EXPECT_TRUE(accepted_.empty()) << "an answer to the old question";
    accept(app, 3);
    EXPECT_EQ(numbers(accepted_), (std::vector<uint64_t>{3}));
}

TEST_F(SnapshotsOnTheirWay, WhoRestoresGoesAwayInTheMiddle) {
    Played& app = attached_and_applied(3);
    restore(1, 5);
    send_chunk(0, "abc");
    host_->client_gone(kClient);
    host_->flush();
    EXPECT_EQ(app.take(), (Words{"load 1", "chunk abc", "end 1"}));
    decide(4);
    EXPECT_EQ(app.take(), (Words{"confirm 4 write 4"})) << "it is as it was";
}

TEST_F(SnapshotsOnTheirWay, TheApplicationGoesAwayInTheMiddle) {
    Played& app = attached_and_applied(3);
    restore(1, 5);
    send_chunk(0, "abc");
    die(app);
    EXPECT_EQ(code(), pb::BUSY) << "begin anew";
    Played& again = attach(understands(3), 101);
    decide(4);
    EXPECT_EQ(again.take(), (Words{"confirm 4 write 4"}));
}

TEST_F(SnapshotsOnTheirWay, TheApplicationCannotLoadIt) {
    Played& app = attached_and_applied(3);
    restore(1, 3);
    send_chunk(0, "abc");
    loaded(app, 1, pb::OTHER_ERROR);
    EXPECT_EQ(code(), pb::OTHER_ERROR);
    EXPECT_EQ(app.detach_code, pb::BUSY) << "it says itself what it has";
}

TEST_F(SnapshotsOnTheirWay, LoadedBeforeItHasAll) {
    Played& app = attached_and_applied(3);
    restore(1, 5);
    loaded(app, 1);
    EXPECT_EQ(app.detach_code, pb::BAD_REQUEST);
    EXPECT_EQ(code(), pb::BUSY);
}

TEST_F(SnapshotsOnTheirWay, ChunksThatDoNotFit) {
    Played& app = attached_and_applied(3);
    restore(1, 5);
    send_chunk(1, "abc");
    EXPECT_EQ(code(), pb::BAD_REQUEST);
    EXPECT_EQ(app.take(), (Words{"load 1", "end 1"}));
    restore(1, 5);
    send_chunk(0, "abcdef");
    EXPECT_EQ(code(), pb::BAD_REQUEST);
}

TEST_F(SnapshotsOnTheirWay, ChunksThatComeTooEarly) {
    Played& app = attached_and_applied(3);
    const uint64_t window = attached::Snapshots::kWindowBytes;
    restore(1, 2 * window);
    send_chunk(0, std::string(window, 'x'));
    pb::FromApplication taken;
    taken.mutable_snapshot_taken()->set_id(1);
    taken.mutable_snapshot_taken()->set_bytes(100);
    say(app, taken);
    EXPECT_EQ(to_client_.back().snapshot_taken().bytes(), 100u);
    send_chunk(window, std::string(100, 'x'));
    EXPECT_TRUE(replies_.empty());
    send_chunk(window + 100, "x");
    EXPECT_EQ(code(), pb::BAD_REQUEST);
}

// What it has whole it loads, for whomever.
TEST_F(SnapshotsOnTheirWay, WhoRestoresGoesAwayAtTheEnd) {
    Played& app = attached_and_applied(3);
    restore(2, 3);
    send_chunk(0, "abc");
    host_->client_gone(kClient);
    host_->flush();
    EXPECT_EQ(app.take(), (Words{"load 2", "chunk abc", "end 0"}));
    EXPECT_EQ(host_->status().state, "loading");
    loaded(app, 1);
    EXPECT_EQ(app.take(), (Words{"confirm 3 write 3"}));
    EXPECT_TRUE(replies_.empty());
}

TEST_F(SnapshotsOnTheirWay, OfWhatDoesNotFit) {
    attached_and_applied(3);
    restore(1, 5, {3, 4});
    EXPECT_EQ(code(), pb::BAD_CONFIGURATION);
    durable_ = Index(3);
    restore(4, 5);
    EXPECT_EQ(code(), pb::BUSY);
    first_ = Index(3);
    restore(1, 5);
    EXPECT_EQ(code(), pb::BAD_CONFIGURATION);
    EXPECT_EQ(replies_.size(), 3u);
}

TEST_F(SnapshotsOnTheirWay, TimeIsOver) {
    decide(3);
    restore(1, 5);
    EXPECT_TRUE(replies_.empty()) << "it waits for an application";
    host_->tick(client_.deadline_us);
    EXPECT_EQ(code(), pb::TIMED_OUT);
    Played& app = attach(understands(3));
    EXPECT_EQ(app.take(), Words{});
    host_->save_snapshot(client_);
    host_->tick(client_.deadline_us);
    EXPECT_EQ(app.take(), (Words{"save 1", "abort"}));
    EXPECT_EQ(code(), pb::TIMED_OUT);
}

TEST_F(SnapshotsOnTheirWay, ADivergedOneIsTakenForIt) {
    Played& app = attached_and_applied(3);
    host_->set_diverged("two is not three");
    EXPECT_EQ(app.detach_code, pb::BAD_CONFIGURATION);
    EXPECT_EQ(try_attach(understands(3), peer(101)).code(), pb::BAD_CONFIGURATION);
    restore(1, 3);
    attached_.clear();
    Played& again = attach(understands(3), 102);
    EXPECT_EQ(again.take(), (Words{"load 1"}));
    EXPECT_TRUE(attached_.empty());
    EXPECT_FALSE(healthy_);
    send_chunk(0, "abc");
    loaded(again, 1);
    EXPECT_EQ(numbers(attached_), (std::vector<uint64_t>{1}));
    EXPECT_EQ(again.take(), (Words{"chunk abc", "end 0", "confirm 2 write 2", "confirm 3 write 3"}));
    EXPECT_NE(host_->status().state, "diverged");
}

TEST_F(SnapshotsOnTheirWay, ADivergedOneDoesNotStayWithoutIt) {
    attached_and_applied(3);
    host_->set_diverged("two is not three");
    restore(1, 3);
    Played& again = attach(understands(3), 102);
    host_->client_gone(kClient);
    host_->flush();
    EXPECT_EQ(again.detach_code, pb::BAD_CONFIGURATION);
}

}  // namespace
}  // namespace assent::test
