#include "server/io/item_table.h"

#include <utility>

namespace tandem::server {
namespace {

constexpr const char* kSchema =
    "CREATE TABLE IF NOT EXISTS items (type TEXT NOT NULL, key TEXT NOT NULL, content_type TEXT "
    "NOT "
    "NULL, body BLOB NOT NULL, PRIMARY KEY (type, key)) WITHOUT ROWID";

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

ItemTable::ItemTable(Database database, Statement get, Statement insert, Statement update,
                     Statement remove, Statement data_version)
    : database_(std::move(database)),
      get_(std::move(get)),
      insert_(std::move(insert)),
      update_(std::move(update)),
      remove_(std::move(remove)),
      data_version_(std::move(data_version)) {}

Result<ItemTable> ItemTable::open(const std::string& path) {
  auto database = Database::open(path, {.create = true, .busy_timeout = kBusyTimeout});
  if (!database) return fail(std::move(database.error()));
  if (auto made = database->execute(kSchema); !made) return fail(std::move(made.error()));
  auto get = database->prepare("SELECT content_type, body FROM items WHERE type = ?1 AND key = ?2");
  if (!get) return fail(std::move(get.error()));
  auto insert = database->prepare(
      "INSERT INTO items (type, key, content_type, body) VALUES (?1, ?2, ?3, ?4) "
      "ON CONFLICT DO NOTHING");
  if (!insert) return fail(std::move(insert.error()));
  auto update = database->prepare(
      "UPDATE items SET content_type = ?3, body = ?4 WHERE type = ?1 AND key = ?2");
  if (!update) return fail(std::move(update.error()));
  auto remove = database->prepare("DELETE FROM items WHERE type = ?1 AND key = ?2");
  if (!remove) return fail(std::move(remove.error()));
  auto data_version = database->prepare("PRAGMA data_version");
  if (!data_version) return fail(std::move(data_version.error()));
  return ItemTable(std::move(*database), std::move(*get), std::move(*insert), std::move(*update),
                   std::move(*remove), std::move(*data_version));
}

std::optional<std::uint64_t> ItemTable::version() {
  const auto row = data_version_.step();
  if (!row || !*row) return std::nullopt;
  const auto theirs = static_cast<std::uint32_t>(data_version_.integer(0));
  data_version_.reset();
  return static_cast<std::uint64_t>(own_writes_) << 32 | theirs;
}

Result<std::optional<Item>> ItemTable::get(const ItemName& name) {
  auto row = get_.bind(1, name.type).bind(2, name.key).step();
  if (!row) return fail(std::move(row.error()));
  if (!*row) return std::optional<Item>();
  Item item{std::string(get_.text(0)), std::string(get_.text(1))};
  get_.reset();
  return std::optional<Item>(std::move(item));
}

Result<bool> ItemTable::put(const ItemName& name, const Item& item) {
  ++own_writes_;
  auto transaction = Transaction::begin(database_);
  if (!transaction) return fail(std::move(transaction.error()));
  bool is_new = false;
  for (Statement* statement : {&insert_, &update_}) {
    auto done = statement->bind(1, name.type)
                    .bind(2, name.key)
                    .bind(3, item.content_type)
                    .bind_blob(4, item.body)
                    .run();
    if (!done) return fail(std::move(done.error()));
    is_new = statement == &insert_ && database_.changed_rows() == 1;
    if (is_new) break;
  }
  if (auto done = transaction->commit(); !done) return fail(std::move(done.error()));
  return is_new;
}

Result<bool> ItemTable::remove(const ItemName& name) {
  ++own_writes_;
  auto done = remove_.bind(1, name.type).bind(2, name.key).run();
  if (!done) return fail(std::move(done.error()));
  return database_.changed_rows() == 1;
}

}  // namespace tandem::server
