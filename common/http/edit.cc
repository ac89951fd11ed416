#include "common/http/edit.h"

#include <algorithm>

#include "common/http/scan.h"

namespace tandem::http {
namespace {

// Room for what a forwarded head usually needs; more is allocated when it is needed.
constexpr std::size_t kChangesExpected = 64;
constexpr std::size_t kTextBytesExpected = 2048;

}  // namespace

HeadEdit::HeadEdit() {
  changes_.reserve(kChangesExpected);
  pieces_.reserve(2 * kChangesExpected);
  text_.reserve(kTextBytesExpected);
}

void HeadEdit::begin(const Head& head) {
  head_ = &head;
  changes_.clear();
  text_.clear();
}

void HeadEdit::replace_start_line(Parts parts) {
  const std::size_t text_at = text_.size();
  write(parts);
  text_ += "\r\n";
  change(head_->begin(), head_->fields_begin() - head_->begin(), text_at);
}

void HeadEdit::cut(const Field& field) {
  change(field.name_at, head_->line_end(field) - field.name_at, text_.size());
}

void HeadEdit::cut_all(FieldId id) {
  if (!head_->has(id)) return;
  for (const Field& field : head_->fields()) {
    if (field.id == id) cut(field);
  }
}

void HeadEdit::cut_part(std::string_view part) {
  const auto at = static_cast<std::size_t>(part.data() - head_->buffer().data());
  change(at, part.size(), text_.size());
}

void HeadEdit::replace_value(const Field& field, Parts parts) {
  const std::size_t text_at = text_.size();
  write(parts);
  change(field.value_at, field.value_size, text_at);
}

void HeadEdit::append_value(const Field& field, Parts parts) {
  const std::size_t text_at = text_.size();
  write(parts);
  change(field.value_at + field.value_size, 0, text_at);
}

void HeadEdit::add(std::string_view name, Parts value) {
  const std::size_t text_at = text_.size();
  text_ += name;
  text_ += ": ";
  write(value);
  text_ += "\r\n";
  change(head_->fields_end(), 0, text_at);
}

// The new text is what text_ has grown by since text_at.
void HeadEdit::change(std::size_t at, std::size_t size, std::size_t text_at) {
  const Change next{static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(size),
                    static_cast<std::uint32_t>(text_at),
                    static_cast<std::uint32_t>(text_.size() - text_at)};
  if (!changes_.empty()) {
    Change& last = changes_.back();
    if (last.at + last.size == next.at && last.text_at + last.text_size == next.text_at) {
      last.size += next.size;
      last.text_size += next.text_size;
      return;
    }
  }
  auto place = changes_.end();
  while (place != changes_.begin() && place[-1].at > next.at) --place;
  changes_.insert(place, next);
}

void HeadEdit::write(Parts parts) {
  const std::size_t at = text_.size();
  for (std::string_view part : parts) text_ += part;
  char* const end = text_.data() + text_.size();
  char* p = text_.data() + at;
  while ((p += internal::skip_value(p, end) - p) != end) {
    if (*p == '\r' || *p == '\n' || *p == '\0') *p = ' ';
    ++p;
  }
}

void HeadEdit::keep(std::size_t from, std::size_t to) {
  if (from < to) pieces_.push_back(head_->buffer().substr(from, to - from));
}

std::span<const std::string_view> HeadEdit::pieces() {
  pieces_.clear();
  std::size_t done = head_->begin();
  for (const Change& change : changes_) {
    if (change.at < done) continue;  // of a line that is cut
    keep(done, change.at);
    if (change.text_size > 0) pieces_.emplace_back(text_.data() + change.text_at, change.text_size);
    done = change.at + change.size;
  }
  keep(done, head_->end());
  return pieces_;
}

void HeadEdit::append_to(std::string& out) {
  for (std::string_view piece : pieces()) out += piece;
}

std::string HeadEdit::field_lines() {
  std::string text;
  append_to(text);
  text.erase(0, text.find("\r\n") + 2);
  text.resize(text.size() - 2);
  return text;
}

}  // namespace tandem::http
