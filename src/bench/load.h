// The closed loop: one thread, poll(), many requests outstanding on a few sessions.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "bench/histogram.h"
#include "bench/options.h"
#include "lib/client.h"

namespace assent::bench {

// What one kind of operation came to inside the window. Latencies in nanoseconds.
struct Tally {
    Histogram latency;
    uint64_t done = 0;
};

struct Measured {
    double seconds = 0;  // the window as it was
    Tally puts;
    Tally gets;
    std::map<int, uint64_t> errors;  // by code of proto/client.proto
    std::string first_error;         // its reason
    uint64_t reconnects = 0;
    double own_cpu = 0;
};

class Load {
  public:
    explicit Load(const Options& options);
    ~Load();

    // Opens all sessions; throws Failure (exit code 69 and so on) if a daemon does not take one.
    void connect();
    // Writes every key once. Throws Failure if a write gets a definite error, or none is answered for 30 s.
    void write_all_keys();
    // For so long; what was answered meanwhile. Requests outstanding at the end stay so.
    Measured run(double seconds);

  private:
    using Clock = std::chrono::steady_clock;
    using TimePoint = Clock::time_point;
    struct Sent {
        TimePoint at;
        bool put = false;
        uint64_t sequence = 0;
        uint32_t key = 0;
    };
    struct Link {
        std::string where;
        uint32_t quota = 0;  // requests outstanding
        std::unique_ptr<Client> client;
        bool lost = false;
        TimePoint quiet_until;  // after an error or a loss: no spinning
        std::unordered_map<uint64_t, Sent> sent;
    };

    void pass(TimePoint until);
    bool serve(Link& link, TimePoint now);
    void fill(Link& link, TimePoint now);
    void submit(Link& link, TimePoint now, bool put, uint32_t key);
    void answered(Link& link, const pb::Reply& reply, TimePoint now);
    void failed(Link& link, int code, const std::string& reason, TimePoint now);
    void reconnect(Link& link, TimePoint now);
    uint64_t random();
    std::string key_name(uint32_t key) const;
    std::string value();

    Options options_;
    std::vector<Link> links_;
    std::string blob_;  // values are pieces of it
    uint64_t random_state_;
    bool loading_ = false;
    std::deque<uint32_t> to_load_;
    uint64_t loaded_ = 0;
    TimePoint window_began_;
    Measured measured_;
};

}  // namespace assent::bench
