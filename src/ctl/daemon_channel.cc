#include "ctl/daemon_channel.h"

namespace assent::ctl {

std::optional<Problem> DaemonChannel::open(TimePoint deadline) {
    if (session_) return std::nullopt;
    Connected connected = assent::Client::connect(where_, group_, "assentctl", deadline);
    if (connected.code != pb::DONE) return Problem{exit_of(connected.code), connected.reason};
    session_ = std::move(connected.client);
    return std::nullopt;
}

std::optional<Client> DaemonChannel::client() const {
    if (!session_ || !session_->hello().has_client()) return std::nullopt;
    return Client{session_->hello().client().birth(), session_->hello().client().random()};
}

pb::Reply DaemonChannel::call(const pb::Request& request, TimePoint deadline) {
    pb::Reply reply = session_->call(request, deadline);
    bool may_be_lost = reply.code() == pb::NOT_REACHABLE || reply.code() == pb::UNKNOWN;
    if (may_be_lost && !session_->pump()) session_.reset();
    return reply;
}

}  // namespace assent::ctl
