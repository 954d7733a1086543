#include "daemon/requests.h"

#include <algorithm>

#include "core/text.h"

namespace assent {

namespace {

constexpr int64_t kLongestTimeoutUs = 600'000'000;
constexpr int64_t kAnswerTravelUs = 20'000;  // the master gives up this much earlier, so that its answer still counts
constexpr size_t kMostPending = 65'536;
constexpr size_t kMostLatencies = 8'192;
constexpr size_t kMostLeftBehind = 1'024;

pb::Reply reply_to(const pb::Request& request, pb::Code code, const std::string& reason) {
    pb::Reply r;
    r.set_id(request.id());
    r.set_code(code);
    r.set_reason(reason);
    if (request.has_write()) {
        *r.mutable_client() = request.client();
        r.set_sequence(request.sequence());
    } else if (request.has_outcome()) {
        *r.mutable_client() = request.outcome().client();
        r.set_sequence(request.outcome().sequence());
    }
    return r;
}

// To a client's session, or to the node that forwarded.
void deliver(const RequestHooks& hooks, const std::string& group, const Origin& to, const pb::Reply& reply) {
    if (to.kind == Origin::Kind::client) {
        hooks.reply(to, reply);
        return;
    }
    pb::Forwarded f;
    f.set_group(group);
    f.set_key(to.request);
    reply.SerializeToString(f.mutable_reply());
    hooks.forward(NodeId(static_cast<uint32_t>(to.id)), f.SerializeAsString());
}

ClientId client_of(const pb::ClientIdentity& c) { return {Index(c.birth()), c.random()}; }

}  // namespace

Requests::Requests(NodeId self, std::string group, int64_t default_timeout_us, RequestHooks hooks)
    : self_(self), group_(std::move(group)), default_timeout_us_(default_timeout_us), hooks_(std::move(hooks)) {}

// ---- coming in

std::string Requests::malformed(const pb::Request& request) const {
    if (request.has_write()) {
        if (request.client().random() == 0) return "a write needs a client id: take one from the session's hello";
        if (request.sequence() == 0) return "a write's sequence begins at 1";
        Result<bool> fine = hooks_.check_write(request.write().data());
        if (!fine) return fine.error();
    } else if (request.has_outcome() && (request.outcome().client().random() == 0 || !request.outcome().sequence())) {
        return "an outcome is asked for by client and sequence, both above 0";
    } else if (request.what_case() == pb::Request::WHAT_NOT_SET || request.has_watch()) {
        return "the request asks for nothing that is done for another node, or nothing this version knows";
    }
    return {};
}

bool Requests::answer_at_once(const Origin& origin, const pb::Request& request) {
    pb::Reply r = reply_to(request, pb::DONE, "");
    if (std::string why = malformed(request); !why.empty()) {
        r.set_code(pb::BAD_REQUEST);
        r.set_reason(why);
    } else if (request.has_status() || request.has_members()) {
        r.set_json(hooks_.status_json(request.has_members()));
    } else if (request.has_identity()) {
        ClientId c = hooks_.fresh_client();
        r.mutable_client()->set_birth(c.birth.value);
        r.mutable_client()->set_random(c.random);
    } else if (table_.size() >= kMostPending) {
        r.set_code(pb::BUSY);
        r.set_reason("too many requests are waiting on this node; nothing was done");
    } else {
        return false;
    }
    deliver(hooks_, group_, origin, r);
    return true;
}

void Requests::submit(const Origin& origin, pb::Request&& request, int64_t now_us) {
    if (answer_at_once(origin, request)) return;
    uint64_t key = ++last_key_;
    Pending& p = table_[key];
    p.origin = origin;
    p.came_us = now_us;
    int64_t limit = request.deadline_ms()
                        ? static_cast<int64_t>(std::min<uint64_t>(request.deadline_ms(), 600'000)) * 1000
                        : default_timeout_us_;
    p.deadline_us = now_us + std::min(limit, kLongestTimeoutUs);
    p.request = std::move(request);
    if (p.request.has_read() && p.request.read().level() != pb::LEVEL_MASTER) {
        local_read(key, p);
    } else {
        route(key, p, now_us);
    }
}

void Requests::local_read(uint64_t key, Pending& p) {
    Index wanted(p.request.read().level() == pb::LEVEL_APPLIED_AFTER ? p.request.read().index() : 0);
    if (wanted > hooks_.applied()) {
        p.where = Where::after;
        p.index = wanted;
        by_index_.emplace(wanted, key);
        return;
    }
    ++counters_.reads_local;
    p.where = Where::application;
    hooks_.query(key, p.request.read().query());
}

// ---- to whoever is master

void Requests::route(uint64_t key, Pending& p, int64_t now_us) {
    if (hooks_.master_here()) {
        to_core(key, p);
        return;
    }
    NodeId master = hooks_.master();
    if (p.origin.kind == Origin::Kind::peer) {
        // Only the node that took the request from a client looks for the master.
        pb::Forwarded f;
        f.set_group(group_);
        f.set_key(p.origin.request);
        f.set_not_master(true);
        // What may have been proposed here must not count as "nothing was done" there.
        if (p.sent) reply_to(p.request, pb::UNKNOWN, "").SerializeToString(f.mutable_reply());
        hooks_.forward(NodeId(static_cast<uint32_t>(p.origin.id)), f.SerializeAsString());
        table_.erase(key);
        return;
    }
    if (!master || master == self_ || !to_peer(key, p, master, now_us)) park(key, p);
}

void Requests::park(uint64_t key, Pending& p) {
    p.where = Where::nowhere;
    parked_.push_back(key);
}

void Requests::to_core(uint64_t key, Pending& p) {
    p.where = Where::core;
    Token token(key);
    if (p.request.has_write()) {
        hooks_.event(event::Submit{token, client_of(p.request.client()), p.request.sequence(),
                                   p.request.first_unanswered(), p.request.write().data()});
    } else if (p.request.has_read()) {
        hooks_.event(event::Read{token});
    } else if (p.request.has_outcome()) {
        hooks_.event(event::AskOutcome{token, client_of(p.request.outcome().client()), p.request.outcome().sequence()});
    } else {
        hooks_.event(event::MoveMaster{token, NodeId(p.request.move_master().node())});
    }
}

bool Requests::to_peer(uint64_t key, Pending& p, NodeId master, int64_t now_us) {
    int64_t left_us = p.deadline_us - now_us - kAnswerTravelUs;
    if (left_us <= 0) return false;
    uint64_t deadline_ms = p.request.deadline_ms();
    p.request.set_deadline_ms(static_cast<uint64_t>(std::max<int64_t>(left_us / 1000, 1)));
    pb::Forwarded f;
    f.set_group(group_);
    f.set_key(key);
    p.request.SerializeToString(f.mutable_request());
    p.request.set_deadline_ms(deadline_ms);
    if (!hooks_.forward(master, f.SerializeAsString())) return false;
    if (p.request.has_read()) ++counters_.reads_forwarded;
    p.where = Where::peer;
    p.peer = master;
    return true;
}

void Requests::on_forwarded(NodeId from, const pb::Forwarded& f, int64_t now_us) {
    if (f.request().empty()) {
        on_peer_reply(from, f.key(), f);
        // The same node again only with the next tick: it may not know for a while that it is the master.
        if (f.not_master() && hooks_.master() != from) on_surroundings(now_us);
        return;
    }
    pb::Request request;
    if (!request.ParseFromString(f.request())) return;
    submit({Origin::Kind::peer, from.value, f.key()}, std::move(request), now_us);
}

void Requests::on_peer_reply(NodeId from, uint64_t key, const pb::Forwarded& f) {
    auto it = table_.find(key);
    if (it == table_.end() || it->second.where != Where::peer || it->second.peer != from) return;
    Pending& p = it->second;
    pb::Reply reply;
    bool readable = reply.ParseFromString(f.reply());
    if (f.not_master() || !readable) {
        p.sent = p.sent || !f.reply().empty();
        park(key, p);
        return;
    }
    if (reply.code() == pb::BUSY && p.sent && p.request.has_write()) {
        park(key, p);
        return;
    }
    bool nothing_done =
        reply.code() == pb::NO_MAJORITY || reply.code() == pb::NO_MASTER || reply.code() == pb::TIMED_OUT;
    if (nothing_done && p.sent && p.request.has_write()) {
        // True of this attempt, but an earlier one may have reached another master.
        reply.set_code(pb::UNKNOWN);
        reply.set_reason("the write may or may not be confirmed later: " + reply.reason());
    }
    reply.set_id(p.request.id());
    if (reply.code() == pb::UNKNOWN) ++counters_.unknown;
    Origin origin = p.origin;
    table_.erase(it);
    hooks_.reply(origin, reply);
}

// ---- the core's answers

void Requests::on_answer(const Answer& a, int64_t now_us) {
    auto it = table_.find(a.token.value);
    if (it == table_.end() || it->second.where != Where::core) return;
    uint64_t key = it->first;
    Pending& p = it->second;
    switch (a.kind) {
        case AnswerKind::confirmed: confirmed(key, p, a); return;
        case AnswerKind::cancelled:
            p.index = a.index;
            p.epoch = a.epoch;
            finish(key, pb::CANCELLED,
                   a.reason.empty() ? "the write will never take effect"
                                    : concat("a majority of applications cannot take the write: ", a.reason));
            return;
        case AnswerKind::read_ready:
            ++counters_.reads_master;
            p.where = Where::application;
            hooks_.query(key, p.request.read().query());
            return;
        case AnswerKind::done: finish(key, pb::DONE, ""); return;
        case AnswerKind::refused:
            finish(key, pb::OTHER_ERROR,
                   "that node cannot take mastership over: it is no voter, not present, or did not get "
                   "the whole ledger in time; see 'assentctl status'");
            return;
        case AnswerKind::busy:
            if (p.sent && p.expired) {
                give_up(key, false);
            } else if (p.sent) {
                park(key, p);
            } else {
                finish(key, pb::BUSY, "too many writes are undecided; nothing was done, try again");
            }
            return;
        case AnswerKind::unknown:
            if (p.expired || p.request.has_outcome()) {
                give_up(key, false);
            } else {
                p.sent = true;
                park(key, p);  // withdrawn here: the next master may have it, and is asked under the same sequence
            }
            return;
        case AnswerKind::not_master:
            if (p.expired) {
                give_up(key, !p.sent);
            } else {
                park(key, p);
                if (hooks_.master() && !hooks_.master_here()) route(key, p, now_us);
            }
            return;
    }
}

// A confirmed write is answered with the application's result, once it has applied the entry here.
void Requests::confirmed(uint64_t key, Pending& p, const Answer& a) {
    p.index = a.index;
    p.epoch = a.epoch;
    if (a.index <= hooks_.applied()) {
        p.where = Where::application;
        hooks_.result_of(key, a.index);
        return;
    }
    p.where = Where::applying;
    by_index_.emplace(a.index, key);
}

void Requests::on_applied(Index upto, const std::vector<AppliedResult>& results) {
    auto result = results.begin();
    while (!by_index_.empty() && by_index_.begin()->first <= upto) {
        auto [index, key] = *by_index_.begin();
        by_index_.erase(by_index_.begin());
        auto it = table_.find(key);
        if (it == table_.end()) continue;
        Pending& p = it->second;
        if (p.where == Where::after) {
            local_read(key, p);
        } else if (p.where == Where::applying) {
            while (result != results.end() && result->index < index) ++result;
            if (result != results.end() && result->index == index) {
                finish(key, pb::DONE, "", result->result);
            } else {  // empty, or it died with the application that had it: that is for its host to know
                p.where = Where::application;
                hooks_.result_of(key, index);
            }
        }
    }
}

void Requests::on_application(uint64_t key, const Result<std::string>& answer, Index applied) {
    auto it = table_.find(key);
    if (it == table_.end()) return;
    Pending& p = it->second;
    if (p.request.has_read()) {
        p.index = applied;
        finish(key, answer ? pb::DONE : pb::BAD_REQUEST, answer ? "" : answer.error(), answer ? *answer : "");
    } else if (answer) {
        finish(key, pb::DONE, "", *answer);
    } else if (p.request.has_outcome()) {
        finish(key, pb::DONE, "confirmed; its result is not remembered any more");
    } else {
        finish(key, pb::UNKNOWN,
               concat("the write was confirmed at index ", p.index,
                      " before, but its result is not remembered any more"));
    }
}

// ---- going out

void Requests::finish(uint64_t key, pb::Code code, const std::string& reason, const std::string& result) {
    auto it = table_.find(key);
    Pending p = std::move(it->second);
    table_.erase(it);
    pb::Reply r = reply_to(p.request, code, reason);
    r.set_index(p.index.value);
    r.set_epoch(p.epoch.value);
    r.set_result(result);
    if (code == pb::UNKNOWN) ++counters_.unknown;
    if (code == pb::DONE && p.request.has_write() && write_latencies_.size() < kMostLatencies) {
        write_latencies_.push_back(hooks_.now_us() - p.came_us);
    }
    deliver(hooks_, group_, p.origin, r);
}

// ---- time

void Requests::expire(uint64_t key, Pending& p) {
    if (p.expired && p.where == Where::core) return;
    p.expired = true;
    switch (p.where) {
        case Where::core:
            // The core knows whether it was proposed; its answer ends the request.
            hooks_.event(event::Forget{Token(key)});
            return;
        case Where::nowhere:
        case Where::after: give_up(key, !p.sent); return;
        case Where::application: hooks_.forget(key); [[fallthrough]];
        case Where::peer:
        case Where::applying: give_up(key, false); return;
    }
}

// What a client is told whose time is over. A write that some master may have proposed is unknown; what was surely not
// done is refused with the reason why nobody could do it.
void Requests::give_up(uint64_t key, bool surely_not_done) {
    const Pending& p = table_.at(key);
    bool may_be_done = p.request.has_write() && !surely_not_done;
    bool waits_for_application = p.where == Where::applying || p.where == Where::application;
    if (waits_for_application && !p.request.has_read()) {
        finish(key, pb::UNKNOWN,
               concat("the write is confirmed at index ", p.index, ", but the application of node ", self_,
                      " has not answered: ask again with 'outcome'"));
        return;
    }
    if (waits_for_application || p.where == Where::after) {
        finish(key, pb::TIMED_OUT,
               concat("the read was not answered in time: the application of node ", self_, " has applied up to index ",
                      hooks_.applied(), p.where == Where::after ? concat(", and ", p.index, " is waited for") : ""));
        return;
    }
    ReplicaView v = hooks_.view();
    std::string why = v.reason.empty() ? "no majority of the applications answered in time" : v.reason;
    if (may_be_done) {
        finish(key, pb::UNKNOWN, "the write may or may not be confirmed later: " + why);
    } else if (p.request.has_outcome() && v.reason.empty()) {
        finish(key, pb::UNKNOWN,
               "the outcome is not known: the write is older than what is remembered, or not decided yet");
    } else if (!hooks_.master()) {
        finish(key, v.reason.empty() || v.reason.find("master") != std::string::npos ? pb::NO_MASTER : pb::NO_MAJORITY,
               "nothing was done: " + why);
    } else if (!v.reason.empty()) {
        finish(key, pb::NO_MAJORITY, "nothing was done: " + why);
    } else {
        finish(key, pb::TIMED_OUT, "nothing was done: the time was over before the master took the request");
    }
}

void Requests::on_surroundings(int64_t now_us) {
    std::vector<uint64_t> parked = std::exchange(parked_, {});
    for (uint64_t key : parked) {
        auto it = table_.find(key);
        if (it != table_.end() && it->second.where == Where::nowhere) route(key, it->second, now_us);
    }
}

void Requests::on_link_down(NodeId node, int64_t now_us) {
    for (auto& [key, p] : table_) {
        if (p.where != Where::peer || p.peer != node) continue;
        p.sent = true;
        park(key, p);
    }
    on_surroundings(now_us);
}

void Requests::on_session_closed(uint64_t session) {
    // A write goes on: its client may ask for the outcome. Reads are dropped.
    std::erase_if(table_, [this, session](const auto& item) {
        const Pending& p = item.second;
        if (p.origin.kind != Origin::Kind::client || p.origin.id != session || !p.request.has_read()) return false;
        if (p.where == Where::application) hooks_.forget(item.first);
        return p.where != Where::core;
    });
}

void Requests::tick(int64_t now_us) {
    on_surroundings(now_us);
    std::vector<uint64_t> over;
    NodeId master = hooks_.master();
    for (auto& [key, p] : table_) {
        if (now_us >= p.deadline_us) {
            over.push_back(key);
        } else if (p.where == Where::peer && p.peer != master) {
            p.sent = true;
            park(key, p);  // another master by now: ask that one, under the same sequence
        }
    }
    for (uint64_t key : over) {
        auto it = table_.find(key);
        if (it != table_.end()) expire(key, it->second);
    }
    // Reads that wait for an index far away leave their place behind when they end.
    if (by_index_.size() > 2 * table_.size() + kMostLeftBehind) {
        std::erase_if(by_index_, [this](const auto& item) { return !table_.contains(item.second); });
    }
}

}  // namespace assent
