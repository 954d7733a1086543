#include "app/built_in.h"

namespace assent {

namespace {

// A cancelled write only moves the applied index.
EntryPtr nothing_at(const Entry& entry) {
    auto nothing = std::make_shared<Entry>();
    nothing->index = entry.index;
    nothing->epoch = entry.epoch;
    nothing->kind = EntryKind::cancel;
    return nothing;
}

}  // namespace

BuiltIn::BuiltIn(Loop& loop, std::unique_ptr<Application> application, int64_t hung_us, HostHooks hooks)
    : loop_(loop), hung_us_(hung_us), hooks_(std::move(hooks)), runner_(std::move(application), RunnerOptions()),
      applied_(runner_.application().durable_applied()) {
    loop_.add_fd(runner_.event_fd(), Priority::high, EPOLLIN, [this](uint32_t) { on_news(); });
}

BuiltIn::~BuiltIn() { loop_.del_fd(runner_.event_fd()); }

void BuiltIn::decided(std::vector<Verdict> verdicts) {
    std::vector<EntryPtr> entries;
    entries.reserve(verdicts.size());
    for (Verdict& v : verdicts) entries.push_back(v.cancel ? nothing_at(*v.entry) : std::move(v.entry));
    runner_.apply(std::move(entries));
}

void BuiltIn::on_news() {
    AppCompletions done = runner_.take();
    if (done.applied > applied_) {
        applied_ = done.applied;
        hooks_.event(event::Applied{applied_});
        hooks_.applied(applied_, done.results);
    }
    for (const AppAnswer& a : done.answers) hooks_.answered(a.token, a.answer, a.applied);
}

// An application that has had the same work in hand for too long is not accepting anything.
void BuiltIn::tick(int64_t now_us) {
    const int64_t oldest = runner_.oldest_pending_us();
    const bool healthy = oldest == 0 || now_us - oldest < hung_us_;
    if (healthy == healthy_) return;
    healthy_ = healthy;
    hooks_.event(event::Application{healthy});
}

HostStatus BuiltIn::status() const {
    HostStatus s;
    s.durable = runner_.application().durable_applied();
    if (healthy_) return s;
    s.state = "hung";
    s.reason = "the application has not finished what it has in hand for too long";
    return s;
}

}  // namespace assent
