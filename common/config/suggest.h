// "Did you mean ...?": the nearest of some words.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tandem {

// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
std::size_t edit_distance(std::string_view a, std::string_view b);

// The nearest word, if it is near enough to be what was meant (a third of its letters at most);
// else an empty string. Of equally near ones the first.
std::string nearest(std::string_view word, const std::vector<std::string>& words);

// `; did you mean "WORD"?`, or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& words);

}  // namespace tandem
