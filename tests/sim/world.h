// A whole cluster on virtual time: nodes, corosync, side channel, and who looks on. One seed, one run, bit for bit.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "core/invariants.h"
#include "cpg.h"
#include "node.h"
#include "side.h"

namespace assent::sim {

// How the world behaves while nothing fails on purpose.
struct Setup {
    std::function<void(bool)> small_writes;  // see Disk::Hooks
    uint64_t seed = 1;
    uint32_t nodes = 3;
    std::vector<uint32_t> votes;  // by node from 1; empty: one each
    bool quorate_lies = false;
    Options options;
    int64_t clock_ppm = 22'500;  // raw clocks differ from true time by at most this
    bool clocks_at_bounds = false;
    CpgTimes cpg{{20, 300},        {20, 500}, {100, 50'000}, {100, 80'000}, {100'000, 1'500'000},
                 {5'000, 300'000}, {0, 5'000}};
    SideTimes side{{20, 500}, {1'000, 100'000}, {50'000, 1'000'000}, {100, 50'000}};
    Span disk{100, 5'000};
    uint64_t segment_bytes = 64 << 10;
    Span app{10, 2'000};
    AppManners manners;
    Span process{1, 100};
    Span read{1, 1'000};
    uint64_t atomic_bytes = Outbox::kMaxMessage;  // larger CPG messages are cut into pieces
    bool trace = false;
};

enum class Kind { none, safety, liveness };

class World {
  public:
    explicit World(const Setup& setup);
    ~World();

    const Setup& setup() const { return setup_; }
    Schedule& schedule() { return schedule_; }
    Random& random() { return random_; }  // of nodes and clients; CPG and the side channel have their own
    Cpg& cpg() { return *cpg_; }
    Side& side() { return *side_; }
    ClusterInvariants& cluster() { return cluster_; }
    TableCheck& tables() { return tables_; }
    uint32_t size() const { return setup_.nodes; }
    Node& node(NodeId n) { return *nodes_[n.value - 1]; }
    NodeId any_node() { return NodeId(uint32_t(1 + random_.below(setup_.nodes))); }
    const std::vector<ListedNode>& nodelist() const { return nodelist_; }

    // Faults and their ends. A node's process, corosync and power are one thing after the other.
    void boot(NodeId n);  // power, corosync, daemon
    void power_off(NodeId n);
    void crash_corosync(NodeId n) { cpg_->corosync_down(n, false); }
    void stop_corosync(NodeId n) { cpg_->corosync_stop(n); }
    // The daemon dies, and the others are not told until bury().
    void kill_as_ghost(NodeId n);
    void bury(NodeId n) { cpg_->bury(n); }
    void start_corosync(NodeId n);
    void hang_application(NodeId n, bool on);
    // CPG and side channel: nodes with the same number reach each other.
    void split(const std::vector<uint32_t>& component_of_node);
    void heal();

    // The budget of what is never mended: nodes whose copy is damaged or wiped. They hold less than half of the votes.
    bool may_lose(NodeId n) const;
    void lose(NodeId n) { lost_.insert(n); }
    bool lost(NodeId n) const { return lost_.count(n) != 0; }

    // Until then in virtual time, or until a failure, or until `enough` (asked after everything that happens).
    bool run(int64_t until_us, const std::function<bool()>& enough = nullptr);

    // An answer came out of a node's replica.
    std::function<void(Node&, const Answer&)> answered = [](Node&, const Answer&) {};
    // A decision line, as "node 2: …".
    std::function<void(const std::string&)> decided;

    // An application's state after an index, or its result at it, must be that of the others.
    void compare(NodeId n, Index index, bool is_state, uint64_t digest);
    // R8: nobody votes for another while a master counts its grant.
    void voted(Node& voter, Epoch epoch, NodeId candidate);
    // Nor does a master count a grant of another epoch.
    void granted(NodeId voter, Epoch epoch) { granted_[voter] = std::max(granted_[voter], epoch); }
    void leased(Node& master);
    // The one with the greatest epoch; null: none is.
    Node* master();
    void stepped(NodeId n, size_t event_kind, const Update& update);
    void note(const std::string& line);
    void mix(uint64_t value) { digest_ = (digest_ ^ value) * 0x100000001b3ULL; }
    uint64_t digest() const { return digest_; }
    uint64_t steps() const { return steps_; }

    // Empty: nothing is wrong.
    void require(const std::string& broken) {
        if (!broken.empty()) fail(Kind::safety, broken);
    }
    void fail(Kind kind, const std::string& what);
    bool failed() const { return failure_ != Kind::none; }
    Kind failure() const { return failure_; }
    const std::string& what() const { return what_; }
    const std::deque<std::string>& last_lines() const { return lines_; }

  private:
    Setup setup_;
    Schedule schedule_;
    Random random_;
    Random cpg_random_;
    Random side_random_;
    ClusterInvariants cluster_;
    TableCheck tables_;
    std::vector<ListedNode> nodelist_;
    std::unique_ptr<Cpg> cpg_;
    std::unique_ptr<Side> side_;
    std::vector<std::unique_ptr<Node>> nodes_;
    std::set<NodeId> lost_;
    std::map<NodeId, Epoch> granted_;
    uint64_t digest_ = 0xcbf29ce484222325ULL;
    uint64_t steps_ = 0;
    Kind failure_ = Kind::none;
    std::string what_;
    std::map<std::pair<Index, bool>, uint64_t> digests_;  // see compare()
    std::deque<std::string> lines_;
};

}  // namespace assent::sim
