// What the parts of one front share: everything on one loop's thread, no locks.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/ids.h"
#include "common/base/retry_budget.h"
#include "common/http/head_parser.h"
#include "common/net/event_loop.h"
#include "common/session/token_cache.h"
#include "common/session/token_codec.h"
#include "lb/core/pools.h"
#include "lb/core/replaced_tokens.h"
#include "lb/core/report_limit.h"
#include "lb/core/route.h"
#include "lb/core/token_counter.h"
#include "lb/io/access_log.h"
#include "lb/io/front_counts.h"
#include "lb/io/front_options.h"

namespace tandem {

class ClientConnection;
class Relay;
class ServerPool;

// Told what control wants to know. Called on the front's thread: implementations post.
class FrontReports {
 public:
  // A connection to the server failed, it broke a fresh one, or it lets a request wait: worth a
  // probe at once. Told again at most every kFailureReportInterval.
  virtual void on_server_failed(ServerId server) = 0;
  // This front's count of the sessions of plain servers, when it has changed; sums are over fronts.
  virtual void on_plain_sessions(const std::vector<TokenCounter::Sessions>& sessions) = 0;
  // After drain(): no client connection is left.
  virtual void on_drained() = 0;

 protected:
  ~FrontReports() = default;
};
inline constexpr Duration kFailureReportInterval = 100ms;

// Room before the bytes that are read, so that a head that grows on its way can be written right
// before its body and both be sent as one.
inline constexpr std::size_t kHeadRoom = 16 * 1024;

// An incomplete head, between two reads. Only connections that wait for the rest of one have it.
template <class HeadType>
struct PartialHead {
  http::HeadParser parser;
  HeadType head;
  std::string bytes;
};

struct FrontState {
  FrontState(EventLoop& loop_, FrontOptions options_, FrontReports& reports_, AccessLog* log_);
  ~FrontState();

  EventLoop& loop;
  FrontOptions options;
  FrontReports& reports;
  AccessLogBuffer log;
  FrontCounts counts;

  ViewIndex index;
  RoutesPtr routes;  // not null
  // Grows with every change of the routes: pools' numbers are of one generation.
  std::uint32_t routes_generation = 0;
  Pools assignments;                        // by pool
  std::vector<AffinityOptions> affinities;  // by pool: each has a cookie of its own
  TokenCodec codec;
  TokenCache tokens;
  TokenCounter plain_sessions;
  ReplacedTokens replaced_tokens;  // each is counted once
  RetryBudget budget;
  ReportLimit report_limit;
  std::vector<ServerPool*> pools;  // by slot of the index
  std::unordered_map<ServerId, std::unique_ptr<ServerPool>> pools_by_id;
  bool draining = false;

  // Heads that are being looked at right now; whoever needs one longer keeps its bytes.
  http::HeadLimits request_limits;
  http::HeadLimits response_limits;
  http::HeadParser request_parser;
  http::RequestHead request_head;
  http::HeadParser response_parser;
  http::ResponseHead response_head;
  const http::RequestHead* current_head = nullptr;
  const Relay* request_head_of = nullptr;  // whose head current_head is; null: nobody's any more
  std::string head_out;                    // heads are composed here

  std::string listed;  // of listed_view
  ViewPtr listed_view;

  std::vector<ClientConnection*> clients;
  std::vector<std::unique_ptr<Relay>> spare_relays;

  std::span<char> scratch() { return loop.scratch(); }
  // At least `size` bytes to compose a head in.
  char* compose(std::size_t size) {
    if (head_out.size() < size) head_out.resize(size);
    return head_out.data();
  }
  // Other routes than before, if these are others.
  void set_routes(RoutesPtr next);
  // As clients get it (common/cluster/server_list.h); made once a view.
  const std::string& server_list();
  void refuse_address(std::string_view client);  // counted and logged; it has its connections
  void report_failure(ServerId server);
  void suspect(ServerId server);  // it may only be slow: reported at most once a recheck_interval
  void log_request(const AccessLine& line);  // counts its status, and writes it if there is a log
};

}  // namespace tandem
