// The process: one loop with everything that hangs on it, and the groups. Made when the options are known, run until a
// signal or a failure ends it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/loop.h"
#include "corosync/corosync.h"
#include "daemon/config.h"
#include "daemon/group.h"
#include "ledger/env.h"
#include "net/client_server.h"
#include "net/links.h"

namespace assent {

struct DaemonOptions {
    std::string state_dir = "/var/lib/assent";
    std::string run_dir = "/run/assent";
};

class Daemon {
  public:
    // Throws Failure if the folders or the socket cannot be had.
    explicit Daemon(const DaemonOptions& options);
    ~Daemon();

    // Until SIGTERM or SIGINT (0), or a failure, which it throws.
    void run();

  private:
    void on_config(const Section& section);
    void on_cluster(const Cluster& cluster);
    void open_groups();
    void on_frame(NodeId from, net::FrameKind kind, std::string_view payload);
    void on_links(const std::vector<NodeId>& up);
    void on_hello(const net::SessionInfo& session, const pb::Hello& hello, pb::HelloReply& reply);
    void on_request(const net::SessionInfo& session, pb::Request&& request);
    void on_closed(net::SessionId session);
    void on_more(net::SessionId session, const pb::ClientFrame& frame);
    void on_attach(const net::SessionInfo& session, const pb::Attach& attach, pb::AttachReply& reply);
    net::ClientServer::Handlers local_handlers();
    GroupPorts ports();
    void reply(net::SessionId session, const pb::Reply& reply);
    void refuse(net::SessionId session, const pb::Request& request, pb::Code code, const std::string& reason);
    void set_peers();
    void publish();
    void shut_down();
    void leave_all(std::function<void()> done);
    // Handlers must not throw: a failure in one ends the run.
    template <typename Fn> void guarded(const Fn& fn);
    Group* find(const std::string& group);

    const DaemonOptions options_;
    Loop loop_;
    ledger::Env& env_;
    std::optional<DaemonConfig> config_;
    std::optional<Cluster> cluster_;
    std::unique_ptr<net::ClientServer> server_;
    std::unique_ptr<net::ClientServer> remote_;
    std::unique_ptr<net::Links> links_;
    std::unique_ptr<Corosync> corosync_;
    std::map<std::string, std::unique_ptr<Group>> groups_;
    std::map<net::SessionId, Group*> applications_;  // sessions of attached applications
    Loop::HookId flush_hook_ = 0;
    bool quorate_ = false;
    bool shutting_down_ = false;
    std::optional<Failure> failure_;
};

}  // namespace assent
