// What a group tells of itself: the JSON of `assentctl status`, and the keys in cmap.
#pragma once

#include <string>
#include <vector>

#include "app/host.h"
#include "core/replica.h"
#include "corosync/cluster.h"
#include "daemon/requests.h"

namespace assent {

// The latencies of the last some thousand writes.
class LatencyWindow {
  public:
    void add(const std::vector<int64_t>& latencies_us);
    // 0 if there are none; `share` from 0 to 1.
    uint64_t percentile_us(double share) const;

  private:
    static constexpr size_t kKept = 4'096;
    std::vector<int64_t> kept_;
    size_t next_ = 0;
};

struct GroupStatus {
    std::string group;
    NodeId node;
    std::string application_kind;
    HostStatus application;
    ReplicaView view;
    RequestCounters requests;
    Cluster cluster;
    uint64_t write_p50_us = 0;
    uint64_t write_p99_us = 0;
    uint64_t fsync_p99_us = 0;
    Index first;  // of the ledger; 0: empty
};

// master, follower, candidate, observer, waiting.
std::string state_word(const ReplicaView& view);
// "0123456789abcdef0123456789abcdef"; empty if there is no cluster yet.
std::string text_of(const ClusterId& id);
std::string status_json(const GroupStatus& status);
// The voters and observers alone.
std::string members_json(const GroupStatus& status);
// Without the prefix "runtime.assent.".
StatusKeys status_keys(const GroupStatus& status);

}  // namespace assent
