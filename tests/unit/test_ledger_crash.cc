// I9 over random schedules: what was reported is there after any crash, and nothing that was never written is.
#include <map>
#include <random>

#include "ledger_helpers.h"

namespace assent::ledger {
namespace {

// With a sanitizer each takes some twenty times as long.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kSeeds = 100;
#else
constexpr uint64_t kSeeds = 2000;
#endif

struct Model {
    NodeState state;
    std::map<uint64_t, std::string> entries;
    uint64_t mark = 0;
};

class Schedule {
  public:
    explicit Schedule(uint64_t seed) : random_(seed), env_(seed) {
        options_ = test_options(4096 + 1024 * (seed % 3));
        reported_.state.ledger = options_.fresh_ledger;
        reported_.state.node = options_.node;
    }

    void run() {
        for (int restart = 0; restart < 6 && !::testing::Test::HasFatalFailure(); ++restart) {
            if (!open()) continue;
            for (int step = 0; step < 40 && one_in(60) == false && step_once(); ++step) {
            }
            if (store_ && one_in(5) && !store_->close()) settle(possible_.back());
            crash();
        }
        open();
    }

  private:
    bool one_in(uint64_t n) { return random_() % n == 0; }

    void crash() {
        store_.reset();
        env_.crash(FaultEnv::Loss(random_() % 3));
    }

    // False if a fault kept it from opening: tried again after a crash.
    bool open() {
        Opened opened;
        if (one_in(6)) env_.fail(FaultEnv::Op(random_() % 6), 1 + random_() % 12);
        for (int attempt = 0;; ++attempt) {
            try {
                store_ = Store::open(env_, options_, opened);
                break;
            } catch (const Failure& failure) {
                EXPECT_NE(std::string(failure.what()).find("made to fail"), std::string::npos) << failure.what();
                if (attempt > 3) return false;
                crash();
            }
        }
        for (int op = 0; op < 6; ++op) env_.fail(FaultEnv::Op(op), UINT64_MAX);
        check(opened);
        if (one_in(3)) {  // what is found counts as durable
            store_.reset();
            env_.crash(FaultEnv::Loss::everything);
            store_ = Store::open(env_, options_, opened);
            check(opened);
        }
        return true;
    }

    // It must be one of the states that the unreported units go through.
    void check(const Opened& opened) {
        Model found;
        found.state = opened.state;
        found.mark = opened.mark.value;
        for (const EntryPtr& entry : all(*store_)) found.entries[entry->index.value] = bytes_of(*entry);
        if (possible_.empty()) possible_.push_back(reported_);
        const Model* match = nullptr;
        for (const Model& model : possible_) {
            if (same(model, found, opened)) match = &model;
        }
        ASSERT_NE(match, nullptr) << "first " << opened.first.value << " last " << text(opened.last) << " mark "
                                  << opened.mark.value << ", reported up to "
                                  << (reported_.entries.empty() ? 0 : reported_.entries.rbegin()->first);
        Model now = *match;
        now.state = found.state;
        now.entries = found.entries;  // what was dropped is forgotten
        settle(now);
    }

    bool same(const Model& model, const Model& found, const Opened& opened) const {
        if (model.mark != found.mark) return false;
        if (found.state != model.state && found.state != unreported_state_) return false;
        if (model.entries.empty() || found.entries.empty()) return model.entries.empty() && found.entries.empty();
        // Dropped, at most below the limit; all others are there.
        const uint64_t first = opened.first.value;
        const uint64_t last = model.entries.rbegin()->first;
        if (first != model.entries.begin()->first && first > std::min(dropped_, last)) return false;
        const auto kept = model.entries.lower_bound(first);
        return std::equal(kept, model.entries.end(), found.entries.begin(), found.entries.end());
    }

    void settle(Model model) {
        reported_ = std::move(model);
        unreported_state_ = reported_.state;
        possible_ = {reported_};
    }

    Persist make_unit(Model& model) {
        Persist unit;
        const uint64_t last = model.entries.empty() ? 0 : model.entries.rbegin()->first;
        if (one_in(8)) {
            unit.state = model.state;
            unit.state->ballot = next(unit.state->ballot);
            unit.state->voted_for = NodeId(uint32_t(random_() % 3));
        }
        uint64_t follows = last + 1;
        if (last > 0 && one_in(8)) {
            const uint64_t lowest = std::max(dropped_ + 1, model.entries.begin()->first);
            const uint64_t from = one_in(10) ? 1 : last - std::min(last - std::min(lowest, last), random_() % 4);
            unit.truncate_from = Index(from);
            epoch_ += one_in(2);
            follows = from;
        }
        const uint64_t count = one_in(5) ? 0 : random_() % 5;
        for (uint64_t i = 0; i < count; ++i) {
            const size_t size = one_in(100) ? 9000 : random_() % 200;
            unit.append.push_back(test_entry(follows + i, epoch_, size, char('a' + random_() % 26)));
        }
        if (one_in(3)) unit.mark = Index(count > 0 ? follows + count - 1 : std::max(model.mark, follows) - 1);
        // As the store does it: a state goes first, then every record is one step.
        if (unit.state) unreported_state_ = *unit.state;
        if (unit.truncate_from) {
            model.entries.erase(model.entries.lower_bound(unit.truncate_from.value), model.entries.end());
            model.mark = std::min(model.mark, unit.truncate_from.value - 1);
            possible_.push_back(model);
        }
        for (const EntryPtr& entry : unit.append) {
            model.entries[entry->index.value] = bytes_of(*entry);
            if (unit.mark == entry->index && entry == unit.append.back()) model.mark = entry->index.value;
            possible_.push_back(model);
        }
        if (unit.mark) model.mark = unit.mark->value;
        if (unit.state) model.state = *unit.state;
        possible_.push_back(model);
        return unit;
    }

    // False at a fault.
    bool step_once() {
        if (one_in(80)) env_.fail(FaultEnv::Op(random_() % 6), 1 + random_() % 6);
        if (one_in(12) && !reported_.entries.empty()) {
            const uint64_t last = reported_.entries.rbegin()->first;
            const uint64_t limit = last - std::min(last - 1, random_() % 20);
            dropped_ = std::max(dropped_, limit);
            if (store_->drop_before(Index(limit))) return false;
            if (const Index first = store_->outline().first) {
                reported_.entries.erase(reported_.entries.begin(), reported_.entries.lower_bound(first.value));
                settle(reported_);
            }
        }
        Model model = reported_;
        std::vector<Persist> batch(1 + random_() % 4);
        for (Persist& unit : batch) unit = make_unit(model);
        // The state on the disk may be the last one from the moment write() is called.
        for (Model& possible : possible_) {
            if (possible.state != model.state) possible.state = reported_.state;
        }
        if (store_->write(batch)) return false;
        for (Model& possible : possible_) possible.state = model.state;
        if (one_in(30) || store_->sync()) return false;  // or the crash comes before the sync
        settle(model);
        return !store_->wants_next() || one_in(2) || !store_->prepare_next();
    }

    std::mt19937_64 random_;
    FaultEnv env_;
    LedgerOptions options_;
    std::unique_ptr<Store> store_;
    Model reported_;
    std::vector<Model> possible_;  // what a crash now may leave
    NodeState unreported_state_;
    uint64_t dropped_ = 0;
    uint64_t epoch_ = 1;
};

TEST(LedgerCrash, WhatWasReportedIsThere) {
    const char* only = std::getenv("LEDGER_SEED");
    const uint64_t first = only ? std::strtoull(only, nullptr, 10) : 1;
    for (uint64_t seed = first; seed < first + (only ? 1 : kSeeds); ++seed) {
        SCOPED_TRACE("LEDGER_SEED=" + std::to_string(seed));
        Schedule(seed).run();
        if (::testing::Test::HasFailure()) return;
    }
}

}  // namespace
}  // namespace assent::ledger
