#include "tests/sim/message_text.h"

#include <fmt/format.h>

#include <variant>

#include "tests/sim/invariants.h"

namespace tandem::sim {
namespace {

std::string text(const MirrorBatch& batch) {
  return fmt::format("batch {} of {:x} at {} primary {:x}{}, {} changes", batch.sequence,
                     batch.session.low, to_text(batch.epoch), batch.primary.value,
                     batch.snapshot ? ", a snapshot" : "", batch.changes.size());
}

std::string text(const MirrorAck& ack) {
  constexpr const char* kAnswers[] = {"applied", "wants a snapshot", "stale", "refused"};
  return fmt::format("batch {} of {:x} at {}: {}", ack.sequence, ack.session.low,
                     to_text(ack.epoch), kAnswers[static_cast<std::size_t>(ack.answer)]);
}

std::string text(const MirrorRelease& release) {
  return fmt::format("release of {:x} at {} before {}, alternate {:x}", release.session.low,
                     to_text(release.epoch), release.sequence, release.alternate.value);
}

std::string text(const SessionExchange& exchange) {
  std::string all = "told of";
  for (const SessionExchange::Entry& entry : exchange.entries) {
    all += fmt::format(" {:x} at {}{}", entry.session.low, to_text(entry.epoch),
                       entry.primary ? " served" : "");
  }
  return all;
}

std::string text(const SwapCommand& command) {
  return fmt::format("swap {:x} at {} after {}", command.session.low, to_text(command.epoch),
                     command.sequence);
}

std::string text(const SwapAnswer& answer) {
  constexpr const char* kAnswers[] = {"taken", "refused", "stale"};
  return fmt::format("swap of {:x}: {} at {}", answer.session.low,
                     kAnswers[static_cast<std::size_t>(answer.answer)], to_text(answer.epoch));
}

std::string text(const WhereIs& where) { return fmt::format("where is {:x}", where.session.low); }

std::string text(const WhereAnswer& answer) {
  constexpr const char* kAs[] = {"unknown", "served here", "a copy", "a note"};
  return fmt::format("{:x} is {} at {}, alternate {:x}", answer.session.low,
                     kAs[static_cast<std::size_t>(answer.as)], to_text(answer.epoch),
                     answer.alternate.value);
}

template <class Other>
std::string text(const Other&) {
  return {};
}

}  // namespace

std::string to_text(const Message& message) {
  return std::visit([](const auto& one) { return text(one); }, message);
}

}  // namespace tandem::sim
