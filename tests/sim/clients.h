// Clients that write, read and ask, as the daemon's group layer lets them: a request goes to whoever is thought to be
// master, again and again with the same id, until it is answered for certain or nobody waits any more. What they were
// told is checked as it comes: exactly once, and in the order of the ledger. At the end the linearizability checker, which
// knows nothing of ledgers, looks at all of it.
#pragma once

#include <map>
#include <set>

#include "../lincheck/history.h"
#include "world.h"

namespace assent::sim {

struct ClientsSetup {
    uint32_t clients = 4;
    uint32_t window = 3;  // operations one client has under way
    Span think{100, 200'000};
    Span travel{20, 2'000};
    int64_t patience_us = 1'000'000;  // for one attempt
    int64_t deadline_us = 5'000'000;  // then the outcome of a write is asked for
    uint32_t keys = 5;
    uint32_t reads_permille = 300;
    uint32_t cas_permille = 250;  // of writes
    uint32_t del_permille = 150;
    uint32_t lost_permille = 20;      // requests and answers
    uint32_t late_permille = 10;      // requests that come when nobody waits any more
    uint32_t roaming_permille = 50;   // reads that ask any node, whoever is master
    uint32_t abandon_permille = 100;  // writes given up for good at the deadline
    uint32_t hasty_permille = 30;     // or as soon as one attempt was in vain
    uint32_t big_permille = 20;       // writes larger than a CPG entry may be
    uint64_t big_bytes = 4'000;
    uint64_t uniform_bytes = 0;  // not 0: nothing is written but values that make requests so long
    bool table_forgets = false;  // the client table is small: `unknown` may be the last word
};

// Requests so long that a ledger's records have one length, or twice that: then old ones that were lost in part and new ones
// begin at the same places.
uint64_t uniform_request_bytes();

class Clients {
  public:
    Clients(World& world, const ClientsSetup& setup);

    void start();
    // No new operations; those under way go on to their end.
    void stop() { stopped_ = true; }
    // At the end: what was told cancelled never happened, and all answers are of one order.
    void check_history();
    bool quiet() const { return under_way_ == 0; }
    // One more write, whatever stop() said; see confirmed().
    void write_one();

    uint64_t confirmed() const { return confirmed_; }
    uint64_t cancelled() const { return cancelled_; }
    uint64_t unknown() const { return unknown_; }
    uint64_t reads() const { return reads_; }
    Index newest() const { return floor_; }
    std::string pending() const;  // for a person

  private:
    enum class Ask { write, read, outcome };
    struct Op {
        bool read = false;
        uint64_t sequence = 0;
        lincheck::Operation told;  // as it goes into the history
        std::string data;
        int64_t started = 0;
        Index floor;           // what was known to everybody when it began
        uint64_t attempt = 0;  // newest
        bool asking = false;   // past its deadline
        std::string last_answer;
    };
    struct Client {
        ClientId id;
        uint64_t next_sequence = 1;
        uint64_t first_unanswered = 1;
        std::map<uint64_t, Op> ops;  // by number, reads too
        uint64_t next_op = 1;
        NodeId guess;
        std::map<std::string, std::optional<std::string>> seen;  // by key; what cas compares with
    };
    struct Attempt {
        size_t client;
        uint64_t op;
        uint64_t number;
        Ask ask;
        NodeId node;
        uint64_t life = 0;
        Index decided;  // by any master, when it came to the node
    };

    void begin(size_t c);
    void add(size_t c, bool read);
    void think(size_t c);
    void attempt(size_t c, uint64_t op);
    void arrive(const Attempt& attempt, Event request);
    Event request_of(const Client& client, const Op& op, Ask ask) const;
    void answered(Node& node, const Answer& answer);
    // What came out of a node, with what its application said.
    struct Reply {
        Answer answer;
        AppValue value;                     // of a read
        Index seen;                         // newest write in the state it was read from
        std::optional<std::string> result;  // of a confirmed write, if it is known
    };
    void reply_when_applied(const Attempt& attempt, Reply reply, int tries);
    void send(const Attempt& attempt, Reply reply);
    void take(const Attempt& attempt, const Reply& reply);
    void take_write(size_t c, uint64_t op, const Attempt& attempt, const Reply& reply);
    void again(size_t c, uint64_t op, int64_t delay);
    void choose_write(Client& client, Op& op);
    void told_result(Client& client, Op& op, const std::optional<std::string>& result);
    void told_value(Client& client, Op& op, const AppValue& value);
    void finish(size_t c, uint64_t op, lincheck::Outcome outcome);
    void check_write(const Client& client, const Op& op, Index index);
    void check_read(const Op& op, const AppValue& value, Index seen);
    NodeId guess(Client& client);
    void fail(const std::string& what);

    World& world_;
    ClientsSetup setup_;
    std::vector<Client> clients_;
    std::map<uint64_t, Attempt> waiting_;  // by token
    uint64_t tokens_ = 0;
    uint64_t attempts_ = 0;
    bool stopped_ = false;
    uint64_t under_way_ = 0;
    Index floor_;  // nothing older may be seen by what begins from now on
    std::set<std::pair<ClientId, uint64_t>> cancelled_writes_;
    lincheck::History history_;
    uint64_t confirmed_ = 0;
    uint64_t cancelled_ = 0;
    uint64_t unknown_ = 0;
    uint64_t reads_ = 0;
};

}  // namespace assent::sim
