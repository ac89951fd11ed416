// Finding the first byte that ends a run, 16 bytes at a time where the machine can.
#pragma once

#include <cstddef>

#include "common/http/chars.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace tandem::http::internal {

// The first byte in [p, end) that is not of the class; end if there is none.
inline const char* skip(CharClass wanted, const char* p, const char* end) {
  while (p != end && is(wanted, *p)) ++p;
  return p;
}

#if defined(__SSE2__)
template <class Stops>
inline const char* scan_blocks(const char* p, const char* end, Stops stops) {
  for (; end - p >= 16; p += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(stops(block)));
    if (mask != 0) return p + __builtin_ctz(mask);
  }
  return p;
}
#endif

// skip(kValueChar): stops at control bytes other than HTAB.
inline const char* skip_value(const char* p, const char* end) {
#if defined(__SSE2__)
  p = scan_blocks(p, end, [](__m128i block) {
    const __m128i low = _mm_set1_epi8(0x1f);
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(block, low), block);
    const __m128i tab = _mm_cmpeq_epi8(block, _mm_set1_epi8('\t'));
    const __m128i del = _mm_cmpeq_epi8(block, _mm_set1_epi8(0x7f));
    return _mm_or_si128(_mm_andnot_si128(tab, control), del);
  });
#endif
  return skip(kValueChar, p, end);
}

// skip(kTargetChar): stops at SP, control bytes, '#' and everything that is not ASCII.
inline const char* skip_target(const char* p, const char* end) {
#if defined(__SSE2__)
  p = scan_blocks(p, end, [](__m128i block) {
    const __m128i low = _mm_cmplt_epi8(block, _mm_set1_epi8(0x21));  // signed: 0x80.. too
    const __m128i hash = _mm_cmpeq_epi8(block, _mm_set1_epi8('#'));
    const __m128i del = _mm_cmpeq_epi8(block, _mm_set1_epi8(0x7f));
    return _mm_or_si128(low, _mm_or_si128(hash, del));
  });
#endif
  return skip(kTargetChar, p, end);
}

}  // namespace tandem::http::internal
