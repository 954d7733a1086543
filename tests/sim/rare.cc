#include "rare.h"

#include "core/planted.h"

namespace assent::sim {
namespace {

constexpr uint64_t kPermille[] = {0, 0, 0, 0, 10, 10, 100, 500};

Rare* current = nullptr;

}  // namespace

Rare::Rare(uint64_t seed) : seed_(seed), random_(seed ^ 0xa5e) {
    current = this;
    planted::rarely = [](uint64_t id, const char* name) { return current && current->take(id, name); };
}

Rare::~Rare() {
    planted::rarely = nullptr;
    current = nullptr;
}

bool Rare::take(uint64_t id, const char* name) {
    Place& place = places_[id];
    if (!place.name) {
        place.name = name;
        place.permille = kPermille[Random(seed_ ^ id).below(std::size(kPermille))];
    }
    ++place.count.asked;
    const bool small = id == planted::id("entry_written_by_itself") || id == planted::id("page_not_filled");
    if (!random_.permille(small_writes_ && small ? 500 : place.permille)) return false;
    ++place.count.taken;
    return true;
}

void Rare::small_writes(bool on) {
    if (current) current->small_writes_ = on;
}

RareCounts Rare::counts() const {
    RareCounts all;
    for (const auto& [id, place] : places_) all[place.name] = place.count;
    return all;
}

}  // namespace assent::sim
