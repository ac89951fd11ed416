// What two servers tell each other, as a line of a transcript.
#pragma once

#include <string>

#include "common/wire/messages.h"

namespace tandem::sim {

// Empty of messages that concern no session.
std::string to_text(const Message& message);

}  // namespace tandem::sim
