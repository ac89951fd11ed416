// What a direct client does beside its calls: it fetches the map, tells the master of servers that
// it leaves alone and of those that are back, and probes them. One loop's thread.
//
// Nothing here fails a call. What cannot be told to the balancer is not told.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "client/core/client_state.h"
#include "client/io/failover_book.h"
#include "client/io/transport.h"

namespace tandem {

struct ErrandCounts {
  std::uint64_t maps_fetched = 0;
  std::uint64_t notices_sent = 0;    // the balancer has taken them
  std::uint64_t notices_failed = 0;  // nobody took them, or there were too many at a time
};

class Errands {
 public:
  static constexpr Duration kPatience = 2s;       // for each errand's answer
  static constexpr std::size_t kNoticesMax = 16;  // under way

  struct Told {
    std::function<void()> map;  // a fetch of the map is over, whatever came of it
    // A look at the server is over: it has answered, or was silent.
    std::function<void(std::string_view server, bool answers)> look;
  };

  // All must outlive it.
  Errands(EventLoop& loop, Transport& transport, ClientState& state,
          std::shared_ptr<FailoverBook> book, Told told);

  // Looks when the next probe is due: whoever shares the book may have gone.
  void watch();

  // Begins to fetch the map if that is due. Is one being fetched?
  bool fetch_map();

  Avoids avoids() const;
  // A try of a server has failed. True: it has just been left alone.
  bool on_failure(const Destination& at);
  // Asks the server how it is, for so long; one look at a time for each. A silent one has failed.
  void look(const Destination& at, Duration patience);
  // Nothing has come from it, and it was not asked how it is: look_in_doubt() will look, once.
  void doubt(const Destination& at);
  void look_in_doubt(const Destination& at, Duration patience);  // 0: kPatience
  void on_answer(const Destination& from);

  // Are there notices under way?
  bool owes_notices() const { return !notices_.empty(); }
  const ErrandCounts& counts() const { return counts_; }

 private:
  using List = std::list<std::unique_ptr<Exchange>>;

  std::string head_of(std::string_view method, std::string_view target) const;
  void start(List& list, const Destination& to, std::string_view method, const std::string& target,
             std::function<void(const Outcome&)> done, Duration patience = kPatience);
  void ask_for_map();
  void on_map_answer(const Outcome& outcome, const Destination& from);
  void forget_who_is_gone();
  void notify(FailoverModes::Notice notice, std::string_view server);
  void probe();

  EventLoop& loop_;
  Transport& transport_;
  ClientState& state_;
  std::shared_ptr<FailoverBook> book_;
  Told told_;
  Timer timer_;
  ErrandCounts counts_;
  List others_;                                // map, probes, looks
  std::set<std::string, std::less<>> looks_;   // servers that are being looked at
  std::set<std::string, std::less<>> doubts_;  // ... that shall be; servers of the map
  List notices_;
};

}  // namespace tandem
