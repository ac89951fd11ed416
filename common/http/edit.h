// Edits a parsed head without copying it: what is kept stays where it was received, what is new is
// composed in a text of the edit's own, and pieces() lists both in order for one gathering write.
//
// Neighbouring lines that are kept are one piece, and so are fields that are added in a row: a
// typical forwarded request is four to six pieces. An edit is made once (per worker) and begun anew
// for every head; its storage then stays, so that a warm one allocates nothing.
// The head and its buffer must outlive the pieces; so must the edit, not begun again. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/http/head.h"

namespace tandem::http {

class HeadEdit {
 public:
  using Parts = std::initializer_list<std::string_view>;

  HeadEdit();
  HeadEdit(const HeadEdit&) = delete;
  HeadEdit& operator=(const HeadEdit&) = delete;

  // Starts over with a head of which nothing is changed.
  void begin(const Head& head);

  // The parts of a text are put together without anything between them. CR, LF and NUL in a part
  // would end a line early; they become spaces (RFC 9110, 5.5), so that no text can do that.

  void replace_start_line(Parts parts);
  // Removes the line; other edits of the same field are void.
  void cut(const Field& field);
  void cut_all(FieldId id);
  // Removes a part of a value; `part` points into the head's buffer.
  void cut_part(std::string_view part);
  void replace_value(const Field& field, Parts parts);
  // Adds to the end of a value.
  void append_value(const Field& field, Parts parts);
  // Adds a field after all others, in the order of the calls. The name is a token, taken as it is.
  void add(std::string_view name, Parts value);

  // The edited head, up to and with the empty line. Valid until the next change.
  std::span<const std::string_view> pieces();
  // The same as one text.
  void append_to(std::string& out);
  // Its field lines alone, without the start line and the empty line.
  std::string field_lines();

 private:
  // Bytes [at, at + size) of the buffer give way to bytes of text_.
  struct Change {
    std::uint32_t at;
    std::uint32_t size;
    std::uint32_t text_at;
    std::uint32_t text_size;
  };

  void change(std::size_t at, std::size_t size, std::size_t text_at);
  void write(Parts parts);
  void keep(std::size_t from, std::size_t to);

  const Head* head_ = nullptr;
  std::vector<Change> changes_;  // ordered by `at`; equal ones in the order of the calls
  std::string text_;
  std::vector<std::string_view> pieces_;
};

}  // namespace tandem::http
