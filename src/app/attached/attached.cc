#include "app/attached/attached.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.h"

namespace assent::attached {

namespace {

constexpr int64_t kRetryUs = 1'000'000;

std::string number(Index i) { return std::to_string(i.value); }

bool is_of_snapshot(const pb::FromApplication& message) {
    return message.has_snapshot_chunk() || message.has_snapshot_end() || message.has_snapshot_taken() ||
           message.has_snapshot_loaded();
}

std::optional<uid_t> uid_of(const std::string& user) {
    passwd entry{};
    passwd* found = nullptr;
    std::vector<char> buffer(16'384);
    if (::getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || !found) return std::nullopt;
    return found->pw_uid;
}

}  // namespace

AttachedHost::AttachedHost(AttachedOptions options, GroupView group, HostHooks hooks, FeedHooks feed,
                           SnapshotHooks snapshots, DetachFn detach)
    : options_(std::move(options)), group_(std::move(group)), hooks_(std::move(hooks)), detach_(std::move(detach)),
      feed_(group_.handed(), options_.feed, std::move(feed)), snapshots_(std::move(snapshots)) {}

// ---- coming and going

void AttachedHost::attach(const Peer& peer, const pb::Attach& attach, Wire wire, pb::AttachReply& reply) {
    const Refusal no = refusal(peer, attach);
    reply.set_code(no.code);
    reply.set_reason(no.reason);
    if (no.code != pb::DONE) {
        ASSENT_NOTICE("group %s: %s cannot attach: %s", options_.group.c_str(), peer.name.c_str(), no.reason.c_str());
        return;
    }
    if (session_) {
        const uint64_t old = peer_.session;
        end(peer_.pid != peer.pid);
        detach_(old, pb::OTHER_ERROR, "another process has attached in its place: " + peer.name);
    }
    session_.emplace(attach, options_.session, std::move(wire));
    peer_ = peer;
    if (!attach.applied()) replaced();
    begun_ = told_ = role_told_ = false;
    joined_ = bool(group_.cluster());
    feed_.restart(next(Index(attach.applied())));
    reply.set_next(attach.applied() + 1);
    reply.set_cluster_high(group_.cluster().high);
    reply.set_cluster_low(group_.cluster().low);
    ASSENT_NOTICE("group %s: %s is attached; it has applied index %llu", options_.group.c_str(), peer.name.c_str(),
                  static_cast<unsigned long long>(attach.applied()));
}

AttachedHost::Refusal AttachedHost::refusal(const Peer& peer, const pb::Attach& attach) const {
    if (std::string why = not_permitted(peer); !why.empty()) return {pb::NOT_PERMITTED, why};
    if (session_ && peer_.pid != peer.pid && status(group_.now_us()).state != "hung") {
        return {pb::BUSY, "an application is attached already: " + peer_.name +
                              "; it would be replaced only if it hung. End it, or try again later"};
    }
    const Index applied(attach.applied());
    if (attach.durable() > attach.applied()) return {pb::BAD_REQUEST, "its durable index is above its applied index"};
    // One whose store has diverged is taken to have it replaced, and for nothing else.
    if (applied && !diverged_.empty() && !(snapshots_.waits() && attach.snapshots())) {
        return {pb::BAD_CONFIGURATION, "the application's store has diverged: " + diverged_ +
                                           ". Begin with an empty store, which gets everything again, or restore a "
                                           "snapshot with 'assentctl snapshot restore'"};
    }
    return wrong_store(applied, {attach.cluster_high(), attach.cluster_low()});
}

std::string AttachedHost::not_permitted(const Peer& peer) const {
    if (peer.uid == 0) return {};
    if (options_.user.empty()) {
        if (peer.uid == ::geteuid()) return {};
        return "the application of group " + options_.group + " has to run as uid " + std::to_string(::geteuid()) +
               ", like assentd, or as the user named in assent." + options_.group + ".user of corosync.conf";
    }
    const std::optional<uid_t> wanted = uid_of(options_.user);
    if (wanted == peer.uid) return {};
    return "the application of group " + options_.group + " has to run as the user " + options_.user +
           (wanted ? "" : ", which does not exist on this host") + " (assent." + options_.group +
           ".user in corosync.conf), not as uid " + std::to_string(peer.uid);
}

AttachedHost::Refusal AttachedHost::wrong_store(Index applied, const ClusterId& theirs) const {
    const ClusterId ours = group_.cluster();
    if (applied && !theirs) {
        return {pb::BAD_CONFIGURATION, "the application's store has applied index " + number(applied) +
                                           ", but does not know of which cluster: begin with an empty store"};
    }
    if (theirs && !ours) {
        return {pb::BUSY, "the application's store belongs to a cluster, and this node to none yet; try again later"};
    }
    if (theirs && theirs != ours) {
        return {pb::BAD_CONFIGURATION,
                "the application's store belongs to another cluster: begin with an empty store on this node"};
    }
    if (applied > group_.durable()) {
        return {pb::BUSY, "the application's store has applied index " + number(applied) +
                              ", and the ledger of this node ends at " + number(group_.durable()) +
                              ": it can attach when the node has caught up with the others"};
    }
    if (next(applied) < group_.first()) {
        return {pb::BAD_CONFIGURATION, "the application's store has applied index " + number(applied) +
                                           ", and the ledger of this node begins at " + number(group_.first()) +
                                           ": it has to begin with a copy of another node's store"};
    }
    return {};
}

void AttachedHost::begin(uint64_t session) {
    if (!session_ || peer_.session != session) return;
    begun_ = true;
    note_health(group_.now_us());
}

void AttachedHost::closed(uint64_t session) {
    if (!session_ || peer_.session != session) return;
    ASSENT_WARNING("group %s: the application is gone (%s)", options_.group.c_str(), peer_.name.c_str());
    end(true);
}

// What it said counts, what it did not say comes again.
void AttachedHost::end(bool died) {
    collect();
    if (died) blame();
    if (session_->ignored()) {
        ASSENT_NOTICE("group %s: %llu answers of the application (%s) were ignored: given twice, or changed",
                      options_.group.c_str(), static_cast<unsigned long long>(session_->ignored()), peer_.name.c_str());
    }
    session_.reset();
    snapshots_.application_gone();
    told_ = false;
    wanted_.clear();
    accepted_.clear();
    rejected_.clear();
    for (auto& [token, question] : questions_) question.asked = false;
    note_health(group_.now_us());
}

void AttachedHost::blame() {
    const std::optional<Session::InHand> hand = session_->in_hand();
    if (!hand) return;
    blame_.died(hand->entry, hand->highest);
    last_death_ = "the application died " + std::to_string(blame_.deaths(hand->entry)) + " times with the " +
                  (hand->confirmed ? "confirmed " : "") + "write at index " + number(hand->entry.index) + " in hand";
    ASSENT_WARNING("group %s: %s", options_.group.c_str(), last_death_.c_str());
}

void AttachedHost::received(uint64_t session, const pb::FromApplication& message) {
    if (!session_ || peer_.session != session) return;
    if (message.has_detach()) {
        ASSENT_NOTICE("group %s: the application detaches (%s): %s", options_.group.c_str(), peer_.name.c_str(),
                      message.detach().reason().c_str());
        end(false);
        detach_(session, pb::DONE, "as asked");
        return;
    }
    const std::string broken =
        is_of_snapshot(message) ? take_snapshot(message) : session_->take(message, group_.now_us());
    if (broken.empty()) return;
    ASSENT_ERROR("group %s: the application (%s) breaks the protocol and is cut off: %s", options_.group.c_str(),
                 peer_.name.c_str(), broken.c_str());
    end(false);
    detach_(session, pb::BAD_REQUEST, broken);
}

void AttachedHost::set_role(bool master, Epoch epoch) {
    if (master == master_ && epoch == epoch_) return;
    master_ = master;
    epoch_ = epoch;
    role_told_ = false;
}

// ---- snapshots

Snapshots::SendFn AttachedHost::to_application() {
    return [this](pb::ToApplication message) {
        if (session_) session_->send(std::move(message));
    };
}

void AttachedHost::save_snapshot(const Snapshots::Client& client) {
    if (snapshots_.busy()) {
        snapshots_.refuse(client, pb::BUSY, "another snapshot of the group is being saved or restored on this node");
    } else if (!session_ || !told_) {
        snapshots_.refuse(client, pb::BUSY, "no application is attached on this node");
    } else if (!session_->snapshots()) {
        snapshots_.refuse(client, pb::OTHER_ERROR, "the application (" + peer_.name + ") cannot save snapshots");
    } else {
        snapshots_.save(client, to_application());
    }
}

void AttachedHost::restore_snapshot(const Snapshots::Client& client, const Snapshots::Restore& restore) {
    const Refusal no = wrong_store(restore.index, restore.cluster);
    if (snapshots_.busy()) {
        snapshots_.refuse(client, pb::BUSY, "another snapshot of the group is being saved or restored on this node");
    } else if (no.code != pb::DONE) {
        snapshots_.refuse(client, no.code, "the snapshot does not fit: " + no.reason);
    } else if (session_ && !session_->snapshots()) {
        snapshots_.refuse(client, pb::OTHER_ERROR, "the application (" + peer_.name + ") cannot load snapshots");
    } else {
        snapshots_.restore(client, restore);
    }
}

std::string AttachedHost::take_snapshot(const pb::FromApplication& message) {
    switch (message.what_case()) {
        case pb::FromApplication::kSnapshotChunk: return snapshots_.chunk(message.snapshot_chunk());
        case pb::FromApplication::kSnapshotEnd: return snapshots_.end(message.snapshot_end(), session_->given());
        case pb::FromApplication::kSnapshotTaken: return snapshots_.taken(message.snapshot_taken());
        default: return loaded(message.snapshot_loaded());
    }
}

// What it has after a load that failed, it says itself when it attaches again.
std::string AttachedHost::loaded(const pb::FromApplication::SnapshotLoaded& said) {
    const uint64_t session = peer_.session;
    switch (snapshots_.loaded(said)) {
        case Snapshots::Loaded::stale: break;
        case Snapshots::Loaded::broken: return "it says that it has loaded a snapshot that it was not sent whole";
        case Snapshots::Loaded::done: go_on_from(snapshots_.what().index); break;
        case Snapshots::Loaded::failed:
            snapshots_.finished(pb::OTHER_ERROR, "the application could not load it: " + said.reason());
            end(false);
            detach_(session, pb::BUSY, "it could not load a snapshot: it is to say what its store has now");
    }
    return {};
}

void AttachedHost::go_on_from(Index index) {
    ASSENT_NOTICE("group %s: the application has loaded a snapshot, and goes on from index %s", options_.group.c_str(),
                  number(index).c_str());
    replaced();
    session_->restart(index);
    feed_.restart(next(index));
    wanted_.clear();
    accepted_.clear();
    rejected_.clear();
    told_ = false;  // the core hears of it as of a new application
    snapshots_.finished(pb::DONE, "");
}

// Before a load it forgets what it was asked, and finishes what was confirmed.
bool AttachedHost::holds_for_snapshot() {
    if (!snapshots_.waits() || !session_->snapshots()) return snapshots_.loading();
    session_->withdraw(next(session_->given()));
    if (session_->applied() == session_->given()) snapshots_.begin_load(to_application());
    return true;
}

void AttachedHost::set_diverged(const std::string& why) {
    diverged_ = why;
    ASSENT_ERROR("group %s: the application has diverged: %s", options_.group.c_str(), why.c_str());
    cut_off_diverged();
    note_health(group_.now_us());
}

void AttachedHost::cut_off_diverged() {
    if (!session_) return;
    const uint64_t session = peer_.session;
    end(false);
    detach_(session, pb::BAD_CONFIGURATION,
            "its state is not the one of the others: " + diverged_ + "; begin with an empty store");
}

void AttachedHost::replaced() {
    if (!diverged_.empty()) {
        ASSENT_NOTICE("group %s: the store that had diverged is replaced", options_.group.c_str());
    }
    diverged_.clear();
    hooks_.store_replaced();
}

// ---- what the core says

Result<bool> AttachedHost::check_write(std::string_view request) const {
    if (request.size() <= options_.max_write_bytes) return true;
    return Error{"the write has " + std::to_string(request.size()) + " bytes: max_write_bytes is " +
                 std::to_string(options_.max_write_bytes)};
}

void AttachedHost::withdraw(Index from) {
    wanted_.erase(wanted_.lower_bound(from), wanted_.end());
    std::erase_if(accepted_, [from](Index i) { return i >= from; });
    std::erase_if(rejected_, [from](const Rejection& r) { return r.index >= from; });
    if (session_) session_->withdraw(from);
}

void AttachedHost::prepare(std::vector<EntryPtr> entries) {
    if (!session_ || !told_) return;  // the core asks again when it hears of the next session
    for (EntryPtr& e : entries) {
        if (e->index <= session_->given()) {
            accepted_.push_back(e->index);
        } else if (blame_.rejected(e->position())) {
            rejected_.push_back({e->index, "the application died " + std::to_string(blame_.deaths(e->position())) +
                                               " times with this write in hand"});
        } else {
            wanted_[e->index] = std::move(e);
        }
    }
}

void AttachedHost::decided(std::vector<Verdict> verdicts) {
    if (!verdicts.empty()) wanted_.erase(wanted_.begin(), wanted_.upper_bound(verdicts.back().entry->index));
    feed_.add(std::move(verdicts), group_.handed());
}

// ---- questions

void AttachedHost::query(Token token, Index after, const std::string& request) { questions_[token] = {after, request}; }

void AttachedHost::result_of(Token token, Index index) {
    const auto found = results_.find(index);
    if (found != results_.end()) {
        looked_up_.push_back({token, found->second});
    } else if (index > results_after_ && index <= told_applied_) {
        looked_up_.push_back({token, std::string()});
    } else {
        looked_up_.push_back({token, Error{"the result of the write at index " + number(index) + " is not known"}});
    }
}

void AttachedHost::forget(Token token) {
    questions_.erase(token);
    if (session_) session_->forget(token);
}

// ---- at the end of a batch

void AttachedHost::flush() {
    greet();
    collect();
    pump();
    collect();  // what is said for the application, or was said before
}

void AttachedHost::greet() {
    if (!session_ || !begun_ || told_ || !diverged_.empty()) return;
    told_ = true;
    told_applied_ = std::min(session_->applied(), feed_.newest());
    if (session_->applied() > most_applied_) results_after_ = session_->applied();  // those between were not heard
    most_applied_ = std::max(most_applied_, session_->applied());
    hooks_.event(event::Attached{told_applied_});
    hooks_.applied(told_applied_, {});  // somebody may have waited for what this one has applied already
}

// Everything the application said goes to the core and to those who wait for it.
void AttachedHost::collect() {
    Said said;
    if (session_ && told_) said = session_->said();
    said.accepted.insert(said.accepted.end(), accepted_.begin(), accepted_.end());
    said.rejected.insert(said.rejected.end(), rejected_.begin(), rejected_.end());
    accepted_.clear();
    rejected_.clear();
    if (!said.accepted.empty() || !said.rejected.empty()) {
        hooks_.event(event::Opinions{std::move(said.accepted), std::move(said.rejected)});
    }
    tell_applied(said.results);
    for (const auto& answer : std::exchange(looked_up_, {})) {
        hooks_.answered(answer.token, answer.answer, told_applied_);
    }
    for (const auto& [index, digest] : said.digests) hooks_.digest(index, digest);
    for (const auto& answer : said.answers) {
        if (questions_.erase(answer.token)) hooks_.answered(answer.token, answer.answer, told_applied_);
    }
}

void AttachedHost::tell_applied(const std::vector<AppliedResult>& results) {
    keep(results);
    if (!session_ || !told_) return;
    const Index applied = std::min(session_->applied(), feed_.newest());
    if (applied <= told_applied_) return;
    told_applied_ = applied;
    most_applied_ = std::max(most_applied_, applied);
    blame_.forget(applied);
    if (!session_->busy_since_us()) last_death_.clear();
    hooks_.event(event::Applied{applied});
    hooks_.applied(applied, results);
}

void AttachedHost::keep(const std::vector<AppliedResult>& results) {
    for (const AppliedResult& r : results) {
        std::string& kept = results_[r.index];
        result_bytes_ += r.result.size() - kept.size();
        kept = r.result;
    }
    while (results_.size() > options_.results || result_bytes_ > options_.result_bytes) {
        results_after_ = results_.begin()->first;
        result_bytes_ -= results_.begin()->second.size();
        results_.erase(results_.begin());
    }
}

// As much as there is room for.
void AttachedHost::pump() {
    if (!diverged_.empty() && !snapshots_.busy()) return cut_off_diverged();  // there is no restore any more
    if (!session_ || !begun_ || holds_for_snapshot() || !told_) return;
    if (!joined_ && group_.cluster()) {
        joined_ = true;
        pb::ToApplication message;
        message.mutable_joined()->set_cluster_high(group_.cluster().high);
        message.mutable_joined()->set_cluster_low(group_.cluster().low);
        session_->send(std::move(message));
    }
    if (!role_told_) {
        role_told_ = true;
        pb::ToApplication message;
        message.mutable_role()->set_master(master_);
        message.mutable_role()->set_epoch(epoch_.value);
        session_->send(std::move(message));
    }
    give_verdicts();
    ask();
    ask_queries();
}

void AttachedHost::give_verdicts() {
    const int64_t now = group_.now_us();
    while (session_->room_for_verdict()) {
        const Verdict* verdict = feed_.front();
        if (!verdict) return;
        session_->give(*verdict, now);
        feed_.pop();
    }
}

// Only when it has been given all verdicts, so that it is asked in the state in which the write would be applied.
void AttachedHost::ask() {
    if (!feed_.caught_up()) return;
    const int64_t now = group_.now_us();
    while (!wanted_.empty()) {
        const EntryPtr& entry = wanted_.begin()->second;
        if (!session_->room_for_prepare(entry->index <= blame_.careful_upto())) return;
        session_->ask(entry, now);
        wanted_.erase(wanted_.begin());
    }
}

void AttachedHost::ask_queries() {
    const int64_t now = group_.now_us();
    for (auto& [token, question] : questions_) {
        if (question.asked || question.after > session_->applied()) continue;
        if (!session_->room_for_query()) return;
        question.asked = true;
        session_->query(token, question.request, now);
    }
}

// ---- is it well?

void AttachedHost::tick(int64_t now_us) {
    snapshots_.tick(now_us);
    if (session_ && begun_ && now_us - pinged_us_ >= options_.hung_us / 4) {
        pinged_us_ = now_us;
        session_->ping(now_us);
    }
    if (!feed_.trouble().empty() && now_us - retry_us_ >= kRetryUs) {
        retry_us_ = now_us;
        ASSENT_ERROR("group %s: verdicts for the application cannot be read: %s", options_.group.c_str(),
                     feed_.trouble().c_str());
        feed_.retry();
    }
    note_health(now_us);
}

void AttachedHost::note_health(int64_t now_us) {
    const std::string state = status(now_us).state;
    const bool healthy = state == "healthy" || state == "behind";
    if (healthy == healthy_) return;
    healthy_ = healthy;
    ASSENT_NOTICE("group %s: the application is %s", options_.group.c_str(), state.c_str());
    hooks_.event(event::Application{healthy});
}

HostStatus AttachedHost::status() const { return status(group_.now_us()); }

HostStatus AttachedHost::status(int64_t now_us) const {
    HostStatus s;
    s.reason = last_death_;
    if (!diverged_.empty()) {
        s.state = "diverged";
        s.reason = "the state of the application is not the one of the others: " + diverged_;
        return s;
    }
    if (!session_) {
        s.state = "absent";
        s.reason = "no application is attached" + (last_death_.empty() ? "" : "; " + last_death_);
        return s;
    }
    s.durable = session_->durable();
    const int64_t ping = session_->ping_since_us();
    const int64_t busy = session_->busy_since_us();
    if (ping && now_us - ping >= options_.hung_us) {
        s.state = "hung";
        s.reason = "the application does not answer (" + peer_.name + ")";
    } else if (snapshots_.loading()) {
        s.state = "loading";
        s.reason = "the application loads a snapshot (" + peer_.name + ")";
    } else if (!feed_.trouble().empty()) {
        s.state = "failed";
        s.reason = "verdicts for the application cannot be read: " + feed_.trouble();
    } else if (busy && now_us - busy >= options_.hung_us) {
        s.state = "slow";
        s.reason = "the application has finished nothing of what it has in hand for too long (" + peer_.name + ")";
    } else if (feed_.behind()) {
        s.state = "behind";
        s.reason = "the application is given what it missed; it has applied index " + number(session_->applied());
    }
    return s;
}

}  // namespace assent::attached
