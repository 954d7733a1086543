#include "daemon/daemon.h"

#include <sys/stat.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <random>

#include "base/clock.h"
#include "base/log.h"
#include "net/address.h"
#include "proto/peer.pb.h"
#include "version.h"
#include "wire/message_codec.h"

namespace assent {

namespace {

constexpr int64_t kPublishUs = 1'000'000;
constexpr net::SessionId kRemote = net::SessionId(1) << 63;  // tells the sessions of the two servers apart
constexpr int64_t kLeaveUs = 2'000'000;                      // how long a hand-over may hold an exit up

void make_folder(const std::string& path, mode_t mode) {
    if (mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return;
    throw Failure("cannot make the folder " + path + ": " + std::strerror(errno) +
                  "; assentd runs as root, or with --state-dir and --run-dir of its own");
}

}  // namespace

Daemon::Daemon(const DaemonOptions& options) : options_(options), env_(ledger::posix_env()) {
    make_folder(options_.state_dir, 0750);
    make_folder(options_.run_dir, 0755);
    net::ClientServerOptions server;
    server.path = options_.run_dir + "/assentd.sock";
    server_ = std::make_unique<net::ClientServer>(loop_, server, local_handlers());

    CorosyncCallbacks callbacks;
    callbacks.on_config = [this](const Section& s) { guarded([&] { on_config(s); }); };
    callbacks.on_cluster = [this](const Cluster& c) { guarded([&] { on_cluster(c); }); };
    callbacks.on_up = [] { ASSENT_NOTICE("connected to corosync"); };
    callbacks.on_lost = [] { ASSENT_WARNING("corosync is gone: waiting for it to come back"); };
    callbacks.on_quorum = [this](bool quorate, RingId) {
        quorate_ = quorate;
        for (auto& [name, group] : groups_) group->on_quorum(quorate);
    };
    callbacks.on_shutdown = [this](std::function<void()> allow) { leave_all(std::move(allow)); };
    corosync_ = std::make_unique<Corosync>(loop_, std::move(callbacks));
}

Daemon::~Daemon() {
    corosync_->stop();
    groups_.clear();
    if (flush_hook_) loop_.remove_hook(flush_hook_);
}

net::ClientServer::Handlers Daemon::local_handlers() {
    net::ClientServer::Handlers h;
    h.on_hello = [this](const auto& s, const auto& h, auto& r) { on_hello(s, h, r); };
    h.on_request = [this](const auto& s, pb::Request&& r) { on_request(s, std::move(r)); };
    h.on_closed = [this](net::SessionId s) { on_closed(s); };
    h.on_attach = [this](const auto& s, const pb::Attach& a, pb::AttachReply& r) { on_attach(s, a, r); };
    h.on_attached = [this](net::SessionId s) { applications_.at(s)->on_attached(s); };
    h.on_application = [this](net::SessionId s, const pb::FromApplication& m) {
        const auto found = applications_.find(s);
        if (found != applications_.end()) found->second->on_application(s, m);
    };
    h.on_more = [this](net::SessionId s, const pb::ClientFrame& frame) { on_more(s, frame); };
    return h;
}

template <typename Fn> void Daemon::guarded(const Fn& fn) {
    if (failure_) return;
    try {
        fn();
    } catch (const Failure& failure) {
        failure_ = failure;
        loop_.stop();
    }
}

void Daemon::run() {
    loop_.on_signal(SIGTERM, [this] { shut_down(); });
    loop_.on_signal(SIGINT, [this] { shut_down(); });
    corosync_->start();
    loop_.run();
    if (failure_) throw *failure_;
}

// ---- corosync

void Daemon::on_config(const Section& section) {
    DaemonConfig config = parse_config(section);
    for (const std::string& w : config.warnings) ASSENT_WARNING("configuration: %s", w.c_str());
    if (config_ && !(*config_ == config)) {
        ASSENT_WARNING("the section assent of corosync.conf has changed: restart assentd for it to take effect");
        return;
    }
    if (!config_) config_ = std::move(config);
}

void Daemon::on_cluster(const Cluster& cluster) {
    if (!cluster.local) {
        throw Failure("this host is not in the nodelist of corosync.conf: add it there, with its nodeid", 78);
    }
    if (cluster_ && cluster_->local != cluster.local) {
        throw Failure("corosync's node id of this host changed from " + std::to_string(cluster_->local.value) + " to " +
                          std::to_string(cluster.local.value) + ": assentd has to be started again",
                      1);
    }
    bool first = !cluster_;
    cluster_ = cluster;
    if (first) open_groups();
    set_peers();
    for (auto& [name, group] : groups_) group->on_nodelist(cluster);
    if (first) publish();
}

void Daemon::open_groups() {
    net::LinkOptions link;
    link.node = cluster_->local;
    link.incarnation = Incarnation(std::random_device()() | (static_cast<uint64_t>(std::random_device()()) << 32));
    link.cluster = cluster_->name;
    link.listen_port = config_->port;
    link.listen_ip = config_->listen;
    for (const Node& n : cluster_->nodes) {
        if (n.id != cluster_->local || n.addresses.empty()) continue;
        link.source_ip = n.addresses.front();
        if (link.listen_ip.empty()) link.listen_ip = n.addresses.front();
    }
    links_ = std::make_unique<net::Links>(
        loop_, link, [this](NodeId from, net::FrameKind kind, std::string_view bytes) { on_frame(from, kind, bytes); },
        [this](const std::vector<NodeId>& up) { on_links(up); });
    if (config_->client_port) {
        net::ClientServerOptions remote;
        Result<net::Address> address = net::Address::parse(link.listen_ip, config_->client_port);
        if (!address) throw Failure("client_port: " + address.error(), 78);
        remote.tcp = *address;
        net::ClientServer::Handlers handlers;
        handlers.on_hello = [this](const auto& s, const auto& h, auto& r) { on_hello(s, h, r); };
        handlers.on_request = [this](const net::SessionInfo& s, pb::Request&& r) {
            net::SessionInfo remote = s;
            remote.id |= kRemote;
            on_request(remote, std::move(r));
        };
        handlers.on_closed = [this](net::SessionId s) { on_closed(s | kRemote); };
        handlers.on_more = [this](net::SessionId s, const pb::ClientFrame& frame) { on_more(s | kRemote, frame); };
        remote_ = std::make_unique<net::ClientServer>(loop_, remote, handlers);
    }
    for (const GroupConfig& g : config_->groups) {
        GroupOptions o;
        o.name = g.name;
        o.state_dir = options_.state_dir + "/" + g.name;
        make_folder(o.state_dir, 0750);
        o.node = cluster_->local;
        o.ledger_segment_bytes = config_->ledger_segment_bytes;
        o.max_write_bytes = config_->max_write_bytes;
        o.request_timeout_us = config_->request_timeout_ms * 1000;
        o.core.priority = g.priority;
        o.core.lease_us = config_->lease_ms * 1000;
        o.core.heartbeat_us = config_->heartbeat_ms * 1000;
        o.core.master_timeout_us = config_->master_timeout_ms * 1000;
        o.core.ack_by_cpg = config_->ack_path == AckPath::cpg;
        o.attached = g.application == ApplicationKind::attached;
        o.user = g.user;
        o.digest_every = g.digest_every;
        groups_[g.name] = std::make_unique<Group>(loop_, *corosync_, env_, o, ports());
        groups_[g.name]->on_quorum(quorate_);
        ASSENT_NOTICE("group %s is open", g.name.c_str());
    }
    // After the groups' own hooks: what they made in this batch leaves with it.
    flush_hook_ = loop_.on_batch_end([this] {
        links_->flush();
        server_->flush();
        if (remote_) remote_->flush();
    });
}

GroupPorts Daemon::ports() {
    GroupPorts p;
    p.reply = [this](const Origin& origin, const pb::Reply& reply) { this->reply(origin.id, reply); };
    p.send = [this](NodeId to, net::FrameKind kind, std::string bytes) {
        return links_->send(to, kind, std::move(bytes));
    };
    p.tell = [this](uint64_t session, pb::ToApplication&& message) { server_->send(session, std::move(message)); };
    p.waiting_bytes = [this](uint64_t session) {
        return session & kRemote ? remote_->waiting_bytes(session & ~kRemote) : server_->waiting_bytes(session);
    };
    p.more = [this](uint64_t session, uint64_t request, const pb::ServerFrame& frame) {
        if (session & kRemote) {
            remote_->send(session & ~kRemote, request, frame);
        } else {
            server_->send(session, request, frame);
        }
    };
    p.detach = [this](uint64_t session, pb::Code code, const std::string& reason) {
        applications_.erase(session);
        server_->close(session, code, reason);
    };
    return p;
}

void Daemon::set_peers() {
    std::map<NodeId, net::PeerAddress> peers;
    for (const Node& n : cluster_->nodes) {
        if (!n.addresses.empty()) peers[n.id] = {n.addresses.front(), config_->port};
    }
    links_->set_peers(peers);
}

// ---- peers

void Daemon::on_frame(NodeId from, net::FrameKind kind, std::string_view payload) {
    if (kind == net::FrameKind::forward) {
        pb::Forwarded forwarded;
        if (!forwarded.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
            ASSENT_WARNING("node %u forwarded something malformed", from.value);
        } else if (Group* g = find(forwarded.group())) {
            g->on_forwarded(from, forwarded);
        }
        return;
    }
    Result<wire::Envelope> envelope = wire::decode_message(payload);
    if (!envelope || envelope->header.from != from) {
        ASSENT_WARNING("a message of node %u was dropped: %s", from.value,
                       envelope ? "it names another sender" : envelope.error().c_str());
    } else if (Group* g = find(envelope->group)) {
        g->on_message(std::move(*envelope));
    }
}

void Daemon::on_links(const std::vector<NodeId>& up) {
    for (auto& [name, group] : groups_) group->on_links(up);
}

// ---- clients

Group* Daemon::find(const std::string& group) {
    auto found = groups_.find(group);
    return found == groups_.end() ? nullptr : found->second.get();
}

void Daemon::on_hello(const net::SessionInfo&, const pb::Hello& hello, pb::HelloReply& reply) {
    reply.set_version(ASSENT_VERSION);
    if (!cluster_) return;  // requests are refused with the reason until corosync has been seen
    reply.set_node(cluster_->local.value);
    for (auto& [name, group] : groups_) reply.add_groups(name);
    if (hello.group().empty()) return;
    Group* g = find(hello.group());
    if (!g) {
        reply.set_code(pb::BAD_REQUEST);
        reply.set_reason("no group '" + hello.group() + "' is configured on this node; see 'groups' in corosync.conf");
        return;
    }
    reply.set_cluster_high(g->cluster().high);
    reply.set_cluster_low(g->cluster().low);
    ClientId id = g->fresh_client();
    reply.mutable_client()->set_birth(id.birth.value);
    reply.mutable_client()->set_random(id.random);
}

void Daemon::on_request(const net::SessionInfo& session, pb::Request&& request) {
    if (!cluster_) {
        refuse(session.id, request, pb::NO_MAJORITY,
               "corosync is not reachable on this node: start it, or look at its log; nothing was done");
        return;
    }
    Group* g = find(request.group());
    if (!g) {
        refuse(session.id, request, pb::BAD_REQUEST, "no group '" + request.group() + "' is configured on this node");
    } else if (request.has_move_master() && !session.local) {
        refuse(session.id, request, pb::NOT_PERMITTED, "mastership is moved over the unix socket alone");
    } else if ((request.has_snapshot_save() || request.has_snapshot_restore()) && !session.local) {
        refuse(session.id, request, pb::NOT_PERMITTED, "snapshots are saved and restored over the unix socket alone");
    } else {
        g->on_request(session.id, std::move(request));
    }
}

// A session's ids are its own, so one group alone knows the request.
void Daemon::on_more(net::SessionId session, const pb::ClientFrame& frame) {
    for (auto& [name, group] : groups_) group->on_more(session, frame);
}

void Daemon::on_attach(const net::SessionInfo& session, const pb::Attach& attach, pb::AttachReply& reply) {
    if (!cluster_) {
        reply.set_code(pb::BUSY);
        reply.set_reason("corosync is not reachable on this node yet");
        return;
    }
    Group* g = find(attach.group());
    if (!g) {
        reply.set_code(pb::BAD_CONFIGURATION);
        reply.set_reason("no group '" + attach.group() + "' is configured on this node; see 'groups' in corosync.conf");
        return;
    }
    g->on_attach(session, attach, reply);
    if (reply.code() == pb::DONE) applications_[session.id] = g;
}

void Daemon::on_closed(net::SessionId session) {
    applications_.erase(session);
    for (auto& [name, group] : groups_) group->on_session_closed(session);
}

void Daemon::reply(net::SessionId session, const pb::Reply& reply) {
    if (session & kRemote) {
        remote_->reply(session & ~kRemote, reply);
    } else {
        server_->reply(session, reply);
    }
}

void Daemon::refuse(net::SessionId session, const pb::Request& request, pb::Code code, const std::string& reason) {
    pb::Reply reply;
    reply.set_id(request.id());
    reply.set_code(code);
    reply.set_reason(reason);
    this->reply(session, reply);
    server_->flush();
    if (remote_) remote_->flush();
}

// ---- status and the end

void Daemon::publish() {
    StatusKeys keys;
    for (auto& [name, group] : groups_) keys.merge(group->keys());
    keys["pid"] = static_cast<uint32_t>(getpid());
    keys["version"] = std::string(ASSENT_VERSION);
    keys["updated_ms"] = static_cast<uint64_t>(wall_now_ms());
    corosync_->publish(std::move(keys));
    loop_.timer_once(kPublishUs, [this] { publish(); });
}

void Daemon::leave_all(std::function<void()> done) {
    auto left = std::make_shared<size_t>(groups_.size() + 1);
    auto one = [left, done = std::move(done)] {
        if (--*left == 0) done();
    };
    for (auto& [name, group] : groups_) group->leave(one);
    one();
}

void Daemon::shut_down() {
    if (shutting_down_) return;
    shutting_down_ = true;
    ASSENT_NOTICE("asked to end: handing over what is mastered here");
    loop_.timer_once(kLeaveUs, [this] { loop_.stop(); });
    leave_all([this] { loop_.stop(); });
}

}  // namespace assent
