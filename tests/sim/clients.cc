#include "clients.h"

#include <algorithm>

#include "../lincheck/lincheck.h"
#include "app/kv/kv_requests.h"
#include "ledger/format.h"
#include "wire/entry_codec.h"

namespace assent::sim {
namespace {

constexpr const char* kAnswers[] = {"confirmed", "cancelled",  "unknown", "not_master",
                                    "busy",      "read_ready", "done",    "refused"};

constexpr uint64_t kTokens = 1ull << 59;

// A confirmed write waits for its result until it is applied, not for ever where the application hangs.
constexpr int kTriesForResult = 50;
constexpr int64_t kBetweenTriesUs = 500;

// A run has a few thousand operations; orders tried are then a few hundred thousand.
constexpr uint64_t kStepsOfChecker = 20'000'000;

std::string num(uint64_t n) { return std::to_string(n); }

constexpr const char* kKinds[] = {"put", "get", "del", "cas"};

std::string name_of(const lincheck::Operation& o) {
    return std::string(kKinds[int(o.kind)]) + " of " + o.key + (o.value ? " to " + o.value->substr(0, 20) : "");
}

uint32_t record_of(EntryKind kind, uint64_t data_bytes) {
    Entry e;
    e.kind = kind;
    e.index = Index(300);
    e.epoch = Epoch(5);
    if (kind == EntryKind::write) {
        e.client = {Index(300), 1ull << 63};
        e.sequence = e.first_unanswered = 50;
        e.data = std::string(data_bytes, '.');
    }
    std::string bytes;
    wire::encode_entry(e, bytes);
    return ledger::record_bytes(uint32_t(bytes.size()));
}

}  // namespace

uint64_t uniform_request_bytes() {
    const uint32_t unit = record_of(EntryKind::epoch, 0);
    uint64_t bytes = 60;
    while (record_of(EntryKind::write, bytes) % unit != 0) ++bytes;
    return bytes;
}

Clients::Clients(World& world, const ClientsSetup& setup) : world_(world), setup_(setup), clients_(setup.clients) {
    world_.answered = [this](Node& node, const Answer& answer) { answered(node, answer); };
}

void Clients::start() {
    for (size_t c = 0; c < clients_.size(); ++c) think(c);
}

void Clients::think(size_t c) {
    world_.schedule().after(world_.random().pick(setup_.think), [this, c] {
        if (stopped_ || world_.failed()) return;
        begin(c);
        think(c);
    });
}

NodeId Clients::guess(Client& client) {
    if (client.guess && !world_.random().one_in(20)) return client.guess;
    NodeId asked = world_.any_node();
    client.guess = asked;
    if (world_.node(asked).running() && world_.node(asked).replica().master()) {
        client.guess = world_.node(asked).replica().master();
    }
    return client.guess;
}

void Clients::begin(size_t c) {
    Client& client = clients_[c];
    if (client.ops.size() >= setup_.window) return;
    if (!client.id.random || (world_.random().one_in(200) && client.ops.empty())) {
        NodeId n = world_.any_node();  // gives out ids at its confirm index
        if (!world_.node(n).running()) return;
        uint64_t next_op = client.next_op;  // a late answer must not meet another operation
        client = Client();
        client.next_op = next_op;
        client.id = ClientId{world_.node(n).replica().confirmed(), world_.random().next() | 1};
    }
    add(c, world_.random().permille(setup_.reads_permille));
}

void Clients::write_one() {
    Client client;
    for (uint32_t n = 1; n <= world_.size() && !client.id.random; ++n) {
        if (!world_.node(NodeId(n)).running()) continue;
        client.id = ClientId{world_.node(NodeId(n)).replica().confirmed(), world_.random().next() | 1};
    }
    clients_.push_back(client);
    add(clients_.size() - 1, false);
}

void Clients::add(size_t c, bool read) {
    Client& client = clients_[c];
    Op op;
    op.read = read;
    op.started = world_.schedule().now();
    op.floor = floor_;
    op.told.client = client.id.random % 100'000;
    op.told.key = "k" + num(world_.random().below(setup_.keys));
    op.told.invoked_us = op.started;
    if (!read) choose_write(client, op);
    ++under_way_;
    uint64_t number = client.next_op++;
    client.ops[number] = std::move(op);
    attempt(c, number);
}

// Each value is written once. A cas compares with what its client saw last, so that it often swaps.
void Clients::choose_write(Client& client, Op& op) {
    lincheck::Operation& o = op.told;
    op.sequence = client.next_sequence++;
    std::string value = num(o.client) + "." + num(op.sequence);
    if (world_.random().permille(setup_.big_permille)) value += std::string(setup_.big_bytes, '.');
    if (setup_.uniform_bytes) {
        const uint64_t without = kv::encode_put(o.key, value).size();
        value += std::string(setup_.uniform_bytes - std::min(without, setup_.uniform_bytes), '.');
        o.kind = lincheck::OpKind::put;
        o.value = value;
        op.data = kv::encode_put(o.key, value);
        return;
    }
    const uint64_t which = world_.random().below(1000);
    if (which < setup_.del_permille) {
        o.kind = lincheck::OpKind::del;
        op.data = kv::encode_del(o.key);
    } else if (which < setup_.del_permille + setup_.cas_permille) {
        o.kind = lincheck::OpKind::cas;
        o.old_value = client.seen[o.key];
        if (!world_.random().one_in(8)) o.value = value;
        op.data = kv::encode_cas(o.key, o.old_value, o.value);
    } else {
        o.kind = lincheck::OpKind::put;
        o.value = value;
        op.data = kv::encode_put(o.key, value);
    }
}

void Clients::attempt(size_t c, uint64_t number) {
    Client& client = clients_[c];
    auto it = client.ops.find(number);
    if (it == client.ops.end()) return;
    Op& op = it->second;
    bool late = world_.schedule().now() - op.started > setup_.deadline_us;
    if (late && op.read) {
        finish(c, number, lincheck::Outcome::unknown);
        return;
    }
    const bool ask_first = late && !op.asking;
    if (ask_first) op.asking = true;
    const bool hasty = op.attempt && !stopped_ && world_.random().permille(setup_.hasty_permille);
    if (!op.read && (hasty || (ask_first && world_.random().permille(setup_.abandon_permille)))) {
        ++unknown_;
        finish(c, number, lincheck::Outcome::unknown);
        return;
    }
    Ask ask = op.read ? Ask::read : op.asking ? Ask::outcome : Ask::write;
    op.attempt = ++attempts_;
    const bool roams = op.read && world_.random().permille(setup_.roaming_permille);
    Attempt a{c, number, op.attempt, ask, roams ? world_.any_node() : guess(client), 0, Index()};
    if (!world_.random().permille(setup_.lost_permille)) {
        int64_t travel = world_.random().pick(setup_.travel);
        if (world_.random().permille(setup_.late_permille)) travel = world_.random().between(100'000, 10'000'000);
        world_.schedule().after(travel, [this, a, request = request_of(client, op, ask)] { arrive(a, request); });
    }
    world_.schedule().after(setup_.patience_us, [this, a] {
        auto op_it = clients_[a.client].ops.find(a.op);
        if (op_it == clients_[a.client].ops.end() || op_it->second.attempt != a.number) return;
        clients_[a.client].guess = NodeId();
        attempt(a.client, a.op);
    });
}

Event Clients::request_of(const Client& client, const Op& op, Ask ask) const {
    if (ask == Ask::read) return event::Read{};
    if (ask == Ask::outcome) return event::AskOutcome{Token(), client.id, op.sequence};
    return event::Submit{Token(), client.id, op.sequence, client.first_unanswered, op.data};
}

// Somebody may wait for it or not.
void Clients::arrive(const Attempt& a, Event request) {
    Node& node = world_.node(a.node);
    if (!node.running()) return;
    Token token(++tokens_);
    Attempt waiting = a;
    waiting.life = node.life();
    waiting.decided = world_.cluster().decided();
    waiting_[token.value] = waiting;
    if (auto* submit = std::get_if<event::Submit>(&request)) submit->token = token;
    if (auto* read = std::get_if<event::Read>(&request)) read->token = token;
    if (auto* ask = std::get_if<event::AskOutcome>(&request)) ask->token = token;
    node.give(std::move(request));
    if (world_.random().one_in(30)) node.give(event::Forget{token});
}

void Clients::answered(Node& node, const Answer& answer) {
    if (answer.token.value > kTokens) return;  // the nemesis asked
    auto it = waiting_.find(answer.token.value);
    if (it == waiting_.end()) {
        fail("node " + num(node.id().value) + " answers token " + num(answer.token.value) +
             ", which nobody waits for (twice?)");
        return;
    }
    Attempt a = it->second;
    waiting_.erase(it);
    if (a.node != node.id() || a.life != node.life()) {
        fail("node " + num(node.id().value) + " answers a token of another run");
        return;
    }
    Reply reply{answer, {}, node.app().newest_write(), {}};
    if (answer.kind == AnswerKind::read_ready) {
        if (node.replica().applied() < answer.index) {
            fail("a read is ready at " + num(answer.index.value) + ", applied is " +
                 num(node.replica().applied().value));
        }
        // Stricter than what clients can tell: whoever proves its mastership after that moment had confirmed all of it.
        if (answer.index < a.decided) {
            fail("a read that came when " + num(a.decided.value) + " was decided is answered at " +
                 num(answer.index.value));
        }
    }
    if (answer.kind == AnswerKind::confirmed || answer.kind == AnswerKind::read_ready) {
        reply_when_applied(a, std::move(reply), 0);
    } else {
        send(a, std::move(reply));
    }
}

void Clients::reply_when_applied(const Attempt& a, Reply reply, int tries) {
    Node& node = world_.node(a.node);
    if (node.life() != a.life) return;
    const bool read = reply.answer.kind == AnswerKind::read_ready;
    if (node.app().applied() >= reply.answer.index) {
        auto op = clients_[a.client].ops.find(a.op);
        const bool waits = op != clients_[a.client].ops.end();
        if (read && waits) reply.value = node.app().get(op->second.told.key);
        if (read) reply.seen = node.app().newest_write();
        if (!read) reply.result = node.app().result_of(reply.answer.index);
    } else if (tries < kTriesForResult) {
        world_.schedule().after(kBetweenTriesUs, [this, a, reply = std::move(reply), tries] {
            reply_when_applied(a, reply, tries + 1);
        });
        return;
    } else if (read) {
        return;  // it is asked again
    }
    send(a, std::move(reply));
}

void Clients::send(const Attempt& a, Reply reply) {
    if (world_.random().permille(setup_.lost_permille)) return;
    world_.schedule().after(world_.random().pick(setup_.travel),
                            [this, a, reply = std::move(reply)] { take(a, reply); });
}

void Clients::take(const Attempt& a, const Reply& reply) {
    const Answer& answer = reply.answer;
    Client& client = clients_[a.client];
    auto it = client.ops.find(a.op);
    if (it == client.ops.end()) return;
    Op& op = it->second;
    op.last_answer = std::string(kAnswers[int(answer.kind)]) + " from node " + num(a.node.value);
    if (a.ask != Ask::read) {
        take_write(a.client, a.op, a, reply);
        return;
    }
    if (answer.kind == AnswerKind::read_ready) {
        check_read(op, reply.value, reply.seen);
        ++reads_;
        told_value(client, op, reply.value);
        finish(a.client, a.op, lincheck::Outcome::confirmed);
    } else if (op.attempt == a.number) {
        client.guess = NodeId();
        again(a.client, a.op, world_.random().between(1'000, 100'000));
    }
}

void Clients::take_write(size_t c, uint64_t number, const Attempt& a, const Reply& reply) {
    const Answer& answer = reply.answer;
    Client& client = clients_[c];
    Op& op = client.ops.at(number);
    if (answer.kind == AnswerKind::confirmed) {
        check_write(client, op, answer.index);
        ++confirmed_;
        told_result(client, op, reply.result);
        finish(c, number, lincheck::Outcome::confirmed);
    } else if (answer.kind == AnswerKind::cancelled) {
        cancelled_writes_.insert({client.id, op.sequence});
        if (world_.cluster().write_of(client.id, op.sequence))
            fail("a confirmed write was told cancelled: " + name_of(op.told));
        ++cancelled_;
        finish(c, number, lincheck::Outcome::cancelled);
    } else if (answer.kind == AnswerKind::unknown && a.ask == Ask::outcome && setup_.table_forgets) {
        ++unknown_;
        finish(c, number, lincheck::Outcome::unknown);
    } else if (op.attempt == a.number) {
        if (answer.kind != AnswerKind::busy) client.guess = NodeId();
        again(c, number, world_.random().between(1'000, 100'000));
    }
}

void Clients::told_value(Client& client, Op& op, const AppValue& value) {
    op.told.found = value.found;
    if (value.found) op.told.result = value.value;
    client.seen[op.told.key] = op.told.result;
}

void Clients::told_result(Client& client, Op& op, const std::optional<std::string>& result) {
    lincheck::Operation& o = op.told;
    if (o.kind == lincheck::OpKind::put || !result) {
        client.seen[o.key] = o.value;
        return;
    }
    const auto parsed = kv::decode_result(*result);
    if (!parsed) {
        fail("the application's result is none: " + parsed.error());
        return;
    }
    if (o.kind == lincheck::OpKind::del) {
        o.found = parsed->found;
    } else {
        o.swapped = parsed->done;
        if (!parsed->done) o.found = parsed->current.has_value();
        if (!parsed->done) o.result = parsed->current;
    }
    client.seen[o.key] = parsed->done ? o.value : parsed->current;
}

void Clients::again(size_t c, uint64_t op, int64_t delay) {
    uint64_t number = clients_[c].ops.at(op).attempt;
    world_.schedule().after(delay, [this, c, op, number] {
        auto it = clients_[c].ops.find(op);
        if (it != clients_[c].ops.end() && it->second.attempt == number) attempt(c, op);
    });
}

void Clients::finish(size_t c, uint64_t op, lincheck::Outcome outcome) {
    Client& client = clients_[c];
    lincheck::Operation& told = client.ops.at(op).told;
    told.outcome = outcome;
    told.returned_us = world_.schedule().now();
    history_.push_back(std::move(told));
    client.ops.erase(op);
    --under_way_;
    client.first_unanswered = client.next_sequence;
    for (const auto& [number, other] : client.ops) {
        if (!other.read) client.first_unanswered = std::min(client.first_unanswered, other.sequence);
    }
}

void Clients::check_write(const Client& client, const Op& op, Index index) {
    std::string what = "the " + name_of(op.told) + ", told confirmed at " + num(index.value) + ", ";
    Index at = world_.cluster().write_of(client.id, op.sequence);
    if (at != index) {
        fail(what + "is decided at " + num(at.value));
    } else if (world_.cluster().decided(index)->data != op.data) {
        fail(what + "is another there");
    } else if (index <= op.floor) {
        fail(what + "began when " + num(op.floor.value) + " was known");
    }
    if (cancelled_writes_.count({client.id, op.sequence})) fail(what + "was told cancelled before");
    floor_ = std::max(floor_, index);
}

void Clients::check_read(const Op& op, const AppValue& value, Index seen) {
    if (seen < op.floor) {
        fail("a read sees the state at " + num(seen.value) + ", it began when " + num(op.floor.value) + " was known");
    }
    if (value.written > seen) fail("a read sees a value from " + num(value.written.value) + " at " + num(seen.value));
    floor_ = std::max(floor_, seen);
}

std::string Clients::pending() const {
    std::string all;
    for (const Client& client : clients_) {
        for (const auto& [number, op] : client.ops) {
            all += " " + name_of(op.told) + " since " + std::to_string(double(op.started) / 1e6) +
                   " s, last answer: " + (op.last_answer.empty() ? "none" : op.last_answer) + ";";
        }
    }
    return all;
}

void Clients::check_history() {
    for (const auto& [client, sequence] : cancelled_writes_) {
        Index at = world_.cluster().write_of(client, sequence);
        if (at) fail("a write told cancelled is confirmed at " + num(at.value));
    }
    if (world_.failed()) return;
    for (const Client& client : clients_) {
        for (const auto& [number, op] : client.ops) history_.push_back(op.told);
    }
    lincheck::Limits limits;
    limits.steps = kStepsOfChecker;
    const lincheck::Report report = lincheck::check(history_, limits);
    if (report.verdict == lincheck::Verdict::not_linearizable)
        fail("what clients were told is not linearizable\n" + report.text);
    if (report.verdict == lincheck::Verdict::could_not_tell) fail("the checker could not tell: give it more steps");
}

void Clients::fail(const std::string& what) { world_.fail(Kind::safety, "I8: " + what); }

}  // namespace assent::sim
