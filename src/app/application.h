// What a replicated application is to the daemon. One object a group; every call is made on the group's application
// thread, except where said otherwise.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/failure.h"
#include "core/types.h"

namespace assent {

// The result of an applied write, in the application's own encoding. Empty: plainly done.
struct AppliedResult {
    Index index;
    std::string result;
};

class Application {
  public:
    virtual ~Application() = default;

    // "kv"; for status.
    virtual const char* kind() const = 0;
    // The cluster whose entries it has applied, as far as they told (CONFIG); zero: none yet. Before the first apply:
    // the daemon compares it with the ledger's, so that a folder left over from another cluster is never gone on with.
    virtual ClusterId cluster() const = 0;
    // The index up to which everything is applied and will still be after a power loss; right after opening, it is all
    // that is applied. Any thread.
    virtual Index durable_applied() const = 0;
    // May this request be proposed at all? An error (for the client) if it is malformed or too large. Asked on the
    // master, also for what was forwarded: what is confirmed must be understood by apply. Any thread.
    virtual Result<bool> check_write(std::string_view request) const = 0;
    // Decided entries of every kind, in index order without holes, starting right after the last one applied. WRITEs
    // take effect, the others only move the applied index. Appends, in index order, the results that are not empty.
    // Must not depend on anything but the entries and the state: every node gets the same results. Throws Failure for a
    // storage error or an entry it does not understand; that ends the process, and nothing else may be called any more.
    virtual void apply(const std::vector<EntryPtr>& entries, std::vector<AppliedResult>& results) = 0;
    // The first result of a WRITE that was applied earlier at this index (for a repeated request). Error: it is not
    // known any more, and the write may have had any result.
    virtual Result<std::string> result_of(Index index) = 0;
    // Answers a query from the applied state; `applied` is the index it holds at. Error: malformed.
    virtual Result<std::string> query(std::string_view request, Index applied) = 0;
    // Digest of the applied state, the same on every node at the same index. Reads all of it.
    virtual uint64_t digest() = 0;
};

}  // namespace assent
