#include "common/config/suggest.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace tandem {
namespace {

constexpr std::size_t kWordBytesMax = 64;  // a longer one is no misspelling

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);  // the row of two letters ago
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before.swap(last);
    last.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

std::string nearest(std::string_view word, const std::vector<std::string>& words) {
  if (word.size() > kWordBytesMax) return {};
  std::string best;
  std::size_t best_distance = kWordBytesMax;
  for (const auto& candidate : words) {
    const auto distance = edit_distance(word, candidate);
    const auto near_enough = std::max<std::size_t>(1, candidate.size() / 3);
    if (distance <= near_enough && distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& words) {
  const std::string meant = nearest(word, words);
  return meant.empty() ? "" : "; did you mean \"" + meant + "\"?";
}

}  // namespace tandem
