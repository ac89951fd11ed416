#include "server/io/item_database.h"

#include <utility>

#include "common/base/log.h"

namespace tandem::server {
namespace {

DatabaseLane::Options lane_options(const ItemDatabase::Options& options, std::string purpose) {
  DatabaseLane::Options lane;
  lane.purpose = std::move(purpose);
  lane.path = options.path;
  lane.table.lock_timeout = options.lock_timeout;
  lane.queue_max = options.queue_max;
  lane.queue_bytes_max = options.queue_bytes_max;
  lane.patience = options.patience;
  lane.retry = options.retry;
  return lane;
}

}  // namespace

Result<std::unique_ptr<ItemDatabase>> ItemDatabase::open(EventLoop& loop, const Options& options) {
  ItemTable::Options how;
  how.lock_timeout = options.lock_timeout;
  auto reading = ItemTable::open(options.path, how);
  if (!reading) return fail(std::move(reading.error()));
  auto writing = ItemTable::open(options.path, how);
  if (!writing) return fail(std::move(writing.error()));
  std::unique_ptr<ItemDatabase> made(new ItemDatabase(options.path));
  made->reading_ =
      std::make_unique<DatabaseLane>(loop, std::move(*reading), lane_options(options, "reading"));
  made->writing_ =
      std::make_unique<DatabaseLane>(loop, std::move(*writing), lane_options(options, "writing"));
  return made;
}

void ItemDatabase::read(ItemName name, OnItem then) {
  reading_->ask(
      [name = std::move(name)](ItemTable& table) -> Result<DatabaseReply> {
        auto item = table.get(name);
        if (!item) return fail(std::move(item.error()));
        return DatabaseReply{std::move(*item), {}, {}};
      },
      [then = std::move(then)](Result<DatabaseReply> reply) {
        if (!reply) return then(fail(std::move(reply.error())));
        then(std::move(reply->item));
      });
}

void ItemDatabase::write(ItemWrite write, OnWritten then) {
  std::string type = write.claim ? write.claim->name : std::string();
  const std::size_t bytes = write.item ? write.item->body.size() : 0;
  writing_->ask(
      [write = std::move(write)](ItemTable& table) -> Result<DatabaseReply> {
        auto outcome = table.write(write);
        if (!outcome) return fail(std::move(outcome.error()));
        return DatabaseReply{{}, *outcome, {}};
      },
      [this, type = std::move(type), then = std::move(then)](Result<DatabaseReply> reply) {
        if (!reply) return then(fail(std::move(reply.error())));
        if (reply->outcome.kind == WriteOutcome::Kind::kPreconditionFailed) {
          ++preconditions_failed_;
        }
        if (reply->outcome.kind == WriteOutcome::Kind::kFenced) {
          ++fenced_;
          TANDEM_WARN_LIMITED("a write of type {} is refused: another server has replaced us",
                              type);
        }
        then(reply->outcome);
      },
      bytes);
}

void ItemDatabase::claim(OwnerClaim claim, OnWritten then) {
  writing_->ask(
      [claim = std::move(claim)](ItemTable& table) -> Result<DatabaseReply> {
        auto outcome = table.claim(claim);
        if (!outcome) return fail(std::move(outcome.error()));
        return DatabaseReply{{}, *outcome, {}};
      },
      [then = std::move(then)](Result<DatabaseReply> reply) {
        if (!reply) return then(fail(std::move(reply.error())));
        then(reply->outcome);
      });
}

void ItemDatabase::owner(std::uint64_t type, OnOwner then) {
  reading_->ask(
      [type](ItemTable& table) -> Result<DatabaseReply> {
        auto owner = table.owner(type);
        if (!owner) return fail(std::move(owner.error()));
        return DatabaseReply{{}, {}, *owner};
      },
      [then = std::move(then)](Result<DatabaseReply> reply) {
        if (!reply) return then(fail(std::move(reply.error())));
        then(reply->owner);
      });
}

std::optional<std::uint64_t> ItemDatabase::version() {
  if (!reading_->available()) return std::nullopt;
  if (!versions_ || !versions_->check()) {
    ItemTable::Options how;
    how.create = false;
    how.lock_timeout = 0s;
    auto opened = ItemTable::open(path_, how);
    if (!opened) return std::nullopt;
    versions_.emplace(std::move(*opened));
    ++versions_opened_;
  }
  const auto theirs = versions_->version();
  if (!theirs) return std::nullopt;
  return std::uint64_t{versions_opened_} << 32 | *theirs;
}

std::vector<AdminSnapshot::Count> ItemDatabase::counts() const {
  std::vector<AdminSnapshot::Count> counts;
  const auto lane = [&](const std::string& name, const DatabaseLane::Counts& of) {
    const std::string start = "database_" + name + "_";
    counts.push_back({start + "total", "Questions to the database.", of.asked});
    counts.push_back({start + "waiting", "Questions that wait for the database.", of.waiting});
    counts.push_back({start + "refused_total",
                      "Questions refused over source.queue_max or source.queue_bytes_max.",
                      of.refused});
    counts.push_back({start + "late_total", "Questions not answered in time.", of.late});
    counts.push_back(
        {start + "failures_total", "Questions that the database failed.", of.failures});
    counts.push_back({start + "unavailable_milliseconds",
                      "How long the database has been unavailable; 0: it is not.",
                      static_cast<std::uint64_t>(of.unavailable / 1ms)});
  };
  lane("reads", reading_->counts());
  lane("writes", writing_->counts());
  counts.push_back({"database_writes_waiting_bytes", "Bytes of bodies that wait for the database.",
                    writing_->counts().waiting_bytes});
  counts.push_back(
      {"database_preconditions_failed_total", "Writes answered 412.", preconditions_failed_});
  counts.push_back({"database_fenced_total",
                    "Writes refused since another server has replaced us as owner.", fenced_});
  return counts;
}

}  // namespace tandem::server
