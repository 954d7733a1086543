// A group of the daemon with an attached application, and a peer that is played: no corosync, and the disk in memory.
#include "daemon/group.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "ledger/memory_env.h"
#include "run_loop.h"

namespace assent {
namespace {

constexpr uint64_t kSession = 5;

class GroupBench : public testing::Test {
  protected:
    Loop loop_;
    Corosync corosync_{loop_, {}};  // never started
    ledger::FaultEnv env_;
    std::unique_ptr<Group> group_;
    std::vector<pb::ToApplication::Role> roles_;

    void SetUp() override {
        GroupOptions options;
        options.name = "jobs";
        options.state_dir = "/nonexistent/jobs";
        options.attached = true;
        options.node = NodeId(1);
        options.ledger_segment_bytes = 64 << 10;
        GroupPorts ports;
        ports.reply = [](const Origin&, const pb::Reply&) {};
        ports.send = [](NodeId, net::FrameKind, const std::string&) { return true; };
        ports.more = [](uint64_t, uint64_t, const pb::ServerFrame&) {};
        ports.waiting_bytes = [](uint64_t) { return size_t(0); };
        ports.tell = [this](uint64_t session, const pb::ToApplication& message) {
            EXPECT_EQ(session, kSession);
            if (message.has_role()) roles_.push_back(message.role());
        };
        ports.detach = [](uint64_t, pb::Code, const std::string& why) { FAIL() << why; };
        group_ = std::make_unique<Group>(loop_, corosync_, env_, options, std::move(ports));
        net::SessionInfo session;
        session.id = kSession;
        session.uid = ::geteuid();
        pb::AttachReply reply;
        group_->on_attach(session, pb::Attach(), reply);
        ASSERT_EQ(reply.code(), pb::DONE) << reply.reason();
        group_->on_attached(kSession);
    }
    void heartbeat(uint32_t from, uint64_t epoch) {
        wire::Envelope e;
        e.group = "jobs";
        e.header.cluster = {7, 7};
        e.header.from = NodeId(from);
        e.header.ledger = LedgerId(100 + from);
        e.header.incarnation = Incarnation(500 + from);
        e.message = Heartbeat{Epoch(epoch), 1, 0, Position(), {}};
        group_->on_message(std::move(e));
    }
};

// Both in one batch, so that nothing happens in between: the master is the same before and after, and its epoch is not.
TEST_F(GroupBench, AHigherEpochOfTheSameMasterIsToldAsARole) {
    loop_.defer([this] { heartbeat(2, 3); });
    test::run_until(loop_, [this] { return !roles_.empty() && roles_.back().epoch() == 3; });
    roles_.clear();
    loop_.defer([this] {
        heartbeat(2, 4);
        heartbeat(2, 5);
    });
    test::run_until(loop_, [this] { return !roles_.empty() && roles_.back().epoch() == 5; });
    EXPECT_EQ(roles_.size(), 1u);
    EXPECT_FALSE(roles_.back().master());
}

}  // namespace
}  // namespace assent
