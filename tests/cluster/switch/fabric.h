// A bad network: frames go in at one port and come out at others later, twice, damaged or never. No I/O and no clock in
// here; the same seed, frames and times give the same result.
#pragma once

#include <cstdint>
#include <map>
#include <queue>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace assent::fabric {

// Which frames a rule is about: ARP and the rest only `all`.
enum class Filter { all, corosync, side };

struct Rule {
    int from = 0;  // port; 0: any
    int to = 0;
    Filter filter = Filter::all;
    double drop = 0;  // probabilities
    double duplicate = 0;
    double corrupt = 0;
    int64_t delay_us = 0;
    int64_t jitter_us = 0;  // up to this much more, each frame for itself: frames overtake each other
};

struct Counts {
    uint64_t in = 0, out = 0, dropped = 0, duplicated = 0, corrupted = 0, delayed = 0, overflowed = 0;
};

struct Delivery {
    int port = 0;
    std::string frame;
};

class Fabric {
  public:
    // More than this waiting for one port is dropped, as a real switch does.
    static constexpr size_t kMostFrames = 4096;
    static constexpr size_t kMostBytes = 8u << 20;

    explicit Fabric(uint64_t seed) : random_(seed) {}

    void add_port(int port) { queued_[port]; }

    // A frame came in. The host behind port N has the MAC address 02:00:00:00:00:N; group addresses go to all others.
    void arrive(int64_t now_us, int port, std::string_view frame);
    // What is due.
    bool next(int64_t now_us, Delivery& delivery);
    // When something will be due; -1: nothing waits.
    int64_t deadline() const { return waiting_.empty() ? -1 : waiting_.top().due_us; }

    // `rule NAME WORD=VALUE…`, `clear [NAME]`, `stats`. Returns "ok …" or "error …". Words of a rule: from to (ports),
    // filter (all corosync side), drop duplicate corrupt (0 to 1), delay jitter (milliseconds).
    std::string command(const std::string& line);

    const Counts& counts() const { return counts_; }

  private:
    struct Waiting {
        int64_t due_us;
        uint64_t order;
        int port;
        std::string frame;
        bool operator<(const Waiting& other) const {  // for a queue with the earliest on top
            return due_us != other.due_us ? due_us > other.due_us : order > other.order;
        }
    };
    struct Queued {
        size_t frames = 0;
        size_t bytes = 0;
    };

    void pass(int64_t now_us, int from, int to, Filter kind, std::string_view frame);
    void enqueue(int64_t due_us, int to, std::string frame);
    std::string damage(std::string_view frame);
    bool happens(double probability);
    std::string set_rule(std::istream& words);

    std::mt19937_64 random_;
    std::map<std::string, Rule> rules_;
    std::map<int, Queued> queued_;
    std::priority_queue<Waiting> waiting_;
    uint64_t order_ = 0;
    Counts counts_;
};

// What a frame is: UDP port 5405 is corosync, TCP port 5407 the side channel.
Filter kind_of(std::string_view frame);

}  // namespace assent::fabric
