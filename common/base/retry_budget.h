// The retry budget: how many requests may be resent after they had reached a server, so that
// trouble is not multiplied when everything is slow. Every request puts a part of a retry in, every
// retry takes one out. Connect failures do not count: no server has worked for them.
#pragma once

#include <algorithm>
#include <cstdint>

namespace tandem {

class RetryBudget {
 public:
  struct Options {
    std::uint32_t reserve = 1000;            // retries that may be owed at once; also the start
    std::uint32_t percent_of_requests = 20;  // what requests add
  };

  explicit RetryBudget(const Options& options)
      : percent_(options.percent_of_requests), most_(std::uint64_t{options.reserve} * 100) {
    hundredths_ = most_;
  }

  void on_request() { hundredths_ = std::min(hundredths_ + percent_, most_); }
  // Would take() say so?
  bool affords() const { return hundredths_ >= 100; }
  // May one more be resent? Takes it out if so.
  bool take() {
    if (!affords()) {
      ++refused_;
      return false;
    }
    hundredths_ -= 100;
    return true;
  }
  std::uint64_t refused() const { return refused_; }

 private:
  std::uint64_t percent_;
  std::uint64_t most_;
  std::uint64_t hundredths_;
  std::uint64_t refused_ = 0;
};

}  // namespace tandem
