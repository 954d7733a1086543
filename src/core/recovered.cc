#include "core/recovered.h"

#include "core/assert.h"
#include "core/planted.h"

namespace assent {

Recovered::Recovered(const Options& options, const NodeState& node_state, Index accept_mark, Index app_applied)
    : state(node_state), mark(accept_mark), applied(app_applied),
      clients(options.max_clients + (ASSENT_MUTANT(client_table_bounded_by_node_id) ? options.node.value % 2 : 0),
              options.max_outcomes) {}

void Recovered::add(const EntryPtr& entry) {
    ASSENT_ASSERT(entry->index == next(last.index));
    last = entry->position();
    if (runs.empty() || runs.back().epoch != entry->epoch) runs.push_back({entry->epoch, entry->index});
    if (entry->kind == EntryKind::config) configs.push_back(entry);
    if (entry->index <= applied) {
        if (!ASSENT_MUTANT(client_table_not_rebuilt_at_a_start)) clients.decide(*entry);
    } else {
        tail.push_back(entry);
    }
}

}  // namespace assent
