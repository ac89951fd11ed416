// What a library client and a balancer with several groups of servers (common/cluster/routes.h) say
// of the client's sessions, of which it has one in each group:
//
//   Tandem-Session: TOKEN, TOKEN;group=api     from the client: all that it has at this balancer,
//                                              the first kSessionsPerClientMax count
//   Tandem-Session: TOKEN                      from the balancer: to be kept for the group ...
//   Tandem-Group: api                          ... that answered; without: the unnamed one
//   POST /.well-known/tandem/validate?group=api   validates what is held of that group
//
// The unnamed group, "", is the servers that no route names (pool 0). Between balancer and servers,
// and on the direct way, a request carries the one token alone. Pure; nothing is allocated but by
// append_session().
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tandem {

inline constexpr std::string_view kGroupField = "Tandem-Group";
inline constexpr std::string_view kSessionGroup = ";group=";
inline constexpr std::size_t kSessionsPerClientMax = 16;

// The token for the group in the value of a Tandem-Session field, the first if there are several;
// empty: none. Other parameters than the group are passed over.
std::string_view find_session(std::string_view value, std::string_view group);
// Adds a token to such a value.
void append_session(std::string& value, std::string_view token, std::string_view group);

// The path that validates what is held of a group.
std::string validation_path(std::string_view group);
// Of a path with its query: the group whose cache it validates; nothing if it is another path.
std::optional<std::string_view> validation_group(std::string_view path);

}  // namespace tandem
