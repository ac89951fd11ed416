// What is generated from a schema: the list for --help, a sample conf, the manual's option list.
#pragma once

#include <string>

#include "common/config/schema.h"

namespace tandem {

// One line for each option: its path, type, range and default.
std::string list_options(const TableSpec& top);

// A conf file with every option and its help. Options that have a sample value are set to it; all
// others stand commented, with their default, and so does the heading of a list none of which is
// set.
std::string sample_conf(const TableSpec& top);

// The option list of the manual page, in mdoc.
std::string manual_options(const TableSpec& top);

}  // namespace tandem
