// Giving mastership up (STEP_DOWN) or away (TRANSFER).
#include <algorithm>

#include "core/planted.h"
#include "core/replica_impl.h"

namespace assent {

// The best other voter: present, linked, healthy, and the most complete as far as this master knows.
NodeId Replica::Impl::better_master() const {
    NodeId best;
    auto best_key = std::make_tuple(false, Index());
    for (const Voter& v : log_.config().voters) {
        auto f = followers_.find(v.node);
        auto s = latest_.find(v.node);
        if (v.node == options_.node || !in_view(v.node) || f == followers_.end() || s == latest_.end()) continue;
        if (f->second.progress.ledger != v.ledger || !s->second.application_healthy) continue;
        auto key = std::make_tuple(links_reach_majority(s->second.links, v.node), f->second.progress.durable);
        if (!best || key > best_key) {
            best = v.node;
            best_key = key;
        }
    }
    return best;
}

void Replica::Impl::on(const event::MoveMaster& e) {
    if (role_ != Role::master || sealed_) {
        answer(e.token, AnswerKind::not_master);
        return;
    }
    if (e.target == options_.node) {
        answer(e.token, AnswerKind::done);
        return;
    }
    NodeId target = e.target ? e.target : better_master();
    auto voter = std::find_if(log_.config().voters.begin(), log_.config().voters.end(),
                              [&](const Voter& v) { return v.node == target; });
    if (handover_ || !target || voter == log_.config().voters.end() || !in_view(target)) {
        answer(e.token, AnswerKind::refused);
        return;
    }
    say(concat("hands over to node ", target, ": asked to"));
    handover_ = {target, e.token, now() + options_.master_timeout_us};
}

// A master whose application or disk does not answer, or whose links reach no majority while another's do, is not the
// best one any more.
void Replica::Impl::consider_handover() {
    if (handover_ && now() >= handover_->until_us) {
        say(concat("keeps mastership: node ", handover_->target, " did not get the whole ledger in time"));
        if (handover_->token) answer(handover_->token, AnswerKind::refused);
        handover_.reset();
        no_handover_before_us_ = now() + options_.master_timeout_us;
    }
    if (handover_ || sealed_ || now() < no_handover_before_us_) return;
    no_handover_before_us_ = now() + options_.heartbeat_us;
    auto oldest = durability_.oldest_us();
    bool disk_hangs = oldest && now() - *oldest > options_.master_timeout_us;
    bool cut_off = !links_reach_majority(links_, options_.node);
    if (app_healthy_ && !disk_hangs && !cut_off) return;
    NodeId target = better_master();
    if (!target) return;
    const Status& s = latest_[target];
    if (app_healthy_ && !disk_hangs && !links_reach_majority(s.links, target)) return;
    say(concat("hands over to node ", target, ": ",
               !app_healthy_ ? "the application here does not answer"
               : disk_hangs  ? "the disk here does not answer"
                             : "the links here reach no majority"));
    handover_ = {target, Token(), now() + options_.master_timeout_us};
}

// Nothing more is proposed meanwhile; once the target has the whole ledger, nothing more is answered or confirmed either.
void Replica::Impl::handover_progress() {
    if (!handover_) return;
    auto f = followers_.find(handover_->target);
    if (f == followers_.end()) return;
    bool whole = f->second.progress.durable >= log_.last().index;
    if (!whole && !ASSENT_MUTANT(hand_over_to_a_node_without_the_whole_ledger)) return;
    sealed_ = true;
    NodeId target = handover_->target;
    multicast(Transfer{state_.ballot, target});
    if (handover_->token) answer(handover_->token, AnswerKind::done);
    handover_.reset();
    if (ASSENT_MUTANT(master_goes_on_after_its_transfer)) {
        sealed_ = false;
        return;
    }
    freed(state_.ballot, concat("handed over to node ", target));
}

// This node was master of `epoch` and lets others go first.
void Replica::Impl::freed(Epoch epoch, const std::string& why) {
    stop_being_master(why);
    freed_epoch_ = epoch;
    granted_until_us_ = 0;
    stand_not_before_us_ = now() + options_.master_timeout_us / 2;
}

// The master of this ballot gives its epoch up: what it was granted in it is void. False: this does not concern us.
bool Replica::Impl::given_up(const Header& h, Epoch epoch, const std::string& how) {
    if (epoch != state_.ballot || role_ == Role::master || (master_ && master_ != h.from)) return false;
    freed_epoch_ = epoch;
    if (granted_to_ == h.from) granted_until_us_ = 0;
    forget_master(concat("node ", h.from, how));
    return true;
}

void Replica::Impl::handle(const Header& h, const StepDown& m) {
    if (given_up(h, m.epoch, concat(" stepped down in epoch ", m.epoch))) retry_vote_requests();
}

void Replica::Impl::handle(const Header& h, const Transfer& m) {
    if (!given_up(h, m.epoch, concat(" handed epoch ", m.epoch, " over to node ", m.target))) return;
    if (m.target != options_.node) {
        stand_not_before_us_ = now() + options_.master_timeout_us / 2;
        retry_vote_requests();
    } else if (eligible() && !refuses_votes()) {
        stand(true, concat("node ", h.from, " handed over"));
    }
}

}  // namespace assent
