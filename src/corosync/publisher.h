// Decides what to write below "runtime.assent." and when. Pure: the writing is the control thread's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "corosync/cluster.h"

namespace assent {

class Publisher {
  public:
    static constexpr int64_t kIntervalUs = 1'000'000;

    struct Step {
        std::string key;                   // without the prefix
        std::optional<StatusValue> value;  // nothing: remove
    };

    // The keys as they shall be; those of earlier calls that are not among them are removed.
    void want(StatusKeys keys) { wanted_ = std::move(keys); }

    // When take() will have steps: now or earlier, later, or never (nothing).
    std::optional<int64_t> due_us() const;
    // The steps from what is written to what is wanted; from here on they count as carried out.
    std::vector<Step> take(int64_t now_us);
    // corosync was restarted and knows none of them any more.
    void forget();
    const StatusKeys& written() const { return written_; }

  private:
    StatusKeys wanted_;
    StatusKeys written_;
    std::optional<int64_t> last_us_;
};

// Can corosync take this key below "runtime.assent."?
bool valid_status_key(const std::string& key);

}  // namespace assent
