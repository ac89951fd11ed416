// Items of other types: what a server tells the one that acts for the type, and the answer (peer
// wire). A part of common/wire/messages.h, which includes it.
//
// A request and its answer go in parts, and more than a bound is never under way without having
// been asked for. Of one request or answer: kWindowBytes of body, and what ItemCredit adds as the
// reader has used up bytes. Of all that goes one way on a link: kLinkWindowBytes of body, and what
// ItemCredit of number 0 adds as bytes have been received.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/session/validator.h"

namespace tandem {

inline constexpr std::size_t kItemHeadBytesMax = 256 << 10;
inline constexpr std::size_t kItemBodyBytesMax = 64 << 10;  // of one message
inline constexpr std::uint32_t kItemWindowBytes = 128 << 10;
inline constexpr std::uint32_t kItemLinkWindowBytes = 8 << 20;

// Process this request for me: its type is yours. Answered at once by ItemCredit or ItemEnd, so
// that the asker knows that it is under way, however long the source takes.
struct ItemRequest {
  static constexpr std::size_t kHeldMax = 4;
  std::uint64_t number = 0;  // the asker's, used once on a link; never 0
  std::uint32_t hops = 1;    // how many servers have been asked, with this one
  std::string head = {};     // of the HTTP request
  bool streams = false;      // its body follows
  bool chunked = false;      // ... as the head says
  // Contents that the asker has: if the answer is one of these, its body needs not be sent.
  std::vector<Validator> held = {};
  // Of a write, for the one that acts: since which view, as the asker knows it. 0: it
  // is none, or the asker is an older one.
  std::uint64_t since = 0;

  bool operator==(const ItemRequest&) const = default;
};

// The head of the answer; interim ones (1xx) may come before it.
struct ItemResponse {
  std::uint64_t number = 0;
  std::string head = {};  // of the HTTP response
  // The body is the content that the asker holds by this validator, and is not sent.
  bool held = false;
  Validator validator = {};  // meaningless if not held

  bool operator==(const ItemResponse&) const = default;
};

// A part of a body, without chunks.
struct ItemBody {
  std::uint64_t number = 0;
  bool by_asker = false;  // of the request; else of the answer
  std::string bytes = {};
  bool last = false;

  bool operator==(const ItemBody&) const = default;
};

// So many bytes more may come.
struct ItemCredit {
  std::uint64_t number = 0;  // 0: of the link
  bool by_asker = false;     // whoever says this is the asker
  std::uint32_t bytes = 0;

  bool operator==(const ItemCredit&) const = default;
};

// Nothing more comes, before its end.
struct ItemEnd {
  enum class Why : std::uint8_t {
    kCancelled,  // by the asker
    kRefused,    // not begun: ask somebody else
    kFailed,     // the source did not answer: `failure` is its HttpFailure::Kind
  };
  static constexpr std::uint32_t kFailuresMax = 64;
  std::uint64_t number = 0;
  bool by_asker = false;
  Why why = Why::kCancelled;
  std::uint32_t failure = 0;  // less than kFailuresMax
  bool sent = false;          // the source may have executed it
  std::string text = {};
  std::uint64_t since = 0;  // kRefused: ItemRequest::since was less than this

  bool operator==(const ItemEnd&) const = default;
};

}  // namespace tandem
