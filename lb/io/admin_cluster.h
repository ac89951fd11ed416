// What the admin listener tells of membership, for tandemctl servers, ring and events:
//
//   GET /servers            the servers of the view, JSON; with ?format=table for people
//   GET /ring               the buddy ring, in its order; the same
//   GET /events?after=N     events logged after N (microseconds since 1970), oldest first: JSON;
//                           with &format=table or lines (of JSON) a line each, and with
//                           &cursor=true each line begins with its N and a tab
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/json_writer.h"
#include "lb/core/directory_change.h"
#include "lb/io/admin.h"

namespace tandem {

void write_server(JsonWriter& json, const AdminSnapshot& snapshot,
                  const AdminSnapshot::Server& server);
std::string servers_json(const AdminSnapshot& snapshot);
std::string servers_table(const AdminSnapshot& snapshot);
std::string ring_json(const AdminSnapshot& snapshot);
std::string ring_table(const AdminSnapshot& snapshot);
std::string event_json(const MembershipEvent& event);
std::string event_line(const MembershipEvent& event);

// Of POST /verify: 200 if it answered, else 504. `detail`: what failed.
AdminResponse verification(const std::string& server, bool answered, const std::string& detail,
                           bool json);

// Nothing: another path.
std::optional<AdminResponse> answer_cluster(const AdminRequest& request, AdminTarget& target);

}  // namespace tandem
