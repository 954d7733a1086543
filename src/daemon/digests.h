// Compares what the applications of the nodes say of their state at the same indexes. Each node tells the others, and
// judges itself alone: if a majority says something else than its own application, that one has diverged.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/types.h"
#include "proto/peer.pb.h"

namespace assent {

struct DigestHooks {
    std::function<void(NodeId to, const pb::Forwarded&)> send;
    std::function<std::vector<NodeId>()> peers;  // with a link
    std::function<Config()> config;              // the recorded voters
    std::function<void(Index, const std::string& why)> diverged;
};

// Loop's thread only.
class Digests {
  public:
    static constexpr size_t kKept = 64;  // the newest of each node

    Digests(std::string group, NodeId self, DigestHooks hooks);

    // What the application here says.
    void said(Index index, uint64_t value);
    // What those of another node said.
    void heard(NodeId from, const pb::Forwarded& forwarded);
    // They may not have heard what was said before.
    void tell(const std::vector<NodeId>& nodes);
    // The store here is another one now.
    void forget() { of_.erase(self_); }

  private:
    using ByIndex = std::map<Index, uint64_t>;

    void keep(NodeId node, Index index, uint64_t value);
    void judge(Index index);
    bool says(NodeId node, Index index, uint64_t value) const;

    const std::string group_;
    const NodeId self_;
    const DigestHooks hooks_;
    std::map<NodeId, ByIndex> of_;
};

}  // namespace assent
