#include "common/storage/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <utility>

namespace tandem {
namespace {

// Whose fault a result code is, and whether the same call may succeed later.
Error error_of(int code, const char* message) {
  std::string text = fmt::format("SQLite: {}", message);
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_FULL:
    case SQLITE_NOMEM:
    case SQLITE_IOERR:
      return Error::system(std::move(text));
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return Error::conf(std::move(text));
    default:
      return Error::system(std::move(text), Retry::kNo);
  }
}

// SQLITE_TRACE_STMT: a statement begins to run.
int count_statement(unsigned, void* context, void*, void*) {
  auto& count = *static_cast<std::atomic<std::uint64_t>*>(context);
  count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  return 0;
}

}  // namespace

// --- Statement ---------------------------------------------------------------------------------

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

void Statement::begin_bind() {
  if (stepped_) reset();
}

Statement& Statement::note(int code) {
  if (code != SQLITE_OK) bind_failure_ = code;
  return *this;
}

Statement& Statement::bind(int parameter, std::int64_t value) {
  begin_bind();
  return note(sqlite3_bind_int64(handle_.get(), parameter, value));
}

Statement& Statement::bind(int parameter, std::string_view text) {
  begin_bind();
  // A null pointer would bind NULL.
  return note(sqlite3_bind_text64(handle_.get(), parameter, text.empty() ? "" : text.data(),
                                  text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}

Statement& Statement::bind_blob(int parameter, std::string_view bytes) {
  begin_bind();
  return note(sqlite3_bind_blob64(handle_.get(), parameter, bytes.empty() ? "" : bytes.data(),
                                  bytes.size(), SQLITE_TRANSIENT));
}

Statement& Statement::bind_null(int parameter) {
  begin_bind();
  return note(sqlite3_bind_null(handle_.get(), parameter));
}

Result<bool> Statement::step() {
  if (bind_failure_ != 0) return fail(error(std::exchange(bind_failure_, 0)));
  stepped_ = true;
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) {
    Error failure = error(code);
    reset();
    return fail(std::move(failure));
  }
  reset();
  return false;
}

Result<void> Statement::run() {
  const Result<bool> row = step();
  if (!row) return fail(row.error());
  if (*row) reset();
  return {};
}

void Statement::reset() {
  sqlite3_reset(handle_.get());  // repeats the error of the last step, which has been told
  stepped_ = false;
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(handle_.get(), column);
}

std::string_view Statement::text(int column) const {
  // The bytes first: asking for them may convert, and the size is then that of the converted.
  const void* bytes = sqlite3_column_blob(handle_.get(), column);
  const int size = sqlite3_column_bytes(handle_.get(), column);
  return bytes == nullptr
             ? std::string_view()
             : std::string_view(static_cast<const char*>(bytes), static_cast<std::size_t>(size));
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL;
}

Error Statement::error(int code) const {
  return error_of(code, sqlite3_errmsg(sqlite3_db_handle(handle_.get())));
}

// --- Database ----------------------------------------------------------------------------------

void Database::Close::operator()(sqlite3* database) const { sqlite3_close_v2(database); }

Result<Database> Database::open(const std::string& path, const DatabaseOptions& options) {
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                    (options.create ? SQLITE_OPEN_CREATE : 0);
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  Database database(handle);  // closes it in either case
  if (code != SQLITE_OK) {
    Error failure = error_of(code, handle == nullptr ? "out of memory" : sqlite3_errmsg(handle));
    failure.message = fmt::format("{}: {}", path, failure.message);
    return fail(std::move(failure));
  }
  const auto timeout = std::chrono::duration_cast<std::chrono::milliseconds>(options.busy_timeout);
  sqlite3_busy_timeout(handle, static_cast<int>(timeout.count()));
  if (options.statements != nullptr) {
    sqlite3_trace_v2(handle, SQLITE_TRACE_STMT, count_statement, options.statements);
  }
  auto done =
      database.execute(options.durable ? "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL"
                                       : "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
  if (!done) {
    done.error().message = fmt::format("{}: {}", path, done.error().message);
    return fail(std::move(done.error()));
  }
  return database;
}

Result<void> Database::execute(const char* sql) {
  const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return fail(error(code));
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return fail(error(code));
  return Statement(statement);
}

std::int64_t Database::changed_rows() const { return sqlite3_changes64(handle_.get()); }

Error Database::error(int code) const { return error_of(code, sqlite3_errmsg(handle_.get())); }

// --- Transaction -------------------------------------------------------------------------------

Result<Transaction> Transaction::begin(Database& database) {
  auto begun = database.execute("BEGIN IMMEDIATE");
  if (!begun) return fail(std::move(begun.error()));
  return Transaction(database);
}

Transaction::~Transaction() {
  if (database_ != nullptr) (void)database_->execute("ROLLBACK");
}

Result<void> Transaction::commit() {
  auto done = database_->execute("COMMIT");
  if (done) database_ = nullptr;
  return done;
}

}  // namespace tandem
