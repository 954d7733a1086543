// Watching confirmed writes, over as many sessions as it takes: each index is shown once.
#pragma once

#include <map>

#include "lib/events.h"
#include "lib/requests.h"

namespace assent::lib {

class Watches {
  public:
    Watches(const Owner& owner, Reactor& reactor, Session& session, Requests& requests, Events& events,
            std::string group)
        : owner_(owner), reactor_(reactor), session_(session), requests_(requests), events_(events),
          group_(std::move(group)) {}

    // 0: there are too many.
    uint64_t add(uint64_t from, assent_watch_fn_t fn, void* user);
    bool remove(uint64_t watch);

    void on_up();
    void on_down();
    void on_watched(const pb::Watched& watched);
    // False: it is no watch's request.
    bool on_reply(const pb::Reply& reply, Time now);
    void tick(Time now);
    Time next_tick() const;

  private:
    struct Watch {
        uint64_t from = 0;     // next index wanted; 0: from now on
        uint64_t request = 0;  // under way in this session; 0: none
        Time retry = kNever;
        assent_watch_fn_t fn = nullptr;
        void* user = nullptr;
    };
    using Table = std::map<uint64_t, Watch>;

    void ask(Watch& watch);
    Table::iterator find_request(uint64_t request);
    void show(uint64_t id, const Watch& watch, const pb::WatchedWrite& write);
    void show_upto(uint64_t id, const Watch& watch, uint64_t upto);
    void show_end(uint64_t id, const Watch& watch, const pb::Reply& reply);

    const Owner& owner_;
    Reactor& reactor_;
    Session& session_;
    Requests& requests_;
    Events& events_;
    const std::string group_;
    Table table_;
    uint64_t last_ = 0;
};

}  // namespace assent::lib
