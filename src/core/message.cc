#include "core/message.h"

#include <array>

namespace assent {

const char* name(const Message& m) {
    static constexpr std::array<const char*, std::variant_size_v<Message>> names = {
        "STATUS",   "VOTE_REQUEST", "VOTE",      "PROPOSE",          "CONFIRM", "STEP_DOWN",
        "TRANSFER", "ACK",          "HEARTBEAT", "HEARTBEAT_ANSWER", "FETCH",   "ENTRIES"};
    return names[m.index()];
}

}  // namespace assent
