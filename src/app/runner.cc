#include "app/runner.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iterator>

#include "base/clock.h"

namespace assent {

namespace {

constexpr uint64_t kAskBytes = 128;    // what a question counts beside its request
constexpr size_t kAnswersAtOnce = 64;  // so that the first of many do not wait for the last
constexpr uint64_t kAnswerBytesAtOnce = 1 << 20;

void end_process(const std::string& why) {
    std::fprintf(stderr, "assentd: %s\n", why.c_str());
    std::fflush(stderr);
    ::_exit(1);
}

}  // namespace

ApplicationRunner::ApplicationRunner(std::unique_ptr<Application> application, const RunnerOptions& options,
                                     FailureHandler on_failure)
    : options_(options), on_failure_(on_failure ? std::move(on_failure) : FailureHandler(end_process)),
      application_(std::move(application)), applied_(application_->durable_applied()) {
    news_.applied = applied_;
    thread_ = std::thread([this] { run(); });
}

ApplicationRunner::~ApplicationRunner() {
    stop();
    thread_.join();
}

void ApplicationRunner::stop() {
    {
        std::lock_guard lock(mutex_);
        stop_ = true;
    }
    wake_.notify_one();
}

void ApplicationRunner::apply(std::vector<EntryPtr> entries) {
    if (entries.empty()) return;
    uint64_t bytes = 0;
    for (const EntryPtr& entry : entries) bytes += weight(*entry);
    backlog_ += bytes;
    {
        std::lock_guard lock(mutex_);
        if (!busy_since_) busy_since_ = raw_now_us();
        std::move(entries.begin(), entries.end(), std::back_inserter(inbox_));
    }
    wake_.notify_one();
}

void ApplicationRunner::query(Token token, Index after, std::string request) {
    ask({token, AskKind::query, after, std::move(request)});
}

void ApplicationRunner::result_of(Token token, Index index) { ask({token, AskKind::result_of, index, {}}); }

void ApplicationRunner::digest(Token token) { ask({token, AskKind::digest, {}, {}}); }

void ApplicationRunner::forget(Token token) { post(0, Forget{token}); }

void ApplicationRunner::ask(Ask ask) {
    const uint64_t bytes = kAskBytes + ask.request.size();
    post(bytes, std::move(ask));
}

void ApplicationRunner::post(uint64_t bytes, Item item) {
    backlog_ += bytes;
    {
        std::lock_guard lock(mutex_);
        if (!busy_since_) busy_since_ = raw_now_us();
        inbox_.push_back(std::move(item));
    }
    wake_.notify_one();
}

AppCompletions ApplicationRunner::take() {
    event_.drain();
    std::lock_guard lock(mutex_);
    has_news_ = false;
    AppCompletions out;
    out.applied = news_.applied;
    std::swap(out, news_);
    return out;
}

void ApplicationRunner::run() {
    ::pthread_setname_np(::pthread_self(), "application");
    try {
        while (wait_for_work()) {
            while (!work_.empty() && !stop_) step();
        }
    } catch (const std::exception& e) {
        on_failure_(e.what());
    }
}

// Takes all that has come; false: stop.
bool ApplicationRunner::wait_for_work() {
    std::unique_lock lock(mutex_);
    if (inbox_.empty()) busy_since_ = 0;
    wake_.wait(lock, [this] { return stop_ || !inbox_.empty(); });
    std::swap(work_, inbox_);
    return !stop_;
}

void ApplicationRunner::step() {
    gather();
    if (!batch_.empty()) apply_batch();
    while (!asks_.empty() && !stop_) answer_asks();
}

// Entries for one batch, and the questions that stand between and right after them: later ones see earlier entries, and
// all see a state no older than they may.
void ApplicationRunner::gather() {
    while (!work_.empty()) {
        Item& item = work_.front();
        if (const auto* entry = std::get_if<EntryPtr>(&item)) {
            const uint64_t bytes = weight(**entry);
            const bool full = batch_.size() >= options_.batch_entries || batch_weight_ + bytes > options_.batch_bytes;
            if (full && !batch_.empty()) return;
            batch_weight_ += bytes;
            batch_.push_back(*entry);
        } else if (auto* ask = std::get_if<Ask>(&item)) {
            asks_.push_back(std::move(*ask));
        } else {
            drop(std::get<Forget>(item).token);
        }
        work_.pop_front();
    }
}

void ApplicationRunner::apply_batch() {
    AppCompletions news;
    application_->apply(batch_, news.results);
    applied_ = batch_.back()->index;
    batch_.clear();
    publish(std::move(news));
    progress(std::exchange(batch_weight_, 0));
    release_held();
}

void ApplicationRunner::release_held() {
    const auto end = held_.upper_bound(applied_);
    for (auto it = held_.begin(); it != end; ++it) asks_.push_back(std::move(it->second));
    held_.erase(held_.begin(), end);
}

void ApplicationRunner::answer_asks() {
    AppCompletions news;
    uint64_t bytes = 0;
    for (size_t n = 0; n < kAnswersAtOnce && bytes < kAnswerBytesAtOnce && !asks_.empty() && !stop_; ++n) {
        Ask ask = std::move(asks_.front());
        asks_.pop_front();
        if (ask.kind == AskKind::query && ask.index > applied_) {
            held_.emplace(ask.index, std::move(ask));
            continue;
        }
        answer(ask, news);
        if (!news.answers.empty() && news.answers.back().answer) bytes += news.answers.back().answer->size();
        progress(kAskBytes + ask.request.size());
    }
    if (!news.answers.empty() || !news.digests.empty()) publish(std::move(news));
}

void ApplicationRunner::answer(const Ask& ask, AppCompletions& out) {
    switch (ask.kind) {
        case AskKind::query:
            out.answers.push_back({ask.token, applied_, application_->query(ask.request, applied_)});
            return;
        case AskKind::result_of:
            out.answers.push_back({ask.token, applied_, application_->result_of(ask.index)});
            return;
        case AskKind::digest: out.digests.push_back({ask.token, applied_, application_->digest()}); return;
    }
}

void ApplicationRunner::drop(Token token) {
    auto forget = [this, token](auto& from, auto ask_of) {
        const auto it = std::find_if(from.begin(), from.end(), [&](auto& item) { return ask_of(item).token == token; });
        if (it == from.end()) return;
        backlog_ -= kAskBytes + ask_of(*it).request.size();
        from.erase(it);
    };
    forget(asks_, [](Ask& ask) -> Ask& { return ask; });
    forget(held_, [](auto& held) -> Ask& { return held.second; });
}

void ApplicationRunner::publish(AppCompletions&& news) {
    {
        std::lock_guard lock(mutex_);
        news_.applied = applied_;
        auto append = [](auto& to, auto& from) { std::move(from.begin(), from.end(), std::back_inserter(to)); };
        append(news_.results, news.results);
        append(news_.answers, news.answers);
        append(news_.digests, news.digests);
        if (std::exchange(has_news_, true)) return;
    }
    event_.signal();
}

// Something was finished. There may be nothing more to do: then wait_for_work says so.
void ApplicationRunner::progress(uint64_t bytes) {
    backlog_ -= bytes;
    busy_since_ = raw_now_us();
}

}  // namespace assent
