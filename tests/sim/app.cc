#include "app.h"

namespace assent::sim {

App::App(Schedule& schedule, Random& random, Span latency, Hooks hooks)
    : schedule_(schedule), random_(random), latency_(latency), hooks_(std::move(hooks)) {}

void App::confirm(const std::vector<EntryPtr>& entries) {
    confirmed_.insert(confirmed_.end(), entries.begin(), entries.end());
    work();
}

void App::prepare(const std::vector<EntryPtr>& entries) {
    prepared_.insert(prepared_.end(), entries.begin(), entries.end());
    work();
}

void App::withdraw(Index from) {
    while (!prepared_.empty() && prepared_.back()->index >= from) prepared_.pop_back();
}

void App::hang(bool on) {
    hung_ = on;
    if (!on) work();
}

void App::work() {
    if (busy_ || hung_ || (confirmed_.empty() && prepared_.empty())) return;
    busy_ = true;
    schedule_.after(random_.pick(latency_), [this, life = life_] {
        if (life != life_) return;
        busy_ = false;
        if (hung_) return;
        Index accepted;
        while (!prepared_.empty()) {
            accepted = prepared_.front()->index;
            prepared_.pop_front();
        }
        if (accepted) hooks_.accepted(accepted);
        size_t some = confirmed_.empty() ? 0 : 1 + random_.below(confirmed_.size());
        for (; some > 0; --some) {
            apply(confirmed_.front());
            confirmed_.pop_front();
        }
        if (random_.one_in(3))
            durable_ = Index(uint64_t(random_.between(int64_t(durable_.value), int64_t(applied().value))));
        hooks_.applied(applied());
        work();
    });
}

void App::apply(const EntryPtr& entry) {
    hooks_.applying(entry);
    applied_.push_back(entry);
    put(*entry);
}

void App::put(const Entry& entry) {
    if (entry.kind != EntryKind::write) return;
    newest_write_ = entry.index;
    size_t equals = entry.data.find('=');
    map_[entry.data.substr(0, equals)] = AppValue{entry.data, entry.index};
}

void App::crash() {
    ++life_;
    busy_ = false;
    confirmed_.clear();
    prepared_.clear();
    applied_.resize(durable_.value);
    newest_write_ = Index();
    map_.clear();
    for (const EntryPtr& entry : applied_) put(*entry);
}

AppValue App::get(const std::string& key) const {
    auto it = map_.find(key);
    return it == map_.end() ? AppValue{} : it->second;
}

}  // namespace assent::sim
