// "Use yours": is the retrieved content what the client says that it holds?
#pragma once

#include <span>
#include <string_view>

#include "common/session/validator.h"
#include "server/core/content_store.h"

namespace tandem {

struct Comparison {
  enum class Answer : std::uint8_t {
    kSend,              // 200 with the body
    kReuseByMirror,     // 304, Tandem-Reuse: mirror
    kReuseByValidator,  // 304, Tandem-Reuse: validator
  };
  Answer answer = Answer::kSend;
  Validator validator;  // of the content: the response's ETag where it is ours
};

// `announced` are the validators of If-None-Match; without any the answer is kSend, always: the
// mirror is never evidence of what a client holds. `mirrored` (or null) is what the mirror has of
// the item: if an announced validator names it and its bytes are still here, the contents are
// compared with each other and nothing is computed; else with the validators themselves.
Comparison compare(std::string_view content, std::span<const Validator> announced,
                   const ContentStore::Reference* mirrored, bool with_digest);

}  // namespace tandem
