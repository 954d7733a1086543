// Digests, and an application that has diverged.
#include "attached_support.h"

namespace assent::test {
namespace {

class DigestsAreWanted : public AttachedBench {
  protected:
    void SetUp() override {
        options_.session.digest_every = 2;
        AttachedBench::SetUp();
        for (uint64_t i = 1; i <= 4; ++i) append(write_at(i));
    }
    static pb::Attach understands(uint64_t applied) {
        pb::Attach a = store(applied);
        a.set_digests(true);
        return a;
    }
};

TEST_F(DigestsAreWanted, BetweenTheVerdictAndTheNext) {
    Played& app = attach(understands(0));
    decide(4);
    EXPECT_EQ(app.take(), (Words{"confirm 1 write 1", "confirm 2 write 2", "digest 2", "confirm 3 write 3",
                                 "confirm 4 write 4", "digest 4"}));
    digest(app, 2, 0xabc);
    EXPECT_EQ(digests_, (std::map<uint64_t, uint64_t>{{2, 0xabc}}));
    digest(app, 2, 0xabc);  // once more: ignored
    EXPECT_EQ(app.detached, "");
    digest(app, 3, 0xabc);
    EXPECT_NE(app.detached, "") << "it was not asked for that";
}

TEST_F(DigestsAreWanted, NotFromOneThatDoesNotUnderstand) {
    Played& app = attach(0);
    decide(4);
    EXPECT_EQ(app.take().size(), 4u);
}

// A library that has none to say at the moment is not slow for that.
TEST_F(DigestsAreWanted, NobodyWaitsForThem) {
    options_.session.digests = 1;
    open();
    Played& app = attach(understands(0));
    decide(4);
    applied(app, 4, 4);
    now_ += 2 * kHungUs;
    EXPECT_EQ(host_->status().state, "healthy");
    digest(app, 2, 1);
    EXPECT_TRUE(digests_.empty()) << "too late, which is no fault";
    EXPECT_EQ(app.detached, "");
    digest(app, 4, 1);
    EXPECT_EQ(digests_.size(), 1u);
}

TEST_F(DigestsAreWanted, ADivergedOneEndsAndComesBackWithAnEmptyStoreAlone) {
    Played& app = attach(understands(0));
    EXPECT_EQ(replaced_, 1);
    decide(2);
    applied(app, 2, 2);
    host_->set_diverged("two is not three");
    EXPECT_EQ(app.detach_code, pb::BAD_CONFIGURATION);
    EXPECT_NE(app.detached.find("two is not three"), std::string::npos);
    EXPECT_FALSE(healthy_);
    EXPECT_EQ(host_->status().state, "diverged");
    prepare({around_.ledger[2]});
    EXPECT_TRUE(accepted_.empty());
    const pb::AttachReply refused = try_attach(understands(2), peer(101));
    EXPECT_EQ(refused.code(), pb::BAD_CONFIGURATION);
    EXPECT_NE(refused.reason().find("two is not three"), std::string::npos) << refused.reason();
    EXPECT_EQ(replaced_, 1);
    Played& empty = attach(understands(0), 102);
    EXPECT_EQ(empty.take(), (Words{"confirm 1 write 1", "confirm 2 write 2", "digest 2"}));
    EXPECT_EQ(replaced_, 2);
    EXPECT_TRUE(healthy_);
    EXPECT_NE(host_->status().state, "diverged");
}

}  // namespace
}  // namespace assent::test
