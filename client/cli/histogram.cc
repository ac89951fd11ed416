#include "client/cli/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace tandem {
namespace {

constexpr unsigned kSubBits = 6;  // buckets in each power of two: 2^6
constexpr std::uint64_t kSub = 1u << kSubBits;

// Values below 2 * kSub have a bucket each; those of each further power of two share kSub.
std::size_t bucket_of(std::uint64_t value) {
  if (value < 2 * kSub) return value;
  const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - kSubBits - 1;
  return shift * kSub + (value >> shift);
}

// The greatest value in the bucket.
std::uint64_t end_of(std::size_t bucket) {
  if (bucket < 2 * kSub) return bucket;
  const std::uint64_t shift = bucket / kSub - 1;
  return ((bucket % kSub + kSub + 1) << shift) - 1;
}

}  // namespace

LatencyHistogram::LatencyHistogram()
    : buckets_(bucket_of(static_cast<std::uint64_t>(kLongest / 1us)) + 1) {}

void LatencyHistogram::add(Duration latency) {
  latency = std::clamp(latency, Duration{0}, Duration{kLongest});
  ++buckets_[bucket_of(static_cast<std::uint64_t>(latency / 1us))];
  ++count_;
  total_ += latency;
  least_ = std::min(least_, latency);
  most_ = std::max(most_, latency);
}

Duration LatencyHistogram::mean() const {
  return count_ == 0 ? Duration{0} : total_ / static_cast<std::int64_t>(count_);
}

Duration LatencyHistogram::percentile(double percent) const {
  const double share = std::clamp(percent, 0.0, 100.0) / 100 * static_cast<double>(count_);
  const auto wanted = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(share)));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen >= wanted) {
      return std::min<Duration>(std::chrono::microseconds(end_of(bucket) + 1), most_);
    }
  }
  return Duration{0};
}

}  // namespace tandem
