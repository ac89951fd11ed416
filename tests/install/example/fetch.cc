// The smallest program with libtandem, one item after another: fetch BALANCER TARGET...
#include <tandem/client.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  tandem::Client client({.balancer = argv[1], .attempts_max = 1});
  for (int i = 2; i < argc; ++i) {
    const tandem::Reply reply = client.get(argv[i]);
    if (reply) {
      std::cout << argv[i] << ": " << reply.status << ", " << reply.body().size() << " bytes, "
                << name_of(reply.source) << '\n';
    } else {
      std::cout << argv[i] << ": " << reply.message << '\n';
    }
  }
  return 0;
}
