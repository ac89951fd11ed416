#include "server/io/fresh_note.h"

#include "common/http/etag_list.h"
#include "server/core/lifetime.h"

namespace tandem::server {

FreshNote::FreshNote(Freshness& freshness, Instant now, const http::RequestHead& request,
                     ItemKey key, std::optional<std::uint64_t> version)
    : freshness_(&freshness),
      asked_(now),
      host_(Freshness::host_of(request.authority())),
      key_(key),
      mark_(freshness.mark()),
      counts_(counts_for_others(request)),
      changes_(!http::is_safe(request.method())) {
  promise_.version = version;
  if (changes_) freshness.invalidate(key);
}

void FreshNote::on_response(const http::ResponseHead& response) {
  const int status = response.status();
  if (changes_ && status < 400) freshness_->invalidate(key_);
  const auto lifetime = shared_lifetime(response);
  counts_ = counts_ && lifetime && (status == 200 || status == 304);
  if (!counts_) return;
  promise_.lifetime = *lifetime;
  const std::string_view text = response.value(http::FieldId::kEtag);
  http::EntityTag tag;
  if (!http::parse_entity_tag(text, tag) || tag.weak) return;
  tag_ = Validator::parse(text);
  if (!tag_) tag_ = Validator::of_foreign(text);
}

void FreshNote::on_complete(const Validator& validator) {
  if (counts_) freshness_->record(asked_, host_, {key_, validator}, promise_, mark_);
}

void FreshNote::on_complete() {
  if (tag_) on_complete(*tag_);
}

}  // namespace tandem::server
