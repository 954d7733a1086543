// The inside of Replica, shared by the files that implement it, one a rule:
//   replica.cc      the step: which event goes where, header checks, deadlines, the view for status
//   election.cc     R1, R2: STATUS, standing, votes, becoming and ceasing to be master
//   lease.cc        R8: heartbeats, leases, reads
//   proposals.cc    the master's side of a write: queue, batches, PROPOSE, duplicates (R10)
//   replication.cc  R3: what a follower appends and truncates, FETCH and ENTRIES
//   tally.cc        R4-R7: durable and accepted, ACK, stored, confirm
//   verdicts.cc     R7: what is known to be decided, and when the application hears of it
//   cancel.cc       R7: when a rejected entry may be cancelled
//   membership.cc   R9: the first CONFIG
//   handover.cc     giving mastership up or away
#pragma once

#include <deque>
#include <map>
#include <random>
#include <set>
#include <unordered_map>

#include "core/assert.h"
#include "core/durability.h"
#include "core/log.h"
#include "core/opinions.h"
#include "core/quorum.h"
#include "core/replica.h"
#include "core/text.h"

namespace assent {

struct WriteId {
    ClientId client;
    uint64_t sequence = 0;
    bool operator==(const WriteId&) const = default;
};
struct WriteIdHash {
    size_t operator()(const WriteId& w) const { return std::hash<ClientId>()(w.client) * 31 + w.sequence; }
};

class Replica::Impl {
  public:
    Impl(const Options& options, Recovered&& recovered);
    Update step(Now now, Event event);
    ReplicaView view() const;
    std::vector<Voter> lease_voters(Now now) const;

    const Options options_;
    NodeState state_;  // decided; durable from state_seq_ on
    Role role_ = Role::follower;
    Log log_;
    ClientTable clients_;
    Index confirm_;        // greatest index known confirmed
    Index handed_;         // verdicts given out: decided, and durable here
    Index handed_stored_;  // the stored index they were decided with
    Index applied_;
    NodeId master_;  // of the ballot's epoch; 0: none known

  private:
    struct Follower;
    // ---- replica.cc
    void on(const event::Start&);
    void on(const event::View&);
    void on(const event::CpgLost&);
    void on(const event::Quorum&);
    void on(const event::NodeList&);
    void on(const event::Links&);
    void on(const event::Application&);
    void on(event::Received&);
    void on(const event::Persisted&);
    void on(const event::Opinions&);
    void on(const event::Attached&);
    void on(const event::Applied&);
    void on(event::EntriesRead&);
    void on(event::Submit&);
    void on(const event::Read&);
    void on(const event::AskOutcome&);
    void on(const event::Forget&);
    void on(const event::MoveMaster&);
    void on(const event::Flush&);
    void on(const event::Tick&);
    bool admit(const event::Received&);
    bool admit_sequence(const Header&);
    bool drop(const char* why, const Header&, const Message&);
    void finish_step();
    int64_t next_deadline() const;
    int64_t own_overdue_us() const;
    void say(std::string line) { update_.decisions.push_back(std::move(line)); }
    int64_t now() const { return now_.raw_us; }
    int64_t random_us(int64_t limit_us) { return static_cast<int64_t>(rng_() % static_cast<uint64_t>(limit_us)); }

    // ---- sending (replica.cc)
    void multicast(Message m, PersistSeq after = PersistSeq());
    void send(NodeId to, Message m, PersistSeq after = PersistSeq());
    void release_held();
    void emit(NodeId to, Message m);

    // ---- durable things (replica.cc)
    void save_state() { state_dirty_ = true; }
    void append(const EntryPtr&);
    void truncate(Index from, const std::string& why);
    static std::optional<WriteId> write_id(const Entry&);
    void note_undecided(const EntryPtr&);
    void forget_undecided(const Entry&);
    PersistSeq this_persist() const { return PersistSeq(durability_.issued().value + 1); }
    bool ballot_durable() const { return !state_dirty_ && durability_.completed() >= state_seq_; }
    // The persist that what depends on the ballot has to wait for.
    PersistSeq ballot_seq() const { return state_dirty_ ? this_persist() : state_seq_; }

    // ---- election.cc
    void handle(const Header&, const Status&);
    void handle(const Header&, VoteRequest&);
    void handle(const Header&, const Vote&);
    void send_status(bool answer_wanted);
    Status own_status() const;
    bool in_view(NodeId) const;
    bool knows_master() const;
    bool eligible() const;
    bool refuses_votes() const;  // a granted lease runs, or the start waits for one
    int64_t votes_again_us() const;
    void forget_master(const std::string& why);
    void follow_election();  // stand now, later, or not
    void stand(bool handover, const std::string& why);
    void count_votes();
    void answer_vote_request(const Header&, const VoteRequest&);
    void retry_vote_requests();
    void raise_ballot(Epoch epoch, NodeId voted_for);
    void become_master();
    void stop_being_master(const std::string& why);
    void election_timers();
    bool links_reach_majority(const std::vector<NodeId>& links, NodeId self) const;
    size_t rank_of_self() const;

    // ---- lease.cc
    void handle(const Header&, const Heartbeat&);
    void handle(const Header&, const HeartbeatAnswer&);
    void send_heartbeats();
    bool lease_runs(Now now) const;
    bool grant_runs(const Voter&, Now now) const;
    uint64_t majority_answered() const;
    void serve_reads();
    void refuse_reads();
    void lease_timers();
    bool may_read() const;

    // ---- proposals.cc
    void propose_queued();
    void propose(const std::vector<std::shared_ptr<Entry>>& batch);
    bool queued(const WriteId&) const;
    std::shared_ptr<Entry> make_write(Index index, event::Submit& submit) const;
    bool may_propose() const;
    uint64_t undecided_bytes() const { return log_.bytes_above(handed_); }
    uint64_t unapplied_bytes() const { return unapplied_.empty() ? 0 : handed_bytes_ - unapplied_.front().before; }
    void refuse_queue(AnswerKind);
    bool decided_already(Token, const WriteId&);
    void answer(Token token, AnswerKind kind, Index index = Index(), Epoch epoch = Epoch(), std::string reason = {}) {
        update_.answers.push_back({token, kind, index, epoch, std::move(reason)});
    }

    // ---- replication.cc
    bool follow(const Header&, Epoch, bool from_master);
    void handle(const Header&, Propose&);
    void handle(const Header&, const Confirm&);
    void handle(const Header&, const Fetch&);
    void handle(const Header&, Entries&);
    bool take_entries(const Position& previous, const std::vector<EntryPtr>& entries);
    void take_held_proposals();
    void hold_proposal(Propose&&);
    void fetch(const std::string& why);
    void replication_timers();
    Position common_position(const Fetch&) const;
    void serve_fetch(NodeId to, const Fetch&);
    void serve_parked();
    void matched_to(Index);
    bool tail_full() const;
    void leave_epoch();  // forget what belonged to the last epoch followed

    // ---- tally.cc
    void handle(const Header&, const Ack&);
    void advance_mark();
    void send_ack(bool always);
    Index own_durable() const;  // what an ack may say: durable, and matching the ballot's master
    Index own_accepted() const;
    void tally();
    void move_confirm(Index accepted);
    void ask_application();  // anew, for what it has not durably accepted
    void offer_again();      // what it rejected
    VerdictPair announced() const;
    Follower* follower(const Header&);
    const Follower* follower(const Voter&) const;  // this node too

    // ---- verdicts.cc
    void learn(const VerdictPair&);   // of the ballot's master: counts once this ledger matches up to its stored index
    void decide(const VerdictPair&);  // counts at once
    void hand_over();
    void hand_over(Index, Index stored);
    EntryPtr cancel_of(Index, Index stored) const;

    // ---- cancel.cc
    void cancel_rejected();
    bool rejects(const Voter&, Index) const;
    bool rejecters_in_the_way(Index) const;
    bool never_confirmed(Index) const;
    std::string reason_of(Index) const;

    // ---- membership.cc
    void consider_founding();
    void take_own_cluster();
    bool adopt_cluster(const Header&);

    // ---- handover.cc
    void handle(const Header&, const StepDown&);
    void handle(const Header&, const Transfer&);
    void handover_progress();
    void consider_handover();
    NodeId better_master() const;
    void freed(Epoch epoch, const std::string& why);
    bool given_up(const Header&, Epoch epoch, const std::string& how);

    // ---- the step
    Now now_;
    Update update_;
    Durability durability_;
    std::mt19937_64 rng_;
    bool started_ = false;

    // ---- being persisted in this step
    bool state_dirty_ = false;
    PersistSeq state_seq_;  // the last persist that carried the state
    Index mark_;            // accepted, durable or on its way
    Index saved_mark_;      // as last given to the ledger
    std::vector<EntryPtr> appended_;
    Index truncated_from_;

    // ---- sending
    struct Held {
        PersistSeq after;
        NodeId to;
        Message message;
    };
    std::deque<Held> held_;
    uint64_t sent_sequence_ = 0;  // on CPG
    int64_t multicast_us_ = 0;    // when the last one went out
    uint64_t self_delivered_ = 0;

    // ---- surroundings
    RingId ring_;
    std::vector<NodeId> members_;
    bool quorate_ = false;
    std::vector<ListedNode> nodelist_;
    std::vector<NodeId> links_;
    bool app_healthy_ = true;
    Opinions opinions_;
    int64_t offer_again_us_ = kNever;
    uint64_t application_runs_ = 0;
    std::vector<Rejection> rejections() const;  // as an ack says them
    struct Peer {
        LedgerId ledger;
        Incarnation incarnation;
        std::deque<Incarnation> replaced;  // on other ledgers
        uint64_t sequence = 0;             // last seen on CPG
    };
    std::map<NodeId, Peer> peers_;
    std::set<std::string> logged_drops_;
    uint64_t dropped_ = 0;
    NodeId foreign_;  // the last one of another cluster heard from
    uint64_t writes_confirmed_ = 0;
    uint64_t writes_cancelled_ = 0;
    uint64_t writes_unknown_ = 0;

    // ---- election
    struct Heard {
        Header header;
        Status status;
    };
    std::map<NodeId, Heard> heard_;    // in this round
    std::map<NodeId, Status> latest_;  // the last STATUS of each node, for hand-overs and status
    int64_t master_heard_us_ = 0;
    int64_t next_status_us_ = 0;
    bool status_wanted_ = false;  // something in it changed
    int64_t status_allowed_us_ = 0;
    int64_t stand_at_us_ = kNever;
    int64_t stand_not_before_us_ = 0;
    int64_t start_wait_until_us_ = 0;  // R8: the longest lease granted before the start
    int64_t candidate_until_us_ = 0;
    bool candidate_handover_ = false;
    std::set<NodeId> votes_;  // with the right ledger
    bool vote_request_sent_ = false;
    struct PendingRequest {
        Header header;
        VoteRequest request;
        int64_t until_us;
    };
    std::map<NodeId, PendingRequest> pending_requests_;

    // ---- lease
    int64_t granted_until_us_ = 0;  // by this node
    NodeId granted_to_;
    Epoch freed_epoch_;  // grants no lease in it any more
    uint64_t heartbeat_id_ = 0;
    struct Beat {
        uint64_t id;
        Now sent;
    };
    std::deque<Beat> beats_;  // the newest, for answers
    int64_t next_heartbeat_us_ = 0;
    struct WaitingRead {
        Token token;
        Index index;          // 0: not fixed before the EPOCH entry is confirmed
        uint64_t round;       // the heartbeat that has to be answered, unless the lease runs
        bool proven = false;  // it was still master after the read came
    };
    std::deque<WaitingRead> reads_;

    // ---- mastership
    struct Follower {
        Progress progress;
        std::vector<Rejection> rejected;  // as its last ACK says
        uint64_t answered = 0;            // greatest heartbeat id answered
        std::optional<Now> lease_sent;    // when the newest one that granted a lease was sent
    };
    std::map<NodeId, Follower> followers_;
    Index epoch_entry_;
    bool sealed_ = false;
    int64_t majority_heard_us_ = 0;
    int64_t progress_us_ = 0;         // when a voter last had more of the ledger durable
    int64_t confirm_at_us_ = kNever;  // send a CONFIRM unless a PROPOSE carried it
    struct Handover {
        NodeId target;
        Token token;
        int64_t until_us;
    };
    std::optional<Handover> handover_;
    int64_t no_handover_before_us_ = 0;

    // ---- writes
    std::deque<event::Submit> queue_;
    uint64_t queue_bytes_ = 0;
    std::unordered_map<WriteId, Index, WriteIdHash> undecided_;  // WRITEs, and CANCELs in their place, above handed_
    std::multimap<Index, Token> waiting_;                        // for the entry at this index as it is now

    // ---- following
    Index matched_;
    Index stored_;
    VerdictPair pending_pair_;           // the latest that this ledger has not reached yet
    std::deque<VerdictPair> decided_;    // pairs that count, not durable here up to their stored index yet
    std::map<Index, EntryPtr> cancels_;  // in the ledger, naming an index above handed_, by that index
    struct Unapplied {
        Index upto;
        uint64_t before;  // handed_bytes_ before it
    };
    std::deque<Unapplied> unapplied_;  // steps' verdicts that the application has not applied all of
    uint64_t handed_bytes_ = 0;        // weight of all entries ever handed out
    std::deque<Propose> held_proposals_;
    uint64_t held_proposal_bytes_ = 0;
    Position behind_;  // a heartbeat's last entry that was missing
    uint64_t fetch_id_ = 0;
    bool fetching_ = false;
    int64_t fetch_until_us_ = 0;
    size_t fetch_server_ = 0;
    struct Parked {
        Fetch fetch;
        int64_t until_us;
    };
    std::map<NodeId, Parked> parked_;
    struct Acked {
        Epoch epoch;
        Index durable;
        Index accepted;
        std::vector<Rejection> rejected;
        bool operator==(const Acked&) const = default;
    } acked_;
};

}  // namespace assent
