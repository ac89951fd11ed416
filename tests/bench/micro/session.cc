// What a token and a validator cost: opening, recognising, sealing, comparing.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "common/crypto/digest.h"
#include "common/crypto/sealer.h"
#include "common/session/token_cache.h"
#include "common/session/validator.h"

namespace tandem {
namespace {

constexpr UnixSeconds kNow = 1'700'000'000;

ClusterKeys keys() {
  ClusterKey key;
  key.secret.fill(7);
  return ClusterKeys({key});
}

SessionToken token_of(std::uint64_t number) {
  SessionToken token;
  token.session = {number, 1};
  token.primary = ServerId{1};
  return token;
}

void seal_token(benchmark::State& state) {
  TokenCodec codec{keys()};
  std::uint64_t number = 0;
  for (auto _ : state) benchmark::DoNotOptimize(codec.seal(token_of(++number), kNow));
}
BENCHMARK(seal_token);

void open_token(benchmark::State& state) {
  TokenCodec codec{keys()};
  const SealedToken sealed = codec.seal(token_of(1), kNow);
  for (auto _ : state) benchmark::DoNotOptimize(codec.open(sealed.view(), kNow, 1800));
}
BENCHMARK(open_token);

// As many sessions as the range says, in turn.
void recognise_token(benchmark::State& state) {
  TokenCodec codec{keys()};
  TokenCache cache(codec, {});
  std::vector<SealedToken> tokens;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    tokens.push_back(codec.seal(token_of(static_cast<std::uint64_t>(i)), kNow));
    benchmark::DoNotOptimize(cache.open(tokens.back().view(), kNow));
  }
  std::size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(cache.open(tokens[next].view(), kNow));
    next = next + 1 == tokens.size() ? 0 : next + 1;
  }
}
BENCHMARK(recognise_token)->Arg(1)->Arg(1000)->Arg(8000);

// What the keyed template saves.
void open_keyed_afresh(benchmark::State& state) {
  Sealer::Key key{};
  std::vector<std::uint8_t> plain(kTokenPlainBytes), sealed(kTokenPlainBytes + Sealer::kTagBytes);
  Sealer(key).seal(plain, sealed);
  for (auto _ : state) {
    Sealer sealer(key);
    benchmark::DoNotOptimize(sealer.open(sealed, plain));
  }
}
BENCHMARK(open_keyed_afresh);

void crc_of(benchmark::State& state) {
  const std::string content(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(crc32_of(content));
}
BENCHMARK(crc_of)->Arg(1024)->Arg(65536);

void validator_of(benchmark::State& state) {
  const std::string content(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(Validator::of(content));
}
BENCHMARK(validator_of)->Arg(1024)->Arg(65536);

void write_and_parse_etag(benchmark::State& state) {
  const Validator validator = Validator::of("content");
  for (auto _ : state) benchmark::DoNotOptimize(Validator::parse(validator.etag()));
}
BENCHMARK(write_and_parse_etag);

}  // namespace
}  // namespace tandem

BENCHMARK_MAIN();
