// The daemon as a Channel, by the client library.
#pragma once

#include <memory>

#include "ctl/session.h"
#include "lib/client.h"

namespace assent::ctl {

class DaemonChannel : public Channel {
  public:
    // `group`: a client id for writes to it is wanted; empty: none is.
    DaemonChannel(std::string where, std::string group) : where_(std::move(where)), group_(std::move(group)) {}

    std::optional<Problem> open(TimePoint deadline) override;
    std::optional<Client> client() const override;
    pb::Reply call(const pb::Request& request, TimePoint deadline) override;

  private:
    std::string where_;
    std::string group_;
    std::unique_ptr<assent::Client> session_;
};

}  // namespace assent::ctl
