#include "node.h"

#include <algorithm>

#include "core/verdict_reader.h"
#include "world.h"

namespace assent::sim {

// From the end of a daemon that failed to its next start.
constexpr Span kRestart{100'000, 2'000'000};
// A daemon that reads late reads by then.
constexpr int64_t kSlowestUs = 3'000'000;

// Which descriptor of the daemon brings it: what comes through one keeps its order. A node id is the side channel.
uint32_t source_of(const Event& event) {
    enum : uint32_t { cpg = 1'000, disk, application, timer, clients };
    if (const auto* received = std::get_if<event::Received>(&event))
        return received->by_cpg ? cpg : received->header.from.value;
    if (std::holds_alternative<event::Persisted>(event) || std::holds_alternative<event::EntriesRead>(event))
        return disk;
    if (std::holds_alternative<event::Applied>(event) || std::holds_alternative<event::Opinions>(event) ||
        std::holds_alternative<event::Attached>(event) || std::holds_alternative<event::Application>(event))
        return application;
    // Requests may come by a connection each.
    const auto connection = [](Token token) { return uint32_t(clients + token.value % 64); };
    if (const auto* submit = std::get_if<event::Submit>(&event)) return connection(submit->token);
    if (const auto* read = std::get_if<event::Read>(&event)) return connection(read->token);
    if (const auto* ask = std::get_if<event::AskOutcome>(&event)) return connection(ask->token);
    if (const auto* forget = std::get_if<event::Forget>(&event)) return connection(forget->token);
    if (const auto* move = std::get_if<event::MoveMaster>(&event)) return connection(move->token);
    return std::holds_alternative<event::Tick>(event) ? timer : cpg;
}

Node::Node(World& world, NodeId id, const Options& options, ClockRates rates)
    : world_(world), id_(id), options_(options), rates_(rates),
      disk_(world.schedule(), world.random().next(), id, world.setup().disk, world.setup().segment_bytes, disk_hooks()),
      app_(world.schedule(), world.random(), world.setup().app, world.setup().manners,
           App::Hooks{[this](const Verdict& verdict) { world_.require(world_.cluster().applied(id_, verdict)); },
                      [this](Index upto) { give(event::Applied{upto}); }, [this](Position p) { accepts_.took(p); },
                      [this](event::Opinions said) { give(std::move(said)); },
                      [this](Index index, bool is_state, uint64_t digest) {
                          world_.compare(id_, index, is_state, digest);
                      }}) {
    options_.node = id;
}

Disk::Hooks Node::disk_hooks() {
    return {[this](const Persist& unit) { world_.require(world_.cluster().synced(id_, unit)); },
            [this](PersistSeq upto) { give(event::Persisted{upto}); },
            [this](Disk::End how, const std::string& why) { disk_ended(how, why); }, world_.setup().small_writes};
}

void Node::start() {
    if (running() || refused_) return;
    if (disk_.hangs_for() > 0) return boot_later(disk_.hangs_for());
    ++life_;
    options_.fresh_cluster = ClusterId{world_.random().next() | 1, world_.random().next()};
    options_.random_seed = world_.random().next();
    const Disk::Opening found = disk_.open(LedgerId(world_.random().next() | 1));
    world_.require(found.broken);
    if (!found.open) {
        world_.note("node " + std::to_string(id_.value) + " does not start: " + found.why);
        refused_ = found.refused;
        if (!refused_) boot_later(world_.random().pick(kRestart));
        return;
    }
    options_.incarnation = Incarnation(found.run << 32 | world_.random().next() >> 32);
    const auto& [state, entries, mark] = found.content;
    if (app_.applied().value > entries.size()) world_.fail(Kind::safety, "an application is ahead of its ledger");
    Recovered recovered(options_, state, mark, app_.applied());
    for (const EntryPtr& entry : entries) recovered.add(entry);
    recovered.finish();
    world_.require(world_.cluster().restarted(id_, options_.incarnation, state, entries, mark));
    replica_ = std::make_unique<Replica>(options_, std::move(recovered));
    invariants_ = std::make_unique<Invariants>(options_);
    before_ = replica_->view();
    accepts_.restarted(mark);
    inbox_.clear();
    awake_ = false;
    give(event::Start{});
    give(event::NodeList{world_.nodelist()});
    give(event::Application{!app_.hung()});
    redeliver();
    world_.side().process_up(id_);
    world_.cpg().join(id_);
}

void Node::boot_later(int64_t delay_us) {
    world_.schedule().after(delay_us, [this, life = life_] {
        if (life == life_) world_.boot(id_);
    });
}

void Node::stop() {
    if (end()) disk_.kill();
}

void Node::power_loss() {
    end();
    disk_.power_loss();
}

bool Node::end() {
    ++life_;
    if (!running()) return false;
    replica_.reset();
    inbox_.clear();
    batch_.clear();
    paused_until_ = 0;
    app_.crash();
    world_.cpg().leave(id_);
    world_.side().process_down(id_);
    return true;
}

void Node::disk_ended(Disk::End how, const std::string& why) {
    world_.note("node " + std::to_string(id_.value) + " ends: " + why);
    how == Disk::End::power ? world_.power_off(id_) : stop();
    boot_later(world_.random().pick(kRestart));
}

void Node::wipe() {
    disk_.wipe();
    app_.wipe();
    refused_ = false;
}

void Node::restart_application() {
    app_.crash();
    if (!running()) return;
    std::erase_if(inbox_, [](const Event& e) {
        return std::holds_alternative<event::Opinions>(e) || std::holds_alternative<event::Applied>(e);
    });
    give(event::Attached{app_.applied()});
    redeliver();
}

// What is decided and the application does not have, out of the ledger.
void Node::redeliver() {
    VerdictReader reader(app_.applied());
    VerdictPair handed = replica_->handed();
    for (const EntryPtr& entry : disk_.stored(next(app_.applied()))) reader.add(entry);
    reader.announce({handed.confirm, handed.stored});
    std::vector<Verdict> verdicts = reader.take();
    std::erase_if(verdicts, [&](const Verdict& v) { return v.entry->index > handed.confirm; });
    if (!verdicts.empty()) app_.decide(verdicts);
}

// An answer under way is for what is withdrawn.
void Node::withdraw(Index from) {
    app_.withdraw(from);
    for (std::deque<Event>* events : {&batch_, &inbox_}) {
        for (Event& event : *events) {
            auto* said = std::get_if<event::Opinions>(&event);
            if (!said) continue;
            std::erase_if(said->accepted, [from](Index i) { return i >= from; });
            std::erase_if(said->rejected, [from](const Rejection& r) { return r.index >= from; });
        }
    }
}

void Node::pause(int64_t for_us) {
    end_suspend();
    paused_until_ = world_.schedule().now() + for_us;
    was_paused_ |= for_us > 0;
    awake_ = false;
    if (running()) wake();
}

bool Node::paused() const { return paused_until_ > world_.schedule().now(); }

void Node::suspend(int64_t for_us) {
    pause(for_us);
    suspended_since_ = world_.schedule().now();
}

void Node::end_suspend() {
    if (!suspended_since_) return;
    const int64_t lasted = world_.schedule().now() - suspended_since_;
    suspended_us_ += lasted;
    drifted_in_suspend_us_ += lasted * rates_.raw_ppm / 1'000'000;
    suspended_since_ = 0;
}

int64_t Node::suspended_us() const {
    return suspended_us_ + (suspended_since_ ? world_.schedule().now() - suspended_since_ : 0);
}

void Node::reboot_clock() {
    booted_at_ = world_.schedule().now();
    drifted_us_ = rate_since_ = drifted_in_suspend_us_ = 0;
    suspended_us_ = 0;
    suspended_since_ = 0;
    read_ = Now();
}

int64_t Node::up_us() const { return world_.schedule().now() - booted_at_ + 1'000'000; }

void Node::drift(int64_t raw_ppm) {
    if (suspended_since_) {  // what is over has had its rate
        end_suspend();
        suspended_since_ = world_.schedule().now();
    }
    int64_t awake = up_us() - suspended_us();
    drifted_us_ += (awake - rate_since_) * rates_.raw_ppm / 1'000'000;
    rate_since_ = awake;
    rates_.raw_ppm = raw_ppm;
}

Now Node::clock() const {
    const int64_t suspended = suspended_us();
    int64_t awake = up_us() - suspended;
    int64_t raw = awake + drifted_us_ + (awake - rate_since_) * rates_.raw_ppm / 1'000'000;
    const int64_t not_over = suspended - suspended_us_;
    return Now{raw, suspended + drifted_in_suspend_us_ + not_over * rates_.raw_ppm / 1'000'000};
}

int64_t Node::until_raw(int64_t raw_us) const {
    int64_t left = raw_us - clock().raw_us;
    return std::max<int64_t>(1, left - left * rates_.raw_ppm / 1'000'000 + 1);
}

void Node::give(Event event) {
    if (!running()) return;
    inbox_.push_back(std::move(event));
    wake();
}

void Node::wake() {
    if (awake_) return;
    awake_ = true;
    int64_t delay = std::min(world_.random().pick(world_.setup().process) * slow_, kSlowestUs);
    int64_t stopped = paused_until_ - world_.schedule().now();
    world_.schedule().after(std::max(delay, stopped), [this, life = life_] {
        if (life != life_ || !awake_) return;
        awake_ = false;
        if (paused()) {
            wake();
            return;
        }
        work();
    });
}

void Node::work() {
    end_suspend();
    batch_.swap(inbox_);
    if (batch_.empty()) return;
    if (was_paused_ || world_.random().one_in(4)) shuffle_sources();
    was_paused_ = false;
    while (!batch_.empty()) {
        Event event = std::move(batch_.front());
        batch_.pop_front();
        step(std::move(event));
        if (!running() || world_.failed()) return;
    }
    step(event::Flush{});
}

// Of several descriptors that have something, any may be read first.
void Node::shuffle_sources() {
    if (std::holds_alternative<event::Start>(batch_.front())) return;
    const uint64_t salt = world_.random().next() | 1;
    std::stable_sort(batch_.begin(), batch_.end(), [salt](const Event& a, const Event& b) {
        return (source_of(a) * salt) >> 20 < (source_of(b) * salt) >> 20;
    });
}

void Node::step(Event event) {
    size_t kind = event.index();
    const auto* received = std::get_if<event::Received>(&event);
    if (received && received->by_cpg && received->header.from == id_) world_.cpg().own_read(id_, received->header);
    if (const auto* told = std::get_if<event::Application>(&event)) accepts_.told_healthy(told->healthy);
    const bool grant = received && std::holds_alternative<HeartbeatAnswer>(received->message);
    const Now read = clock();
    if (read.raw_us < read_.raw_us || read.suspended_us < read_.suspended_us)
        world_.fail(Kind::safety, "the simulator's clock went back");
    read_ = read;
    Update update = replica_->step(read, std::move(event));
    world_.stepped(id_, kind, update);
    ReplicaView after = replica_->view();
    world_.require(invariants_->check(before_, after, update));
    world_.require(world_.cluster().stepped(id_, before_, after, update));
    check_further(update);
    if (grant && replica_->is_master()) world_.leased(*this);
    before_ = std::move(after);
    if (!world_.failed()) carry_out(std::move(update));
}

void Node::check_further(const Update& update) {
    if (update.persist && update.persist->truncate_from) accepts_.cut(update.persist->truncate_from);
    if (update.persist && update.persist->mark)
        world_.require(accepts_.marked(*replica_, *update.persist->mark, !options_.accept_at_once));
    for (const Outgoing& out : update.messages) {
        const auto* vote = std::get_if<Vote>(&out.message);
        const auto* request = std::get_if<VoteRequest>(&out.message);
        if (vote && vote->granted) world_.voted(*this, vote->epoch, out.header.to);
        if (request) world_.voted(*this, request->epoch, id_);
        const auto* answer = std::get_if<HeartbeatAnswer>(&out.message);
        if (answer && answer->lease_granted) world_.granted(id_, answer->epoch);
    }
    if (!update.verdicts.empty())
        world_.require(world_.tables().decided(id_, update.verdicts.back().entry->index, replica_->clients()));
}

void Node::carry_out(Update&& update) {
    if (update.persist) disk_.submit(std::move(*update.persist));
    for (Outgoing& out : update.messages) {
        NodeId to = out.header.to;
        auto packet = std::make_shared<const Packet>(Packet{out.header, std::move(out.message)});
        if (out.by_cpg) {
            world_.cpg().send(id_, std::move(packet));
        } else {
            world_.side().send(id_, to, std::move(packet));
        }
    }
    if (update.withdraw_from) withdraw(update.withdraw_from);
    if (!update.prepare.empty()) app_.prepare(update.prepare);
    if (!update.verdicts.empty()) app_.decide(update.verdicts);
    for (const Serve& serve : update.serve) {
        world_.schedule().after(world_.random().pick(world_.setup().read), [this, serve, life = life_] {
            if (life != life_) return;
            auto entries = disk_.read(serve.from, serve.upto, serve.max_bytes);
            if (!entries) return;  // as the daemon: the asker goes to another node
            give(event::EntriesRead{serve.to, serve.id, serve.epoch, serve.previous, std::move(*entries)});
        });
    }
    for (const Answer& answer : update.answers) world_.answered(*this, answer);
    set_timer(update.deadline_us);
}

void Node::set_timer(int64_t deadline_raw_us) {
    ++timer_;
    if (deadline_raw_us == kNever) return;
    world_.schedule().after(until_raw(deadline_raw_us), [this, timer = timer_, life = life_] {
        if (life == life_ && timer == timer_) give(event::Tick{});
    });
}

}  // namespace assent::sim
