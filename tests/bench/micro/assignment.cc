// What the path of a new session costs in lb/core/assignment, by the number of servers.
#include "lb/core/assignment.h"

#include <benchmark/benchmark.h>

#include <string>

namespace tandem {
namespace {

View view_of(std::int64_t servers) {
  View view;
  view.balancers = 4;
  for (std::int64_t i = 0; i < servers; ++i) {
    ServerRecord record;
    record.name = "server" + std::to_string(i);
    record.id = ServerId::of(record.name);
    record.online = true;
    record.status = {1, 50 + static_cast<std::uint32_t>(i) % 7, 100'000, 80'000, 0, false};
    view.servers.push_back(record);
  }
  return view;
}

void choose(benchmark::State& state) {
  Assignment assignment(Random(1), 1);
  assignment.on_view(view_of(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(assignment.choose());
}
BENCHMARK(choose)->Arg(4)->Arg(20)->Arg(200);

// Every server's status has come, and then the first choice after it: the weights anew.
void status_of_all_and_choose(benchmark::State& state) {
  View view = view_of(state.range(0));
  Assignment assignment(Random(1), 1);
  assignment.on_view(view);
  for (auto _ : state) {
    for (ServerRecord& server : view.servers) {
      ++server.status.sequence;
      assignment.on_status(server.id, server.status);
    }
    benchmark::DoNotOptimize(assignment.choose());
  }
}
BENCHMARK(status_of_all_and_choose)->Arg(4)->Arg(20)->Arg(200);

}  // namespace
}  // namespace tandem

BENCHMARK_MAIN();
