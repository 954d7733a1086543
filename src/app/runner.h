// Runs the application of a group on a thread of its own. The loop thread hands over decided entries and questions;
// what came of them is taken when event_fd() is readable.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <variant>

#include "app/application.h"
#include "base/event_fd.h"

namespace assent {

struct RunnerOptions {
    uint64_t batch_bytes = 4 << 20;  // most weight of entries in one apply, if they are more than one
    size_t batch_entries = 4096;
};

struct AppAnswer {
    Token token;
    Index applied;  // the answer holds at this index
    Result<std::string> answer;
};

struct AppDigest {
    Token token;
    Index applied;
    uint64_t digest = 0;
};

// What happened since it was last taken.
struct AppCompletions {
    Index applied;                       // all is applied up to here
    std::vector<AppliedResult> results;  // of the entries up to there; writes that are not in it were plainly done
    std::vector<AppAnswer> answers;      // to query and result_of
    std::vector<AppDigest> digests;
};

class ApplicationRunner {
  public:
    // On the application thread, once, with a sentence for people; nothing is executed after it. The default prints it
    // and ends the process.
    using FailureHandler = std::function<void(const std::string&)>;

    // Starts the thread.
    ApplicationRunner(std::unique_ptr<Application> application, const RunnerOptions& options,
                      FailureHandler on_failure = {});
    // Stops, waits for the call the application is in, then closes the application.
    ~ApplicationRunner();
    // No further call of the application begins: what is queued is dropped. Does not wait. Any thread.
    void stop();

    // For its calls that any thread may make.
    const Application& application() const { return *application_; }

    // From here on by the loop thread. None of them blocks on the application.

    // Entries go to the application in the order of the calls; consecutive ones of several calls may be merged.
    void apply(std::vector<EntryPtr> entries);
    // Questions are answered after all that was handed over before them is applied; a query not before `after` is
    // applied (it is held until then, or until it is forgotten).
    void query(Token token, Index after, std::string request);
    void result_of(Token token, Index index);
    void digest(Token token);
    // Drops a question that is not answered yet; if it is too late, its answer comes all the same.
    void forget(Token token);

    // Readable when there is something to take.
    int event_fd() const { return event_.fd(); }
    AppCompletions take();

    // Bytes that were handed over and are not done with: weight of entries, requests. Any thread.
    uint64_t backlog_bytes() const { return backlog_.load(std::memory_order_relaxed); }
    // CLOCK_MONOTONIC_RAW since when the application has work and has not finished any of it; 0: it has none. Any
    // thread.
    int64_t oldest_pending_us() const { return busy_since_.load(std::memory_order_relaxed); }

  private:
    enum class AskKind : uint8_t { query, result_of, digest };
    struct Ask {
        Token token;
        AskKind kind;
        Index index;
        std::string request;
    };
    struct Forget {
        Token token;
    };
    using Item = std::variant<EntryPtr, Ask, Forget>;

    void post(uint64_t bytes, Item item);
    void ask(Ask ask);
    void run();
    bool wait_for_work();
    void step();
    void gather();
    void apply_batch();
    void answer_asks();
    void answer(const Ask& ask, AppCompletions& out);
    void release_held();
    void drop(Token token);
    void publish(AppCompletions&& news);
    void progress(uint64_t bytes);

    const RunnerOptions options_;
    const FailureHandler on_failure_;
    std::unique_ptr<Application> application_;
    EventFd event_;
    std::atomic<uint64_t> backlog_ = 0;
    std::atomic<int64_t> busy_since_ = 0;
    std::atomic<bool> stop_ = false;

    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Item> inbox_;  // under mutex_
    AppCompletions news_;     // under mutex_
    bool has_news_ = false;   // under mutex_

    // Of the application thread.
    Index applied_;
    std::deque<Item> work_;
    std::vector<EntryPtr> batch_;
    uint64_t batch_weight_ = 0;
    std::deque<Ask> asks_;
    std::multimap<Index, Ask> held_;

    std::thread thread_;
};

}  // namespace assent
