// What a request that changes an item demands of the item first: If-Match and If-None-Match (RFC
// 9110, 13.1.1 and 13.1.2). Entity tags are ours (common/session/validator.h), and stand for the
// content alone. An item has no modification date, so If-Unmodified-Since is ignored (13.1.4).
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "common/http/head.h"
#include "common/session/validator.h"

namespace tandem {

struct WriteConditions {
  struct Tags {
    bool any = false;  // `*`
    std::vector<Validator> validators;

    bool operator==(const Tags&) const = default;
    bool match(std::string_view content) const;
  };
  std::optional<Tags> if_match;       // strong tags only: weak ones never match (8.8.3.2)
  std::optional<Tags> if_none_match;  // weak ones, too

  static WriteConditions of(const http::RequestHead& head);

  // Of the current content; nothing: there is no such item. False: 412, and nothing is changed.
  bool hold(const std::optional<std::string_view>& content) const;
  bool operator==(const WriteConditions&) const = default;
};

}  // namespace tandem
