// The plain values of common/wire/messages.h to protobuf's classes and back, field by field. Only
// the codec includes this; protobuf's headers stay in the sources.
#pragma once

#include "common/wire/messages.h"

namespace tandem {

namespace wire {
class Envelope;
}

namespace proto_map {

void write(const Message& message, wire::Envelope& envelope);

// Moves contents out of `envelope`, whose body must be set. False if a value cannot be: out of its
// range, too long, too many, or missing where nothing works without it.
[[nodiscard]] bool read(wire::Envelope& envelope, Message& message);

}  // namespace proto_map
}  // namespace tandem
