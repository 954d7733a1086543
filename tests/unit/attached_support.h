// What the tests of attached applications share: a ledger, a core that only notes what it hears, and an application
// played by hand.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <variant>

#include "app/attached/attached.h"

namespace assent::test {

using attached::AttachedHost;

inline EntryPtr write_at(uint64_t index, std::string data = "", uint64_t epoch = 1) {
    auto e = std::make_shared<Entry>();
    e->index = Index(index);
    e->epoch = Epoch(epoch);
    e->data = data.empty() ? "write " + std::to_string(index) : std::move(data);
    return e;
}

inline EntryPtr other_at(uint64_t index, EntryKind kind = EntryKind::epoch) {
    auto e = std::make_shared<Entry>();
    e->index = Index(index);
    e->epoch = Epoch(1);
    e->kind = kind;
    return e;
}

inline EntryPtr cancel_at(uint64_t index, uint64_t target, const std::string& reason) {
    auto e = std::make_shared<Entry>();
    e->index = Index(index);
    e->epoch = Epoch(1);
    e->kind = EntryKind::cancel;
    e->cancel.index = Index(target);
    e->data = reason;
    return e;
}

// A ledger to read from on another thread, and the loop that hears of it.
class Surroundings {
  public:
    std::vector<EntryPtr> ledger;  // from index 1; not to be changed while something is being read
    VerdictPair handed;
    std::string read_error;
    unsigned reads = 0;

    attached::FeedHooks feed_hooks() {
        attached::FeedHooks h;
        h.read = [this](Index from, Index upto, uint64_t max_bytes) { return read(from, upto, max_bytes); };
        h.post = [this](std::function<void()> fn) {
            const std::lock_guard guard(mutex_);
            posted_.push_back(std::move(fn));
            wake_.notify_one();
        };
        h.more = [] {};
        return h;
    }
    // Verdicts for everything in the ledger up to here; those that a CANCEL names are cancelled.
    std::vector<Verdict> decide(uint64_t upto) {
        std::vector<Verdict> verdicts;
        for (uint64_t i = handed.confirm.value + 1; i <= upto; ++i) {
            Verdict v{ledger[i - 1], nullptr};
            for (const EntryPtr& e : ledger) {
                if (e->kind == EntryKind::cancel && e->cancel.index.value == i) v.cancel = e;
            }
            verdicts.push_back(v);
        }
        handed = {Index(upto), ledger.back()->index};
        return verdicts;
    }
    // What another thread has for the loop; waits for it.
    void run_posted() {
        std::unique_lock lock(mutex_);
        ASSERT_TRUE(wake_.wait_for(lock, std::chrono::seconds(10), [this] { return !posted_.empty(); }));
        auto posted = std::exchange(posted_, {});
        lock.unlock();
        for (auto& fn : posted) fn();
    }
    void run_what_came() {
        std::unique_lock lock(mutex_);
        auto posted = std::exchange(posted_, {});
        lock.unlock();
        for (auto& fn : posted) fn();
    }

  private:
    Result<std::vector<EntryPtr>> read(Index from, Index upto, uint64_t max_bytes) {
        ++reads;
        if (!read_error.empty()) return Error{read_error};
        std::vector<EntryPtr> out;
        uint64_t bytes = 0;
        for (uint64_t i = from.value; i <= std::min<uint64_t>(upto.value, ledger.size()); ++i) {
            bytes += weight(*ledger[i - 1]);
            if (!out.empty() && bytes > max_bytes) break;
            out.push_back(ledger[i - 1]);
        }
        return out;
    }

    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<std::function<void()>> posted_;
};

// A process that attached: what it was sent, in words.
struct Played {
    uint64_t session = 0;
    std::vector<pb::ToApplication> messages;
    size_t waiting = 0;
    std::string detached;  // why
    pb::Code detach_code = pb::DONE;

    // Taken away: "prepare 3", "confirm 4 write 4", …; pings and roles are left out.
    std::vector<std::string> take() {
        std::vector<std::string> out;
        for (const pb::ToApplication& m : std::exchange(messages, {})) {
            if (std::string w = words(m); !w.empty()) out.push_back(std::move(w));
        }
        return out;
    }

    std::map<uint64_t, uint64_t> asks;  // newest, by index

  private:
    std::string words(const pb::ToApplication& m) {
        const auto n = [](uint64_t i) { return std::to_string(i); };
        switch (m.what_case()) {
            case pb::ToApplication::kPrepare:
                asks[m.prepare().index()] = m.prepare().ask();
                return "prepare " + n(m.prepare().index());
            case pb::ToApplication::kConfirm: return "confirm " + n(m.confirm().index()) + " " + m.confirm().data();
            case pb::ToApplication::kCancel: return "cancel " + n(m.cancel().index()) + " " + m.cancel().reason();
            case pb::ToApplication::kWithdraw: return "withdraw " + n(m.withdraw().from());
            case pb::ToApplication::kQuery: return "query " + n(m.query().id()) + " " + m.query().data();
            case pb::ToApplication::kJoined: return "joined";
            case pb::ToApplication::kSnapshotSave: return "save " + n(m.snapshot_save().id());
            case pb::ToApplication::kSnapshotLoad: return "load " + n(m.snapshot_load().index());
            case pb::ToApplication::kSnapshotChunk: return "chunk " + m.snapshot_chunk().data();
            case pb::ToApplication::kSnapshotEnd: return "end " + n(m.snapshot_end().code());
            case pb::ToApplication::kSnapshotTaken: return "taken " + n(m.snapshot_taken().bytes());
            case pb::ToApplication::kSnapshotAbort: return "abort";
            case pb::ToApplication::kDigest: return "digest " + n(m.digest().index());
            default: return {};
        }
    }
};

using Words = std::vector<std::string>;

class AttachedBench : public testing::Test {
  protected:
    static constexpr int64_t kHungUs = 1'000'000;

    Surroundings around_;
    ClusterId cluster_{1, 2};
    Index first_{1};
    Index durable_{1'000'000};
    int64_t now_ = 1;
    attached::AttachedOptions options_;
    std::unique_ptr<AttachedHost> host_;
    std::map<uint64_t, Played> apps_;
    uint64_t last_session_ = 0;

    // What the core and the clients heard.
    std::vector<Index> accepted_;
    std::vector<Rejection> rejected_;
    Index applied_;
    std::vector<Index> attached_;
    std::vector<AppliedResult> results_;
    Index told_upto_;
    std::map<uint64_t, std::string> answers_;  // by token
    bool healthy_ = true;
    std::map<uint64_t, uint64_t> digests_;  // by index
    int replaced_ = 0;
    std::vector<pb::ServerFrame> to_client_;
    std::vector<pb::Reply> replies_;

    void SetUp() override {
        options_.group = "jobs";
        options_.hung_us = kHungUs;
        open();
    }
    void open() {
        attached::GroupView group;
        group.handed = [this] { return around_.handed; };
        group.first = [this] { return first_; };
        group.durable = [this] { return durable_; };
        group.cluster = [this] { return cluster_; };
        group.now_us = [this] { return now_; };
        HostHooks hooks;
        hooks.event = [this](const Event& e) { heard(e); };
        hooks.applied = [this](Index upto, const std::vector<AppliedResult>& results) {
            told_upto_ = upto;
            results_.insert(results_.end(), results.begin(), results.end());
        };
        hooks.answered = [this](Token token, const Result<std::string>& answer, Index) {
            answers_[token.value] = answer ? *answer : "error: " + answer.error();
        };
        hooks.digest = [this](Index index, uint64_t value) { digests_[index.value] = value; };
        hooks.store_replaced = [this] { ++replaced_; };
        attached::SnapshotHooks snapshots;
        snapshots.more = [this](uint64_t, uint64_t, const pb::ServerFrame& f) { to_client_.push_back(f); };
        snapshots.reply = [this](uint64_t, const pb::Reply& r) { replies_.push_back(r); };
        host_ = std::make_unique<AttachedHost>(options_, group, hooks, around_.feed_hooks(), snapshots,
                                               [this](uint64_t session, pb::Code code, const std::string& why) {
                                                   apps_[session].detached = why;
                                                   apps_[session].detach_code = code;
                                               });
    }
    void heard(const Event& e) {
        if (const auto* o = std::get_if<event::Opinions>(&e)) {
            accepted_.insert(accepted_.end(), o->accepted.begin(), o->accepted.end());
            rejected_.insert(rejected_.end(), o->rejected.begin(), o->rejected.end());
        } else if (const auto* a = std::get_if<event::Applied>(&e)) {
            EXPECT_LE(a->upto, around_.handed.confirm) << "the core must not hear of what it has not given";
            applied_ = a->upto;
        } else if (const auto* n = std::get_if<event::Attached>(&e)) {
            EXPECT_LE(n->applied, around_.handed.confirm);
            attached_.push_back(n->applied);
            applied_ = n->applied;
        } else if (const auto* h = std::get_if<event::Application>(&e)) {
            healthy_ = h->healthy;
        }
    }
    static pb::Attach store(uint64_t applied, const ClusterId& cluster = {1, 2}) {
        pb::Attach a;
        a.set_group("jobs");
        a.set_applied(applied);
        a.set_durable(applied);
        if (applied) {
            a.set_cluster_high(cluster.high);
            a.set_cluster_low(cluster.low);
        }
        return a;
    }
    attached::Peer peer(pid_t pid, uid_t uid = 0) { return {++last_session_, pid, uid, "app " + std::to_string(pid)}; }

    pb::AttachReply try_attach(const pb::Attach& attach, const attached::Peer& peer) {
        Played& app = apps_[peer.session];
        app.session = peer.session;
        attached::Wire wire;
        wire.send = [&app](pb::ToApplication m) { app.messages.push_back(std::move(m)); };
        wire.waiting_bytes = [&app] { return app.waiting; };
        pb::AttachReply reply;
        host_->attach(peer, attach, wire, reply);
        if (reply.code() == pb::DONE) host_->begin(peer.session);
        host_->flush();
        return reply;
    }
    Played& attach(const pb::Attach& attach, pid_t pid = 100) {
        const attached::Peer who = peer(pid);
        const pb::AttachReply reply = try_attach(attach, who);
        EXPECT_EQ(reply.code(), pb::DONE) << reply.reason();
        return apps_[who.session];
    }
    Played& attach(uint64_t applied, pid_t pid = 100) { return attach(store(applied), pid); }
    void die(Played& app) {
        host_->closed(app.session);
        host_->flush();
    }

    // ---- the core's side

    void prepare(const std::vector<EntryPtr>& entries) {
        host_->prepare(entries);
        host_->flush();
    }
    void append(const EntryPtr& e) {
        ASSERT_EQ(e->index.value, around_.ledger.size() + 1);
        around_.ledger.push_back(e);
    }
    void decide(uint64_t upto) {
        host_->decided(around_.decide(upto));
        host_->flush();
    }

    // ---- the application's side

    void say(const Played& app, const pb::FromApplication& m) {
        host_->received(app.session, m);
        host_->flush();
    }
    static pb::FromApplication accepting(const Played& app, uint64_t index, uint64_t ask = 0) {
        pb::FromApplication m;
        m.mutable_accept()->set_index(index);
        m.mutable_accept()->set_ask(ask ? ask : app.asks.at(index));
        return m;
    }
    void accept(const Played& app, uint64_t index, uint64_t ask = 0) { say(app, accepting(app, index, ask)); }
    void reject(const Played& app, uint64_t index, const std::string& why) {
        pb::FromApplication m;
        m.mutable_reject()->set_index(index);
        m.mutable_reject()->set_ask(app.asks.at(index));
        m.mutable_reject()->set_reason(why);
        say(app, m);
    }
    void applied(const Played& app, uint64_t index, uint64_t durable, const std::string& result = "") {
        pb::FromApplication m;
        m.mutable_applied()->set_index(index);
        m.mutable_applied()->set_durable(durable);
        m.mutable_applied()->set_result(result);
        say(app, m);
    }
    void pong(const Played& app, uint64_t id) {
        pb::FromApplication m;
        m.mutable_pong()->set_id(id);
        say(app, m);
    }
    void answer(const Played& app, uint64_t id, const std::string& data) {
        pb::FromApplication m;
        m.mutable_answer()->set_id(id);
        m.mutable_answer()->set_data(data);
        say(app, m);
    }
    void digest(const Played& app, uint64_t index, uint64_t value) {
        pb::FromApplication m;
        m.mutable_digest()->set_index(index);
        m.mutable_digest()->set_value(value);
        say(app, m);
    }
    static std::vector<uint64_t> numbers(const std::vector<Index>& indexes) {
        std::vector<uint64_t> out;
        for (Index i : indexes) out.push_back(i.value);
        return out;
    }
};

}  // namespace assent::test
