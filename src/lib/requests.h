// The client role: requests from the call that took them until their reply, over as many sessions as it takes. Writes are
// sent again under the same client and sequence, so they take effect once at most (R10).
#pragma once

#include <corosync/corotypes.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "assent/assent.h"
#include "lib/session.h"
#include "proto/client.pb.h"

namespace assent::lib {

struct Reply {
    assent_outcome_t outcome = ASSENT_NOT_DONE;
    cs_error_t error = CS_OK;
    pb::Code code = pb::DONE;
    uint64_t index = 0;
    uint64_t epoch = 0;
    assent_write_id_t id{};
    std::string data;
    std::string reason;
};

class Requests {
  public:
    using Done = std::function<void(Reply&&)>;

    struct Limits {
        uint32_t outstanding;
        size_t bytes;
    };

    // `writable` is called once after a refusal, when half of the limits is free again.
    Requests(Reactor& reactor, Session& session, std::string group, Limits limits, std::function<void()> writable);

    // Is there room for one of `bytes`? If not, it is remembered that somebody was refused.
    bool admit(size_t bytes);
    // Takes a request, which must have been admitted: `what` and its fields are set, nothing else.
    void submit(pb::Request&& request, size_t bytes, Time deadline, Done done);
    // Sends what can be sent now.
    void fill(Time now);

    // Of the session's hooks. False from on_up: it is no session to work with, and has been failed.
    bool on_up(const pb::HelloReply& hello, Time now);
    void on_down(pb::Code code, const std::string& reason);
    void on_reply(pb::Reply&& reply, Time now);

    void tick(Time now);
    Time next_tick() const;

    // Ids of requests on this session, for others who send some.
    uint64_t fresh_id() { return ++last_id_; }
    size_t outstanding() const { return table_.size(); }
    size_t bytes() const { return bytes_; }
    const Limits& limits() const { return limits_; }
    assent_cluster_id_t cluster() const { return cluster_; }
    uint32_t node() const { return node_; }
    uint64_t connects() const { return connects_; }

  private:
    // A client id in use. Once the outcome of a write under it stayed unknown, later writes get another.
    struct Era {
        pb::ClientIdentity client;
        uint64_t last_sequence = 0;
        std::set<uint64_t> unanswered;  // sequences whose outcome is still wanted
    };

    struct Pending {
        pb::Request request;
        size_t bytes = 0;
        Time deadline;
        Done done;
        std::shared_ptr<Era> era;  // of a write that has its id
        bool on_session = false;   // in the session's output, and no reply yet
        uint64_t leaves_at = 0;    // the session's out().written() when it has left whole
        bool maybe_done = false;   // a write that some master may have from an earlier attempt
        Time retry = kNever;
        std::chrono::milliseconds back_off{10};
        pb::Code code = pb::TIMED_OUT;  // of the last attempt
        std::string reason;
    };
    using Table = std::map<uint64_t, Pending>;  // by id, so in the order of submission

    void send(uint64_t id, Pending& p, Time now);
    void identify(Pending& p);
    void again(uint64_t id, Pending& p, Time now);
    bool settle(const Pending& p, pb::Reply& reply, Reply& out) const;
    void settle_write(const Pending& p, pb::Reply& reply, Reply& out) const;
    void expire(Table::iterator it);
    void finish(Table::iterator it, Reply&& reply);
    void new_cluster(const std::string& reason);
    void want_fresh_era();

    Reactor& reactor_;
    Session& session_;
    const std::string group_;
    const Limits limits_;
    const std::function<void()> writable_;
    Table table_;
    std::set<std::pair<Time, uint64_t>> times_;  // deadlines and retries
    std::deque<uint64_t> to_send_;               // may name requests that are gone
    size_t bytes_ = 0;
    bool refused_ = false;
    uint64_t last_id_ = 0;
    std::shared_ptr<Era> era_;
    uint64_t fresh_era_id_ = 0;  // of the request for another one, when it is under way
    bool stale_ = false;         // another era is wanted
    assent_cluster_id_t cluster_{};
    uint32_t node_ = 0;
    uint64_t connects_ = 0;
    std::string down_reason_ = "the daemon was not reached yet";
    pb::Code down_code_ = pb::NOT_REACHABLE;
};

}  // namespace assent::lib
