// The application of a group as the loop sees it: one that is built in, or a process that is attached. Loop's thread only.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "app/application.h"
#include "core/event.h"
#include "core/update.h"

namespace assent {

struct HostHooks {
    std::function<void(Event)>
        event;  // for the core; never called from inside a call of the host but flush() and tick()
    // All up to here is applied; the results that are not empty, in index order.
    std::function<void(Index upto, const std::vector<AppliedResult>&)> applied;
    // To query and result_of; the answer holds at `applied`.
    std::function<void(Token, const Result<std::string>&, Index applied)> answered;
    // What an attached application says of its state with exactly what is up to this index.
    std::function<void(Index, uint64_t digest)> digest;
    // An attached application has another store now: it begins anew, or from a snapshot.
    std::function<void()> store_replaced;
};

struct HostStatus {
    std::string state = "healthy";  // healthy, hung, slow, absent, behind, loading, diverged
    std::string reason;             // for people; empty: all is well
    Index durable;                  // what it would still have after a power loss
};

class Host {
  public:
    virtual ~Host() = default;

    // "kv", "attached"; for status.
    virtual const char* kind() const = 0;
    // As Application::check_write.
    virtual Result<bool> check_write(std::string_view request) const = 0;

    // What an update says, in its order.
    virtual void withdraw(Index from) = 0;
    virtual void prepare(std::vector<EntryPtr> entries) = 0;
    virtual void decided(std::vector<Verdict> verdicts) = 0;

    // `after`: the state that answers must have applied it.
    virtual void query(Token token, Index after, const std::string& request) = 0;
    virtual void result_of(Token token, Index index) = 0;
    // Nobody waits for the answer any more.
    virtual void forget(Token token) = 0;

    // At the end of a batch: tells what was collected.
    virtual void flush() = 0;
    // Every kTickUs: looks whether it still answers.
    virtual void tick(int64_t now_us) = 0;
    static constexpr int64_t kTickUs = 100'000;

    virtual HostStatus status() const = 0;
};

}  // namespace assent
