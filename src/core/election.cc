// R1 and R2: who stands, who votes, and when mastership begins and ends.
#include <algorithm>

#include "core/planted.h"
#include "core/replica_impl.h"

namespace assent {

namespace {

constexpr int64_t kStatusPeriodUs = 250'000;  // while no master is known
constexpr int64_t kStatusSpacingUs = 20'000;  // between two STATUS that only tell of a change
constexpr int64_t kStandDelayUs = 60'000;     // a rank, plus as much again at random

}  // namespace

// ---- STATUS

Status Replica::Impl::own_status() const {
    Status s;
    s.ballot = state_.ballot;
    s.last = log_.last();
    if (knows_master()) {
        s.master = master_;
        s.master_epoch = state_.ballot;
    }
    s.links = links_;
    s.application_healthy = app_healthy_;
    s.priority = options_.priority;
    s.nodelist = nodelist_;
    s.ledger_empty = !log_.last().index;
    return s;
}

void Replica::Impl::send_status(bool answer_wanted) {
    Status s = own_status();
    s.answer_wanted = answer_wanted;
    multicast(std::move(s), ballot_seq());
    status_wanted_ = false;
    status_allowed_us_ = now() + kStatusSpacingUs;
    next_status_us_ = now() + kStatusPeriodUs + random_us(kStatusPeriodUs / 4);
}

void Replica::Impl::handle(const Header& h, const Status& s) {
    latest_[h.from] = s;
    heard_[h.from] = {h, s};
    if (s.answer_wanted && now() >= status_allowed_us_) {
        send_status(false);
    } else if (s.answer_wanted) {
        status_wanted_ = true;
    }
    const Voter* voter = find_voter(log_.config(), h.from, h.ledger);
    bool behind = s.ballot > state_.ballot && !ASSENT_MUTANT(voter_with_a_greater_ballot_ignored);
    if (role_ == Role::master && voter && behind && !sealed_) {
        // That voter drops everything of this epoch: only a greater one brings it back.
        std::string why = concat("voter ", h.from, " has ballot ", s.ballot, " above epoch ", state_.ballot);
        multicast(StepDown{state_.ballot});
        stop_being_master(why);
        granted_until_us_ = 0;
        stand_at_us_ = now();
        heard_[h.from] = {h, s};
    }
    consider_founding();
    follow_election();
}

// ---- standing

bool Replica::Impl::in_view(NodeId n) const { return std::binary_search(members_.begin(), members_.end(), n); }

bool Replica::Impl::knows_master() const {
    if (!master_) return false;
    if (role_ == Role::master) return true;
    return in_view(master_) && now() - master_heard_us_ < options_.master_timeout_us;
}

bool Replica::Impl::eligible() const {
    if (!state_.cluster || !quorate_ || !in_view(options_.node) || role_ != Role::follower) return false;
    if (find_voter(log_.config(), options_.node, state_.ledger)) return true;
    const Config* before = log_.previous_config();
    return before && find_voter(*before, options_.node, state_.ledger);
}

int64_t Replica::Impl::votes_again_us() const { return std::max(start_wait_until_us_, granted_until_us_); }

bool Replica::Impl::refuses_votes() const { return now() < votes_again_us(); }

void Replica::Impl::forget_master(const std::string& why) {
    if (master_) say(concat("no master: ", why));
    master_ = NodeId();
    heard_.clear();
    stand_at_us_ = kNever;
    next_status_us_ = now();
}

bool Replica::Impl::links_reach_majority(const std::vector<NodeId>& links, NodeId self) const {
    return is_majority(log_.config(), [&](const Voter& v) {
        return v.node == self || std::binary_search(links.begin(), links.end(), v.node);
    });
}

// How many of those heard from go before this node.
size_t Replica::Impl::rank_of_self() const {
    auto key = [this](NodeId node, const Status& s) {
        return std::make_tuple(s.last, links_reach_majority(s.links, node), s.application_healthy, s.priority);
    };
    Status own = own_status();
    auto mine = key(options_.node, own);
    size_t rank = 0;
    for (const auto& [node, heard] : heard_) {
        if (heard.status.master || !find_voter(log_.config(), node, heard.header.ledger)) continue;
        auto theirs = key(node, heard.status);
        if (theirs > mine || (theirs == mine && node < options_.node)) ++rank;
    }
    return rank;
}

// Stand now, later, or not at all: asked again whenever something was heard.
void Replica::Impl::follow_election() {
    if (!started_ || knows_master() || !eligible()) {
        stand_at_us_ = kNever;
        return;
    }
    bool majority = is_majority(log_.config(), [this](const Voter& v) {
        if (v.node == options_.node) return v.ledger == state_.ledger;
        auto h = heard_.find(v.node);
        return h != heard_.end() && h->second.header.ledger == v.ledger && !h->second.status.master && in_view(v.node);
    });
    if (!majority) {
        stand_at_us_ = kNever;
        return;
    }
    size_t rank = rank_of_self();
    int64_t earliest = std::max({now(), stand_not_before_us_, votes_again_us()});
    if (ASSENT_MUTANT(stands_under_a_lease_it_granted)) earliest = now();
    if (rank == 0) {
        stand_at_us_ = earliest;
    } else if (stand_at_us_ == kNever) {
        stand_at_us_ = earliest + static_cast<int64_t>(rank) * (kStandDelayUs + random_us(kStandDelayUs));
    } else {
        stand_at_us_ = std::max(stand_at_us_, earliest);
    }
    if (stand_at_us_ <= now()) stand(false, concat("rank ", rank + 1, " of those heard from, last ", log_.last()));
}

void Replica::Impl::stand(bool handover, const std::string& why) {
    Epoch highest = state_.ballot;
    for (const auto& [node, heard] : heard_) highest = std::max(highest, heard.status.ballot);
    raise_ballot(next(highest), options_.node);
    role_ = Role::candidate;
    candidate_handover_ = handover;
    candidate_until_us_ = now() + options_.master_timeout_us + random_us(options_.master_timeout_us / 2);
    votes_.clear();
    vote_request_sent_ = false;
    stand_at_us_ = kNever;
    say(concat("stands for epoch ", state_.ballot, ": ", why));
}

// The own vote counts once it is durable, and only then are the others asked.
void Replica::Impl::count_votes() {
    if (!ballot_durable() && !ASSENT_MUTANT(own_vote_not_durable)) return;
    if (!vote_request_sent_) {
        vote_request_sent_ = true;
        VoteRequest request{state_.ballot, log_.last(), candidate_handover_, nullptr};
        if (log_.last().index && log_.epoch_at(Index(1)) == Epoch(0)) request.first_config = log_.first_config();
        multicast(std::move(request));
    }
    bool won = is_majority(log_.config(), [this](const Voter& v) {
        if (ASSENT_MUTANT(every_voter_present_counted_as_a_vote) && in_view(v.node)) return true;
        return v.node == options_.node ? v.ledger == state_.ledger : votes_.count(v.node) != 0;
    });
    if (won) become_master();
}

void Replica::Impl::handle(const Header& h, const Vote& v) {
    if (role_ != Role::candidate || v.epoch != state_.ballot) return;
    if (!v.granted) {
        say(concat("node ", h.from, " refused its vote: ballot ", v.ballot, ", last ", v.last));
        if (v.ballot > state_.ballot && find_voter(log_.config(), h.from, h.ledger)) {
            // Somebody is ahead: try again above it, after those whose turn it is.
            role_ = Role::follower;
            Status s = heard_[h.from].status;
            s.ballot = v.ballot;
            heard_[h.from] = {h, s};
            stand_not_before_us_ = now() + random_us(2 * kStandDelayUs);
            next_status_us_ = now();
        }
        return;
    }
    bool any_ledger = ASSENT_MUTANT(vote_of_a_wiped_disk_counted);
    if (any_ledger || find_voter(log_.config(), h.from, h.ledger)) votes_.insert(h.from);
    count_votes();
}

// ---- votes

void Replica::Impl::handle(const Header& h, VoteRequest& request) {
    if (request.epoch <= state_.ballot) {
        answer_vote_request(h, request);
        return;
    }
    bool lease_holder = granted_to_ == h.from && now() >= start_wait_until_us_;
    if (refuses_votes() && !lease_holder && !ASSENT_MUTANT(votes_under_a_lease_it_granted)) {
        // The request waits for the lease's end; of one candidate only the newest does.
        pending_requests_[h.from] = {h, request, now() + options_.master_timeout_us};
        return;
    }
    answer_vote_request(h, request);
}

void Replica::Impl::retry_vote_requests() {
    auto pending = std::move(pending_requests_);
    pending_requests_.clear();
    for (auto& [node, p] : pending) {
        if (now() < p.until_us && in_view(node)) handle(p.header, p.request);
    }
}

void Replica::Impl::answer_vote_request(const Header& h, const VoteRequest& r) {
    Vote vote{r.epoch, false, state_.ballot, log_.last()};
    bool shorter = r.last < log_.last();
    if (ASSENT_MUTANT(votes_for_a_shorter_ledger)) shorter = false;
    if (ASSENT_MUTANT(votes_by_index_alone)) shorter = r.last.index < log_.last().index;
    if (ASSENT_MUTANT(votes_by_epoch_alone)) shorter = r.last.epoch < log_.last().epoch;
    if (ASSENT_MUTANT(votes_by_node_id)) shorter = h.from > options_.node;
    bool again = r.epoch == state_.ballot && (state_.voted_for == h.from || ASSENT_MUTANT(two_votes_an_epoch));
    if (again) {
        vote.granted = true;  // asked again: the same answer
    } else if (r.epoch <= state_.ballot) {
        say(concat("vote for node ", h.from, " refused: epoch ", r.epoch, " is not above ballot ", state_.ballot));
    } else if (shorter) {
        say(concat("vote for node ", h.from, " refused: its last ", r.last, " < mine ", log_.last()));
    } else {
        if (!state_.cluster && r.first_config && r.first_config->config &&
            find_voter(*r.first_config->config, options_.node, state_.ledger)) {
            state_.cluster = r.first_config->config->cluster;
        }
        if (role_ == Role::master) stop_being_master(concat("node ", h.from, " stands for epoch ", r.epoch));
        raise_ballot(r.epoch, h.from);
        stand_not_before_us_ = now() + options_.master_timeout_us / 4;
        vote = {r.epoch, true, r.epoch, log_.last()};
        say(concat("vote for node ", h.from, " in epoch ", r.epoch, ": its last ", r.last, " >= mine ", log_.last()));
    }
    // Named, or another candidate of that epoch would count it.
    send(ASSENT_MUTANT(vote_for_nobody_in_particular) ? NodeId() : h.from, vote, ballot_seq());
}

// From here on this node does not act in an epoch below.
void Replica::Impl::raise_ballot(Epoch epoch, NodeId voted_for) {
    ASSENT_ASSERT(epoch > state_.ballot);
    ASSENT_ASSERT(role_ != Role::master);
    state_.ballot = epoch;
    state_.voted_for = voted_for;
    save_state();
    // A vote that still waits for its sync is not given any more (R1).
    std::erase_if(held_, [](const Held& h) {
        if (ASSENT_MUTANT(vote_overtaken_by_a_newer_ballot_still_given)) return false;
        return std::holds_alternative<Vote>(h.message) || std::holds_alternative<VoteRequest>(h.message);
    });
    role_ = Role::follower;
    stand_at_us_ = kNever;
    leave_epoch();
}

// ---- mastership

void Replica::Impl::become_master() {
    say(concat("master of epoch ", state_.ballot, " from ", log_.last()));
    role_ = Role::master;
    master_ = options_.node;
    sealed_ = false;
    handover_.reset();
    followers_.clear();
    heartbeat_id_ = 0;
    beats_.clear();
    confirm_at_us_ = kNever;
    progress_us_ = now();
    majority_heard_us_ = now();
    no_handover_before_us_ = now() + options_.master_timeout_us;
    next_heartbeat_us_ = now();
    pending_requests_.clear();
    epoch_entry_ = next(log_.last().index);
    auto entry = std::make_shared<Entry>();
    entry->index = epoch_entry_;
    entry->epoch = state_.ballot;
    entry->kind = EntryKind::epoch;
    propose({entry});
    send_heartbeats();
}

// Its entries stay undecided: the next master decides them. Waiting clients go on waiting for that, reads go elsewhere.
void Replica::Impl::stop_being_master(const std::string& why) {
    say(concat("no longer master of epoch ", state_.ballot, ": ", why));
    role_ = Role::follower;
    if (handover_ && handover_->token) answer(handover_->token, AnswerKind::refused);
    handover_.reset();
    sealed_ = false;
    confirm_at_us_ = kNever;
    refuse_reads();
    refuse_queue(AnswerKind::not_master);
    leave_epoch();
    heard_.clear();
    next_status_us_ = now();
}

void Replica::Impl::election_timers() {
    if (!pending_requests_.empty() && !refuses_votes()) retry_vote_requests();
    for (auto it = pending_requests_.begin(); it != pending_requests_.end();) {
        it = now() >= it->second.until_us ? pending_requests_.erase(it) : std::next(it);
    }
    if (role_ == Role::candidate) {
        count_votes();
        if (role_ == Role::candidate && now() >= candidate_until_us_) {
            say(concat("not elected in epoch ", state_.ballot, " in time"));
            role_ = Role::follower;
            heard_.clear();
            next_status_us_ = now();
            stand_not_before_us_ = now() + random_us(2 * kStandDelayUs);
        }
    }
    if (role_ == Role::follower && master_ && !knows_master()) {
        std::string silent = concat(" not heard from for ", options_.master_timeout_us / 1000, " ms");
        forget_master(concat("master ", master_, in_view(master_) ? silent : " is not in the view"));
    }
    if (knows_master()) {
        next_status_us_ = kNever;
    } else if (next_status_us_ == kNever) {
        next_status_us_ = now();
    }
    if (now() >= next_status_us_) {
        if (role_ == Role::follower) {
            heard_.clear();  // a new round
            send_status(true);
        } else {
            next_status_us_ = now() + kStatusPeriodUs;
        }
    }
    if (status_wanted_ && now() >= status_allowed_us_) send_status(false);
    consider_founding();
    follow_election();
}

}  // namespace assent
