// SQLite, with its handles owned and its results as values. sqlite3.h stays inside.
//
// A Database and what was made from it belong to one thread at a time. Statements and transactions
// must not outlive their database. Calls block (on the disk, and up to busy_timeout on other
// processes): keep them off the path of requests, or short.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/result.h"
#include "common/base/time.h"

struct sqlite3;
struct sqlite3_stmt;

namespace tandem {

class Database;

// One prepared statement, used again and again:
//     statement.bind(1, key).bind(2, bytes);
//     Result<bool> row = statement.step();    // until it answers false, or reset()
class Statement {
 public:
  // Parameters count from 1. What is bound is copied. A statement that has been stepped is reset
  // first; other bindings stay. A failure is told by the next step().
  Statement& bind(int parameter, std::int64_t value);
  Statement& bind(int parameter, std::string_view text);
  Statement& bind_blob(int parameter, std::string_view bytes);
  Statement& bind_null(int parameter);

  // True: a row is there to be read. False: done, and the statement is ready for the next use.
  Result<bool> step();
  // For statements without rows: one step to the end.
  Result<void> run();
  void reset();

  // Columns count from 0; of the current row, views valid until the next step() or reset().
  std::int64_t integer(int column) const;
  std::string_view text(int column) const;  // blobs, too
  bool is_null(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  explicit Statement(sqlite3_stmt* statement) : handle_(statement) {}
  void begin_bind();
  Statement& note(int code);
  Error error(int code) const;

  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
  bool stepped_ = false;
  int bind_failure_ = 0;
};

// How to open; a file, or ":memory:".
struct DatabaseOptions {
  bool create = true;          // make the file if it is missing
  Duration busy_timeout = 2s;  // how long to wait for another process's write
  // Survive not only the end of the process but a power failure: one more fsync a commit.
  bool durable = false;
  // Counts every statement that runs, those of transactions, too; may be null; outlives the
  // database. Written by the database's thread alone.
  std::atomic<std::uint64_t>* statements = nullptr;
};

class Database {
 public:
  // A file database is opened in WAL mode: readers do not wait for the writer, and a crash of the
  // process loses nothing that was committed.
  static Result<Database> open(const std::string& path, const DatabaseOptions& options = {});

  // Statements without parameters and rows, separated by semicolons.
  Result<void> execute(const char* sql);
  Result<Statement> prepare(std::string_view sql);

  std::int64_t changed_rows() const;  // by the last statement that changed any

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  explicit Database(sqlite3* database) : handle_(database) {}
  Error error(int code) const;

  std::unique_ptr<sqlite3, Close> handle_;
};

// Rolls back when it goes out of scope without commit(). Takes the write lock at once, so that two
// processes wait for each other instead of failing half-way.
class Transaction {
 public:
  static Result<Transaction> begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Result<void> commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace tandem
