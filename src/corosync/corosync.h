// Everything the daemon wants of corosync, on the loop's thread and without a call that blocks. Survives corosync: when
// it dies, everything is reported lost, and told anew when it is back, any number of times.
//
// Order after (re)connection: on_config, on_cluster, on_up, on_quorum, and per group on_view.
// Order after a loss: per group on_lost, on_quorum(false), on_lost.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/loop.h"
#include "corosync/cluster.h"
#include "corosync/cpg_adapter.h"

namespace assent {

class Control;
class Quorum;

struct CorosyncCallbacks {
    // The keys below "assent." of corosync.conf: at each connection, and after a reload that changed them.
    std::function<void(const Section&)> on_config;
    // Nodelist and votes: at each connection and when they changed.
    std::function<void(const Cluster&)> on_cluster;
    // Connected; also the first time.
    std::function<void()> on_up;
    std::function<void()> on_lost;
    std::function<void(bool quorate, RingId ring)> on_quorum;
    // corosync was asked politely to stop: hand over what there is to hand over and call `allow` (once, from any
    // thread). It goes on by itself after 3 s.
    std::function<void(std::function<void()> allow)> on_shutdown;
};

class Corosync {
  public:
    Corosync(Loop& loop, CorosyncCallbacks callbacks);
    ~Corosync();
    Corosync(const Corosync&) = delete;
    Corosync& operator=(const Corosync&) = delete;

    // Begins to connect, and goes on with it until stop().
    void start();
    // Leaves all groups, removes the status keys; no callback comes any more. Waits 2 s at most. The Cpgs stay valid,
    // dead.
    void stop();

    // Joins the CPG group "assent.NAME", before or after start(). The Cpg lives as long as this object. Names are
    // unique.
    Cpg& join(const std::string& group, CpgCallbacks callbacks);

    // Shows these keys below "runtime.assent." instead of those of the call before: on change, at most once a second,
    // again after a restart of corosync, and until stop(). Keys that cmap cannot take are left out.
    void publish(StatusKeys keys);

  private:
    void handle_died();
    void give_back(bool dead);

    Loop& loop_;
    const CorosyncCallbacks callbacks_;
    std::shared_ptr<char> alive_;
    std::shared_ptr<Quorum> quorum_;
    std::shared_ptr<Control> control_;
    std::vector<std::shared_ptr<Cpg>> groups_;
    bool up_ = false;
};

}  // namespace assent
