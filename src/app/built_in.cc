#include "app/built_in.h"

#include <utility>

#include "base/log.h"

namespace assent {

namespace {

constexpr uint64_t kMostInHand = 16 << 20;  // bytes; the rest waits in the ledger
constexpr int64_t kRetryUs = 1'000'000;

// A cancelled write only moves the applied index.
EntryPtr nothing_at(const Entry& entry) {
    auto nothing = std::make_shared<Entry>();
    nothing->index = entry.index;
    nothing->epoch = entry.epoch;
    nothing->kind = EntryKind::cancel;
    return nothing;
}

}  // namespace

BuiltIn::BuiltIn(Loop& loop, std::unique_ptr<Application> application, int64_t hung_us,
                 std::function<VerdictPair()> handed, HostHooks hooks, LedgerPieces::ReadFn read)
    : loop_(loop), hung_us_(hung_us), hooks_(std::move(hooks)), handed_(std::move(handed)),
      runner_(std::move(application), RunnerOptions()),
      feed_(handed_(), attached::FeedOptions(),
            {std::move(read), [&loop](std::function<void()> fn) { loop.post(std::move(fn)); }, [this] { pump(); }}),
      applied_(runner_.application().durable_applied()) {
    feed_.restart(next(applied_));
    loop_.add_fd(runner_.event_fd(), Priority::high, EPOLLIN, [this](uint32_t) { on_news(); });
}

BuiltIn::~BuiltIn() { loop_.del_fd(runner_.event_fd()); }

void BuiltIn::decided(std::vector<Verdict> verdicts) {
    feed_.add(std::move(verdicts), handed_());
    pump();
}

// As much as there is room for.
void BuiltIn::pump() {
    uint64_t bytes = runner_.backlog_bytes();
    std::vector<EntryPtr> entries;
    for (const Verdict* v = feed_.front(); v && bytes < kMostInHand; v = feed_.front()) {
        bytes += weight(*v->entry);
        entries.push_back(v->cancel ? nothing_at(*v->entry) : v->entry);
        feed_.pop();
    }
    runner_.apply(std::move(entries));
}

// Who is told of these writes just now, and still asks, was given no result with them: it is empty. The application's
// thread has nothing to add.
void BuiltIn::result_of(Token token, Index index) {
    if (telling_from_ && index >= telling_from_) {
        empty_.push_back(token);
    } else {
        runner_.result_of(token, index);
    }
}

void BuiltIn::on_news() {
    AppCompletions done = runner_.take();
    if (done.applied > applied_) {
        telling_from_ = next(std::exchange(applied_, done.applied));
        hooks_.event(event::Applied{applied_});
        hooks_.applied(applied_, done.results);
        telling_from_ = Index();
        for (Token token : std::exchange(empty_, {})) hooks_.answered(token, std::string(), applied_);
    }
    pump();
    for (const AppAnswer& a : done.answers) hooks_.answered(a.token, a.answer, a.applied);
}

// An application that has had the same work in hand for too long is not accepting anything.
void BuiltIn::tick(int64_t now_us) {
    if (!feed_.trouble().empty() && now_us - retry_us_ >= kRetryUs) {
        retry_us_ = now_us;
        ASSENT_ERROR("entries for the application %s cannot be read: %s", kind(), feed_.trouble().c_str());
        feed_.retry();
        pump();
    }
    const int64_t oldest = runner_.oldest_pending_us();
    const bool healthy = oldest == 0 || now_us - oldest < hung_us_;
    if (healthy == healthy_) return;
    healthy_ = healthy;
    hooks_.event(event::Application{healthy});
}

HostStatus BuiltIn::status() const {
    HostStatus s;
    s.durable = runner_.application().durable_applied();
    if (healthy_ && feed_.trouble().empty()) return s;
    if (healthy_) {
        s.state = "failed";
        s.reason = "entries for the application cannot be read: " + feed_.trouble();
        return s;
    }
    s.state = "hung";
    s.reason = "the application has not finished what it has in hand for too long";
    return s;
}

}  // namespace assent
