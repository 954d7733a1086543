// What went wrong: two followers fetched only from each other and never asked the master again.
// The mend: ENTRIES without an entry move the asker on to another server.
#include <gtest/gtest.h>

#include "../unit/replica_bench.h"

namespace assent {
namespace {

TEST(FetchCircle, EmptyEntriesMoveOnToAnotherServer) {
    Bench b(3, Bench::member(), Bench::founded(3));
    b.all_here();
    b.give(event::Links{{NodeId(2), NodeId(3)}});
    auto asked = [&b]() -> Outgoing {
        auto fetches = b.take<Fetch>();
        EXPECT_EQ(fetches.size(), 1u);
        return fetches.empty() ? Outgoing() : fetches.back();
    };
    uint64_t beat = 0;
    auto heartbeat = [&] { b.hear(2, Heartbeat{Epoch(1), ++beat, 0, {Epoch(1), Index(5)}, {}}); };
    heartbeat();
    heartbeat();
    b.sync();
    EXPECT_EQ(asked().header.to, NodeId(2)) << "the master first";
    b.sleep(510'000);
    Outgoing second = asked();
    ASSERT_EQ(second.header.to, NodeId(3)) << "it did not answer in time";
    Entries none;
    none.epoch = Epoch(1);
    none.id = std::get<Fetch>(second.message).id;
    none.previous = b.view().last;
    none.last = none.previous;
    b.hear(3, none);
    heartbeat();
    EXPECT_EQ(asked().header.to, NodeId(2));
}

}  // namespace
}  // namespace assent
