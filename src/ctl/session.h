// One request to the daemon, brought to an end within the command's time limit: reconnects, repeats what may be
// repeated, and never calls a write "not done" that a daemon may have taken.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "ctl/encoding.h"
#include "ctl/exit_code.h"
#include "proto/client.pb.h"

namespace assent::ctl {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

// Why something did not come to pass.
struct Problem {
    Exit code = Exit::error;  // unreachable, timed_out, not_permitted, …
    std::string reason;
};

// A connection to the daemon; the tests have one of their own.
class Channel {
  public:
    virtual ~Channel() = default;
    // Connects and says hello, unless a session is open.
    virtual std::optional<Problem> open(TimePoint deadline) = 0;
    // The client id that came with the newest hello; none: the daemon could not give one.
    virtual std::optional<Client> client() const = 0;
    // Only while open. Failures come as a reply too, as from assent::Client::call: TIMED_OUT or NOT_REACHABLE if nothing
    // was done, UNKNOWN for a write that had been sent. A session that was lost is no longer open.
    virtual pb::Reply call(const pb::Request& request, TimePoint deadline) = 0;
    virtual TimePoint now() const { return Clock::now(); }
    virtual void pause(Clock::duration how_long);
};

struct WriteResult {
    Exit code = Exit::error;
    uint64_t index = 0;  // 0: none
    uint64_t epoch = 0;
    std::optional<Client> client;  // none: nothing was sent
    uint64_t sequence = 0;
    std::string reason;
    std::string result;  // of the application
};

struct ReadResult {
    Exit code = Exit::error;
    std::string reason;
    pb::Reply reply;
};

class Session {
  public:
    Session(Channel& channel, std::string group, TimePoint deadline)
        : channel_(channel), group_(std::move(group)), deadline_(deadline) {}

    // The repeats within one call carry the same client id and sequence, so that the write takes effect once at most.
    WriteResult write(const std::string& data);
    // Anything but a write; group and deadline are filled in here.
    ReadResult ask(pb::Request request);

  private:
    struct Attempt {
        Exit code = Exit::error;
        std::string reason;
        pb::Reply reply;
        bool repeat = false;  // later it may go better
    };
    Attempt attempt(pb::Request& request);
    bool identify(Attempt& attempt);
    void exchange(pb::Request& request, Attempt& attempt);
    bool pause_before_repeat();

    Channel& channel_;
    std::string group_;
    TimePoint deadline_;
    bool was_open_ = false;
    Clock::duration pause_ = std::chrono::milliseconds(20);
    uint64_t last_sequence_ = 0;
    std::optional<Client> client_;
};

}  // namespace assent::ctl
