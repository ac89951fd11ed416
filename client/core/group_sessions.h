// What a client is to the failover groups behind its balancer: a session in each that it uses, and
// when its cache is validated there.
//
// Which group serves a request the balancer's routes decide. A client that does not know them
// learns it with the answer, which names the group; so its requests carry the tokens of all, and
// the balancer takes the right one. A balancer without routes has one group, "", and so has the
// client. Pure; not for several threads at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/core/validation_policy.h"
#include "common/session/group_fields.h"

namespace tandem {

struct GroupSession {
  std::string group;    // empty: the servers of the groups that no route names
  std::string token{};  // as it came; empty: no session yet
  ValidationPolicy validation{};
  bool sessionless = false;  // whoever answers gives no token
  std::uint64_t since = 0;   // which change of a token, of any group, was this one's last
};

class GroupSessions {
 public:
  // Of more the one that has not answered for the longest time is forgotten; balancers read no
  // more of a request.
  static constexpr std::size_t kMax = kSessionsPerClientMax;
  static constexpr std::size_t kTokenBytesMax = 1024;  // a longer one is not taken
  static constexpr std::size_t kNameBytesMax = 256;

  static bool is_token(std::string_view text);
  // Of a response through a balancer: empty where it names none; nothing: that is no name.
  static std::optional<std::string_view> name_in(std::string_view group_field);

  // How every group is validated, those that are known included.
  void set_validation(const ValidationPolicy& policy);
  void absent(Duration since);  // ValidationPolicy::absent(), of all

  // Null: there has been nothing with it.
  const GroupSession* find(std::string_view group) const;
  std::string_view token(std::string_view group) const;  // empty: no session
  // Made if there is none, in the place of another if there are kMax. Valid until the next call.
  GroupSession& of(std::string_view group);
  // It has answered, and is latest() from now on.
  GroupSession& answered(std::string_view group);
  // Of the group that has answered last; empty before anyone has.
  const std::string& latest() const { return latest_; }
  // In the order of the last answers.
  const std::vector<GroupSession>& all() const { return sessions_; }

  void take_token(std::string_view group, std::string_view token);
  // The session is lost, if it is the one that there was at this mark; since then another call may
  // have begun the next one.
  void lose_token(std::string_view group, std::uint64_t mark);
  std::uint64_t mark() const { return changes_; }
  // For Tandem-Session of a request to a balancer: all tokens.
  std::string tokens() const;

 private:
  std::vector<GroupSession>::iterator place_of(std::string_view group);

  ValidationPolicy validation_;  // of a group that is new
  std::vector<GroupSession> sessions_;
  std::string latest_;
  std::uint64_t changes_ = 0;
};

}  // namespace tandem
