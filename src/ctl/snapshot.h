// assentctl snapshot save, restore, inspect.
#pragma once

#include "ctl/output.h"

namespace assent::ctl {

Printed run_snapshot(const Options& options, TimePoint deadline);

}  // namespace assent::ctl
