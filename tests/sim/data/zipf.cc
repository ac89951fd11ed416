#include "tests/sim/data/zipf.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "common/base/error.h"
#include "common/base/random.h"
#include "common/http/head_parser.h"
#include "server/core/content_store.h"
#include "server/core/noted_answers.h"
#include "server/core/type_access.h"

namespace tandem::sim {
namespace {

constexpr std::uint64_t kVersion = 1;  // of the database: nobody writes
constexpr Duration kWindow = 10s;

// Of items of one size.
class Lru {
 public:
  Lru(std::size_t items, std::size_t room) : places_(items), room_(room) {}

  // Was it there? It is now.
  bool use(std::uint32_t item) {
    const bool there = places_[item].has;
    if (there) {
      order_.splice(order_.end(), order_, places_[item].at);
      return true;
    }
    if (order_.size() >= room_) drop(order_.front());
    places_[item] = {order_.insert(order_.end(), item), true};
    return false;
  }
  void drop(std::uint32_t item) {
    if (!places_[item].has) return;
    order_.erase(places_[item].at);
    places_[item].has = false;
  }
  void clear() {
    while (!order_.empty()) drop(order_.front());
  }

 private:
  struct Place {
    std::list<std::uint32_t>::iterator at;
    bool has = false;
  };
  std::list<std::uint32_t> order_;  // the least recently used in front
  std::vector<Place> places_;
  std::size_t room_;
};

struct Item {
  std::string path;
  std::string head;  // of the request
  TypeId type;
  Validator validator;
  ContentStore::Bytes content;
};

// Queries of one group.
struct Tally {
  std::uint64_t steady = 0, after_death = 0, after_return = 0;
};

// A server with all that decides.
struct Member {
  Member(const ZipfOptions& options, const Types& types, ServerId with_id, std::size_t room)
      : id(with_id),
        access(with_id, Ownership(types, "default")),
        contents(options.mirror_bytes),
        cache(options.items, room) {}
  ServerId id;
  TypeAccess access;
  NotedAnswers noted;
  ContentStore contents;
  Lru cache;
};

class ZipfWorld {
 public:
  explicit ZipfWorld(const ZipfOptions& options)
      : options_(options), dice_(options.seed), types_({}, 256) {
    make_items();
    room_ = room_for_hit_rate();
    for (std::uint32_t i = 0; i < options_.servers; ++i) {
      alive_.push_back(true);
      members_.push_back(nullptr);
      plain_.push_back(std::make_unique<Lru>(options_.items, room_));
      modulo_.push_back(std::make_unique<Lru>(options_.items, room_));
    }
    for (std::uint32_t i = 0; i < options_.servers; ++i) start(i);
    for (std::uint32_t i = 0; i < options_.sessions; ++i) {
      const auto primary = static_cast<std::uint32_t>(dice_.below(options_.servers));
      sessions_.push_back({primary, another(primary)});
    }
    publish();
  }

  ZipfReport run() {
    const auto victim = static_cast<std::uint32_t>(dice_.below(options_.servers));
    requests(options_.warm, nullptr);
    requests(options_.steady, &Tally::steady);
    for (const auto& member : members_) {
      report_.noted += member->noted.size();
      report_.held += member->contents.size();
    }
    die(victim);
    requests(kWindow - options_.unnoticed, &Tally::after_death);
    requests(options_.away - kWindow, nullptr);
    start(victim);
    alive_[victim] = true;
    publish();
    requests(kWindow, &Tally::after_return);
    for (const auto& member : members_) report_.used += member->noted.counters().used;
    const double steady_windows = static_cast<double>(options_.steady / kWindow);
    report_.mirrors = group(mirrors_, steady_windows);
    report_.types = group(plainly_, steady_windows);
    report_.rehashing = group(rehashing_, steady_windows);
    report_.cache_items = room_;
    report_.digest = dice_.next() ^ mirrors_.after_death ^ mirrors_.after_return << 32;
    return report_;
  }

 private:
  struct Session {
    std::uint32_t primary;
    std::uint32_t alternate;
  };

  void make_items() {
    double sum = 0;
    for (std::uint32_t i = 0; i < options_.items; ++i) {
      Item item;
      item.path = "/items/" + std::to_string(i);
      item.head = "GET " + item.path + " HTTP/1.1\r\nHost: h\r\n\r\n";
      item.type = types_.type_of(item.path);
      auto content = std::make_shared<std::string>(item.path);
      content->resize(options_.content_bytes, '.');
      item.validator = Validator::of(*content);
      item.content = std::move(content);
      items_.push_back(std::move(item));
      sum += std::pow(i + 1, -options_.skew);
      up_to_.push_back(sum);
    }
    answer_ = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " +
              std::to_string(options_.content_bytes) + "\r\n\r\n";
    http::HeadParser parser;
    TANDEM_CHECK(parser.parse(answer_, answer_head_) == http::Progress::kDone);
  }
  double share(std::uint32_t item) const {
    return (up_to_[item] - (item == 0 ? 0 : up_to_[item - 1])) / up_to_.back();
  }
  // An LRU cache holds what was asked for within some number of requests (Che et al. 2002): as many
  // as give the hit rate.
  std::size_t room_for_hit_rate() const {
    double least = 1, most = 1e12;
    double held = 0;
    for (int step = 0; step < 100; ++step) {
      const double within = std::sqrt(least * most);
      double hits = 0;
      held = 0;
      for (std::uint32_t i = 0; i < options_.items; ++i) {
        const double there = -std::expm1(-share(i) * within);
        hits += share(i) * there;
        held += there;
      }
      (hits < options_.hit_rate ? least : most) = within;
    }
    return static_cast<std::size_t>(held / options_.servers);
  }
  std::uint32_t draw() {
    const double at = dice_.unit() * up_to_.back();
    const auto it = std::upper_bound(up_to_.begin(), up_to_.end(), at);
    return static_cast<std::uint32_t>(
        std::min<std::ptrdiff_t>(it - up_to_.begin(), options_.items - 1));
  }

  // --- servers
  // ------------------------------------------------------------------------------------

  static ServerId id_of(std::uint32_t at) { return ServerId::of("s" + std::to_string(at)); }
  std::uint32_t index_of(ServerId id) const {
    for (std::uint32_t i = 0; i < options_.servers; ++i) {
      if (members_[i]->id == id) return i;
    }
    TANDEM_CHECK(false);
    return 0;
  }
  // With nothing, and the others know it by its links.
  void start(std::uint32_t at) {
    members_[at] = std::make_unique<Member>(options_, types_, id_of(at), room_);
    for (std::uint32_t i = 0; i < options_.servers; ++i) {
      if (i == at || members_[i] == nullptr) continue;
      members_[i]->access.on_linked(id_of(at), types_.fingerprint());
      members_[at]->access.on_linked(id_of(i), types_.fingerprint());
    }
  }
  void publish() {
    View view;
    view.version = ++view_version_;
    for (std::uint32_t i = 0; i < options_.servers; ++i) {
      ServerRecord record;
      record.id = id_of(i);
      record.name = "s" + std::to_string(i);
      record.group = "default";
      record.incarnation = 1;
      record.online = alive_[i];
      record.status.capacity = 100;
      view.servers.push_back(std::move(record));
    }
    for (std::uint32_t i = 0; i < options_.servers; ++i) {
      if (!alive_[i]) continue;
      Member& member = *members_[i];
      member.access.on_view(view);
      for (const TypeId type : member.access.take_forgotten()) {
        for (std::uint32_t item = 0; item < options_.items; ++item) {
          if (items_[item].type != type) continue;
          member.cache.drop(item);
          plain_[i]->drop(item);
        }
      }
    }
    ownership().apply(view);
  }
  // For the group without mirrors, which has the same types.
  Ownership& ownership() {
    if (!ownership_) ownership_ = std::make_unique<Ownership>(types_, "default");
    return *ownership_;
  }
  std::uint32_t another(std::uint32_t than) {
    for (;;) {
      const auto at = static_cast<std::uint32_t>(dice_.below(options_.servers));
      if (at != than && alive_[at]) return at;
    }
  }
  // Its sessions are served by their alternates at once. What is asked for of its types waits until
  // the view names somebody else.
  void die(std::uint32_t at) {
    alive_[at] = false;
    for (std::uint32_t i = 0; i < options_.servers; ++i) {
      if (i != at) members_[i]->access.on_unlinked(id_of(at));
    }
    plain_[at]->clear();
    modulo_[at]->clear();
    for (Session& session : sessions_) {
      if (session.primary == at) {
        session.primary = session.alternate;
        session.alternate = another(session.primary);
      } else if (session.alternate == at) {
        session.alternate = another(session.primary);
      }
    }
    counted_ = &Tally::after_death;
    waits_ = true;
    const auto meanwhile = requests_in(options_.unnoticed);
    for (std::uint64_t i = 0; i < meanwhile; ++i) request();
    waits_ = false;
    publish();
    for (const auto& [session, item] : std::exchange(waiting_, {})) process(session, item);
  }

  // --- requests
  // -----------------------------------------------------------------------------------

  std::uint64_t requests_in(Duration time) const {
    return static_cast<std::uint64_t>(time / 1ms) * options_.per_second / 1000;
  }
  void requests(Duration time, std::uint64_t Tally::*counted) {
    counted_ = counted;
    const std::uint64_t many = requests_in(time);
    for (std::uint64_t i = 0; i < many; ++i) {
      now_ += Duration(1s) / options_.per_second;
      request();
    }
    counted_ = nullptr;
  }
  void request() {
    const auto session = static_cast<std::uint32_t>(dice_.below(sessions_.size()));
    process(session, draw());
  }
  void process(std::uint32_t session, std::uint32_t item) {
    if (waits_ && !alive_[index_of(ownership().acting(items_[item].type))]) {
      waiting_.emplace_back(session, item);
      return;
    }
    serve(sessions_[session], item);
    serve_plainly(item);
    serve_rehashed(item);
  }
  void query(Tally& of) {
    if (counted_ != nullptr) ++(of.*counted_);
  }

  // As server/io/type_source.cc does.
  void serve(const Session& session, std::uint32_t at) {
    const Item& item = items_[at];
    Member& front = *members_[session.primary];
    http::HeadParser parser;
    TANDEM_CHECK(parser.parse(item.head, head_) == http::Progress::kDone);
    if (!by_noted(front, item)) {
      const Ownership& who = front.access.ownership();
      const AnswerBasis basis{kVersion, who.epoch(item.type)};
      const bool own = who.owner(item.type) == front.id && who.acting(item.type) == front.id;
      auto answer = own ? std::nullopt : front.noted.begin(head_, basis);
      ask(front, item, at);
      if (answer && NotedAnswers::take_head(*answer, answer_head_,
                                            {http::BodyKind::kLength, options_.content_bytes})) {
        front.noted.put(std::move(*answer), item.validator);
      }
    }
    front.contents.put(item.validator, item.content);
    members_[session.alternate]->contents.put(item.validator, item.content);
  }
  bool by_noted(Member& member, const Item& item) const {
    if (!options_.noted || !member.noted.has(ItemKey::of(item.path))) return false;
    const ActingEpoch epoch = member.access.ownership().epoch(item.type);
    const NotedAnswer* answer = member.noted.find(head_, epoch, false);
    return answer != nullptr &&
           member.noted.may_use(*answer, kVersion,
                                member.contents.find(answer->validator) != nullptr);
  }
  void ask(Member& front, const Item& item, std::uint32_t at) {
    TypeAccess::Request request;
    TypeAccess::Step step = front.access.begin(now_, item.path, {}, request);
    if (step.as == TypeAccess::As::kOwn || step.as == TypeAccess::As::kStandIn) {
      if (!front.cache.use(at)) query(mirrors_);
      return;
    }
    TANDEM_CHECK(step.as == TypeAccess::As::kAsk);
    Member& acting = *members_[index_of(step.server)];
    front.access.on_taken(request);
    if (!by_noted(acting, item)) {
      TypeAccess::Request there;
      step = acting.access.begin(now_, item.path, {.hops = 1}, there);
      TANDEM_CHECK(step.as == TypeAccess::As::kOwn || step.as == TypeAccess::As::kStandIn);
      if (!acting.cache.use(at)) query(mirrors_);
    }
    front.access.end(request);
  }
  void serve_plainly(std::uint32_t item) {
    const std::uint32_t acting = index_of(ownership().acting(items_[item].type));
    if (!plain_[acting]->use(item)) query(plainly_);
  }
  void serve_rehashed(std::uint32_t item) {
    std::array<std::uint32_t, 64> alive{};
    std::size_t many = 0;
    for (std::uint32_t i = 0; i < options_.servers; ++i) {
      if (alive_[i]) alive[many++] = i;
    }
    const std::uint32_t by = alive[items_[item].validator.crc % many];
    if (!modulo_[by]->use(item)) query(rehashing_);
  }

  ZipfReport::Group group(const Tally& tally, double windows) const {
    ZipfReport::Group made;
    const double steady = static_cast<double>(tally.steady);
    made.hit_rate = 1 - steady / static_cast<double>(requests_in(options_.steady));
    made.steady = steady / windows;
    made.after_death = static_cast<double>(tally.after_death) / made.steady;
    made.after_return = static_cast<double>(tally.after_return) / made.steady;
    return made;
  }

  ZipfOptions options_;
  Random dice_;
  Types types_;
  std::vector<Item> items_;
  std::vector<double> up_to_;  // of Zipf's law, summed
  std::string answer_;
  http::ResponseHead answer_head_;
  http::RequestHead head_;
  std::size_t room_ = 0;
  std::vector<bool> alive_;
  std::vector<std::unique_ptr<Member>> members_;
  std::vector<std::unique_ptr<Lru>> plain_, modulo_;
  std::unique_ptr<Ownership> ownership_;
  std::vector<Session> sessions_;
  std::uint64_t view_version_ = 0;
  Instant now_{};
  bool waits_ = false;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> waiting_;
  std::uint64_t Tally::*counted_ = nullptr;
  Tally mirrors_, plainly_, rehashing_;
  ZipfReport report_;
};

}  // namespace

ZipfReport run_zipf(const ZipfOptions& options) { return ZipfWorld(options).run(); }

}  // namespace tandem::sim
