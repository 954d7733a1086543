#include "run.h"

#include <algorithm>

#include "clients.h"
#include "nemesis.h"

namespace assent::sim {
namespace {

// Virtual time that everything pending may take once nothing fails any more.
constexpr int64_t kRecoveryUs = 60'000'000;
constexpr uint64_t kStepsAtMost = 3'000'000;

template <typename T> T choose(Random& random, std::initializer_list<T> of) {
    return *(of.begin() + random.below(of.size()));
}

// Bounds small enough that the rare branches are taken.
Options random_options(Random& random) {
    Options o;
    o.lease_us = choose<int64_t>(random, {300'000, 300'000, 100'000, 0});
    o.ack_by_cpg = random.one_in(8);
    o.batch_bytes = choose<uint64_t>(random, {48 << 10, 1'000, 300});
    o.proposals_in_flight = choose<uint32_t>(random, {4, 1, 16});
    o.cpg_entry_bytes = choose<uint64_t>(random, {128 << 10, 2'000});
    o.undecided_bytes = choose<uint64_t>(random, {32 << 20, 10'000, 1'000});
    o.queue_bytes = choose<uint64_t>(random, {16 << 20, 10'000});
    o.tail_bytes = choose<uint64_t>(random, {64 << 20, 50'000});
    o.fetch_bytes = choose<uint64_t>(random, {1 << 20, 4'000});
    o.max_clients = choose<uint32_t>(random, {65'536, 65'536, 3});
    o.max_outcomes = choose<uint32_t>(random, {4'096, 4'096, 3});
    return o;
}

Setup random_setup(const RunOptions& options, Random& random) {
    Setup s;
    s.seed = options.seed;
    s.nodes = choose<uint32_t>(random, {3, 3, 3, 3, 5, 5, 1, 2, 4, 6, 7});
    if (options.nodes) s.nodes = options.nodes;
    if (random.one_in(6)) {
        for (uint32_t n = 0; n < s.nodes; ++n) s.votes.push_back(n == 0 ? 1 : uint32_t(random.below(3)));
    }
    s.quorate_lies = random.one_in(4);
    s.options = random_options(random);
    s.options.accept_at_once = !options.attached;
    if (random.one_in(4)) s.disk = {1'000, 60'000};
    if (random.one_in(4)) s.cpg.deliver = {100, 30'000};
    if (random.one_in(4)) s.side.deliver = {100, 60'000};
    if (random.one_in(4)) s.cpg.quorum = {100, 6'000'000};
    if (random.one_in(8)) s.process = {1, 20'000};
    s.trace = options.trace;
    return s;
}

ClientsSetup random_clients(const Setup& setup, Random& random) {
    ClientsSetup c;
    c.clients = uint32_t(random.between(1, 8));
    c.window = uint32_t(random.between(1, 4));
    c.think.max_us = random.one_in(3) ? 20'000 : 300'000;
    c.table_forgets = setup.options.max_clients < 100 || setup.options.max_outcomes < 100;
    return c;
}

class Run {
  public:
    explicit Run(const RunOptions& options)
        : options_(options), random_(options.seed ^ 0x5eed), setup_(random_setup(options, random_)), world_(setup_),
          clients_(world_, random_clients(setup_, random_)), nemesis_(world_) {}

    RunResult go() {
        faults();
        if (!world_.failed()) recovery();
        clients_.check_cancelled();
        RunResult r;
        r.failure = world_.failure();
        r.what = world_.what();
        r.lines = world_.last_lines();
        r.digest = world_.digest();
        r.steps = world_.steps();
        r.decided = world_.cluster().decided().value;
        r.confirmed = clients_.confirmed();
        r.cancelled = clients_.cancelled();
        r.unknown = clients_.unknown();
        r.reads = clients_.reads();
        r.simulated_us = world_.schedule().now();
        return r;
    }

  private:
    void faults() {
        for (uint32_t n = 1; n <= world_.size(); ++n) {
            world_.schedule().after(random_.between(0, 500'000), [this, n] { world_.boot(NodeId(n)); });
        }
        clients_.start();
        // One run in five has faults from the first moment on.
        if (!random_.one_in(5)) world_.run(5'000'000, [this] { return world_.cluster().decided().value > 1; });
        nemesis_.start();
        int64_t lasts = options_.faults_us ? options_.faults_us : random_.between(2'000'000, 30'000'000);
        world_.run(world_.schedule().now() + lasts, [this] { return too_busy(); });
    }

    bool too_busy() {
        if (world_.steps() > kStepsAtMost) world_.fail(Kind::liveness, "the nodes are busy with nothing");
        return false;
    }

    // Nodes that stay off: never so many that no majority of votes is left.
    std::vector<NodeId> minority() {
        std::vector<NodeId> off;
        if (!world_.cluster().decided()) return off;  // the founding needs everybody
        uint64_t all = 0;
        for (const ListedNode& n : world_.nodelist()) all += n.votes;
        uint64_t gone = 0;
        for (uint32_t tries = uint32_t(random_.below(world_.size() + 1)); tries > 0; --tries) {
            NodeId n = world_.any_node();
            uint32_t votes = world_.nodelist()[n.value - 1].votes;
            if (std::find(off.begin(), off.end(), n) != off.end()) continue;
            if (2 * (all - gone - votes) <= all) continue;
            gone += votes;
            off.push_back(n);
        }
        return off;
    }

    void recovery() {
        off_ = minority();
        nemesis_.stop(off_);
        clients_.stop();
        int64_t limit = world_.schedule().now() + kRecoveryUs;
        auto busy = [this] { return too_busy(), !world_.failed() && clients_.quiet() && has_master(); };
        if (!world_.run(limit, busy)) {
            give_up("operations are still pending or there is no master:" + clients_.pending());
            return;
        }
        clients_.write_one();
        if (!world_.run(limit, [this] { return clients_.quiet(); })) {
            give_up("a new write is not confirmed:" + clients_.pending());
            return;
        }
        Index newest = clients_.newest();
        if (!world_.run(limit, [this, newest] { return all_applied(newest); })) {
            give_up("not every node has applied " + std::to_string(newest.value));
        }
    }

    void give_up(const std::string& what) { world_.fail(Kind::liveness, what + nodes()); }

    bool on(NodeId n) const { return std::find(off_.begin(), off_.end(), n) == off_.end(); }

    bool has_master() {
        for (uint32_t n = 1; n <= world_.size(); ++n) {
            if (on(NodeId(n)) && world_.node(NodeId(n)).replica().is_master()) return true;
        }
        return false;
    }

    bool all_applied(Index upto) {
        for (uint32_t n = 1; n <= world_.size(); ++n) {
            if (on(NodeId(n)) && world_.node(NodeId(n)).app().applied() < upto) return false;
        }
        return true;
    }

    std::string nodes() {
        std::string all;
        for (uint32_t n = 1; n <= world_.size(); ++n) {
            if (!on(NodeId(n))) continue;
            ReplicaView v = world_.node(NodeId(n)).view();
            all += "\n    node " + std::to_string(n) + ": role " + std::to_string(int(v.role)) + " ballot " +
                   std::to_string(v.state.ballot.value) + " master " + std::to_string(v.master.value) + " last " +
                   text(v.last) + " durable " + std::to_string(v.durable.value) + " matched " +
                   std::to_string(v.matched.value) + " mark " + std::to_string(v.mark.value) + " stored " +
                   std::to_string(v.stored.value) + " confirmed " + std::to_string(v.confirmed.value) + " applied " +
                   std::to_string(v.applied.value) + " view of " + std::to_string(v.members.size()) +
                   (v.quorate ? " quorate " : " not quorate ") + v.reason;
        }
        return all;
    }

    RunOptions options_;
    Random random_;
    Setup setup_;
    World world_;
    Clients clients_;
    Nemesis nemesis_;
    std::vector<NodeId> off_;
};

}  // namespace

RunResult run_once(const RunOptions& options) { return Run(options).go(); }

}  // namespace assent::sim
