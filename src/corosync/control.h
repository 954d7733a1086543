// The thread of all calls to corosync that may block: it connects, joins, reads votes, configuration and nodelist,
// writes status keys and answers shutdown requests, and does it all again whenever corosync was gone.
//
// A *session* is one life of the connections: they come up together and are given up together, since corosync's death
// ends all. The loop's handles (CPG, quorum) are opened here, handed over, taken back, and closed here.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/event_fd.h"
#include "base/loop.h"
#include "corosync/cfg_adapter.h"
#include "corosync/cluster.h"
#include "corosync/cmap_adapter.h"
#include "corosync/cpg_adapter.h"
#include "corosync/publisher.h"
#include "corosync/quorum_adapter.h"
#include "corosync/votequorum_adapter.h"

namespace assent {

// All run on the loop's thread.
struct ControlEvents {
    std::function<void(const Section&)> on_config;
    std::function<void(const Cluster&)> on_cluster;
    std::function<void()> on_up;
    // Give all handles of the loop back, if that was not done yet.
    std::function<void()> on_release;
    // corosync wants to stop; call `allow` when ready, at the latest in kShutdownUs.
    std::function<void(std::function<void()> allow)> on_shutdown;
};

class Control : public std::enable_shared_from_this<Control> {
  public:
    static constexpr int64_t kShutdownUs = 3'000'000;  // corosync itself waits 5 s

    // What is posted to the loop runs only while `alive` has not expired; it expires on the loop's thread.
    Control(Loop& loop, ControlEvents events, std::shared_ptr<Quorum> quorum, std::weak_ptr<void> alive);

    // The rest is for the loop's thread.
    void start();
    // Removes the status keys and closes everything. Returns false if corosync held the thread longer than `limit`: the
    // thread is then left behind, harmless, for the end of the process.
    bool stop(std::chrono::milliseconds limit);
    void add_group(std::shared_ptr<Cpg> group);
    void publish(StatusKeys keys);
    // A handle of the loop died, and all have been given back.
    void lost();

  private:
    enum class State { down, up, releasing };
    struct Group {
        std::shared_ptr<Cpg> cpg;
        std::optional<uint64_t> handle;
        int64_t retry_us = 0;
        int64_t delay_us = 0;
    };

    // Any thread.
    void tell(std::function<void()> call);
    void post(std::function<void()> call);

    // The control thread.
    void run();
    void take_calls();
    void step(int64_t now);
    void connect(int64_t now);
    int connect_all();
    void come_up();
    void join(int64_t now);
    void refresh(int64_t now);
    int read_all(Section& section, Cluster& cluster);
    void write_status(int64_t now);
    void answer_shutdown(int64_t now);
    void lose(int cs_error);
    void closed();
    void close_own();
    void wait(int64_t now);
    void dispatch(int fd, short revents, int (*call)(Control&));
    void complain(const std::string& what, int cs_error);
    void shut();

    const ControlEvents events_;
    const std::shared_ptr<Quorum> quorum_;
    const std::weak_ptr<void> alive_;
    std::thread thread_;

    EventFd wake_;
    std::mutex mutex_;
    std::condition_variable ended_changed_;
    Loop* loop_;                                // under mutex_; null: nothing is posted any more
    std::vector<std::function<void()>> calls_;  // under mutex_
    bool stop_ = false;                         // under mutex_
    bool ended_ = false;                        // under mutex_

    // Of the control thread alone from here on.
    State state_ = State::down;
    int64_t retry_us_ = 0;
    int64_t delay_us_ = 0;
    std::string complaint_;
    Cmap cmap_;
    Votequorum votequorum_;
    Cfg cfg_;
    bool with_votequorum_ = true;
    std::optional<uint64_t> quorum_handle_;
    std::vector<Group> groups_;
    bool stale_ = false;  // nodelist, votes and configuration are to be read again
    int64_t refresh_us_ = 0;
    Section section_;
    Cluster cluster_;
    Publisher publisher_;
    std::optional<int64_t> shutdown_us_;  // the deadline of a shutdown asked for
};

}  // namespace assent
