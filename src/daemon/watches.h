// Clients that watch the confirmed writes of one group, each at its own pace: the newest from memory, older ones from the
// ledger. Of a slow watcher nothing is kept but its place. Loop's thread only.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "app/ledger_pieces.h"
#include "proto/client.pb.h"

namespace assent {

struct WatchOptions {
    size_t most = 1024;
    size_t most_of_session = 64;
    uint64_t window_bytes = 1 << 20;  // on their way without WatchTaken, if the client does not say how many
    uint64_t max_window_bytes = 8 << 20;
    uint64_t kept_bytes = 8 << 20;  // of the newest verdicts, while anybody watches
    uint64_t read_bytes = 1 << 20;  // from the ledger at a time
    uint64_t frame_bytes = 256 << 10;
    uint64_t batch_bytes = 1 << 20;  // sent in one batch of the loop
    size_t session_bytes = 4 << 20;  // with more waiting for a session to be read nothing is added
};

struct WatchHooks {
    std::function<void(uint64_t session, pb::Watched&&)> send;
    std::function<void(uint64_t session, const pb::Reply&)> reply;
    std::function<size_t(uint64_t session)> waiting_bytes;
    std::function<Index()> first;    // of the ledger; 0: empty
    std::function<Index()> durable;  // its last durable entry
    LedgerPieces::ReadFn read;
    LedgerPieces::PostFn post;
    std::function<void()> again;  // another flush() soon
};

class Watches {
  public:
    // `handed`: Replica::handed() now.
    Watches(const VerdictPair& handed, const WatchOptions& options, WatchHooks hooks);

    // The newest verdicts; `handed` is Replica::handed() after them.
    void add(const std::vector<Verdict>& verdicts, const VerdictPair& handed);

    void begin(uint64_t session, const pb::Request& request);
    void taken(uint64_t session, const pb::WatchTaken& taken);
    void stop(uint64_t session, const pb::WatchStop& stop);
    void on_session_closed(uint64_t session);

    // At the end of a batch: shows what there is and what there is room for.
    void flush();
    // From time to time: who had too much waiting may have read it.
    void tick();

  private:
    using Key = std::pair<uint64_t, uint64_t>;  // session and request
    struct Shown {
        Index upto;
        uint64_t bytes;
    };
    struct Watch {
        uint64_t number = 0;  // tells it from an earlier one of the same key
        Index next;           // its place
        uint64_t window = 0;
        std::deque<Shown> shown;  // and not taken yet
        uint64_t shown_bytes = 0;
        bool wants_piece = false;
        unsigned failures = 0;  // of reads, one after the other
    };
    using Table = std::map<Key, Watch>;

    std::string why_not(uint64_t session) const;
    bool has_room(const Key& key, const Watch& watch) const;
    uint64_t advance(const Key& key, Watch& watch, uint64_t budget);
    template <typename It> uint64_t show(const Key& key, Watch& watch, It from, It end);
    uint64_t send(const Key& key, Watch& watch, pb::Watched&& watched, uint64_t bytes);
    void read();
    void was_read(const Key& key, uint64_t number, const LedgerPieces::Piece& piece);
    void was_not_read(const Key& key, Watch& watch, const std::string& trouble);
    void end(const Key& key, pb::Code code, const std::string& reason);
    void forget(Table::iterator watch);

    const WatchOptions options_;
    const WatchHooks hooks_;
    VerdictPair handed_;
    std::deque<Verdict> newest_;  // up to handed_.confirm without holes; empty while nobody watches
    uint64_t newest_bytes_ = 0;
    Table table_;
    Key turn_;  // who was looked at last
    uint64_t last_number_ = 0;
    bool dirty_ = false;
    std::deque<Key> wait_for_piece_;
    bool reading_ = false;
    LedgerPieces pieces_;
};

}  // namespace assent
