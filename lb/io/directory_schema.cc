#include <iterator>

#include "lb/io/directory_sqlite.h"

namespace tandem {
namespace {

// docs/directory.md explains tables and views to those who SELECT from them.
constexpr const char* kVersion1 = R"sql(
CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE groups (
  name TEXT PRIMARY KEY
) WITHOUT ROWID;

CREATE TABLE servers (
  id           INTEGER PRIMARY KEY,
  name         TEXT NOT NULL UNIQUE,
  data_address TEXT NOT NULL,
  peer_address TEXT NOT NULL,
  zone         TEXT NOT NULL,
  group_name   TEXT NOT NULL REFERENCES groups (name),
  capacity     INTEGER NOT NULL,
  threshold    INTEGER NOT NULL,
  state        TEXT NOT NULL CHECK (state IN ('online', 'offline', 'left', 'held back')),
  incarnation  INTEGER NOT NULL
);

CREATE TABLE buddies (
  server INTEGER PRIMARY KEY REFERENCES servers (id),
  first  INTEGER NOT NULL,
  second INTEGER NOT NULL
);

CREATE TABLE events (
  logged INTEGER PRIMARY KEY,
  kind   TEXT NOT NULL,
  server TEXT NOT NULL,
  text   TEXT NOT NULL
);

CREATE VIEW active_servers AS
  SELECT name, data_address, peer_address, zone, group_name, capacity, threshold, incarnation
  FROM servers WHERE state = 'online' ORDER BY name;

CREATE VIEW ring AS
  SELECT servers.name AS server, first.name AS first, second.name AS second
  FROM buddies
  JOIN servers ON servers.id = buddies.server
  LEFT JOIN servers AS first ON first.id = buddies.first
  LEFT JOIN servers AS second ON second.id = buddies.second
  ORDER BY server;

CREATE VIEW event_log AS
  SELECT strftime('%Y-%m-%d %H:%M:%f', logged / 1000000.0, 'unixepoch') AS time, kind, server, text
  FROM events ORDER BY logged;

INSERT INTO meta VALUES
  ('schema_version', 0), ('view_version', 0), ('writer', 0), ('last_change', 0);
)sql";

constexpr const char* kVersion2 = R"sql(
CREATE TABLE drained (
  name TEXT PRIMARY KEY
) WITHOUT ROWID;
)sql";

constexpr const char* kSchema[] = {kVersion1, kVersion2};

}  // namespace

std::span<const char* const> directory_schema() { return kSchema; }

}  // namespace tandem
