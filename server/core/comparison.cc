#include "server/core/comparison.h"

#include <algorithm>

namespace tandem {

Comparison compare(std::string_view content, std::span<const Validator> announced,
                   const ContentStore::Reference* mirrored, bool with_digest) {
  using Answer = Comparison::Answer;
  if (mirrored != nullptr &&
      std::find(announced.begin(), announced.end(), mirrored->validator()) != announced.end()) {
    const ContentStore::Bytes copy = mirrored->bytes();
    if (copy != nullptr && *copy == content) {
      return {Answer::kReuseByMirror, mirrored->validator()};
    }
  }
  const Validator computed = Validator::of(content, with_digest);
  for (const Validator& one : announced) {
    const bool equal =
        one.has_digest == computed.has_digest ? one == computed : matches(one, content);
    if (equal) return {Answer::kReuseByValidator, one};
  }
  return {Answer::kSend, computed};
}

}  // namespace tandem
