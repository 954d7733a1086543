// The two copies of the ballot and the header of a segment: any bytes, and any with a right checksum. A copy that is whole
// counts, the newer one of two; whatever is taken is written as it was read.
#include "base/crc32c.h"
#include "core/assert.h"
#include "fuzz/input.h"
#include "ledger/memory_env.h"
#include "ledger/state_file.h"

namespace {

using namespace assent;
using namespace assent::ledger;

constexpr const char* kDir = "/ledger";

// Byte 0: bit 0 a right checksum, bit 1 a whole block, which the bytes overwrite from its offset 8 on.
std::string block_of(fuzz::Input& input, std::string_view magic) {
    const uint8_t how = input.byte();
    std::string block(input.piece());
    if (how & 2) {
        block.resize(kBlockBytes - 8);
        block.insert(0, magic);
    }
    if ((how & 1) && block.size() == kBlockBytes) {
        const uint32_t checksum = crc32c(std::string_view(block).substr(0, kBlockBytes - 4));
        block.resize(kBlockBytes - 4);
        fuzz::put_number(checksum, 4, block);
    }
    return block;
}

void check_segment(const std::string& bytes) {
    SegmentBlock block, again;
    if (decode_segment(bytes, block) != BlockError::none) return;
    ASSENT_ASSERT(block.capacity <= kMaxSegmentBytes);
    ASSENT_ASSERT(decode_segment(encode_segment(block), again) == BlockError::none && again == block);
}

void check_copies(const std::string* copies) {
    FaultEnv env;
    StateBlock decoded[2];
    bool whole[2], newer = false;
    for (int i = 0; i < 2; ++i) {
        env.set_contents(std::string(kDir) + "/" + StateFile::kNames[i], copies[i]);
        const BlockError error = decode_state(std::string_view(copies[i]).substr(0, kBlockBytes), decoded[i]);
        whole[i] = error == BlockError::none;
        newer = newer || error == BlockError::newer;
    }
    StateFile file(env, kDir);
    StateBlock loaded, again;
    try {
        ASSENT_ASSERT(file.load(loaded));
    } catch (const Failure&) {
        ASSENT_ASSERT(newer || (!whole[0] && !whole[1]));
        return;
    }
    ASSENT_ASSERT(!newer && (whole[0] || whole[1]));
    const bool second = !whole[0] || (whole[1] && decoded[1].sequence > decoded[0].sequence);
    ASSENT_ASSERT(loaded == decoded[second]);
    ASSENT_ASSERT(loaded.first_segment >= 1 && loaded.first_segment <= loaded.last_segment + 1);
    ++loaded.sequence;
    ASSENT_ASSERT(!file.save(loaded));
    env.crash();
    ASSENT_ASSERT(StateFile(env, kDir).load(again) && again == loaded);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::Input input(data, size);
    const std::string copies[2] = {block_of(input, "assentST"), block_of(input, "assentST")};
    check_copies(copies);
    check_segment(block_of(input, "assentSG"));
    return 0;
}
