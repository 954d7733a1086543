// A start on records that no daemon wrote: any kind, index, epoch and payload, with right checksums and a right chain, so
// that what recovery makes of them is reached, and then some wrong ones.
#include "fuzz/heap_bound.h"
#include "fuzz/input.h"
#include "fuzz/ledger_contract.h"
#include "wire/entry_codec.h"

namespace {

using namespace assent;
using namespace assent::ledger;

constexpr uint64_t kSegments = 2;

// What distinguishes a record from the right one (make_seeds knows the bits).
enum Twist : uint8_t { none = 0, wrong_chain = 1, other_use = 2, later_run = 4, synced = 8, raw = 16, torn = 32 };

class Writer {
  public:
    explicit Writer(FaultEnv& env) {
        StateBlock state;
        state.sequence = 1;
        state.state.node = NodeId(1);
        state.state.ledger = kLedger;
        state.last_segment = kSegments;
        for (const char* name : StateFile::kNames) env.set_contents(fuzz::ledger_path(name), encode_state(state));
        for (uint64_t n = 1; n <= kSegments; ++n) bytes_[n] = encode_segment({kLedger, n, kMinSegmentBytes});
        start();
    }

    // One record from: kind, twist, flags, index, epoch, payload.
    void record(fuzz::Input& input) {
        RecordHeader h;
        h.kind = RecordKind(input.byte());
        const uint8_t twist = input.byte();
        h.flags = input.byte();
        h.index = index_of(input.byte(), input);
        h.epoch = epoch_ = epoch_ + input.byte() % 4;
        const std::string_view payload = input.piece();
        put(h, twist, h.kind == RecordKind::entry && !(twist & raw) ? entry_bytes(h, payload) : std::string(payload));
        if (h.kind == RecordKind::end && segment_ < kSegments) {
            ++segment_;
            start();
        }
    }

    void give(FaultEnv& env) {
        for (uint64_t n = 1; n <= kSegments; ++n) {
            bytes_[n].resize(std::max<size_t>(bytes_[n].size(), kMinSegmentBytes));
            env.set_contents(fuzz::ledger_path(segment_name(n)), bytes_[n]);
        }
    }

  private:
    // Mostly the next one or one near it; 255: any.
    uint64_t index_of(uint8_t step, fuzz::Input& input) {
        if (step == 255) return index_ = input.number(8);
        return index_ += uint64_t(int64_t(int8_t(step))) + 1;
    }

    static std::string entry_bytes(const RecordHeader& h, std::string_view payload) {
        Entry entry;
        entry.index = Index(h.index);
        entry.epoch = Epoch(h.epoch);
        entry.client = {Index(1), 7};
        entry.sequence = h.index;
        entry.data = payload;
        std::string bytes;
        wire::encode_entry(entry, bytes);
        return bytes;
    }

    // As the daemon would begin the segment.
    void start() {
        RecordHeader h;
        h.kind = RecordKind::start;
        h.index = index_;
        h.epoch = index_ ? epoch_ : 0;
        put(h, none, encode_start(Index()));
    }

    void put(RecordHeader h, uint8_t twist, const std::string& payload) {
        std::string& bytes = bytes_[segment_];
        h.prev = twist & wrong_chain ? ~prev_ : prev_;
        h.use = use_of(kLedger, segment_ + (twist & other_use ? 1 : 0));
        h.run = run_ += twist & later_run ? 1 : 0;
        h.durable = twist & synced ? uint32_t(bytes.size()) : kBlockBytes;
        const size_t at = bytes.size();
        bytes.append(kRecordHeaderBytes, '\0');
        bytes += payload;
        finish_record(bytes, at, h);
        prev_ = h.crc;
        if (twist & torn) bytes.back() = char(bytes.back() + 1);
    }

    static constexpr LedgerId kLedger{42};
    std::string bytes_[kSegments + 1];
    uint64_t segment_ = 1;
    uint32_t prev_ = 0;
    uint32_t run_ = 0;
    uint64_t index_ = 0;
    uint64_t epoch_ = 1;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    FaultEnv env;
    Writer writer(env);
    fuzz::Input input(data, size);
    while (!input.empty()) writer.record(input);
    writer.give(env);
    const fuzz::HeapBound bound((16u << 20) + 64 * size);
    fuzz::check_recovery(env);
    return 0;
}
