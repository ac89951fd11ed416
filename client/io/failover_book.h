// The failover modes of one cluster's servers, shared by all clients of the process. Any thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "client/core/failover_mode.h"

namespace tandem {

class FailoverBook {
 public:
  // The book of the cluster behind this balancer, "http://host:port". Made by whoever asks first,
  // with these options, and gone with the last of its clients.
  static std::shared_ptr<FailoverBook> of(const std::string& balancer,
                                          const FailoverModes::Options& options);

  explicit FailoverBook(const FailoverModes::Options& options) : modes_(options) {}

  // As FailoverModes has them. While no server has failed, avoids() and on_answer() take no lock.
  bool avoids(std::string_view server) const;
  FailoverModes::Notice on_failure(std::string_view server, Instant now);
  FailoverModes::Notice on_answer(std::string_view server);
  std::optional<std::string> take_probe(Instant now);
  void put_back(std::string_view server, Instant now);
  void forget_unless(const std::function<bool(std::string_view)>& exists);
  Instant next_deadline() const;
  std::uint64_t entered() const;
  std::uint64_t left() const;

 private:
  mutable std::mutex mutex_;
  std::atomic<bool> trouble_{false};  // some server is known to have failed
  FailoverModes modes_;
};

}  // namespace tandem
