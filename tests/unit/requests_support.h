// Requests with everything around it in the test's hands: nothing happens but what a case says.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "daemon/requests.h"

namespace assent::test {

inline constexpr NodeId kSelf(1);
inline constexpr int64_t kLimitUs = 5'000'000;
inline constexpr uint64_t kSession = 900;
inline constexpr ClientId kClient{Index(3), 77};

struct Sent {
    NodeId to;
    pb::Forwarded f;
    pb::Request request() const {
        pb::Request r;
        EXPECT_TRUE(r.ParseFromString(f.request()));
        return r;
    }
    pb::Reply reply() const {
        pb::Reply r;
        EXPECT_TRUE(r.ParseFromString(f.reply()));
        return r;
    }
};

class RequestsTest : public testing::Test {
  protected:
    RequestHooks hooks() {
        RequestHooks h;
        h.event = [this](Event e) { events_.push_back(std::move(e)); };
        h.reply = [this](const Origin& to, const pb::Reply& r) { replies_.emplace_back(to, r); };
        h.forward = [this](NodeId to, const std::string& bytes) {
            if (!linked_) return false;
            Sent s{to, {}};
            EXPECT_TRUE(s.f.ParseFromString(bytes));
            EXPECT_EQ(s.f.group(), "kv");
            sent_.push_back(s);
            return true;
        };
        h.query = [this](uint64_t key, const std::string& q) { queries_.emplace_back(key, q); };
        h.result_of = [this](uint64_t key, Index i) { lookups_.emplace_back(key, i); };
        h.forget = [this](uint64_t key) { forgotten_.push_back(key); };
        h.now_us = [this] { return now_; };
        h.status_json = [](bool members_only) { return members_only ? "members" : "status"; };
        h.master_here = [this] { return master_ == kSelf; };
        h.master = [this] { return master_; };
        h.view = [this] { return view_; };
        h.applied = [this] { return applied_; };
        h.fresh_client = [] { return ClientId{Index(8), 9}; };
        h.check_write = [](const std::string& data) -> Result<bool> {
            if (data == "bad") return Error{"no such operation"};
            return true;
        };
        return h;
    }

    static pb::Request write(uint64_t sequence = 1, const std::string& data = "x") {
        pb::Request r;
        r.set_id(500 + sequence);
        r.mutable_client()->set_birth(kClient.birth.value);
        r.mutable_client()->set_random(kClient.random);
        r.set_sequence(sequence);
        r.set_first_unanswered(1);
        r.mutable_write()->set_data(data);
        return r;
    }
    static pb::Request read(pb::ReadLevel level, uint64_t index = 0) {
        pb::Request r;
        r.set_id(600);
        r.mutable_read()->set_query("q");
        r.mutable_read()->set_level(level);
        r.mutable_read()->set_index(index);
        return r;
    }
    static pb::Request outcome() {
        pb::Request r;
        r.set_id(700);
        r.mutable_outcome()->mutable_client()->set_birth(kClient.birth.value);
        r.mutable_outcome()->mutable_client()->set_random(kClient.random);
        r.mutable_outcome()->set_sequence(4);
        return r;
    }

    void submit(pb::Request r, uint64_t session = kSession) {
        uint64_t id = r.id();
        requests_.submit({Origin::Kind::client, session, id}, std::move(r), now_);
    }
    // As another node sends it on.
    void submit_from(NodeId peer, uint64_t key, const pb::Request& r) {
        pb::Forwarded f;
        f.set_group("kv");
        f.set_key(key);
        r.SerializeToString(f.mutable_request());
        requests_.on_forwarded(peer, f, now_);
    }
    void peer_replies(const Sent& to, pb::Code code, const std::string& reason = "", const std::string& result = "") {
        pb::Reply r;
        r.set_id(to.request().id());
        r.set_code(code);
        r.set_reason(reason);
        r.set_result(result);
        pb::Forwarded f;
        f.set_key(to.f.key());
        r.SerializeToString(f.mutable_reply());
        requests_.on_forwarded(to.to, f, now_);
    }
    void peer_is_not_master(const Sent& to) {
        pb::Forwarded f;
        f.set_key(to.f.key());
        f.set_not_master(true);
        requests_.on_forwarded(to.to, f, now_);
    }
    void answer(Token token, AnswerKind kind, Index index = Index()) {
        requests_.on_answer({token, kind, index, index ? Epoch(2) : Epoch(), {}}, now_);
    }
    // The newest event, which must be of this kind.
    template <typename E> const E& last_event() {
        if (events_.empty() || !std::holds_alternative<E>(events_.back())) throw Failure("another event was expected");
        return std::get<E>(events_.back());
    }
    template <typename E> size_t count() const {
        size_t n = 0;
        for (const Event& e : events_) n += std::holds_alternative<E>(e);
        return n;
    }
    void apply(Index upto, const std::vector<AppliedResult>& results = {}) {
        applied_ = upto;
        requests_.on_applied(upto, results);
    }
    void wait(int64_t us) {
        now_ += us;
        requests_.tick(now_);
    }
    void master_becomes(NodeId n) {
        master_ = n;
        requests_.on_surroundings(now_);
    }
    // The one answer so far.
    const pb::Reply& told() const {
        if (replies_.size() != 1) throw Failure("replies: " + std::to_string(replies_.size()) + " instead of one");
        return replies_[0].second;
    }
    static bool says(const pb::Reply& r, const std::string& words) {
        return r.reason().find(words) != std::string::npos;
    }

    int64_t now_ = 1'000'000;
    NodeId master_ = kSelf;
    Index applied_{10};
    ReplicaView view_;
    bool linked_ = true;
    std::vector<Event> events_;
    std::vector<std::pair<Origin, pb::Reply>> replies_;
    std::vector<Sent> sent_;
    std::vector<std::pair<uint64_t, std::string>> queries_;
    std::vector<std::pair<uint64_t, Index>> lookups_;
    std::vector<uint64_t> forgotten_;
    Requests requests_{kSelf, "kv", kLimitUs, hooks()};
};

}  // namespace assent::test
