#include "core/verdict_reader.h"

#include <algorithm>
#include <utility>

#include "core/assert.h"

namespace assent {

void VerdictReader::add(const EntryPtr& entry) {
    ASSENT_ASSERT(!read_ || entry->index == next(read_));
    read_ = entry->index;
    if (entry->announced.confirm) use(entry->announced);
    if (entry->index > decided_) undecided_.push_back(entry);
    if (entry->kind == EntryKind::cancel && entry->cancel.index > decided_) {
        cancels_.try_emplace(entry->cancel.index, entry);
    }
    if (waiting_.confirm && waiting_.stored <= read_) use(std::exchange(waiting_, VerdictPair()));
}

void VerdictReader::announce(const VerdictPair& pair) {
    if (pair.stored <= read_) {
        use(pair);
    } else {
        waiting_ = std::max(waiting_, pair);
    }
}

void VerdictReader::use(const VerdictPair& pair) {
    pair_ = std::max(pair_, pair);
    while (!undecided_.empty() && undecided_.front()->index <= pair.confirm) {
        EntryPtr entry = std::move(undecided_.front());
        undecided_.pop_front();
        decided_ = entry->index;
        Verdict verdict{entry, nullptr};
        auto named = cancels_.find(entry->index);
        if (named != cancels_.end()) {
            if (named->second->index <= pair.stored) verdict.cancel = named->second;
            cancels_.erase(named);
        }
        verdicts_.push_back(std::move(verdict));
    }
}

std::vector<Verdict> VerdictReader::take() { return std::exchange(verdicts_, {}); }

}  // namespace assent
