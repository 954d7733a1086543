// A client of the daemon: one session, blocking calls or many requests at once. What assentctl and assent-bench use.
// One thread at a time; nothing in here waits longer than the deadline it was given.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/fd.h"
#include "base/failure.h"
#include "net/frames.h"
#include "proto/client.pb.h"

namespace assent {

using Deadline = std::chrono::steady_clock::time_point;
inline Deadline deadline_in(std::chrono::milliseconds time) { return std::chrono::steady_clock::now() + time; }

class Client;

// A session, or why there is none: NOT_REACHABLE, TIMED_OUT, or what the daemon refused it with.
struct Connected {
    std::unique_ptr<Client> client;
    pb::Code code = pb::DONE;
    std::string reason;  // a sentence for people
};

class Client {
  public:
    // `where`: the path of a unix socket (anything with a '/'), or HOST:PORT, or [IPv6]:PORT. With a `group` the session has
    // a client id for writes to it.
    static Connected connect(const std::string& where, const std::string& group, const std::string& program,
                             Deadline deadline);

    const pb::HelloReply& hello() const { return hello_; }

    // Requests for the session's group, to be sent by call() or submit(). Sequences are counted here.
    pb::Request write(std::string data);
    pb::Request read(std::string query, pb::ReadLevel level = pb::LEVEL_MASTER, uint64_t applied_after = 0);
    // A write whose reply was UNKNOWN keeps its outcome wanted on the daemon's side until this is called.
    void settled(uint64_t sequence) { unanswered_.erase(sequence); }

    // Sends one request and waits for its reply. Failures of the session come as a Reply too: TIMED_OUT or NOT_REACHABLE if
    // the request did not leave whole, UNKNOWN for a write that did. Replies to requests submitted earlier are kept.
    pb::Reply call(pb::Request request, Deadline deadline);

    // Queues a request and gives it an id. No limit here: the daemon stops reading, and then `queued` grows.
    uint64_t submit(pb::Request request);
    size_t queued() const { return out_.bytes(); }
    size_t outstanding() const { return waiting_.size(); }
    // For poll(): watch for POLLIN, and for POLLOUT while queued() is not 0.
    int fd() const { return socket_.get(); }
    // Writes and reads what goes without waiting. Error: the session is lost; the requests outstanding are answered
    // as call() says, and take() gives those answers.
    Result<bool> pump();
    // Waits until take() has something, then true; or the deadline, or nothing is outstanding.
    bool wait(Deadline deadline);
    // What comes before a reply (Watched, chunks of a snapshot) is given to `fn`; without one it would end the session.
    void on_frame(std::function<void(const pb::ServerFrame&)> fn) { on_frame_ = std::move(fn); }
    // Queues what belongs to a request under way.
    void push(const pb::ClientFrame& frame) { out_.push("", frame.SerializeAsString()); }
    // Waits until something has come, or some of what is queued has left, and works on it. False: the deadline, or the
    // session is lost.
    bool step(Deadline deadline);
    // The next reply, in order of arrival.
    bool take(pb::Reply& reply);

  private:
    struct Waiting {
        uint64_t leaves_at = 0;  // out_.written() when it has left whole
        bool write = false;
        uint64_t sequence = 0;
    };

    explicit Client(Fd socket);
    Connected greet(const std::string& group, const std::string& program, Deadline deadline);
    Result<bool> read_frames();
    void arrived(pb::Reply&& reply);
    void lost(const std::string& why);
    pb::Reply given_up(uint64_t id, const Waiting& waiting, pb::Code unsent, const std::string& why) const;
    bool poll_until(Deadline deadline);

    Fd socket_;
    net::FrameReader in_;
    net::OutQueue out_;
    pb::HelloReply hello_;
    std::string group_;
    bool greeted_ = false;
    std::string lost_;  // why the session ended; empty: it lives
    uint64_t last_id_ = 0;
    uint64_t last_sequence_ = 0;
    std::set<uint64_t> unanswered_;  // sequences whose outcome is still wanted
    std::unordered_map<uint64_t, Waiting> waiting_;
    std::deque<pb::Reply> arrived_;
    std::function<void(const pb::ServerFrame&)> on_frame_;
};

}  // namespace assent
