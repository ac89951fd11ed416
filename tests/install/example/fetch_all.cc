// All items at a time, directly from the servers where their conf allows it:
// fetch_all BALANCER TARGET...
#include <tandem/async_client.h>

#include <future>
#include <iostream>
#include <utility>
#include <vector>

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  tandem::AsyncClient client({.balancer = argv[1], .direct = true, .attempts_max = 1});
  std::vector<std::pair<const char*, std::future<tandem::Reply>>> calls;
  for (int i = 2; i < argc; ++i) calls.emplace_back(argv[i], client.get(argv[i]));
  for (auto& [target, call] : calls) {
    const tandem::Reply reply = call.get();
    if (reply) {
      std::cout << target << ": " << reply.status << ", " << reply.body().size() << " bytes, "
                << (reply.direct ? "directly from " : "through the balancer from ") << reply.server
                << '\n';
    } else {
      std::cout << target << ": " << reply.message << '\n';
    }
  }
  const tandem::ClientStats stats = client.stats();
  std::cout << stats.calls << " calls, " << stats.attempts << " attempts\n";
  return 0;
}
