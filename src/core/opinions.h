// What the application here said of undecided entries above the accept mark (R5). An accept stands; a rejection stands
// until the application takes the entry after all.
#pragma once

#include <map>
#include <set>

#include "core/types.h"

namespace assent {

class Opinions {
  public:
    void accept(Index index) {
        rejected_.erase(index);
        accepted_.insert(index);
    }
    void reject(const Rejection& r) {
        if (!accepted_.count(r.index)) rejected_[r.index] = r.reason.substr(0, kMaxReasonBytes);
    }
    bool accepted(Index index) const { return accepted_.count(index) != 0; }
    const std::map<Index, std::string>& rejected() const { return rejected_; }

    // Those entries are not there any more.
    void cut(Index from) {
        accepted_.erase(accepted_.lower_bound(from), accepted_.end());
        rejected_.erase(rejected_.lower_bound(from), rejected_.end());
    }
    // Nobody asks any more: decided, or below the mark.
    void forget_accepted(Index upto) { accepted_.erase(accepted_.begin(), accepted_.upper_bound(upto)); }
    void forget_rejected(Index upto) { rejected_.erase(rejected_.begin(), rejected_.upper_bound(upto)); }
    void clear() { *this = Opinions(); }

  private:
    std::set<Index> accepted_;
    std::map<Index, std::string> rejected_;
};

}  // namespace assent
