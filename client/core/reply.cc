#include "client/core/cache_rules.h"
#include "client/include/tandem/client.h"

namespace tandem {

const char* name_of(ReplySource source) {
  switch (source) {
    case ReplySource::kFetched:
      return "fetched";
    case ReplySource::kByMirror:
      return "mirror";
    case ReplySource::kByValidator:
      return "validator";
    case ReplySource::kLocal:
      return "local";
  }
  return "fetched";
}

const std::string& Reply::body() const {
  static const std::string nothing;
  return content ? *content : nothing;
}

std::string_view Reply::header(std::string_view name) const { return field_of(headers, name); }

}  // namespace tandem
