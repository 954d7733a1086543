#include "app.h"

#include <algorithm>

#include "app/kv/kv_requests.h"

namespace assent::sim {

App::App(Schedule& schedule, Random& random, Span latency, AppManners manners, Hooks hooks)
    : schedule_(schedule), random_(random), latency_(latency), manners_(manners), hooks_(std::move(hooks)) {
    open();
}

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
        if (!decided_.empty()) apply(1 + random_.below(decided_.size()));
        if (random_.one_in(3)) store_.flush(random_.below(store_.unflushed() + 1));
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

namespace {

// A cancelled write only moves the applied index.
EntryPtr to_apply(const Verdict& verdict) {
    if (!verdict.cancel) return verdict.entry;
    auto nothing = std::make_shared<Entry>();
    nothing->index = verdict.entry->index;
    nothing->kind = EntryKind::cancel;
    return nothing;
}

}  // namespace

void App::apply(size_t verdicts) {
    std::vector<EntryPtr> entries;
    for (; verdicts > 0; --verdicts) {
        hooks_.deciding(decided_.front());
        entries.push_back(to_apply(decided_.front()));
        decided_.pop_front();
    }
    std::vector<AppliedResult> results;
    machine_->apply(entries, results);
    for (const EntryPtr& entry : entries) {
        if (entry->kind != EntryKind::write) continue;
        writes_.emplace_back(entry->index, kv::decode_write(entry->data)->key);
        written_[writes_.back().second] = newest_write_ = entry->index;
    }
    for (const AppliedResult& r : results) hooks_.compare(r.index, false, std::hash<std::string>()(r.result));
    hooks_.compare(applied(), true, machine_->digest());
}

void App::crash() {
    ++life_;
    busy_ = false;
    decided_.clear();
    asked_.clear();
    store_.crash();
    open();
}

// With what is in the store.
void App::open() {
    machine_ = std::make_unique<kv::Machine>(store_, kv::Limits());
    while (!writes_.empty() && writes_.back().first > applied()) writes_.pop_back();
    newest_write_ = Index();
    written_.clear();
    for (const auto& [index, key] : writes_) written_[key] = newest_write_ = index;
}

void App::wipe() {
    store_ = MemoryStore();
    crash();
}

AppValue App::get(const std::string& key) const {
    const auto answer = kv::decode_get(*machine_->query(kv::encode_get(key), applied()));
    const auto written = written_.find(key);
    return {answer->value.value_or(""), answer->value.has_value(),
            written == written_.end() ? Index() : written->second};
}

std::optional<std::string> App::result_of(Index index) {
    auto result = machine_->result_of(index);
    if (!result) return {};
    return std::move(*result);
}

}  // namespace assent::sim
