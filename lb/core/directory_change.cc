#include "lb/core/directory_change.h"

#include <iterator>

namespace tandem {
namespace {

// In the order of the enumerations.
constexpr std::string_view kStates[] = {"online", "offline", "left", "held back"};
constexpr std::string_view kKinds[] = {"joined",    "returned", "offline",         "left",
                                       "held back", "removed",  "most looks dead", "most is back"};

template <class Enum, std::size_t N>
std::optional<Enum> value_of(const std::string_view (&words)[N], std::string_view word) {
  for (std::size_t i = 0; i < N; ++i) {
    if (words[i] == word) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

}  // namespace

std::string_view state_word(ServerState state) { return kStates[static_cast<std::size_t>(state)]; }

std::string_view kind_word(MembershipEvent::Kind kind) {
  return kKinds[static_cast<std::size_t>(kind)];
}

std::optional<ServerState> state_of_word(std::string_view word) {
  return value_of<ServerState>(kStates, word);
}

std::optional<MembershipEvent::Kind> kind_of_word(std::string_view word) {
  return value_of<MembershipEvent::Kind>(kKinds, word);
}

}  // namespace tandem
