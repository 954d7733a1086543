#include "corosync/publisher.h"

#include <algorithm>
#include <cctype>

namespace assent {

std::optional<int64_t> Publisher::due_us() const {
    if (wanted_ == written_) return std::nullopt;
    return last_us_ ? *last_us_ + kIntervalUs : 0;
}

std::vector<Publisher::Step> Publisher::take(int64_t now_us) {
    std::vector<Step> steps;
    const auto due = due_us();
    if (!due || now_us < *due) return steps;
    for (const auto& [key, value] : written_)
        if (!wanted_.contains(key)) steps.push_back({key, std::nullopt});
    for (const auto& [key, value] : wanted_) {
        const auto it = written_.find(key);
        if (it == written_.end() || it->second != value) steps.push_back({key, value});
    }
    written_ = wanted_;
    last_us_ = now_us;
    return steps;
}

void Publisher::forget() {
    written_.clear();
    last_us_.reset();
}

bool valid_status_key(const std::string& key) {
    constexpr size_t kMaxKey = 255 - sizeof "runtime.assent." + 1;
    return !key.empty() && key.size() <= kMaxKey && std::all_of(key.begin(), key.end(), [](unsigned char c) {
        return std::isalnum(c) || c == '.' || c == '_' || c == '-' || c == '/' || c == ':';
    });
}

}  // namespace assent
