#include "wire/message_fields.h"

namespace assent::wire {

namespace {

constexpr int kMaxNodes = 1024;  // in a STATUS

void fill(const Position& from, pb::Position* to) {
    to->set_epoch(from.epoch.value);
    to->set_index(from.index.value);
}

void fill(const VerdictPair& from, pb::VerdictPair* to) {
    to->set_confirm(from.confirm.value);
    to->set_stored(from.stored.value);
}

Position position(const pb::Position& from) { return {Epoch(from.epoch()), Index(from.index())}; }

VerdictPair verdicts(const pb::VerdictPair& from) { return {Index(from.confirm()), Index(from.stored())}; }

// One function a kind: fields of the message into the envelope's body.
struct Fill {
    pb::Envelope& to;

    void operator()(const Status& m) const {
        pb::Status& b = *to.mutable_status();
        b.set_ballot(m.ballot.value);
        fill(m.last, b.mutable_last());
        b.set_master_epoch(m.master_epoch.value);
        b.set_master(m.master.value);
        for (NodeId node : m.links) b.add_links(node.value);
        b.set_application_healthy(m.application_healthy);
        b.set_priority(m.priority);
        for (const ListedNode& node : m.nodelist) {
            pb::ListedNode* n = b.add_nodelist();
            n->set_node(node.node.value);
            n->set_votes(node.votes);
        }
        b.set_ledger_empty(m.ledger_empty);
        b.set_protocol_min(m.protocol_min);
        b.set_protocol_max(m.protocol_max);
        b.set_answer_wanted(m.answer_wanted);
    }
    void operator()(const VoteRequest& m) const {
        pb::VoteRequest& b = *to.mutable_vote_request();
        b.set_epoch(m.epoch.value);
        fill(m.last, b.mutable_last());
        b.set_handover(m.handover);
    }
    void operator()(const Vote& m) const {
        pb::Vote& b = *to.mutable_vote();
        b.set_epoch(m.epoch.value);
        b.set_granted(m.granted);
        b.set_ballot(m.ballot.value);
        fill(m.last, b.mutable_last());
    }
    void operator()(const Propose& m) const {
        pb::Propose& b = *to.mutable_propose();
        b.set_epoch(m.epoch.value);
        fill(m.previous, b.mutable_previous());
        b.set_last(m.last.value);
        fill(m.verdicts, b.mutable_verdicts());
    }
    void operator()(const Confirm& m) const {
        pb::Confirm& b = *to.mutable_confirm();
        b.set_epoch(m.epoch.value);
        fill(m.verdicts, b.mutable_verdicts());
    }
    void operator()(const StepDown& m) const { to.mutable_step_down()->set_epoch(m.epoch.value); }
    void operator()(const Transfer& m) const {
        pb::Transfer& b = *to.mutable_transfer();
        b.set_epoch(m.epoch.value);
        b.set_target(m.target.value);
    }
    void operator()(const Ack& m) const {
        pb::Ack& b = *to.mutable_ack();
        b.set_epoch(m.epoch.value);
        b.set_durable(m.durable.value);
        b.set_accepted(m.accepted.value);
        for (const Rejection& r : m.rejected) {
            pb::Rejection* to_reject = b.add_rejected();
            to_reject->set_index(r.index.value);
            to_reject->set_reason(r.reason);
        }
    }
    void operator()(const Heartbeat& m) const {
        pb::Heartbeat& b = *to.mutable_heartbeat();
        b.set_epoch(m.epoch.value);
        b.set_id(m.id);
        b.set_lease_us(m.lease_us);
        fill(m.last, b.mutable_last());
        fill(m.verdicts, b.mutable_verdicts());
    }
    void operator()(const HeartbeatAnswer& m) const {
        pb::HeartbeatAnswer& b = *to.mutable_heartbeat_answer();
        b.set_epoch(m.epoch.value);
        b.set_id(m.id);
        b.set_lease_granted(m.lease_granted);
    }
    void operator()(const Fetch& m) const {
        pb::Fetch& b = *to.mutable_fetch();
        b.set_epoch(m.epoch.value);
        for (const Run& run : m.runs) {
            pb::Run* r = b.add_runs();
            r->set_epoch(run.epoch.value);
            r->set_first(run.first.value);
        }
        fill(m.matched, b.mutable_matched());
        fill(m.last, b.mutable_last());
        b.set_id(m.id);
    }
    void operator()(const Entries& m) const {
        pb::Entries& b = *to.mutable_served();
        b.set_epoch(m.epoch.value);
        b.set_id(m.id);
        fill(m.previous, b.mutable_previous());
        fill(m.last, b.mutable_last());
        fill(m.verdicts, b.mutable_verdicts());
    }
};

Error too_long(const char* what) {
    return Error{std::string("malformed message: its list of ") + what + " is too long"};
}

Result<Message> status_of(const pb::Status& b) {
    if (b.links_size() > kMaxNodes || b.nodelist_size() > kMaxNodes) return too_long("nodes");
    Status m;
    m.ballot = Epoch(b.ballot());
    m.last = position(b.last());
    m.master_epoch = Epoch(b.master_epoch());
    m.master = NodeId(b.master());
    for (uint32_t node : b.links()) m.links.emplace_back(node);
    m.application_healthy = b.application_healthy();
    m.priority = b.priority();
    for (const pb::ListedNode& n : b.nodelist()) m.nodelist.push_back({NodeId(n.node()), n.votes()});
    m.ledger_empty = b.ledger_empty();
    m.protocol_min = b.protocol_min();
    m.protocol_max = b.protocol_max();
    m.answer_wanted = b.answer_wanted();
    return Message(std::move(m));
}

Result<Message> ack_of(const pb::Ack& b) {
    if (b.rejected_size() > int(kMaxRejections)) return too_long("rejected entries");
    Ack m{Epoch(b.epoch()), Index(b.durable()), Index(b.accepted()), {}};
    for (const pb::Rejection& r : b.rejected()) {
        if (r.reason().size() > kMaxReasonBytes) return Error{"malformed message: a reason is too long"};
        m.rejected.push_back({Index(r.index()), r.reason()});
    }
    return Message(std::move(m));
}

Result<Message> fetch_of(const pb::Fetch& b) {
    if (b.runs_size() > int(kMaxFetchRuns)) return too_long("runs");
    Fetch m{Epoch(b.epoch()), {}, position(b.matched()), position(b.last()), b.id()};
    for (const pb::Run& r : b.runs()) m.runs.push_back({Epoch(r.epoch()), Index(r.first())});
    return Message(std::move(m));
}

}  // namespace

void fill(const Header& from, pb::Header& to) {
    to.set_version(from.version);
    to.set_cluster_high(from.cluster.high);
    to.set_cluster_low(from.cluster.low);
    to.set_from(from.from.value);
    to.set_to(from.to.value);
    to.set_ledger(from.ledger.value);
    to.set_incarnation(from.incarnation.value);
    to.set_ring_representative(from.ring.representative.value);
    to.set_ring_sequence(from.ring.sequence);
    to.set_sequence(from.sequence);
}

void fill(const Message& from, pb::Envelope& to) { std::visit(Fill{to}, from); }

Header header_of(const pb::Header& from) {
    Header h;
    h.version = from.version();
    h.cluster = {from.cluster_high(), from.cluster_low()};
    h.from = NodeId(from.from());
    h.to = NodeId(from.to());
    h.ledger = LedgerId(from.ledger());
    h.incarnation = Incarnation(from.incarnation());
    h.ring = {NodeId(from.ring_representative()), from.ring_sequence()};
    h.sequence = from.sequence();
    return h;
}

Result<Message> message_of(const pb::Envelope& e) {
    switch (e.body_case()) {
        case pb::Envelope::kStatus: return status_of(e.status());
        case pb::Envelope::kVoteRequest: {
            const pb::VoteRequest& b = e.vote_request();
            return Message(VoteRequest{Epoch(b.epoch()), position(b.last()), b.handover(), nullptr});
        }
        case pb::Envelope::kVote: {
            const pb::Vote& b = e.vote();
            return Message(Vote{Epoch(b.epoch()), b.granted(), Epoch(b.ballot()), position(b.last())});
        }
        case pb::Envelope::kPropose: {
            const pb::Propose& b = e.propose();
            return Message(
                Propose{Epoch(b.epoch()), position(b.previous()), {}, Index(b.last()), verdicts(b.verdicts())});
        }
        case pb::Envelope::kConfirm:
            return Message(Confirm{Epoch(e.confirm().epoch()), verdicts(e.confirm().verdicts())});
        case pb::Envelope::kStepDown: return Message(StepDown{Epoch(e.step_down().epoch())});
        case pb::Envelope::kTransfer:
            return Message(Transfer{Epoch(e.transfer().epoch()), NodeId(e.transfer().target())});
        case pb::Envelope::kAck: return ack_of(e.ack());
        case pb::Envelope::kHeartbeat: {
            const pb::Heartbeat& b = e.heartbeat();
            return Message(
                Heartbeat{Epoch(b.epoch()), b.id(), b.lease_us(), position(b.last()), verdicts(b.verdicts())});
        }
        case pb::Envelope::kHeartbeatAnswer: {
            const pb::HeartbeatAnswer& b = e.heartbeat_answer();
            return Message(HeartbeatAnswer{Epoch(b.epoch()), b.id(), b.lease_granted()});
        }
        case pb::Envelope::kFetch: return fetch_of(e.fetch());
        case pb::Envelope::kServed: {
            const pb::Entries& b = e.served();
            return Message(Entries{
                Epoch(b.epoch()), b.id(), position(b.previous()), {}, position(b.last()), verdicts(b.verdicts())});
        }
        case pb::Envelope::BODY_NOT_SET: break;
    }
    return Error{"malformed message: its kind is unknown"};
}

}  // namespace assent::wire
