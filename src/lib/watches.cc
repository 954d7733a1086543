#include "lib/watches.h"

#include <algorithm>

namespace assent::lib {

namespace {

constexpr size_t kMost = 64;
constexpr uint32_t kWindow = 1u << 20;
constexpr std::chrono::milliseconds kRetry{200};

assent_watched_t watched(assent_watch_event_t event) {
    assent_watched_t w{};
    w.size = sizeof w;
    w.event = event;
    w.error = CS_OK;
    w.reason = "";
    return w;
}

}  // namespace

uint64_t Watches::add(uint64_t from, assent_watch_fn_t fn, void* user) {
    if (table_.size() >= kMost) return 0;
    Watch& watch = table_[++last_];
    watch.from = from;
    watch.fn = fn;
    watch.user = user;
    if (session_.up()) ask(watch);
    return last_;
}

bool Watches::remove(uint64_t id) {
    const auto it = table_.find(id);
    if (it == table_.end()) return false;
    if (it->second.request) {
        pb::ClientFrame frame;
        frame.mutable_watch_stop()->set_id(it->second.request);
        session_.push(frame);
    }
    table_.erase(it);
    return true;
}

void Watches::ask(Watch& watch) {
    watch.request = requests_.fresh_id();
    watch.retry = kNever;
    pb::ClientFrame frame;
    pb::Request& request = *frame.mutable_request();
    request.set_id(watch.request);
    request.set_group(group_);
    request.mutable_watch()->set_from(watch.from);
    request.mutable_watch()->set_window_bytes(kWindow);
    session_.push(frame);
}

void Watches::on_up() {
    for (auto& [id, watch] : table_) ask(watch);
}

void Watches::on_down() {
    for (auto& [id, watch] : table_) {
        watch.request = 0;
        watch.retry = kNever;
    }
}

Watches::Table::iterator Watches::find_request(uint64_t request) {
    return std::find_if(table_.begin(), table_.end(), [&](const auto& item) { return item.second.request == request; });
}

void Watches::on_watched(const pb::Watched& w) {
    const auto it = find_request(w.id());
    if (w.id() == 0 || it == table_.end()) return;
    for (const pb::WatchedWrite& write : w.writes()) {
        if (write.index() >= it->second.from) show(it->first, it->second, write);
    }
    // After a loss it goes on from here: what waits in the queue of events is not asked for again.
    it->second.from = std::max(it->second.from, w.upto() + 1);
    show_upto(it->first, it->second, w.upto());
}

void Watches::show(uint64_t id, const Watch& watch, const pb::WatchedWrite& write) {
    Event event;
    event.bytes = write.data().size();
    event.begin = [this, id] { return table_.count(id) != 0; };
    event.run = [this, write, fn = watch.fn, user = watch.user] {
        assent_watched_t w = watched(ASSENT_WATCH_WRITE);
        w.index = write.index();
        w.epoch = write.epoch();
        w.id = {write.client().birth(), write.client().random(), write.sequence()};
        w.data = write.data().empty() ? nullptr : write.data().data();
        w.length = write.data().size();
        fn(owner_.handle, &w, user);
    };
    events_.push(std::move(event));
}

void Watches::show_upto(uint64_t id, const Watch& watch, uint64_t upto) {
    Event event;
    event.begin = [this, id, upto, request = watch.request] {
        const auto it = table_.find(id);
        if (it == table_.end()) return false;
        if (it->second.request == request) {
            pb::ClientFrame frame;
            frame.mutable_watch_taken()->set_id(request);
            frame.mutable_watch_taken()->set_upto(upto);
            session_.push(frame);
        }
        return true;
    };
    event.run = [this, upto, fn = watch.fn, user = watch.user] {
        assent_watched_t w = watched(ASSENT_WATCH_UPTO);
        w.index = upto;
        fn(owner_.handle, &w, user);
    };
    events_.push(std::move(event));
}

bool Watches::on_reply(const pb::Reply& reply, Time now) {
    const auto it = find_request(reply.id());
    if (it == table_.end()) return false;
    Watch& watch = it->second;
    watch.request = 0;
    switch (reply.code()) {
        case pb::DONE:
        case pb::BUSY:
        case pb::NO_MAJORITY:
        case pb::NO_MASTER:
        case pb::TIMED_OUT:
            watch.retry = now + kRetry;
            reactor_.wake_at(watch.retry);
            break;
        default: show_end(it->first, watch, reply);
    }
    return true;
}

void Watches::show_end(uint64_t id, const Watch& watch, const pb::Reply& reply) {
    Event event;
    event.begin = [this, id] { return table_.erase(id) != 0; };
    event.run = [this, code = reply.code(), reason = reply.reason(), fn = watch.fn, user = watch.user] {
        assent_watched_t w = watched(ASSENT_WATCH_ENDED);
        w.code = code;
        w.error = code == pb::USAGE || code == pb::BAD_REQUEST ? CS_ERR_INVALID_PARAM
                  : code == pb::NOT_PERMITTED                  ? CS_ERR_ACCESS
                  : code == pb::NO_SUCH_KEY                    ? CS_ERR_NOT_EXIST
                                                               : CS_ERR_LIBRARY;
        w.reason = reason.c_str();
        fn(owner_.handle, &w, user);
    };
    events_.push(std::move(event));
}

Time Watches::next_tick() const {
    Time next = kNever;
    for (const auto& [id, watch] : table_) next = std::min(next, watch.retry);
    return next;
}

void Watches::tick(Time now) {
    for (auto& [id, watch] : table_) {
        if (watch.retry <= now && session_.up()) ask(watch);
    }
}

}  // namespace assent::lib
