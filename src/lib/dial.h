// A connected, non-blocking socket within a deadline.
#pragma once

#include <string>

#include "base/failure.h"
#include "base/fd.h"
#include "lib/client.h"

namespace assent {

struct Dialled {
    Fd socket;
    pb::Code code = pb::DONE;  // else NOT_REACHABLE or TIMED_OUT, or USAGE for an address that is none
    std::string reason;
};

// `where` as Client::connect says. Names are resolved within the deadline too.
Dialled dial(const std::string& where, Deadline deadline);

// poll()'s timeout until then: at least 0, rounded up.
int milliseconds_until(Deadline deadline);

}  // namespace assent
