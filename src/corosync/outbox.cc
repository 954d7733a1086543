#include "corosync/outbox.h"

#include <algorithm>
#include <functional>

namespace assent {

bool Outbox::push(std::string message) {
    if (message.size() > kMaxMessage || queued_bytes_ + message.size() > kMaxQueued) return false;
    queued_bytes_ += message.size();
    queue_.push_back(std::move(message));
    return true;
}

Outbox::Flushed Outbox::flush() {
    while (!queue_.empty()) {
        const std::string& message = queue_.front();
        if (!room(message.size())) return Flushed::unread;
        const Cs sent = mcast_(message);
        if (sent == Cs::again) return Flushed::again;
        if (sent != Cs::ok) return Flushed::dead;
        unread_.push_back({fingerprint(message), message.size()});
        unread_bytes_ += message.size();
        queued_bytes_ -= message.size();
        queue_.pop_front();
    }
    return Flushed::all;
}

void Outbox::on_delivered(std::string_view message) {
    const uint64_t wanted = fingerprint(message);
    const auto it = std::find_if(unread_.begin(), unread_.end(),
                                 [&](const Unread& u) { return u.size == message.size() && u.fingerprint == wanted; });
    if (it == unread_.end()) return;
    for (auto read = unread_.begin(); read != it + 1; ++read) unread_bytes_ -= read->size;
    unread_.erase(unread_.begin(), it + 1);
}

void Outbox::clear() {
    queue_.clear();
    unread_.clear();
    queued_bytes_ = unread_bytes_ = 0;
}

// The head of a message has its sequence number: enough to tell it from its neighbours.
uint64_t Outbox::fingerprint(std::string_view message) { return std::hash<std::string_view>()(message.substr(0, 128)); }

bool Outbox::room(size_t size) const {
    return unread_.empty() || (unread_.size() < kMaxUnread && unread_bytes_ + size <= kMaxUnreadBytes);
}

}  // namespace assent
