#include "app/attached/session.h"

#include <algorithm>

namespace assent::attached {

namespace {

std::string at(uint64_t index) { return "index " + std::to_string(index); }

}  // namespace

Session::Session(const pb::Attach& attach, const SessionLimits& limits, Wire wire)
    : limits_(limits), wire_(std::move(wire)),
      max_pending_(attach.max_pending() ? std::min<size_t>(attach.max_pending(), limits.pending) : limits.pending),
      digests_(attach.digests()), snapshots_(attach.snapshots()), given_(attach.applied()),
      said_applied_(attach.applied()), durable_(attach.durable()) {}

// ---- to the application

bool Session::room_for_verdict() const {
    const bool empty = unapplied_.empty();
    return (empty || (unapplied_.size() < limits_.window_entries && unapplied_bytes_ < limits_.window_bytes)) &&
           wire_.waiting_bytes() < limits_.wire_bytes;
}

void Session::give(const Verdict& verdict, int64_t now_us) {
    const Entry& e = *verdict.entry;
    tell(verdict, now_us);
    if (digests_ && limits_.digest_every && e.index.value % limits_.digest_every == 0) ask_digest();
}

void Session::tell(const Verdict& verdict, int64_t now_us) {
    const Entry& e = *verdict.entry;
    given_ = e.index;
    if (const auto asked = asked_.find(e.index); asked != asked_.end()) {
        if (asked->second.opinion == Opinion::none) --unanswered_;
        asked_.erase(asked);
    }
    if (e.kind != EntryKind::write) return;
    pb::ToApplication message;
    if (verdict.cancel) {
        message.mutable_cancel()->set_index(e.index.value);
        message.mutable_cancel()->set_reason(verdict.cancel->data);
        if (!owes()) busy_since_us_ = 0;
    } else {
        message.mutable_confirm()->set_index(e.index.value);
        message.mutable_confirm()->set_epoch(e.epoch.value);
        message.mutable_confirm()->set_data(e.data);
        unapplied_.push_back({e.index, e.epoch, weight(e)});
        unapplied_bytes_ += weight(e);
        began(now_us);
    }
    wire_.send(std::move(message));
}

// It may have nothing to say: nothing waits for it.
void Session::ask_digest() {
    if (digests_asked_.size() >= limits_.digests) digests_asked_.pop_front();
    digests_asked_.push_back(given_);
    last_digest_ = std::max(last_digest_, given_);
    pb::ToApplication message;
    message.mutable_digest()->set_index(given_.value);
    wire_.send(std::move(message));
}

bool Session::room_for_prepare(bool alone) const {
    const size_t pending = asked_.size() + unapplied_.size();
    if (alone && (unanswered_ || !unapplied_.empty())) return false;
    return pending < max_pending_ && unapplied_bytes_ < limits_.window_bytes &&
           wire_.waiting_bytes() < limits_.wire_bytes;
}

void Session::ask(const EntryPtr& entry, int64_t now_us) {
    const auto before = asked_.find(entry->index);
    if (before != asked_.end()) {
        if (before->second.opinion == Opinion::accepted) said_.accepted.push_back(entry->index);
        if (before->second.opinion != Opinion::rejected) return;
        asked_.erase(before);
    }
    const uint64_t ask = ++last_ask_;
    asked_.emplace(entry->index, Asked{ask, entry->epoch});
    ++unanswered_;
    began(now_us);
    pb::ToApplication message;
    pb::ToApplication::Prepare& prepare = *message.mutable_prepare();
    prepare.set_index(entry->index.value);
    prepare.set_ask(ask);
    prepare.set_epoch(entry->epoch.value);
    prepare.set_data(entry->data);
    wire_.send(std::move(message));
}

void Session::withdraw(Index from) {
    const auto first = asked_.lower_bound(from);
    std::erase_if(said_.accepted, [from](Index i) { return i >= from; });
    std::erase_if(said_.rejected, [from](const Rejection& r) { return r.index >= from; });
    if (first == asked_.end()) return;
    for (auto it = first; it != asked_.end(); ++it) unanswered_ -= it->second.opinion == Opinion::none;
    asked_.erase(first, asked_.end());
    if (!owes()) busy_since_us_ = 0;
    pb::ToApplication message;
    message.mutable_withdraw()->set_from(from.value);
    wire_.send(std::move(message));
}

bool Session::room_for_query() const {
    return queries_.size() < limits_.queries && wire_.waiting_bytes() < limits_.wire_bytes;
}

void Session::query(Token token, const std::string& request, int64_t now_us) {
    queries_.emplace(++last_query_, token);
    began(now_us);
    pb::ToApplication message;
    message.mutable_query()->set_id(last_query_);
    message.mutable_query()->set_data(request);
    wire_.send(std::move(message));
}

// Its place stays taken until the application has answered.
void Session::forget(Token token) {
    for (auto& [id, asker] : queries_) {
        if (asker == token) asker = Token();
    }
}

void Session::ping(int64_t now_us) {
    if (ping_since_us_) return;
    ping_since_us_ = now_us;
    pb::ToApplication message;
    message.mutable_ping()->set_id(++last_ping_);
    wire_.send(std::move(message));
}

// ---- from it

std::string Session::take(const pb::FromApplication& message, int64_t now_us) {
    std::string broken;
    switch (message.what_case()) {
        case pb::FromApplication::kAccept: broken = take(message.accept()); break;
        case pb::FromApplication::kReject: broken = take(message.reject()); break;
        case pb::FromApplication::kApplied: broken = take(message.applied()); break;
        case pb::FromApplication::kAnswer: broken = take(message.answer()); break;
        case pb::FromApplication::kDigest: broken = take(message.digest()); break;
        case pb::FromApplication::kPong:
            if (message.pong().id() > last_ping_) return "it answers a Ping that was not sent";
            if (message.pong().id() == last_ping_) ping_since_us_ = 0;
            return {};
        default: return "it sends a message that this daemon does not know";
    }
    if (broken.empty()) progressed(now_us);
    return broken;
}

// What is not found was withdrawn or decided meanwhile: nothing is wrong with that.
std::string Session::find(uint64_t index, uint64_t ask, Asked*& found) {
    found = nullptr;
    if (ask == 0 || ask > last_ask_) return "it answers ask " + std::to_string(ask) + ", which was never made";
    const auto it = asked_.find(Index(index));
    if (it != asked_.end() && it->second.ask == ask) {
        found = &it->second;
        return {};
    }
    const bool other = std::any_of(asked_.begin(), asked_.end(), [ask](const auto& a) { return a.second.ask == ask; });
    if (other) return "it answers ask " + std::to_string(ask) + " with " + at(index) + ", which it was not asked about";
    ++ignored_;
    return {};
}

std::string Session::take(const pb::FromApplication::Accept& accept) {
    Asked* asked = nullptr;
    std::string broken = find(accept.index(), accept.ask(), asked);
    if (!asked) return broken;
    if (asked->opinion == Opinion::accepted) {
        ++ignored_;
        return {};
    }
    if (asked->opinion == Opinion::none) --unanswered_;
    asked->opinion = Opinion::accepted;
    std::erase_if(said_.rejected, [&](const Rejection& r) { return r.index.value == accept.index(); });
    said_.accepted.push_back(Index(accept.index()));
    return {};
}

std::string Session::take(const pb::FromApplication::Reject& reject) {
    Asked* asked = nullptr;
    std::string broken = find(reject.index(), reject.ask(), asked);
    if (!asked) return broken;
    if (asked->opinion != Opinion::none) {  // an accept stands
        ++ignored_;
        return {};
    }
    --unanswered_;
    asked->opinion = Opinion::rejected;
    std::string reason = reject.reason().substr(0, kMaxReasonBytes);
    if (reason.empty()) reason = "the application gives no reason";
    said_.rejected.push_back({Index(reject.index()), std::move(reason)});
    return {};
}

std::string Session::take(const pb::FromApplication::Applied& said) {
    const Index upto(said.index());
    if (upto > given_) return "it says that " + at(upto.value) + " is applied, which it was not given";
    if (said.durable() > said.index()) return "its durable index is above its applied index";
    if (upto < said_applied_) {
        ++ignored_;
        return {};
    }
    said_applied_ = upto;
    durable_ = std::max(durable_, Index(said.durable()));
    bool is_new = false;
    while (!unapplied_.empty() && unapplied_.front().index <= upto) {
        is_new = unapplied_.front().index == upto;
        unapplied_bytes_ -= unapplied_.front().bytes;
        unapplied_.pop_front();
    }
    if (is_new && !said.result().empty()) said_.results.push_back({upto, said.result()});
    return {};
}

std::string Session::take(const pb::FromApplication::QueryAnswer& said) {
    if (said.id() == 0 || said.id() > last_query_) return "it answers a query that was not made";
    const auto query = queries_.find(said.id());
    if (query == queries_.end()) {
        ++ignored_;
        return {};
    }
    const Token token = query->second;
    queries_.erase(query);
    if (!token) return {};
    if (said.code() == pb::DONE) {
        said_.answers.push_back({token, said.data()});
    } else {
        said_.answers.push_back(
            {token, Error{said.reason().empty() ? "the application cannot answer this query" : said.reason()}});
    }
    return {};
}

std::string Session::take(const pb::FromApplication::Digest& said) {
    const Index index(said.index());
    const auto asked = std::find(digests_asked_.begin(), digests_asked_.end(), index);
    if (asked != digests_asked_.end()) {
        digests_asked_.erase(asked);
        said_.digests.emplace_back(index, said.value());
    } else if (index > last_digest_ || limits_.digest_every == 0 || index.value % limits_.digest_every) {
        return "it says a digest for " + at(said.index()) + ", which it was not asked for";
    } else {
        ++ignored_;
    }
    return {};
}

Said Session::said() { return std::exchange(said_, {}); }

// Asks are counted on: an answer to an old one must not be taken for one to a new one.
void Session::restart(Index index) {
    given_ = said_applied_ = durable_ = index;
    unapplied_.clear();
    unapplied_bytes_ = 0;
    asked_.clear();
    unanswered_ = 0;
    digests_asked_.clear();
    if (!owes()) busy_since_us_ = 0;
}

// ---- how far it is

bool Session::owes() const { return unanswered_ || !unapplied_.empty() || !queries_.empty(); }

void Session::began(int64_t now_us) {
    if (!busy_since_us_) busy_since_us_ = now_us;
}

void Session::progressed(int64_t now_us) { busy_since_us_ = owes() ? now_us : 0; }

std::optional<Session::InHand> Session::in_hand() const {
    InHand hand;
    for (auto it = asked_.rbegin(); it != asked_.rend(); ++it) {
        if (it->second.opinion != Opinion::none) continue;
        if (!hand.highest) hand.highest = it->first;
        hand.entry = {it->second.epoch, it->first};
    }
    if (!unapplied_.empty()) {
        hand.confirmed = true;
        hand.entry = unapplied_.front().entry();
    }
    if (!hand.entry.index) return std::nullopt;
    return hand;
}

std::vector<Token> Session::queries() const {
    std::vector<Token> tokens;
    for (const auto& [id, token] : queries_) {
        if (token) tokens.push_back(token);
    }
    return tokens;
}

}  // namespace assent::attached
