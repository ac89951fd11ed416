#include "common/http/head.h"

#include <array>

#include "common/http/chars.h"

namespace tandem::http {
namespace {

constexpr std::array<std::string_view, 10> kMethodNames = {
    "", "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};

}  // namespace

Method method_of(std::string_view name) {
  for (std::size_t i = 1; i < kMethodNames.size(); ++i) {
    if (name == kMethodNames[i]) return static_cast<Method>(i);
  }
  return Method::kOther;
}

std::string_view method_name(Method method) {
  return kMethodNames[static_cast<std::size_t>(method)];
}

const Field* Head::find(std::string_view wanted_name) const {
  const FieldId id = field_id(wanted_name);
  if (id != FieldId::kOther && id != FieldId::kTandemOther) return find(id);
  for (const Field& field : fields()) {
    if (field.id == id && same_word(name(field), wanted_name)) return &field;
  }
  return nullptr;
}

void Head::clear() {
  begin_ = fields_begin_ = end_ = 0;
  field_count_ = 0;
  version_minor_ = 1;
  chunked_ = says_close_ = says_keep_alive_ = says_upgrade_ = names_fields_ = false;
  content_length_ = 0;
  present_ = repeated_ = 0;
}

void RequestHead::clear() {
  Head::clear();
  method_ = Method::kOther;
  form_ = TargetForm::kOrigin;
  expects_continue_ = false;
  method_size_ = 0;
  target_at_ = target_size_ = authority_offset_ = path_offset_ = 0;
}

std::string_view RequestHead::authority() const {
  if (form_ == TargetForm::kAuthority) return target();
  if (form_ == TargetForm::kAbsolute) {
    return target().substr(authority_offset_, path_offset_ - authority_offset_);
  }
  return value(FieldId::kHost);
}

void ResponseHead::clear() {
  Head::clear();
  status_ = 0;
  reason_at_ = reason_size_ = 0;
}

}  // namespace tandem::http
