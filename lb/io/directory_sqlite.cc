#include "lb/io/directory_sqlite.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace tandem {
namespace {

std::int64_t stored(std::uint64_t value) { return static_cast<std::int64_t>(value); }
std::uint64_t loaded(std::int64_t value) { return static_cast<std::uint64_t>(value); }
ServerId server_id(std::int64_t value) { return ServerId{static_cast<std::uint32_t>(value)}; }

Error strange(std::string message) { return Error::conf(std::move(message)); }

// Tells `row` of each row.
template <class OnRow>
Result<void> each_row(Database& database, std::string_view sql, OnRow on_row) {
  auto statement = database.prepare(sql);
  if (!statement) return fail(std::move(statement.error()));
  for (;;) {
    Result<bool> row = statement->step();
    if (!row) return fail(std::move(row.error()));
    if (!*row) return {};
    on_row(*statement);
  }
}

// Runs `sql` once for each item, with what `bind` binds.
template <class Items, class Bind>
Result<void> for_each(Database& database, std::string_view sql, const Items& items, Bind bind) {
  if (items.empty()) return {};
  auto statement = database.prepare(sql);
  if (!statement) return fail(std::move(statement.error()));
  for (const auto& item : items) {
    bind(*statement, item);
    if (auto done = statement->run(); !done) return done;
  }
  return {};
}

}  // namespace

Error SqliteDirectory::named(Error error) const {
  if (error.message.find(path_) == std::string::npos) {
    error.message = fmt::format("{}: {}", path_, error.message);
  }
  return error;
}

// --- opening -----------------------------------------------------------------------------------

Result<DirectoryContents> SqliteDirectory::open() {
  close();
  if (auto done = lock(); !done) return fail(named(std::move(done.error())));
  DatabaseOptions options;
  options.busy_timeout = options_.busy_timeout;
  options.durable = true;
  options.statements = &statements_;
  auto opened = Database::open(path_, options);
  if (!opened) return fail(named(std::move(opened.error())));
  database_.emplace(std::move(*opened));
  struct stat file {};
  if (::stat(path_.c_str(), &file) != 0) {
    return fail(named(Error::system(std::strerror(errno))));
  }
  device_ = file.st_dev;
  inode_ = file.st_ino;
  if (auto done = migrate(); !done) return fail(named(std::move(done.error())));
  auto contents = load();
  if (!contents) return fail(named(std::move(contents.error())));
  return contents;
}

// Two writers would undo each other's work.
Result<void> SqliteDirectory::lock() {
  const std::string name = path_ + "-lock";
  lock_ = Descriptor(::open(name.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0644));
  if (!lock_) return fail(Error::conf(fmt::format("{}: {}", name, std::strerror(errno))));
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) == 0) return {};
  const Error error = errno == EWOULDBLOCK
                          ? Error::conf("another balancer writes this directory")
                          : Error::system(fmt::format("{}: {}", name, std::strerror(errno)));
  lock_.reset();
  return fail(error);
}

Result<void> SqliteDirectory::migrate() {
  const auto known = static_cast<std::int64_t>(options_.schema.size());
  auto now = version();
  if (!now) return fail(std::move(now.error()));
  if (*now > known) {
    return fail(strange(fmt::format(
        "its schema has version {}, and this tandem-lb knows only those up to {}", *now, known)));
  }
  if (*now == known) return {};
  auto transaction = Transaction::begin(*database_);
  if (!transaction) return fail(std::move(transaction.error()));
  for (auto next = static_cast<std::size_t>(*now); next < options_.schema.size(); ++next) {
    if (auto done = database_->execute(options_.schema[next]); !done) return done;
  }
  const std::string set =
      fmt::format("UPDATE meta SET value = {} WHERE key = 'schema_version'", known);
  if (auto done = database_->execute(set.c_str()); !done) return done;
  return transaction->commit();
}

// Of the schema; 0: there are no tables.
Result<std::int64_t> SqliteDirectory::version() {
  auto tables = number_of("SELECT count(*) FROM sqlite_master");
  if (!tables || *tables == 0) return tables;
  auto ours = number_of(
      "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ('meta', 'servers')");
  if (ours && *ours != 2) return fail(strange("it is a database, but no directory of Tandem's"));
  return number_of("SELECT value FROM meta WHERE key = 'schema_version'");
}

// Of the first row; 0 if there is none.
Result<std::int64_t> SqliteDirectory::number_of(const char* sql) {
  std::int64_t number = 0;
  auto done = each_row(*database_, sql, [&](const Statement& row) { number = row.integer(0); });
  if (!done) return fail(std::move(done.error()));
  return number;
}

// --- reading -----------------------------------------------------------------------------------

Result<DirectoryContents> SqliteDirectory::load() {
  DirectoryContents contents;
  // One moment of the file for all that is read.
  if (auto done = database_->execute("BEGIN"); !done) return fail(std::move(done.error()));
  auto done = load_servers(contents);
  if (done) done = load_events(contents);
  (void)database_->execute("ROLLBACK");
  if (!done) return fail(std::move(done.error()));
  return contents;
}

Result<void> SqliteDirectory::load_servers(DirectoryContents& contents) {
  auto done = each_row(*database_, "SELECT key, value FROM meta", [&](const Statement& row) {
    const std::uint64_t value = loaded(row.integer(1));
    if (row.text(0) == "view_version") contents.view_version = value;
    if (row.text(0) == "writer") contents.writer = value;
    if (row.text(0) == "last_change") contents.last_change = value;
  });
  if (!done) return done;
  done = each_row(
      *database_,
      "SELECT id, name, data_address, peer_address, zone, group_name, capacity, threshold, state, "
      "incarnation FROM servers ORDER BY name",
      [&](const Statement& row) {
        contents.servers.push_back(
            {server_id(row.integer(0)), std::string(row.text(1)), std::string(row.text(2)),
             std::string(row.text(3)), std::string(row.text(4)), std::string(row.text(5)),
             static_cast<std::uint32_t>(row.integer(6)), static_cast<std::uint32_t>(row.integer(7)),
             state_of_word(row.text(8)).value_or(ServerState::kOffline), loaded(row.integer(9))});
      });
  if (!done) return done;
  done = each_row(*database_, "SELECT name FROM drained",
                  [&](const Statement& row) { contents.drained.emplace(row.text(0)); });
  if (!done) return done;
  return each_row(
      *database_, "SELECT server, first, second FROM buddies ORDER BY server",
      [&](const Statement& row) {
        contents.buddies.push_back(
            {server_id(row.integer(0)), server_id(row.integer(1)), server_id(row.integer(2))});
      });
}

Result<void> SqliteDirectory::load_events(DirectoryContents& contents) {
  auto count = number_of("SELECT count(*) FROM events");
  if (!count) return fail(std::move(count.error()));
  events_ = *count;
  const std::string sql = fmt::format(
      "SELECT logged, kind, server, text FROM events ORDER BY logged DESC LIMIT {}", kEventsLoaded);
  auto done = each_row(*database_, sql, [&](const Statement& row) {
    const auto kind = kind_of_word(row.text(1));
    if (!kind) return;  // of a later version
    MembershipEvent event;
    event.kind = *kind;
    event.logged = row.integer(0);
    event.name = row.text(2);
    event.server = event.name.empty() ? ServerId{} : ServerId::of(event.name);
    event.text = row.text(3);
    contents.events.push_back(std::move(event));
  });
  std::reverse(contents.events.begin(), contents.events.end());
  return done;
}

// --- writing -----------------------------------------------------------------------------------

Result<void> SqliteDirectory::apply(const NumberedChange& change) {
  if (!database_) return fail(Error::system("it is not open"));
  // Before: SQLite would go on writing to a file that has no name any more.
  if (auto done = check(); !done) return done;
  auto transaction = Transaction::begin(*database_);
  if (!transaction) return fail(named(std::move(transaction.error())));
  auto last = number_of("SELECT value FROM meta WHERE key = 'last_change'");
  if (!last) return fail(named(std::move(last.error())));
  if (loaded(*last) + 1 != change.number) {
    return fail(named(Error::system("somebody else has changed it")));
  }
  auto done = write(change);
  if (done) done = transaction->commit();
  if (!done) return fail(named(std::move(done.error())));
  return {};
}

Result<void> SqliteDirectory::write(const NumberedChange& numbered) {
  const DirectoryChange& change = numbered.change;
  auto done = write_servers(change);
  if (done) done = write_buddies(change);
  if (done) done = write_events(change.events);
  if (done && change.drained) done = write_drained(*change.drained);
  const std::pair<const char*, std::uint64_t> meta[] = {{"writer", numbered.writer},
                                                        {"last_change", numbered.number},
                                                        {"view_version", change.view_version}};
  if (!done) return done;
  return for_each(*database_, "UPDATE meta SET value = ? WHERE key = ?", std::span(meta),
                  [](Statement& statement, const auto& row) {
                    statement.bind(1, stored(row.second)).bind(2, row.first);
                  });
}

Result<void> SqliteDirectory::write_servers(const DirectoryChange& change) {
  const auto bind_id = [](Statement& statement, ServerId id) {
    statement.bind(1, std::int64_t{id.value});
  };
  const auto bind_row = [](Statement& statement, const ServerRow& row) {
    statement.bind(1, std::int64_t{row.id.value}).bind(2, row.name).bind(3, row.data_address);
    statement.bind(4, row.peer_address).bind(5, row.zone).bind(6, row.group);
    statement.bind(7, std::int64_t{row.capacity}).bind(8, std::int64_t{row.threshold});
    statement.bind(9, state_word(row.state)).bind(10, stored(row.incarnation));
  };
  Database& database = *database_;
  auto done = for_each(database, "DELETE FROM servers WHERE id = ?", change.removed, bind_id);
  if (done)
    done = for_each(database, "DELETE FROM buddies WHERE server = ?", change.removed, bind_id);
  if (done) {
    done =
        for_each(database, "INSERT OR IGNORE INTO groups VALUES (?)", change.servers,
                 [](Statement& statement, const ServerRow& row) { statement.bind(1, row.group); });
  }
  if (done) {
    done = for_each(database,
                    "INSERT OR REPLACE INTO servers (id, name, data_address, peer_address, zone, "
                    "group_name, capacity, threshold, state, incarnation) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    change.servers, bind_row);
  }
  if (!done || (change.servers.empty() && change.removed.empty())) return done;
  return database.execute("DELETE FROM groups WHERE name NOT IN (SELECT group_name FROM servers)");
}

Result<void> SqliteDirectory::write_buddies(const DirectoryChange& change) {
  std::vector<BuddiesRow> rows, gone;
  for (const BuddiesRow& row : change.buddies) {
    (row.first || row.second ? rows : gone).push_back(row);
  }
  auto done = for_each(*database_, "DELETE FROM buddies WHERE server = ?", gone,
                       [](Statement& statement, const BuddiesRow& row) {
                         statement.bind(1, std::int64_t{row.server.value});
                       });
  if (!done) return done;
  return for_each(*database_,
                  "INSERT OR REPLACE INTO buddies (server, first, second) VALUES (?, ?, ?)", rows,
                  [](Statement& statement, const BuddiesRow& row) {
                    statement.bind(1, std::int64_t{row.server.value});
                    statement.bind(2, std::int64_t{row.first.value});
                    statement.bind(3, std::int64_t{row.second.value});
                  });
}

Result<void> SqliteDirectory::write_events(const std::vector<MembershipEvent>& events) {
  auto done = for_each(*database_,
                       "INSERT OR REPLACE INTO events (logged, kind, server, text) "
                       "VALUES (?, ?, ?, ?)",
                       events, [](Statement& statement, const MembershipEvent& event) {
                         statement.bind(1, event.logged).bind(2, kind_word(event.kind));
                         statement.bind(3, event.name).bind(4, event.text);
                       });
  if (!done) return done;
  events_ += static_cast<std::int64_t>(events.size());
  if (events_ <= options_.events_max) return {};
  const std::string sql = fmt::format(
      "DELETE FROM events WHERE logged IN (SELECT logged FROM events ORDER BY logged LIMIT {})",
      events_ - options_.events_max);
  events_ = options_.events_max;
  return database_->execute(sql.c_str());
}

// They are few, and all of them are told.
Result<void> SqliteDirectory::write_drained(const std::set<std::string>& names) {
  if (auto done = database_->execute("DELETE FROM drained"); !done) return done;
  return for_each(*database_, "INSERT INTO drained VALUES (?)", names,
                  [](Statement& statement, const std::string& name) { statement.bind(1, name); });
}

// --- whether it is still there ------------------------------------------------------------------

Result<void> SqliteDirectory::check() {
  struct stat file {};
  if (::stat(path_.c_str(), &file) != 0) {
    return fail(named(Error::system(std::strerror(errno))));
  }
  if (file.st_dev == device_ && file.st_ino == inode_) return {};
  return fail(named(Error::system("the file was replaced by another")));
}

void SqliteDirectory::close() {
  database_.reset();
  lock_.reset();
}

}  // namespace tandem
