#include "server/io/fresh_note.h"

#include "common/http/etag_list.h"
#include "server/core/lifetime.h"

namespace tandem::server {

FreshNote::FreshNote(Freshness& freshness, Instant now, const http::RequestHead& request,
                     ItemKey key, std::optional<std::uint64_t> version, bool has_versions)
    : freshness_(&freshness),
      key_(key),
      counts_(counts_for_others(request) && (version || !has_versions)),
      changes_(!http::is_safe(request.method())),
      promised_{now, freshness.mark(), Freshness::host_of(request.authority()), {{}, version}} {
  if (changes_) freshness.invalidate(now, key);
}

void FreshNote::on_response(Instant now, const http::ResponseHead& response) {
  const int status = response.status();
  if (changes_ && status < 400) freshness_->invalidate(now, key_);
  const auto lifetime = shared_lifetime(response);
  counts_ = counts_ && lifetime && (status == 200 || status == 304);
  if (!counts_) return;
  promised_.promise.lifetime = *lifetime;
  const std::string_view text = response.value(http::FieldId::kEtag);
  http::EntityTag tag;
  if (!http::parse_entity_tag(text, tag) || tag.weak) return;
  tag_ = Validator::parse(text);
  if (!tag_) tag_ = Validator::of_foreign(text);
}

void FreshNote::on_unknown(Instant now) {
  if (changes_) freshness_->invalidate(now, key_);
}

std::optional<Promised> FreshNote::promised() const {
  if (!counts_) return std::nullopt;
  return promised_;
}

void FreshNote::on_complete() {
  if (!counts_ || !tag_) return;
  freshness_->record(promised_.asked, promised_.host, {key_, *tag_}, promised_.promise,
                     promised_.mark);
}

}  // namespace tandem::server
