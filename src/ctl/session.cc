#include "ctl/session.h"

#include <algorithm>
#include <thread>

namespace assent::ctl {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kMaxPause(250);
// The daemon gets a little less time than is left: its own answer says more than silence, and has to come in time.
constexpr milliseconds kMaxMargin(100);

bool is_worth_repeating(Exit code) {
    return code == Exit::busy || code == Exit::no_master || code == Exit::unknown || code == Exit::unreachable;
}

// A later attempt's failure to get any answer tells less than what a daemon said before.
bool tells_less(Exit later, Exit before) {
    return (later == Exit::unreachable || later == Exit::timed_out) &&
           (before == Exit::busy || before == Exit::no_master);
}

uint64_t daemon_limit_ms(Clock::duration left) {
    auto ms = std::chrono::duration_cast<milliseconds>(left - std::min<Clock::duration>(kMaxMargin, left / 10));
    return ms.count() > 0 ? static_cast<uint64_t>(ms.count()) : 1;
}

}  // namespace

void Channel::pause(Clock::duration how_long) { std::this_thread::sleep_for(how_long); }

// False: there is no time left in which a daemon could give a definite answer.
bool Session::pause_before_repeat() {
    if (deadline_ - channel_.now() <= pause_ + kMaxMargin) return false;
    channel_.pause(pause_);
    pause_ = std::min<Clock::duration>(pause_ * 2, kMaxPause);
    return true;
}

void Session::exchange(pb::Request& request, Attempt& attempt) {
    request.set_group(group_);
    request.set_deadline_ms(daemon_limit_ms(deadline_ - channel_.now()));
    attempt.reply = channel_.call(request, deadline_);
    attempt.code = exit_of(attempt.reply.code());
    attempt.reason = attempt.reply.reason();
    attempt.repeat = is_worth_repeating(attempt.code);
}

// Sees to a client id for writes: the one of the hello, or one asked for. False: none yet, `attempt` says why.
bool Session::identify(Attempt& attempt) {
    if (!client_) client_ = channel_.client();
    if (client_) return true;
    pb::Request request;
    request.mutable_identity();
    exchange(request, attempt);
    if (attempt.code != Exit::done) return false;
    client_ = Client{attempt.reply.client().birth(), attempt.reply.client().random()};
    return true;
}

Session::Attempt Session::attempt(pb::Request& request) {
    Attempt attempt;
    if (auto problem = channel_.open(deadline_)) {
        attempt.code = problem->code;
        attempt.reason = problem->reason;
        attempt.repeat = was_open_ && problem->code == Exit::unreachable;  // the daemon is being restarted
        return attempt;
    }
    was_open_ = true;
    if (request.has_write()) {
        if (!identify(attempt)) return attempt;
        request.mutable_client()->set_birth(client_->birth);
        request.mutable_client()->set_random(client_->random);
    }
    exchange(request, attempt);
    return attempt;
}

WriteResult Session::write(const std::string& data) {
    pb::Request request;
    request.set_sequence(++last_sequence_);
    request.set_first_unanswered(last_sequence_);
    request.mutable_write()->set_data(data);

    WriteResult result;
    bool doubt = false;  // a daemon may have taken it
    for (bool first = true;; first = false) {
        Attempt a = attempt(request);
        doubt |= a.code == Exit::unknown;
        if (first || doubt || !tells_less(a.code, result.code)) {
            result.code = a.code;
            result.reason = a.reason;
        }
        if (a.code == Exit::done || a.code == Exit::cancelled) {
            doubt = false;
            result.index = a.reply.index();
            result.epoch = a.reply.epoch();
            result.result = a.reply.result();
        }
        if (!a.repeat || !pause_before_repeat()) break;
    }
    if (doubt) result.code = Exit::unknown;
    if (client_) {
        result.client = client_;
        result.sequence = request.sequence();
    }
    return result;
}

ReadResult Session::ask(pb::Request request) {
    ReadResult result;
    for (bool first = true;; first = false) {
        Attempt a = attempt(request);
        if (first || !tells_less(a.code, result.code)) {
            result = {a.code, a.reason, std::move(a.reply)};
        }
        bool settled = request.has_outcome() && a.code == Exit::unknown;
        // Handed over twice, mastership would be where nobody wanted it.
        bool only_once = request.has_move_master() && a.code == Exit::unreachable;
        if (settled || only_once || !a.repeat || !pause_before_repeat()) return result;
    }
}

}  // namespace assent::ctl
