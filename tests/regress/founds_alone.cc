// What went wrong: a cluster of one never founded itself, as that was tried only when another's STATUS came.
// The mend: corosync's word of being quorate tries it too, and so do the timers.
#include <gtest/gtest.h>

#include "../unit/replica_bench.h"

namespace assent {
namespace {

TEST(FoundsAlone, WhenQuorateAndThenConfirms) {
    Bench b(1);
    b.all_here();
    b.sync();
    ASSERT_TRUE(b.replica().is_master());
    b.give(event::Submit{Token(1), ClientId{Index(0), 11}, 1, 1, "x"});
    b.give(event::Flush{});
    EXPECT_TRUE(b.answers().empty()) << "nothing is said before the sync";
    b.sync();
    auto answers = b.answers();
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_EQ(answers[0].kind, AnswerKind::confirmed);
    EXPECT_EQ(answers[0].index, Index(3));
    EXPECT_EQ(b.verdicts().size(), 3u);  // CONFIG, EPOCH, the write
}

TEST(FoundsAlone, WhenTheNodelistComesLast) {
    Bench b(1);
    b.give(event::NodeList{});
    b.all_here();
    b.sync();
    ASSERT_FALSE(b.cluster());
    b.give(event::NodeList{{{NodeId(1), 1}}});
    b.sleep(400'000);
    b.sync();
    EXPECT_TRUE(b.replica().is_master());
}

}  // namespace
}  // namespace assent
