// What goes wrong with disks, at random. Damage and wipes are kept within the world's budget.
#pragma once

#include "world.h"

namespace assent::sim {

// Something happens to the node's disk, now or within its next operations; it ends by itself but for what cannot be mended.
void strike(World& world, NodeId n, Random& random);
// No more of that on this node. Damage stays.
void mend(World& world, NodeId n);

}  // namespace assent::sim
