// Faults planted on purpose, for the simulator alone: it compiles the core and the ledger once more with ASSENT_PLANTED.
// Everywhere else both conditions are the constant false.
//
//   ASSENT_MUTANT(name)  true if this wrong rule was chosen for the whole run: the simulator must find it
//   ASSENT_RARELY(name)  true now and then: takes a branch that is right, but hardly ever taken (buffer full, batch of one)
#pragma once

#include <cstdint>
#include <string_view>

namespace assent::planted {

// A name as a number (FNV-1a), so that a test costs one comparison.
constexpr uint64_t id(std::string_view name) {
    uint64_t sum = 0xcbf29ce484222325ULL;
    for (char c : name) sum = (sum ^ uint8_t(c)) * 0x100000001b3ULL;
    return sum;
}

#ifdef ASSENT_PLANTED
inline uint64_t mutant = 0;  // id of the one chosen; 0: none
// Decides, from the run's own random numbers; null: never.
inline bool (*rarely)(uint64_t id, const char* name) = nullptr;
#endif

}  // namespace assent::planted

#ifdef ASSENT_PLANTED
#define ASSENT_MUTANT(name) (assent::planted::mutant == assent::planted::id(#name))
#define ASSENT_RARELY(name) (assent::planted::rarely && assent::planted::rarely(assent::planted::id(#name), #name))
#else
#define ASSENT_MUTANT(name) false
#define ASSENT_RARELY(name) false
#endif
