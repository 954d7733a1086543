// An application that says anything, while its group and the clients go on: what the daemon makes of it. The core hears of
// nothing that it did not ask or decide, the application is told what doc/application-protocol.md promises, and who asks
// is answered at most once; who saves or restores a snapshot exactly once.
#include <unistd.h>

#include <set>

#include "app/attached/attached.h"
#include "core/assert.h"
#include "fuzz/input.h"

namespace {

using namespace assent;
using namespace assent::attached;

constexpr uint64_t kDigestEvery = 3;
constexpr int64_t kRequestUs = 60'000'000;

// What the group has decided, or will.
struct Ledger {
    std::vector<EntryPtr> entries;  // from index 1
    std::set<uint64_t> cancelled;
    VerdictPair handed;

    const Entry& at(uint64_t index) const { return *entries.at(index - 1); }
    uint64_t next_write(uint64_t after) const {
        for (uint64_t i = after + 1; i <= entries.size(); ++i) {
            if (at(i).kind == EntryKind::write) return i;
        }
        return 0;
    }
    EntryPtr append(uint8_t what, std::string_view data) {
        auto e = std::make_shared<Entry>();
        e->index = Index(entries.size() + 1);
        e->epoch = Epoch(1);
        e->kind = what % 4 == 0 ? EntryKind::epoch : EntryKind::write;
        if (what % 4 == 1) cancelled.insert(e->index.value);
        e->data = data;
        return entries.emplace_back(std::move(e));
    }
};

// One session as the application sees it.
struct Told {
    uint64_t id = 0;  // 0: there is none
    size_t max_pending = 0;
    uint64_t given = 0;
    std::map<uint64_t, uint64_t> asks;  // by index, without a verdict
    uint64_t last_ask = 0, last_query = 0, last_ping = 0;
    std::set<uint64_t> digests;
    uint64_t loading = 0;  // what SnapshotLoad said
    uint64_t load_index = 0;

    void verdict(const Ledger& ledger, uint64_t index, bool cancel) {
        ASSENT_ASSERT(!loading && index == ledger.next_write(given) && Index(index) <= ledger.handed.confirm);
        ASSENT_ASSERT(cancel == (ledger.cancelled.count(index) != 0));
        given = index;
        asks.erase(index);
    }
    void prepare(const Ledger& ledger, const pb::ToApplication::Prepare& p) {
        ASSENT_ASSERT(!loading && p.index() > given && p.ask() > last_ask);
        ASSENT_ASSERT(p.data() == ledger.at(p.index()).data);
        last_ask = asks[p.index()] = p.ask();
        ASSENT_ASSERT(asks.size() <= max_pending);
    }
    void digest(const Ledger& ledger, uint64_t index) {
        const uint64_t next = ledger.next_write(given);
        ASSENT_ASSERT(index >= given && (!next || next > index) && index % kDigestEvery == 0);
        digests.insert(index);
    }
    void take(const Ledger& ledger, const pb::ToApplication& m) {
        switch (m.what_case()) {
            case pb::ToApplication::kPrepare: return prepare(ledger, m.prepare());
            case pb::ToApplication::kConfirm:
                ASSENT_ASSERT(m.confirm().data() == ledger.at(m.confirm().index()).data);
                return verdict(ledger, m.confirm().index(), false);
            case pb::ToApplication::kCancel: return verdict(ledger, m.cancel().index(), true);
            case pb::ToApplication::kWithdraw: asks.erase(asks.lower_bound(m.withdraw().from()), asks.end()); break;
            case pb::ToApplication::kQuery: ASSENT_ASSERT(!loading && m.query().id() == ++last_query); break;
            case pb::ToApplication::kPing: ASSENT_ASSERT(m.ping().id() == ++last_ping); break;
            case pb::ToApplication::kDigest: return digest(ledger, m.digest().index());
            case pb::ToApplication::kSnapshotLoad:
                ASSENT_ASSERT(!loading && asks.empty());
                loading = m.snapshot_load().id();
                load_index = m.snapshot_load().index();
                break;
            case pb::ToApplication::kSnapshotChunk: ASSENT_ASSERT(m.snapshot_chunk().id() == loading); break;
            case pb::ToApplication::kSnapshotEnd:
                ASSENT_ASSERT(m.snapshot_end().id() == loading);
                if (m.snapshot_end().code() != pb::DONE) loading = 0;
                break;
            default: break;
        }
    }
    void loaded() {
        given = load_index;
        asks.clear();
        digests.clear();
        loading = 0;
    }
};

class Group {
  public:
    Group() {
        AttachedOptions options;
        options.group = "jobs";
        options.session.window_entries = 4;
        options.session.queries = 2;
        options.session.digest_every = kDigestEvery;
        options.session.digests = 2;
        options.results = 2;
        GroupView view;
        view.handed = [this] { return ledger_.handed; };
        view.first = [this] { return Index(ledger_.entries.empty() ? 0 : 1); };
        view.durable = [this] { return Index(ledger_.entries.size()); };
        view.cluster = [this] { return joined_ ? ClusterId{1, 2} : ClusterId(); };
        view.now_us = [this] { return now_; };
        FeedHooks feed;  // the window holds all there is: nothing is read
        feed.read = [](Index, Index, uint64_t) -> Result<std::vector<EntryPtr>> { return Error{"not to be read"}; };
        feed.post = [](const std::function<void()>&) { ASSENT_ASSERT(false); };
        feed.more = [] {};
        SnapshotHooks snapshots;
        snapshots.more = [this](uint64_t session, uint64_t request, const pb::ServerFrame& f) {
            ASSENT_ASSERT(session == request && snapshot_requests_.count(request));
            if (f.has_snapshot_chunk()) ASSENT_ASSERT(f.snapshot_chunk().id() == request);
        };
        snapshots.reply = [this](uint64_t session, const pb::Reply& r) {
            ASSENT_ASSERT(session == r.id() && snapshot_requests_.erase(session));
            ASSENT_ASSERT((r.code() == pb::DONE) == r.reason().empty());
        };
        host_ =
            std::make_unique<AttachedHost>(options, view, hooks(), feed, snapshots,
                                           [this](uint64_t session, pb::Code code, const std::string& why) {
                                               ASSENT_ASSERT(session == told_.id && (code == pb::DONE || !why.empty()));
                                               told_ = Told();
                                           });
    }

    void step(fuzz::Input& input) {
        const uint8_t what = input.byte();
        switch (what % 20) {
            case 0:
            case 1: ledger_.append(what / 20, input.piece()); break;
            case 2: return prepare();
            case 3:
            case 4: return decide(what / 20 + 1);
            case 5: return withdraw(input.byte());
            case 6: return query(input);
            case 7: return forget(input.byte());
            case 8: now_ += int64_t(input.byte()) * 100'000; return host_->tick(now_);
            case 9: return attach(input);
            case 10: {
                pb::Attach attach_;
                if (attach_.ParseFromString(std::string(input.piece()))) try_attach(attach_, 1);
                return;
            }
            case 11: return says_raw(input.piece());
            case 12:
            case 13:
            case 14: return says(well_formed(input));
            case 15: return gone();
            case 16: return snapshot(what / 20, input);
            case 17: return from_client(what / 20, input);
            case 18:
                if (what / 20 % 4) return host_->set_role(what / 20 & 1, Epoch(what / 40));
                joined_ = true;
                break;
            default:
                if (what / 20 == 1) return host_->set_diverged("they say");
                return host_->flush();
        }
    }
    void end() {
        host_->flush();
        now_ += kRequestUs;
        host_->tick(now_);
        ASSENT_ASSERT(snapshot_requests_.empty());
        gone();
        host_->flush();
        ASSENT_ASSERT(host_->status().state != "healthy" && host_->status().state != "failed");
    }

  private:
    HostHooks hooks() {
        HostHooks h;
        h.event = [this](const Event& e) { heard(e); };
        h.applied = [this](Index upto, const std::vector<AppliedResult>& results) {
            ASSENT_ASSERT(upto == applied_);
            Index before;
            for (const AppliedResult& r : results) {
                ASSENT_ASSERT(r.index > before && r.index <= upto && !r.result.empty());
                ASSENT_ASSERT(ledger_.at(r.index.value).kind == EntryKind::write);
                ASSENT_ASSERT(!ledger_.cancelled.count(r.index.value));
                before = r.index;
            }
        };
        h.answered = [this](Token token, const Result<std::string>& answer, Index at) {
            ASSENT_ASSERT(questions_.erase(token.value) && at <= ledger_.handed.confirm);
            ASSENT_ASSERT(answer || !answer.error().empty());
        };
        h.digest = [this](Index index, uint64_t) { ASSENT_ASSERT(told_.digests.erase(index.value)); };
        h.store_replaced = [this] {
            if (!attaching_) told_.loaded();
        };
        return h;
    }
    void heard(const Event& e) {
        if (const auto* o = std::get_if<event::Opinions>(&e)) {
            for (Index i : o->accepted) ASSENT_ASSERT(prepared_.count(i.value));
            for (const Rejection& r : o->rejected)
                ASSENT_ASSERT(prepared_.count(r.index.value) && !r.reason.empty() &&
                              r.reason.size() <= kMaxReasonBytes);
        } else if (const auto* a = std::get_if<event::Applied>(&e)) {
            ASSENT_ASSERT(a->upto > applied_ && a->upto <= ledger_.handed.confirm);
            applied_ = a->upto;
        } else if (const auto* n = std::get_if<event::Attached>(&e)) {
            ASSENT_ASSERT(n->applied <= ledger_.handed.confirm);
            applied_ = n->applied;
        } else {
            const auto* h = std::get_if<event::Application>(&e);
            ASSENT_ASSERT(h && h->healthy != healthy_);
            healthy_ = h->healthy;
        }
    }

    // ---- the core

    void prepare() {
        std::vector<EntryPtr> entries;
        for (uint64_t i = ledger_.handed.confirm.value + 1; i <= ledger_.entries.size(); ++i) {
            if (ledger_.at(i).kind != EntryKind::write) continue;
            prepared_.insert(i);
            entries.push_back(ledger_.entries[i - 1]);
        }
        host_->prepare(std::move(entries));
    }
    void decide(size_t most) {
        std::vector<Verdict> verdicts;
        Index upto = ledger_.handed.confirm;
        while (most-- && upto.value < ledger_.entries.size()) {
            upto = next(upto);
            const bool no = ledger_.cancelled.count(upto.value);
            verdicts.push_back({ledger_.entries[upto.value - 1], no ? std::make_shared<Entry>() : nullptr});
        }
        ledger_.handed = {upto, Index(ledger_.entries.size())};
        host_->decided(std::move(verdicts));
    }
    // What is decided stays.
    void withdraw(uint8_t back) {
        const uint64_t from = ledger_.handed.confirm.value + 1 + back;
        prepared_.erase(prepared_.lower_bound(from), prepared_.end());
        host_->withdraw(Index(from));
    }

    // ---- clients

    void query(fuzz::Input& input) {
        const uint8_t what = input.byte();
        questions_.insert(++last_);
        if (what & 1)
            host_->query(Token(last_), Index(what / 2), std::string(input.piece()));
        else
            host_->result_of(Token(last_), Index(what / 2));
    }
    void forget(uint8_t which) {
        host_->flush();  // an answer that is there already would still come
        if (questions_.empty()) return;
        const auto it = std::next(questions_.begin(), which % int(questions_.size()));
        host_->forget(Token(*it));
        questions_.erase(it);
    }
    // Session and request have the same number.
    void snapshot(uint8_t what, fuzz::Input& input) {
        const Snapshots::Client client{++last_, last_, now_ + kRequestUs};
        snapshot_requests_.insert(last_);
        if (what & 1) return host_->save_snapshot(client);
        const uint64_t index = input.byte(), bytes = input.number(3);
        host_->restore_snapshot(client, {Index(index), bytes, {1, 2}});
    }
    void from_client(uint8_t what, fuzz::Input& input) {
        if (snapshot_requests_.empty()) return;
        const uint64_t id = *snapshot_requests_.rbegin();
        if (what % 4 == 3) {
            snapshot_requests_.erase(id);
            return host_->client_gone(id);
        }
        pb::ClientFrame frame;
        if (what % 4 == 0) {
            if (!frame.ParseFromString(std::string(input.piece()))) return;
        } else if (what % 4 == 1) {
            frame.mutable_snapshot_chunk()->set_id(id);
            frame.mutable_snapshot_chunk()->set_offset(input.number(2));
            frame.mutable_snapshot_chunk()->set_data(std::string(input.piece()));
        } else {
            frame.mutable_snapshot_taken()->set_id(id);
            frame.mutable_snapshot_taken()->set_bytes(input.number(3));
        }
        host_->from_client(id, frame);
    }

    // ---- the application

    void attach(fuzz::Input& input) {
        const uint8_t flags = input.byte(), applied = input.byte();
        pb::Attach a;
        a.set_group("jobs");
        a.set_applied(applied);
        a.set_durable(flags & 1 ? applied / 2 : applied);
        a.set_cluster_high(applied ? 1 : 0);
        a.set_cluster_low(applied ? 2 : 0);
        a.set_digests(flags & 2);
        a.set_snapshots(flags & 4);
        a.set_max_pending(flags / 64);
        try_attach(a, flags & 8 ? 2 : 1);
    }
    void try_attach(const pb::Attach& a, pid_t pid) {
        const uint64_t id = ++last_;
        Wire wire;
        wire.send = [this, id](const pb::ToApplication& m) {
            ASSENT_ASSERT(id == told_.id);
            told_.take(ledger_, m);
        };
        wire.waiting_bytes = [] { return size_t(0); };
        pb::AttachReply reply;
        attaching_ = true;
        host_->attach({id, pid, ::geteuid(), "fuzz"}, a, std::move(wire), reply);
        attaching_ = false;
        ASSENT_ASSERT((reply.code() == pb::DONE) == reply.reason().empty());
        if (reply.code() != pb::DONE) return;
        ASSENT_ASSERT(!told_.id && reply.next() == a.applied() + 1);
        told_ = Told();
        told_.id = id;
        told_.given = a.applied();
        told_.max_pending = a.max_pending() ? a.max_pending() : SessionLimits().pending;
        host_->begin(id);
    }
    void gone() {
        if (const uint64_t id = std::exchange(told_.id, 0)) host_->closed(id);
        told_ = Told();
    }
    void says(const pb::FromApplication& m) {
        if (!told_.id) return;
        if (m.has_snapshot_loaded() && m.snapshot_loaded().code() != pb::DONE) {
            const uint64_t id = told_.id, load = told_.loading;
            host_->received(id, m);
            ASSENT_ASSERT(told_.id != id || m.snapshot_loaded().id() != load || !load);  // it is sent away
        } else {
            host_->received(told_.id, m);
        }
    }
    void says_raw(std::string_view bytes) {
        pb::FromApplication m;
        if (m.ParseFromString(std::string(bytes))) return says(m);
        gone();  // the server closes the session
    }
    pb::FromApplication well_formed(fuzz::Input& input) const;
    pb::FromApplication of_snapshot(uint8_t what, fuzz::Input& input) const;

    Ledger ledger_;
    Told told_;
    bool joined_ = false, attaching_ = false, healthy_ = true;
    int64_t now_ = 1;
    uint64_t last_ = 0;  // sessions, requests and tokens are counted together
    Index applied_;
    std::set<uint64_t> prepared_, questions_, snapshot_requests_;
    std::unique_ptr<AttachedHost> host_;
};

pb::FromApplication Group::of_snapshot(uint8_t what, fuzz::Input& input) const {
    pb::FromApplication m;
    const uint64_t id = input.byte();
    if (what == 0) {
        m.mutable_snapshot_chunk()->set_id(id);
        m.mutable_snapshot_chunk()->set_offset(input.number(2));
        m.mutable_snapshot_chunk()->set_data(std::string(input.piece()));
    } else if (what == 1) {
        m.mutable_snapshot_end()->set_id(id);
        m.mutable_snapshot_end()->set_code(pb::Code(input.byte()));
        m.mutable_snapshot_end()->set_index(input.byte());
        m.mutable_snapshot_end()->set_bytes(input.number(2));
    } else if (what == 2) {
        m.mutable_snapshot_taken()->set_id(id);
        m.mutable_snapshot_taken()->set_bytes(input.number(2));
    } else {
        m.mutable_snapshot_loaded()->set_id(id);
        m.mutable_snapshot_loaded()->set_code(pb::Code(input.byte()));
    }
    return m;
}

pb::FromApplication Group::well_formed(fuzz::Input& input) const {
    pb::FromApplication m;
    const uint8_t what = input.byte();
    const auto asked = told_.asks.empty() ? std::pair<const uint64_t, uint64_t>(1, 1)
                                          : *std::next(told_.asks.begin(), what / 16 % int(told_.asks.size()));
    switch (what % 12) {
        case 0:
        case 1:
            m.mutable_accept()->set_index(asked.first);
            m.mutable_accept()->set_ask(asked.second);
            break;
        case 2:
            m.mutable_reject()->set_index(asked.first);
            m.mutable_reject()->set_ask(asked.second);
            m.mutable_reject()->set_reason(std::string(input.piece()));
            break;
        case 3:
        case 4:
            m.mutable_applied()->set_index(what % 12 == 3 ? told_.given : input.byte());
            m.mutable_applied()->set_durable(input.byte());
            m.mutable_applied()->set_result(std::string(input.piece()));
            break;
        case 5:
            m.mutable_answer()->set_id(input.byte());
            m.mutable_answer()->set_code(pb::Code(what / 16));
            m.mutable_answer()->set_data(std::string(input.piece()));
            break;
        case 6: m.mutable_pong()->set_id(told_.last_ping); break;
        case 7:
            m.mutable_digest()->set_index(what & 16 ? told_.given : input.byte());
            m.mutable_digest()->set_value(what);
            break;
        case 8:
        case 9:
        case 10: return of_snapshot(what / 12 % 4, input);
        default: m.mutable_detach()->set_reason("enough"); break;
    }
    return m;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::Input input(data, size);
    Group group;
    while (!input.empty()) group.step(input);
    group.end();
    return 0;
}
