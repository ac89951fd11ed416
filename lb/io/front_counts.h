// What a worker counts. Written by the worker alone, read by anyone at any time: each counter is a
// relaxed atomic that its one writer updates with a plain load and store.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace tandem {

class SingleWriterCounter {
 public:
  void add(std::uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void sub(std::uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) - n, std::memory_order_relaxed);
  }
  void set(std::uint64_t n) { value_.store(n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// X(member, metric name, help). Names ending in _total only grow; the others are levels.
#define TANDEM_FRONT_COUNTS(X)                                                                     \
  X(connections, "connections", "Client connections that are open")                                \
  X(connections_total, "connections_total", "Client connections accepted")                         \
  X(connections_refused, "connections_refused_total", "Closed at once: connections_max reached")   \
  X(address_refused, "address_connections_refused_total",                                          \
    "Closed at once: connections_per_address_max reached")                                         \
  X(proxy_headers_bad, "proxy_headers_bad_total",                                                  \
    "Connections from proxy_protocol_from without a PROXY header, or with a bad one")              \
  X(requests, "requests_total", "Requests whose head was read")                                    \
  X(requests_bad, "requests_bad_total", "Requests refused as malformed or over a limit")           \
  X(answers_own, "answers_own_total", "Responses of the balancer itself")                          \
  X(aborts, "responses_aborted_total", "Responses that had begun and could not be completed")      \
  X(client_gone, "client_gone_total", "Requests whose client left before the response's end")      \
  X(bytes_in, "client_bytes_received_total", "Bytes of requests")                                  \
  X(bytes_out, "client_bytes_sent_total", "Bytes of responses")                                    \
  X(sessions_new, "sessions_new_total", "Requests without a token, assigned to a server")          \
  X(takeovers, "takeovers_total", "Requests sent to another server than their primary")            \
  X(lost, "sessions_lost_total", "Requests whose primary and alternate were both gone")            \
  X(lost_rejected, "sessions_lost_rejected_total", "Of them, those that on_lost rejected")         \
  X(referrals, "referrals_total", "Requests that a server referred to another")                    \
  X(retries, "retries_total", "Requests sent again after a failure")                               \
  X(budget_refused, "retry_budget_refused_total", "Retries that the retry budget did not allow")   \
  X(no_server, "no_server_total", "Requests that no server could take (503)")                      \
  X(shortages, "shortages_total", "Requests that failed for want of descriptors, ports, memory")   \
  X(server_connects, "server_connects_total", "Connections opened to servers")                     \
  X(server_connect_failures, "server_connect_failures_total", "Of them, those that failed")        \
  X(server_idle, "server_connections_idle", "Pooled connections to servers")                       \
  X(server_active, "server_connections_active", "Connections to servers that carry a request")     \
  X(tokens_bad, "tokens_refused_total", "Tokens that were forged, cut, expired or not a client's") \
  X(tokens_foreign, "tokens_of_other_groups_total", "Tokens of servers of another group")          \
  X(tokens_sealed, "tokens_sealed_total", "Tokens sealed by the balancer")                         \
  X(client_reports, "client_reports_total", "Servers that clients reported")                       \
  X(client_returns, "client_returns_total", "Servers that clients reported to answer again")       \
  X(client_reports_refused, "client_reports_refused_total", "Reports that came too often (429)")   \
  X(tunnels, "tunnels", "Upgraded connections that are open")                                      \
  X(timeouts_header, "timeouts_header_total", "Requests whose head did not come in time (408)")    \
  X(timeouts_idle, "timeouts_idle_total", "Idle client connections closed")                        \
  X(timeouts_body, "timeouts_body_total", "Connections on which a body stood still too long")      \
  X(timeouts_response, "timeouts_response_total", "Requests without a response in time (504)")     \
  X(status_2xx, "responses_2xx_total", "Responses by class of status")                             \
  X(status_3xx, "responses_3xx_total", "Responses by class of status")                             \
  X(status_4xx, "responses_4xx_total", "Responses by class of status")                             \
  X(status_5xx, "responses_5xx_total", "Responses by class of status")                             \
  X(log_dropped, "access_log_dropped_total", "Access lines dropped: the writer was behind")

struct FrontCounts {
#define TANDEM_FRONT_COUNT(member, name, help) SingleWriterCounter member;
  TANDEM_FRONT_COUNTS(TANDEM_FRONT_COUNT)
#undef TANDEM_FRONT_COUNT

  struct Row {
    const char* name;
    const char* help;
    std::uint64_t value;
  };
#define TANDEM_FRONT_COUNT(member, name, help) +1
  static constexpr std::size_t kCount = 0 TANDEM_FRONT_COUNTS(TANDEM_FRONT_COUNT);
#undef TANDEM_FRONT_COUNT
  std::array<Row, kCount> rows() const {
    return {{
#define TANDEM_FRONT_COUNT(member, name, help) Row{name, help, member.value()},
        TANDEM_FRONT_COUNTS(TANDEM_FRONT_COUNT)
#undef TANDEM_FRONT_COUNT
    }};
  }
};

}  // namespace tandem
