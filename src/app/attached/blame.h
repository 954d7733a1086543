// Which entry an application had in hand when it died. The same one three times: it counts as rejected.
#pragma once

#include <map>
#include <optional>

#include "core/types.h"

namespace assent::attached {

class Blame {
  public:
    static constexpr unsigned kDeaths = 3;

    // It died while it had an answer to give about `entry`, and perhaps to others up to `highest`.
    void died(const Position& entry, Index highest) {
        ++deaths_[entry];
        careful_upto_ = std::max(careful_upto_, highest);
    }
    bool rejected(const Position& entry) const { return deaths(entry) >= kDeaths; }
    unsigned deaths(const Position& entry) const {
        const auto found = deaths_.find(entry);
        return found == deaths_.end() ? 0 : found->second;
    }
    // Up to here entries are asked for one at a time, so that the next death tells which one it was.
    Index careful_upto() const { return careful_upto_; }
    // Those are done with.
    void forget(Index upto) {
        std::erase_if(deaths_, [upto](const auto& d) { return d.first.index <= upto; });
    }

  private:
    std::map<Position, unsigned> deaths_;
    Index careful_upto_;
};

}  // namespace assent::attached
