// The daemon's JSON (status, members) as text for people. Fields that are missing or of another type are shown as "-":
// the daemon may be of another version.
#pragma once

#include <string>

#include "ctl/encoding.h"
#include "ctl/exit_code.h"

namespace assent::ctl {

// The answer first ("can write: yes"), then the evidence.
std::string status_text(const Json& status, bool colors);
// Can this node serve now? done: it can write; else no_majority, no_master or error.
Exit status_exit(const Json& status);

// Voters, then observers, a line each.
std::string members_text(const Json& members);

// The master's node id in a status; 0: none known.
uint32_t master_of(const Json& status);

}  // namespace assent::ctl
