#include "daemon/watches.h"

#include <algorithm>

namespace assent {

namespace {

constexpr uint64_t kFrameCost = 64;  // what a frame counts beside the writes in it
constexpr uint64_t kWriteCost = 64;
constexpr unsigned kMostFailures = 20;

uint64_t cost(const Verdict& v) {
    return v.entry->kind == EntryKind::write && !v.cancel ? kWriteCost + v.entry->data.size() : 0;
}

void add_write(pb::Watched& watched, const Entry& e) {
    pb::WatchedWrite& write = *watched.add_writes();
    write.set_index(e.index.value);
    write.set_epoch(e.epoch.value);
    write.mutable_client()->set_birth(e.client.birth.value);
    write.mutable_client()->set_random(e.client.random);
    write.set_sequence(e.sequence);
    write.set_data(e.data);
}

}  // namespace

Watches::Watches(const VerdictPair& handed, const WatchOptions& options, WatchHooks hooks)
    : options_(options), hooks_(std::move(hooks)), handed_(handed), pieces_(hooks_.read, hooks_.post) {}

void Watches::add(const std::vector<Verdict>& verdicts, const VerdictPair& handed) {
    handed_ = handed;
    if (table_.empty()) return;
    dirty_ = true;
    for (const Verdict& v : verdicts) {
        newest_bytes_ += weight(*v.entry);
        newest_.push_back(v);
    }
    while (newest_.size() > 1 && newest_bytes_ > options_.kept_bytes) {
        newest_bytes_ -= weight(*newest_.front().entry);
        newest_.pop_front();
    }
}

// ---- coming and going

void Watches::begin(uint64_t session, const pb::Request& request) {
    const Key key(session, request.id());
    const Index from(request.watch().from());
    Watch& watch = table_[key];  // the session has no other request of this id
    watch.number = ++last_number_;
    watch.next = from ? from : next(handed_.confirm);
    watch.window = request.watch().window_bytes()
                       ? std::min<uint64_t>(request.watch().window_bytes(), options_.max_window_bytes)
                       : options_.window_bytes;
    if (const std::string why = why_not(session); !why.empty()) return end(key, pb::BUSY, why);
    dirty_ = true;
    if (from) return;
    // So that it has a place to go on from, should it lose the session before the first write.
    pb::Watched watched;
    watched.set_upto(handed_.confirm.value);
    send(key, watch, std::move(watched), 0);
}

std::string Watches::why_not(uint64_t session) const {
    if (table_.size() > options_.most)
        return "this node has " + std::to_string(options_.most) + " watches of the group already; try again";
    const auto first = table_.lower_bound({session, 0});
    const auto last = table_.lower_bound({session + 1, 0});
    if (size_t(std::distance(first, last)) > options_.most_of_session)
        return "this session has " + std::to_string(options_.most_of_session) + " watches of the group already";
    return {};
}

void Watches::taken(uint64_t session, const pb::WatchTaken& taken) {
    const auto found = table_.find({session, taken.id()});
    if (found == table_.end()) return;  // it has just ended
    Watch& watch = found->second;
    while (!watch.shown.empty() && watch.shown.front().upto.value <= taken.upto()) {
        watch.shown_bytes -= watch.shown.front().bytes;
        watch.shown.pop_front();
    }
    dirty_ = true;
}

void Watches::stop(uint64_t session, const pb::WatchStop& stop) { end({session, stop.id()}, pb::DONE, ""); }

void Watches::end(const Key& key, pb::Code code, const std::string& reason) {
    const auto found = table_.find(key);
    if (found == table_.end()) return;
    forget(found);
    pb::Reply reply;
    reply.set_id(key.second);
    reply.set_code(code);
    reply.set_reason(reason);
    hooks_.reply(key.first, reply);
}

void Watches::on_session_closed(uint64_t session) {
    for (auto it = table_.lower_bound({session, 0}); it != table_.end() && it->first.first == session;) forget(it++);
}

void Watches::forget(Table::iterator watch) {
    table_.erase(watch);
    if (!table_.empty()) return;
    newest_.clear();
    newest_bytes_ = 0;
}

// ---- showing

void Watches::tick() {
    if (table_.empty()) return;
    dirty_ = true;
    hooks_.again();
}

// In turn, so that one with much to see does not keep the others, or the loop, waiting.
void Watches::flush() {
    if (!std::exchange(dirty_, false)) return;
    uint64_t budget = options_.batch_bytes;
    for (size_t n = table_.size(); n > 0 && budget > 0; --n) {
        auto it = table_.upper_bound(turn_);
        if (it == table_.end()) it = table_.begin();
        turn_ = it->first;
        budget -= std::min(budget, advance(it->first, it->second, budget));
    }
    if (budget > 0) return;
    dirty_ = true;
    hooks_.again();
}

bool Watches::has_room(const Key& key, const Watch& watch) const {
    return watch.shown_bytes < watch.window && hooks_.waiting_bytes(key.first) < options_.session_bytes;
}

uint64_t Watches::advance(const Key& key, Watch& watch, uint64_t budget) {
    uint64_t used = 0;
    while (used < budget && watch.next <= handed_.confirm && has_room(key, watch)) {
        const Index first = newest_.empty() ? next(handed_.confirm) : newest_.front().entry->index;
        if (watch.next >= first) {
            used += show(key, watch, newest_.begin() + std::ptrdiff_t(watch.next.value - first.value), newest_.end());
            continue;
        }
        if (!std::exchange(watch.wants_piece, true)) wait_for_piece_.push_back(key);
        read();
        break;
    }
    return used;
}

// One frame, of at least one verdict. Returns what it counts.
template <typename It> uint64_t Watches::show(const Key& key, Watch& watch, It from, It end) {
    const uint64_t room = std::min(options_.frame_bytes, watch.window - std::min(watch.window, watch.shown_bytes));
    pb::Watched watched;
    uint64_t bytes = 0;
    for (It v = from; v != end; ++v) {
        const uint64_t more = cost(*v);
        if (v != from && bytes + more > room) break;
        if (more) add_write(watched, *v->entry);
        bytes += more;
        watch.next = next(v->entry->index);
    }
    watched.set_upto(prior(watch.next).value);
    return send(key, watch, std::move(watched), bytes);
}

uint64_t Watches::send(const Key& key, Watch& watch, pb::Watched&& watched, uint64_t bytes) {
    bytes += kFrameCost;
    watch.shown.push_back({Index(watched.upto()), bytes});
    watch.shown_bytes += bytes;
    watched.set_id(key.second);
    hooks_.send(key.first, std::move(watched));
    return bytes;
}

// ---- from the ledger, for one after the other

void Watches::read() {
    while (!reading_ && !wait_for_piece_.empty()) {
        const Key key = wait_for_piece_.front();
        wait_for_piece_.pop_front();
        const auto found = table_.find(key);
        if (found == table_.end() || !found->second.wants_piece) continue;
        const Watch& watch = found->second;
        reading_ = true;
        // With what was applied before a start came a CANCEL of which the stored index of that time is not known any more:
        // each one in the ledger counts (Replica::handed()).
        const VerdictPair handed{handed_.confirm, std::max(handed_.stored, hooks_.durable())};
        pieces_.ask(watch.next, newest_.empty() ? handed_.confirm : prior(newest_.front().entry->index), handed,
                    std::clamp(watch.window, std::min<uint64_t>(options_.read_bytes, 4096), options_.read_bytes),
                    [this, key, number = watch.number](const LedgerPieces::Piece& piece) {
                        reading_ = false;
                        was_read(key, number, piece);
                        read();
                    });
    }
}

void Watches::was_read(const Key& key, uint64_t number, const LedgerPieces::Piece& piece) {
    const auto found = table_.find(key);
    if (found == table_.end() || found->second.number != number) return;
    Watch& watch = found->second;
    watch.wants_piece = false;
    if (!piece.trouble.empty()) return was_not_read(key, watch, piece.trouble);
    watch.failures = 0;
    // What there is no room for is read again when there is.
    const Index first = piece.verdicts.front().entry->index;
    while (has_room(key, watch) && watch.next <= piece.verdicts.back().entry->index)
        show(key, watch, piece.verdicts.begin() + std::ptrdiff_t(watch.next.value - first.value), piece.verdicts.end());
    dirty_ = true;
}

// It may be for a moment only, while the ledger's end is truncated: tried again with the next ticks.
void Watches::was_not_read(const Key& key, Watch& watch, const std::string& trouble) {
    if (watch.next < hooks_.first()) {
        return end(key, pb::NO_SUCH_KEY,
                   "the ledger of this node begins at index " + std::to_string(hooks_.first().value) +
                       ": read the state, and watch from its index on");
    }
    if (++watch.failures < kMostFailures) return;
    end(key, pb::OTHER_ERROR, "confirmed writes cannot be read: " + trouble);
}

}  // namespace assent
