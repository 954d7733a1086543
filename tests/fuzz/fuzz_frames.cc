// A stream of frames that comes in any pieces: the same frames come out, and memory grows with what has come, not with what
// a length promises.
#include <vector>

#include "fuzz/heap_bound.h"
#include "fuzz/input.h"
#include "net/frames.h"

namespace {

using namespace assent;

constexpr size_t kMaxFrame = 1u << 30;

// Frames of the whole stream, as they are defined; `broken`: one is announced that is too long.
std::vector<std::string_view> frames_of(std::string_view stream, bool& broken) {
    std::vector<std::string_view> frames;
    broken = false;
    while (stream.size() >= net::kLengthBytes) {
        size_t length = 0;
        for (size_t i = 0; i < net::kLengthBytes; ++i) length |= size_t(uint8_t(stream[i])) << (8 * i);
        broken = length > kMaxFrame;
        if (broken || stream.size() - net::kLengthBytes < length) break;
        frames.push_back(stream.substr(net::kLengthBytes, length));
        stream.remove_prefix(net::kLengthBytes + length);
    }
    return frames;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::Input input(data, size);
    const size_t step = input.byte() + 1;
    const std::string_view stream = input.rest();
    bool broken = false;
    const std::vector<std::string_view> wanted = frames_of(stream, broken);
    const fuzz::HeapBound bound((4u << 10) + 4 * size);
    net::FrameReader reader(kMaxFrame);
    size_t got = 0;
    std::string_view frame;
    for (size_t at = 0; at < stream.size(); at += step) {
        reader.feed(stream.substr(at, step));
        for (; reader.next(frame); ++got) ASSENT_ASSERT(got < wanted.size() && frame == wanted[got]);
    }
    ASSENT_ASSERT(got == wanted.size() && reader.broken() == broken);
    return 0;
}
