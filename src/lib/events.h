// The callbacks that are due, in order, and whom they belong to.
#pragma once

#include <atomic>
#include <deque>
#include <functional>

#include "assent/assent.h"

namespace assent::lib {

// What every callback gets.
struct Owner {
    assent_handle_t handle = 0;
    std::atomic<void*> context = nullptr;
};

struct Event {
    std::function<bool()> begin;  // with the handle's lock: is it still wanted? May do all there is to do, and say no
    std::function<void()> run;    // the callback, without the lock
    size_t bytes = 0;
};

class Events {
  public:
    void push(Event event) {
        bytes_ += event.bytes;
        queue_.push_back(std::move(event));
    }
    void push(std::function<void()> run) { push({nullptr, std::move(run), 0}); }
    bool empty() const { return queue_.empty(); }
    size_t size() const { return queue_.size(); }
    size_t bytes() const { return bytes_; }
    Event pop() {
        Event event = std::move(queue_.front());
        queue_.pop_front();
        bytes_ -= event.bytes;
        return event;
    }
    void clear() {
        queue_.clear();
        bytes_ = 0;
    }

  private:
    std::deque<Event> queue_;
    size_t bytes_ = 0;
};

}  // namespace assent::lib
