// assentctl watch: confirmed writes as they come, over restarts of the daemon too.
#pragma once

#include <functional>
#include <string>

#include "ctl/output.h"

namespace assent::ctl {

// One line, or empty if the write is none of those asked for.
std::string watched_line(const pb::WatchedWrite& write, const Options& options);

// Until the deadline (TimePoint::max(): none), Options::limit, or `emit` says that nobody reads on.
Printed run_watch(const Options& options, TimePoint deadline, const std::function<bool(const std::string&)>& emit);

}  // namespace assent::ctl
