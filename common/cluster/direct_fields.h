// What clients that go direct (with no balancer between) and servers tell each other, in the head
// of each request and response:
//
//   Tandem-Direct: view=7                       from the client: the view that its map is of
//   Tandem-Direct: view=7;failed=a,b            ... and whom it has just met in vain
//   Tandem-Direct: view=7;by=type               ... and it comes for the item's type: there is no
//                                               session, and none is to be begun
//   Tandem-Where: view=8;primary=a;alternate=b  from the server: the newest view that it has, and
//                                               who serves the session; with 421: who shall be
//                                               asked
//
// Parameters that are not known are passed over. A client's word moves nothing by itself: the
// server believes it of a server only with which it has no connection either. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tandem {

inline constexpr std::string_view kDirectField = "Tandem-Direct";
inline constexpr std::string_view kWhereField = "Tandem-Where";

struct DirectRequest {
  static constexpr std::size_t kFailedMax = 4;  // more are left out, and not read

  std::uint64_t view = 0;  // 0: it has no map
  std::vector<std::string> failed{};
  bool by_type = false;

  // Nothing: malformed, as if there were no such field.
  static std::optional<DirectRequest> parse(std::string_view value);
  std::string text() const;
  bool operator==(const DirectRequest&) const = default;
};

struct Whereabouts {
  std::uint64_t view = 0;
  std::string primary;    // empty: it is not said
  std::string alternate;  // empty: there is none

  static std::optional<Whereabouts> parse(std::string_view value);
  std::string text() const;
  bool operator==(const Whereabouts&) const = default;
};

}  // namespace tandem
