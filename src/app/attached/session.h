// One attachment: what the application was given and what it owes for it. Knows the protocol of
// doc/application-protocol.md, and nothing of the group around.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/application.h"
#include "core/types.h"
#include "proto/client.pb.h"

namespace assent::attached {

// The way to the application.
struct Wire {
    std::function<void(pb::ToApplication)> send;
    std::function<size_t()> waiting_bytes;  // that it has not read yet
};

struct SessionLimits {
    size_t window_entries = 4096;  // verdicts without Applied
    uint64_t window_bytes = 8 << 20;
    size_t pending = 4096;  // most of Attach.max_pending
    size_t queries = 256;
    size_t wire_bytes = 4 << 20;  // with more waiting nothing is added
    uint64_t digest_every = 0;    // a digest is wanted at each index that is a multiple of it; 0: none
    size_t digests = 16;          // asked for and not answered: the newest, the others are not wanted any more
};

// What an application said since it was last taken.
struct Said {
    std::vector<Index> accepted;
    std::vector<Rejection> rejected;
    std::vector<AppliedResult> results;
    struct Answer {
        Token token;
        Result<std::string> answer;
    };
    std::vector<Answer> answers;
    std::vector<std::pair<Index, uint64_t>> digests;
};

class Session {
  public:
    Session(const pb::Attach& attach, const SessionLimits& limits, Wire wire);

    // ---- to the application

    bool room_for_verdict() const;
    // Verdicts in index order, each one once; other kinds of entries only move the place.
    void give(const Verdict& verdict, int64_t now_us);
    // `alone`: only when it has nothing else in hand.
    bool room_for_prepare(bool alone) const;
    // Asks, unless it was asked and has not answered, or has accepted. The verdict is not known yet.
    void ask(const EntryPtr& entry, int64_t now_us);
    void withdraw(Index from);
    bool room_for_query() const;
    void query(Token token, const std::string& request, int64_t now_us);
    void forget(Token token);
    void ping(int64_t now_us);
    void send(pb::ToApplication message) { wire_.send(std::move(message)); }

    // ---- from it

    // Not empty: it broke the protocol, and has to go; a clause for people.
    std::string take(const pb::FromApplication& message, int64_t now_us);
    Said said();

    // ---- how far it is

    Index given() const { return given_; }
    // Everything up to here it has applied or needs not to.
    Index applied() const { return unapplied_.empty() ? given_ : prior(unapplied_.front().index); }
    Index durable() const { return durable_; }
    bool strict() const { return max_pending_ == 1; }
    bool snapshots() const { return snapshots_; }
    // Its state is another one now, which has everything up to here.
    void restart(Index index);
    // Since when it owes an answer without having given any, and since when a Pong; 0: it owes none.
    int64_t busy_since_us() const { return busy_since_us_; }
    int64_t ping_since_us() const { return ping_since_us_; }
    // What it is working on if it works in order: the first confirm, else the first prepare, without an answer.
    struct InHand {
        Position entry;
        bool confirmed = false;
        Index highest;  // of all it was asked and has not answered
    };
    std::optional<InHand> in_hand() const;
    // Questions it has not answered.
    std::vector<Token> queries() const;
    uint64_t ignored() const { return ignored_; }

  private:
    enum class Opinion : uint8_t { none, accepted, rejected };
    struct Asked {
        uint64_t ask;
        Epoch epoch;
        Opinion opinion = Opinion::none;
    };
    struct Given {
        Position entry() const { return {epoch, index}; }
        Index index;
        Epoch epoch;
        uint64_t bytes;
    };

    std::string take(const pb::FromApplication::Accept& accept);
    std::string take(const pb::FromApplication::Reject& reject);
    std::string take(const pb::FromApplication::Applied& applied);
    std::string take(const pb::FromApplication::QueryAnswer& answer);
    std::string take(const pb::FromApplication::Digest& digest);
    void tell(const Verdict& verdict, int64_t now_us);
    void ask_digest();
    std::string find(uint64_t index, uint64_t ask, Asked*& found);
    bool owes() const;
    void began(int64_t now_us);
    void progressed(int64_t now_us);

    const SessionLimits limits_;
    const Wire wire_;
    const size_t max_pending_;
    const bool digests_;    // it understands DigestRequest
    const bool snapshots_;  // and SnapshotSave and SnapshotLoad
    Index given_;
    Index said_applied_;  // by Applied, or when it attached
    Index durable_;
    std::deque<Given> unapplied_;
    uint64_t unapplied_bytes_ = 0;
    std::map<Index, Asked> asked_;  // prepared, and no verdict given
    uint64_t last_ask_ = 0;
    size_t unanswered_ = 0;              // of asked_
    std::map<uint64_t, Token> queries_;  // by id
    uint64_t last_query_ = 0;
    std::deque<Index> digests_asked_;  // and not answered
    Index last_digest_;
    uint64_t last_ping_ = 0;
    int64_t ping_since_us_ = 0;
    int64_t busy_since_us_ = 0;
    uint64_t ignored_ = 0;  // answers that came too late or twice
    Said said_;
};

}  // namespace assent::attached
