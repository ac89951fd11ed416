#include "server/io/item_table.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>
#include <vector>

namespace tandem::server {
namespace {

// The first was in use before there were versions. docs/items.md explains the tables.
constexpr const char* kSchema[] = {
    R"sql(
CREATE TABLE IF NOT EXISTS items (
  type         TEXT NOT NULL,
  key          TEXT NOT NULL,
  content_type TEXT NOT NULL,
  body         BLOB NOT NULL,
  PRIMARY KEY (type, key)
) WITHOUT ROWID;
)sql",
    R"sql(
CREATE TABLE owners (
  type    INTEGER PRIMARY KEY,
  name    TEXT NOT NULL,
  counter INTEGER NOT NULL,
  server  INTEGER NOT NULL
);
)sql"};

std::int64_t stored(std::uint64_t value) { return static_cast<std::int64_t>(value); }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

}  // namespace

std::optional<ItemName> ItemName::parse(std::string_view target) {
  const std::string_view path = target.substr(0, target.find('?'));
  if (path.size() < 2 || path[0] != '/') return std::nullopt;
  const auto slash = path.find('/', 1);
  if (slash == std::string_view::npos || slash == 1 || slash + 1 == path.size()) {
    return std::nullopt;
  }
  auto type = percent_decoded(path.substr(1, slash - 1));
  auto key = percent_decoded(path.substr(slash + 1));
  if (!type || !key) return std::nullopt;
  return ItemName{std::move(*type), std::move(*key)};
}

struct ItemTable::Statements {
  Statement get, put, remove, owner, set_owner, data_version;
};

void ItemTable::Close::operator()(Statements* statements) const { delete statements; }

ItemTable::ItemTable(std::string path, Database database)
    : path_(std::move(path)), database_(std::move(database)) {}

// --- opening -----------------------------------------------------------------------------------

Result<ItemTable> ItemTable::open(const std::string& path, const Options& options) {
  DatabaseOptions how;
  how.create = options.create;
  how.busy_timeout = options.lock_timeout;
  how.durable = true;  // what was acknowledged survives a power failure, too
  how.statements = options.statements;
  auto database = Database::open(path, how);
  if (!database) return fail(std::move(database.error()));
  ItemTable table(path, std::move(*database));
  auto done = table.note_file();
  if (done) done = table.migrate();
  if (done) done = table.prepare();
  if (!done) return fail(std::move(done.error()));
  return table;
}

Result<void> ItemTable::note_file() {
  struct stat file {};
  if (::stat(path_.c_str(), &file) != 0) {
    return fail(Error::system(fmt::format("{}: {}", path_, std::strerror(errno))));
  }
  device_ = file.st_dev;
  inode_ = file.st_ino;
  return {};
}

Result<void> ItemTable::check() const {
  struct stat file {};
  if (::stat(path_.c_str(), &file) != 0) {
    return fail(Error::system(fmt::format("{}: {}", path_, std::strerror(errno))));
  }
  if (file.st_dev == device_ && file.st_ino == inode_) return {};
  return fail(Error::system(fmt::format("{}: the file was replaced by another", path_)));
}

Result<void> ItemTable::migrate() {
  const auto version_of = [this]() -> Result<std::size_t> {
    auto asked = database_.prepare("PRAGMA user_version");
    if (!asked) return fail(std::move(asked.error()));
    auto row = asked->step();
    if (!row) return fail(std::move(row.error()));
    return static_cast<std::size_t>(asked->integer(0));
  };
  auto version = version_of();
  if (!version) return fail(std::move(version.error()));
  if (*version > std::size(kSchema)) {
    return fail(Error::conf(
        fmt::format("{}: its schema has version {}, and this tandem-server knows only those up "
                    "to {}",
                    path_, *version, std::size(kSchema))));
  }
  if (*version == std::size(kSchema)) return {};
  auto transaction = Transaction::begin(database_);
  if (!transaction) return fail(std::move(transaction.error()));
  version = version_of();  // another server may have been faster
  if (!version) return fail(std::move(version.error()));
  for (std::size_t next = *version; next < std::size(kSchema); ++next) {
    if (auto done = database_.execute(kSchema[next]); !done) return done;
  }
  const std::string set = fmt::format("PRAGMA user_version = {}", std::size(kSchema));
  if (auto done = database_.execute(set.c_str()); !done) return done;
  return transaction->commit();
}

Result<void> ItemTable::prepare() {
  constexpr const char* kSql[] = {
      "SELECT content_type, body FROM items WHERE type = ?1 AND key = ?2",
      "INSERT INTO items (type, key, content_type, body) VALUES (?1, ?2, ?3, ?4) "
      "ON CONFLICT DO UPDATE SET content_type = excluded.content_type, body = excluded.body",
      "DELETE FROM items WHERE type = ?1 AND key = ?2",
      "SELECT counter, server FROM owners WHERE type = ?1",
      "INSERT OR REPLACE INTO owners (type, name, counter, server) VALUES (?1, ?2, ?3, ?4)",
      "PRAGMA data_version"};
  std::vector<Statement> made;
  for (const char* sql : kSql) {
    auto statement = database_.prepare(sql);
    if (!statement) return fail(std::move(statement.error()));
    made.push_back(std::move(*statement));
  }
  statements_.reset(new Statements{std::move(made[0]), std::move(made[1]), std::move(made[2]),
                                   std::move(made[3]), std::move(made[4]), std::move(made[5])});
  return {};
}

// --- reading -----------------------------------------------------------------------------------

std::optional<std::uint32_t> ItemTable::version() {
  Statement& asked = statements_->data_version;
  const auto row = asked.step();
  if (!row || !*row) return std::nullopt;
  const auto version = static_cast<std::uint32_t>(asked.integer(0));
  asked.reset();
  return version;
}

Result<std::optional<Item>> ItemTable::get(const ItemName& name) {
  Statement& asked = statements_->get;
  auto row = asked.bind(1, name.type).bind(2, name.key).step();
  if (!row) return fail(std::move(row.error()));
  if (!*row) return std::optional<Item>();
  Item item{std::string(asked.text(0)), std::string(asked.text(1))};
  asked.reset();
  return std::optional<Item>(std::move(item));
}

Result<std::optional<ActingEpoch>> ItemTable::owner(std::uint64_t type) {
  Statement& asked = statements_->owner;
  auto row = asked.bind(1, stored(type)).step();
  if (!row) return fail(std::move(row.error()));
  if (!*row) return std::optional<ActingEpoch>();
  const ActingEpoch epoch{static_cast<std::uint64_t>(asked.integer(0)),
                          ServerId{static_cast<std::uint32_t>(asked.integer(1))}};
  asked.reset();
  return std::optional<ActingEpoch>(epoch);
}

// --- writing -----------------------------------------------------------------------------------

// Within a transaction. False: another owner has the type.
Result<bool> ItemTable::pass_fence(const OwnerClaim& claim, WriteOutcome& outcome) {
  auto before = owner(claim.type);
  if (!before) return fail(std::move(before.error()));
  outcome.stored = *before;
  const FenceRuling ruling = rule_fence(*before, claim.epoch);
  if (ruling == FenceRuling::kRefuse) return false;
  if (ruling == FenceRuling::kPass) return true;
  auto done = statements_->set_owner.bind(1, stored(claim.type))
                  .bind(2, claim.name)
                  .bind(3, stored(claim.epoch.version))
                  .bind(4, std::int64_t{claim.epoch.server.value})
                  .run();
  if (!done) return fail(std::move(done.error()));
  return true;
}

Result<WriteOutcome> ItemTable::write(const ItemWrite& write) {
  auto transaction = Transaction::begin(database_);
  if (!transaction) return fail(std::move(transaction.error()));
  WriteOutcome outcome;
  if (write.claim) {
    auto passed = pass_fence(*write.claim, outcome);
    if (!passed) return fail(std::move(passed.error()));
    if (!*passed) {
      outcome.kind = WriteOutcome::Kind::kFenced;
      return outcome;
    }
  }
  auto changed = change(write, std::move(outcome));
  if (!changed) return changed;
  if (auto done = transaction->commit(); !done) return fail(std::move(done.error()));
  // What was written to a file without a name is not kept.
  if (auto done = check(); !done) return fail(std::move(done.error()));
  return changed;
}

// Within a transaction.
Result<WriteOutcome> ItemTable::change(const ItemWrite& write, WriteOutcome outcome) {
  using Kind = WriteOutcome::Kind;
  auto current = get(write.name);
  if (!current) return fail(std::move(current.error()));
  const bool there = current->has_value();
  std::optional<std::string_view> content;
  if (there) content = (*current)->body;
  if (!write.conditions.hold(content)) {
    outcome.kind = Kind::kPreconditionFailed;
    return outcome;
  }
  Statement& statement = write.item ? statements_->put : statements_->remove;
  statement.bind(1, write.name.type).bind(2, write.name.key);
  if (write.item) statement.bind(3, write.item->content_type).bind_blob(4, write.item->body);
  if (auto done = statement.run(); !done) return fail(std::move(done.error()));
  if (write.item) {
    outcome.kind = there ? Kind::kReplaced : Kind::kCreated;
  } else {
    outcome.kind = there ? Kind::kRemoved : Kind::kMissing;
  }
  return outcome;
}

Result<WriteOutcome> ItemTable::claim(const OwnerClaim& claim) {
  auto transaction = Transaction::begin(database_);
  if (!transaction) return fail(std::move(transaction.error()));
  WriteOutcome outcome;
  auto passed = pass_fence(claim, outcome);
  if (!passed) return fail(std::move(passed.error()));
  outcome.kind = *passed ? WriteOutcome::Kind::kReplaced : WriteOutcome::Kind::kFenced;
  if (!*passed) return outcome;
  if (auto done = transaction->commit(); !done) return fail(std::move(done.error()));
  if (auto done = check(); !done) return fail(std::move(done.error()));
  return outcome;
}

}  // namespace tandem::server
