// A start on damaged files: a ledger of two segments, of which any bytes may be replaced, cut off or swapped.
#include "base/crc32c.h"
#include "fuzz/heap_bound.h"
#include "fuzz/input.h"
#include "fuzz/ledger_contract.h"

namespace {

using namespace assent;
using namespace assent::ledger;

// The files by number; a healthy ledger in the second segment, with a mark and a truncation.
const std::string kFiles[] = {fuzz::ledger_path("state-a"), fuzz::ledger_path("state-b"),
                              fuzz::ledger_path(segment_name(1)), fuzz::ledger_path(segment_name(2))};

using Contents = std::vector<std::string>;

void keep(Store& store, const Persist& unit) { ASSENT_ASSERT(!store.write(std::span(&unit, 1)) && !store.sync()); }

Contents healthy() {
    FaultEnv env;
    Opened opened;
    const auto store = Store::open(env, fuzz::ledger_options(), opened);
    Position last;
    const auto unit_of = [&](size_t count, size_t bytes) {
        Persist unit;
        for (size_t i = 0; i < count; ++i) {
            unit.append.push_back(fuzz::entry_after(last, std::string(bytes, 'x')));
            last = unit.append.back()->position();
        }
        return unit;
    };
    for (int i = 0; i < 6; ++i) keep(*store, unit_of(1, 700));
    Persist again = unit_of(0, 0);
    again.truncate_from = last.index;
    last = {Epoch(2), prior(last.index)};
    again.append = unit_of(2, 20).append;
    again.mark = last.index;
    keep(*store, again);
    Contents contents;
    for (const std::string& file : kFiles) contents.push_back(env.contents(file));
    return contents;
}

// One change: which file and what is done, where, with which bytes.
void change(fuzz::Input& input, Contents& contents) {
    const uint8_t what = input.byte();
    const size_t at = input.number(2);
    const std::string piece(input.piece());
    std::string& bytes = contents[what % 4];
    switch (what / 4 % 4) {
        case 0: bytes = piece; break;
        case 1:
            if (at < bytes.size()) bytes.replace(at, std::min(piece.size(), bytes.size() - at), piece);
            break;
        case 2: bytes.resize(std::min(at, bytes.size())); break;
        case 3: bytes.swap(contents[at % 4]); break;
    }
    if (what & 64 && bytes.size() >= kBlockBytes) {  // the header's checksum is mended
        std::string sum;
        fuzz::put_number(crc32c(std::string_view(bytes).substr(0, kBlockBytes - 4)), 4, sum);
        bytes.replace(kBlockBytes - 4, 4, sum);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const Contents whole = healthy();
    Contents contents = whole;
    fuzz::Input input(data, size);
    while (!input.empty()) change(input, contents);
    FaultEnv env;
    for (size_t i = 0; i < contents.size(); ++i) env.set_contents(kFiles[i], contents[i]);
    const fuzz::HeapBound bound(16u << 20);  // windows of a mebibyte, whatever the headers promise
    fuzz::check_recovery(env);
    return 0;
}
