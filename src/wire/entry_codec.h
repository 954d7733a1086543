// Entries as bytes: proto/entry.proto, the same on the wire and in the ledger.
#pragma once

#include <string>
#include <string_view>

#include "base/failure.h"
#include "core/types.h"

namespace assent::wire {

// Appends the entry to `out`.
void encode_entry(const Entry& entry, std::string& out);
// Error if malformed, of an unknown kind, index 0, a CONFIG without voters or with more than 255, or data above 64 MiB.
Result<EntryPtr> decode_entry(std::string_view bytes);

}  // namespace assent::wire
