// Explanations as administrators read them: JSON for programs, a table and sentences for people.
#pragma once

#include <string>

#include "common/cluster/n_plus_one.h"
#include "lb/core/explanation.h"

namespace tandem {

std::string explanation_json(const ExplanationInput& input, const Explanation& found);
std::string explanation_table(const ExplanationInput& input, const Explanation& found);

std::string if_dies_json(const View& view, const IfDies& loss);
std::string if_dies_table(const View& view, const IfDies& loss);

}  // namespace tandem
