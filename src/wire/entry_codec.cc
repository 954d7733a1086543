#include "wire/entry_codec.h"

#include "proto/entry.pb.h"
#include "wire/entry_head.h"
#include "wire/scan.h"

namespace assent::wire {

namespace {

constexpr size_t kMaxData = 64u << 20;
constexpr size_t kMaxHead = 64u << 10;  // everything but the data
constexpr int kMaxVoters = 255;
constexpr char kDataTag = char(pb::Entry::kDataFieldNumber << 3 | 2);

void fill_voters(const std::vector<Voter>& from, google::protobuf::RepeatedPtrField<pb::Voter>* to) {
    for (const Voter& voter : from) {
        pb::Voter* v = to->Add();
        v->set_node(voter.node.value);
        v->set_ledger(voter.ledger.value);
        v->set_votes(voter.votes);
    }
}

std::vector<Voter> voters_of(const google::protobuf::RepeatedPtrField<pb::Voter>& from) {
    std::vector<Voter> voters;
    voters.reserve(size_t(from.size()));
    for (const pb::Voter& v : from) voters.push_back({NodeId(v.node()), LedgerId(v.ledger()), v.votes()});
    return voters;
}

void fill(const Entry& entry, pb::Entry& head) {
    head.set_index(entry.index.value);
    head.set_epoch(entry.epoch.value);
    head.set_kind(pb::EntryKind(entry.kind));
    head.set_client_birth(entry.client.birth.value);
    head.set_client_random(entry.client.random);
    head.set_sequence(entry.sequence);
    head.set_first_unanswered(entry.first_unanswered);
    if (entry.config) {
        pb::Config* config = head.mutable_config();
        config->set_cluster_high(entry.config->cluster.high);
        config->set_cluster_low(entry.config->cluster.low);
        fill_voters(entry.config->voters, config->mutable_voters());
        fill_voters(entry.config->outgoing, config->mutable_outgoing());
    }
    head.set_announced_confirm(entry.announced.confirm.value);
    head.set_announced_stored(entry.announced.stored.value);
    if (entry.cancel != CancelTarget{}) {
        pb::CancelTarget* cancel = head.mutable_cancel();
        cancel->set_index(entry.cancel.index.value);
        cancel->set_client_birth(entry.cancel.client.birth.value);
        cancel->set_client_random(entry.cancel.client.random);
        cancel->set_sequence(entry.cancel.sequence);
    }
}

// Why this is no entry; empty if it is one.
const char* fault(const pb::Entry& head) {
    if (head.index() == 0) return "it has index 0";
    if (head.kind() < pb::ENTRY_WRITE || head.kind() > pb::ENTRY_CANCEL) return "its kind is unknown";
    if (head.kind() == pb::ENTRY_CONFIG && head.config().voters().empty()) return "it is a CONFIG without voters";
    if (head.announced_confirm() > head.announced_stored() || head.announced_stored() >= head.index())
        return "it announces what cannot be";
    if (head.config().voters_size() > kMaxVoters || head.config().outgoing_size() > kMaxVoters)
        return "it has more than 255 voters";
    return nullptr;
}

EntryPtr entry_of(const pb::Entry& head, std::string_view data) {
    auto entry = std::make_shared<Entry>();
    entry->index = Index(head.index());
    entry->epoch = Epoch(head.epoch());
    entry->kind = EntryKind(head.kind());
    entry->client = {Index(head.client_birth()), head.client_random()};
    entry->sequence = head.sequence();
    entry->first_unanswered = head.first_unanswered();
    entry->data = data;
    if (head.has_config()) {
        const pb::Config& c = head.config();
        entry->config = std::make_shared<Config>(
            Config{{c.cluster_high(), c.cluster_low()}, voters_of(c.voters()), voters_of(c.outgoing())});
    }
    entry->announced = {Index(head.announced_confirm()), Index(head.announced_stored())};
    if (head.has_cancel()) {
        const pb::CancelTarget& c = head.cancel();
        entry->cancel = {Index(c.index()), {Index(c.client_birth()), c.client_random()}, c.sequence()};
    }
    return entry;
}

Error malformed(const char* why) { return Error{std::string("malformed entry: ") + why}; }

}  // namespace

EntryHead::EntryHead(const Entry& entry) : entry_(entry) {
    pb::Entry head;
    fill(entry, head);
    head.SerializeToString(&head_);
}

size_t EntryHead::size() const {
    const size_t data = entry_.data.size();
    return head_.size() + (data == 0 ? 0 : 1 + varint_size(data) + data);
}

void EntryHead::append_to(std::string& out) const {
    out += head_;
    if (entry_.data.empty()) return;
    out.push_back(kDataTag);
    put_varint(entry_.data.size(), out);
    out += entry_.data;
}

void encode_entry(const Entry& entry, std::string& out) { EntryHead(entry).append_to(out); }

Result<EntryPtr> decode_entry(std::string_view bytes) {
    std::string_view head_bytes = bytes;
    std::string_view data;
    Scanner scanner(bytes);
    while (scanner.next()) {
        if (scanner.field() != pb::Entry::kDataFieldNumber) continue;
        if (!scanner.is_bytes()) return malformed("its data has another type");
        head_bytes = bytes.substr(0, scanner.begin());
        data = scanner.value();
        if (scanner.next()) return malformed("something follows its data");
    }
    if (!scanner.ok()) return malformed("it is cut off or damaged");
    if (data.size() > kMaxData) return malformed("its data is larger than 64 MiB");
    if (head_bytes.size() > kMaxHead) return malformed("more than 64 KiB come before its data");
    pb::Entry head;
    if (!head.ParseFromArray(head_bytes.data(), int(head_bytes.size()))) return malformed("it is cut off or damaged");
    if (const char* why = fault(head)) return malformed(why);
    return entry_of(head, data);
}

}  // namespace assent::wire
