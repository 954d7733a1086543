// The last sentence of what the ledger refuses with: what a person is to do.
#pragma once

#include <string>

namespace assent::ledger {

constexpr const char* kNewer =
    " was written by a newer version of assent. Nothing was changed. What to do: install that version or a later one.";

inline std::string advice(const std::string& dir) {
    return " Nothing was changed. What to do: check the disk and the system log; if the other nodes run and hold a "
           "majority, move the folder " +
           dir +
           " away (do not delete it) and start again: this node then joins as a "
           "new one and is sent everything. Never do so on more than a minority of the nodes, since what was confirmed "
           "may "
           "then be lost.";
}

}  // namespace assent::ledger
