// libtandem: an HTTP client whose session and cache outlive the server that it talks to.
//
//     tandem::Client client({.balancer = "http://127.0.0.1:8080"});
//     tandem::Reply reply = client.get("/index.html");
//     if (!reply) std::cerr << reply.message << '\n';          // no response at all
//     else std::cout << reply.status << ' ' << reply.body();
//
// What it fetches it keeps, with the validator that came with it, in memory and, if wanted, in a
// file; every later get() announces the copy, and the servers answer "use yours" where it is still
// right, also after the server that sent it has died.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tandem {

struct ClientOptions {
  // "http://HOST[:PORT]" or "https://HOST[:PORT]". Targets of requests are paths on it.
  std::string balancer{};

  std::size_t cache_bytes = 64 << 20;  // bodies and their headers; 0: no cache
  std::string cache_file{};            // keeps cache, cache id and token between runs
  // Answers from the cache without asking while Cache-Control says that the copy is fresh.
  bool reuse_fresh = false;
  // With reuse_fresh: after another server has begun to answer (a takeover, say), and after so long
  // without a response, one request validates all that is held, before the next call that would
  // have to ask about a copy; what the server vouches for is answered from the cache for as long as
  // it said. Servers that cannot are asked item by item. 0: never.
  std::chrono::milliseconds validate_after{60'000};

  // Direct: learn from the balancer once which servers there are, and from the servers who serves
  // the session, and talk to them with no balancer between, over HTTP as they listen for it. The
  // conf of the balancer ([front] server_list) and of the servers (direct) must allow it; as long
  // as they do not, requests go through the balancer.
  bool direct = false;
  // Direct, by type: where the servers share out the data ([data] partitioned), each item is asked
  // of the server that owns its type, and of the one that stands in while that is offline, so that
  // no server has to ask another. There is no session then, and no mirror: validators alone say
  // what is still right, item by item (validate_after means nothing). Where the data is not shared
  // out, as `direct`, which this implies.
  bool by_type = false;
  // Direct, for each server and the whole process: after so many failed tries in a row it is left
  // alone (failover mode), another is asked, and the master is told; after `retry_after`, and each
  // time again, it is probed, and once it answers the master is told that as well. A try has failed
  // if there is no connection, or a broken one, or if the server does not say how it is either; an
  // answer that is too late or too large is no failure of the server.
  unsigned retries = 2;
  std::chrono::milliseconds retry_after{10'000};

  std::chrono::milliseconds timeout{30'000};         // of a call, with all its attempts
  std::chrono::milliseconds connect_timeout{5'000};  // of one attempt to connect
  // Direct, of idempotent requests: a server from which nothing has come for half of this time is
  // asked beside it whether it lives; if it is silent for the other half, too, the attempt is over
  // and counts as failed, and another server is asked. What only takes long is waited for.
  // 0: a silent server has the whole timeout.
  std::chrono::milliseconds attempt_timeout{3'000};
  // Of a call. Direct, each server has as many that fail before anything is sent.
  unsigned attempts_max = 4;
  std::size_t body_bytes_max = std::size_t{1} << 30;
  // Requests that are sent again after they had been sent once, percent of all; 100 may be owed.
  // Also after a 503: without budget that is the reply.
  unsigned retry_budget = 20;
  unsigned connections_max = 64;  // calls under way; more wait for one to end (AsyncClient)
  unsigned queue_max = 1024;      // that wait; of more, each fails with kQueueFull

  std::string ca_file{};    // https: trusted certificates, PEM; empty: the system's
  bool verify_peer = true;  // https: false accepts any certificate
  std::string user_agent{};
};

// Names as they came; order kept.
using HeaderFields = std::vector<std::pair<std::string, std::string>>;

// Where the content of a reply is from.
enum class ReplySource : std::uint8_t {
  kFetched,      // sent by the server
  kByMirror,     // ours: the server compared it with its mirror of our cache
  kByValidator,  // ours: the server compared it with the validator that we announced
  kLocal,        // ours, still fresh: nobody was asked about it, or about all in one request
};
const char* name_of(ReplySource source);  // "fetched", "mirror", "validator", "local"

// Why there is no response.
enum class ClientFailure : std::uint8_t {
  kNone,
  kOptions,    // a URL, target or header that cannot be, or a cache file that cannot be opened
  kResolve,    // the balancer's name
  kConnect,    // nobody answers there
  kTls,        // its certificate, or the handshake
  kTimeout,    // the time of the call is over
  kSend,       // the connection broke while the request was being sent
  kReceive,    // ... before the response was whole
  kProtocol,   // what came is not HTTP, or over a limit
  kQueueFull,  // too many calls wait (ClientOptions::queue_max)
  kCancelled,  // by the caller, or by the end of the client
};

// A validation of the whole cache (ClientOptions::validate_after).
struct ValidationReport {
  unsigned requests = 0;  // 0: there was none
  bool known = true;      // false: the server does not know of it; item by item from now on
  std::size_t items = 0;  // that were asked about
  std::size_t vouched = 0;
  std::uint64_t bytes_sent = 0;  // bodies alone
  std::uint64_t bytes_received = 0;
};

struct Reply {
  ClientFailure failure = ClientFailure::kNone;
  std::string message{};  // one sentence, where failure is set

  int status = 0;
  HeaderFields headers{};
  std::shared_ptr<const std::string> content{};  // shared with the cache; null: none

  ReplySource source = ReplySource::kFetched;
  bool announced = false;            // a copy was held, and announced with the request
  std::string server{};              // who answered, as Tandem-Server says
  std::string group{};               // ... of which failover group that a route names
  bool direct = false;               // ... with no balancer between
  unsigned attempts = 0;             // requests that were begun
  unsigned referrals = 0;            // of these, sent where a server referred to
  std::uint64_t bytes_received = 0;  // heads and bodies, of all attempts and of a validation
  ValidationReport validation{};     // that this call began with
  std::chrono::nanoseconds elapsed{0};

  // Was there a response? One with a status of 400 or more is one, too.
  explicit operator bool() const { return failure == ClientFailure::kNone; }
  const std::string& body() const;
  // The first field with this name, in any case; empty if there is none.
  std::string_view header(std::string_view name) const;
};

// A server that sessions may be on, as the balancer knows it.
struct ActiveServer {
  std::string name{};
  std::string address{};  // "HOST:PORT": where it serves HTTP
  bool online = false;
};
struct ActiveServers {
  ClientFailure failure = ClientFailure::kNone;  // kProtocol: the balancer does not tell
  std::string message{};                         // one sentence, where failure is set
  std::uint64_t version = 0;                     // of the view: grows when anything has changed
  std::vector<ActiveServer> servers{};           // by name
  explicit operator bool() const { return failure == ClientFailure::kNone; }
};

// What a client has done so far, and how it stands.
struct ClientStats {
  std::uint64_t calls = 0;   // that are over
  std::uint64_t failed = 0;  // of these, without a response
  std::uint64_t attempts = 0;
  std::uint64_t fetched = 0, by_mirror = 0, by_validator = 0, local = 0;  // as ReplySource
  std::uint64_t direct = 0;     // answered with no balancer between
  std::uint64_t referrals = 0;  // followed by this client itself
  std::uint64_t bytes_received = 0;
  std::uint64_t maps_fetched = 0;
  std::uint64_t failovers_entered = 0, failovers_left = 0;  // of all servers, by the process
  std::uint64_t notices_sent = 0, notices_failed = 0;       // to the master
  std::uint64_t map_version = 0;                            // of the view that the map is of
  std::size_t servers = 0;                                  // in the map
  std::size_t connections = 0;                              // open now
  std::size_t under_way = 0, waiting = 0;                   // calls
  // Direct, as far as it is known, of the failover group that answered last.
  std::string primary{}, alternate{};
};

// One session. Not for several threads at once; it may move from thread to thread between calls.
// Calls block until the reply is whole or the timeout is over; none throws.
//
// Idempotent requests (GET, PUT, DELETE) are repeated after a failed connection, a broken one, or a
// 503 with Retry-After, within timeout and attempts_max. Others are repeated only while no byte of
// them has been sent.
class Client {
 public:
  explicit Client(ClientOptions options);
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  // `target` is a path with an optional query, "/x?y".
  Reply get(std::string_view target, const HeaderFields& headers = {});
  Reply put(std::string_view target, std::string body, const HeaderFields& headers = {});
  Reply post(std::string_view target, std::string body, const HeaderFields& headers = {});
  Reply remove(std::string_view target, const HeaderFields& headers = {});
  // Any other method, "HEAD" and "PATCH" say.
  Reply request(std::string_view method, std::string_view target, std::string body,
                const HeaderFields& headers = {});

  // The servers that there are, asked of the balancer now. Its conf must allow this and report()
  // ([front] server_list).
  ActiveServers servers();
  // This server could not be reached: whoever decides about such things is to look. The reply is
  // 202, 404 (no such server), or 429 (too many reports: it will be looked at anyway).
  Reply report(std::string_view server);

  ClientStats stats() const;
  // The names under which the servers know this client; empty until there is a session. Of the
  // failover group that answered last, or of this one (Reply::group).
  std::string session_token() const;
  std::string session_token(std::string_view group) const;
  std::string cache_id() const;
  // Items held now.
  std::size_t cached_items() const;
  std::size_t cached_bytes() const;

 private:
  class Body;
  std::unique_ptr<Body> body_;
};

}  // namespace tandem
