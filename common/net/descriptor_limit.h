// How many descriptors the process may open.
#pragma once

namespace tandem {

// A proxied connection needs two: takes as many as the system grants (the hard limit).
void raise_descriptor_limit();

}  // namespace tandem
