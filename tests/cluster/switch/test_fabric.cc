// The switch of the nemesis, without devices.
#include <gtest/gtest.h>

#include "fabric.h"

namespace assent::fabric {
namespace {

constexpr char kUdp = 17;
constexpr char kTcp = 6;

std::string frame(int to, char protocol = kUdp, int port = 5405, size_t size = 100) {
    std::string bytes(size, 'x');
    const std::string head{2, 0, 0, 0, 0, char(to), 2, 0, 0, 0, 0, 9, 8, 0, 0x45};
    bytes.replace(0, head.size(), head);
    bytes.replace(20, 2, 2, 0);
    bytes[23] = protocol;
    bytes[36] = char(port >> 8);
    bytes[37] = char(port);
    return bytes;
}

class FabricTest : public ::testing::Test {
  protected:
    FabricTest() {
        for (int port = 1; port <= 3; ++port) fabric.add_port(port);
    }
    void obey(const std::string& line) { EXPECT_EQ("ok", fabric.command(line)) << line; }
    // Ports at which something came out by then, in order.
    std::vector<int> out(int64_t now_us) {
        std::vector<int> ports;
        while (fabric.next(now_us, last)) ports.push_back(last.port);
        return ports;
    }
    using Ports = std::vector<int>;

    Fabric fabric{1};
    Delivery last;
};

TEST_F(FabricTest, GoesToTheHostItIsFor) {
    fabric.arrive(0, 1, frame(3));
    EXPECT_EQ(Ports{3}, out(0));
    EXPECT_EQ(frame(3), last.frame);
    fabric.arrive(0, 1, std::string(6, '\xff') + frame(3).substr(6));
    EXPECT_EQ((Ports{2, 3}), out(0));
}

TEST_F(FabricTest, DropsOneWayAndOneKind) {
    obey("rule a from=1 to=2 filter=side drop=1");
    fabric.arrive(0, 1, frame(2, kTcp, 5407));
    EXPECT_EQ(Ports{}, out(0));
    fabric.arrive(0, 2, frame(1, kTcp, 5407));
    EXPECT_EQ(Ports{1}, out(0));
    fabric.arrive(0, 1, frame(2, kUdp, 5405));
    fabric.arrive(0, 1, frame(3, kTcp, 5407));
    EXPECT_EQ((Ports{2, 3}), out(0));
    obey("rule b filter=corosync drop=1");
    fabric.arrive(0, 1, frame(2, kUdp, 5405));
    EXPECT_EQ(Ports{}, out(0));
    obey("clear");
    fabric.arrive(0, 1, frame(2, kTcp, 5407));
    EXPECT_EQ(Ports{2}, out(0));
    EXPECT_EQ(2u, fabric.counts().dropped);
}

TEST_F(FabricTest, DelaysAndReorders) {
    obey("rule slow from=1 delay=10");
    fabric.arrive(0, 1, frame(2));
    EXPECT_EQ(10'000, fabric.deadline());
    EXPECT_EQ(Ports{}, out(9'999));
    EXPECT_EQ(Ports{2}, out(10'000));
    EXPECT_EQ(-1, fabric.deadline());
    obey("rule slow jitter=50");
    for (int i = 0; i < 50; ++i) fabric.arrive(i, 1, frame(2, kUdp, 5405, 100 + size_t(i)));
    std::vector<size_t> sizes;
    for (int64_t t = 0; t <= 60'000; ++t)
        while (fabric.next(t, last)) sizes.push_back(last.frame.size());
    EXPECT_EQ(50u, sizes.size());
    EXPECT_FALSE(std::is_sorted(sizes.begin(), sizes.end()));
}

TEST_F(FabricTest, LosesDuplicatesAndDamagesAsOftenAsAsked) {
    obey("rule bad drop=0.5");
    for (int i = 0; i < 1000; ++i) fabric.arrive(0, 1, frame(2));
    EXPECT_NEAR(500, double(out(0).size()), 80);
    obey("rule bad duplicate=0.5 corrupt=0.5");
    int same = 0, all = 0;
    for (int i = 0; i < 1000; ++i) {
        fabric.arrive(0, 1, frame(2));
        for (; fabric.next(0, last); ++all) same += last.frame == frame(2);
    }
    EXPECT_NEAR(1500, all, 80);
    EXPECT_NEAR(750, same, 100);
}

TEST_F(FabricTest, QueuesAreBounded) {
    obey("rule slow delay=1000");
    for (size_t i = 0; i < Fabric::kMostFrames + 10; ++i) fabric.arrive(0, 1, frame(2));
    EXPECT_EQ(10u, fabric.counts().overflowed);
    for (int i = 0; i < 200; ++i) fabric.arrive(0, 1, frame(3, kUdp, 5405, 60'000));
    EXPECT_EQ(10u + 200 - Fabric::kMostBytes / 60'000, fabric.counts().overflowed);
    out(1'000'000);
    fabric.arrive(0, 1, frame(2));
    EXPECT_EQ(Ports{2}, out(1'000'000));
}

TEST_F(FabricTest, LaterFragmentsAreCorosyncs) {
    std::string fragment = frame(2, kUdp, 1);
    fragment[21] = 5;
    EXPECT_EQ(Filter::corosync, kind_of(fragment));
    EXPECT_EQ(Filter::all, kind_of(frame(2, kUdp, 53)));
    EXPECT_EQ(Filter::all, kind_of("short"));
}

TEST_F(FabricTest, RefusesWhatItDoesNotKnow) {
    for (const char* line : {"", "rul", "rule", "rule a drop", "rule a drop=2", "rule a drop=x", "rule a filter=udp",
                             "rule a delay=-1", "rule a from=1x", "clear b"})
        EXPECT_EQ(0u, fabric.command(line).find("error")) << line;
    EXPECT_EQ(0u, fabric.command("stats").find("ok in=0"));
}

}  // namespace
}  // namespace assent::fabric
