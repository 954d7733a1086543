// An entry about to be encoded: its size is known before its data is copied, and that is copied once.
#pragma once

#include <string>

#include "core/types.h"

namespace assent::wire {

// Must not outlive the entry.
class EntryHead {
  public:
    explicit EntryHead(const Entry& entry);
    size_t size() const;
    void append_to(std::string& out) const;

  private:
    const Entry& entry_;
    std::string head_;
};

}  // namespace assent::wire
