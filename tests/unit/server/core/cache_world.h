// A cache before an origin of a few words, driven by scripts: what data_cache_rules_test.cc runs.
//
//   origin 200 | Cache-Control: max-age=10     what the origin answers from here on; each such line
//                                              is another body, b1, b2, ...
//   origin down                                it does not answer at all
//   wait 9                                     seconds pass
//   get /a | Accept: x -> hit age=9            a request (any method) and what is to be seen of it:
//       hit        the origin was not asked         asked      it was, for the whole item
//       validated  it was, and answered 304         behind     it was, after the answer
//       200        the status                       b1         the body
//       age=9  no-age  has(TEXT)  lacks(TEXT)       of the answer's head
//       saw(TEXT)  unseen(TEXT)                     of the last head that the origin got
//
// "@+60" in a field is a date that many seconds from the line's time on. The origin adds a Date
// (unless it has "| no-date"), and answers 304 to its own ETag or Last-Modified.
#pragma once

#include <string>
#include <string_view>

#include "server/core/data_cache.h"

namespace tandem {

class CacheWorld {
 public:
  explicit CacheWorld(DataCacheOptions options = {}) : cache_(options) {}

  // What is not as the script says, a line for each; empty: all is.
  std::string run(std::string_view script);

 private:
  struct Answer {
    int status = 0;
    std::string head;
    std::string body;
    int asked = 0;  // how often the origin was
    int behind = 0;
    bool validated = false;
  };
  struct ScriptedOrigin {
    bool down = false;
    bool dates = true;
    std::string status;
    std::string fields;
    std::string body;
  };

  void set_origin(std::string_view text);
  Answer request(std::string_view text);
  void serve(Answer& answer, const http::RequestHead& head, const StoredResponse& stored,
             const CacheOutcome& outcome);
  void pass(Answer& answer, const http::RequestHead& head, const std::string& text,
            bool invalidates);
  void fly(Answer& answer, const http::RequestHead& head, DataCache::Verdict verdict);
  bool ask(const std::string& request, std::string& head, std::string& body);
  std::string complaint(const Answer& answer, std::string_view expected) const;
  std::string date_in(std::int64_t seconds) const;
  std::string with_dates(std::string_view text) const;
  UnixSeconds wall() const;

  DataCache cache_;
  Instant now_ = Instant{} + 1000s;
  ScriptedOrigin origin_;
  int bodies_ = 0;
  std::string seen_;  // the last head that the origin got
};

}  // namespace tandem
