// Result<T>: a T or an Error. The one place that names tl::expected.
#pragma once

#include <tl/expected.hpp>
#include <utility>

#include "common/base/error.h"

namespace tandem {

template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

// `return fail(Error::peer("..."));` from a function that returns any Result.
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

}  // namespace tandem
