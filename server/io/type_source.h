// The source that knows whose an item's type is: its own are processed by the sources behind it,
// for others it asks the server that acts for the type, over the peer wire. It answers other
// servers for its own. What it decides is server/core/type_access; one thread, the loop's.
//
// Answers of others are noted (server/core/noted_answers.h): when another acts for their type, or
// asking fails, what the mirrors hold is given again as long as the source has not changed. What is
// processed here in another's stead is noted too, since that one will be back with nothing.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/deadlines.h"
#include "common/http/edit.h"
#include "common/net/event_loop.h"
#include "server/core/content_store.h"
#include "server/core/noted_answers.h"
#include "server/core/type_access.h"
#include "server/io/admin.h"
#include "server/io/buddies.h"
#include "server/io/item_flow.h"
#include "server/io/source.h"

namespace tandem::server {

struct TypeSourceOptions {
  std::string name;  // this server's
  std::string group = "default";
  std::vector<TypeRule> rules;
  std::uint32_t virtual_types = Types::kVirtualTypesDefault;
  TypeAccessOptions access;
  // From when the asked one has the request to the head of its answer.
  Duration answer_timeout = 62s;
  std::uint32_t answers_max = 4096;  // under way for one server; over it: refused
  // A body up to here is compared with what the asker holds.
  std::uint64_t compare_bytes_max = 1024 * 1024;
  NotedAnswersOptions noted;
};

class ItemAsk;
class ItemAnswer;

class TypeSource final : public Source, public PeerListener {
 public:
  // All must outlive the source; so must the calls it has started not.
  TypeSource(EventLoop& loop, Source& inner, ContentStore& contents, TypeSourceOptions options);
  ~TypeSource() override;

  // Both outlive their use; null: none (yet).
  void set_peers(PeerCarrier* peers) { flow_.set_carrier(peers); }
  void set_balancers(BalancerCarrier* balancers) { balancers_ = balancers; }
  // Before the peers are told of it.
  void on_view(const ViewPtr& view);

  std::unique_ptr<SourceCall> start(HttpRequest request, HttpCallHandler& handler) override;
  std::optional<std::uint64_t> version() override { return inner_.version(); }
  bool has_versions() const override { return inner_.has_versions(); }
  bool knows_our_tags() const override { return inner_.knows_our_tags(); }
  void invalidate(ItemKey item) override;
  void forget(const Targets& targets) override { inner_.forget(targets); }
  void note_content(ItemKey item, const Validator& validator) override;

  void on_peer_linked(const Hello& peer, const SocketAddress& address) override;
  void on_peer_message(ServerId from, const Message& message) override;
  void on_peer_unlinked(ServerId peer) override;

  const Ownership& ownership() const { return machine_.ownership(); }
  const TypeAccess& machine() const { return machine_; }
  std::vector<AdminSnapshot::Count> counts() const;

 private:
  friend class ItemAsk;
  friend class ItemAnswer;
  friend class NotingCall;
  struct SentContent {
    ItemKey item;
    Validator validator;
  };
  struct Counts {
    std::uint64_t answered = 0;
    std::uint64_t answers_refused = 0;
    std::uint64_t held = 0;        // answers whose body was here already
    std::uint64_t held_bytes = 0;  // of them
    std::uint64_t cut = 0;         // could not be asked or done again
    std::uint64_t disagreements = 0;
  };
  using AnswerId = std::pair<ServerId, std::uint64_t>;

  // Null: refused, since it is outdated.
  std::unique_ptr<SourceCall> start(HttpRequest request, HttpCallHandler& handler,
                                    TypeAccess::Origin origin);
  std::unique_ptr<SourceCall> process(HttpRequest request, HttpCallHandler& handler,
                                      const TypeAccess::Origin& origin);
  bool is_own(TypeId type) const;
  // Into plain_, if it is a request that noted answers may have to do with.
  bool read_plain(const HttpRequest& request);
  // From memory; null: it is not there, or not to be used. After read_plain().
  std::unique_ptr<SourceCall> answer_noted(http::Method method, HttpCallHandler& handler,
                                           bool in_stead);
  // By the sources behind, in another's stead.
  std::unique_ptr<SourceCall> process_in_stead(HttpRequest request, HttpCallHandler& handler);
  std::uint64_t add(ItemAsk& ask);
  void remove(std::uint64_t number);
  void set_deadline(std::uint64_t number, Instant at);
  void on_timer();
  // Of what the machine has decided meanwhile: reports, and what is to be forgotten.
  void settle();
  void wake_waiting();
  void lose(ServerId peer);
  void answer(ServerId from, const ItemRequest& request);
  void remove(ItemAnswer& answer);
  void check_agreement();
  const SentContent* sent_content(ItemKey item) const;

  EventLoop& loop_;
  Source& inner_;
  ContentStore& contents_;
  TypeSourceOptions options_;
  TypeAccess machine_;
  BalancerCarrier* balancers_ = nullptr;
  ItemFlow flow_;
  std::uint64_t last_number_ = 0;
  std::unordered_map<std::uint64_t, ItemAsk*> asks_;  // by the number of their question
  std::map<AnswerId, std::unique_ptr<ItemAnswer>> answers_;
  std::unordered_map<ServerId, std::uint32_t> answers_for_;
  Deadlines<std::uint64_t> deadlines_;
  Timer timer_;
  std::vector<SentContent> sent_;  // by the item's key; the last one has the place
  NotedAnswers noted_;
  std::optional<NotedAnswer> coming_;  // whose content the front is about to name
  http::RequestHead plain_;            // of read_plain()
  std::vector<ServerId> disagreeing_;
  http::HeadEdit edit_;
  Counts counts_;
};

}  // namespace tandem::server
