// Recovery: walks the records from the first segment on, tells an unfinished write from damage, and changes nothing.
#pragma once

#include <functional>
#include <map>

#include "ledger/outline.h"
#include "ledger/segment.h"

namespace assent::ledger {

using Segments = std::map<uint32_t, Segment>;

// Each valid record in order, before it is applied.
using RecordVisitor =
    std::function<void(const Segment&, uint32_t offset, const RecordHeader&, std::string_view payload)>;

struct Replayed {
    Outline outline;
    Table table;
    uint32_t segment = 0;     // the next record goes there,
    uint32_t offset = 0;      // at this place,
    uint32_t prev = 0;        // after this one
    uint32_t run = 0;         // of the last record
    bool ended = false;       // no: the segment is full, and the next one has no record yet
    uint64_t torn_bytes = 0;  // of an unfinished record, as far as it shows
};

// Throws Failure naming file and offset at damage. No segments: an empty ledger.
Replayed replay(const std::string& dir, const Segments& segments, const RecordVisitor& visit = {});

// For tools: every valid record up to the end; nothing is changed. Throws Failure as a start would, also if a daemon
// runs.
void walk(Env& env, const std::string& dir, const RecordVisitor& visit);

}  // namespace assent::ledger
