// The parsed head of a request or a response (RFC 9112): start line and field lines, as positions
// in the connection's buffer. Nothing is copied and nothing is allocated.
//
// Lifetime: a head refers to the buffer that it was parsed from. If those bytes move (not change),
// rebase() tells the head where its buffer begins now. Plain values, 2 KiB, one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "common/http/field.h"
#include "common/http/method.h"

namespace tandem::http {

inline constexpr std::size_t kFieldsMax = 128;  // the capacity; HeadLimits may ask for less

// One field line. Its bytes run from name_at to the next field's name_at (the last one's to
// Head::fields_end()), the line end included.
struct Field {
  std::uint32_t name_at;
  std::uint32_t value_at;    // without the whitespace around it
  std::uint32_t value_size;  // 0 for an empty value
  std::uint16_t name_size;
  FieldId id;
};

class Head {
 public:
  // Field lines in the order received.
  std::span<const Field> fields() const { return {fields_.data(), field_count_}; }
  std::string_view name(const Field& f) const { return {base_ + f.name_at, f.name_size}; }
  std::string_view value(const Field& f) const { return {base_ + f.value_at, f.value_size}; }

  // The first field with a known id (kOther is never found).
  bool has(FieldId id) const { return (present_ >> static_cast<unsigned>(id) & 1) != 0; }
  const Field* find(FieldId id) const {
    return has(id) ? &fields_[first_[static_cast<std::size_t>(id)]] : nullptr;
  }
  std::string_view value(FieldId id) const {
    const Field* f = find(id);
    return f == nullptr ? std::string_view{} : value(*f);
  }
  // The first field of any name, known or not, without regard to case.
  const Field* find(std::string_view wanted_name) const;
  bool repeated(FieldId id) const { return (repeated_ >> static_cast<unsigned>(id) & 1) != 0; }

  // Where things are in the buffer, as offsets: an ignored empty line may precede the start line.
  std::size_t begin() const { return begin_; }
  std::size_t fields_begin() const { return fields_begin_; }
  std::size_t fields_end() const { return end_ - 2; }  // of the empty line that ends the head
  std::size_t end() const { return end_; }             // where the body begins
  std::size_t line_end(const Field& f) const {
    return &f == &fields_[field_count_ - 1] ? fields_end() : (&f)[1].name_at;
  }
  std::string_view buffer() const { return {base_, end_}; }
  void rebase(const char* base) { base_ = base; }

  // HTTP/1.0 or HTTP/1.1.
  int version_minor() const { return version_minor_; }

  // Framing, checked: at most one of the two.
  bool has_content_length() const { return has(FieldId::kContentLength); }
  std::uint64_t content_length() const { return content_length_; }
  bool chunked() const { return chunked_; }

  // What Connection says. `upgrades`: it names Upgrade, and there is an Upgrade field.
  bool says_close() const { return says_close_; }
  bool says_keep_alive() const { return says_keep_alive_; }
  bool upgrades() const { return says_upgrade_ && version_minor_ >= 1 && has(FieldId::kUpgrade); }
  // Does Connection name anything but close, keep-alive and upgrade: fields to remove, perhaps?
  bool names_fields() const { return names_fields_; }
  // Does the sender want the connection to persist after this message (RFC 9112, 9.3)?
  bool persists() const { return !says_close_ && (version_minor_ >= 1 || says_keep_alive_); }

 protected:
  friend class HeadParser;
  void clear();

  const char* base_ = nullptr;
  std::uint32_t begin_ = 0;
  std::uint32_t fields_begin_ = 0;
  std::uint32_t end_ = 0;
  std::uint16_t field_count_ = 0;
  std::uint8_t version_minor_ = 1;
  bool chunked_ = false;
  bool says_close_ = false;
  bool says_keep_alive_ = false;
  bool says_upgrade_ = false;
  bool names_fields_ = false;
  std::uint64_t content_length_ = 0;
  std::uint64_t present_ = 0;                      // a bit for each FieldId
  std::uint64_t repeated_ = 0;                     // a bit for each FieldId seen twice
  std::array<std::uint8_t, kFieldIdCount> first_;  // valid where present_ says so
  std::array<Field, kFieldsMax> fields_;           // the first field_count_ are valid
};

// RFC 9112, 3.2.
enum class TargetForm : std::uint8_t { kOrigin, kAbsolute, kAuthority, kAsterisk };

class RequestHead : public Head {
 public:
  Method method() const { return method_; }
  std::string_view method_name() const { return {base_ + begin_, method_size_}; }
  std::string_view target() const { return {base_ + target_at_, target_size_}; }
  TargetForm form() const { return form_; }
  // The target's path and query. Of an absolute form this may be empty or begin with '?', and a '/'
  // belongs before it; of the other two it is the whole target.
  std::string_view path() const {
    return target().substr(form_ == TargetForm::kAbsolute ? path_offset_ : 0);
  }
  // Host and port: the target's if it has them, else the Host field's; empty in HTTP/1.0 without.
  std::string_view authority() const;
  bool expects_continue() const { return expects_continue_; }

 private:
  friend class HeadParser;
  void clear();

  Method method_ = Method::kOther;
  TargetForm form_ = TargetForm::kOrigin;
  bool expects_continue_ = false;
  std::uint16_t method_size_ = 0;
  std::uint32_t target_at_ = 0;
  std::uint32_t target_size_ = 0;
  std::uint32_t authority_offset_ = 0;  // in the target, absolute form only
  std::uint32_t path_offset_ = 0;       // in the target, absolute form only
};

class ResponseHead : public Head {
 public:
  int status() const { return status_; }  // 100 to 999
  std::string_view status_text() const { return {base_ + begin_ + 9, 3}; }
  std::string_view reason() const { return {base_ + reason_at_, reason_size_}; }
  bool interim() const { return status_ < 200 && status_ != 101; }

 private:
  friend class HeadParser;
  void clear();

  std::uint16_t status_ = 0;
  std::uint32_t reason_at_ = 0;
  std::uint32_t reason_size_ = 0;
};

}  // namespace tandem::http
