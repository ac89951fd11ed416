#include "client/io/disk_cache.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "common/crypto/digest.h"

namespace tandem {
namespace {

constexpr const char* kSchema = R"(
CREATE TABLE IF NOT EXISTS client (
  origin TEXT PRIMARY KEY, cache_id INTEGER NOT NULL, token TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS item (
  origin TEXT NOT NULL, target TEXT NOT NULL, etag TEXT NOT NULL, headers BLOB NOT NULL,
  content BLOB NOT NULL, crc INTEGER NOT NULL, validated INTEGER NOT NULL, used INTEGER NOT NULL,
  PRIMARY KEY (origin, target));
CREATE TABLE IF NOT EXISTS session (
  origin TEXT NOT NULL, failover_group TEXT NOT NULL, token TEXT NOT NULL,
  PRIMARY KEY (origin, failover_group));
)";
// Files of earlier versions lack it.
constexpr const char* kHasGroup =
    "SELECT 1 FROM pragma_table_info('item') WHERE name = 'failover_group'";
constexpr const char* kAddGroup =
    "ALTER TABLE item ADD COLUMN failover_group TEXT NOT NULL DEFAULT ''";

// Header fields as lines; neither names nor values have line ends in them.
std::string join(const HeaderFields& fields) {
  std::string text;
  for (const auto& [name, value] : fields) text.append(name).append(":").append(value).append("\n");
  return text;
}

HeaderFields split(std::string_view text) {
  HeaderFields fields;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    const std::size_t colon = line.find(':');
    if (colon != line.npos) fields.emplace_back(line.substr(0, colon), line.substr(colon + 1));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return fields;
}

Result<void> add_group(Database& database) {
  auto has = database.prepare(kHasGroup);
  if (!has) return fail(std::move(has.error()));
  auto row = has->step();
  if (!row) return fail(std::move(row.error()));
  if (*row) return {};
  auto added = database.execute(kAddGroup);
  if (added) return {};
  // Another process may have been first.
  has->reset();
  row = has->step();
  return row && *row ? Result<void>() : added;
}

// SQLite would make the file readable by others.
void make_private(const std::string& file) {
  const int fd = ::open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) ::close(fd);  // what is wrong, SQLite will say
}

}  // namespace

Result<DiskCache> DiskCache::open(const std::string& file, std::string origin,
                                  CacheId new_cache_id) {
  make_private(file);
  auto database = Database::open(file);
  if (!database) return fail(std::move(database.error()));
  const auto named = [&](Error error) {
    error.message = file + ": " + error.message;
    return fail(std::move(error));
  };
  if (auto done = database->execute(kSchema); !done) return named(std::move(done.error()));
  if (auto done = add_group(*database); !done) return named(std::move(done.error()));
  auto insert = database->prepare("INSERT OR IGNORE INTO client VALUES (?, ?, '')");
  if (!insert) return named(std::move(insert.error()));
  const auto id = static_cast<std::int64_t>(new_cache_id.value);
  if (auto done = insert->bind(1, origin).bind(2, id).run(); !done) {
    return named(std::move(done.error()));
  }
  auto put = database->prepare(
      "INSERT OR REPLACE INTO item (origin, target, etag, headers, content, crc, validated, used, "
      "failover_group) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
  if (!put) return named(std::move(put.error()));
  auto drop = database->prepare("DELETE FROM item WHERE origin = ? AND target = ?");
  if (!drop) return named(std::move(drop.error()));
  return DiskCache(std::move(*database), std::move(origin), std::move(*put), std::move(*drop));
}

Result<void> DiskCache::load(ClientState& state) {
  auto client = database_.prepare("SELECT cache_id, token FROM client WHERE origin = ?");
  if (!client) return fail(std::move(client.error()));
  auto row = client->bind(1, origin_).step();
  if (!row) return fail(std::move(row.error()));
  if (*row) {
    state.cache_id = CacheId{static_cast<std::uint64_t>(client->integer(0))};
    if (client->text(1) != "") state.groups.take_token({}, client->text(1));
  }
  auto sessions = database_.prepare("SELECT failover_group, token FROM session WHERE origin = ?");
  if (!sessions) return fail(std::move(sessions.error()));
  sessions->bind(1, origin_);
  for (;;) {
    auto more = sessions->step();
    if (!more) return fail(std::move(more.error()));
    if (!*more) break;
    if (sessions->text(1) != "") state.groups.take_token(sessions->text(0), sessions->text(1));
  }
  saved_ = state.groups.mark();
  return load_items(state);
}

Result<void> DiskCache::load_items(ClientState& state) {
  auto items = database_.prepare(
      "SELECT target, etag, headers, content, crc, validated, used, failover_group FROM item "
      "WHERE origin = ? ORDER BY used");
  if (!items) return fail(std::move(items.error()));
  items->bind(1, origin_);
  state.cache.record_changes();  // what no longer fits goes from the file, too
  for (;;) {
    auto more = items->step();
    if (!more) return fail(std::move(more.error()));
    if (!*more) break;
    uses_ = items->integer(6);
    if (crc32_of(items->text(3)) != static_cast<std::uint32_t>(items->integer(4))) continue;
    state.cache.store(items->text(0),
                      Item{.etag = std::string(items->text(1)),
                           .headers = split(items->text(2)),
                           .content = std::make_shared<const std::string>(items->text(3)),
                           .validated = items->integer(5),
                           .group = std::string(items->text(7))});
  }
  // What came from the file need not be written to it again.
  std::vector<ItemCache::Change> changes = state.cache.take_changes();
  std::erase_if(changes, [](const ItemCache::Change& change) { return change.item != nullptr; });
  if (changes.empty()) return {};
  auto transaction = Transaction::begin(database_);
  if (!transaction) return fail(std::move(transaction.error()));
  for (const ItemCache::Change& change : changes) {
    if (auto done = write(change); !done) return done;
  }
  return transaction->commit();
}

Result<void> DiskCache::save(ClientState& state) {
  const std::vector<ItemCache::Change> changes = state.cache.take_changes();
  if (changes.empty() && state.groups.mark() == saved_) return {};
  auto transaction = Transaction::begin(database_);
  if (!transaction) return fail(std::move(transaction.error()));
  for (const ItemCache::Change& change : changes) {
    if (auto done = write(change); !done) return done;
  }
  if (auto done = save_tokens(state); !done) return done;
  return transaction->commit();
}

Result<void> DiskCache::save_tokens(const ClientState& state) {
  if (state.groups.mark() == saved_) return {};
  auto update = database_.prepare("UPDATE client SET token = ? WHERE origin = ?");
  if (!update) return fail(std::move(update.error()));
  auto done = update->bind(1, state.groups.token({})).bind(2, origin_).run();
  if (!done) return done;
  auto put = database_.prepare("INSERT OR REPLACE INTO session VALUES (?, ?, ?)");
  if (!put) return fail(std::move(put.error()));
  for (const GroupSession& session : state.groups.all()) {
    if (session.group.empty() || session.since <= saved_) continue;
    done = put->bind(1, origin_).bind(2, session.group).bind(3, session.token).run();
    if (!done) return done;
  }
  saved_ = state.groups.mark();
  return {};
}

Result<void> DiskCache::write(const ItemCache::Change& change) {
  if (!change.item) return drop_.bind(1, origin_).bind(2, change.target).run();
  const Item& item = *change.item;
  return put_.bind(1, origin_)
      .bind(2, change.target)
      .bind(3, item.etag)
      .bind_blob(4, join(item.headers))
      .bind_blob(5, *item.content)
      .bind(6, static_cast<std::int64_t>(crc32_of(*item.content)))
      .bind(7, item.validated)
      .bind(8, ++uses_)
      .bind(9, item.group)
      .run();
}

Result<void> DiskCache::save_order(const ClientState& state) {
  auto update = database_.prepare("UPDATE item SET used = ? WHERE origin = ? AND target = ?");
  if (!update) return fail(std::move(update.error()));
  auto transaction = Transaction::begin(database_);
  if (!transaction) return fail(std::move(transaction.error()));
  for (const ItemCache::Change& change : state.cache.all()) {
    auto done = update->bind(1, ++uses_).bind(2, origin_).bind(3, change.target).run();
    if (!done) return done;
  }
  return transaction->commit();
}

}  // namespace tandem
