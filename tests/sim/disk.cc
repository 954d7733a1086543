#include "disk.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "core/invariants.h"
#include "ledger/replay.h"

namespace assent::sim {
namespace {

using ledger::FaultEnv;
using ledger::Store;
using ledger::Trouble;

constexpr const char* kFolder = "/ledger";
constexpr uint64_t kSector = 512;

bool same(const DiskContent& a, const DiskContent& b) {
    if (a.mark != b.mark || a.entries.size() != b.entries.size()) return false;
    // From the end: there they differ, if at all.
    return std::equal(a.entries.rbegin(), a.entries.rend(), b.entries.rbegin(),
                      [](const EntryPtr& x, const EntryPtr& y) { return x == y || same_entry(*x, *y); });
}

void truncate(DiskContent& content, Index from) {
    if (from.value <= content.entries.size()) content.entries.resize(from.value - 1);
    content.mark = std::min(content.mark, prior(from));
}

void take(DiskContent& content, const Persist& unit) {
    if (unit.state) content.state = *unit.state;
    if (unit.truncate_from) truncate(content, unit.truncate_from);
    content.entries.insert(content.entries.end(), unit.append.begin(), unit.append.end());
    if (unit.mark) content.mark = *unit.mark;
}

size_t entries_in(const std::vector<Persist>& batch) {
    size_t count = 0;
    for (const Persist& unit : batch) count += unit.append.size();
    return count;
}

std::string text(const DiskContent& c) {
    return std::to_string(c.entries.size()) + " entries, the last " +
           (c.entries.empty() ? "none" : assent::text(c.entries.back()->position())) + ", mark " +
           std::to_string(c.mark.value) + ", ballot " + std::to_string(c.state.ballot.value);
}

}  // namespace

Disk::Disk(Schedule& schedule, uint64_t seed, NodeId node, Span latency, uint64_t segment_bytes, Hooks hooks)
    : schedule_(schedule), random_(seed), hooks_(std::move(hooks)), env_(seed), latency_(latency) {
    options_.dir = kFolder;
    options_.segment_bytes = segment_bytes;
    options_.node = node;
    env_.on_operation([this](FaultEnv::Op op, const std::string& path) { operation(op, path); });
}

// Before it is carried out.
void Disk::operation(FaultEnv::Op op, const std::string& path) {
    if (end_at_ != 0 && --end_at_ == 0) throw Cut();
    if (loses_batch_ && op == FaultEnv::Op::sync && path.find("segment") != path.npos && entries_in(batch_) > 2) {
        loses_batch_ = false;
        holes_ = true;
        end_how_ = End::power;
        throw Cut();
    }
    // The worst moment: what is behind the end looks like the next record.
    if (mended_ || !store_ || old_records_.empty() || !old_records_.count(end_at_start_ + store_->bytes())) return;
    if (random_.one_in(2)) return;
    end_how_ = End::kill;
    throw Cut();
}

// ---- start and end

Disk::Opening Disk::open(LedgerId fresh) {
    forget();
    options_.fresh_ledger = fresh;
    Opening o;
    const uint64_t failed = env_.failed();
    if (!failing_starts_.empty()) {
        env_.fail(FaultEnv::Op::write, failing_starts_.back());
        failing_starts_.pop_back();
    }
    try {
        ledger::Opened opened;
        store_ = Store::open(env_, options_, opened);
        o.content.state = opened.state;
        o.content.mark = opened.mark;
        o.run = opened.run;
        store_->for_each([&](const EntryPtr& entry) { o.content.entries.push_back(entry); });
    } catch (const Cut&) {
        o.why = "it ended in the middle of its start";
        take_end() == End::power ? power_loss() : kill();
        return o;
    } catch (const Failure& failure) {
        o.why = failure.what();
        o.refused = env_.failed() == failed;
        if (o.refused && !damaged_) o.broken = "I9: a ledger without damage is refused: " + o.why;
        kill();
        return o;
    }
    o.open = true;
    o.broken = lost(o.content);
    find_old_records();
    synced_ = o.content;
    unsynced_.clear();
    return o;
}

// What was synced is there, and of what came after it a beginning.
std::string Disk::lost(const DiskContent& found) const {
    if (!synced_.state.ledger) return "";
    bool state = found.state == synced_.state;
    for (const Persist& unit : unsynced_) state = state || (unit.state && *unit.state == found.state);
    DiskContent may = synced_;
    bool content = same(found, may);
    const auto next = [&](auto&& change) {
        if (content) return;
        change();
        content = same(found, may);
    };
    for (const Persist& unit : unsynced_) {
        if (unit.truncate_from) next([&] { truncate(may, unit.truncate_from); });
        for (const EntryPtr& entry : unit.append) next([&] { may.entries.push_back(entry); });
        if (unit.mark) next([&] { may.mark = *unit.mark; });
    }
    if (state && content) return "";
    return "I9: node " + std::to_string(options_.node.value) + " finds " + text(found) + " where it had synced " +
           text(synced_) + (damaged_ ? " (the disk is damaged)" : "");
}

void Disk::forget() {
    ++life_;
    store_.reset();
    queue_.clear();
    unsynced_.insert(unsynced_.end(), std::make_move_iterator(batch_.begin()), std::make_move_iterator(batch_.end()));
    batch_.clear();
    busy_ = false;
    woken_ = false;
}

void Disk::kill() {
    forget();
    env_.crash(FaultEnv::Loss::nothing);
}

void Disk::power_loss() {
    forget();
    const bool everything = random_.one_in(4);
    env_.crash(holes_ ? FaultEnv::Loss::holes : everything ? FaultEnv::Loss::everything : FaultEnv::Loss::some);
    holes_ = false;
}

// ---- work

void Disk::submit(Persist unit) {
    queue_.push_back(std::move(unit));
    if (busy_ || woken_) return;
    // The ledger's thread takes all that is there by then.
    woken_ = true;
    schedule_.after(random_.between(0, 50), [this, life = life_] {
        if (life != life_) return;
        woken_ = false;
        work();
    });
}

void Disk::work() {
    if (busy_) return;
    if (queue_.empty()) return prepare();
    busy_ = true;
    batch_.swap(queue_);
    // What lies behind the end is met by writes that end soon.
    const bool small = hooks_.small_writes && !old_records_.empty();
    if (small) hooks_.small_writes(true);
    const bool written = done([this] { return store_->write(batch_); });
    if (small) hooks_.small_writes(false);
    if (written) later(&Disk::sync);
}

// Whole records behind the ledger's end, from a write that was lost in part.
void Disk::find_old_records() {
    old_records_.clear();
    ledger::Segment last;
    FaultEnv copy;  // that nobody has locked
    for (const auto& [path, contents] : env_.durable()) {
        if (env_.exists(path)) copy.set_contents(path, env_.contents(path));
    }
    try {
        ledger::walk(copy, kFolder, [&](const ledger::Segment& s, uint32_t at, const ledger::RecordHeader& h, auto) {
            last.path = s.path;
            last.use = s.use;
            end_at_start_ = at + ledger::record_bytes(h.size);
        });
    } catch (const Failure&) {
        return;  // damage that the start did not see
    }
    if (last.path.empty()) return;
    const std::string bytes = env_.contents(last.path);
    const std::string_view all(bytes);
    const uint64_t upto = std::min<uint64_t>(bytes.size(), end_at_start_ + (16 << 10));
    for (uint64_t at = end_at_start_; at + ledger::kRecordHeaderBytes <= upto; at += ledger::kRecordAlign) {
        ledger::RecordHeader h;
        if (!ledger::parse_record(all.substr(at, ledger::kRecordHeaderBytes), h) || h.use != last.use) continue;
        const uint32_t size = ledger::record_bytes(h.size);
        if (at + size <= bytes.size() && ledger::verify_record(all.substr(at, size), h)) old_records_.insert(at);
    }
}

void Disk::sync() {
    if (!done([this] { return store_->sync(); })) return;
    const std::vector<Persist> batch = std::exchange(batch_, {});
    for (const Persist& unit : batch) {
        take(synced_, unit);
        hooks_.synced(unit);
    }
    hooks_.completed(batch.back().seq);
    if (store_->wants_next_soon()) return prepare();
    busy_ = false;
    work();
}

// A step towards the next segment, if it is time. (Asked twice, the store may say otherwise: rare branches are chosen anew.)
void Disk::prepare() {
    busy_ = store_->wants_next();
    if (!busy_) {
        if (!queue_.empty()) work();
        return;
    }
    if (done([this] { return store_->prepare_next(); })) later(&Disk::work);
}

void Disk::later(void (Disk::*what)()) {
    const int64_t takes = random_.pick(latency_) * int64_t(factor_);
    schedule_.after(std::max(takes, hangs_for()), [this, what, life = life_] {
        if (life != life_) return;
        if (hangs_for() > 0) return later(what);
        if (what == &Disk::work) busy_ = false;
        (this->*what)();
    });
}

template <typename F> bool Disk::done(F&& operation) {
    End how = End::failure;
    std::string why;
    try {
        const Trouble trouble = operation();
        if (!trouble) return true;
        why = trouble->text;
    } catch (const Cut&) {
        how = take_end();
        why = "in the middle of an operation of the disk";
    }
    ended(how, why);
    return false;
}

void Disk::ended(End how, const std::string& why) {
    schedule_.after(0, [this, how, why, life = life_] {
        if (life == life_) hooks_.ended(how, why);
    });
}

// As the ledger does: what is going to be truncated is not found any more.
Result<std::vector<EntryPtr>> Disk::read(Index from, Index upto, uint64_t max_bytes) {
    for (const std::vector<Persist>* units : {&batch_, &queue_}) {
        for (const Persist& unit : *units) {
            if (unit.truncate_from) upto = std::min(upto, prior(unit.truncate_from));
        }
    }
    auto entries = store_->read(from, upto, max_bytes);
    if (!entries && store_->has(from)) ended(End::failure, entries.error());
    return entries;
}

std::vector<EntryPtr> Disk::stored(Index from) {
    std::vector<EntryPtr> all;
    for (;;) {
        auto some = read(all.empty() ? from : next(all.back()->index), Index(UINT64_MAX), 1 << 20);
        if (!some) return all;
        all.insert(all.end(), some->begin(), some->end());
    }
}

// ---- faults

Disk::End Disk::take_end() {
    const End how = end_how_;
    std::tie(end_at_, end_how_) = std::exchange(then_, {0, End::kill});
    return how;
}

void Disk::end_at(uint64_t nth, End how) {
    end_at_ = nth;
    end_how_ = how;
}

void Disk::mend() {
    mended_ = true;
    factor_ = 1;
    hangs_until_ = 0;
    end_at_ = 0;
    then_.first = 0;
    loses_batch_ = false;
    failing_starts_.clear();
    env_.fail_nothing();
    env_.set_room(UINT64_MAX);
}

void Disk::wipe() {
    forget();
    env_.wipe();
    synced_ = DiskContent();
    unsynced_.clear();
    damaged_ = false;
}

std::string Disk::damage() {
    auto files = env_.durable();
    std::erase_if(files, [](const auto& file) { return file.second.empty(); });
    if (damaged_ || files.empty()) return "";
    const Place place = any_place(files);
    const bool seen = random_.one_in(2);
    const uint64_t sector = place.offset / kSector * kSector;
    const std::string where = " at offset " + std::to_string(place.offset) + " of " + place.path;
    if (random_.one_in(2)) {
        if (!can_be_told(place, 1)) return "";
        const char byte = char(files.at(place.path)[place.offset] ^ (1 << random_.below(8)));
        env_.damage(place.path, place.offset, std::string_view(&byte, 1), seen);
        damaged_ = true;
        return "a bit is flipped" + where;
    }
    if (!can_be_told({place.path, sector}, kSector)) return "";
    damaged_ = true;
    if (random_.one_in(2)) {
        env_.lose_sector(place.path, sector, seen);
        return "a sector cannot be read" + where;
    }
    env_.damage(place.path, sector, std::string(kSector, random_.one_in(2) ? '\0' : '\xff'), seen);
    return "a sector has other contents" + where;
}

Disk::Place Disk::any_place(const std::map<std::string, std::string>& files) {
    const auto file = std::next(files.begin(), std::ptrdiff_t(random_.below(files.size())));
    const uint64_t size = file->second.size();
    return {file->first, random_.below(random_.one_in(2) ? size : std::min<uint64_t>(size, 4096))};
}

bool Disk::can_be_told(const Place& place, uint64_t bytes) const {
    FaultEnv copy;
    for (const auto& [path, contents] : env_.durable()) copy.set_contents(path, contents);
    std::string last;     // segment with a record
    uint64_t proven = 0;  // in it, what a later record vouches for
    uint64_t end = 0;     // of the last record
    try {
        ledger::walk(copy, kFolder, [&](const ledger::Segment& s, uint32_t at, const ledger::RecordHeader& h, auto) {
            last = s.path;
            proven = h.durable;
            end = at + ledger::record_bytes(h.size);
        });
    } catch (const Failure&) {
        return false;
    }
    return place.path != last || place.offset + bytes <= proven || place.offset >= end;
}

}  // namespace assent::sim
