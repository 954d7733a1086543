#include "daemon/digests.h"

#include <cstdio>

#include "core/quorum.h"

namespace assent {

namespace {

std::string hex(uint64_t value) {
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
    return text;
}

void add_to(pb::Forwarded& forwarded, Index index, uint64_t value) {
    pb::StateDigest& digest = *forwarded.add_digests();
    digest.set_index(index.value);
    digest.set_value(value);
}

}  // namespace

Digests::Digests(std::string group, NodeId self, DigestHooks hooks)
    : group_(std::move(group)), self_(self), hooks_(std::move(hooks)) {}

void Digests::said(Index index, uint64_t value) {
    keep(self_, index, value);
    pb::Forwarded forwarded;
    forwarded.set_group(group_);
    add_to(forwarded, index, value);
    for (NodeId node : hooks_.peers()) hooks_.send(node, forwarded);
    judge(index);
}

void Digests::heard(NodeId from, const pb::Forwarded& forwarded) {
    if (from == self_) return;
    for (const pb::StateDigest& digest : forwarded.digests()) {
        keep(from, Index(digest.index()), digest.value());
        judge(Index(digest.index()));
    }
}

void Digests::tell(const std::vector<NodeId>& nodes) {
    const auto own = of_.find(self_);
    if (own == of_.end() || nodes.empty()) return;
    pb::Forwarded forwarded;
    forwarded.set_group(group_);
    for (const auto& [index, value] : own->second) add_to(forwarded, index, value);
    for (NodeId node : nodes) hooks_.send(node, forwarded);
}

void Digests::keep(NodeId node, Index index, uint64_t value) {
    ByIndex& digests = of_[node];
    digests[index] = value;
    if (digests.size() > kKept) digests.erase(digests.begin());
}

bool Digests::says(NodeId node, Index index, uint64_t value) const {
    const auto of = of_.find(node);
    if (of == of_.end()) return false;
    const auto digest = of->second.find(index);
    return digest != of->second.end() && digest->second == value;
}

void Digests::judge(Index index) {
    const auto own_digests = of_.find(self_);
    if (own_digests == of_.end()) return;
    const auto own = own_digests->second.find(index);
    if (own == own_digests->second.end()) return;
    for (const auto& [node, digests] : of_) {
        const auto other = digests.find(index);
        if (other == digests.end() || other->second == own->second) continue;
        const Config config = hooks_.config();
        if (!is_majority(config, [&](const Voter& v) { return says(v.node, index, other->second); })) continue;
        hooks_.diverged(index, "at index " + std::to_string(index.value) + " its state has the digest " +
                                   hex(own->second) + ", and that of a majority " + hex(other->second));
        return;
    }
}

}  // namespace assent
