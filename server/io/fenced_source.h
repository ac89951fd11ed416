// The source that keeps caches of a group from answering with what a write has changed: it stands
// before this server's cache and data source, asks the guard (server/core/item_guard.h) whether
// what is cached may be used, and gives the answer to a write when no other server can be served
// the old item. Writes to a database it fences with the owner's epoch. One thread, the loop's.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/net/event_loop.h"
#include "server/core/item_guard.h"
#include "server/io/admin.h"
#include "server/io/buddies.h"
#include "server/io/node_driver.h"
#include "server/io/source.h"
#include "server/io/source_sqlite.h"

namespace tandem::server {

class FencedCall;

class FencedSource final : public Source, public PeerListener, public ItemWriter {
 public:
  // `database`: where items are written; null: the source is an HTTP origin, which keeps no
  // epochs. All must outlive the source, and the source its calls.
  FencedSource(EventLoop& loop, NodeDriver& driver, Ownership ownership, Source& inner,
               ItemDatabase* database, ItemGuardOptions options);

  // It outlives its use; null: none (yet).
  void set_peers(PeerCarrier* peers) { peers_ = peers; }
  void on_view(const ViewPtr& view);

  std::unique_ptr<SourceCall> start(HttpRequest request, HttpCallHandler& handler) override;
  std::optional<std::uint64_t> version() override { return inner_.version(); }
  bool has_versions() const override { return inner_.has_versions(); }
  bool knows_our_tags() const override { return inner_.knows_our_tags(); }
  void invalidate(ItemKey item) override { inner_.invalidate(item); }
  void forget(const Targets& targets) override { inner_.forget(targets); }
  void note_content(ItemKey item, const Validator& validator) override {
    inner_.note_content(item, validator);
  }

  // ItemWriter: fenced. Refused at once if another server acts for the item's type.
  void write(std::string_view path, ItemWrite write, ItemDatabase::OnWritten then) override;

  void on_peer_linked(const Hello&, const SocketAddress&) override {}
  void on_peer_message(ServerId from, const Message& message) override;
  void on_peer_unlinked(ServerId) override {}

  std::vector<AdminSnapshot::Count> counts() const;

 private:
  friend class FencedCall;
  TypeId type_of(std::string_view path) const { return ownership_.types().type_of(path); }
  bool another_acts(TypeId type) const;
  // What it may still write would be under another epoch than it was meant for.
  void cut_outdated();
  // The item may have changed. `call` is told when that may be said; null: nobody waits.
  void changed(std::string_view path, FencedCall* call);
  void ask(const ItemGuard::Check& check);
  void settle();

  EventLoop& loop_;
  NodeDriver& driver_;
  Ownership ownership_;
  Source& inner_;
  ItemDatabase* database_;
  ItemGuard guard_;
  ItemGuard::Out out_;
  PeerCarrier* peers_ = nullptr;
  std::set<FencedCall*> calls_;                   // to a database
  std::map<std::uint64_t, FencedCall*> writing_;  // whose answers wait
  std::uint64_t last_write_ = 0;
  Timer timer_;
};

}  // namespace tandem::server
