// The wrong rules planted in core and ledger (core/planted.h): the simulator must find each. tools/mutants runs them.
#pragma once

#include <string_view>
#include <vector>

namespace assent::sim {

struct Mutant {
    const char* name;       // as in ASSENT_MUTANT
    const char* rule;       // of the protocol, or the ledger's part
    const char* wrong;      // what it does
    bool attached = false;  // only an attached application can show it
    bool rare = false;      // needs some 250 seeds or more: not for a quick check
};

const std::vector<Mutant>& mutants();

// Plants it for every run from now on. False: there is none of that name.
bool plant(std::string_view name);

}  // namespace assent::sim
