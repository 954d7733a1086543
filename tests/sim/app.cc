#include "app.h"

#include <algorithm>

namespace assent::sim {

App::App(Schedule& schedule, Random& random, Span latency, AppManners manners, Hooks hooks)
    : schedule_(schedule), random_(random), latency_(latency), manners_(manners), hooks_(std::move(hooks)) {}

void App::decide(const std::vector<Verdict>& verdicts) {
    for (const Verdict& v : verdicts) {
        std::erase_if(asked_, [&](const EntryPtr& e) { return e->index == v.entry->index; });
        decided_.push_back(v);
    }
    work();
}

void App::prepare(const std::vector<EntryPtr>& entries) {
    for (const EntryPtr& entry : entries) {
        bool again = std::any_of(asked_.begin(), asked_.end(), [&](const EntryPtr& e) { return e == entry; });
        if (!again) asked_.push_back(entry);
    }
    work();
}

void App::withdraw(Index from) {
    std::erase_if(asked_, [from](const EntryPtr& e) { return e->index >= from; });
}

void App::hang(bool on) {
    hung_ = on;
    if (!on) work();
}

bool App::against_rules(const Entry& entry) {
    uint64_t sum = entry.data.size();
    for (char c : entry.data) sum = sum * 31 + uint8_t(c);
    return sum % 5 == 0;
}

void App::work() {
    if (busy_ || hung_ || (decided_.empty() && asked_.empty())) return;
    busy_ = true;
    schedule_.after(random_.pick(latency_), [this, life = life_] {
        if (life != life_) return;
        busy_ = false;
        if (hung_) return;
        if (!asked_.empty()) answer();
        size_t some = decided_.empty() ? 0 : 1 + random_.below(decided_.size());
        for (; some > 0; --some) {
            apply(decided_.front());
            decided_.pop_front();
        }
        if (random_.one_in(3))
            durable_ = Index(uint64_t(random_.between(int64_t(durable_.value), int64_t(applied().value))));
        hooks_.applied(applied());
        work();
    });
}

// Some of what it was asked, from anywhere in the queue.
void App::answer() {
    event::Opinions said;
    std::deque<EntryPtr> later;
    for (const EntryPtr& entry : asked_) {
        if (manners_.late_permille && random_.below(1000) < manners_.late_permille) {
            later.push_back(entry);
        } else if (stubborn_) {
            said.rejected.push_back({entry->index, "not now"});
        } else if (manners_.has_rules && against_rules(*entry)) {
            said.rejected.push_back({entry->index, "against the rules"});
        } else if (manners_.moody_permille && random_.below(1000) < manners_.moody_permille) {
            said.rejected.push_back({entry->index, "in a bad mood"});
        } else {
            said.accepted.push_back(entry->index);
            hooks_.took(entry->position());
        }
    }
    asked_ = std::move(later);
    if (!said.accepted.empty() || !said.rejected.empty()) hooks_.opinions(std::move(said));
}

void App::apply(const Verdict& verdict) {
    hooks_.deciding(verdict);
    applied_.push_back(verdict);
    put(verdict);
}

void App::put(const Verdict& verdict) {
    const Entry& entry = *verdict.entry;
    if (entry.kind != EntryKind::write || verdict.cancel) return;
    newest_write_ = entry.index;
    size_t equals = entry.data.find('=');
    map_[entry.data.substr(0, equals)] = AppValue{entry.data, entry.index};
}

void App::crash() {
    ++life_;
    busy_ = false;
    decided_.clear();
    asked_.clear();
    applied_.resize(durable_.value);
    newest_write_ = Index();
    map_.clear();
    for (const Verdict& verdict : applied_) put(verdict);
}

AppValue App::get(const std::string& key) const {
    auto it = map_.find(key);
    return it == map_.end() ? AppValue{} : it->second;
}

}  // namespace assent::sim
