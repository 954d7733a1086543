// Messages of core/message.h to and from those of proto/peer.proto, entries excepted.
#pragma once

#include "base/failure.h"
#include "core/message.h"
#include "proto/peer.pb.h"

namespace assent::wire {

void fill(const Header& from, pb::Header& to);
void fill(const Message& from, pb::Envelope& to);
Header header_of(const pb::Header& from);
// Error if the kind is unknown or a list is too long.
Result<Message> message_of(const pb::Envelope& from);

}  // namespace assent::wire
