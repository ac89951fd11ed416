// Writes JSON (RFC 8259) into a string: compact, UTF-8, commas where they belong.
//
//   JsonWriter json;
//   json.begin_object().member("name", "a").key("listen").begin_array().value("x").end_array();
//   json.end_object();
//   json.text();    // {"name":"a","listen":["x"]}
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace tandem {

class JsonWriter {
 public:
  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name);

  // Bytes that are no UTF-8 become U+FFFD.
  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(bool truth) { return put(truth ? "true" : "false"); }
  template <std::integral T>
  JsonWriter& value(T number) {
    return put(std::to_string(number));
  }
  JsonWriter& value(double number);  // three decimals
  JsonWriter& null() { return put("null"); }

  template <class T>
  JsonWriter& member(std::string_view name, const T& of) {
    return key(name).value(of);
  }

  // All of it, once every object and array has ended.
  const std::string& text() const { return text_; }

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  JsonWriter& put(std::string_view raw);
  void quote(std::string_view text);

  std::string text_;
  bool comma_ = false;  // something stands before, at this level
};

}  // namespace tandem
