// The replicated client table (R10): which writes of which clients are decided, and how. Every node changes it alike, in
// index order, as entries are decided; it is bounded by a rule that depends on the entries alone.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <unordered_map>

#include "core/types.h"

namespace assent {

enum class Outcome : uint8_t {
    none,       // not in the table, and still to be taken
    confirmed,  // at `index`
    cancelled,  // by the CANCEL at `index`
    unknown,    // dropped from the table, or older than what it remembers
};

struct Decided {
    Outcome outcome = Outcome::none;
    Index index;
};

class ClientTable {
  public:
    ClientTable(uint32_t max_clients, uint32_t max_outcomes) : max_clients_(max_clients), max_outcomes_(max_outcomes) {}

    // The entry at the next index is decided; kinds other than WRITE and CANCEL change nothing.
    void decide(const Verdict& verdict);
    Decided find(const ClientId& client, uint64_t sequence) const;
    // Digest of the whole table, for comparing replicas.
    uint64_t digest() const;
    size_t size() const { return clients_.size(); }
    Index horizon() const { return horizon_; }

  private:
    struct Client {
        uint64_t first_unanswered = 1;
        Index last_written;
        std::map<uint64_t, Decided> outcomes;  // by sequence
        std::list<ClientId>::iterator age;
    };
    bool forgotten(const ClientId& id) const;
    Client& touch(const ClientId& id, Index now);
    void record(Client& client, uint64_t sequence, Decided decided);

    uint32_t max_clients_;
    uint32_t max_outcomes_;
    Index horizon_;  // last index written by any client that was dropped
    std::unordered_map<ClientId, Client> clients_;
    std::list<ClientId> by_age_;  // oldest first
};

}  // namespace assent
