// Requests of clients and what other nodes forward, in any order with the answers of the core, of the application and of
// the master: whatever comes, each is answered once.
#include <deque>
#include <map>
#include <set>

#include "core/assert.h"
#include "daemon/requests.h"
#include "fuzz/input.h"

namespace {

using namespace assent;

constexpr NodeId kSelf(1);

class Around {
  public:
    // One thing that happens.
    void step(fuzz::Input& input) {
        const uint8_t what = input.byte();
        switch (what % 10) {
            case 0: return client(input.piece());
            case 1: return forwarded(NodeId(2 + what / 10 % 2), input.piece());
            case 2: return requests_.on_answer(answer(input), now_us_);
            case 3: return application(input);
            case 4: return peer_answers(what / 10, input.piece());
            case 5: return pass(input.byte() * 10'000);
            case 6: master_ = NodeId(what / 10 % 4); return requests_.on_surroundings(now_us_);
            case 7: linked_ = !linked_; return requests_.on_link_down(NodeId(2 + what / 10 % 2), now_us_);
            case 8: view_.reason = input.piece(); return;
            case 9: applied_ = Index(applied_.value + what / 10); return requests_.on_applied(applied_, {});
        }
    }

    // Whatever is not answered by now: its time is over.
    void end() {
        for (int i = 0; i < 4 && requests_.busy(); ++i) pass(700'000'000);
        ASSENT_ASSERT(!requests_.busy());
        for (const auto& [origin, count] : owed_) ASSENT_ASSERT(count == 0);
    }

  private:
    using Key = std::tuple<Origin::Kind, uint64_t, uint64_t>;

    RequestHooks hooks() {
        RequestHooks h;
        h.event = [this](Event e) { events_.push_back(std::move(e)); };
        h.reply = [this](const Origin& to, const pb::Reply&) { paid({to.kind, to.id, to.request}); };
        h.forward = [this](NodeId to, const std::string& bytes) { return forward(to, bytes); };
        h.query = [this](uint64_t key, const std::string&) { asked_.push_back(key); };
        h.result_of = [this](uint64_t key, Index) { asked_.push_back(key); };
        h.forget = [this](uint64_t key) { std::erase(asked_, key); };
        h.now_us = [this] { return now_us_; };
        h.status_json = [](bool) { return std::string("{}"); };
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

    void client(std::string_view bytes) {
        pb::Request request;
        if (!request.ParseFromArray(bytes.data(), int(bytes.size()))) return;
        const Origin origin{Origin::Kind::client, 900, ++last_};
        ++owed_[{origin.kind, origin.id, origin.request}];
        requests_.submit(origin, std::move(request), now_us_);
        carry_out();
    }

    void forwarded(NodeId from, std::string_view bytes) {
        pb::Forwarded f;
        if (!f.ParseFromArray(bytes.data(), int(bytes.size()))) return;
        pb::Request request;
        f.set_key(++last_);  // unique at the node that forwards
        if (!f.request().empty() && request.ParseFromString(f.request()))
            ++owed_[{Origin::Kind::peer, from.value, f.key()}];
        requests_.on_forwarded(from, f, now_us_);
        carry_out();
    }

    // The answer to the oldest request that is at another node, if there is one.
    void peer_answers(bool not_master, std::string_view bytes) {
        if (away_.empty()) return;
        pb::Forwarded f;
        f.set_key(away_.front().second);
        f.set_not_master(not_master);
        f.set_reply(std::string(bytes));
        const NodeId from = away_.front().first;
        away_.pop_front();
        requests_.on_forwarded(from, f, now_us_);
        carry_out();
    }

    bool forward(NodeId to, const std::string& bytes) {
        pb::Forwarded f;
        ASSENT_ASSERT(f.ParseFromString(bytes) && f.group() == "kv");
        if (f.request().empty()) {
            paid({Origin::Kind::peer, to.value, f.key()});
        } else if (linked_) {
            away_.emplace_back(to, f.key());
        }
        return linked_;
    }

    void paid(const Key& key) {
        const auto it = owed_.find(key);
        ASSENT_ASSERT(it != owed_.end() && it->second == 1);
        it->second = 0;
    }

    // Of the core, to the oldest of its tokens.
    Answer answer(fuzz::Input& input) {
        const AnswerKind kind = AnswerKind(input.byte() % 8);
        Answer a{Token(), kind, Index(input.byte()), Epoch(input.byte()), {}};
        if (tokens_.empty()) return a;
        a.token = *tokens_.begin();
        tokens_.erase(tokens_.begin());
        return a;
    }

    void application(fuzz::Input& input) {
        if (asked_.empty()) return;
        const uint64_t key = asked_.front();
        asked_.pop_front();
        const bool fine = input.byte() & 1;
        const std::string text(input.piece());
        requests_.on_application(key, fine ? Result<std::string>(text) : Result<std::string>(Error{text}), applied_);
    }

    void pass(int64_t us) {
        now_us_ += us;
        requests_.tick(now_us_);
        carry_out();
    }

    // The core keeps tokens until it answers; what is to be forgotten, it answers at once.
    void carry_out() {
        while (!events_.empty()) {
            const Event e = std::move(events_.front());
            events_.pop_front();
            if (const auto* forget = std::get_if<event::Forget>(&e)) {
                if (tokens_.erase(forget->token))
                    requests_.on_answer({forget->token, AnswerKind::unknown, {}, {}, {}}, now_us_);
            } else if (const auto* submit = std::get_if<event::Submit>(&e)) {
                tokens_.insert(submit->token);
            } else if (const auto* read = std::get_if<event::Read>(&e)) {
                tokens_.insert(read->token);
            } else if (const auto* outcome = std::get_if<event::AskOutcome>(&e)) {
                tokens_.insert(outcome->token);
            } else if (const auto* move = std::get_if<event::MoveMaster>(&e)) {
                tokens_.insert(move->token);
            }
        }
    }

    int64_t now_us_ = 1'000'000;
    NodeId master_ = kSelf;
    Index applied_{10};
    ReplicaView view_;
    bool linked_ = true;
    uint64_t last_ = 0;
    std::map<Key, int> owed_;
    std::deque<Event> events_;
    std::set<Token> tokens_;
    std::deque<uint64_t> asked_;
    std::deque<std::pair<NodeId, uint64_t>> away_;
    Requests requests_{kSelf, "kv", 5'000'000, hooks()};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Around around;
    fuzz::Input input(data, size);
    while (!input.empty()) around.step(input);
    around.end();
    return 0;
}
