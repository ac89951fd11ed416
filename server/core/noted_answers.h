// Answers of whoever acts for other servers' types, noted so that what session mirrors hold can be
// answered again when another acts: when the owner has died, or is back with nothing in its cache.
//
// Kept are the head, the validator of the content, which the ContentStore may have, and what the
// answer rests on: the source's version, read before the question was sent, and who acted since
// which view. As long as the source tells the same version nothing has changed in it, by whomever,
// so the answer is the one that it would give now, whoever acts. A version that changed while the
// answer was on its way never matches again. The epoch only says when this is of use: who acts as
// before has the item in its cache, and is asked.
//
// Only what is beyond doubt is noted: a 200 to a plain GET, whole, of known length, that a shared
// cache may store for everyone (server/core/cache_policy.h), without Vary, and not served stale by
// a cache on its way. What else a request may ask for is left to those who are asked.
//
// Bounded in answers and bytes, the least recently used going first. Pure; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/base/hash.h"
#include "common/cluster/ownership.h"
#include "common/http/framing.h"
#include "common/http/head.h"
#include "common/session/validator.h"
#include "server/core/cache_status.h"
#include "server/core/freshness.h"

namespace tandem {

struct NotedAnswersOptions {
  std::size_t answers_max = 65536;
  std::uint64_t bytes_max = 32 * 1024 * 1024;  // of heads and overhead, not of contents
};

// What an answer rests on.
struct AnswerBasis {
  std::uint64_t version = 0;  // of the source, before the question was sent
  ActingEpoch epoch;          // of the type, then

  bool operator==(const AnswerBasis&) const = default;
};

struct NotedAnswer {
  static constexpr std::uint64_t kOverheadBytes = 320;

  AnswerBasis basis;
  Freshness::Host host = 0;  // for which it was asked
  std::string target;
  std::string fields;  // whole lines of the head that are of use to another client
  Validator validator;

  std::uint64_t cost() const { return kOverheadBytes + target.size() + fields.size(); }
};

class NotedAnswers {
 public:
  struct Counters {
    std::uint64_t noted = 0;
    std::uint64_t used = 0;
    std::uint64_t stale = 0;        // not used, since the source has changed
    std::uint64_t unversioned = 0;  // ... since it does not tell its version now
    std::uint64_t lacking = 0;      // ... since nothing holds the content any more
    std::uint64_t dropped = 0;      // for want of room
  };

  explicit NotedAnswers(NotedAnswersOptions options = {}) : options_(options) {}
  NotedAnswers(const NotedAnswers&) = delete;
  NotedAnswers& operator=(const NotedAnswers&) = delete;

  // May an answer to it be noted, or it be answered by one?
  static bool is_plain(const http::RequestHead& request);

  // --- noting: the question, the head of the answer, and its content when all has come ---

  // Nothing: it is not to be noted, or is already, on the same basis.
  std::optional<NotedAnswer> begin(const http::RequestHead& request, const AnswerBasis& basis);
  // False: the answer is not for others.
  static bool take_head(NotedAnswer& answer, const http::ResponseHead& head,
                        const http::Framing& framing);
  // In place of what was noted of the item. Without a digest it is no proof of a content.
  void put(NotedAnswer answer, const Validator& validator);
  void drop(ItemKey item);

  // --- using ---

  bool has(ItemKey item) const { return answers_.contains(item); }
  // What answers the request, if its content is there and its version the source's; null: nothing.
  // `now` is the epoch of the item's type. `in_stead`: this server is about to process the request
  // in another's stead, since asking failed. Valid until the next call.
  const NotedAnswer* find(const http::RequestHead& request, const ActingEpoch& now, bool in_stead);
  // Of what find() has just said: may it be given? `version` is the source's now.
  bool may_use(const NotedAnswer& answer, std::optional<std::uint64_t> version, bool has_content);

  std::size_t size() const { return answers_.size(); }
  std::uint64_t bytes() const { return bytes_; }  // with overhead; at most the bound
  const Counters& counters() const { return counters_; }

 private:
  struct KeyHash {
    std::size_t operator()(ItemKey key) const noexcept { return mix64(key.value); }
  };
  using Ages = std::list<NotedAnswer>;  // the least recently used in front
  using Answers = std::unordered_map<ItemKey, Ages::iterator, KeyHash>;

  static bool is_of(const NotedAnswer& answer, const http::RequestHead& request);
  void erase(Answers::iterator at);

  NotedAnswersOptions options_;
  Ages ages_;
  Answers answers_;  // one for each item, of the host that was asked for last
  std::uint64_t bytes_ = 0;
  Counters counters_;
};

// The head of an answer that is given again, by the cache of this name. The source has just told
// that it is current, so it is of age 0.
std::string noted_head(const NotedAnswer& answer, std::string_view cache_name);

}  // namespace tandem
