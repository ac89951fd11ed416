// Heads for the tests of what works on parsed heads.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "common/http/edit.h"
#include "common/http/head_parser.h"

namespace tandem::http {

// A head together with the text that it refers to. Parsing must succeed.
template <class H>
struct Parsed {
  explicit Parsed(std::string from) : text(std::move(from)) {
    HeadParser parser;
    EXPECT_EQ(parser.parse(text, head), Progress::kDone) << text << parser.error().reason;
  }
  Parsed(const Parsed&) = delete;
  Parsed& operator=(const Parsed&) = delete;

  std::string text;
  H head;
};

using Request = Parsed<RequestHead>;
using Response = Parsed<ResponseHead>;

inline std::string written(HeadEdit& edit) {
  std::string out;
  edit.append_to(out);
  return out;
}

}  // namespace tandem::http
