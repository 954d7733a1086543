// One replicated application on this node: its core, ledger, application thread and CPG group, tied together. What happens
// comes in as an event for the core; the update that comes out is carried out here, in order.
//
// Loop's thread only.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "app/attached/attached.h"
#include "app/host.h"
#include "base/loop.h"
#include "core/invariants.h"
#include "core/replica.h"
#include "corosync/corosync.h"
#include "daemon/digests.h"
#include "daemon/requests.h"
#include "daemon/status.h"
#include "daemon/watches.h"
#include "ledger/ledger.h"
#include "net/client_server.h"
#include "net/links.h"
#include "wire/message_codec.h"

namespace assent {

struct GroupOptions {
    std::string name;
    std::string state_dir;  // of this group; exists
    bool attached = false;  // the application is a process of its own
    std::string user;       // whose it is; empty: the daemon's
    uint64_t digest_every = 0;
    NodeId node;
    uint64_t ledger_segment_bytes = 64ull << 20;
    uint64_t max_write_bytes = 1 << 20;
    int64_t request_timeout_us = 5'000'000;
    Options core;  // node, incarnation and seeds are filled in
};

// The daemon's side: how answers and messages leave.
struct GroupPorts {
    std::function<void(const Origin&, const pb::Reply&)> reply;
    std::function<bool(NodeId, net::FrameKind, std::string)> send;
    // What a client's request brings before its reply, and what waits to be read by it.
    std::function<void(uint64_t session, uint64_t request, const pb::ServerFrame&)> more;
    std::function<size_t(uint64_t session)> waiting_bytes;
    // To an attached application: a message, and the end of its session.
    std::function<void(uint64_t session, pb::ToApplication&&)> tell;
    std::function<void(uint64_t session, pb::Code, const std::string& reason)> detach;
};

class Group {
  public:
    // Opens ledger and application and reads through both; throws Failure if one of them cannot be used.
    Group(Loop& loop, Corosync& corosync, ledger::Env& env, const GroupOptions& options, GroupPorts ports);
    ~Group();
    Group(const Group&) = delete;
    Group& operator=(const Group&) = delete;

    const std::string& name() const { return options_.name; }
    ClusterId cluster() const { return view().state.cluster; }
    ClientId fresh_client();

    void on_nodelist(const Cluster& cluster);
    void on_quorum(bool quorate);
    void on_links(const std::vector<NodeId>& up);
    // From a peer, over the side channel.
    void on_message(wire::Envelope&& envelope);
    void on_forwarded(NodeId from, const pb::Forwarded& forwarded);
    void on_request(uint64_t session, pb::Request&& request);
    // What a client says to a request of its own that may be one to this group.
    void on_more(uint64_t session, const pb::ClientFrame& frame);
    void on_session_closed(uint64_t session);
    // An application attaches: fills in the answer; on_attached() when it is on its way.
    void on_attach(const net::SessionInfo& session, const pb::Attach& attach, pb::AttachReply& reply);
    void on_attached(uint64_t session);
    void on_application(uint64_t session, const pb::FromApplication& message);
    // Hand mastership over, if it is here; `done` is called when it is gone or cannot go.
    void leave(std::function<void()> done);

    StatusKeys keys();

  private:
    ReplicaView view() const { return replica_->view(); }
    void post(Event event);
    void run(Event event);
    void drain();
    void perform(Update&& update);
    void send(Outgoing&& out);
    void serve(const Serve& serve);
    void on_ledger();
    void on_batch_end();
    void arm(int64_t deadline_us);
    void watch();
    void note_master(Epoch ballot);
    void on_master_change();
    void make_attached();
    void make_digests();
    void on_diverged(const std::string& why);
    void on_snapshot_request(uint64_t session, const pb::Request& request);
    std::string diverged_file() const { return options_.state_dir + "/diverged"; }
    HostHooks host_hooks();
    RequestHooks request_hooks();
    LedgerPieces::ReadFn ledger_reader();
    WatchHooks watch_hooks();
    GroupStatus status() const;
    std::string status_json(bool members_only) const;

    Loop& loop_;
    const GroupOptions options_;
    GroupPorts ports_;
    std::unique_ptr<ledger::Ledger> ledger_;
    std::unique_ptr<Host> host_;
    attached::AttachedHost* attached_ = nullptr;  // host_, if it is one
    std::unique_ptr<Replica> replica_;
#ifdef ASSENT_CHECK_INVARIANTS
    Invariants invariants_;
#endif
    Cpg* cpg_ = nullptr;
    std::unique_ptr<Requests> requests_;
    std::unique_ptr<Watches> watches_;
    std::unique_ptr<Digests> digests_;  // of an attached application
    Cluster cluster_;

    std::deque<Event> events_;
    bool draining_ = false;
    bool dirty_ = false;  // something happened since the last Flush
    Loop::HookId hook_ = 0;
    Loop::TimerId timer_ = 0;
    int64_t armed_us_ = kNever;
    Loop::TimerId tick_timer_ = 0;
    Loop::TimerId watch_timer_ = 0;
    NodeId last_master_;
    Epoch last_ballot_;
    bool was_master_ = false;
    std::vector<NodeId> links_;
    std::function<void()> leaving_;
    LatencyWindow write_latency_;
    uint64_t random_state_;
};

}  // namespace assent
