#include "server/io/direct_guide.h"

namespace tandem::server {

std::optional<DirectClient> DirectClient::of(const http::RequestHead& head) {
  if (!head.has(http::FieldId::kTandemOther)) return std::nullopt;
  const http::Field* field = head.find(kDirectField);
  if (field == nullptr) return std::nullopt;
  const auto said = DirectRequest::parse(head.value(*field));
  if (!said) return std::nullopt;
  DirectClient client;
  client.by_type = said->by_type;
  for (const std::string& name : said->failed) client.unreachable.push_back(ServerId::of(name));
  return client;
}

void DirectGuide::use(const ViewPtr& view) {
  if (view == view_) return;
  view_ = view;
  servers_.clear();
  listed_.clear();
  if (view_ == nullptr) return;
  for (const ServerRecord& server : view_->servers) servers_.emplace(server.id, &server);
}

std::string DirectGuide::where(const SessionToken& token) const {
  Whereabouts where;
  if (view_ != nullptr) where.view = view_->version;
  const auto primary = servers_.find(token.primary);
  if (primary != servers_.end()) where.primary = primary->second->name;
  const auto alternate = servers_.find(token.alternate);
  if (alternate != servers_.end()) where.alternate = alternate->second->name;
  return std::string(kWhereField) + ": " + where.text() + "\r\n";
}

const std::string& DirectGuide::server_list() {
  if (listed_.empty()) {
    listed_ = server_list_json(view_ == nullptr ? View{} : *view_, types_ ? &*types_ : nullptr);
  }
  return listed_;
}

}  // namespace tandem::server
