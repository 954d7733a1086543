#include "daemon/group.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <random>

#ifdef ASSENT_WITH_ROCKSDB
#include "app/kv/kv.h"
#endif
#include "app/built_in.h"
#include "base/clock.h"
#include "base/log.h"

namespace assent {

namespace {

constexpr uint64_t kMostSnapshotMs = 86'400'000;

uint64_t random_u64() {
    std::random_device device;
    uint64_t value = 0;
    while (value == 0) value = (static_cast<uint64_t>(device()) << 32) | device();
    return value;
}

std::unique_ptr<Application> open_application([[maybe_unused]] const std::string& store, const GroupOptions& options) {
#ifdef ASSENT_WITH_ROCKSDB
    kv::KvOptions kv_options;
    kv_options.dir = store;
    kv_options.max_write_bytes = options.max_write_bytes;
    return std::make_unique<kv::Kv>(kv_options);
#else
    throw Failure("group " + options.name +
                      ": this assentd was built without the kv application (configure --without-rocksdb)",
                  78);
#endif
}

// What the application's store must have in common with the ledger beside it.
void check_store(const Application& application, const std::string& store, const GroupOptions& options,
                 const ledger::Opened& opened) {
    const Index applied = application.durable_applied();
    if (applied > opened.last.index) {
        throw Failure("group " + options.name + ": the application's store in " + store + " has applied index " +
                      std::to_string(applied.value) + ", but the ledger in " + options.state_dir + " ends at " +
                      std::to_string(opened.last.index.value) +
                      ": they do not belong together. If the ledger was lost, move the folder " + store +
                      " away as well; this node then gets everything from the others");
    }
    if (application.cluster() && opened.state.cluster && application.cluster() != opened.state.cluster) {
        throw Failure("group " + options.name + ": the application's store in " + store +
                      " belongs to another cluster than the ledger in " + options.state_dir +
                      ": move that folder away; this node then applies everything again");
    }
}

}  // namespace

Group::Group(Loop& loop, Corosync& corosync, ledger::Env& env, const GroupOptions& options, GroupPorts ports)
    : loop_(loop), options_(options), ports_(std::move(ports)), random_state_(random_u64()) {
    const std::string store = options_.state_dir + "/kv";
    std::unique_ptr<Application> built_in;
    if (!options_.attached) built_in = open_application(store, options_);

    ledger::LedgerOptions ledger_options;
    ledger_options.dir = options_.state_dir;
    ledger_options.segment_bytes = options_.ledger_segment_bytes;
    ledger_options.node = options_.node;
    ledger_options.fresh_ledger = LedgerId(random_u64());
    ledger::Opened opened;
    ledger_ = ledger::Ledger::open(env, ledger_options, opened);
    if (opened.torn_bytes) {
        ASSENT_NOTICE("group %s: cut %llu bytes of an unfinished last record off the ledger", name().c_str(),
                      static_cast<unsigned long long>(opened.torn_bytes));
    }
    if (built_in) check_store(*built_in, store, options_, opened);

    Options core = options_.core;
    core.node = options_.node;
    core.incarnation = Incarnation(opened.run << 32 | random_u64() >> 32);
    core.fresh_cluster = {random_u64(), random_u64()};
    core.random_seed = random_u64();
    core.accept_at_once = !options_.attached;
    // An attached application says later what it has applied.
    const Index applied = built_in ? built_in->durable_applied() : Index();
    Recovered recovered(core, opened.state, opened.mark, applied);
    ledger_->for_each([&](const EntryPtr& e) { recovered.add(e); });
    recovered.finish();
    replica_ = std::make_unique<Replica>(core, std::move(recovered));
    last_ballot_ = opened.state.ballot;
    requests_ = std::make_unique<Requests>(options_.node, name(), options_.request_timeout_us, request_hooks());
    watches_ = std::make_unique<Watches>(replica_->handed(), WatchOptions(), watch_hooks());
    if (built_in) {
        host_ = std::make_unique<BuiltIn>(
            loop_, std::move(built_in), options_.core.master_timeout_us, [this] { return replica_->handed(); },
            host_hooks(), ledger_reader());
    } else {
        make_attached();
    }

    loop_.add_fd(ledger_->event_fd(), Priority::high, EPOLLIN, [this](uint32_t) { on_ledger(); });
    hook_ = loop_.on_batch_end([this] { on_batch_end(); });
    post(event::Start{});

    CpgCallbacks cpg;
    cpg.on_view = [this](const CpgView& v) { run(event::View{v.ring, v.members}); };
    cpg.on_message = [this](NodeId, std::string_view bytes) {
        Result<wire::Envelope> envelope = wire::decode_message(bytes);
        if (!envelope) {
            ASSENT_WARNING("group %s: a CPG message was dropped: %s", name().c_str(), envelope.error().c_str());
        } else if (envelope->group == name()) {
            run(event::Received{envelope->header, std::move(envelope->message), true});
        }
    };
    cpg.on_lost = [this] { run(event::CpgLost{}); };
    cpg_ = &corosync.join(name(), std::move(cpg));
    watch();
}

Group::~Group() {
    loop_.cancel(timer_);
    loop_.cancel(tick_timer_);
    loop_.cancel(watch_timer_);
    loop_.remove_hook(hook_);
    loop_.del_fd(ledger_->event_fd());
}

// ---- events for the core, updates from it

// For callers inside an update: the event is carried out when that is done.
void Group::post(Event event) { events_.push_back(std::move(event)); }

void Group::run(Event event) {
    post(std::move(event));
    drain();
}

void Group::drain() {
    if (draining_) return;
    draining_ = true;
    while (!events_.empty()) {
        Event event = std::move(events_.front());
        events_.pop_front();
#ifdef ASSENT_CHECK_INVARIANTS
        ReplicaView before = view();
        Update update = replica_->step(clock_now(), std::move(event));
        std::string broken = invariants_.check(before, view(), update);
        if (!broken.empty()) {
            ASSENT_ERROR("group %s: %s: this is a fault of assentd; it ends before it does harm", name().c_str(),
                         broken.c_str());
            log_close();
            abort();
        }
        perform(std::move(update));
#else
        perform(replica_->step(clock_now(), std::move(event)));
#endif
    }
    draining_ = false;
    dirty_ = true;
}

void Group::perform(Update&& u) {
    const Epoch ballot = u.persist && u.persist->state ? u.persist->state->ballot : last_ballot_;
    if (u.persist) ledger_->submit(std::move(*u.persist));
    for (Outgoing& out : u.messages) send(std::move(out));
    if (u.withdraw_from) host_->withdraw(u.withdraw_from);
    if (!u.prepare.empty()) host_->prepare(std::move(u.prepare));
    if (!u.verdicts.empty()) {
        watches_->add(u.verdicts, replica_->handed());
        host_->decided(std::move(u.verdicts));
    }
    for (const Serve& s : u.serve) serve(s);
    for (const std::string& line : u.decisions) ASSENT_NOTICE("group %s: %s", name().c_str(), line.c_str());
    for (const Answer& a : u.answers) requests_->on_answer(a, raw_now_us());
    arm(u.deadline_us);
    note_master(ballot);
}

// The same master in a higher epoch is another mastership: the application is told.
void Group::note_master(Epoch ballot) {
    const NodeId master = replica_->master();
    const bool here = replica_->is_master();
    if (master == last_master_ && here == was_master_ && ballot == last_ballot_) return;
    last_master_ = master;
    was_master_ = here;
    last_ballot_ = ballot;
    on_master_change();
}

void Group::send(Outgoing&& out) {
    std::string bytes = wire::encode_message(name(), out.header, out.message);
    if (out.by_cpg) {
        cpg_->send(std::move(bytes));
    } else {
        ports_.send(out.header.to, net::FrameKind::message, std::move(bytes));
    }
}

void Group::serve(const Serve& s) {
    auto entries = ledger_->read(s.from, s.upto, s.max_bytes);
    if (!entries) {
        ASSENT_ERROR("group %s: entries from %llu on, wanted by node %u, cannot be read: %s", name().c_str(),
                     static_cast<unsigned long long>(s.from.value), s.to.value, entries.error().c_str());
        return;
    }
    post(event::EntriesRead{s.to, s.id, s.epoch, s.previous, std::move(*entries)});
}

void Group::arm(int64_t deadline_us) {
    if (deadline_us == armed_us_) return;
    loop_.cancel(timer_);
    timer_ = 0;
    armed_us_ = deadline_us;
    if (deadline_us == kNever) return;
    timer_ = loop_.timer_once(deadline_us - raw_now_us(), [this] {
        timer_ = 0;
        armed_us_ = kNever;
        run(event::Tick{});
    });
}

// What the batch collected goes out: proposals, and with them everything that waits for company.
void Group::on_batch_end() {
    watches_->flush();
    host_->flush();
    if (!events_.empty()) drain();
    if (!dirty_) return;
    run(event::Flush{});
    dirty_ = false;
    host_->flush();
    watches_->flush();
    if (dirty_) loop_.defer([] {});  // that goes out with the next batch, which is to come at once
    if (requests_->busy() && !tick_timer_) {
        tick_timer_ = loop_.timer_once(Requests::kTickUs, [this] {
            tick_timer_ = 0;
            requests_->tick(raw_now_us());
            dirty_ = true;
        });
    }
}

// ---- completions

void Group::on_ledger() {
    PersistSeq upto = ledger_->completed();
    if (upto) run(event::Persisted{upto});
}

void Group::watch() {
    host_->tick(raw_now_us());
    watches_->tick();
    if (leaving_ && !replica_->is_master()) std::exchange(leaving_, nullptr)();
    watch_timer_ = loop_.timer_once(Host::kTickUs, [this] { watch(); });
}

void Group::on_master_change() {
    if (attached_) attached_->set_role(was_master_, last_ballot_);
    requests_->on_surroundings(raw_now_us());
}

// ---- from the daemon

void Group::on_nodelist(const Cluster& cluster) {
    cluster_ = cluster;
    event::NodeList list;
    for (const Node& n : cluster.nodes) list.nodes.push_back({n.id, n.votes});
    run(std::move(list));
}

void Group::on_quorum(bool quorate) { run(event::Quorum{quorate}); }

void Group::on_links(const std::vector<NodeId>& up) {
    std::vector<NodeId> gone;
    std::set_difference(links_.begin(), links_.end(), up.begin(), up.end(), std::back_inserter(gone));
    std::vector<NodeId> come;
    std::set_difference(up.begin(), up.end(), links_.begin(), links_.end(), std::back_inserter(come));
    links_ = up;
    run(event::Links{up});
    if (digests_) digests_->tell(come);
    for (NodeId n : gone) requests_->on_link_down(n, raw_now_us());
    requests_->on_surroundings(raw_now_us());
    dirty_ = true;
}

void Group::on_message(wire::Envelope&& envelope) {
    run(event::Received{envelope.header, std::move(envelope.message), false});
}

void Group::on_forwarded(NodeId from, const pb::Forwarded& forwarded) {
    if (forwarded.digests_size()) {
        if (digests_) digests_->heard(from, forwarded);
        return;
    }
    requests_->on_forwarded(from, forwarded, raw_now_us());
    dirty_ = true;
}

void Group::on_request(uint64_t session, pb::Request&& request) {
    if (request.has_watch()) return watches_->begin(session, request);
    if (request.has_snapshot_save() || request.has_snapshot_restore()) return on_snapshot_request(session, request);
    uint64_t id = request.id();
    requests_->submit({Origin::Kind::client, session, id}, std::move(request), raw_now_us());
    dirty_ = true;
}

void Group::on_snapshot_request(uint64_t session, const pb::Request& request) {
    if (!attached_) {
        pb::Reply reply;
        reply.set_id(request.id());
        reply.set_code(pb::BAD_CONFIGURATION);
        reply.set_reason("snapshots are of attached applications, and that of group " + name() + " is built in");
        ports_.reply({Origin::Kind::client, session, request.id()}, reply);
        return;
    }
    const int64_t limit = request.deadline_ms()
                              ? int64_t(std::min<uint64_t>(request.deadline_ms(), kMostSnapshotMs)) * 1000
                              : options_.request_timeout_us;
    const attached::Snapshots::Client client{session, request.id(), raw_now_us() + limit};
    if (request.has_snapshot_save()) {
        attached_->save_snapshot(client);
    } else {
        const pb::SnapshotRestoreRequest& r = request.snapshot_restore();
        attached_->restore_snapshot(client, {Index(r.index()), r.bytes(), {r.cluster_high(), r.cluster_low()}});
    }
}

void Group::on_more(uint64_t session, const pb::ClientFrame& frame) {
    if (frame.has_watch_taken()) watches_->taken(session, frame.watch_taken());
    if (frame.has_watch_stop()) watches_->stop(session, frame.watch_stop());
    if (attached_) attached_->from_client(session, frame);
}

void Group::on_session_closed(uint64_t session) {
    watches_->on_session_closed(session);
    if (attached_) {
        attached_->closed(session);
        attached_->client_gone(session);
    }
    requests_->on_session_closed(session);
}

void Group::leave(std::function<void()> done) {
    leaving_ = std::move(done);
    if (replica_->is_master()) run(event::MoveMaster{Token(), NodeId()});
    if (leaving_ && !replica_->is_master()) std::exchange(leaving_, nullptr)();
}

// 64 bits of a counter run through a mixer (splitmix64), begun at a random place: enough not to meet another client.
ClientId Group::fresh_client() {
    random_state_ += 0x9e3779b97f4a7c15ULL;
    uint64_t z = random_state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    z ^= z >> 31;
    return {replica_->confirmed(), z ? z : 1};
}

RequestHooks Group::request_hooks() {
    RequestHooks h;
    h.event = [this](Event e) { post(std::move(e)); };
    h.reply = ports_.reply;
    h.forward = [this](NodeId to, const std::string& bytes) { return ports_.send(to, net::FrameKind::forward, bytes); };
    h.query = [this](uint64_t key, const std::string& query) {
        host_->query(Token(key), replica_->applied(), query);
        dirty_ = true;
    };
    h.result_of = [this](uint64_t key, Index index) {
        host_->result_of(Token(key), index);
        dirty_ = true;
    };
    h.forget = [this](uint64_t key) { host_->forget(Token(key)); };
    h.now_us = raw_now_us;
    h.status_json = [this](bool members_only) { return status_json(members_only); };
    h.master_here = [this] { return replica_->is_master(); };
    h.master = [this] { return replica_->master(); };
    h.view = [this] { return view(); };
    h.applied = [this] { return replica_->applied(); };
    h.fresh_client = [this] { return fresh_client(); };
    h.check_write = [this](const std::string& data) { return host_->check_write(data); };
    return h;
}

LedgerPieces::ReadFn Group::ledger_reader() {
    return [this](Index from, Index upto, uint64_t max_bytes) { return ledger_->read(from, upto, max_bytes); };
}

WatchHooks Group::watch_hooks() {
    WatchHooks h;
    h.send = [this](uint64_t session, pb::Watched&& watched) {
        pb::ServerFrame frame;
        *frame.mutable_watched() = std::move(watched);
        ports_.more(session, frame.watched().id(), frame);
    };
    h.reply = [this](uint64_t session, const pb::Reply& reply) {
        ports_.reply({Origin::Kind::client, session, reply.id()}, reply);
    };
    h.waiting_bytes = ports_.waiting_bytes;
    h.first = [this] { return replica_->view().last.index ? Index(1) : Index(); };
    h.durable = [this] { return replica_->view().durable; };
    h.read = ledger_reader();
    h.post = [this](std::function<void()> fn) { loop_.post(std::move(fn)); };
    h.again = [this] { loop_.defer([] {}); };
    return h;
}

// ---- the application

HostHooks Group::host_hooks() {
    HostHooks h;
    h.event = [this](Event e) { run(std::move(e)); };
    h.applied = [this](Index upto, const std::vector<AppliedResult>& results) {
        requests_->on_applied(upto, results);
        dirty_ = true;
    };
    h.answered = [this](Token token, const Result<std::string>& answer, Index applied) {
        requests_->on_application(token.value, answer, applied);
        dirty_ = true;
    };
    h.digest = [this](Index index, uint64_t digest) { digests_->said(index, digest); };
    h.store_replaced = [this] {
        digests_->forget();
        ::unlink(diverged_file().c_str());
    };
    return h;
}

void Group::make_digests() {
    DigestHooks h;
    h.send = [this](NodeId to, const pb::Forwarded& forwarded) {
        ports_.send(to, net::FrameKind::forward, forwarded.SerializeAsString());
    };
    h.peers = [this] { return links_; };
    h.config = [this] { return view().config; };
    h.diverged = [this](Index, const std::string& why) { on_diverged(why); };
    digests_ = std::make_unique<Digests>(name(), options_.node, std::move(h));
    std::string why;
    if (std::ifstream file(diverged_file()); std::getline(file, why)) attached_->set_diverged(why);
}

// Kept over a restart of the daemon. Not synced: after a power loss the next digest tells it again.
void Group::on_diverged(const std::string& why) {
    std::ofstream file(diverged_file());
    file << why << std::endl;
    if (!file) ASSENT_WARNING("group %s: cannot write %s", name().c_str(), diverged_file().c_str());
    attached_->set_diverged(why);
    dirty_ = true;
}

void Group::make_attached() {
    attached::AttachedOptions o;
    o.group = name();
    o.user = options_.user;
    o.max_write_bytes = options_.max_write_bytes;
    o.hung_us = options_.core.master_timeout_us;
    o.session.digest_every = options_.digest_every;
    attached::GroupView group;
    group.handed = [this] { return replica_->handed(); };
    group.first = [this] { return replica_->view().last.index ? Index(1) : Index(); };
    group.durable = [this] { return replica_->view().durable; };
    group.cluster = [this] { return cluster(); };
    group.now_us = raw_now_us;
    attached::FeedHooks feed;
    feed.read = ledger_reader();
    feed.post = [this](std::function<void()> fn) { loop_.post(std::move(fn)); };
    feed.more = [] {};  // the end of this batch looks
    attached::SnapshotHooks snapshots;
    snapshots.more = ports_.more;
    snapshots.reply = [this](uint64_t session, const pb::Reply& reply) {
        ports_.reply({Origin::Kind::client, session, reply.id()}, reply);
    };
    auto host = std::make_unique<attached::AttachedHost>(std::move(o), std::move(group), host_hooks(), std::move(feed),
                                                         std::move(snapshots), ports_.detach);
    attached_ = host.get();
    host_ = std::move(host);
    make_digests();
}

void Group::on_attach(const net::SessionInfo& session, const pb::Attach& attach, pb::AttachReply& reply) {
    if (!attached_) {
        reply.set_code(pb::BAD_CONFIGURATION);
        reply.set_reason("group " + name() + " has the application " + host_->kind() +
                         " built in: for another one, set assent." + name() +
                         ".application to attached in corosync.conf");
        return;
    }
    attached::Wire wire;
    wire.send = [this, id = session.id](pb::ToApplication message) { ports_.tell(id, std::move(message)); };
    wire.waiting_bytes = [this, id = session.id] { return ports_.waiting_bytes(id); };
    const std::string name = session.program + ", " + session.from;
    attached_->attach({session.id, session.pid, session.uid, name}, attach, std::move(wire), reply);
}

void Group::on_attached(uint64_t session) { attached_->begin(session); }

void Group::on_application(uint64_t session, const pb::FromApplication& message) {
    attached_->received(session, message);
}

// ---- status

GroupStatus Group::status() const {
    GroupStatus s;
    s.group = name();
    s.node = options_.node;
    s.application_kind = host_->kind();
    s.application = host_->status();
    s.view = view();
    s.requests = requests_->counters();
    s.cluster = cluster_;
    s.write_p50_us = write_latency_.percentile_us(0.5);
    s.write_p99_us = write_latency_.percentile_us(0.99);
    s.fsync_p99_us = ledger_->stats().fsync_p99_us;
    s.first = s.view.last.index ? Index(1) : Index();
    return s;
}

std::string Group::status_json(bool members_only) const {
    return members_only ? assent::members_json(status()) : assent::status_json(status());
}

StatusKeys Group::keys() {
    write_latency_.add(requests_->take_write_latencies());
    return status_keys(status());
}

}  // namespace assent
