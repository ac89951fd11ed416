// Conditional and partial requests (RFC 9110, 13 and 14) on a server whose entity tags may be its
// own: what of the request the source may see, and what becomes of the response's ETag.
//
// Where entity tags are ours, the source does not know them: conditions on them are decided here,
// by comparing contents, and the source is asked without them. What names the source's own tags
// goes to the source.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/http/framing.h"
#include "common/http/head.h"
#include "common/session/validator.h"

namespace tandem {

enum class EtagRule : std::uint8_t {
  kOrigin,   // the source's strong entity tag stays; ours is set where there is none
  kContent,  // ours replaces it on GET: the same on every server, even if the sources disagree
};

struct RequestConditions {
  static constexpr std::size_t kAnnouncedMax = 16;  // of If-None-Match; the rest is not looked at

  bool precondition_failed = false;  // 412, without asking the source
  bool hide_if_none_match = false;   // from the source ...
  bool hide_if_modified_since = false;
  bool hide_range = false;  // Range and If-Range: a whole response is due
  std::array<Validator, kAnnouncedMax> announced_tags{};
  std::size_t announced_count = 0;

  // The client's copies that a retrieved content is compared with; empty: never 304 from here.
  std::span<const Validator> announced() const { return {announced_tags.data(), announced_count}; }
};

// `source_knows_ours`: the source itself compares our tags before it writes.
RequestConditions request_conditions(EtagRule rule, const http::RequestHead& head,
                                     bool source_knows_ours = false);

struct ResponsePlan {
  bool collect = false;   // gather the whole body, compare it, set our ETag; else stream it
  bool cut_etag = false;  // the source's must not reach the client
  bool storable = true;   // false: no-store, kept nowhere

  bool operator==(const ResponsePlan&) const = default;
};

// For a response of the source. A body of unknown length is to be collected until it turns out
// longer than `validate_body_max`; it is then streamed, without our ETag but cut as planned.
ResponsePlan plan_response(EtagRule rule, http::Method asked, const http::ResponseHead& head,
                           const http::Framing& framing, std::uint64_t validate_body_max);

}  // namespace tandem
