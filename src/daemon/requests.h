// Clients' requests to one group, from the moment they come until they are answered: which node serves them, what is tried
// again, and what a client is told when its time is over. A write is sent again under the same client and sequence, so it
// takes effect once at most (R10).
#pragma once

#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "app/application.h"
#include "core/event.h"
#include "core/replica.h"
#include "proto/client.pb.h"
#include "proto/peer.pb.h"

namespace assent {

// Where an answer goes.
struct Origin {
    enum class Kind : uint8_t { client, peer } kind = Kind::client;
    uint64_t id = 0;  // the client's session, or the node that forwarded
    uint64_t request = 0;
};

// What Requests needs of the group around it; all on the loop's thread.
struct RequestHooks {
    std::function<void(Event)> event;  // for the core; not carried out at once
    std::function<void(const Origin&, const pb::Reply&)> reply;
    std::function<bool(NodeId, const std::string&)> forward;  // bytes of a pb::Forwarded
    std::function<void(uint64_t key, const std::string& query)>
        query;                                           // to the application; comes back as on_application
    std::function<void(uint64_t key, Index)> result_of;  // likewise
    std::function<void(uint64_t key)> forget;            // neither is wanted any more
    std::function<int64_t()> now_us;                     // CLOCK_MONOTONIC_RAW
    std::function<std::string(bool members_only)> status_json;
    std::function<bool()> master_here;
    std::function<NodeId()> master;
    std::function<ReplicaView()> view;
    std::function<Index()> applied;
    std::function<ClientId()> fresh_client;
    std::function<Result<bool>(const std::string&)> check_write;
};

struct RequestCounters {
    uint64_t reads_master = 0;
    uint64_t reads_forwarded = 0;
    uint64_t reads_local = 0;
    uint64_t unknown = 0;
};

class Requests {
  public:
    Requests(NodeId self, std::string group, int64_t default_timeout_us, RequestHooks hooks);

    void submit(const Origin& origin, pb::Request&& request, int64_t now_us);
    // A peer's forward, or its answer to one of ours.
    void on_forwarded(NodeId from, const pb::Forwarded& forwarded, int64_t now_us);
    void on_answer(const Answer& answer, int64_t now_us);
    // Applied up to here; results that are not plain success, in index order.
    void on_applied(Index upto, const std::vector<AppliedResult>& results);
    // The answer to a query, or the result that was looked up.
    void on_application(uint64_t key, const Result<std::string>& answer, Index applied);
    // Master or links changed: what is not under way is tried again.
    void on_surroundings(int64_t now_us);
    void on_link_down(NodeId node, int64_t now_us);
    void on_session_closed(uint64_t session);

    // Deadlines and retries: to be called every kTickUs while busy().
    void tick(int64_t now_us);
    bool busy() const { return !table_.empty(); }
    static constexpr int64_t kTickUs = 20'000;

    const RequestCounters& counters() const { return counters_; }
    // Latencies of writes answered since the last call, microseconds, at most some thousands.
    std::vector<int64_t> take_write_latencies() { return std::exchange(write_latencies_, {}); }

  private:
    enum class Where : uint8_t {
        nowhere,      // waits for a master
        core,         // with this node's core
        peer,         // forwarded
        applying,     // confirmed, waits for the application's result
        application,  // a query is being answered, or a result looked up
        after,        // a read that waits for its index
    };
    struct Pending {
        Origin origin;
        pb::Request request;
        int64_t came_us = 0;
        int64_t deadline_us = 0;
        Where where = Where::nowhere;
        NodeId peer;
        Index index;
        Epoch epoch;
        bool sent = false;     // an earlier attempt may have been proposed
        bool expired = false;  // Forget is on its way
    };
    using Table = std::unordered_map<uint64_t, Pending>;

    std::string malformed(const pb::Request& request) const;
    bool answer_at_once(const Origin& origin, const pb::Request& request);
    void route(uint64_t key, Pending& p, int64_t now_us);
    void to_core(uint64_t key, Pending& p);
    bool to_peer(uint64_t key, Pending& p, NodeId master, int64_t now_us);
    void park(uint64_t key, Pending& p);
    void local_read(uint64_t key, Pending& p);
    void confirmed(uint64_t key, Pending& p, const Answer& answer);
    void finish(uint64_t key, pb::Code code, const std::string& reason, const std::string& result = std::string());
    void expire(uint64_t key, Pending& p);
    void give_up(uint64_t key, bool surely_not_done);
    void on_peer_reply(NodeId from, uint64_t key, const pb::Forwarded& f);

    const NodeId self_;
    const std::string group_;
    const int64_t default_timeout_us_;
    const RequestHooks hooks_;
    Table table_;
    uint64_t last_key_ = 0;
    std::multimap<Index, uint64_t> by_index_;  // Where::applying and Where::after
    std::vector<uint64_t> parked_;             // Where::nowhere; may name keys that are gone
    RequestCounters counters_;
    std::vector<int64_t> write_latencies_;
};

}  // namespace assent
