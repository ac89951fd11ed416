// What happened, as one number: the same seed gives the same. Optionally as text.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "common/base/hash.h"
#include "common/base/time.h"

namespace tandem::sim {

class Transcript {
 public:
  void print_to(std::FILE* file) { file_ = file; }

  void note(Instant now, std::string_view what, std::uint64_t a = 0, std::uint64_t b = 0,
            std::uint64_t c = 0) {
    hash_ = mix64(hash_ ^ stable_hash(what));
    for (const std::uint64_t part :
         {static_cast<std::uint64_t>(now.time_since_epoch().count()), a, b, c}) {
      hash_ = mix64(hash_ + part + 0x9e3779b97f4a7c15ULL);
    }
    if (file_ != nullptr) {
      const double seconds = static_cast<double>(now.time_since_epoch().count()) * 1e-9;
      std::fprintf(file_, "%.6f %.*s %llx %llx %llx\n", seconds, static_cast<int>(what.size()),
                   what.data(), static_cast<unsigned long long>(a),
                   static_cast<unsigned long long>(b), static_cast<unsigned long long>(c));
    }
  }
  // Only for who reads it: `text` makes the line, and is called only then.
  template <class Text>
  void explain(Instant now, const Text& text) {
    if (file_ == nullptr) return;
    const double seconds = static_cast<double>(now.time_since_epoch().count()) * 1e-9;
    const std::string line = text();
    if (!line.empty()) std::fprintf(file_, "%.6f   %s\n", seconds, line.c_str());
  }
  std::uint64_t hash() const { return hash_; }

 private:
  std::uint64_t hash_ = 0;
  std::FILE* file_ = nullptr;
};

}  // namespace tandem::sim
