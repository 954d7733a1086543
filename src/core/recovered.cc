#include "core/recovered.h"

#include <algorithm>

#include "core/assert.h"
#include "core/planted.h"

namespace assent {

Recovered::Recovered(const Options& options, const NodeState& node_state, Index accept_mark, Index app_applied)
    : state(node_state), mark(accept_mark), applied(app_applied),
      clients(options.max_clients + (ASSENT_MUTANT(client_table_bounded_by_node_id) ? options.node.value % 2 : 0),
              options.max_outcomes),
      reader_(Index()) {}

void Recovered::add(const EntryPtr& entry) {
    ASSENT_ASSERT(entry->index == next(last.index));
    last = entry->position();
    if (runs.empty() || runs.back().epoch != entry->epoch) runs.push_back({entry->epoch, entry->index});
    if (entry->kind == EntryKind::config) configs.push_back(entry);
    reader_.add(entry);
    take();
}

// A verdict is given only once the ledger is durable up to the stored index it was announced with, so for what is applied
// every CANCEL in this ledger counts.
void Recovered::finish() {
    ASSENT_ASSERT(applied <= last.index);
    Index stored = std::max(reader_.pair().stored, applied);
    if (applied > reader_.decided()) reader_.announce({applied, last.index});
    take();
    decided_ = {reader_.decided(), stored};
}

void Recovered::take() {
    for (const Verdict& v : reader_.take()) {
        if (!ASSENT_MUTANT(client_table_not_rebuilt_at_a_start)) clients.decide(v);
    }
}

}  // namespace assent
