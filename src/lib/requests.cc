#include "lib/requests.h"

#include <algorithm>

namespace assent::lib {

namespace {

using std::chrono::milliseconds;

constexpr size_t kFill = 256u << 10;  // bytes in the session's output: what has not left can still be taken back
constexpr milliseconds kAnswerTravel{20};
constexpr milliseconds kLongestBackOff{500};

// Surely nothing was done in this attempt, and another one may do better.
bool try_again(pb::Code code) {
    return code == pb::BUSY || code == pb::NO_MAJORITY || code == pb::NO_MASTER || code == pb::TIMED_OUT ||
           code == pb::NOT_REACHABLE;
}

cs_error_t error_of(pb::Code code) {
    switch (code) {
        case pb::DONE: return CS_OK;
        case pb::USAGE:
        case pb::BAD_REQUEST: return CS_ERR_INVALID_PARAM;
        case pb::NOT_PERMITTED: return CS_ERR_ACCESS;
        case pb::CANCELLED: return CS_ERR_FAILED_OPERATION;
        case pb::UNKNOWN: return CS_ERR_TIMEOUT;
        default: return try_again(code) ? CS_ERR_TIMEOUT : CS_ERR_LIBRARY;
    }
}

}  // namespace

Requests::Requests(Reactor& reactor, Session& session, std::string group, Limits limits, std::function<void()> writable)
    : reactor_(reactor), session_(session), group_(std::move(group)), limits_(limits), writable_(std::move(writable)) {}

// ---- coming in

bool Requests::admit(size_t bytes) {
    // One larger than all the room is taken when it is alone.
    const bool room = table_.size() < limits_.outstanding && (bytes_ == 0 || bytes_ + bytes <= limits_.bytes);
    if (!room) refused_ = true;
    return room;
}

void Requests::submit(pb::Request&& request, size_t bytes, Time deadline, Done done) {
    const uint64_t id = fresh_id();
    Pending& p = table_[id];
    p.request = std::move(request);
    p.request.set_id(id);
    p.request.set_group(group_);
    p.bytes = bytes;
    p.deadline = deadline;
    p.done = std::move(done);
    bytes_ += bytes;
    times_.emplace(deadline, id);
    reactor_.wake_at(deadline);
    to_send_.push_back(id);
}

// ---- going out

void Requests::fill(Time now) {
    while (session_.up() && session_.out().bytes() < kFill && !to_send_.empty()) {
        const uint64_t id = to_send_.front();
        to_send_.pop_front();
        const auto it = table_.find(id);
        if (it != table_.end() && !it->second.on_session) send(id, it->second, now);
    }
}

void Requests::identify(Pending& p) {
    if (!p.era) {
        p.era = era_;
        *p.request.mutable_client() = era_->client;
        p.request.set_sequence(++era_->last_sequence);
        era_->unanswered.insert(p.request.sequence());
    }
    p.request.set_first_unanswered(*p.era->unanswered.begin());
}

void Requests::send(uint64_t id, Pending& p, Time now) {
    const auto left = std::chrono::duration_cast<milliseconds>(p.deadline - now);
    if (left.count() <= 0) return;  // the next tick ends it
    if (p.request.has_write()) identify(p);
    // The daemon knows best what became of it: its word shall come before our own time is over.
    const auto travel = std::min(kAnswerTravel, left / 4);
    p.request.set_deadline_ms(uint64_t(std::max<int64_t>((left - travel).count(), 1)));
    pb::ClientFrame frame;
    frame.mutable_request()->Swap(&p.request);
    session_.push(frame);
    frame.mutable_request()->Swap(&p.request);
    p.on_session = true;
    p.leaves_at = session_.out().pushed();
    if (p.retry != kNever) times_.erase({p.retry, id});
    p.retry = kNever;
}

// ---- the session

bool Requests::on_up(const pb::HelloReply& hello, Time now) {
    const assent_cluster_id_t cluster{hello.cluster_high(), hello.cluster_low()};
    const bool known = cluster_.high || cluster_.low;
    const bool tells = cluster.high || cluster.low;
    if (hello.client().random() == 0) {
        session_.fail(pb::NO_MAJORITY, "the daemon is not in its cluster yet: corosync is not reachable on its node");
        return false;
    }
    if (known && !tells) {
        session_.fail(pb::NO_MAJORITY, "the daemon's ledger is empty, and it has not joined its cluster again yet");
        return false;
    }
    node_ = hello.node();
    ++connects_;
    if (known && (cluster.high != cluster_.high || cluster.low != cluster_.low))
        new_cluster("the daemon belongs to another cluster now");
    if (tells) cluster_ = cluster;
    if (!era_ || stale_ || era_->unanswered.empty()) {
        era_ = std::make_shared<Era>();
        era_->client = hello.client();
        stale_ = false;
    }
    to_send_.clear();
    for (auto& [id, p] : table_) {
        if (p.retry == kNever) to_send_.push_back(id);
    }
    fill(now);
    return true;
}

// What a master of the old cluster may have got has no place in the new one.
void Requests::new_cluster(const std::string& reason) {
    era_.reset();
    for (auto it = table_.begin(); it != table_.end();) {
        const auto at = it++;
        Pending& p = at->second;
        if (!p.era) continue;
        if (p.maybe_done) {
            Reply reply;
            reply.outcome = ASSENT_UNKNOWN;
            reply.error = CS_ERR_TIMEOUT;
            reply.code = pb::UNKNOWN;
            reply.reason = reason;
            finish(at, std::move(reply));
        } else {
            p.era.reset();
        }
    }
}

void Requests::on_down(pb::Code code, const std::string& reason) {
    down_code_ = code;
    down_reason_ = reason;
    to_send_.clear();
    for (auto& [id, p] : table_) {
        if (!p.on_session) continue;
        // What did not leave whole cannot have been understood.
        p.maybe_done = p.maybe_done || (p.request.has_write() && session_.out().written() >= p.leaves_at);
        p.on_session = false;
        p.code = code;
        p.reason = reason;
    }
    fresh_era_id_ = 0;
}

void Requests::on_reply(pb::Reply&& reply, Time now) {
    if (reply.id() == fresh_era_id_ && fresh_era_id_ != 0) {
        fresh_era_id_ = 0;
        if (reply.code() != pb::DONE || reply.client().random() == 0) return;  // the next unknown asks again
        era_ = std::make_shared<Era>();
        era_->client = reply.client();
        stale_ = false;
        return;
    }
    const auto it = table_.find(reply.id());
    if (it == table_.end() || !it->second.on_session) return;  // its time was over
    Pending& p = it->second;
    p.on_session = false;
    const bool undecided = p.request.has_write() && reply.code() == pb::UNKNOWN && reply.index() == 0;
    p.maybe_done = p.maybe_done || undecided;
    if (undecided || try_again(reply.code())) {
        p.code = reply.code();
        p.reason = reply.reason();
        return again(it->first, p, now);
    }
    Reply out;
    if (settle(p, reply, out)) finish(it, std::move(out));
}

void Requests::again(uint64_t id, Pending& p, Time now) {
    p.retry = now + p.back_off;
    p.back_off = std::min(2 * p.back_off, kLongestBackOff);
    times_.emplace(p.retry, id);
    reactor_.wake_at(p.retry);
}

// ---- ending

// What a reply of the daemon means, in the words of the library.
bool Requests::settle(const Pending& p, pb::Reply& reply, Reply& out) const {
    out.code = reply.code();
    out.error = error_of(reply.code());
    out.index = reply.index();
    out.epoch = reply.epoch();
    out.reason = std::move(*reply.mutable_reason());
    out.data = std::move(*reply.mutable_result());
    if (p.request.has_write()) {
        settle_write(p, reply, out);
    } else if (p.request.has_outcome()) {
        out.outcome = reply.code() == pb::DONE        ? ASSENT_CONFIRMED
                      : reply.code() == pb::CANCELLED ? ASSENT_CANCELLED
                      : reply.code() == pb::UNKNOWN   ? ASSENT_UNKNOWN
                                                      : ASSENT_NOT_DONE;
        if (out.outcome == ASSENT_CONFIRMED && !out.reason.empty()) out.error = CS_ERR_NOT_EXIST;
    } else {
        out.outcome = reply.code() == pb::DONE ? ASSENT_ANSWERED : ASSENT_NOT_DONE;
    }
    return true;
}

void Requests::settle_write(const Pending& p, pb::Reply& reply, Reply& out) const {
    switch (reply.code()) {
        case pb::DONE: out.outcome = ASSENT_CONFIRMED; return;
        case pb::CANCELLED: out.outcome = ASSENT_CANCELLED; return;
        case pb::UNKNOWN:  // with an index: confirmed there, but the application's result is not known
            out.outcome = ASSENT_CONFIRMED;
            out.error = CS_ERR_NOT_EXIST;
            return;
        case pb::USAGE:
        case pb::BAD_REQUEST:
        case pb::NOT_PERMITTED:
            if (p.maybe_done) break;
            out.outcome = ASSENT_NOT_DONE;
            return;
        default: break;
    }
    // An earlier attempt may have reached a master, or this daemon says what this library does not know.
    out.outcome = ASSENT_UNKNOWN;
    out.error = CS_ERR_TIMEOUT;
    out.code = pb::UNKNOWN;
}

void Requests::expire(Table::iterator it) {
    Pending& p = it->second;
    const bool left = p.on_session && p.request.has_write() && session_.up();
    Reply reply;
    if (p.request.has_write() && (p.maybe_done || left)) {
        reply.outcome = ASSENT_UNKNOWN;
        reply.code = pb::UNKNOWN;
        reply.reason = "the write may or may not be confirmed later: " +
                       (p.reason.empty() ? std::string("the daemon did not answer in time") : p.reason);
    } else {
        const bool asked = p.on_session || p.code != pb::TIMED_OUT;
        reply.code = asked ? p.code : session_.up() ? pb::BUSY : down_code_;
        reply.reason = !p.reason.empty() ? p.reason
                       : asked           ? "the daemon did not answer in time"
                       : session_.up()   ? "the daemon takes no requests"
                                         : down_reason_;
    }
    reply.error = reply.code == pb::UNKNOWN ? CS_ERR_TIMEOUT : error_of(reply.code);
    finish(it, std::move(reply));
}

void Requests::finish(Table::iterator it, Reply&& reply) {
    Pending& p = it->second;
    if (p.era) {
        reply.id = {p.request.client().birth(), p.request.client().random(), p.request.sequence()};
        if (reply.outcome == ASSENT_UNKNOWN) {
            if (p.era == era_) want_fresh_era();
        } else {
            p.era->unanswered.erase(p.request.sequence());
        }
    } else if (p.request.has_outcome()) {
        const pb::OutcomeRequest& o = p.request.outcome();
        reply.id = {o.client().birth(), o.client().random(), o.sequence()};
    }
    times_.erase({p.deadline, it->first});
    if (p.retry != kNever) times_.erase({p.retry, it->first});
    bytes_ -= p.bytes;
    const Done done = std::move(p.done);
    table_.erase(it);
    if (done) done(std::move(reply));
    if (refused_ && table_.size() <= limits_.outstanding / 2 && bytes_ <= limits_.bytes / 2) {
        refused_ = false;
        writable_();
    }
}

// The table on the daemons' side may have dropped this client, and then it says unknown for ever.
void Requests::want_fresh_era() {
    stale_ = true;
    if (!session_.up() || fresh_era_id_ != 0) return;
    fresh_era_id_ = fresh_id();
    pb::ClientFrame frame;
    frame.mutable_request()->set_id(fresh_era_id_);
    frame.mutable_request()->set_group(group_);
    frame.mutable_request()->mutable_identity();
    session_.push(frame);
}

// ---- time

Time Requests::next_tick() const { return times_.empty() ? kNever : times_.begin()->first; }

void Requests::tick(Time now) {
    while (!times_.empty() && times_.begin()->first <= now) {
        const auto [time, id] = *times_.begin();
        times_.erase(times_.begin());
        const auto it = table_.find(id);
        if (it == table_.end()) continue;
        if (it->second.deadline <= now) {
            expire(it);
        } else {
            it->second.retry = kNever;
            to_send_.push_back(id);
        }
    }
}

}  // namespace assent::lib
