// Messages between nodes as bytes (proto/peer.proto): one envelope for CPG and the side channel, protected by a
// checksum, so that a damaged or foreign packet is told from a message.
#pragma once

#include <string>
#include <string_view>

#include "base/failure.h"
#include "core/message.h"

namespace assent::wire {

struct Envelope {
    std::string group;
    Header header;
    Message message;
};

// magic "ASN1", CRC32C of what follows, then the protobuf envelope.
std::string encode_message(const std::string& group, const Header& header, const Message& message);
// Error if truncated, damaged, of an unknown type or version outside kProtocolMin..kProtocolMax, or a list is too long.
Result<Envelope> decode_message(std::string_view bytes);

}  // namespace assent::wire
