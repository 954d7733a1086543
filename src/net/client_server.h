// Sessions of clients on the unix socket and, if wanted, on TCP: HELLO, then requests and replies, or, after Attach,
// what an application and its group have to say to each other (proto/client.proto).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/loop.h"
#include "net/listener.h"
#include "net/stream.h"
#include "proto/client.pb.h"

namespace assent::net {

constexpr uint32_t kClientProtocol = 1;

using SessionId = uint64_t;  // never used again; 0: none

struct ClientServerOptions {
    std::string path;                   // of the unix socket; empty: none
    std::string unix_group = "assent";  // who may connect besides the owner, if there is such a group
    std::optional<Address> tcp;         // port 0: the kernel chooses (tests)
    size_t max_sessions = 1024;
    size_t max_requests = 4096;                   // of one session without reply; it is not read from while it has more
    size_t max_request_bytes = 32u << 20;         // likewise
    size_t max_frame = (2u << 20) + (64u << 10);  // from a client or an application
    size_t reply_bytes = 128u << 20;              // waiting for a session to take them; beyond it the session is closed
    size_t reply_bytes_pause = 8u << 20;          // with more waiting it is not read from
    int64_t hello_timeout_us = 5'000'000;
    int64_t stall_us = 30'000'000;  // a session that takes nothing of its replies for so long is closed
};

struct SessionInfo {
    SessionId id = 0;
    bool local = false;  // the unix socket: pid, uid and gid are the kernel's word
    pid_t pid = 0;
    uid_t uid = uid_t(-1);
    gid_t gid = gid_t(-1);
    std::string from;     // for people: "uid 1000, pid 4711" or an address
    std::string program;  // what it calls itself
};

// Loop's thread only. The owner calls flush() at the end of every batch, after everything that may reply.
class ClientServer {
  public:
    // Fills in the answer; a code other than DONE refuses the session.
    using HelloFn = std::function<void(const SessionInfo&, const pb::Hello&, pb::HelloReply&)>;
    // A request with one of `what`'s kinds set; owes one reply, now or later.
    using RequestFn = std::function<void(const SessionInfo&, pb::Request&&)>;
    // Fills in the answer; a code other than DONE refuses, and the session is closed. DONE makes it an application's
    // session, and `attached` is called once the answer is queued.
    using AttachFn = std::function<void(const SessionInfo&, const pb::Attach&, pb::AttachReply&)>;
    using AttachedFn = std::function<void(SessionId)>;
    using ApplicationFn = std::function<void(SessionId, const pb::FromApplication&)>;
    // What a client says to a request of its own that has no reply yet (WatchTaken, SnapshotChunk, …). If there is no such
    // request (any more) it does not come.
    using MoreFn = std::function<void(SessionId, const pb::ClientFrame&)>;
    // The session, whose HELLO had been answered, is gone, and whatever it still waits for with it.
    using ClosedFn = std::function<void(SessionId)>;
    struct Handlers {
        HelloFn on_hello;
        RequestFn on_request;
        ClosedFn on_closed;
        AttachFn on_attach;  // none: nobody may attach here
        AttachedFn on_attached;
        ApplicationFn on_application;
        MoreFn on_more;
    };

    // Throws Failure when it cannot listen.
    ClientServer(Loop& loop, ClientServerOptions options, Handlers handlers);
    ~ClientServer();
    ClientServer(const ClientServer&) = delete;
    ClientServer& operator=(const ClientServer&) = delete;

    // Queues the reply to the request with its id. False: the session is gone, or has no such request outstanding.
    bool reply(SessionId session, pb::Reply reply);
    // Queues a message for an application. False: the session is gone.
    bool send(SessionId session, pb::ToApplication&& message);
    // Queues what a request brings before its reply. False: the session is gone, or has no such request outstanding.
    bool send(SessionId session, uint64_t request, const pb::ServerFrame& frame);
    // Bytes queued for the session.
    size_t waiting_bytes(SessionId session) const;
    // Writes what was queued: the replies of one batch leave together.
    void flush();
    // Tells the client why, with what was queued before, and closes. on_closed is called at once.
    void close(SessionId session, pb::Code code, const std::string& reason);

    const SessionInfo* find(SessionId session) const;
    size_t sessions() const { return sessions_.size(); }
    uint16_t tcp_port() const { return tcp_ ? tcp_->port() : 0; }

  private:
    struct Session;
    // Told why it is closed, and gone for everybody else.
    struct Leaving {
        std::shared_ptr<Stream> stream;
        int64_t since_us = 0;
    };

    void accept(Fd socket, const std::optional<Address>& from);
    void received(SessionId id, std::string_view frame);
    void greeted(Session& session, const pb::Hello& hello);
    void requested(Session& session, pb::Request&& request, size_t bytes);
    void attach(Session& session, const pb::Attach& attach);
    bool queue(Session& session, std::string frame);
    void from_client(Session& session, pb::ClientFrame& frame, size_t bytes);
    void refuse(Session& session, pb::Code code, const std::string& reason);
    void leave(Session& session);
    void gone(SessionId id, const std::string& why);
    void hold_back(Session& session);
    void mark(Session& session);
    void tick();

    Loop& loop_;
    const ClientServerOptions options_;
    Handlers handlers_;
    StreamLimits limits_;
    SessionId last_ = 0;
    std::unordered_map<SessionId, std::unique_ptr<Session>> sessions_;
    std::vector<SessionId> dirty_;  // have something to flush
    std::map<SessionId, Leaving> leaving_;
    std::unique_ptr<Listener> unix_;
    std::unique_ptr<Listener> tcp_;
    Loop::TimerId tick_ = 0;
};

}  // namespace assent::net
