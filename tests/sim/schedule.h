// Virtual time and what is to happen in it. Things due at the same time happen in the order they were asked for.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

namespace assent::sim {

class Schedule {
  public:
    int64_t now() const { return now_; }
    void after(int64_t delay_us, std::function<void()> what) {
        heap_.push_back({now_ + (delay_us > 0 ? delay_us : 0), ++count_, std::move(what)});
        std::push_heap(heap_.begin(), heap_.end());
    }
    // Runs the next thing if it is due by `until_us`; else time goes on to there. False: nothing was due.
    bool run_one(int64_t until_us) {
        if (heap_.empty() || heap_.front().at > until_us) {
            now_ = std::max(now_, until_us);
            return false;
        }
        std::pop_heap(heap_.begin(), heap_.end());
        Item item = std::move(heap_.back());
        heap_.pop_back();
        now_ = item.at;
        item.what();
        return true;
    }
    uint64_t done() const { return count_ - heap_.size(); }

  private:
    struct Item {
        int64_t at;
        uint64_t order;
        std::function<void()> what;
        bool operator<(const Item& o) const { return at != o.at ? at > o.at : order > o.order; }
    };
    int64_t now_ = 0;
    uint64_t count_ = 0;
    std::vector<Item> heap_;
};

}  // namespace assent::sim
