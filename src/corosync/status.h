// What corosync's calls return, for the adapters of this folder only: no cs_error_t leaves it.
#pragma once

#include <string>

namespace assent {

enum class Cs {
    ok,
    again,    // busy, synchronising or starting: the same call may work later
    dead,     // corosync is gone or the handle is: finalize and initialise anew
    missing,  // no such node, key or service
    refused,  // corosync does not let this user in
    failed,   // anything else
};

// The numbers of cs_error_t.
Cs cs_status(int cs_error);

// "busy (6)": for the log, with what to do about it where an administrator can do something.
std::string cs_text(int cs_error);

}  // namespace assent
