// The buddy ring: the servers that are online, in a ring, each with a neighbour before it and one
// after it, its buddies. A newcomer goes between a random server and the one after it; whoever goes
// leaves a gap that closes at once, so that the ring is always whole.
//
// Neighbours are of different zones wherever an order of the ring exists that makes them so: a
// place between others is looked for first, and where a gap has closed on two of one zone, mend()
// moves one of them. A server without a zone gets on with everybody. Two rings that see the same
// calls and dice are equal.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/ids.h"
#include "common/base/random.h"

namespace tandem {

class Ring {
 public:
  struct Place {
    ServerId server;
    ServerId first;   // before it; nobody: not known
    ServerId second;  // after it
  };
  // Where servers went: the neighbours of a closed gap. Both the same, if one is left.
  struct Closing {
    ServerId before;
    ServerId after;
  };

  std::size_t size() const { return nodes_.size(); }
  bool has(ServerId server) const { return nodes_.count(server) != 0; }

  // Does nothing if it is there.
  void insert(ServerId server, const std::string& zone, Random& dice);
  // In one step, in any order; those that are not there are ignored. One closing for each run of
  // neighbours that goes; none if nobody is left.
  std::vector<Closing> remove(const std::vector<ServerId>& servers);
  // Parts neighbours of one zone, as far as can be; the others stay where they are.
  void mend(Random& dice);
  // Puts an empty ring together as it was, as far as the places fit together; the rest goes
  // anywhere. `zones` of those that are to be in it.
  void restore(const std::vector<Place>& places, const std::map<ServerId, std::string>& zones,
               Random& dice);

  // The buddies. Nobody, if it is alone or not there.
  ServerId first(ServerId server) const;
  ServerId second(ServerId server) const;
  // The next in a direction; itself if it is alone. It is there.
  ServerId step(ServerId server, bool forward) const;
  // Any of them; nobody if the ring is empty.
  ServerId any(Random& dice) const;
  // From any on, in the order of the ring.
  std::vector<ServerId> in_order() const;

  // Whose buddies have changed since this was last asked, those that are gone too.
  std::set<ServerId> take_changed();

 private:
  struct Node {
    ServerId before, after;
    std::string zone;
    std::size_t place = 0;  // in all_
  };
  // Of a zone: its servers, and after which of them another of it comes.
  struct Zone {
    std::size_t servers = 0;
    std::set<ServerId> clashes;
  };

  Node& node(ServerId server) { return nodes_.find(server)->second; }
  const Node& node(ServerId server) const { return nodes_.find(server)->second; }
  void put_after(ServerId before, ServerId server, const std::string& zone);
  Closing take_out(ServerId server);
  void look_after(ServerId before);
  bool clash(ServerId a, ServerId b) const;
  ServerId gap_for(const std::string& zone, bool moving, Random& dice) const;

  std::unordered_map<ServerId, Node> nodes_;
  std::vector<ServerId> all_;          // for the dice
  std::map<std::string, Zone> zones_;  // the named ones
  std::set<ServerId> changed_;
};

}  // namespace tandem
