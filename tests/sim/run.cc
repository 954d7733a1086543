#include "run.h"

#include <algorithm>
#include <ctime>

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
    s.seed = options.seed ^ (options.salt << 40);
    s.nodes = choose<uint32_t>(random, {3, 3, 3, 3, 5, 5, 1, 2, 4, 6, 7});
    if (options.nodes) s.nodes = options.nodes;
    if (random.one_in(6)) {
        for (uint32_t n = 0; n < s.nodes; ++n) s.votes.push_back(n == 0 ? 1 : uint32_t(random.below(3)));
    }
    s.quorate_lies = random.one_in(4);
    s.options = random_options(random);
    s.options.accept_at_once = !options.attached && !random.one_in(3);
    if (!s.options.accept_at_once) {
        s.manners.has_rules = random.one_in(2);
        s.manners.moody_permille = choose<uint32_t>(random, {0, 0, 30, 300});
        s.manners.late_permille = choose<uint32_t>(random, {0, 100, 600});
    }
    if (random.one_in(4)) s.disk = {1'000, 60'000};
    s.segment_bytes = choose<uint64_t>(random, {4'096, 8'192, 64 << 10});
    if (random.one_in(4)) s.cpg.deliver = {100, 30'000};
    if (random.one_in(4)) s.side.deliver = {100, 60'000};
    if (random.one_in(4)) s.cpg.quorum = {100, 6'000'000};
    if (random.one_in(8)) s.process = {1, 20'000};
    if (random.one_in(8)) s.atomic_bytes = 500;
    s.clocks_at_bounds = random.one_in(3);
    s.trace = options.trace;
    s.small_writes = Rare::small_writes;
    return s;
}

ClientsSetup random_clients(const RunOptions& options, const Setup& setup, Random& random) {
    ClientsSetup c;
    c.clients = uint32_t(random.between(1, 8));
    if (options.clients) c.clients = options.clients;
    c.window = uint32_t(random.between(1, 4));
    c.think.max_us = random.one_in(3) ? 20'000 : 300'000;
    c.roaming_permille = choose<uint32_t>(random, {0, 100, 500});
    c.late_permille = choose<uint32_t>(random, {0, 10, 50});
    if (random.one_in(6)) {
        c.uniform_bytes = uniform_request_bytes();
        c.big_permille = 0;
    }
    c.table_forgets = setup.options.max_clients < 100 || setup.options.max_outcomes < 100;
    return c;
}

int64_t faults_last(const RunOptions& options, Random& random) {
    int64_t by_seed = random.between(2'000'000, 30'000'000);
    return options.faults_us ? options.faults_us : by_seed;
}

uint64_t cpu_us() {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return uint64_t(t.tv_sec) * 1'000'000 + uint64_t(t.tv_nsec) / 1'000;
}

const std::deque<std::string>* running_lines = nullptr;

class Run {
  public:
    explicit Run(const RunOptions& options)
        : options_(options), random_(options.seed ^ 0x5eed), rare_(options.seed),
          setup_(random_setup(options, random_)), world_(setup_),
          clients_setup_(random_clients(options, setup_, random_)), clients_(world_, clients_setup_),
          early_(random_.one_in(4)), faults_us_(faults_last(options, random_)), nemesis_(world_, strikes()) {
        running_lines = &world_.last_lines();
    }
    ~Run() { running_lines = nullptr; }
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

    RunResult go() {
        uint64_t cpu = cpu_us();
        faults();
        if (!world_.failed()) recovery();
        clients_.check_history();
        RunResult r;
        r.failure = world_.failure();
        r.what = world_.what();
        r.lines = world_.last_lines();
        r.digest = world_.digest();
        r.rare = rare_.counts();
        r.counts.runs = 1;
        r.counts.steps = world_.steps();
        r.counts.decided = world_.cluster().decided().value;
        r.counts.confirmed = clients_.confirmed();
        r.counts.cancelled = clients_.cancelled();
        r.counts.unknown = clients_.unknown();
        r.counts.reads = clients_.reads();
        r.counts.simulated_us = uint64_t(world_.schedule().now());
        r.counts.strikes = nemesis_.counts();
        r.counts.cpu_us = cpu_us() - cpu;
        r.faults_us = std::min(faults_us_, world_.schedule().now() - faults_from_ + 1);
        r.clients = clients_setup_.clients;
        r.nodes = setup_.nodes;
        for (const Strike& s : strikes()) {
            if (s.at_us < r.faults_us) r.struck.push_back(s.number);
        }
        return r;
    }

  private:
    std::vector<Strike> strikes() const {
        std::vector<Strike> all = draw_strikes(options_.seed, setup_.nodes, faults_us_);
        if (options_.all_strikes) return all;
        auto left_out = [this](const Strike& s) {
            return !std::binary_search(options_.strikes.begin(), options_.strikes.end(), s.number);
        };
        all.erase(std::remove_if(all.begin(), all.end(), left_out), all.end());
        return all;
    }

    void faults() {
        for (uint32_t n = 1; n <= world_.size(); ++n) {
            world_.schedule().after(random_.between(0, 500'000), [this, n] { world_.boot(NodeId(n)); });
        }
        clients_.start();
        // The founding is a moment that strikes hardly ever meet.
        if (early_ && random_.one_in(3)) founding_cut_short();
        // Some runs have faults from the first moment on.
        if (!early_) world_.run(5'000'000, [this] { return world_.cluster().decided().value > 1; });
        faults_from_ = world_.schedule().now();
        nemesis_.start();
        world_.run(faults_from_ + faults_us_, [this] { return too_busy(); });
    }

    void founding_cut_short() {
        Disk& disk = world_.node(random_.one_in(2) ? NodeId(1) : world_.any_node()).disk();
        disk.end_at(uint64_t(random_.between(1, 40)), Disk::End::power);
        if (random_.one_in(2)) return;
        disk.slow_down(uint64_t(random_.between(5, 100)));
        world_.schedule().after(3'000'000, [&disk] { disk.slow_down(1); });
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
        for (const ListedNode& n : world_.nodelist()) gone += world_.lost(n.node) ? n.votes : 0;
        for (uint32_t tries = uint32_t(random_.below(world_.size() + 1)); tries > 0; --tries) {
            NodeId n(uint32_t(1 + random_.below(world_.size())));
            uint32_t votes = world_.nodelist()[n.value - 1].votes;
            if (std::find(off.begin(), off.end(), n) != off.end() || world_.lost(n)) continue;
            if (2 * (all - gone - votes) <= all) continue;
            gone += votes;
            off.push_back(n);
        }
        return off;
    }

    void recovery() {
        std::vector<NodeId> off = minority();
        for (uint32_t n = 1; n <= world_.size(); ++n) {
            if (world_.lost(NodeId(n))) continue;  // it may be on, but nothing is expected of it
            if (std::find(off.begin(), off.end(), NodeId(n)) == off.end()) on_.push_back(NodeId(n));
        }
        nemesis_.stop(off);
        clients_.stop();
        limit_ = world_.schedule().now() + kRecoveryUs;
        if (!comes_about([this] { return clients_.quiet() && has_master(); })) {
            give_up("operations are still pending or there is no master:" + clients_.pending());
            return;
        }
        clients_.write_one();
        if (!comes_about([this] { return clients_.quiet(); })) {
            give_up("a new write is not confirmed:" + clients_.pending());
            return;
        }
        if (!comes_about([this] { return all_at_the_end(); })) {
            give_up("not every node has applied all entries, up to " +
                    std::to_string(world_.cluster().decided().value));
            return;
        }
        for (NodeId n : on_) compare(n);
    }

    bool comes_about(const std::function<bool()>& what) {
        return world_.run(limit_, [this, &what] { return too_busy(), !world_.failed() && what(); });
    }

    void give_up(const std::string& what) { world_.fail(Kind::liveness, what + nodes()); }

    // Of one of which nothing is expected it is as good.
    bool has_master() {
        return std::any_of(world_.nodelist().begin(), world_.nodelist().end(), [this](const ListedNode& listed) {
            Node& node = world_.node(listed.node);
            return node.running() && node.replica().is_master();
        });
    }

    bool all_at_the_end() {
        Index end = world_.cluster().decided();
        return std::all_of(on_.begin(), on_.end(), [this, end](NodeId n) {
            Node& node = world_.node(n);
            return node.running() && node.app().applied() == end && node.replica().view().last.index == end;
        });
    }

    // Ledger and application of a node that has everything, with what was decided and with another node's.
    void compare(NodeId n) {
        std::string node = "node " + std::to_string(n.value);
        std::vector<EntryPtr> entries = world_.node(n).disk().stored(Index(1));
        world_.require(entries.size() == world_.cluster().decided().value ? ""
                                                                          : "I3: the ledger of " + node + " is short");
        for (size_t i = 0; i < entries.size() && !world_.failed(); ++i) {
            if (same_entry(*entries[i], *world_.cluster().decided(Index(i + 1)))) continue;
            world_.require("I3: the ledger of " + node + " has another entry than was decided at " +
                           std::to_string(i + 1));
        }
        for (int key = 0; key < 5; ++key) {
            std::string k = "k" + std::to_string(key);
            AppValue here = world_.node(n).app().get(k);
            AppValue there = world_.node(on_.front()).app().get(k);
            if (here.value == there.value && here.written == there.written) continue;
            world_.require("I7: the application of " + node + " has another value for " + k + " than that of node " +
                           std::to_string(on_.front().value));
        }
    }

    std::string nodes() {
        std::string all;
        for (NodeId n : on_) {
            if (!world_.node(n).running()) {
                all += "\n    node " + std::to_string(n.value) + " is down";
                continue;
            }
            ReplicaView v = world_.node(n).view();
            all += "\n    node " + std::to_string(n.value) + ": role " + std::to_string(int(v.role)) + " ballot " +
                   std::to_string(v.state.ballot.value) + " master " + std::to_string(v.master.value) + " last " +
                   text(v.last) + " durable " + std::to_string(v.durable.value) + " matched " +
                   std::to_string(v.matched.value) + " mark " + std::to_string(v.mark.value) + " stored " +
                   std::to_string(v.stored.value) + " confirmed " + std::to_string(v.confirmed.value) + " applied " +
                   std::to_string(v.applied.value) + " view of " + std::to_string(v.members.size()) +
                   (v.quorate ? " quorate " : " not quorate ") + v.reason;
        }
        return all;
    }

    const RunOptions options_;
    Random random_;  // decides what the run is like, never how it goes on
    Rare rare_;
    const Setup setup_;
    World world_;
    const ClientsSetup clients_setup_;
    Clients clients_;
    const bool early_;
    const int64_t faults_us_;
    Nemesis nemesis_;
    int64_t faults_from_ = 0;
    int64_t limit_ = 0;
    std::vector<NodeId> on_;  // while nothing fails any more
};

}  // namespace

void Counts::add(const Counts& other) {
    runs += other.runs;
    steps += other.steps;
    decided += other.decided;
    confirmed += other.confirmed;
    cancelled += other.cancelled;
    unknown += other.unknown;
    reads += other.reads;
    simulated_us += other.simulated_us;
    cpu_us += other.cpu_us;
    for (size_t i = 0; i < strikes.size(); ++i) strikes[i] += other.strikes[i];
}

RunResult run_once(const RunOptions& options) { return Run(options).go(); }

const std::deque<std::string>* lines_so_far() { return running_lines; }

}  // namespace assent::sim
