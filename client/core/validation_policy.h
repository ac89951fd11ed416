// When a client validates its whole cache: after another server has begun to answer (a takeover),
// and after a long absence. Pure; one for each client.
#pragma once

#include <string>
#include <string_view>

#include "common/base/time.h"

namespace tandem {

class ValidationPolicy {
 public:
  static constexpr Duration kWaitMax = 1h;  // between validations that were of no use

  // `after` is the length of a long absence; 0: it never validates.
  explicit ValidationPolicy(Duration after = Duration{0}) : after_(after), wait_(after) {}

  // A response has come, from this server (empty: it does not say).
  void heard(std::string_view server, Instant now);
  // The cache is from an earlier run, in which it was heard so long ago.
  void absent(Duration since) { due_ = after_ > Duration{0} && since >= after_; }

  // Shall a call that has to ask validate first?
  bool due(Instant now, std::string_view token) const;

  // What came of it.
  enum class Outcome : unsigned char {
    kUseful,   // some item was vouched for
    kUseless,  // none was; the next absence has to be twice as long
    kUnknown,  // 404, 405, 501: item by item from now on, until another server answers
    kRefused,  // 400: not with this token
    kFailed,   // no answer
  };
  void done(Outcome outcome, Instant now, std::string_view token);

  const std::string& server() const { return server_; }

 private:
  Duration after_;
  Duration wait_;  // at least after_
  std::string server_;
  std::string refused_token_;
  Instant heard_{};
  bool ever_heard_ = false;
  bool due_ = false;
  bool unknown_ = false;
};

}  // namespace tandem
